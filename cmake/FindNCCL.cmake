# NCCL::nccl. Looks in NCCL_ROOT (variable or environment), then among NVIDIA's wheels beside the LibTorch that was
# found, whose own NCCL it is, then where the system has its libraries. Sets NCCL_FOUND and NCCL_VERSION.

set(NCCL_search "${LibTorch_LIBRARY_DIR}/../../nvidia/nccl")
find_path(NCCL_INCLUDE_DIR nccl.h HINTS "${NCCL_search}" PATH_SUFFIXES include)
# The wheel has no link without the number.
find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl HINTS "${NCCL_search}" PATH_SUFFIXES lib)
mark_as_advanced(NCCL_INCLUDE_DIR NCCL_LIBRARY)

if(NCCL_INCLUDE_DIR)
  file(STRINGS "${NCCL_INCLUDE_DIR}/nccl.h" lines REGEX "define NCCL_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^;0-9]" "" NCCL_VERSION "${lines}")
  string(REPLACE ";" "." NCCL_VERSION "${NCCL_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  NCCL
  REQUIRED_VARS NCCL_LIBRARY NCCL_INCLUDE_DIR
  VERSION_VAR NCCL_VERSION
  REASON_FAILURE_MESSAGE "Run scripts/dependencies cuda, or set NCCL_ROOT.")

if(NCCL_FOUND AND NOT TARGET NCCL::nccl)
  add_library(NCCL::nccl SHARED IMPORTED)
  set_target_properties(NCCL::nccl PROPERTIES IMPORTED_LOCATION "${NCCL_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES
                                                                                    "${NCCL_INCLUDE_DIR}")
endif()
