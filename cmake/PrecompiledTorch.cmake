# LibTorch's headers take 10 to 20 seconds to read. What nearly all sources need is read once, into a precompiled header
# that all targets share. All of torch/torch.h would be too much: each source pays for the templates that it starts.

add_library(pipedream_precompiled OBJECT "${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp")
target_compile_features(pipedream_precompiled PUBLIC cxx_std_20)
target_link_libraries(pipedream_precompiled PRIVATE pipedream_build_flags LibTorch::torch Threads::Threads)
target_precompile_headers(pipedream_precompiled PRIVATE <torch/types.h> <torch/nn/module.h>
                                                           <torch/csrc/autograd/custom_function.h>)

# Sources still include what they use: the header is only a cache (scripts/lint compiles without it).
function(pipedream_precompile_torch target)
  target_precompile_headers(${target} REUSE_FROM pipedream_precompiled)
endfunction()
