// The algorithms: who computes what in which order, with which weights.
//
// Every function below writes the compute actions of one worker, as docs/algorithms.md states them.
#include <algorithm>
#include <numeric>

#include "schedule/action_writer.h"
#include "schedule/interleaving.h"
#include "schedule/load.h"
#include "schedule/share.h"
#include "schedule/version_table.h"

namespace pipedream {
namespace {

using detail::Share;
using Writer = detail::ActionWriter;

// All forwards; nothing else.
void forwards_only(Writer& out, const Share& share) {
  for (std::int64_t i = 0; i < share.count(); ++i) {
    out.forward(share.microbatch(i), 0);
  }
}

// Forward and backward of one microbatch after the other, without an update.
void forward_backward_pairs(Writer& out, const Share& share) {
  for (std::int64_t i = 0; i < share.count(); ++i) {
    out.forward(share.microbatch(i), 0);
    out.backward(share.microbatch(i), 0);
  }
}

// The worker's microbatches of update u: rounds first to end of its share.
struct Batch {
  std::int64_t first, end;
};
Batch batch_of(const Share& share, std::int64_t u, std::int64_t per_update) {
  return {share.first_from(u * per_update), std::min(share.first_from((u + 1) * per_update), share.count())};
}

// What flushes: of the own microbatches of an update `depth` forwards, then (forward, backward) pairs, then the
// remaining backwards; then the update. Depth 0, one after the other: model parallelism and bulk-synchronous data
// parallelism. As deep as the update: GPipe. In between: 1F1B.
void flush(Writer& out, const Share& share, std::int64_t depth, std::int64_t per_update) {
  for (std::int64_t u = 0; u * per_update < share.microbatches; ++u) {
    const Batch batch = batch_of(share, u, per_update);
    const std::int64_t lead = std::min(depth, batch.end - batch.first);
    for (std::int64_t i = batch.first; i < batch.end + lead; ++i) {
      if (i < batch.end) out.forward(share.microbatch(i), u);
      if (i - lead >= batch.first) out.backward(share.microbatch(i - lead), u);
    }
    out.update(u, per_update);
  }
}

// 1F1B and 1F1B-RR without a flush: `warmup` forwards, (forward, backward) pairs, drain. Update u follows the worker's
// last backward that it covers, or comes up to `delay` backwards later.
void one_forward_one_backward(Writer& out, const Share& share, std::int64_t warmup, const detail::VersionTables& tables,
                              std::int64_t delay) {
  const std::int64_t count = share.count();
  const std::int64_t per_update = tables.forward.per_update;
  std::int64_t updates = 0;
  // The last own backward that an update covers.
  const auto last_of = [&](std::int64_t u) {
    return share.first_from(std::min((u + 1) * per_update, share.microbatches)) - 1;
  };
  // After the worker's i-th forward and its backward: the delay is over, or the next forward needs the update. A short
  // last update must not begin its reduction before a longer one has ended.
  const auto is_due = [&](std::int64_t i) {
    if (updates * per_update >= share.microbatches) return false;
    std::int64_t due = last_of(updates) + delay;
    if (per_update > share.replicas) due = std::min(due, last_of(updates + 1) - 1);
    if (i + 1 < count && tables.forward.version(share.microbatch(i + 1)) > updates) due = last_of(updates);
    return i - warmup >= std::max(due, last_of(updates));
  };
  for (std::int64_t i = 0; i < count + warmup; ++i) {
    if (i < count) {
      out.forward(share.microbatch(i), tables.forward.version(share.microbatch(i)));
    }
    const std::int64_t j = i - warmup;
    if (j >= 0 && j < count) {
      out.backward(share.microbatch(j), tables.backward.version(share.microbatch(j)));
      while (is_due(i)) out.update(updates++, per_update);
    }
  }
  // Delayed updates, and the last round of replicas that have no microbatch in it.
  while (updates * per_update < share.microbatches) {
    out.update(updates++, per_update);
  }
}

// Backwards between the last that an update of 2BW covers and the update. Nobody uses its version before the next
// update is complete, so a reduction has as long as the depth leaves, and ends before the next one begins.
std::int64_t two_bw_delay(const StagePlan& stage, std::int64_t per_update) {
  if (stage.replicas() == 1) return 0;
  const std::int64_t rounds = per_update / stage.replicas();
  return std::min(rounds - stage.warmup, rounds - 1);
}

// The least that the depths allow, in whole rounds of every stage.
std::int64_t default_two_bw_update(const Plan& plan) {
  std::int64_t rounds = 1;
  std::int64_t in_flight = 1;
  for (const StagePlan& stage : plan.stages) {
    rounds = std::lcm(rounds, std::int64_t{stage.replicas()});
    in_flight = std::max(in_flight, std::int64_t{stage.replicas()} * stage.warmup);
  }
  return detail::ceil_div(in_flight, rounds) * rounds;
}

// An idle worker takes no part in an update.
int computing_workers(const Plan& plan) {
  if (traits_of(plan.algorithm).shares_workers) return plan.workers();
  int workers = 0;
  for (const StagePlan& stage : plan.stages) workers += stage.replicas();
  return workers;
}

}  // namespace

std::int64_t microbatches_per_update(const Plan& plan, int stage) {
  if (plan.microbatches_per_update > 0) return plan.microbatches_per_update;
  switch (plan.algorithm) {
    case Algorithm::model_parallel:
      return 1;
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
    case Algorithm::interleaved_1f1b:
      return std::int64_t{4} * computing_workers(plan);
    case Algorithm::two_bw:
      return default_two_bw_update(plan);
    case Algorithm::data_parallel:
    case Algorithm::pipedream:
    case Algorithm::vertical_sync:
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous:
      break;
  }
  return detail::stage_plan(plan, stage).replicas();
}

StageLoad detail::load_of(Algorithm algorithm, const LoadedStage& stage) {
  const std::int64_t depth = stage.warmup + 1;
  const std::int64_t batch = detail::ceil_div(stage.microbatches_per_update, stage.replicas);
  switch (algorithm) {
    case Algorithm::model_parallel:
    case Algorithm::data_parallel:
    case Algorithm::interleaved_1f1b:
      break;
    case Algorithm::gpipe:
      return {.versions = 1, .in_flight = batch};
    case Algorithm::flush_1f1b:
      return {.versions = 1, .in_flight = std::min(depth, batch)};
    case Algorithm::pipedream:
      return {.versions = depth, .in_flight = depth};
    case Algorithm::vertical_sync:
      return {.versions = stage.first_stage_versions, .in_flight = depth};
    case Algorithm::two_bw:
      return {.versions = 2, .in_flight = depth};
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous:
      return {.versions = 1, .in_flight = depth};
  }
  return {};
}

std::int64_t detail::first_stage_versions(int warmup, int reduce_delay, bool is_straight) {
  // Where stages differ in replicas their rounds do not end together.
  return warmup + (is_straight ? 1 : 2 + reduce_delay);
}

StageLoad stage_load(const Plan& plan, int stage) {
  const StagePlan& planned = detail::stage_plan(plan, stage);
  if (plan.algorithm == Algorithm::interleaved_1f1b) {
    return {.versions = 1, .in_flight = detail::Interleaving(plan, planned.workers.front()).most_in_flight(stage)};
  }
  detail::LoadedStage loaded{.replicas = planned.replicas(), .warmup = planned.warmup};
  if (traits_of(plan.algorithm).flushes) loaded.microbatches_per_update = microbatches_per_update(plan, stage);
  if (plan.algorithm == Algorithm::vertical_sync) {
    const StagePlan& first = plan.stages.front();
    const bool straight = computing_workers(plan) == static_cast<int>(plan.stages.size());
    loaded.first_stage_versions = detail::first_stage_versions(first.warmup, first.reduce_delay, straight);
  }
  return detail::load_of(plan.algorithm, loaded);
}

detail::VersionTables detail::version_tables(const Plan& plan, int stage) {
  const std::int64_t per_update = microbatches_per_update(plan, stage);
  const StagePlan& first = plan.stages.front();
  const StagePlan& own = stage_plan(plan, stage);
  const auto both = [&](std::int64_t step, std::int64_t lag) {
    return VersionTables{{step, per_update, lag}, {step, per_update, lag}};
  };
  switch (plan.algorithm) {
    case Algorithm::model_parallel:
    case Algorithm::data_parallel:
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
    case Algorithm::interleaved_1f1b:
      break;
    case Algorithm::pipedream:
      return both(per_update, own.warmup + own.reduce_delay);
    case Algorithm::vertical_sync:
      return both(first.replicas(), first.warmup + first.reduce_delay);
    case Algorithm::two_bw:
      return both(per_update, 1);
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous:
      return {{own.replicas(), per_update, own.warmup}, {per_update, per_update, 0}};
  }
  return both(per_update, 0);
}

double update_delay(const Plan& plan, int stage) {
  const detail::VersionTable table = detail::version_tables(plan, stage).forward;
  return static_cast<double>(table.lag * table.step) / static_cast<double>(table.per_update);
}

std::vector<Action> compute_actions(const Plan& plan, const Segment& segment, int worker) {
  if (plan.algorithm == Algorithm::interleaved_1f1b) return detail::interleaved_actions(plan, segment, worker);
  const std::vector<detail::Place> places = detail::places_of(plan, worker);
  if (places.empty()) return {};
  const detail::Place place = places.front();
  const StagePlan& stage = detail::stage_plan(plan, place.stage);
  const Share share = detail::share_of(plan, segment, place);
  const detail::VersionTables tables = detail::version_tables(plan, place.stage);
  const std::int64_t per_update = tables.forward.per_update;
  Writer out(place.stage, segment.microbatches);
  out.reserve(3 * share.count() + 1);
  if (segment.pass == Pass::forward_only) {
    forwards_only(out, share);
    return out.take();
  }
  if (segment.pass == Pass::probe) {
    forward_backward_pairs(out, share);
    return out.take();
  }
  switch (plan.algorithm) {
    case Algorithm::model_parallel:
    case Algorithm::data_parallel:
      flush(out, share, 0, per_update);
      break;
    case Algorithm::gpipe:
      flush(out, share, per_update, per_update);
      break;
    case Algorithm::flush_1f1b:
      flush(out, share, stage.warmup, per_update);
      break;
    case Algorithm::interleaved_1f1b:
      break;  // interleaved_actions
    case Algorithm::pipedream:
    case Algorithm::vertical_sync:
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous:
      one_forward_one_backward(out, share, stage.warmup, tables, stage.reduce_delay);
      break;
    case Algorithm::two_bw:
      one_forward_one_backward(out, share, stage.warmup, tables, two_bw_delay(stage, per_update));
      break;
  }
  return out.take();
}

}  // namespace pipedream
