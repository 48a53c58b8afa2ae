# torch/torch.h takes 15 to 20 seconds to read. It is read once, into a precompiled header that all targets share.

add_library(pipedream_precompiled OBJECT "${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp")
target_compile_features(pipedream_precompiled PUBLIC cxx_std_20)
target_link_libraries(pipedream_precompiled PRIVATE pipedream_build_flags LibTorch::torch Threads::Threads)
target_precompile_headers(pipedream_precompiled PRIVATE <torch/torch.h>)

# Sources still include what they use: the header is only a cache (scripts/lint compiles without it).
function(pipedream_precompile_torch target)
  target_precompile_headers(${target} REUSE_FROM pipedream_precompiled)
endfunction()
