#include "replay.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "replay_update.h"

namespace pipedream::testing {
namespace {

Tensors clones(const Tensors& tensors) {
  Tensors copies;
  for (const torch::Tensor& tensor : tensors) copies.push_back(tensor.detach().clone());
  return copies;
}

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

std::int64_t update_size(const Plan& plan, const StagePlan& stage) {
  switch (plan.algorithm) {
    case Algorithm::model_parallel:
      return 1;
    case Algorithm::data_parallel:
      return plan.microbatches_per_update > 0 ? plan.microbatches_per_update : stage.replicas();
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
    case Algorithm::interleaved_1f1b:
      return plan.microbatches_per_update > 0 ? plan.microbatches_per_update : std::int64_t{4} * plan.workers();
    case Algorithm::pipedream:
      return stage.replicas();
  }
  throw std::logic_error("unknown algorithm");
}

}  // namespace

struct Replay::Stage {
  StagePlan plan;
  std::int64_t update_size = 1;
  std::vector<std::string> parameter_names;
  std::vector<std::string> buffer_names;
  Tensors parameters;  // of the modules: what the next microbatch runs with
  Tensors buffers;
  std::vector<Tensors> versions;            // since the start of the run
  std::int64_t base = 0;                    // version at the start of the segment
  std::vector<Tensors> buffers_of;          // by replica
  std::vector<Contribution> contributions;  // to the next update
  std::unique_ptr<MasterWeights> masters;

  int replica(std::int64_t k) const { return static_cast<int>(k % plan.replicas()); }
};

Replay::Replay(const LayerGraph& graph, Plan plan, ReplayOptions options)
    : plan_(std::move(plan)), options_(std::move(options)), model_(graph, options_.seed, options_.device) {
  model_.reversed_sums = options_.mutation == Mutation::reversed_sums;
  input_gradients_.resize(plan_.stages.size());
  for (const StagePlan& stage_plan : plan_.stages) {
    auto stage = std::make_unique<Stage>();
    stage->plan = stage_plan;
    stage->update_size = update_size(plan_, stage_plan);
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

void Replay::train(const Dataset& data, std::int64_t microbatches) {
  const MicrobatchSampler sampler(data.size(), options_.microbatch_size, options_.shuffle, options_.seed);
  for (auto& stage : stages_) stage->base = static_cast<std::int64_t>(stage->versions.size()) - 1;
  for (std::int64_t k = 0; k < microbatches; ++k) {
    run_microbatch(fetch(data, sampler.rows(first_microbatch_ + k), options_.device), k);
    for (auto& stage : stages_) {
      if ((k + 1) % stage->update_size == 0 || k + 1 == microbatches) update(*stage);
    }
  }
  first_microbatch_ += microbatches;
}

// The version table: which weights forward and backward of microbatch k (of the segment) use.
std::int64_t Replay::version(const Stage& stage, std::int64_t k) const {
  switch (plan_.algorithm) {
    case Algorithm::model_parallel:
      return stage.base + k;
    case Algorithm::data_parallel:
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
    case Algorithm::interleaved_1f1b:
      return stage.base + k / stage.update_size;
    case Algorithm::pipedream: {
      const std::int64_t round = k / stage.plan.replicas();
      return stage.base + std::max<std::int64_t>(0, round - stage.plan.warmup - stage.plan.reduce_delay);
    }
  }
  throw std::logic_error("unknown algorithm");
}

std::int64_t Replay::version_to_use(const Stage& stage, std::int64_t k) const {
  const std::int64_t right = version(stage, k);
  const auto newest = static_cast<std::int64_t>(stage.versions.size()) - 1;
  if (right > newest) throw std::logic_error("the version table names a version that does not exist yet");
  if (&stage != stages_[static_cast<std::size_t>(options_.mutated_stage)].get()) return right;
  if (options_.mutation == Mutation::newer_version) return std::min(right + 1, newest);
  if (options_.mutation == Mutation::older_version) return std::max<std::int64_t>(right - 1, 0);
  return right;
}

void Replay::run_microbatch(const std::map<std::string, torch::Tensor>& data, std::int64_t k) {
  for (auto& stage : stages_) {
    overwrite(stage->parameters, stage->versions.at(static_cast<std::size_t>(version_to_use(*stage, k))));
    overwrite(stage->buffers, stage->buffers_of.at(static_cast<std::size_t>(stage->replica(k))));
  }
  const std::int64_t draws_of = first_microbatch_ + k + (options_.mutation == Mutation::wrong_seed ? 1 : 0);
  const WeightedMean loss = model_.forward(data, options_.seed, draws_of);
  losses_.push_back(loss.mean.item<float>());
  for (auto& stage : stages_) stage->buffers_of[static_cast<std::size_t>(stage->replica(k))] = clones(stage->buffers);

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

void Replay::update(Stage& stage) {
  const auto present = static_cast<double>(stage.contributions.size());
  const Tensors gradient = mean_gradient(std::move(stage.contributions), static_cast<double>(options_.microbatch_size),
                                         options_.mutation == Mutation::reversed_sums);
  stage.contributions.clear();
  stage.masters->step(gradient, rate_factor(stage, present));
  stage.versions.push_back(clones(stage.masters->weights()));
}

double Replay::rate_factor(const Stage& stage, double present) const {
  if (plan_.algorithm != Algorithm::pipedream || options_.mutation == Mutation::no_rate_scale) return 1;
  const bool scale = options_.optimizer.scale_by_replicas.value_or(options_.optimizer.kind == OptimizerKind::sgd);
  const double replicas = stage.plan.replicas();
  double factor = present / replicas;
  if (scale) factor *= replicas / plan_.stages.front().replicas();
  return factor;
}

const Tensors& Replay::input_gradients(int stage, std::int64_t microbatch) const {
  return input_gradients_.at(static_cast<std::size_t>(stage)).at(microbatch);
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

}  // namespace pipedream::testing
