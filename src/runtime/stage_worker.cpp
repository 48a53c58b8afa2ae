#include "runtime/stage_worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "pipedream/error.h"
#include "pipedream/schedule.h"

namespace pipedream::detail {
namespace {

Tensors values_of(const std::vector<NamedParameter>& parameters) {
  Tensors tensors;
  for (const auto& parameter : parameters) tensors.push_back(parameter.tensor);
  return tensors;
}

std::vector<std::string> names_of(const std::vector<NamedParameter>& parameters) {
  std::vector<std::string> names;
  for (const auto& parameter : parameters) names.push_back(parameter.name);
  return names;
}

std::unique_ptr<ReduceGroup> open_group(const StagePlan& stage, Communicator& comm, int id, torch::Device device) {
  if (stage.replicas() == 1) return nullptr;
  std::vector<int> members = stage.workers;
  return comm.open_reduce(std::move(members), id, device);
}

}  // namespace

StageWorker::StageWorker(const LayerGraph& graph, const Plan& plan, int stage, Communicator& comm,
                         const TrainerOptions& options, int reduce_id, GradientClipper& clipper)
    : stage_(graph, plan, stage, options.seed, options.device),
      versions_(values_of(stage_.parameters())),
      optimizer_(options.optimizer, versions_.masters(), names_of(stage_.parameters())),
      accumulator_(versions_.masters(),
                   [&] {
                     auto group =
                         open_group(plan.stages[static_cast<std::size_t>(stage)], comm, reduce_id, options.device);
                     group_ = group.get();
                     return group;
                   }()),
      is_first_replica_(plan.stages[static_cast<std::size_t>(stage)].workers.front() == comm.rank()),
      scales_by_replicas_(scales_by_replicas(options.optimizer)),
      schedule_(options.optimizer.schedule),
      clipper_(clipper),
      specs_(options.corrections) {
  replicas_ = plan.stages[static_cast<std::size_t>(stage)].replicas();
  stage_.set_training(true);
}

ClippedStage StageWorker::clipped_stage() {
  return {names_of(stage_.parameters()), [this]() -> const Tensors& { return due_gradients(); }, is_first_replica_};
}

const Tensors& StageWorker::due_gradients() {
  if (!due_gradients_) due_gradients_ = accumulator_.take();
  return *due_gradients_;
}

StageCorrections StageWorker::make_corrections(const Plan& plan, std::int64_t call_microbatches) const {
  const int stage = stage_.wiring().stage;
  return {corrections_of(specs_, plan.algorithm), {stage, update_delay(plan, stage), call_microbatches}};
}

void StageWorker::check_corrections(const Plan& plan) const {
  if (!specs_ || specs_->empty()) return;
  std::vector<std::string> names;
  for (const DelayCorrectionSpec& spec : *specs_) names.push_back(spec.name);
  const std::string list = fmt::format("{}", fmt::join(names, ", "));
  if (plan.algorithm == Algorithm::naive_asynchronous) {
    throw ConfigError(
        fmt::format("delay corrections ({}) under naive-asynchronous, which has none; pipemare has them", list));
  }
  if (!traits_of(plan.algorithm).overwrites && make_corrections(plan, 1).change_weights()) {
    throw ConfigError(fmt::format(
        "delay corrections ({}) that change weights under {}, which keeps the weights of every microbatch; pipemare "
        "runs on one copy of them",
        list, to_string(plan.algorithm)));
  }
}

void StageWorker::start_segment(SegmentStart start) {
  const Plan& plan = start.plan;
  const int stage = stage_.wiring().stage;
  const bool asynchronous = !traits_of(plan.algorithm).flushes;
  per_update_ = microbatches_per_update(plan, stage);
  replica_scale_ = asynchronous && scales_by_replicas_
                       ? static_cast<double>(per_update_) / static_cast<double>(microbatches_per_update(plan, 0))
                       : 1;
  scales_ragged_rounds_ = asynchronous;
  one_gradient_an_update_ = per_update_ <= replicas_;
  recomputes_ = plan.stages[static_cast<std::size_t>(stage)].recompute;
  overwrites_ = traits_of(plan.algorithm).overwrites;
  telemetry_ = start.staleness;
  first_microbatch_ = start.first_microbatch;
  base_version_ = versions_.newest();
  accumulator_.set_nominal_weight(start.nominal_weight);
  scores_ = ScoreReader(std::move(start.on_scores));
  if (corrected_ == plan.algorithm) return;
  corrected_ = plan.algorithm;
  first_corrected_ = first_microbatch_;
  corrections_.emplace(make_corrections(plan, start.call_microbatches));
}

void StageWorker::show_weights(const Action& action) {
  if (!corrections_->change_weights()) {
    versions_.bind(base_version_ + action.version);
  } else if (action.kind == ActionKind::forward) {
    corrections_->show_forward(versions_);
  } else {
    corrections_->show_backward(versions_);
  }
}

std::vector<Message> StageWorker::forward(const Action& action, const Tensors& data, std::vector<Message> incoming) {
  show_weights(action);
  const std::int64_t microbatch = first_microbatch_ + action.microbatch;
  StageInputs inputs{data, tensors_of(std::move(incoming))};
  InFlight& in_flight = in_flight_[action.microbatch];
  in_flight.version = base_version_ + action.version;
  if (recomputes_) in_flight.inputs = inputs.clone();
  ForwardResult result = stage_.forward(microbatch, inputs.data, inputs.incoming);
  if (stage_.wiring().has_loss) {
    Scores scores;
    scores.microbatch = action.microbatch;
    scores.weight = result.activations.weight;
    scores_.add(std::move(scores), {result.activations.loss});
  }
  if (recomputes_) {
    in_flight.activations.weight = result.activations.weight;
  } else {
    in_flight.activations = std::move(result.activations);
  }
  counters_.peak_in_flight = std::max(counters_.peak_in_flight, static_cast<std::int64_t>(in_flight_.size()));
  if (action.frees_version) versions_.free(base_version_ + action.version);
  return messages_of(std::move(result.outgoing), 0);
}

void StageWorker::note_staleness(const Action& backward, std::int64_t forward_version) {
  StalenessRecord record{first_microbatch_ + backward.microbatch, stage_.wiring().stage, forward_version,
                         versions_.newest(), std::numeric_limits<double>::quiet_NaN()};
  if (record.version == record.newest) {
    record.distance = 0;
  } else if (telemetry_ == StalenessTelemetry::distances && !overwrites_) {
    record.distance = versions_.distance_to_newest(forward_version);
  }
  staleness.push_back(record);
}

// The same forward again: at the same weights, with the same draws; running statistics have seen it already.
void StageWorker::recompute(std::int64_t microbatch, InFlight& in_flight) {
  const BufferLoan buffers(stage_, {});
  const StageInputs inputs = std::move(in_flight.inputs);
  in_flight.activations = stage_.forward(microbatch, inputs.data, inputs.incoming).activations;
}

std::vector<Message> StageWorker::backward(const Action& action, std::vector<Message> gradients) {
  show_weights(action);
  const auto found = in_flight_.find(action.microbatch);
  if (telemetry_ != StalenessTelemetry::off) note_staleness(action, found->second.version);
  if (recomputes_) recompute(first_microbatch_ + action.microbatch, found->second);
  double weight = found->second.activations.weight;  // n_k comes from the loss, and with the gradients to other stages
  if (!stage_.wiring().has_loss) {
    for (const Message& message : gradients) weight = std::max(weight, message.weight);
  }
  BackwardResult result = stage_.backward(found->second.activations, tensors_of(std::move(gradients)));
  in_flight_.erase(found);
  record(action.microbatch, result);
  accumulator_.add(std::move(result.parameters), weight, one_gradient_an_update_);
  if (action.frees_version) versions_.free(base_version_ + action.version);
  return messages_of(std::move(result.incoming), weight);
}

void StageWorker::record(std::int64_t microbatch, const BackwardResult& result) {
  const auto copy = [](const torch::Tensor& gradient) { return gradient.defined() ? gradient.clone() : gradient; };
  const std::int64_t k = first_microbatch_ + microbatch;
  if (recording_input_gradients) {
    Tensors& recorded = input_gradients[k];
    for (const Tensors& link : result.incoming) {
      for (const auto& gradient : link) recorded.push_back(copy(gradient));
    }
  }
  if (!recording_gradients) return;
  for (std::size_t p = 0; p < result.parameters.size(); ++p) {
    recorded_gradients[k][stage_.parameters()[p].name] = copy(result.parameters[p]);
  }
}

void StageWorker::reduce_post(const Action& action) {
  std::vector<bool> present(static_cast<std::size_t>(replicas_), false);
  for (std::int64_t k = action.microbatch; k < action.microbatch + action.covers; ++k) {
    present[static_cast<std::size_t>(k % replicas_)] = true;
  }
  accumulator_.reduce_post(std::move(present));
}

void StageWorker::reduce_wait(const Action&) { accumulator_.reduce_wait(); }

double StageWorker::learning_rate_factor(const Action& action) const {
  const double present =
      scales_ragged_rounds_ ? static_cast<double>(action.covers) / static_cast<double>(per_update_) : 1;
  return replica_scale_ * present * schedule_.factor(first_microbatch_ + action.microbatch);
}

void StageWorker::update(const Action& action) {
  const Tensors gradients = due_gradients();
  clipper_.clip(gradients);
  due_gradients_.reset();
  const KeepOld keep = action.copies_version ? optimizer_.keep_old() : KeepOld::no;
  const std::int64_t position = first_microbatch_ + action.microbatch - first_corrected_;
  corrections_->update(versions_, gradients, position, [&](double correction) {
    const double factor = learning_rate_factor(action) * correction;
    versions_.update(
        keep, [&](const Tensors& old) { optimizer_.step(gradients, factor, keep == KeepOld::read ? &old : nullptr); });
  });
  accumulator_.release();
  ++counters_.updates;
}

RuntimeCounters StageWorker::counters() const {
  RuntimeCounters counters = counters_;
  counters.peak_versions = versions_.peak_versions();
  counters.version_buffers = versions_.buffers();
  counters.version_copies = versions_.copies();
  return counters;
}

}  // namespace pipedream::detail
