#include "runtime/score_reader.h"

#include <ATen/ops/stack.h>

#include <utility>

namespace pipedream::detail {

void ScoreReader::add(Scores scores, const Tensors& values) {
  if (values.front().is_cpu()) {
    scores.loss = values.front().item<double>();
    for (auto value = values.begin() + 1; value != values.end(); ++value) {
      scores.metrics.push_back(value->item<double>());
    }
    return on_scores_(scores);
  }
  Tensors exact;
  for (const torch::Tensor& value : values) exact.push_back(value.detach().to(torch::kDouble));
  const torch::Device device = exact.front().device();
  torch::Tensor copy = at::stack(exact).to(torch::kCPU, /*non_blocking=*/true);
  pending_.push_back({std::move(scores), std::move(copy), StreamMark(device)});
  while (!pending_.empty() && pending_.front().copied.is_reached()) hand_over();
}

void ScoreReader::finish() {
  while (!pending_.empty()) {
    pending_.front().copied.synchronize();
    hand_over();
  }
}

void ScoreReader::hand_over() {
  Pending pending = std::move(pending_.front());
  pending_.pop_front();
  const auto* values = pending.values.const_data_ptr<double>();
  pending.scores.loss = values[0];
  pending.scores.metrics.assign(values + 1, values + pending.values.numel());
  on_scores_(pending.scores);
}

}  // namespace pipedream::detail
