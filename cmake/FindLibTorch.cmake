# LibTorch::torch: the CPU side of LibTorch (torch_cpu and c10), from a libtorch archive or from the folder `torch` of
# an unpacked Python wheel. PyTorch's own TorchConfig.cmake is not used because for a CUDA flavoured LibTorch it insists
# on a CUDA toolkit and a compiler for it, which the CPU side does not need.
#
# Looks in LIBTORCH_ROOT (variable or environment), then in .deps/libtorch of the source tree, which
# scripts/dependencies fills. Sets LibTorch_FOUND, LibTorch_VERSION and LibTorch_LIBRARY_DIR.

set(LibTorch_search "${LIBTORCH_ROOT}" "$ENV{LIBTORCH_ROOT}")
if(DEFINED PROJECT_SOURCE_DIR)
  list(APPEND LibTorch_search "${PROJECT_SOURCE_DIR}/.deps/libtorch")
endif()
list(APPEND LibTorch_search ${LibTorch_FALLBACK})
list(REMOVE_ITEM LibTorch_search "")

# Only there: a stray LibTorch of the system must not win over the one that was asked for.
find_path(LibTorch_INCLUDE_DIR torch/script.h PATHS ${LibTorch_search} PATH_SUFFIXES include torch/include
          NO_DEFAULT_PATH)
find_library(LibTorch_torch_cpu_LIBRARY torch_cpu PATHS ${LibTorch_search} PATH_SUFFIXES lib torch/lib NO_DEFAULT_PATH)
find_library(LibTorch_c10_LIBRARY c10 PATHS ${LibTorch_search} PATH_SUFFIXES lib torch/lib NO_DEFAULT_PATH)
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY)

if(LibTorch_INCLUDE_DIR)
  foreach(header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS "${LibTorch_INCLUDE_DIR}/${header}")
      file(STRINGS "${LibTorch_INCLUDE_DIR}/${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(REGEX REPLACE "[^;0-9]" "" LibTorch_VERSION "${lines}")
      string(REPLACE ";" "." LibTorch_VERSION "${LibTorch_VERSION}")
      break()
    endif()
  endforeach()
endif()

# Older builds of LibTorch use the pre-C++11 std::string, which no other library here is built with: say so now rather
# than in a page of undefined symbols.
if(LibTorch_c10_LIBRARY)
  file(STRINGS "${LibTorch_c10_LIBRARY}" LibTorch_cxx11_symbol REGEX "_ZN3c105ErrorC.*__cxx11" LIMIT_COUNT 1)
  if(NOT LibTorch_cxx11_symbol)
    set(LibTorch_c10_LIBRARY "${LibTorch_c10_LIBRARY}-NOTFOUND")
    set(LibTorch_reason "The LibTorch found is built with the pre-C++11 ABI; take a build with the C++11 ABI.")
  endif()
endif()
if(NOT LibTorch_reason)
  set(LibTorch_reason "Run scripts/dependencies, or set LIBTORCH_ROOT to an unpacked LibTorch.")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "${LibTorch_reason}")

if(LibTorch_FOUND)
  get_filename_component(LibTorch_LIBRARY_DIR "${LibTorch_torch_cpu_LIBRARY}" DIRECTORY)
endif()

if(LibTorch_FOUND AND NOT TARGET LibTorch::torch)
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${LibTorch_c10_LIBRARY}")
  # Searched last: LibTorch ships headers of other libraries beside its own, fmt's among them, of versions that differ
  # from the libraries we link.
  target_compile_options(LibTorch::c10 INTERFACE "SHELL:-idirafter \"${LibTorch_INCLUDE_DIR}\""
                                                 "SHELL:-idirafter \"${LibTorch_INCLUDE_DIR}/torch/csrc/api/include\"")

  add_library(LibTorch::torch SHARED IMPORTED)
  set_target_properties(LibTorch::torch PROPERTIES IMPORTED_LOCATION "${LibTorch_torch_cpu_LIBRARY}")
  target_link_libraries(LibTorch::torch INTERFACE LibTorch::c10)
endif()
