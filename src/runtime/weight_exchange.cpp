#include "runtime/weight_exchange.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

std::vector<std::string> names_of(StageWorker& worker) {
  std::vector<std::string> names;
  for (const auto* list : {&worker.stage().parameters(), &worker.stage().constants(), &worker.stage().buffers()}) {
    for (const NamedParameter& tensor : *list) names.push_back(tensor.name);
  }
  return names;
}

int count(const std::vector<std::string>& names) { return static_cast<int>(names.size()); }

}  // namespace

WeightExchange::WeightExchange(const Plan& plan, Communicator& comm, StageWorker& worker, int first_channel)
    : plan_(plan), comm_(comm), worker_(worker), stage_(plan.stages_of_worker(comm.rank()).front()) {
  const auto texts = comm.all_gather(nlohmann::json(names_of(worker)).dump());
  int all = 0;
  for (const StagePlan& stage : plan.stages) {
    const auto worker_index = static_cast<std::size_t>(stage.workers.front());
    names_.push_back(nlohmann::json::parse(texts[worker_index]).get<std::vector<std::string>>());
    all += count(names_.back());
  }
  const int rank = comm.rank();
  const StagePlan& own = plan.stages[static_cast<std::size_t>(stage_)];
  from_stages_.resize(plan.stages.size());
  to_all_.resize(static_cast<std::size_t>(comm.size()));
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const int sender = plan.stages[s].workers.front();
    if (rank == 0 && sender != 0) from_stages_[s] = comm.open_receive(sender, first_channel, {count(names_[s]), 2});
  }
  if (rank != 0 && own.workers.front() == rank) {
    to_first_ = comm.open_send(0, first_channel, {count(names_[static_cast<std::size_t>(stage_)]), 2});
  }
  if (rank != 0) from_first_ = comm.open_receive(0, first_channel + 1, {all, 2});
  for (int w = 1; rank == 0 && w < comm.size(); ++w) {
    to_all_[static_cast<std::size_t>(w)] = comm.open_send(w, first_channel + 1, {all, 2});
  }
}

Tensors WeightExchange::averaged_buffers() {
  const torch::NoGradGuard no_gradient;
  const int replicas = plan_.stages[static_cast<std::size_t>(stage_)].replicas();
  Tensors averages;
  for (const NamedParameter& buffer : worker_.stage().buffers()) {
    torch::Tensor value = buffer.tensor.detach().clone();
    if (ReduceGroup* group = worker_.group(); group != nullptr) {
      // Integer buffers take part with replica 0 alone: its value is everyone's.
      const bool floating = value.is_floating_point();
      torch::Tensor flat = value.reshape({-1}).contiguous().clone();
      std::vector<bool> present(static_cast<std::size_t>(replicas), floating);
      present[0] = true;
      group->post(flat, 0, std::move(present));
      group->wait();
      value = (floating ? flat.div(replicas) : flat).reshape(value.sizes());
    }
    averages.push_back(std::move(value));
  }
  return averages;
}

Tensors WeightExchange::own_tensors() {
  worker_.versions().bind(worker_.versions().newest());
  Tensors tensors;
  for (const auto* list : {&worker_.stage().parameters(), &worker_.stage().constants()}) {
    for (const NamedParameter& tensor : *list) {
      tensors.push_back(tensor.tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true));
    }
  }
  for (const torch::Tensor& buffer : averaged_buffers()) tensors.push_back(buffer.to(torch::kCPU));
  return tensors;
}

NamedTensors WeightExchange::gather(bool on_every_worker) {
  Tensors own = own_tensors();
  Tensors all;
  if (to_first_) {
    to_first_->post({own, 0});
    to_first_->wait();
  }
  for (std::size_t s = 0; comm_.rank() == 0 && s < names_.size(); ++s) {
    Tensors tensors = own;
    if (from_stages_[s]) {
      from_stages_[s]->post();
      tensors = from_stages_[s]->wait().tensors;
    }
    all.insert(all.end(), tensors.begin(), tensors.end());
  }
  if (on_every_worker) {
    for (auto& channel : to_all_) {
      if (channel) channel->post({all, 0});
    }
    for (auto& channel : to_all_) {
      if (channel) channel->wait();
    }
    if (from_first_) {
      from_first_->post();
      all = from_first_->wait().tensors;
    }
  }
  NamedTensors weights;
  if (all.empty()) return weights;
  std::size_t next = 0;
  for (const auto& names : names_) {
    for (const std::string& name : names) weights[name] = all[next++];
  }
  return weights;
}

void WeightExchange::take(const NamedTensors& weights, const std::string& source, bool strict) {
  const torch::NoGradGuard no_gradient;
  const auto assign = [&](const std::string& name, const torch::Tensor& target) {
    const auto found = weights.find(name);
    if (found == weights.end()) {
      if (strict) throw ConfigError(fmt::format("{}: no tensor '{}'", source, name));
      return;
    }
    if (found->second.sizes() != target.sizes() || found->second.scalar_type() != target.scalar_type()) {
      throw ConfigError(fmt::format("{}: tensor '{}' is {} [{}]; the model has {} [{}]", source, name,
                                    c10::toString(found->second.scalar_type()), fmt::join(found->second.sizes(), ", "),
                                    c10::toString(target.scalar_type()), fmt::join(target.sizes(), ", ")));
    }
    target.variable_data().copy_(found->second);
  };
  const auto& parameters = worker_.stage().parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) assign(parameters[i].name, worker_.versions().masters()[i]);
  for (const auto* list : {&worker_.stage().constants(), &worker_.stage().buffers()}) {
    for (const NamedParameter& tensor : *list) assign(tensor.name, tensor.tensor);
  }
  if (!strict) return;
  for (const auto& [name, tensor] : weights) {
    const bool known = std::any_of(names_.begin(), names_.end(), [&, &wanted = name](const auto& names) {
      return std::find(names.begin(), names.end(), wanted) != names.end();
    });
    if (!known) throw ConfigError(fmt::format("{}: the model has no tensor '{}'", source, name));
  }
}

}  // namespace pipedream::detail
