// Programs of any length from two short ones.
//
// An algorithm in its steady state does the same again every so many microbatches. So the program of a long segment is
// that of a short one with the actions of one period put in as often as needed, at a seam in its steady state. The seam
// is found by comparing the programs of two short segments that differ by one period, knowing nothing of the algorithm.
#include <algorithm>
#include <numeric>
#include <optional>

#include "schedule/lowering.h"
#include "schedule/share.h"
#include "schedule/version_table.h"

namespace pipedream {
namespace {

// Microbatches after which a worker repeats itself in a stage: whole rounds of the stage and of those it exchanges
// messages with, and whole updates.
std::int64_t period_microbatches(const Plan& plan, std::span<const StageLink> links, int stage) {
  std::int64_t period =
      std::lcm(microbatches_per_update(plan, stage), std::int64_t{detail::stage_plan(plan, stage).replicas()});
  period = std::lcm(period, detail::version_tables(plan, stage).forward.step);
  for (const StageLink& link : links) {
    if (link.from == stage || link.to == stage) {
      period = std::lcm(period, std::int64_t{detail::stage_plan(plan, link.from).replicas()});
      period = std::lcm(period, std::int64_t{detail::stage_plan(plan, link.to).replicas()});
    }
  }
  return period;
}

// About what warm-up and drain of the plan take, in microbatches; the same for all workers, so that their periods begin
// at about the same microbatch and a replay settles soon.
std::int64_t horizon_microbatches(const Plan& plan, std::span<const StageLink> links) {
  std::int64_t horizon = 0;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    const detail::VersionTable table = detail::version_tables(plan, static_cast<int>(s)).forward;
    horizon = std::max({horizon, (2 * stage.warmup + stage.reduce_delay + std::int64_t{2}) * stage.replicas(),
                        (table.lag + 2) * table.step});
  }
  for (const StageLink& link : links) {
    const std::int64_t cycle = std::lcm(std::int64_t{detail::stage_plan(plan, link.from).replicas()},
                                        std::int64_t{detail::stage_plan(plan, link.to).replicas()});
    horizon = std::max(horizon, 2 * cycle * channel_slots(plan, link.from, link.to));
  }
  return horizon;
}

// By stage: updates of the worker in a period.
std::vector<std::int64_t> version_shifts(const Plan& plan, const Segment& segment, int worker, std::int64_t period) {
  std::vector<std::int64_t> shifts(plan.stages.size(), 0);
  if (segment.pass == Pass::train) {
    for (const int stage : plan.stages_of_worker(worker)) {
      shifts[static_cast<std::size_t>(stage)] = period / microbatches_per_update(plan, stage);
    }
  }
  return shifts;
}

Action shifted(Action action, std::int64_t microbatches, const std::vector<std::int64_t>& versions) {
  action.microbatch += microbatches;
  if (action.version >= 0) {
    action.version += versions[static_cast<std::size_t>(action.stage)];
  }
  return action;
}

// Compares the programs of a segment and of one that is longer by one period.
class Seam {
 public:
  Seam(const std::vector<Action>& shorter, const std::vector<Action>& longer, std::int64_t microbatches,
       const std::vector<std::int64_t>& versions)
      : shorter_(shorter), longer_(longer), microbatches_(microbatches), versions_(versions) {}

  // The least position at which a period can be put into the shorter program to make the longer one, if the shorter one
  // itself goes on with a whole period there: then any number of them can be put in.
  std::optional<std::size_t> find() const {
    if (longer_.size() <= shorter_.size()) {
      return std::nullopt;
    }
    const std::size_t period = longer_.size() - shorter_.size();
    const std::size_t seam = shorter_.size() - common_suffix();
    if (seam + period > common_prefix()) {
      return std::nullopt;
    }
    return seam;
  }

 private:
  std::size_t common_prefix() const {
    const auto end = std::mismatch(shorter_.begin(), shorter_.end(), longer_.begin());
    return static_cast<std::size_t>(end.first - shorter_.begin());
  }

  std::size_t common_suffix() const {
    const auto end = std::mismatch(
        shorter_.rbegin(), shorter_.rend(), longer_.rbegin(),
        [&](const Action& early, const Action& late) { return shifted(early, microbatches_, versions_) == late; });
    return static_cast<std::size_t>(end.first - shorter_.rbegin());
  }

  const std::vector<Action>& shorter_;
  const std::vector<Action>& longer_;
  const std::int64_t microbatches_;
  const std::vector<std::int64_t>& versions_;
};

WorkerProgram written_out(std::vector<Action> actions) {
  WorkerProgram program;
  program.prologue = std::move(actions);
  return program;
}

}  // namespace

WorkerProgram make_worker_program(const Plan& plan, std::span<const StageLink> links, const Segment& segment,
                                  int worker) {
  std::int64_t period = 1;
  for (const int stage : plan.stages_of_worker(worker)) {
    period = std::lcm(period, period_microbatches(plan, links, stage));
  }
  const std::vector<std::int64_t> versions = version_shifts(plan, segment, worker, period);
  const auto lowered = [&](std::int64_t microbatches) {
    return detail::lower(plan, links, {segment.pass, microbatches}, worker);
  };
  std::int64_t periods = detail::ceil_div(horizon_microbatches(plan, links), period) + 2;
  for (; (periods + 2) * period <= segment.microbatches; periods *= 2) {
    const std::int64_t rest = segment.microbatches % period;
    const std::vector<Action> shorter = lowered(rest + periods * period);
    const std::vector<Action> longer = lowered(rest + (periods + 1) * period);
    if (const auto seam = Seam(shorter, longer, period, versions).find()) {
      const auto cut = static_cast<std::ptrdiff_t>(*seam);
      const auto length = static_cast<std::ptrdiff_t>(longer.size() - shorter.size());
      WorkerProgram program;
      program.prologue.assign(shorter.begin(), shorter.begin() + cut);
      program.period.assign(longer.begin() + cut, longer.begin() + cut + length);
      program.epilogue.assign(shorter.begin() + cut, shorter.end());
      program.repeats = segment.microbatches / period - periods;
      program.microbatch_shift = period;
      program.version_shift = versions;
      return program;
    }
  }
  return written_out(lowered(segment.microbatches));
}

Program make_program(const Plan& plan, std::span<const StageLink> links, const Segment& segment) {
  Program program;
  for (int worker = 0; worker < plan.workers(); ++worker) {
    program.workers.push_back(make_worker_program(plan, links, segment, worker));
  }
  return program;
}

}  // namespace pipedream
