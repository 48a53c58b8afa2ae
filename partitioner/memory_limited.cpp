#include "partitioner/memory_limited.h"

#include <algorithm>
#include <tuple>

#include "partitioner/bound_search.h"
#include "partitioner/index.h"

namespace pipedream::detail {
namespace {

using FoundPlan = std::optional<FoundPipeline>;

// Of an update under a flush, by default.
constexpr std::int64_t kMicrobatchesPerWorker = 4;

// The best of several plans: least bottleneck, then fewest components and stages of the outermost level.
class Best {
 public:
  // Whether there is a plan to consider.
  bool consider(FoundPlan plan) {
    if (!plan) return false;
    int components = 0;
    for (const FoundStage& stage : plan->stages) components += stage.replicas;
    const Rank rank{plan->bottleneck_us, components, plan->stages.size()};
    if (plan_ && rank_ <= rank) return true;
    plan_ = std::move(plan);
    rank_ = rank;
    return true;
  }

  FoundPlan take() { return std::move(plan_); }

 private:
  using Rank = std::tuple<double, int, std::size_t>;
  FoundPlan plan_;
  Rank rank_;
};

// Numbers that a plan may have, each with a search of its own. A looser search finds what any number from some least to
// some most allows, so it can say of all of them at once that there is no plan; and where there is none within a bound,
// there is none within a lower one.
class Numbers {
 public:
  Numbers(int least, int most) : least_(least), most_(most), none_within_us_(at(most) + 1, -kInfinity) {}

  // Calls find(number) for all that may have a plan within the bound, ascending, until it answers true: there is one,
  // and no more is asked for. may_be(least, most) is the looser search.
  template <class MayBe, class Find>
  void visit(double bound_us, const MayBe& may_be, const Find& find) {
    visit(least_, most_, bound_us, may_be, find);
  }
  void note_none(int number, double bound_us) {
    none_within_us_[at(number)] = std::max(none_within_us_[at(number)], bound_us);
  }

 private:
  template <class MayBe, class Find>
  bool visit(int least, int most, double bound_us, const MayBe& may_be, const Find& find) {
    while (least <= most && none_within_us_[at(least)] >= bound_us) ++least;
    while (least <= most && none_within_us_[at(most)] >= bound_us) --most;
    if (least > most) return false;
    if (least == most) return find(least);
    if (!may_be(least, most)) {
      for (int number = least; number <= most; ++number) note_none(number, bound_us);
      return false;
    }
    const int middle = least + (most - least) / 2;
    return visit(least, middle, bound_us, may_be, find) || visit(middle + 1, most, bound_us, may_be, find);
  }

  int least_;
  int most_;
  std::vector<double> none_within_us_;  // by number
};

// The versions that all stages hold decide how deep the first one may be, and how much is left for everything else.
class ByVersions {
 public:
  ByVersions(const PlanningStates& states, const Topology& topology, const PaperOptions& options, StageMemory& memory)
      : memory_(memory),
        any_(states, topology, options),
        straight_(states, topology, {.straight = true, .use_all = options.use_all}),
        all_are_straight_(options.straight),
        // The first of S stages on W workers has at most about 2 W microbatches out.
        versions_(1, 2 * topology.workers() + 3) {}

  FoundPlan fastest() {
    const std::optional<double> least_us = any_.least_us();
    if (!least_us) return std::nullopt;
    const auto first = least_bottleneck(
        *least_us, [this](double bound_us) { return plan_within(bound_us, true); },
        [](const FoundPipeline& plan) { return plan.bottleneck_us; }, true);
    return first ? plan_within(first->bottleneck_us, false) : std::nullopt;
  }

 private:
  // Some plan, or the best.
  FoundPlan plan_within(double bound_us, bool any_will_do) {
    Best best;
    const auto may_be = [&](int least, int most) {
      return find(any_, {Algorithm::vertical_sync, 1, least, most, true}, bound_us).has_value();
    };
    versions_.visit(bound_us, may_be, [&](int versions) {
      bool is_found = best.consider(find(straight_, {Algorithm::vertical_sync, 1, versions, versions, true}, bound_us));
      if (!all_are_straight_ && !(is_found && any_will_do)) {
        const MemoryRule rule{Algorithm::vertical_sync, 1, versions, versions, false};
        is_found = best.consider(find(any_, rule, bound_us)) || is_found;
      }
      if (!is_found) versions_.note_none(versions, bound_us);
      return is_found && any_will_do;
    });
    return best.take();
  }

  FoundPlan find(const PaperPlanner& planner, const MemoryRule& rule, double bound_us) {
    memory_.set_rule(rule);
    return planner.plan_within(bound_us, &memory_);
  }

  StageMemory& memory_;
  PaperPlanner any_;
  PaperPlanner straight_;
  bool all_are_straight_;
  Numbers versions_;
};

// On one level.
class ByWorkers {
 public:
  ByWorkers(const PlanningStates& states, const Topology& topology, const PaperOptions& options, StageMemory& memory,
            Algorithm algorithm)
      : states_(states),
        topology_(topology),
        options_(options),
        memory_(memory),
        algorithm_(algorithm),
        workers_(options.use_all ? topology.workers() : 1, topology.workers()) {}

  FoundPlan fastest() {
    const std::optional<double> least_us = PaperPlanner(states_, topology_, options_).least_us();
    if (!least_us) return std::nullopt;
    return least_bottleneck(
        *least_us, [this](double bound_us) { return plan_within(bound_us); },
        [](const FoundPipeline& plan) { return plan.bottleneck_us; }, true);
  }

 private:
  // Of the fewest workers.
  FoundPlan plan_within(double bound_us) {
    FoundPlan found;
    const auto may_be = [&](int least, int most) { return find(least, most, false, bound_us).has_value(); };
    workers_.visit(bound_us, may_be, [&](int workers) {
      found = find(workers, workers, true, bound_us);
      if (!found) workers_.note_none(workers, bound_us);
      return found.has_value();
    });
    return found;
  }

  // On at most so many workers, or on all of them, as if an update had the microbatches of `in_update` workers.
  FoundPlan find(int in_update, int workers, bool use_all, double bound_us) {
    Topology part = topology_;
    part.levels.front().count = workers;
    memory_.set_rule({algorithm_, kMicrobatchesPerWorker * in_update, 1, 1, false});
    return PaperPlanner(states_, part, {options_.straight, use_all}).plan_within(bound_us, &memory_);
  }

  const PlanningStates& states_;
  const Topology& topology_;
  const PaperOptions& options_;
  StageMemory& memory_;
  Algorithm algorithm_;
  Numbers workers_;
};

// Updates of 2BW have several microbatches, but one where a plan has no replicas and at most two stages.
FoundPlan by_update(const PlanningStates& states, const Topology& topology, const PaperOptions& options,
                    StageMemory& memory) {
  Best best;
  memory.set_rule({Algorithm::two_bw, 2, 1, 1, false});
  const PaperPlanner planner(states, topology, options);
  best.consider(planner.fastest(&memory));
  memory.set_rule({Algorithm::two_bw, 1, 1, 1, false});
  PaperOptions without_replicas = options;
  without_replicas.straight = true;
  for (std::size_t level = 0; level < topology.levels.size(); ++level) {
    Topology part = topology;
    for (TopologyLevel& other : part.levels) other.count = 1;
    part.levels[level].count = std::min(topology.levels[level].count, 2);
    if (options.use_all && part.workers() < topology.workers()) continue;
    const PaperPlanner of_two(states, part, without_replicas);
    best.consider(of_two.fastest(&memory));
  }
  return best.take();
}

}  // namespace

FoundPlan fastest_within_memory(const PlanningStates& states, const Topology& topology, const PaperOptions& options,
                                StageMemory& memory, Algorithm algorithm, std::int64_t microbatches_per_update) {
  if (algorithm == Algorithm::vertical_sync) return ByVersions(states, topology, options, memory).fastest();
  const bool is_default = microbatches_per_update == 0;
  if (algorithm == Algorithm::two_bw && is_default) return by_update(states, topology, options, memory);
  const bool is_flush = traits_of(algorithm).flushes;
  // With a depth no stage has as many microbatches in flight as it has in an update.
  if (is_flush && is_default && topology.levels.size() == 1 && !traits_of(algorithm).has_warmup) {
    return ByWorkers(states, topology, options, memory, algorithm).fastest();
  }
  const std::int64_t by_default = is_flush ? kMicrobatchesPerWorker * topology.workers() : 1;
  memory.set_rule({algorithm, is_default ? by_default : microbatches_per_update, 1, 1, false});
  return PaperPlanner(states, topology, options).fastest(&memory);
}

}  // namespace pipedream::detail
