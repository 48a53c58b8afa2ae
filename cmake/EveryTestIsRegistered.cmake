# The test `every_test_is_registered`: fails when a .cpp below tests/ is in no target. A test file that nobody compiles
# passes for ever. Included last in tests/CMakeLists.txt, when all targets are known; also run as the script of that test.

if(CMAKE_SCRIPT_MODE_FILE)
  file(STRINGS "${LIST}" registered)
  file(GLOB_RECURSE present RELATIVE "${TESTS}" "${TESTS}/*.cpp")
  list(FILTER present EXCLUDE REGEX "${ELSEWHERE}")
  list(REMOVE_ITEM present ${registered})
  if(present)
    list(JOIN present "\n  tests/" names)
    message(FATAL_ERROR "In no target; add them to the SOURCES of a pipedream_add_test():\n  tests/${names}")
  endif()
  return()
endif()

# All sources of the targets of a folder and of those below, relative to tests/.
function(pipedream_collect_sources folder result)
  set(found "")
  get_property(targets DIRECTORY "${folder}" PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(sources ${target} SOURCES)
    get_target_property(base ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY "${base}" NORMALIZE)
      cmake_path(RELATIVE_PATH source BASE_DIRECTORY "${PROJECT_SOURCE_DIR}/tests")
      list(APPEND found "${source}")
    endforeach()
  endforeach()
  get_property(subfolders DIRECTORY "${folder}" PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    pipedream_collect_sources("${subfolder}" below)
    list(APPEND found ${below})
  endforeach()
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

# Without the runtime, and under a sanitizer, tests are left out on purpose.
if(PIPEDREAM_WITH_RUNTIME AND NOT PIPEDREAM_SANITIZE)
  pipedream_collect_sources("${CMAKE_CURRENT_SOURCE_DIR}" sources)
  list(JOIN sources "\n" lines)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/registered_sources.txt" "${lines}\n")
  # The consumer projects that the package tests build compile their own sources.
  set(elsewhere "^package/")
  if(NOT pipedream_with_cuda)
    string(APPEND elsewhere "|^cuda/")
  endif()
  add_test(NAME every_test_is_registered
           COMMAND "${CMAKE_COMMAND}" "-DTESTS=${CMAKE_CURRENT_SOURCE_DIR}"
                   "-DLIST=${CMAKE_CURRENT_BINARY_DIR}/registered_sources.txt" "-DELSEWHERE=${elsewhere}"
                   -P "${CMAKE_CURRENT_LIST_FILE}")
  set_tests_properties(every_test_is_registered PROPERTIES TIMEOUT 10)
endif()
