# pipedream_build_flags: how every target of this project is compiled. Private to the project, never exported:
# a user's code keeps its own warnings and sanitizers.

add_library(pipedream_build_flags INTERFACE)

target_compile_options(
  pipedream_build_flags
  INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wdeprecated-copy-dtor
    $<$<BOOL:${PIPEDREAM_WERROR}>:-Werror>
    # A fused multiply-add in one plan and not in another would change the last bit of a loss.
    -ffp-contract=off)

# Private headers are named from src/ ("schedule/lowering.h") or from the root ("partitioner/states.h").
target_include_directories(pipedream_build_flags INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")

# One set of position flags for libraries and programs alike, so that they can share a precompiled header.
if(BUILD_SHARED_LIBS)
  target_compile_options(pipedream_build_flags INTERFACE -fPIC)
endif()

if(PIPEDREAM_SANITIZE)
  target_compile_options(pipedream_build_flags INTERFACE -fsanitize=${PIPEDREAM_SANITIZE} -fno-sanitize-recover=all
                                                         -fno-omit-frame-pointer -g1
                                                         # GCC sees through its own instrumentation and warns of it.
                                                         $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(pipedream_build_flags INTERFACE -fsanitize=${PIPEDREAM_SANITIZE})
endif()

if(PIPEDREAM_FUZZ)
  target_compile_options(pipedream_build_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
