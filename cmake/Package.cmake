# The install rules: headers, libraries, the command, and the CMake package `pipedream` with the components planning,
# runtime and cuda (see pipedreamConfig.cmake.in).

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(pipedream_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/pipedream")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/pipedream" "${PROJECT_BINARY_DIR}/include/pipedream"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(TARGETS pipedream_command)

# One file of targets for each component, so that the planning part can be found without LibTorch.
function(pipedream_install_component component target)
  install(TARGETS ${target} EXPORT pipedream_${component})
  install(EXPORT pipedream_${component} NAMESPACE pipedream:: FILE pipedream-${component}.cmake
          DESTINATION "${pipedream_package_dir}")
endfunction()

pipedream_install_component(planning pipedream_planning)
if(PIPEDREAM_WITH_RUNTIME)
  pipedream_install_component(runtime pipedream_runtime)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake" DESTINATION "${pipedream_package_dir}")
  get_filename_component(LibTorch_FALLBACK "${LibTorch_LIBRARY_DIR}" DIRECTORY)
endif()
if(pipedream_with_cuda)
  pipedream_install_component(cuda pipedream_cuda)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindNCCL.cmake" DESTINATION "${pipedream_package_dir}")
endif()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/pipedreamConfig.cmake.in" "${PROJECT_BINARY_DIR}/pipedreamConfig.cmake"
  INSTALL_DESTINATION "${pipedream_package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/pipedreamConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/pipedreamConfig.cmake" "${PROJECT_BINARY_DIR}/pipedreamConfigVersion.cmake"
        DESTINATION "${pipedream_package_dir}")
