#include <fmt/format.h>

#include <algorithm>

#include "partitioner/cost_model.h"
#include "partitioner/memory_model.h"
#include "partitioner/planned_model.h"
#include "partitioner/search.h"
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

void predict_stages(Plan& plan, const Profile& profile, const PlannedModel& model, const detail::LevelLinks& links,
                    double optimizer_state_factor) {
  const std::vector<StageCosts> costs = detail::stage_costs(plan, profile, model, optimizer_state_factor);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    StagePlan& stage = plan.stages[s];
    stage.prediction.forward_us = costs[s].forward_us;
    stage.prediction.backward_us = costs[s].backward_us;
    stage.prediction.parameter_bytes = costs[s].version_bytes;
    stage.prediction.memory_bytes = detail::memory_bytes(costs[s], stage_load(plan, static_cast<int>(s)));
    stage.prediction.allreduce_us = links.allreduce_us(costs[s].version_bytes, stage.replicas());
  }
}

void raise(PlanPrediction& prediction, double us, const std::string& what) {
  if (us <= prediction.microbatch_us && !prediction.bound_by.empty()) return;
  prediction.microbatch_us = us;
  prediction.bound_by = what;
}

// All stages and links at work at once: the slowest decides.
void predict_pipeline(Plan& plan, const detail::LevelLinks& links, const std::vector<CutBytes>& cuts) {
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    const double compute_us = stage.prediction.forward_us + stage.prediction.backward_us;
    const double reduce_us = stage.prediction.allreduce_us;
    raise(plan.prediction, std::max(compute_us, reduce_us) / stage.replicas(),
          fmt::format("{} of stage {}", reduce_us > compute_us ? "all-reduce" : "compute", s));
    if (s + 1 < plan.stages.size()) {
      raise(plan.prediction, links.transfer_us(cuts[s].forward, cuts[s].backward),
            fmt::format("link from stage {} to stage {}", s, s + 1));
    }
  }
}

// One microbatch at a time: everything adds up.
void predict_sequence(Plan& plan, const detail::LevelLinks& links, const std::vector<CutBytes>& cuts) {
  double compute_us = 0;
  double links_us = 0;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    compute_us += plan.stages[s].prediction.forward_us + plan.stages[s].prediction.backward_us;
    links_us += links.transfer_us(cuts[s].forward, cuts[s].backward);
  }
  plan.prediction.microbatch_us = compute_us + links_us;
  plan.prediction.bound_by =
      links_us > compute_us ? "links, one microbatch at a time" : "compute, one microbatch at a time";
}

// The microbatches of an update pass through all stages, and the slowest decides how soon after each other; then the
// gradients are reduced. Straight with S equal stages: (M + S - 1) / M of a stage's time for each microbatch.
void predict_flush(Plan& plan, const detail::LevelLinks& links, const std::vector<CutBytes>& cuts) {
  const std::int64_t update = microbatches_per_update(plan, 0);
  double through_us = 0;
  double reduce_us = 0;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    const double compute_us = stage.prediction.forward_us + stage.prediction.backward_us;
    const std::int64_t share = detail::ceil_div(update, stage.replicas());
    raise(plan.prediction, static_cast<double>(share - 1) * compute_us, fmt::format("compute of stage {}", s));
    through_us += compute_us;
    if (s + 1 < plan.stages.size()) through_us += links.transfer_us(cuts[s].forward, cuts[s].backward);
    reduce_us = std::max(reduce_us, stage.prediction.allreduce_us);
  }
  plan.prediction.microbatch_us =
      (plan.prediction.microbatch_us + through_us + reduce_us) / static_cast<double>(update);
}

// The slowest worker passes all microbatches of an update through its stages; before and after that the last worker
// waits for the first stage of each other. With p workers of v equal stages each: (v M + p - 1) / M of a stage's time
// for each microbatch.
void predict_interleaved(Plan& plan, const detail::LevelLinks& links, const std::vector<CutBytes>& cuts) {
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
    others_us += compute_us(s) + links.transfer_us(cuts[s].forward, cuts[s].backward);
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

// What the same workers would do otherwise, whether or not it fits into their memory.
void predict_alternatives(Plan& plan, const Profile& profile, const Topology& topology) {
  const detail::PaperCosts costs(profile, topology);
  plan.prediction.single_worker_us = costs.stage_us(0, costs.layers(), 1);
  plan.prediction.data_parallel_us = costs.stage_us(0, costs.layers(), plan.workers());
  detail::SearchOptions straight;
  straight.workers = plan.workers();
  straight.straight = true;
  plan.prediction.best_straight_us = bottleneck_us(costs, *fastest_pipeline(costs, nullptr, straight));
}

}  // namespace

void predict(Plan& plan, const Profile& profile, const Topology& topology, double optimizer_state_factor) {
  const detail::LevelLinks links(topology);
  const PlannedModel model = detail::planned_model(plan, profile, topology);
  plan.prediction = {};
  for (StagePlan& stage : plan.stages) stage.prediction = {};
  predict_sends(plan, detail::link_traffic(profile, model));
  predict_stages(plan, profile, model, links, optimizer_state_factor);
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
  predict_alternatives(plan, profile, topology);
}

}  // namespace pipedream
