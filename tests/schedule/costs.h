// Costs for simulations in the tests of this folder.
#pragma once

#include "pipedream/simulate.h"
#include "plans.h"
#include "schedule/lowering.h"

namespace pipedream::testing {

// Of one stage for one microbatch.
constexpr double kStageUs = 3000;

// Every stage handles a microbatch in kStageUs, its replicas together: each takes as many times longer, a third of it
// forward, two thirds backward. Updates take no time, a message `transfer_us` over a worker's link that it has to
// itself, as does a reduction between two workers.
inline SimulationCosts unit_costs(const Plan& plan, const std::vector<StageLink>& links, double transfer_us = 0) {
  SimulationCosts costs;
  for (const StagePlan& stage : plan.stages) {
    StageCosts& added = costs.stages.emplace_back();
    added.forward_us = stage.replicas() * kStageUs / 3;
    added.backward_us = stage.replicas() * kStageUs * 2 / 3;
    added.version_bytes = 1'000'000;
  }
  for (const StageLink& link : links) {
    costs.links.push_back({link.from, link.to, 1'000'000, link.gradient ? 1'000'000 : 0});
  }
  if (transfer_us > 0) costs.topology = uniform_topology(plan.workers(), 1e12 / transfer_us);
  return costs;
}

// With transfers of `transfer` stage times and that many slots in every channel (0: the plan's).
inline SimulationReport simulate_units(const RandomCase& c, std::int64_t microbatches, double transfer = 0,
                                       int slots = 0) {
  const Segment segment{Pass::train, microbatches};
  Program program;
  for (int worker = 0; worker < c.plan.workers(); ++worker) {
    program.workers.emplace_back().prologue = detail::lower(c.plan, c.links, segment, worker, slots);
  }
  return simulate(program, c.plan, segment, unit_costs(c.plan, c.links, transfer * kStageUs));
}

}  // namespace pipedream::testing
