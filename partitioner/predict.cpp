#include "partitioner/predict.h"

#include <fmt/format.h>

#include <algorithm>

#include "partitioner/memory_model.h"
#include "partitioner/placed_links.h"
#include "partitioner/placement.h"
#include "partitioner/planned_model.h"
#include "partitioner/straight.h"
#include "pipedream/partition.h"
#include "schedule/share.h"

namespace pipedream {
namespace {

using detail::CutBytes;
using detail::PlannedModel;

// Bytes of each stage's sends.
void predict_sends(Plan& plan, const std::vector<LinkCosts>& links) {
  for (const LinkCosts& link : links) {
    plan.stages[static_cast<std::size_t>(link.from)].prediction.send_forward_bytes += link.forward_bytes;
    plan.stages[static_cast<std::size_t>(link.to)].prediction.send_backward_bytes += link.backward_bytes;
  }
}

// Bytes that cross the cut after each stage.
std::vector<CutBytes> cuts_between_stages(std::size_t stages, const Profile& profile, const PlannedModel& model) {
  const auto stage_of = [&](int layer) {
    return static_cast<std::size_t>(model.stage_of_layer[static_cast<std::size_t>(layer)]);
  };
  std::vector<CutBytes> cuts(stages);
  for (std::size_t t = 0; t < model.ends.size(); ++t) {
    std::size_t last = 0;
    for (const int consumer : model.ends[t].consumers) last = std::max(last, stage_of(consumer));
    for (std::size_t cut = stage_of(model.ends[t].producer); cut < last; ++cut) {
      cuts[cut].forward += profile.tensors[t].bytes;
      cuts[cut].backward += profile.tensors[t].requires_gradient ? profile.tensors[t].bytes : 0;
    }
  }
  return cuts;
}

void predict_stages(Plan& plan, const Profile& profile, const PlannedModel& model, const detail::PlacedLinks& links,
                    StateFactors state_factors) {
  const std::vector<StageCosts> costs = detail::stage_costs(plan, profile, model, state_factors);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    StagePlan& stage = plan.stages[s];
    stage.prediction.forward_us = costs[s].forward_us;
    stage.prediction.backward_us = costs[s].backward_us;
    stage.prediction.parameter_bytes = costs[s].version_bytes;
    stage.prediction.memory_bytes = detail::memory_bytes(costs[s], stage_load(plan, static_cast<int>(s)));
    stage.prediction.allreduce_us = links.allreduce_us(s, costs[s].version_bytes);
  }
}

void raise(PlanPrediction& prediction, double us, const std::string& what) {
  if (us <= prediction.microbatch_us && !prediction.bound_by.empty()) return;
  prediction.microbatch_us = us;
  prediction.bound_by = what;
}

std::string stages_text(const detail::PlacedLinks::Reduction& reduction) {
  return reduction.first == reduction.last ? fmt::format("stage {}", reduction.first)
                                           : fmt::format("stages {} to {}", reduction.first, reduction.last);
}

// All stages, links and reductions at work at once: the slowest decides.
void predict_pipeline(Plan& plan, const detail::PlacedLinks& links, const std::vector<CutBytes>& cuts) {
  std::vector<std::int64_t> parameter_bytes;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePrediction& expected = plan.stages[s].prediction;
    parameter_bytes.push_back(expected.parameter_bytes);
    raise(plan.prediction, links.compute_share_us(s, expected.forward_us + expected.backward_us),
          fmt::format("compute of stage {}", s));
    if (s + 1 < plan.stages.size()) {
      raise(plan.prediction, links.transfer_share_us(s, cuts[s]),
            fmt::format("link from stage {} to stage {}", s, s + 1));
    }
  }
  for (const auto& reduction : links.reductions(parameter_bytes)) {
    raise(plan.prediction, reduction.share_us, "all-reduce of " + stages_text(reduction));
  }
}

// One microbatch at a time: everything adds up.
void predict_sequence(Plan& plan, const detail::PlacedLinks& links, const std::vector<CutBytes>& cuts) {
  double compute_us = 0;
  double links_us = 0;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    compute_us += plan.stages[s].prediction.forward_us + plan.stages[s].prediction.backward_us;
    links_us += links.transfer_us(s, cuts[s]);
  }
  plan.prediction.microbatch_us = compute_us + links_us;
  plan.prediction.bound_by =
      links_us > compute_us ? "links, one microbatch at a time" : "compute, one microbatch at a time";
}

// The microbatches of an update pass through all stages, and the slowest decides how soon after each other; then the
// gradients are reduced. Straight with S equal stages: (M + S - 1) / M of a stage's time for each microbatch.
void predict_flush(Plan& plan, const detail::PlacedLinks& links, const std::vector<CutBytes>& cuts) {
  const std::int64_t update = microbatches_per_update(plan, 0);
  double through_us = 0;
  double reduce_us = 0;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    const double compute_us = stage.prediction.forward_us + stage.prediction.backward_us;
    const std::int64_t share = detail::ceil_div(update, stage.replicas());
    raise(plan.prediction, static_cast<double>(share - 1) * compute_us, fmt::format("compute of stage {}", s));
    through_us += compute_us;
    if (s + 1 < plan.stages.size()) through_us += links.transfer_us(s, cuts[s]);
    reduce_us = std::max(reduce_us, stage.prediction.allreduce_us);
  }
  plan.prediction.microbatch_us =
      (plan.prediction.microbatch_us + through_us + reduce_us) / static_cast<double>(update);
}

// The slowest worker passes all microbatches of an update through its stages; before and after that the last worker
// waits for the first stage of each other. With p workers of v equal stages each: (v M + p - 1) / M of a stage's time
// for each microbatch.
void predict_interleaved(Plan& plan, const detail::PlacedLinks& links, const std::vector<CutBytes>& cuts) {
  const auto update = static_cast<double>(microbatches_per_update(plan, 0));
  const auto compute_us = [&](std::size_t s) {
    return plan.stages[s].prediction.forward_us + plan.stages[s].prediction.backward_us;
  };
  double others_us = 0;
  for (int worker = 0; worker < plan.workers(); ++worker) {
    double worker_us = 0;
    for (const int stage : plan.stages_of_worker(worker)) worker_us += compute_us(static_cast<std::size_t>(stage));
    raise(plan.prediction, worker_us, fmt::format("compute of worker {}", worker));
  }
  for (std::size_t s = 0; s + 1 < static_cast<std::size_t>(plan.workers()); ++s) {
    others_us += compute_us(s) + links.transfer_us(s, cuts[s]);
  }
  plan.prediction.microbatch_us += others_us / update;
}

// An update of M microbatches: each replica computes its share of them while gradients are reduced.
void predict_data_parallel(Plan& plan) {
  const StagePlan& stage = plan.stages.front();
  const std::int64_t replicas = stage.replicas();
  const std::int64_t update = microbatches_per_update(plan, 0);
  const std::int64_t share = detail::ceil_div(update, replicas);
  const double compute_us = static_cast<double>(share) * (stage.prediction.forward_us + stage.prediction.backward_us);
  const double reduce_us = stage.prediction.allreduce_us;
  plan.prediction.microbatch_us = std::max(compute_us, reduce_us) / static_cast<double>(update);
  plan.prediction.bound_by = reduce_us > compute_us ? "all-reduce of stage 0" : "compute of stage 0";
}

// The first so many workers of a topology, as whole components where they fill them.
Topology first_workers(const Topology& topology, int workers) {
  Topology part;
  int left = workers;
  for (const TopologyLevel& level : topology.levels) {
    part.levels.push_back(level);
    part.levels.back().count = std::min(left, level.count);
    left = detail::ceil_div(left, level.count);
  }
  return detail::levels_with_choice(part);
}

// What the same workers would do otherwise, whether or not it fits into their memory.
void predict_alternatives(Plan& plan, const Profile& profile, const Topology& topology,
                          const detail::PlanningStates& states) {
  std::vector<std::string> layers;
  for (const LayerProfile& layer : profile.layers) layers.push_back(layer.name);
  const double compute_us = states.compute_us(states.last());
  plan.prediction.single_worker_us = compute_us;
  Plan replicated = single_stage_plan(layers, plan.workers(), Algorithm::pipedream);
  const detail::PlacedLinks links(replicated, topology);
  plan.prediction.data_parallel_us = links.compute_share_us(0, compute_us);
  for (const auto& reduction : links.reductions({states.parameter_bytes(0, states.last())})) {
    plan.prediction.data_parallel_us = std::max(plan.prediction.data_parallel_us, reduction.share_us);
  }
  plan.prediction.best_straight_us = detail::least_straight_us(states, first_workers(topology, plan.workers()));
}

}  // namespace

void detail::predict(Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors,
                     const PlanningStates& states) {
  const PlannedModel model = planned_model(plan, profile, topology);
  const PlacedLinks links(plan, topology);
  clear_predictions(plan);
  predict_sends(plan, link_traffic(profile, model));
  predict_stages(plan, profile, model, links, state_factors);
  const std::vector<CutBytes> cuts = cuts_between_stages(plan.stages.size(), profile, model);
  switch (plan.algorithm) {
    case Algorithm::pipedream:
    case Algorithm::vertical_sync:
    case Algorithm::two_bw:
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous:
      predict_pipeline(plan, links, cuts);
      break;
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
      predict_flush(plan, links, cuts);
      break;
    case Algorithm::interleaved_1f1b:
      predict_interleaved(plan, links, cuts);
      break;
    case Algorithm::model_parallel:
      predict_sequence(plan, links, cuts);
      break;
    case Algorithm::data_parallel:
      predict_data_parallel(plan);
      break;
  }
  predict_alternatives(plan, profile, topology, states);
}

void predict(Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors) {
  validate(profile);
  detail::predict(plan, profile, topology, state_factors, detail::all_states(profile));
}

}  // namespace pipedream
