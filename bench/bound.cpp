#include "bound.h"

#include <torch/optim/sgd.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "transport/stream_mark.h"
#include "world.h"

namespace pipedream::bench {

using Clock = std::chrono::steady_clock;

PlainStage::PlainStage(const Workload& work, int stage) : device_(work.device), receives_(stage > 0) {
  const auto& names = work.plan.stages.at(static_cast<std::size_t>(stage)).layers;
  std::vector<torch::Tensor> parameters;
  for (const Layer& layer : work.graph.layers()) {
    if (std::find(names.begin(), names.end(), layer.name) == names.end()) continue;
    layers_.push_back(layer.make());
    if (!layers_.back().module) continue;
    layers_.back().module->to(device_);
    for (const auto& parameter : layers_.back().module->parameters()) parameters.push_back(parameter);
  }
  optimizer_ = std::make_unique<torch::optim::SGD>(std::move(parameters), torch::optim::SGDOptions(0.01));

  std::vector<std::int64_t> rows(static_cast<std::size_t>(work.microbatch_size));
  std::iota(rows.begin(), rows.end(), 0);
  input_ = receives_ ? torch::randn(work.cut_shape, device_) : work.data->fetch("x", rows).to(device_);
  output_gradient_ = torch::randn(work.cut_shape, device_);
  if (stage + 1 < static_cast<int>(work.plan.stages.size())) return;
  loss_ = std::make_unique<WeightedLayer>(work.graph.loss_layer());
  if (!work.graph.targets().empty()) target_ = work.data->fetch("y", rows).to(device_);
}

PlainStage::~PlainStage() = default;

void PlainStage::train_one() {
  torch::Tensor h = receives_ ? input_.detach().requires_grad_() : input_;
  for (const LayerInstance& layer : layers_) h = layer.forward({h}).front();
  optimizer_->zero_grad();
  if (loss_) {
    Tensors inputs{h};
    if (target_.defined()) inputs.push_back(target_);
    loss_->function(inputs).mean.backward();
  } else {
    h.backward(output_gradient_);
  }
  optimizer_->step();
}

double PlainStage::microbatch_us(int microbatches) {
  const auto start = Clock::now();
  for (int i = 0; i < microbatches; ++i) train_one();
  detail::StreamMark(device_).synchronize();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / microbatches;
}

double bound_us(Communicator& comm, PlainStage& stage, int microbatches) {
  comm.barrier();
  return greatest_of_all(comm, stage.microbatch_us(microbatches));
}

}  // namespace pipedream::bench
