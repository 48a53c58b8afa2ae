# xxHash::headers: xxhash.h, used header-only (XXH_INLINE_ALL). Debian's package brings no CMake files of its own.

find_path(xxHash_INCLUDE_DIR xxhash.h)
mark_as_advanced(xxHash_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(xxHash REQUIRED_VARS xxHash_INCLUDE_DIR)

if(xxHash_FOUND AND NOT TARGET xxHash::headers)
  add_library(xxHash::headers INTERFACE IMPORTED)
  target_include_directories(xxHash::headers INTERFACE "${xxHash_INCLUDE_DIR}")
  target_compile_definitions(xxHash::headers INTERFACE XXH_INLINE_ALL)
endif()
