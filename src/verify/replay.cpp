#include "verify/replay.h"

#include <algorithm>
#include <utility>

#include "verify/replay_stage.h"

namespace pipedream::detail {
namespace {

// Past the version counters, so that a pending backward does not notice.
void overwrite(const Tensors& to, const Tensors& from) {
  for (std::size_t t = 0; t < to.size(); ++t) to[t].variable_data().copy_(from[t]);
}

std::map<std::string, torch::Tensor> fetch(const Dataset& data, const std::vector<std::int64_t>& rows,
                                           torch::Device device) {
  std::map<std::string, torch::Tensor> values;
  for (const std::string& name : data.names()) values[name] = data.fetch(name, rows).to(device);
  return values;
}

}  // namespace

Replay::Replay(const LayerGraph& graph, Plan plan, ReplayOptions options)
    : plan_(std::move(plan)), options_(std::move(options)), model_(graph, options_.seed, options_.device) {
  model_.reversed_sums = options_.mutation == Mutation::reversed_sums;
  input_gradients_.resize(plan_.stages.size());
  gradients_.resize(plan_.stages.size());
  for (const StagePlan& stage_plan : plan_.stages) {
    auto stage = std::make_unique<Stage>();
    stage->plan = stage_plan;
    stage->update_size = stage->size_of_update(plan_);
    for (const std::string& name : stage_plan.layers) {
      if (name == graph.loss_layer().name) continue;
      const ReplayLayer& layer = model_.layer(name);
      for (const auto& [parameter_name, parameter] : layer.parameters) {
        stage->parameter_names.push_back(parameter_name);
        stage->parameters.push_back(parameter);
      }
      for (const auto& [buffer_name, buffer] : layer.buffers) {
        stage->buffer_names.push_back(buffer_name);
        stage->buffers.push_back(buffer);
      }
    }
    stage->versions.push_back(clones(stage->parameters));
    for (int q = 0; q < stage_plan.replicas(); ++q) stage->buffers_of.push_back(clones(stage->buffers));
    stage->masters = std::make_unique<MasterWeights>(options_.optimizer, stage->parameter_names, stage->parameters);
    stages_.push_back(std::move(stage));
  }
}

Replay::Replay(Replay&&) noexcept = default;
Replay::~Replay() = default;

void Replay::train(const Dataset& data, std::int64_t microbatches, const Plan& plan) {
  if (plan.algorithm != plan_.algorithm) {
    for (auto& stage : stages_) {
      stage->delta.clear();
      stage->updates_observed = 0;
    }
    first_corrected_ = first_microbatch_;
  }
  plan_ = plan;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    stages_[s]->plan = plan.stages[s];
    stages_[s]->update_size = stages_[s]->size_of_update(plan);
  }
  train(data, microbatches);
}

void Replay::train(const Dataset& data, std::int64_t microbatches) {
  const MicrobatchSampler sampler(data.size(), options_.microbatch_size, options_.shuffle, options_.seed);
  for (auto& stage : stages_) stage->base = static_cast<std::int64_t>(stage->versions.size()) - 1;
  for (std::int64_t k = 0; k < microbatches; ++k) {
    run_microbatch(fetch(data, sampler.rows(first_microbatch_ + k), options_.device), k);
    std::vector<Due> updates;
    for (auto& stage : stages_) {
      if ((k + 1) % stage->update_size == 0 || k + 1 == microbatches) updates.push_back(take_update(*stage));
    }
    clip(updates);
    for (const Due& due : updates) update(due);
  }
  first_microbatch_ += microbatches;
}

void Replay::run_microbatch(const std::map<std::string, torch::Tensor>& data, std::int64_t k) {
  for (auto& stage : stages_) {
    overwrite(stage->parameters, forward_weights(*stage, k));
    overwrite(stage->buffers, stage->buffers_of.at(static_cast<std::size_t>(stage->replica(k))));
  }
  const std::int64_t draws_of = first_microbatch_ + k + (options_.mutation == Mutation::wrong_seed ? 1 : 0);
  const WeightedMean loss = model_.forward(data, options_.seed, draws_of);
  losses_.push_back(loss.mean.item<float>());
  for (auto& stage : stages_) stage->buffers_of[static_cast<std::size_t>(stage->replica(k))] = clones(stage->buffers);

  for (auto& stage : stages_) {
    if (!is_on_one_copy()) break;
    const bool mutated = stage.get() == stages_[static_cast<std::size_t>(options_.mutated_stage)].get();
    if (mutated && options_.mutation == Mutation::stashed_backward) continue;
    overwrite(stage->parameters, backward_weights(*stage));
  }
  if (options_.mutation == Mutation::no_stash_restore) {
    Stage& stage = *stages_[static_cast<std::size_t>(options_.mutated_stage)];
    overwrite(stage.parameters, stage.versions.back());
  }
  const MicrobatchGradients gradients = model_.backward();
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    Contribution contribution{stages_[s]->replica(k), loss.weight, {}};
    for (const std::string& layer : plan_.stages[s].layers) {
      const auto found = gradients.parameters.find(layer);
      if (found == gradients.parameters.end()) continue;
      contribution.gradients.insert(contribution.gradients.end(), found->second.begin(), found->second.end());
    }
    if (options_.record_gradients) {
      NamedTensors& recorded = gradients_[s][first_microbatch_ + k];
      for (std::size_t p = 0; p < contribution.gradients.size(); ++p) {
        recorded[stages_[s]->parameter_names[p]] = contribution.gradients[p];
      }
    }
    if (stages_[s]->contributions.empty()) stages_[s]->first_of_update = first_microbatch_ + k;
    stages_[s]->contributions.push_back(std::move(contribution));
    input_gradients_[s][first_microbatch_ + k] = received_gradients(s, gradients);
  }
}

// What a stage sends back, in graph order of the tensors it received: of a tensor with three or more uses the gradient
// of each of its own uses, else their sum.
Tensors Replay::received_gradients(std::size_t stage, const MicrobatchGradients& gradients) const {
  const std::vector<std::string>& own = plan_.stages[stage].layers;
  const auto owns = [&](const std::string& layer) { return std::find(own.begin(), own.end(), layer) != own.end(); };
  Tensors received;
  for (const std::string& tensor : model_.tensors()) {
    const auto given = gradients.of_consumers.find(tensor);
    if (given == gradients.of_consumers.end() || owns(model_.producers().at(tensor))) continue;
    Tensors of_uses;
    for (const auto& [consumer, gradient] : given->second) {
      if (owns(consumer)) of_uses.push_back(gradient);
    }
    if (of_uses.size() == 2 && given->second.size() == 2) of_uses = {model_.sum(of_uses)};
    received.insert(received.end(), of_uses.begin(), of_uses.end());
  }
  return received;
}

const Tensors& Replay::input_gradients(int stage, std::int64_t microbatch) const {
  return input_gradients_.at(static_cast<std::size_t>(stage)).at(microbatch);
}

const NamedTensors& Replay::gradients(int stage, std::int64_t microbatch) const {
  return gradients_.at(static_cast<std::size_t>(stage)).at(microbatch);
}

const std::vector<Tensors>& Replay::versions(int stage) const {
  return stages_.at(static_cast<std::size_t>(stage))->versions;
}

Tensors Replay::averaged_buffers(const Stage& stage) const {
  Tensors averages = clones(stage.buffers_of.front());
  const std::size_t replicas = stage.buffers_of.size();
  for (std::size_t b = 0; b < averages.size(); ++b) {
    if (replicas == 1 || !averages[b].is_floating_point()) continue;
    for (std::size_t q = 1; q < replicas; ++q) averages[b].add_(stage.buffers_of[q][b]);
    averages[b].div_(static_cast<double>(replicas));
  }
  return averages;
}

NamedTensors Replay::weights() const {
  NamedTensors named;
  for (const ReplayLayer& layer : model_.layers()) named.insert(layer.constants.begin(), layer.constants.end());
  for (const auto& stage : stages_) {
    const Tensors buffers = averaged_buffers(*stage);
    for (std::size_t p = 0; p < stage->parameters.size(); ++p) {
      named[stage->parameter_names[p]] = stage->versions.back()[p];
    }
    for (std::size_t b = 0; b < buffers.size(); ++b) named[stage->buffer_names[b]] = buffers[b];
  }
  return named;
}

double Replay::evaluate(const Dataset& data, std::int64_t microbatch_size) {
  const torch::NoGradGuard no_gradient;
  const MicrobatchSampler sampler(data.size(), microbatch_size, /*shuffle=*/false, options_.seed);
  for (auto& stage : stages_) {
    overwrite(stage->parameters, stage->versions.back());
    overwrite(stage->buffers, averaged_buffers(*stage));
  }
  model_.set_training(false);
  double sum = 0;
  double weight = 0;
  for (std::int64_t k = 0; k < sampler.microbatches_per_epoch(); ++k) {
    const WeightedMean loss = model_.forward(fetch(data, sampler.rows(k), options_.device), options_.seed, k);
    sum += loss.mean.item<double>() * loss.weight;
    weight += loss.weight;
  }
  model_.set_training(true);
  return sum / weight;
}

}  // namespace pipedream::detail
