#include "pipedream/simulate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "schedule/share.h"
#include "schedule/simulation.h"
#include "schedule/timeline.h"

namespace pipedream {
namespace {

using detail::Simulation;
using detail::SimulationState;

// Within this factor of the bound nothing but the bound is to blame.
constexpr double kAtBound = 1.02;

std::vector<std::vector<int>> stages_of_workers(const Plan& plan, std::size_t workers) {
  std::vector<std::vector<int>> stages(workers);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    for (const int worker : plan.stages[s].workers)
      stages[static_cast<std::size_t>(worker)].push_back(static_cast<int>(s));
  }
  return stages;
}

std::string stage_names(const std::vector<int>& stages) {
  return fmt::format("stage{} {}", stages.size() == 1 ? "" : "s", fmt::join(stages, ", "));
}

class Bound {
 public:
  Bound(SimulationReport& report, std::int64_t microbatches)
      : report_(report), microbatches_(static_cast<double>(microbatches)) {}

  void consider(double busy_us, const std::string& what) {
    const double us = busy_us / microbatches_;
    if (us <= report_.bound_us * (1 + 1e-9)) return;  // the first of equals, but for rounding
    report_.bound_us = us;
    report_.bound_by = what;
  }

 private:
  SimulationReport& report_;
  double microbatches_;
};

void find_bound(SimulationReport& report, const SimulationState& state, const std::vector<std::vector<int>>& stages,
                std::int64_t microbatches) {
  Bound bound(report, microbatches);
  for (std::size_t w = 0; w < stages.size(); ++w) {
    const std::string what = fmt::format("compute of {}", stage_names(stages[w]));
    bound.consider(report.workers[w].compute_us, what);
  }
  for (std::size_t s = 0; s < state.groups.size(); ++s) {
    const detail::SimulatedGroup& group = state.groups[s];
    const double each = state.flows.alone_us(group.flow, group.bytes) + group.latency;
    bound.consider(static_cast<double>(group.ended) * each, fmt::format("all-reduce of stage {}", s));
  }
  for (int link = 0; link < state.tree.links(); ++link) {
    bound.consider(state.flows.link_busy_us(link), state.tree.name(link));
  }
}

std::string greatest_wait(const SimulatedWorker& worker) {
  const std::pair<double, const char*> waits[] = {{worker.activation_wait_us, "activations"},
                                                  {worker.gradient_wait_us, "gradients"},
                                                  {worker.reduction_wait_us, "reductions"},
                                                  {worker.send_wait_us, "sends"}};
  return std::max_element(std::begin(waits), std::end(waits),
                          [](const auto& a, const auto& b) { return a.first < b.first; })
      ->second;
}

std::string limit_of(const SimulationReport& report, const std::vector<std::vector<int>>& stages) {
  if (report.microbatch_us <= kAtBound * report.bound_us) return report.bound_by;
  const auto busiest =
      std::max_element(report.workers.begin(), report.workers.end(),
                       [](const SimulatedWorker& a, const SimulatedWorker& b) { return a.compute_us < b.compute_us; });
  return fmt::format("{} that {} waits for", greatest_wait(*busiest),
                     stage_names(stages[static_cast<std::size_t>(busiest - report.workers.begin())]));
}

}  // namespace

Segment steady_segment(const Plan& plan) {
  constexpr std::int64_t kLeast = 400;  // the middle half is then right within half a percent or so
  constexpr std::int64_t kMostCycle = 4096;
  const std::int64_t update = microbatches_per_update(plan, 0);
  const std::int64_t cycle = std::max(update, std::min(detail::steady_cycle(plan), kMostCycle));
  std::int64_t in_flight = 1;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    in_flight = std::max(in_flight, plan.stages[s].replicas() * stage_load(plan, static_cast<int>(s)).in_flight);
  }
  const std::int64_t least = std::max({kLeast, 4 * in_flight, 4 * cycle});
  return {Pass::train, detail::ceil_div(least, update) * update};
}

SimulationReport simulate(const Program& program, const Plan& plan, const Segment& segment,
                          const SimulationCosts& costs, const SimulationOptions& options) {
  Simulation simulation(program, plan, segment, costs, options);
  simulation.run();
  SimulationReport report;
  for (const detail::SimulatedRun& worker : simulation.state().workers) {
    report.workers.push_back(worker.figures);
    report.actions += worker.cursor.position();
    report.total_us = std::max(report.total_us, worker.now);
  }
  for (const SimulatedWorker& worker : report.workers) {
    report.utilisation.push_back(report.total_us > 0 ? worker.compute_us / report.total_us : 0);
  }
  if (report.total_us > 0) {
    const double sum = std::accumulate(report.utilisation.begin(), report.utilisation.end(), 0.0);
    report.bubble = 1 - sum / static_cast<double>(report.utilisation.size());
  }
  for (const std::vector<double>& ends : simulation.ends()) {
    report.microbatch_us = std::max(report.microbatch_us, detail::steady_period(ends, detail::steady_cycle(plan)));
  }
  if (segment.microbatches > 0) {
    const auto stages = stages_of_workers(plan, program.workers.size());
    find_bound(report, simulation.state(), stages, segment.microbatches);
    report.limited_by = limit_of(report, stages);
  }
  report.timeline = simulation.take_timeline();
  return report;
}

}  // namespace pipedream
