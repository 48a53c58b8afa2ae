#include "runtime/clipping.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

constexpr double kEpsilon = 1e-6;

// The place in graph order of the layer that a parameter "layer.parameter" belongs to. Names may have dots of their
// own.
std::size_t layer_of(const std::string& parameter, const std::map<std::string, std::size_t>& layers) {
  for (std::size_t dot = parameter.rfind('.'); dot != std::string::npos && dot > 0;
       dot = parameter.rfind('.', dot - 1)) {
    const auto found = layers.find(parameter.substr(0, dot));
    if (found != layers.end()) return found->second;
  }
  throw Error(fmt::format("parameter {} belongs to no layer", parameter));
}

}  // namespace

void GradientClipper::open(const LayerGraph& graph, const std::vector<std::string>& parameters, bool counts,
                           Communicator& comm, int reduce_id) {
  if (clipping_.max_norm == 0 || clipping_.scope == ClipScope::stage) return;
  std::map<std::string, std::size_t> layers;
  for (const std::string& name : graph.layer_names()) layers.emplace(name, layers.size());
  std::vector<std::string> all;
  for (const std::string& text : comm.all_gather(nlohmann::json{{"names", parameters}, {"counts", counts}}.dump())) {
    const auto worker = nlohmann::json::parse(text);
    counts_.push_back(worker["counts"].get<bool>());
    if (!counts_.back()) continue;
    for (const auto& name : worker["names"]) all.push_back(name.get<std::string>());
  }
  std::stable_sort(all.begin(), all.end(), [&](const std::string& a, const std::string& b) {
    return layer_of(a, layers) < layer_of(b, layers);
  });
  parameters_ = static_cast<std::int64_t>(all.size());
  for (const std::string& name : parameters) places_.push_back(std::find(all.begin(), all.end(), name) - all.begin());
  if (comm.size() == 1) return;
  std::vector<int> workers;
  for (int w = 0; w < comm.size(); ++w) workers.push_back(w);
  all_workers_ = comm.open_reduce(std::move(workers), reduce_id);
}

void GradientClipper::check(Algorithm algorithm) const {
  if (clipping_.max_norm == 0 || clipping_.scope == ClipScope::stage || traits_of(algorithm).flushes) return;
  throw ConfigError(
      fmt::format("clipping by the global norm under {}, where a stage steps before the others have their gradients; "
                  "clip by the norm of each stage (--clip-by stage), or use an algorithm that flushes",
                  to_string(algorithm)));
}

// Squared norms, one a parameter, in double.
torch::Tensor GradientClipper::squares_of(const Tensors& gradients) const {
  Tensors squares;
  for (const torch::Tensor& gradient : gradients) {
    squares.push_back(gradient.defined() ? torch::linalg_vector_norm(gradient).to(torch::kDouble).square()
                                         : torch::zeros({}, torch::kDouble));
  }
  return squares.empty() ? torch::zeros({0}, torch::kDouble) : torch::stack(squares);
}

// Each square from the worker that counts it; all others give zeros, so that no rounding depends on the plan.
void GradientClipper::add_up(torch::Tensor& squares) {
  torch::Tensor all = torch::zeros({parameters_}, torch::kDouble);
  all.index_put_({torch::tensor(places_, torch::kLong)}, squares.cpu());
  if (all_workers_ != nullptr) {
    all_workers_->post(all, 0, counts_);
    all_workers_->wait();
  }
  squares = all;
}

void GradientClipper::clip(const Tensors& gradients) {
  if (clipping_.max_norm == 0) return;
  const torch::NoGradGuard no_gradient;
  torch::Tensor squares = squares_of(gradients);
  if (clipping_.scope == ClipScope::global) add_up(squares);
  const torch::Tensor norm = squares.sum().sqrt();
  const torch::Tensor factor = (clipping_.max_norm / (norm + kEpsilon)).clamp_max(1);
  for (const torch::Tensor& gradient : gradients) {
    if (gradient.defined()) gradient.mul_(factor.to(gradient.device(), gradient.scalar_type()));
  }
}

}  // namespace pipedream::detail
