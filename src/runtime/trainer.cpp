#include "pipedream/trainer.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipedream/error.h"
#include "pipedream/validate.h"
#include "pipedream/version.h"
#include "runtime/trainer_impl.h"
#include "transport/agreement.h"

namespace pipedream {
namespace {

constexpr int kStageReduceId = 0;
constexpr int kAllWorkersReduceId = 1;
constexpr int kClippingReduceId = 2;

std::string text_of(const OptimizerSpec& spec) {
  const OptimizerSettings& s = spec.settings;
  std::string text =
      fmt::format("{} learning rate {} momentum {} nesterov {} weight decay {} betas {} {} epsilon {} by replicas {}",
                  to_string(spec.kind), s.learning_rate, s.momentum, s.nesterov, s.weight_decay, s.beta1, s.beta2,
                  s.epsilon, spec.scale_by_replicas ? (*spec.scale_by_replicas ? "yes" : "no") : "default");
  const LearningRateSchedule& r = spec.schedule;
  text += fmt::format(" schedule {} warm-up {} total {} end {} every {} times {}", static_cast<int>(r.shape),
                      r.warmup_microbatches, r.total_microbatches, r.end_factor, r.step_microbatches, r.step_factor);
  text += fmt::format(" clipped to {} by {}", spec.clipping.max_norm, static_cast<int>(spec.clipping.scope));
  for (const ParameterGroup& g : spec.groups) {
    text += fmt::format("; {}: {} {} {}", g.pattern, g.learning_rate.value_or(-1), g.weight_decay.value_or(-1),
                        g.momentum.value_or(-1));
  }
  return text;
}

std::string text_of(const std::optional<std::vector<DelayCorrectionSpec>>& corrections) {
  if (!corrections) return "default";
  std::string text;
  for (const DelayCorrectionSpec& spec : *corrections) text += (text.empty() ? "" : ", ") + spec.name;
  return text.empty() ? "none" : text;
}

void check_optimizer(const OptimizerSpec& spec) {
  validate(spec.schedule);
  const double norm = spec.clipping.max_norm;
  if (!std::isfinite(norm) || norm < 0) {
    throw ConfigError(
        fmt::format("gradients are to be clipped to a norm of {}; it must be positive, or 0 for none", norm));
  }
}

void check_plan(const LayerGraph& graph, const Plan& plan, const Communicator& comm) {
  graph.check();
  validate(plan);
  if (plan.workers() != comm.size()) {
    throw ConfigError(fmt::format("the plan is for {} worker(s); {} are running", plan.workers(), comm.size()));
  }
  if (!plan.idle_workers.empty()) {
    throw ConfigError(
        fmt::format("worker {} of the plan has no stage: a plan that is trained under uses all its workers",
                    plan.idle_workers.front()));
  }
  const auto edges = graph.layer_edges();
  validate_against_layers(plan, edges);
  if (!plan.graph_hash.empty() && plan.graph_hash != graph.hash()) {
    throw ConfigError(
        fmt::format("the plan was made for a model with hash {}; this model has {}", plan.graph_hash, graph.hash()));
  }
}

}  // namespace

Trainer::Impl::Impl(const LayerGraph& graph, Plan plan, Communicator& comm, TrainerOptions options)
    : graph_(graph),
      plan_(std::move(plan)),
      comm_(comm),
      options_(std::move(options)),
      clipper_(options_.optimizer.clipping) {
  together([&] {
    comm_.set_deadline(options_.deadline);
    detail::agree(comm_, [&]() -> detail::Facts {
      check_plan(graph_, plan_, comm_);
      check_optimizer(options_.optimizer);
      options_.device = detail::resolve_device(options_.device, comm_);
      return {{"library version", std::string(version())},
              {"model", graph_.hash()},
              {"plan", detail::digest(to_json(plan_))},
              {"optimizer", text_of(options_.optimizer)},
              {"delay corrections", text_of(options_.corrections)},
              {"seed", std::to_string(options_.seed)},
              {"threads per worker", std::to_string(options_.threads_per_worker)},
              {"device type", c10::DeviceTypeName(options_.device.type(), /*lower_case=*/true)}};
    });
    stream_ = detail::make_stream(options_.device);
    const detail::StreamScope scope(stream_);
    if (options_.measure_memory) memory_.start(options_.device);
    const auto measured = memory_.open();
    detail::agree(comm_, [&]() -> detail::Facts {
      build();
      return {};
    });
    open();
  });
}

void Trainer::Impl::build() {
  at::set_num_threads(options_.threads_per_worker);
  stages_ = plan_.stages_of_worker(comm_.rank());
  links_ = detail::links_of(graph_, plan_);
  for (const int stage : stages_) {
    hosted_.push_back(
        std::make_unique<detail::StageWorker>(graph_, plan_, stage, comm_, options_, kStageReduceId, clipper_));
  }
}

void Trainer::Impl::open() {
  std::vector<detail::LinkTensors> tensors;
  for (const StageLink& link : links_) {
    const auto wiring = detail::wire_stage(graph_, plan_, link.from);
    const auto outgoing = std::find_if(wiring.outgoing.begin(), wiring.outgoing.end(),
                                       [&](const auto& candidate) { return candidate.to == link.to; });
    tensors.push_back({static_cast<int>(outgoing->tensors.size()), detail::gradient_count(*outgoing)});
  }
  channels_ = std::make_unique<detail::Channels>(plan_, links_, tensors, options_.device, comm_);
  std::vector<detail::StageWorker*> workers;
  std::vector<detail::Stage*> stages;
  for (const auto& worker : hosted_) {
    workers.push_back(worker.get());
    stages.push_back(&worker->stage());
  }
  exchange_ = std::make_unique<detail::WeightExchange>(plan_, comm_, workers, detail::first_free_channel_id(links_));
  executor_ = std::make_unique<detail::Executor>(comm_, stages, *channels_);
  std::vector<detail::ClippedStage> clipped;
  for (const auto& worker : hosted_) clipped.push_back(worker->clipped_stage());
  clipper_.open(graph_, std::move(clipped), comm_, kClippingReduceId);
  comm_.connect();
  if (comm_.size() == 1) return;
  std::vector<int> all(static_cast<std::size_t>(comm_.size()));
  for (int w = 0; w < comm_.size(); ++w) all[static_cast<std::size_t>(w)] = w;
  all_workers_ = comm_.open_reduce(std::move(all), kAllWorkersReduceId);
}

template <class Work>
auto Trainer::Impl::together(Work work) -> decltype(work()) {
  try {
    const detail::StreamScope scope(stream_);
    return work();
  } catch (const ConfigError&) {
    throw;  // agreed upon: every worker throws it
  } catch (const std::exception& error) {
    comm_.abort(error.what());
    throw;
  }
}

Trainer::Trainer(const LayerGraph& graph, Plan plan, Communicator& comm, TrainerOptions options)
    : impl_(std::make_unique<Impl>(graph, std::move(plan), comm, std::move(options))) {}

Trainer::~Trainer() = default;

TrainResult Trainer::train(const Dataset& data, const TrainOptions& options) {
  return impl_->together([&] { return impl_->train(data, options); });
}

EvaluationResult Trainer::evaluate(const Dataset& data, std::int64_t microbatch_size) {
  return impl_->together([&] { return impl_->evaluate(data, microbatch_size); });
}

void Trainer::save_weights(const std::filesystem::path& path) {
  impl_->together([&] { impl_->save_weights(path); });
}

void Trainer::load_weights(const std::filesystem::path& path, bool strict) {
  impl_->together([&] { impl_->load_weights(path, strict); });
}

std::map<std::string, torch::Tensor> Trainer::weights() {
  return impl_->together([&] { return impl_->weights(); });
}

Timeline Trainer::timeline() {
  return impl_->together([&] { return impl_->timeline(); });
}

detail::StageWorker& Trainer::Impl::worker_of_stage(int stage) {
  const auto found = std::find(stages_.begin(), stages_.end(), stage);
  if (found == stages_.end()) throw ConfigError(fmt::format("worker {} has no stage {}", comm_.rank(), stage));
  return *hosted_[static_cast<std::size_t>(found - stages_.begin())];
}

RuntimeCounters Trainer::Impl::counters() const {
  RuntimeCounters sum;
  for (const auto& worker : hosted_) {
    const RuntimeCounters counters = worker->counters();
    sum.peak_versions += counters.peak_versions;
    sum.version_buffers += counters.version_buffers;
    sum.version_copies += counters.version_copies;
    sum.updates += counters.updates;
    sum.peak_in_flight += counters.peak_in_flight;
  }
  sum.peak_bytes = memory_.peak_bytes();
  return sum;
}

RuntimeCounters Trainer::counters() const { return impl_->counters(); }

std::vector<RuntimeCounters> Trainer::counters_of_workers() {
  return impl_->together([&] { return impl_->counters_of_workers(); });
}

const Plan& Trainer::plan() const { return impl_->plan(); }
const std::vector<int>& Trainer::stages() const { return impl_->stages(); }

void Trainer::record_input_gradients(bool on) {
  for (const auto& worker : impl_->hosted()) worker->recording_input_gradients = on;
}

const std::map<std::int64_t, Tensors>& Trainer::input_gradients(int stage) const {
  return impl_->worker_of_stage(stage).input_gradients;
}

void Trainer::record_gradients(bool on) {
  for (const auto& worker : impl_->hosted()) worker->recording_gradients = on;
}

const std::map<std::int64_t, std::map<std::string, torch::Tensor>>& Trainer::gradients(int stage) const {
  return impl_->worker_of_stage(stage).recorded_gradients;
}

double EvaluationResult::metric(const std::string& name) const {
  const auto found = metrics.find(name);
  if (found != metrics.end()) return found->second;
  std::string known;
  for (const auto& [other, value] : metrics) known += (known.empty() ? "" : ", ") + other;
  throw ConfigError(fmt::format("no metric '{}'; the graph has: {}", name, known.empty() ? "none" : known));
}

}  // namespace pipedream
