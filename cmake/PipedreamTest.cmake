# pipedream_add_test: a test program and its registration, the only way tests are added.
#
#   pipedream_add_test(NAME planning_tests SOURCES plan_test.cpp profile_test.cpp LIBS pipedream::planning)
#   pipedream_add_test(NAME mpi_tests SOURCES mpi_test.cpp LIBS pipedream::pipedream MAIN mpi_main.cpp RANKS 2 4)
#
# NAME     of the target, and of the test (with RANKS: NAME_2_ranks, NAME_4_ranks)
# SOURCES  relative to the current folder
# LIBS     what it tests; pipedream::pipedream brings the precompiled torch/torch.h
# MAIN     a source with its own main(), or NONE where SOURCES has one; without it, Catch2's
# RANKS    start it with mpirun, once with each of these numbers of ranks
# TIMEOUT  seconds it may take, 60 unless told; every test has a limit
# LABELS   for ctest -L, beside the name of the folder, which is always one
# ARGS     passed to the program
#
# pipedream_run_test(TARGET t NAME n [RANKS TIMEOUT LABELS ARGS DEVICE NCCL]) registers a further run of a program that
# exists; DEVICE and NCCL are for tests/support/test_device.h.

include_guard(GLOBAL)

# Catch2's main takes long to compile, with sanitizers a minute: once is enough, and with none of our flags.
add_library(pipedream_catch_main STATIC "${PROJECT_SOURCE_DIR}/tests/catch_main.cpp")
target_compile_options(pipedream_catch_main PRIVATE -O0)
target_link_libraries(pipedream_catch_main PUBLIC Catch2::Catch2)

function(pipedream_run_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "NCCL" "TARGET;NAME;TIMEOUT;DEVICE" "RANKS;LABELS;ARGS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_TARGET OR NOT arg_NAME)
    message(FATAL_ERROR "pipedream_run_test needs TARGET and NAME; not understood: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(PIPEDREAM_SANITIZE)
    math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * 10")
  endif()
  # A killed mpirun may leave ranks behind, so `timeout` asks first; ctest's own limit is only the last resort.
  math(EXPR last_resort "${arg_TIMEOUT} + 30")
  get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)

  set(environment OMP_NUM_THREADS=1)
  if(arg_DEVICE)
    list(APPEND environment PIPEDREAM_TEST_DEVICE=${arg_DEVICE})
  endif()
  if(arg_NCCL)
    list(APPEND environment PIPEDREAM_TEST_NCCL=1)
  endif()

  if(NOT arg_RANKS)
    add_test(NAME ${arg_NAME} COMMAND ${arg_TARGET} ${arg_ARGS})
    set_tests_properties(${arg_NAME} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${folder};${arg_LABELS}"
                                                ENVIRONMENT "${environment}")
  endif()
  foreach(ranks IN LISTS arg_RANKS)
    set(name ${arg_NAME}_${ranks}_ranks)
    # Bound to cores, the ranks of two tests that run at once would share the first cores and leave the others idle.
    add_test(NAME ${name} COMMAND timeout -k 15 ${arg_TIMEOUT} "${PROJECT_SOURCE_DIR}/scripts/mpirun" -n ${ranks}
                                  --bind-to none $<TARGET_FILE:${arg_TARGET}> ${arg_ARGS})
    set_tests_properties(
      ${name} PROPERTIES TIMEOUT ${last_resort} LABELS "${folder};mpi;${arg_LABELS}" PROCESSORS ${ranks}
                         ENVIRONMENT "${environment}")
  endforeach()
endfunction()

function(pipedream_add_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;MAIN;TIMEOUT" "SOURCES;LIBS;RANKS;LABELS;ARGS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME OR NOT arg_SOURCES)
    message(FATAL_ERROR "pipedream_add_test needs NAME and SOURCES; not understood: ${arg_UNPARSED_ARGUMENTS}")
  endif()

  add_executable(${arg_NAME} ${arg_SOURCES})
  # Helpers that folders share are named from tests/ ("planning/plans.h").
  target_include_directories(${arg_NAME} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${arg_NAME} PRIVATE pipedream_build_flags ${arg_LIBS} Catch2::Catch2)
  if(NOT arg_MAIN)
    target_link_libraries(${arg_NAME} PRIVATE pipedream_catch_main)
  elseif(NOT arg_MAIN STREQUAL "NONE")
    target_sources(${arg_NAME} PRIVATE "${arg_MAIN}")
    # It configures Catch before it includes it.
    set_source_files_properties("${arg_MAIN}" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
  if("pipedream::pipedream" IN_LIST arg_LIBS)
    # Where there is CUDA, each of them can be told to run on it.
    target_link_libraries(${arg_NAME} PRIVATE $<TARGET_NAME_IF_EXISTS:pipedream::cuda>)
    pipedream_precompile_torch(${arg_NAME})
  endif()

  pipedream_run_test(TARGET ${arg_NAME} NAME ${arg_NAME} TIMEOUT ${arg_TIMEOUT} RANKS ${arg_RANKS}
                     LABELS ${arg_LABELS} ARGS ${arg_ARGS})
endfunction()
