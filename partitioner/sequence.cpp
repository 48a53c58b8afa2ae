#include "partitioner/sequence.h"

#include <algorithm>

#include "partitioner/index.h"
#include "partitioner/level_links.h"

namespace pipedream::detail {
namespace {

// The best way to cover a state with a given number of stages.
struct Prefix {
  double links_us = kInfinity;
  std::int64_t greatest_bytes = 0;
  int last_first = -1;  // where its last stage begins; -1: no way

  bool better_than(const Prefix& other) const {
    if (other.last_first < 0) return last_first >= 0;
    return links_us < other.links_us || (links_us == other.links_us && greatest_bytes < other.greatest_bytes);
  }
};

class Sequence {
 public:
  Sequence(const PlanningStates& states, const Topology& topology, int most_stages)
      : states_(states), best_(at(most_stages) + 1, std::vector<Prefix>(at(states.count()))) {
    for (const TopologyLevel& level : topology.levels) counts_.push_back(level.count);
    for (const TopologyLevel& level : topology.levels) {
      const LevelLinks links(level);
      auto& of_level = link_us_.emplace_back();
      for (int s = 0; s < states.count(); ++s) {
        of_level.push_back(links.transfer_us(states.cut(s).forward, states.cut(s).backward));
      }
    }
    best_[0][0] = {0, 0, 0};
  }

  void extend_from(int first, const StageFootprints& footprints, const SequenceOptions& options) {
    for (int end = first + 1; end < states_.count(); ++end) {
      if (!states_.nested(first, end)) continue;
      const std::int64_t bytes = memory_bytes(footprints.of(first, end), 0, options.state_factors);
      if (options.limit_bytes > 0 && bytes > options.limit_bytes) continue;
      for (std::size_t stages = 0; stages + 1 < best_.size(); ++stages) {
        const Prefix& before = best_[stages][at(first)];
        if (before.last_first < 0) continue;
        const double link_us = stages > 0 ? link_us_[level_between(static_cast<int>(stages))][at(first)] : 0;
        const Prefix prefix{before.links_us + link_us, std::max(before.greatest_bytes, bytes), first};
        if (prefix.better_than(best_[stages + 1][at(end)])) best_[stages + 1][at(end)] = prefix;
      }
    }
  }

  std::optional<std::vector<FoundStage>> plan(std::size_t fewest_stages) const {
    std::size_t stages = 0;
    for (std::size_t s = fewest_stages; s < best_.size(); ++s) {
      if (best_[s].back().better_than(best_[stages].back())) stages = s;
    }
    if (best_[stages].back().last_first < 0) return std::nullopt;
    std::vector<FoundStage> result;
    for (int end = states_.last(); end > 0; --stages) {
      const int first = best_[stages][at(end)].last_first;
      result.push_back({first, end, 1, {}});
      end = first;
    }
    std::reverse(result.begin(), result.end());
    return result;
  }

 private:
  // Where a worker and the one before it meet.
  std::size_t level_between(int worker) const {
    std::size_t level = 0;
    for (; level + 1 < counts_.size() && worker % counts_[level] == 0; ++level) worker /= counts_[level];
    return level;
  }

  const PlanningStates& states_;
  std::vector<int> counts_;
  std::vector<std::vector<double>> link_us_;  // by level and state
  std::vector<std::vector<Prefix>> best_;     // by number of stages and state
};

}  // namespace

std::optional<std::vector<FoundStage>> cheapest_sequence(const PlanningStates& states,
                                                         const StageFootprints& footprints, const Topology& topology,
                                                         const SequenceOptions& options) {
  const int most = std::min(topology.workers(), states.last());
  if (options.use_all && most < topology.workers()) return std::nullopt;
  Sequence sequence(states, topology, most);
  for (int first = 0; first < states.last(); ++first) sequence.extend_from(first, footprints, options);
  return sequence.plan(options.use_all ? static_cast<std::size_t>(most) : 1);
}

}  // namespace pipedream::detail
