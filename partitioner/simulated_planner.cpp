#include "partitioner/simulated_planner.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "partitioner/default_plan.h"
#include "partitioner/floors.h"
#include "partitioner/neighbours.h"
#include "partitioner/plan_judge.h"
#include "partitioner/predict.h"
#include "partitioner/proposals.h"
#include "partitioner/slack.h"
#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

using Stages = std::vector<PlacedStage>;

// A step that gains less than this is not taken.
constexpr double kGain = 0.001;
// Proposals that are changed step by step.
constexpr int kStarts = 3;
// As many plans are all tried.
constexpr std::size_t kFew = 1'000;

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
        places_(profile, states_),
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
      if (judged_[c].judged.bound_us >= (1 - kGain) * best_.judged.microbatch_us) continue;
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
    const NeighbourOptions all{topology_.workers(), options_.straight, options_.use_all_workers};
    if (auto few = all_plans(states_, all, kFew)) {
      while (step(*few)) {
      }
      return;
    }
    std::vector<Candidate> starts(judged_.begin(),
                                  judged_.begin() + std::min<std::ptrdiff_t>(kStarts, std::ssize(judged_)));
    starts.front() = best_;
    Candidate fastest = best_;
    for (Candidate& start : starts) {
      best_ = std::move(start);
      for (bool is_better = true; is_better;) {
        const auto stages = places_.of(best_.judged.plan);
        const NeighbourOptions near{topology_.workers(), options_.straight, false};
        is_better = stages && step(neighbours(*stages, states_, near));
      }
      if (best_.judged.microbatch_us < fastest.judged.microbatch_us) fastest = best_;
    }
    best_ = std::move(fastest);
  }

  // To the first that is faster, those before that could be the fastest.
  bool step(const std::vector<Stages>& others) {
    std::vector<std::pair<double, const Stages*>> near;
    for (const Stages& other : others) {
      const double floor_us = floor_of(other);
      if (floor_us >= (1 - kGain) * best_.judged.microbatch_us) continue;
      if (is_allowed(other) && !seen_.contains(key_of(other))) near.emplace_back(floor_us, &other);
    }
    std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [floor_us, other] : near) {
      if (!judge_.has_time()) return false;
      seen_.insert(key_of(*other));
      if (try_stages(*other)) return true;
    }
    return false;
  }

  double floor_of(const Stages& stages) const {
    return floor_us(states_, stages, {options_.algorithm, options_.microbatches_per_update});
  }

  bool is_allowed(const Stages& stages) const {
    if (!options_.use_all_workers) return true;
    std::size_t used = 0;
    for (const PlacedStage& stage : stages) used += stage.workers.size();
    return used == static_cast<std::size_t>(topology_.workers());
  }

  static std::vector<int> key_of(const Stages& stages) {
    std::vector<int> key;
    for (const PlacedStage& stage : stages) {
      key.push_back(-stage.end);
      key.insert(key.end(), stage.workers.begin(), stage.workers.end());
    }
    return key;
  }

  bool try_stages(const Stages& stages) {
    Plan plan = default_plan(profile_, states_, {options_.algorithm, options_.microbatches_per_update}, stages);
    // Also of an only stage, where no other stage needs it: replicas compute while they reduce.
    if (traits_of(options_.algorithm).delays_reduction) set_delay(plan, 1);
    try {
      if (try_plan(judge_.with_slack(plan, std::max(floor_of(stages), best_.judged.microbatch_us / 4)))) return true;
      return is_depth_a_choice() && try_slacks(plan);
    } catch (const ConfigError&) {
      return false;  // an update does not have whole rounds of every stage
    }
  }

  // Depth delays the backwards of an update, and memory may not allow it everywhere.
  bool is_depth_a_choice() const {
    return traits_of(options_.algorithm).flushes || topology_.memory_bytes_per_worker > 0;
  }

  // None, a little, all forwards of an update before its backwards.
  bool try_slacks(Plan plan) {
    if (try_plan(plan)) return true;
    if (!traits_of(options_.algorithm).has_warmup || plan.stages.size() == 1) return false;
    for (const int slack : {1, static_cast<int>(std::min<std::int64_t>(microbatches_per_update(plan, 0), 1'000))}) {
      set_slack(plan, std::vector<int>(plan.stages.size() - 1, slack));
      if (try_plan(plan)) return true;
    }
    return false;
  }

  bool try_plan(const Plan& plan) {
    for (const Plan& allowed : judge_.within_memory(plan)) {
      if (!judge_.has_time_for(allowed)) return false;
      JudgedPlan judged = judge_.simulated(allowed);
      if (judged.microbatch_us >= (1 - kGain) * best_.judged.microbatch_us) continue;
      best_.judged = std::move(judged);
      return true;
    }
    return false;
  }

  // Depth that gains nothing is taken back.
  void finish() {
    const auto least = judge_.deepened(best_.judged);
    if (!least || least->microbatch_us > as_proposed_us_) return;
    if (least->microbatch_us <= (1 + 4 * kGain) * best_.judged.microbatch_us) best_.judged = *least;
  }

  Plan filled() {
    Plan plan = std::move(best_.judged.plan);
    predict(plan, profile_, topology_, options_.state_factors, states_);
    plan.prediction.microbatch_us = best_.judged.microbatch_us;
    plan.prediction.bound_by = best_.judged.limited_by;
    plan.search = {std::string(to_string(CostModel::simulated)),
                   best_.judged.microbatch_us,
                   states_.count(),
                   states_.contraction(),
                   best_.proposal,
                   std::move(figures_)};
    return plan;
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
  const PlannedPlaces places_;
  PlanJudge judge_;
  std::vector<SimulatedProposal> figures_;
  std::vector<Candidate> judged_;
  Candidate best_;
  double as_proposed_us_ = 0;  // the fastest proposal as it came
  std::set<std::vector<int>> seen_;
};

}  // namespace

Plan simulated_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  return SimulatedPlanner(profile, topology, options).plan();
}

}  // namespace pipedream::detail
