#include "partitioner/dapple_costs.h"

#include <algorithm>
#include <numeric>

#include "partitioner/index.h"

namespace pipedream::detail {

DappleCosts::DappleCosts(const Profile& profile, const PlanningStates& states, const Topology& topology)
    : states_(states) {
  for (int s = 0; s < states.count(); ++s) {
    double sum_us = 0;
    states.set(s).for_each([&](int layer) { sum_us += profile.layers[at(layer)].forward_us; });
    forward_us_.push_back(sum_us);
  }
  int size = 1;
  for (const TopologyLevel& level : topology.levels) {
    links_.emplace_back(level);
    sizes_.push_back(size *= level.count);
    auto& of_level = transfers_.emplace_back();
    for (int s = 0; s < states.count(); ++s) {
      const CutBytes& cut = states.cut(s);
      of_level.push_back({links_.back().transfer_us(cut.forward, 0), links_.back().transfer_us(0, cut.backward), 0});
    }
  }
}

DappleCosts::Levels DappleCosts::levels_within(const std::vector<int>& workers) const {
  // Any two of a tree's leaves meet where two that stand side by side do.
  Levels levels = 0;
  for (std::size_t q = 1; q < workers.size(); ++q) {
    std::size_t level = 0;
    while (workers[q - 1] / sizes_[level] != workers[q] / sizes_[level]) ++level;
    levels |= Levels{1} << level;
  }
  return levels;
}

DappleCosts::Levels DappleCosts::levels_between(const std::vector<int>& from, const std::vector<int>& to) const {
  // Replicas q and q' share microbatches where q = q' modulo the greatest common divisor.
  const std::size_t apart = std::gcd(from.size(), to.size());
  Levels levels = 0;
  std::vector<Sided> workers;
  for (std::size_t c = 0; c < apart; ++c) {
    workers.clear();
    for (std::size_t q = c; q < from.size(); q += apart) workers.emplace_back(from[q], false);
    for (std::size_t q = c; q < to.size(); q += apart) workers.emplace_back(to[q], true);
    levels |= levels_across(workers);
  }
  return levels;
}

// Two of different sides meet at a level where a component of it has both sides, and not in one component below.
DappleCosts::Levels DappleCosts::levels_across(std::vector<Sided>& workers) const {
  std::sort(workers.begin(), workers.end());
  Levels levels = 0;
  int below = 1;
  for (std::size_t level = 0; level < sizes_.size(); ++level) {
    for (std::size_t begin = 0, end = 0; begin < workers.size(); begin = end) {
      bool has_both = false;
      for (end = begin; end < workers.size(); ++end) {
        if (workers[end].first / sizes_[level] != workers[begin].first / sizes_[level]) break;
        has_both = has_both || workers[end].second != workers[begin].second;
      }
      const bool is_spread = workers[begin].first / below != workers[end - 1].first / below;
      if (has_both && is_spread) levels |= Levels{1} << level;
    }
    below = sizes_[level];
  }
  return levels;
}

DappleStage DappleCosts::compute(int first, int end, int replicas, Levels crossed) const {
  const double forward_us = forward_us_[at(end)] - forward_us_[at(first)];
  const double compute_us = states_.compute_us(first, end);
  DappleStage stage{forward_us / replicas, (compute_us - forward_us) / replicas, 0};
  for (std::size_t l = 0; l < links_.size(); ++l) {
    if ((crossed >> l & 1) == 0) continue;
    stage.allreduce_us =
        std::max(stage.allreduce_us, links_[l].allreduce_us(states_.parameter_bytes(first, end), replicas));
  }
  return stage;
}

DappleStage DappleCosts::transfer(int cut, int lanes, Levels crossed) const {
  DappleStage stage;
  for (std::size_t l = 0; l < links_.size(); ++l) {
    if ((crossed >> l & 1) == 0) continue;
    stage.forward_us = std::max(stage.forward_us, transfers_[l][at(cut)].forward_us);
    stage.backward_us = std::max(stage.backward_us, transfers_[l][at(cut)].backward_us);
  }
  stage.forward_us /= lanes;
  stage.backward_us /= lanes;
  return stage;
}

}  // namespace pipedream::detail
