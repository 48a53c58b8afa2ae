#include "partitioner/memory_limited.h"

#include <algorithm>
#include <tuple>

namespace pipedream::detail {
namespace {

using FoundPlan = std::optional<FoundPipeline>;

// The best of several plans: least bottleneck, then fewest components and stages of the outermost level.
class Best {
 public:
  void consider(FoundPlan plan) {
    if (!plan) return;
    int components = 0;
    for (const FoundStage& stage : plan->stages) components += stage.replicas;
    const Rank rank{plan->bottleneck_us, components, plan->stages.size()};
    if (plan_ && rank_ <= rank) return;
    plan_ = std::move(plan);
    rank_ = rank;
  }

  FoundPlan take() { return std::move(plan_); }

 private:
  using Rank = std::tuple<double, int, std::size_t>;
  FoundPlan plan_;
  Rank rank_;
};

FoundPlan by_versions(const PlanningStates& states, const Topology& topology, const PaperOptions& options,
                      StageMemory& memory) {
  const PaperPlanner planner(states, topology, options);
  PaperOptions without_replicas = options;
  without_replicas.straight = true;
  const PaperPlanner straight_planner(states, topology, without_replicas);
  Best best;
  // The first of S stages on W workers has at most about 2 W microbatches out.
  const std::int64_t most = 2 * std::int64_t{topology.workers()} + 3;
  for (std::int64_t versions = 1; versions <= most; ++versions) {
    memory.set_rule({Algorithm::vertical_sync, 1, versions, true});
    best.consider(straight_planner.fastest(&memory));
    if (options.straight) continue;
    memory.set_rule({Algorithm::vertical_sync, 1, versions, false});
    best.consider(planner.fastest(&memory));
  }
  return best.take();
}

FoundPlan by_workers(const PlanningStates& states, const Topology& topology, const PaperOptions& options,
                     StageMemory& memory, Algorithm algorithm) {
  Best best;
  const int workers = topology.workers();
  PaperOptions exactly = options;
  exactly.use_all = true;
  for (int used = options.use_all ? workers : 1; used <= workers; ++used) {
    Topology part = topology;
    part.levels.front().count = used;
    memory.set_rule({algorithm, std::int64_t{4} * used, 1, false});
    const PaperPlanner planner(states, part, exactly);
    best.consider(planner.fastest(&memory));
  }
  return best.take();
}

// Updates of 2BW have several microbatches, but one where a plan has no replicas and at most two stages.
FoundPlan by_update(const PlanningStates& states, const Topology& topology, const PaperOptions& options,
                    StageMemory& memory) {
  Best best;
  memory.set_rule({Algorithm::two_bw, 2, 1, false});
  const PaperPlanner planner(states, topology, options);
  best.consider(planner.fastest(&memory));
  memory.set_rule({Algorithm::two_bw, 1, 1, false});
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
  if (algorithm == Algorithm::vertical_sync) return by_versions(states, topology, options, memory);
  const bool is_default = microbatches_per_update == 0;
  if (algorithm == Algorithm::two_bw && is_default) return by_update(states, topology, options, memory);
  const bool is_flush = traits_of(algorithm).flushes;
  if (is_flush && is_default && topology.levels.size() == 1) {
    return by_workers(states, topology, options, memory, algorithm);
  }
  const std::int64_t by_default = is_flush ? std::int64_t{4} * topology.workers() : 1;
  memory.set_rule({algorithm, is_default ? by_default : microbatches_per_update, 1, false});
  return PaperPlanner(states, topology, options).fastest(&memory);
}

}  // namespace pipedream::detail
