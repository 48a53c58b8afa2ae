// A layer that waits instead of computing: it takes the noise of shared cores out of a measurement and lets many
// workers run on few cores. Tensors, messages, weights and gradients are real.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <chrono>
#include <cstdint>

namespace pipedream::bench {

class EmulatedLayer : public torch::nn::Module {
 public:
  EmulatedLayer(std::chrono::microseconds forward, std::chrono::microseconds backward, std::int64_t floats,
                std::int64_t parameters);
  // Any tensor in, [1, floats] out.
  torch::Tensor forward(const torch::Tensor& x);

 private:
  std::chrono::microseconds forward_;
  std::chrono::microseconds backward_;
  std::int64_t floats_;
  torch::Tensor weight_;
};

}  // namespace pipedream::bench
