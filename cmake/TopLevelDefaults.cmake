# Defaults of a build of pipedream itself. Read before project(), so that what the user says on the command line wins.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Kind of build")
endif()

# The time is spent inside LibTorch: -O3 would only make our own files slower to compile.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "Flags of a Release build")

set(CMAKE_EXPORT_COMPILE_COMMANDS ON CACHE BOOL "Write compile_commands.json")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

# An installed program or shared library finds LibTorch where it was at build time.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

# ccache refuses precompiled headers unless it is told that their timestamps may differ.
find_program(PIPEDREAM_CCACHE ccache)
mark_as_advanced(PIPEDREAM_CCACHE)
if(PIPEDREAM_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;${PIPEDREAM_CCACHE}"
  )
endif()
