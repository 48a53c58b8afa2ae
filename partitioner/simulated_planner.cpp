#include "partitioner/simulated_planner.h"

#include <algorithm>

#include "partitioner/plan_climb.h"
#include "partitioner/plan_judge.h"
#include "partitioner/predict.h"
#include "partitioner/proposals.h"
#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

// Proposals that are changed step by step.
constexpr int kStarts = 3;

// Simulates so much in a fraction of a second on 16 workers, and a few seconds on 256.
std::int64_t most_actions(const Topology& topology) {
  const std::int64_t workers = topology.workers();
  return 200'000 + 15'000 * workers + 25'000 * std::min<std::int64_t>(workers, 16);
}

class SimulatedPlanner {
 public:
  SimulatedPlanner(const Profile& profile, const Topology& topology, const PartitionOptions& options)
      : profile_(profile),
        topology_(topology),
        options_(options),
        states_(all_states(profile)),
        judge_(profile, topology, options.state_factors, most_actions(topology)) {}

  Plan plan() {
    const std::vector<Proposal> proposed = proposals(profile_, states_, topology_, options_);
    for (const Proposal& proposal : proposed) figures_.push_back({proposal.name, consider(proposal)});
    if (judged_.empty()) fail();
    deepen_fastest();
    climb();
    finish();
    return filled();
  }

 private:
  struct Candidate {
    JudgedPlan judged;
    std::string proposal;
  };

  // What it takes as it is; 0: memory does not allow that, and changed to fit it is another candidate.
  double consider(const Proposal& proposal) {
    if (!proposal.is_model && !judged_.empty() && !judge_.has_time_for(proposal.plan)) return 0;
    double as_it_is_us = 0;
    for (const Plan& plan : judge_.within_memory(proposal.plan)) {
      const double us = judged(plan, proposal.name).judged.microbatch_us;
      if (is_same(plan, proposal.plan)) as_it_is_us = us;
    }
    return as_it_is_us;
  }

  const Candidate& judged(const Plan& plan, const std::string& proposal) {
    for (const Candidate& other : judged_) {
      if (is_same(other.judged.plan, plan)) return other;
    }
    return judged_.emplace_back(Candidate{judge_.simulated(plan), proposal});
  }

  static bool is_same(const Plan& a, const Plan& b) {
    return std::equal(a.stages.begin(), a.stages.end(), b.stages.begin(), b.stages.end(),
                      [](const StagePlan& x, const StagePlan& y) {
                        return x.layers == y.layers && x.workers == y.workers && x.warmup == y.warmup &&
                               x.reduce_delay == y.reduce_delay && x.recompute == y.recompute;
                      });
  }

  void deepen_fastest() {
    constexpr std::size_t kMost = 3;
    const auto is_faster = [](const Candidate& a, const Candidate& b) {
      return a.judged.microbatch_us < b.judged.microbatch_us;
    };
    std::stable_sort(judged_.begin(), judged_.end(), is_faster);
    best_ = judged_.front();
    as_proposed_us_ = best_.judged.microbatch_us;
    for (std::size_t c = 0; c < std::min(kMost, judged_.size()); ++c) {
      if (judged_[c].judged.bound_us >= (1 - kLeastGain) * best_.judged.microbatch_us) continue;
      deepen(judged_[c]);
    }
  }

  void deepen(const Candidate& candidate) {
    auto deeper = judge_.deepened(candidate.judged);
    if (deeper && deeper->microbatch_us < best_.judged.microbatch_us) best_ = {std::move(*deeper), candidate.proposal};
  }

  // From each of the fastest proposals on; the best one is where the fastest climb ends.
  void climb() {
    if (options_.algorithm == Algorithm::model_parallel || options_.algorithm == Algorithm::data_parallel) return;
    PlanClimb climb(profile_, topology_, options_, states_, judge_);
    if (climb.from_few(best_.judged)) return;
    std::vector<Candidate> starts(judged_.begin(),
                                  judged_.begin() + std::min<std::ptrdiff_t>(kStarts, std::ssize(judged_)));
    starts.front() = best_;
    for (Candidate& start : starts) {
      climb.from(start.judged);
      if (start.judged.microbatch_us < best_.judged.microbatch_us) best_ = std::move(start);
    }
  }

  // Depth that gains nothing is taken back.
  void finish() {
    const auto least = judge_.deepened(best_.judged);
    if (!least || least->microbatch_us > as_proposed_us_) return;
    if (least->microbatch_us <= (1 + 4 * kLeastGain) * best_.judged.microbatch_us) best_.judged = *least;
  }

  Plan filled() {
    Plan plan = best_.judged.plan;
    predict(plan, profile_, topology_, options_.state_factors, states_);
    plan.prediction.microbatch_us = best_.judged.microbatch_us;
    plan.prediction.bound_by = best_.judged.limited_by;
    plan.prediction.data_parallel_us = simulated_data_parallel_us(profile_, topology_, plan.workers());
    plan.prediction.best_straight_us = fastest_straight_us();
    plan.search = {std::string(to_string(CostModel::simulated)),
                   best_.judged.microbatch_us,
                   states_.count(),
                   states_.contraction(),
                   best_.proposal,
                   std::move(figures_)};
    return plan;
  }

  // Of all that were proposed, and the one that was found.
  double fastest_straight_us() const {
    double fastest_us = 0;
    const auto look_at = [&](const JudgedPlan& judged) {
      for (const StagePlan& stage : judged.plan.stages) {
        if (stage.replicas() > 1) return;
      }
      if (fastest_us == 0 || judged.microbatch_us < fastest_us) fastest_us = judged.microbatch_us;
    };
    look_at(best_.judged);
    for (const Candidate& candidate : judged_) look_at(candidate.judged);
    return fastest_us;
  }

  // As the paper's model says it, which counts memory in the same way.
  [[noreturn]] void fail() const {
    PartitionOptions paper = options_;
    paper.cost_model = CostModel::pipedream;
    partition(profile_, topology_, paper);
    throw ConfigError("cost_model: no plan that simulated was proposed fits into memory_bytes_per_worker");
  }

  const Profile& profile_;
  const Topology& topology_;
  const PartitionOptions& options_;
  const PlanningStates states_;
  PlanJudge judge_;
  std::vector<SimulatedProposal> figures_;
  std::vector<Candidate> judged_;
  Candidate best_;
  double as_proposed_us_ = 0;  // the fastest proposal as it came
};

}  // namespace

Plan simulated_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  return SimulatedPlanner(profile, topology, options).plan();
}

}  // namespace pipedream::detail
