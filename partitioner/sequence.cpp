#include "partitioner/sequence.h"

#include <algorithm>
#include <limits>

namespace pipedream::detail {
namespace {

// The best way to cover the layers before `end` with a given number of stages.
struct Prefix {
  double links_us = std::numeric_limits<double>::infinity();
  std::int64_t greatest_bytes = 0;
  int last_first = -1;  // first layer of its last stage; -1: no way

  bool better_than(const Prefix& other) const {
    if (other.last_first < 0) return last_first >= 0;
    return links_us < other.links_us || (links_us == other.links_us && greatest_bytes < other.greatest_bytes);
  }
};

// prefixes[stages][end]
using Prefixes = std::vector<std::vector<Prefix>>;

Prefixes all_prefixes(const CostModel& costs, const RangeFootprints& footprints, std::int64_t limit_bytes,
                      double optimizer_state_factor, int most_stages) {
  const auto layers = static_cast<std::size_t>(costs.layers());
  Prefixes best(static_cast<std::size_t>(most_stages) + 1, std::vector<Prefix>(layers + 1));
  best[0][0] = {0, 0, 0};
  for (std::size_t first = 0; first < layers; ++first) {
    const auto row = footprints.row(static_cast<int>(first));
    const double link_us = first > 0 ? costs.link_us(static_cast<int>(first)) : 0;
    for (std::size_t end = first + 1; end <= layers; ++end) {
      const std::int64_t bytes = memory_bytes(row[end - first - 1], 0, optimizer_state_factor);
      if (limit_bytes > 0 && bytes > limit_bytes) continue;
      for (std::size_t stages = 0; stages + 1 < best.size(); ++stages) {
        const Prefix& before = best[stages][first];
        if (before.last_first < 0) continue;
        const Prefix prefix{before.links_us + link_us, std::max(before.greatest_bytes, bytes), static_cast<int>(first)};
        if (prefix.better_than(best[stages + 1][end])) best[stages + 1][end] = prefix;
      }
    }
  }
  return best;
}

}  // namespace

std::optional<std::vector<FoundStage>> cheapest_sequence(const CostModel& costs, const RangeFootprints& footprints,
                                                         std::int64_t limit_bytes, double optimizer_state_factor,
                                                         const SearchOptions& options) {
  const int most = std::min(options.workers, costs.layers());
  if (options.use_all_workers && most < options.workers) return std::nullopt;
  const Prefixes best = all_prefixes(costs, footprints, limit_bytes, optimizer_state_factor, most);
  std::size_t stages = 0;
  for (std::size_t s = options.use_all_workers ? static_cast<std::size_t>(most) : 1; s < best.size(); ++s) {
    if (best[s].back().better_than(best[stages].back())) stages = s;
  }
  if (best[stages].back().last_first < 0) return std::nullopt;
  std::vector<FoundStage> plan;
  for (std::size_t end = best[0].size() - 1; end > 0; --stages) {
    const int first = best[stages][end].last_first;
    plan.push_back({first, static_cast<int>(end), 1});
    end = static_cast<std::size_t>(first);
  }
  std::reverse(plan.begin(), plan.end());
  return plan;
}

}  // namespace pipedream::detail
