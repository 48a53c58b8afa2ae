# Everything the project takes from outside. The installed package asks for the public part again (see
# pipedreamConfig.cmake.in). Header-only libraries that only our own sources include are not passed on.

find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(xxHash REQUIRED)
find_package(CLI11 2.1 REQUIRED)

if(PIPEDREAM_WITH_RUNTIME)
  include(WithCuda)
  # Only MPI's C interface is used; its C++ one was removed from the standard.
  set(MPI_CXX_SKIP_MPICXX ON)
  find_package(MPI 3.1 REQUIRED COMPONENTS CXX)
  find_package(Threads REQUIRED)
  find_package(spdlog 1.10 REQUIRED)
elseif(PIPEDREAM_WITH_CUDA AND NOT PIPEDREAM_WITH_CUDA STREQUAL "AUTO")
  message(FATAL_ERROR "PIPEDREAM_WITH_CUDA=ON needs PIPEDREAM_WITH_RUNTIME=ON")
endif()

if(PIPEDREAM_BUILD_TESTS)
  find_package(Catch2 2.13 REQUIRED)
  # The tests are written for version 2; a find_package of 2.13 may accept 3 on some systems.
  if(NOT Catch2_VERSION VERSION_LESS 3)
    message(FATAL_ERROR "pipedream's tests need Catch2 2.13, found ${Catch2_VERSION} in ${Catch2_DIR}")
  endif()
endif()
