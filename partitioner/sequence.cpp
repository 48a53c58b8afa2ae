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
      : states_(states), best_(at(states.count()), std::vector<Prefix>(at(most_stages) + 1)) {
    for (int stages = 0; stages <= most_stages; ++stages) level_before_.push_back(level_between(topology, stages));
    for (const TopologyLevel& level : topology.levels) {
      const LevelLinks links(level);
      auto& of_level = link_us_.emplace_back();
      for (int s = 0; s < states.count(); ++s) {
        of_level.push_back(links.transfer_us(states.cut(s).forward, states.cut(s).backward));
      }
    }
    best_[0][0] = {0, 0, 0};
  }

  void extend_from(int first, StageFootprints& footprints, const SequenceOptions& options) {
    const std::vector<Prefix>& before = best_[at(first)];
    for (int end = first + 1; end < states_.count(); ++end) {
      if (!states_.nested(first, end)) continue;
      const std::int64_t bytes = memory_bytes(footprints.of(states_, first, end), 0, options.state_factors);
      if (options.limit_bytes > 0 && bytes > options.limit_bytes) continue;
      std::vector<Prefix>& after = best_[at(end)];
      for (std::size_t stages = 0; stages + 1 < before.size(); ++stages) {
        if (before[stages].last_first < 0) continue;
        const double link_us = stages > 0 ? link_us_[level_before_[stages]][at(first)] : 0;
        const Prefix prefix{before[stages].links_us + link_us, std::max(before[stages].greatest_bytes, bytes), first};
        if (prefix.better_than(after[stages + 1])) after[stages + 1] = prefix;
      }
    }
  }

  std::optional<std::vector<FoundStage>> plan(std::size_t fewest_stages) const {
    const std::vector<Prefix>& whole = best_.back();
    std::size_t stages = 0;
    for (std::size_t s = fewest_stages; s < whole.size(); ++s) {
      if (whole[s].better_than(whole[stages])) stages = s;
    }
    if (whole[stages].last_first < 0) return std::nullopt;
    std::vector<FoundStage> result;
    for (int end = states_.last(); end > 0; --stages) {
      const int first = best_[at(end)][stages].last_first;
      result.push_back({first, end, 1, {}});
      end = first;
    }
    std::reverse(result.begin(), result.end());
    return result;
  }

 private:
  // Where a worker and the one before it meet.
  static std::size_t level_between(const Topology& topology, int worker) {
    std::size_t level = 0;
    for (; level + 1 < topology.levels.size() && worker % topology.levels[level].count == 0; ++level) {
      worker /= topology.levels[level].count;
    }
    return level;
  }

  const PlanningStates& states_;
  std::vector<std::size_t> level_before_;     // by number of stages: where the next one meets them
  std::vector<std::vector<double>> link_us_;  // by level and state
  std::vector<std::vector<Prefix>> best_;     // by state and number of stages
};

}  // namespace

std::optional<std::vector<FoundStage>> cheapest_sequence(const PlanningStates& states, StageFootprints& footprints,
                                                         const Topology& topology, const SequenceOptions& options) {
  const int most = std::min(topology.workers(), states.last());
  if (options.use_all && most < topology.workers()) return std::nullopt;
  Sequence sequence(states, topology, most);
  for (int first = 0; first < states.last(); ++first) sequence.extend_from(first, footprints, options);
  return sequence.plan(options.use_all ? static_cast<std::size_t>(most) : 1);
}

}  // namespace pipedream::detail
