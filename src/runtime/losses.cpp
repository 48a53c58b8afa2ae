// The losses and metrics of layer_graph.h.
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/mse_loss.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "pipedream/error.h"
#include "pipedream/layer_graph.h"

namespace pipedream {
namespace {

// LibTorch's default for targets that count for nothing, padding for example.
constexpr std::int64_t kIgnored = -100;

std::int64_t counted(const torch::Tensor& target) {
  if (target.scalar_type() != torch::kInt64) return target.size(0);  // class probabilities: every row counts
  const torch::Tensor values = on_host(target).contiguous();
  const auto* begin = values.const_data_ptr<std::int64_t>();
  return values.numel() - std::count(begin, begin + values.numel(), kIgnored);
}

}  // namespace

WeightedMean cross_entropy(const torch::Tensor& logits, const torch::Tensor& target) {
  const std::int64_t weight = counted(target);
  // The mean over no target is 0/0; their sum is 0 with gradients of 0.
  const auto reduction = weight > 0 ? at::Reduction::Mean : at::Reduction::Sum;
  return {at::cross_entropy_loss(logits, target, {}, reduction, kIgnored), static_cast<double>(weight)};
}

WeightedMean mean_squared_error(const torch::Tensor& output, const torch::Tensor& target) {
  if (output.sizes() != target.sizes()) {
    throw ConfigError(fmt::format("mean_squared_error: the output has shape [{}], the target [{}]",
                                  fmt::join(output.sizes(), ", "), fmt::join(target.sizes(), ", ")));
  }
  return {at::mse_loss(output, target), static_cast<double>(output.dim() == 0 ? 1 : output.size(0))};
}

WeightedMean accuracy(const torch::Tensor& logits, const torch::Tensor& target) {
  const std::int64_t weight = counted(target);
  const torch::Tensor right = logits.argmax(1).eq(target).sum().to(torch::kFloat32);
  return {right / static_cast<double>(std::max<std::int64_t>(weight, 1)), static_cast<double>(weight)};
}

}  // namespace pipedream
