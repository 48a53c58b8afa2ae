#include "runtime/clipping.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "pipedream/error.h"
#include "runtime/parameter_names.h"

namespace pipedream::detail {
namespace {

constexpr double kEpsilon = 1e-6;

// The place in graph order of the layer that a parameter belongs to.
std::size_t place_of(const std::string& parameter, const std::map<std::string, std::size_t>& layers) {
  const auto found = layers.find(layer_of(parameter, [&](const std::string& name) { return layers.contains(name); }));
  if (found == layers.end()) throw Error(fmt::format("parameter {} belongs to no layer", parameter));
  return found->second;
}

// Squared norms, one a parameter, in double; in the order of indices, whatever the memory layout.
torch::Tensor squares_of(const Tensors& gradients) {
  Tensors squares;
  for (const torch::Tensor& gradient : gradients) {
    squares.push_back(gradient.defined() ? torch::linalg_vector_norm(gradient.contiguous()).to(torch::kDouble).square()
                                         : torch::zeros({}, torch::kDouble));
  }
  return squares.empty() ? torch::zeros({0}, torch::kDouble) : torch::stack(squares);
}

}  // namespace

void GradientClipper::open(const LayerGraph& graph, std::vector<ClippedStage> stages, Communicator& comm,
                           int reduce_id) {
  if (clipping_.max_norm == 0 || clipping_.scope == ClipScope::stage) return;
  stages_ = std::move(stages);
  std::vector<std::string> own;
  for (const ClippedStage& stage : stages_) {
    if (stage.counts) own.insert(own.end(), stage.parameters.begin(), stage.parameters.end());
  }
  std::vector<std::string> all;
  for (const std::string& text : comm.all_gather(nlohmann::json(own).dump())) {
    const auto names = nlohmann::json::parse(text).get<std::vector<std::string>>();
    present_.push_back(!names.empty());
    all.insert(all.end(), names.begin(), names.end());
  }
  std::map<std::string, std::size_t> layers;
  for (const std::string& name : graph.layer_names()) layers.emplace(name, layers.size());
  std::stable_sort(all.begin(), all.end(), [&](const std::string& a, const std::string& b) {
    return place_of(a, layers) < place_of(b, layers);
  });
  parameters_ = static_cast<std::int64_t>(all.size());
  for (const ClippedStage& stage : stages_) {
    auto& places = places_.emplace_back();
    for (const std::string& name : stage.parameters) {
      places.push_back(std::find(all.begin(), all.end(), name) - all.begin());
    }
  }
  if (comm.size() == 1) return;
  std::vector<int> workers(static_cast<std::size_t>(comm.size()));
  std::iota(workers.begin(), workers.end(), 0);
  all_workers_ = comm.open_reduce(std::move(workers), reduce_id);
}

void GradientClipper::check(Algorithm algorithm) const {
  if (clipping_.max_norm == 0 || clipping_.scope == ClipScope::stage || traits_of(algorithm).flushes) return;
  throw ConfigError(
      fmt::format("clipping by the global norm under {}, where a stage steps before the others have their gradients; "
                  "clip by the norm of each stage (--clip-by stage), or use an algorithm that flushes",
                  to_string(algorithm)));
}

// Each from the one worker that counts it; all others give zeros, so that no rounding depends on the plan.
torch::Tensor GradientClipper::global_squares() const {
  torch::Tensor all = torch::zeros({parameters_}, torch::kDouble);
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    if (!stages_[s].counts || places_[s].empty()) continue;
    all.index_put_({torch::tensor(places_[s], torch::kLong)}, squares_of(stages_[s].gradients()).cpu());
  }
  if (all_workers_ != nullptr) {
    all_workers_->post(all, 0, present_);
    all_workers_->wait();
  }
  return all;
}

torch::Tensor GradientClipper::factor_of(const torch::Tensor& squares) const {
  return (clipping_.max_norm / (squares.sum().sqrt() + kEpsilon)).clamp_max(1);
}

void GradientClipper::clip(const Tensors& gradients) {
  if (clipping_.max_norm == 0) return;
  const torch::NoGradGuard no_gradient;
  if (clipping_.scope == ClipScope::stage) {
    factor_ = factor_of(squares_of(gradients));
  } else if (stages_left_ == 0) {
    factor_ = factor_of(global_squares());
    stages_left_ = stages_.size();
  }
  if (stages_left_ > 0) --stages_left_;
  for (const torch::Tensor& gradient : gradients) {
    if (gradient.defined()) gradient.mul_(factor_.to(gradient.device(), gradient.scalar_type()));
  }
}

}  // namespace pipedream::detail
