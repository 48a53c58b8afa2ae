#include "pipedream/compare.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "partitioner/planned_model.h"
#include "pipedream/error.h"
#include "pipedream/schedule.h"
#include "pipedream/simulate.h"

namespace pipedream {
namespace {

// One plan, simulated with other costs again and again.
class Rehearsal {
 public:
  Rehearsal(const Plan& plan, const Profile& profile, std::int64_t microbatches)
      : plan_(plan), segment_(segment_of(plan, microbatches)) {
    program_ = make_program(plan, stage_links(plan, profile), segment_);
  }

  SimulationReport run(const SimulationCosts& costs) const { return simulate(program_, plan_, segment_, costs); }
  double microbatch_us(const SimulationCosts& costs) const { return run(costs).microbatch_us; }

 private:
  static Segment segment_of(const Plan& plan, std::int64_t microbatches) {
    Segment segment = steady_segment(plan);
    if (microbatches > 0) segment.microbatches = std::min(segment.microbatches, microbatches);
    return segment;
  }

  const Plan& plan_;
  Segment segment_;
  Program program_;
};

struct Input {
  const char* name;
  double StageCosts::*cost;
  double StageFigures::*measured;
};

constexpr Input kInputs[] = {{"forward", &StageCosts::forward_us, &StageFigures::forward_us},
                             {"backward", &StageCosts::backward_us, &StageFigures::backward_us},
                             {"update", &StageCosts::update_us, &StageFigures::update_us}};

// Below this share of the microbatch's time an input is not worth a line.
constexpr double kLeastEffect = 1e-4;

// What the layers of a stage are scaled by, or get where the profile has nothing to scale.
struct Correction {
  double factor = 1;
  double each_us = 0;

  double of(double us) const { return us * factor + each_us; }
};

Correction correction(double predicted_us, double measured_us, std::size_t layers) {
  if (measured_us <= 0) return {};
  if (predicted_us > 0) return {measured_us / predicted_us, 0};
  return {1, measured_us / static_cast<double>(layers)};
}

}  // namespace

RunFigures simulated_figures(const Plan& plan, const Profile& profile, const Topology& topology,
                             StateFactors state_factors, std::int64_t microbatches) {
  const SimulationCosts costs = simulation_costs(plan, profile, topology, state_factors);
  const SimulationReport report = Rehearsal(plan, profile, microbatches).run(costs);
  RunFigures figures{.microbatch_us = report.microbatch_us, .bubble = report.bubble};
  for (const StageCosts& stage : costs.stages) {
    figures.stages.push_back({.forward_us = stage.forward_us, .backward_us = stage.backward_us});
  }
  for (const SimulatedWorker& worker : report.workers) figures.peak_bytes.push_back(worker.peak_bytes);
  return figures;
}

RunFigures planned_figures(const Plan& plan) {
  RunFigures figures{.microbatch_us = plan.prediction.microbatch_us};
  figures.peak_bytes.resize(static_cast<std::size_t>(plan.workers()));
  for (const StagePlan& stage : plan.stages) {
    figures.stages.push_back({.forward_us = stage.prediction.forward_us, .backward_us = stage.prediction.backward_us});
    for (const int worker : stage.workers) {
      figures.peak_bytes[static_cast<std::size_t>(worker)] += stage.prediction.memory_bytes;
    }
  }
  return figures;
}

Explanation explain(const RunReport& report, const Profile& profile) {
  const Plan& plan = report.plan;
  const SimulationCosts costs = simulation_costs(plan, profile, report.topology, report.state_factors);
  const Rehearsal rehearsal(plan, profile, report.microbatches);
  Explanation result{.predicted_us = rehearsal.microbatch_us(costs), .measured_us = report.measured.microbatch_us};
  SimulationCosts all = costs;
  for (std::size_t s = 0; s < report.measured.stages.size(); ++s) {
    for (const Input& input : kInputs) {
      const double measured = report.measured.stages[s].*input.measured;
      if (measured <= 0) continue;  // not known
      all.stages[s].*input.cost = measured;
      SimulationCosts one = costs;
      one.stages[s].*input.cost = measured;
      const double effect = rehearsal.microbatch_us(one) - result.predicted_us;
      if (std::abs(effect) < kLeastEffect * result.predicted_us) continue;
      result.inputs.push_back(
          {std::string(input.name) + " of stage " + std::to_string(s), costs.stages[s].*input.cost, measured, effect});
    }
  }
  result.corrected_us = rehearsal.microbatch_us(all);
  std::stable_sort(result.inputs.begin(), result.inputs.end(), [](const InputError& a, const InputError& b) {
    return std::abs(a.effect_us) > std::abs(b.effect_us);
  });
  return result;
}

Profile recalibrated(Profile profile, const Plan& plan, const std::vector<StageFigures>& measured) {
  Topology any = profile.topology;
  any.levels = uniform_topology(plan.workers(), 1).levels;
  const detail::PlannedModel model = detail::planned_model(plan, profile, any);
  const std::vector<StageCosts> costs = detail::stage_costs(plan, profile, model, 0);
  double forward_us = 0;
  double backward_us = 0;
  for (std::size_t l = 0; l < profile.layers.size(); ++l) {
    const auto s = static_cast<std::size_t>(model.stage_of_layer[l]);
    if (s >= measured.size()) continue;
    const std::size_t layers = plan.stages[s].layers.size();
    LayerProfile& layer = profile.layers[l];
    // A recomputing stage repeats its forward in its backward.
    const bool repeats = plan.stages[s].recompute;
    const double repeated_us = repeats ? measured[s].forward_us : 0;
    layer.backward_us = correction(costs[s].backward_us - (repeats ? costs[s].forward_us : 0),
                                   measured[s].backward_us - repeated_us, layers)
                            .of(layer.backward_us);
    layer.forward_us = correction(costs[s].forward_us, measured[s].forward_us, layers).of(layer.forward_us);
    forward_us += layer.forward_us;
    backward_us += layer.backward_us;
  }
  // What layers take together is now known from them alone.
  profile.whole_forward_us = forward_us;
  profile.whole_backward_us = backward_us;
  return profile;
}

}  // namespace pipedream
