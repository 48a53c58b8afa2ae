#include "pipedream/depths.h"

#include <fmt/format.h>

#include <cmath>

#include "partitioner/depth_limits.h"
#include "partitioner/slack.h"
#include "partitioner/transit.h"
#include "partitioner/units.h"
#include "pipedream/error.h"
#include "pipedream/simulate.h"
#include "schedule/share.h"

namespace pipedream {
namespace {

// A step that gains less than this is not taken.
constexpr double kGain = 0.001;
constexpr int kMostSlack = 4;

class DepthSearch {
 public:
  DepthSearch(const Plan& plan, const Profile& profile, const Topology& topology, const DepthOptions& options)
      : options_(options),
        links_(stage_links(plan, profile)),
        costs_(simulation_costs(plan, profile, topology, options.state_factors)),
        limits_(plan, profile, detail::planned_model(plan, profile, topology), options.state_factors,
                topology.memory_bytes_per_worker),
        transit_us_(detail::transit_us(plan, costs_)),
        best_(plan) {}

  void run() {
    start();
    target_us_ = (1 + options_.tolerance) * now_.bound_us;
    if (now_.microbatch_us > target_us_) deepen();
    take_back();
  }

  const Plan& plan() const { return best_; }
  const detail::DepthLimits& limits() const { return limits_; }
  std::vector<DepthStep> take_steps() {
    steps_.back().actions = actions_;
    return std::move(steps_);
  }

 private:
  SimulationReport simulated(const Plan& plan) {
    const Segment segment = steady_segment(plan);
    SimulationReport report = simulate(make_program(plan, links_, segment), plan, segment, costs_);
    actions_ += report.actions;
    return report;
  }

  void start() {
    detail::set_slack(best_, std::vector<int>(transit_us_.size(), 0));
    detail::set_delay(best_, 0);
    if (!limits_.fit(best_)) {
      throw ConfigError(fmt::format("no depths are small enough: even without any a worker needs {}",
                                    detail::format_bytes(limits_.worker_bytes(best_))));
    }
    accept(best_, simulated(best_), "least depths");
  }

  void accept(const Plan& plan, SimulationReport report, const std::string& what) {
    best_ = plan;
    now_ = std::move(report);
    DepthStep step;
    step.what = what;
    step.warmup = detail::warmup_of(plan);
    step.reduce_delay = detail::delays_of(plan);
    step.microbatch_us = now_.microbatch_us;
    step.memory_bytes = limits_.worker_bytes(plan);
    step.limited_by = now_.limited_by;
    step.actions = actions_;
    steps_.push_back(std::move(step));
  }

  // In flight at each hop what is in transit at the bound's pace, and some more.
  Plan with_slack(int more) const {
    std::vector<int> slack;
    for (std::size_t s = 0; s < transit_us_.size(); ++s) {
      // Rounding must not ask for one more.
      const double rounds = transit_us_[s] / (now_.bound_us * best_.stages[s].replicas()) - 1e-6;
      slack.push_back(static_cast<int>(std::ceil(rounds)) + more);
    }
    Plan plan = best_;
    detail::set_slack(plan, slack);
    return plan;
  }

  void deepen() {
    Plan delayed = best_;
    if (traits_of(best_.algorithm).delays_reduction) detail::set_delay(delayed, 1);
    try_step(delayed, "reductions one round later");
    try_step(with_slack(0), "slack for what is in transit");
    for (int more = 1; more <= kMostSlack; ++more) {
      try_step(with_slack(more), fmt::format("{} more at every hop", more));
    }
    while (now_.microbatch_us > target_us_ && has_time() && deepen_one_hop()) {
    }
    if (now_.microbatch_us > target_us_) target_us_ = (1 + kGain) * now_.microbatch_us;
  }

  bool is_to_try(const Plan& plan) const { return !detail::same_depths(plan, best_) && limits_.allow(plan); }
  bool has_time() const { return actions_ <= options_.most_actions; }

  bool gains(const SimulationReport& report) const { return report.microbatch_us < (1 - kGain) * now_.microbatch_us; }

  void try_step(const Plan& plan, const std::string& what) {
    if (now_.microbatch_us <= target_us_ || !has_time() || !is_to_try(plan)) return;
    SimulationReport report = simulated(plan);
    if (gains(report)) accept(plan, std::move(report), what);
  }

  // Where memory is too little for slack everywhere: at the hop where it gains most.
  bool deepen_one_hop() {
    Plan fastest;
    SimulationReport its_report;
    std::size_t hop = 0;
    for (std::size_t s = 0; s < transit_us_.size(); ++s) {
      Plan plan = best_;
      std::vector<int> slack = detail::slack_of(plan);
      ++slack[s];
      detail::set_slack(plan, slack);
      if (!is_to_try(plan)) continue;
      SimulationReport report = simulated(plan);
      if (!fastest.stages.empty() && report.microbatch_us >= its_report.microbatch_us) continue;
      fastest = std::move(plan);
      its_report = std::move(report);
      hop = s;
    }
    if (fastest.stages.empty() || !gains(its_report)) return false;
    accept(fastest, std::move(its_report), fmt::format("1 more before stage {}", hop + 1));
    return true;
  }

  bool is_fast_enough(const Plan& plan) {
    if (!has_time() || !is_to_try(plan)) return false;
    SimulationReport report = simulated(plan);
    if (report.microbatch_us > target_us_) return false;
    least_ = std::move(report);
    return true;
  }

  // Delays, slack at all hops alike, slack from the last hop on (which makes all stages before it less deep), stages.
  void take_back() {
    Plan plan = best_;
    for (StagePlan& stage : plan.stages) {
      if (stage.reduce_delay == 0) continue;
      stage.reduce_delay = 0;
      if (!is_fast_enough(plan)) stage.reduce_delay = 1;
    }
    thin(plan);
    // One that has become less deep may let others be.
    for (Plan before; before.stages.empty() || !detail::same_depths(plan, before);) {
      before = plan;
      for (std::size_t s = transit_us_.size(); s-- > 0;) shrink_slack(plan, s);
      for (std::size_t s = 0; s < transit_us_.size(); ++s) shrink_stage(plan, s);
    }
    if (!detail::same_depths(plan, best_)) accept(plan, std::move(least_), "without what gained nothing");
  }

  // Leaves a part of the slack, spread over the hops: few simulations, however many stages there are.
  void thin(Plan& plan) {
    constexpr int kParts = 32;
    const std::vector<int> slack = detail::slack_of(plan);
    shrink(plan, kParts + 1, [&](Plan& trial, int less) {
      std::vector<int> thinner(slack.size());
      int whole = 0;
      int left = 0;
      for (std::size_t s = slack.size(); s-- > 0;) {
        whole += slack[s];
        thinner[s] = static_cast<int>(detail::ceil_div(std::int64_t{whole} * (kParts - less), kParts)) - left;
        left += thinner[s];
      }
      detail::set_slack(trial, thinner);
    });
  }

  void shrink_slack(Plan& plan, std::size_t s) {
    const std::vector<int> slack = detail::slack_of(plan);
    shrink(plan, slack[s] + 1, [&](Plan& trial, int less) {
      std::vector<int> smaller = slack;
      smaller[s] -= less;
      detail::set_slack(trial, smaller);
    });
  }

  void shrink_stage(Plan& plan, std::size_t s) {
    shrink(plan, plan.stages[s].warmup + 1, [&](Plan& trial, int less) { trial.stages[s].warmup -= less; });
  }

  // Takes back as much as leaves the plan fast enough, less than `too_much`; more is taken to be slower.
  template <class TakeBack>
  void shrink(Plan& plan, int too_much, TakeBack take_back) {
    const Plan whole = plan;
    for (int enough = 0; too_much - enough > 1;) {
      const int middle = enough + (too_much - enough) / 2;
      Plan trial = whole;
      take_back(trial, middle);
      if (is_fast_enough(trial)) {
        enough = middle;
        plan = trial;
      } else {
        too_much = middle;
      }
    }
  }

  const DepthOptions options_;
  const std::vector<StageLink> links_;
  const SimulationCosts costs_;
  const detail::DepthLimits limits_;
  const std::vector<double> transit_us_;
  Plan best_;
  SimulationReport now_;    // of best_
  SimulationReport least_;  // of the latest plan that was fast enough
  double target_us_ = 0;
  std::int64_t actions_ = 0;
  std::vector<DepthStep> steps_;
};

}  // namespace

std::vector<DepthStep> choose_depths(Plan& plan, const Profile& profile, const Topology& topology,
                                     const DepthOptions& options) {
  if (!traits_of(plan.algorithm).has_warmup) {
    throw ConfigError(fmt::format("{} has no depths to choose", to_string(plan.algorithm)));
  }
  DepthSearch search(plan, profile, topology, options);
  search.run();
  plan = search.plan();
  std::vector<DepthStep> steps = search.take_steps();
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    plan.stages[s].prediction.memory_bytes = search.limits().stage_bytes(plan, s);
  }
  plan.prediction.microbatch_us = steps.back().microbatch_us;
  plan.prediction.bound_by = steps.back().limited_by;
  return steps;
}

}  // namespace pipedream
