#include "runtime/weight_exchange.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
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

WeightExchange::WeightExchange(const Plan& plan, Communicator& comm, std::vector<StageWorker*> hosted,
                               int first_channel)
    : plan_(plan), comm_(comm), hosted_(std::move(hosted)) {
  nlohmann::json own;
  for (StageWorker* worker : hosted_) own[std::to_string(worker->stage().wiring().stage)] = names_of(*worker);
  const auto texts = comm.all_gather(own.dump());
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const auto of_worker = nlohmann::json::parse(texts[static_cast<std::size_t>(plan.stages[s].workers.front())]);
    names_.push_back(of_worker[std::to_string(s)].get<std::vector<std::string>>());
  }
  open_gathering(first_channel + 1);
  open_spreading(first_channel);
}

// A channel for every stage.
void WeightExchange::open_gathering(int first_channel) {
  from_stages_.resize(plan_.stages.size());
  to_first_.resize(hosted_.size());
  for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
    const int sender = plan_.stages[s].workers.front();
    const int id = first_channel + static_cast<int>(s);
    if (sender == 0) continue;
    if (comm_.rank() == 0) from_stages_[s] = comm_.open_receive(sender, id, {count(names_[s]), 2});
    for (std::size_t h = 0; h < hosted_.size(); ++h) {
      if (comm_.rank() != sender || hosted_[h]->stage().wiring().stage != static_cast<int>(s)) continue;
      to_first_[h] = comm_.open_send(0, id, {count(names_[s]), 2});
    }
  }
}

void WeightExchange::open_spreading(int channel) {
  int all = 0;
  for (const auto& names : names_) all += count(names);
  to_all_.resize(static_cast<std::size_t>(comm_.size()));
  if (comm_.rank() != 0) from_first_ = comm_.open_receive(0, channel, {all, 2});
  for (int w = 1; comm_.rank() == 0 && w < comm_.size(); ++w) {
    to_all_[static_cast<std::size_t>(w)] = comm_.open_send(w, channel, {all, 2});
  }
}

Tensors WeightExchange::averaged_buffers(StageWorker& worker) {
  const torch::NoGradGuard no_gradient;
  const int replicas = plan_.stages[static_cast<std::size_t>(worker.stage().wiring().stage)].replicas();
  Tensors averages;
  for (const NamedParameter& buffer : worker.stage().buffers()) {
    torch::Tensor value = buffer.tensor.detach().clone();
    if (ReduceGroup* group = worker.group(); group != nullptr) {
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

Tensors WeightExchange::tensors_of(StageWorker& worker) {
  worker.versions().bind(worker.versions().newest());
  Tensors tensors;
  for (const auto* list : {&worker.stage().parameters(), &worker.stage().constants()}) {
    for (const NamedParameter& tensor : *list) {
      tensors.push_back(tensor.tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true));
    }
  }
  for (const torch::Tensor& buffer : averaged_buffers(worker)) tensors.push_back(buffer.to(torch::kCPU));
  return tensors;
}

NamedTensors WeightExchange::gather(bool on_every_worker) {
  std::map<int, Tensors> own;
  for (std::size_t h = 0; h < hosted_.size(); ++h) {
    Tensors tensors = tensors_of(*hosted_[h]);
    if (to_first_[h]) {
      to_first_[h]->post({tensors, 0});
      to_first_[h]->wait();
    }
    own.emplace(hosted_[h]->stage().wiring().stage, std::move(tensors));
  }
  Tensors all;
  for (std::size_t s = 0; comm_.rank() == 0 && s < names_.size(); ++s) {
    Tensors tensors;
    if (from_stages_[s]) {
      from_stages_[s]->post();
      tensors = from_stages_[s]->wait().tensors;
    } else {
      tensors = own.at(static_cast<int>(s));
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

void WeightExchange::take_stage(StageWorker& worker, const NamedTensors& weights, const std::string& source,
                                bool strict) const {
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
  const auto& parameters = worker.stage().parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) assign(parameters[i].name, worker.versions().masters()[i]);
  for (const auto* list : {&worker.stage().constants(), &worker.stage().buffers()}) {
    for (const NamedParameter& tensor : *list) assign(tensor.name, tensor.tensor);
  }
}

void WeightExchange::take(const NamedTensors& weights, const std::string& source, bool strict) {
  const torch::NoGradGuard no_gradient;
  for (StageWorker* worker : hosted_) take_stage(*worker, weights, source, strict);
  if (!strict) return;
  for (const auto& [name, tensor] : weights) {
    const bool known = std::any_of(names_.begin(), names_.end(), [&, &wanted = name](const auto& names) {
      return std::find(names.begin(), names.end(), wanted) != names.end();
    });
    if (!known) throw ConfigError(fmt::format("{}: the model has no tensor '{}'", source, name));
  }
}

}  // namespace pipedream::detail
