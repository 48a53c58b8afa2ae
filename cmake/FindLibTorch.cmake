# LibTorch::torch: the CPU side of LibTorch (torch_cpu and c10), from a libtorch archive or from the folder `torch` of
# an unpacked Python wheel. PyTorch's own TorchConfig.cmake is not used because for a CUDA flavoured LibTorch it insists
# on a CUDA toolkit and a compiler for it, which the CPU side does not need.
#
# With the component `cuda` also LibTorch::c10_cuda and LibTorch::torch_cuda. They need headers and the runtime library
# of CUDA: of NVIDIA's wheels beside LibTorch's (folder `nvidia`), or of a CUDA toolkit. No compiler for CUDA.
#
# Looks in LIBTORCH_ROOT (variable or environment), then in .deps/libtorch of the source tree, which
# scripts/dependencies fills. Sets LibTorch_FOUND, LibTorch_cuda_FOUND, LibTorch_VERSION and LibTorch_LIBRARY_DIR.

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

if(LibTorch_torch_cpu_LIBRARY)
  get_filename_component(LibTorch_LIBRARY_DIR "${LibTorch_torch_cpu_LIBRARY}" DIRECTORY)
endif()

set(LibTorch_cuda_parts LibTorch_torch_cuda_LIBRARY LibTorch_c10_cuda_LIBRARY LibTorch_cudart_LIBRARY
                        LibTorch_CUDA_INCLUDE_DIR)
if("cuda" IN_LIST LibTorch_FIND_COMPONENTS AND LibTorch_LIBRARY_DIR)
  find_library(LibTorch_torch_cuda_LIBRARY torch_cuda PATHS "${LibTorch_LIBRARY_DIR}" NO_DEFAULT_PATH)
  find_library(LibTorch_c10_cuda_LIBRARY c10_cuda PATHS "${LibTorch_LIBRARY_DIR}" NO_DEFAULT_PATH)

  set(LibTorch_cuda_search "${LibTorch_LIBRARY_DIR}/../../nvidia/cu13"
                           "${LibTorch_LIBRARY_DIR}/../../nvidia/cuda_runtime")
  # Only to see where the toolkit is.
  find_program(LibTorch_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(LibTorch_NVCC)
    get_filename_component(LibTorch_toolkit "${LibTorch_NVCC}" REALPATH)
    get_filename_component(LibTorch_toolkit "${LibTorch_toolkit}" DIRECTORY)
    list(APPEND LibTorch_cuda_search "${LibTorch_toolkit}/..")
  endif()
  # Wheels hold some of the headers each: this one has what the others include.
  find_path(LibTorch_CUDA_INCLUDE_DIR crt/host_config.h HINTS ${LibTorch_cuda_search} PATH_SUFFIXES include)
  find_library(LibTorch_cudart_LIBRARY NAMES libcudart.so.13 libcudart.so.12 cudart HINTS ${LibTorch_cuda_search}
               PATH_SUFFIXES lib lib64)
  mark_as_advanced(${LibTorch_cuda_parts} LibTorch_NVCC)

  set(LibTorch_cuda_FOUND TRUE)
  foreach(part IN LISTS LibTorch_cuda_parts)
    if(NOT ${part})
      set(LibTorch_cuda_FOUND FALSE)
      string(APPEND LibTorch_reason " For cuda: no ${part}; scripts/dependencies cuda installs all of it.")
      break()
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  HANDLE_COMPONENTS
  REASON_FAILURE_MESSAGE "${LibTorch_reason}")

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

if(LibTorch_FOUND AND LibTorch_cuda_FOUND AND NOT TARGET LibTorch::torch_cuda)
  add_library(LibTorch::c10_cuda SHARED IMPORTED)
  set_target_properties(LibTorch::c10_cuda PROPERTIES IMPORTED_LOCATION "${LibTorch_c10_cuda_LIBRARY}")
  target_compile_options(LibTorch::c10_cuda INTERFACE "SHELL:-idirafter \"${LibTorch_CUDA_INCLUDE_DIR}\"")
  target_link_libraries(LibTorch::c10_cuda INTERFACE "${LibTorch_cudart_LIBRARY}" LibTorch::c10)

  # Nobody calls it by name: it registers itself when it is loaded, which linkers are told to forgo.
  add_library(LibTorch::torch_cuda INTERFACE IMPORTED)
  target_link_libraries(
    LibTorch::torch_cuda
    INTERFACE "-Wl,--push-state,--no-as-needed,\"${LibTorch_torch_cuda_LIBRARY}\",--pop-state" LibTorch::c10_cuda
              LibTorch::torch)
endif()
