#include "partitioner/straight.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "partitioner/index.h"
#include "partitioner/least_of_greater.h"
#include "partitioner/level_links.h"
#include "partitioner/pipeline_costs.h"

namespace pipedream::detail {
namespace {

using Bits = std::vector<std::uint64_t>;

bool has(const Bits& bits, int index) { return ((bits[at(index) / 64] >> (index % 64)) & 1) != 0; }
void insert(Bits& bits, int index) { bits[at(index) / 64] |= std::uint64_t{1} << (index % 64); }

constexpr int kMostTabulated = 64;

class Straight {
 public:
  Straight(const PlanningStates& states, const Topology& topology)
      : states_(states), workers_(topology.workers()), reached_(at(states.count())) {
    int size = 1;
    for (const TopologyLevel& level : topology.levels) {
      const LevelLinks links(level);
      auto& link_us = link_us_.emplace_back();
      for (int s = 0; s < states.count(); ++s) {
        link_us.push_back(links.transfer_us(states.cut(s).forward, states.cut(s).backward));
      }
      size_.push_back(size);
      size *= level.count;
    }
    for (std::size_t level = 0; level < size_.size(); ++level) {
      Bits& met = met_.emplace_back(at(workers_) / 64 + 1, 0);
      for (int worker = size_[level]; worker < workers_; worker += size_[level]) {
        const bool is_higher = level + 1 < size_.size() && worker % size_[level + 1] == 0;
        if (!is_higher) insert(met, worker);
      }
    }
  }

  // The least bottleneck up to each state, by the workers for it, idle ones among them.
  double tabulated_us() const {
    const auto infinite = std::vector<double>(at(states_.count()), kInfinity);
    std::vector<std::vector<double>> ready(at(workers_), infinite);  // with the link to the next worker
    ready[0][0] = 0;
    std::vector<double> stage_us = infinite;
    std::vector<double> least_us(at(workers_) + 1);
    for (int end = 1; end <= states_.last(); ++end) {
      for (int first = 0; first < end; ++first) {
        stage_us[at(first)] = states_.nested(first, end) ? states_.compute_us(first, end) : kInfinity;
      }
      least_us[0] = kInfinity;
      for (int used = 1; used <= workers_; ++used) {
        least_us[at(used)] = least_of_greater(ready[at(used - 1)].data(), stage_us.data(), end, kInfinity);
      }
      skip_idle_us(least_us);
      for (int used = 1; used < workers_; ++used) {
        ready[at(used)][at(end)] = std::max(least_us[at(used)], link_us_[meeting_level(used)][at(end)]);
      }
    }
    return *std::min_element(least_us.begin(), least_us.end());
  }

  // reached_[s]: with how many workers, idle ones among them, the states up to s can be done within the bound.
  bool can_keep(double bound_us) {
    if (size_.size() == 1) return fewest_within(bound_us) <= workers_;
    for (Bits& bits : reached_) bits.assign(at(workers_) / 64 + 1, 0);
    insert(reached_[0], 0);
    Bits ready;
    for (int first = 0; first < states_.last(); ++first) {
      if (!make_ready(first, bound_us, ready)) continue;
      for (int end = first + 1; end <= states_.last(); ++end) {
        if (states_.compute_us(first, end) > bound_us) break;  // states are sorted by compute
        if (states_.nested(first, end)) add(ready, reached_[at(end)]);
      }
    }
    return std::any_of(reached_.back().begin(), reached_.back().end(), [](std::uint64_t word) { return word != 0; });
  }

 private:
  // On one level fewer workers are never worse.
  int fewest_within(double bound_us) const {
    std::vector<int> fewest(at(states_.count()), workers_ + 1);
    fewest[0] = 0;
    for (int first = 0; first < states_.last(); ++first) {
      if (fewest[at(first)] >= workers_ || (first > 0 && link_us_[0][at(first)] > bound_us)) continue;
      for (int end = first + 1; end <= states_.last(); ++end) {
        if (states_.compute_us(first, end) > bound_us) break;
        if (states_.nested(first, end)) fewest[at(end)] = std::min(fewest[at(end)], fewest[at(first)] + 1);
      }
    }
    return fewest.back();
  }

  // The workers that can begin with what comes after the state. False: there are none.
  bool make_ready(int state, double bound_us, Bits& ready) {
    Bits& reached = reached_[at(state)];
    skip_idle(reached);
    ready.assign(reached.size(), 0);
    if (state == 0) ready = reached;
    for (std::size_t level = 0; level < size_.size(); ++level) {
      if (link_us_[level][at(state)] > bound_us) continue;
      for (std::size_t w = 0; w < ready.size(); ++w) ready[w] |= reached[w] & met_[level][w];
    }
    return std::any_of(ready.begin(), ready.end(), [](std::uint64_t word) { return word != 0; });
  }

  void skip_idle_us(std::vector<double>& least_us) const {
    for (std::size_t level = 1; level < size_.size(); ++level) {
      for (int worker = 1; worker < workers_; ++worker) {
        const int next = (worker + size_[level] - 1) / size_[level] * size_[level];
        least_us[at(next)] = std::min(least_us[at(next)], least_us[at(worker)]);
      }
    }
  }

  // Where a worker meets the one before it.
  std::size_t meeting_level(int worker) const {
    std::size_t level = 0;
    while (!has(met_[level], worker)) ++level;
    return level;
  }

  // Leaves the rest of a component idle.
  void skip_idle(Bits& reached) const {
    for (std::size_t level = 1; level < size_.size(); ++level) {
      for (int worker = 1; worker < workers_; ++worker) {
        if (reached[at(worker) / 64] == 0) {
          worker |= 63;
          continue;
        }
        const int next = (worker + size_[level] - 1) / size_[level] * size_[level];
        if (has(reached, worker) && next < workers_) insert(reached, next);
      }
    }
  }

  // One worker more.
  void add(const Bits& ready, Bits& reached) const {
    std::uint64_t carry = 0;
    for (std::size_t w = 0; w < ready.size(); ++w) {
      reached[w] |= (ready[w] << 1) | carry;
      carry = ready[w] >> 63;
    }
  }

  const PlanningStates& states_;
  int workers_;
  std::vector<int> size_;                     // workers of a component, by level
  std::vector<std::vector<double>> link_us_;  // by level and state
  std::vector<Bits> met_;                     // by level: workers that meet the one before them there
  std::vector<Bits> reached_;
};

}  // namespace

double least_straight_us(const PlanningStates& states, const Topology& topology) {
  Straight straight(states, topology);
  if (topology.workers() <= kMostTabulated) return straight.tabulated_us();
  // Doubles that are not negative are ordered as their bits are. One worker alone always can.
  auto upper = std::bit_cast<std::uint64_t>(states.compute_us(states.last()));
  const double least_us = states.compute_us(states.last()) / topology.workers() * (1 - 1e-9);
  auto lower = std::bit_cast<std::uint64_t>(least_us);
  while (lower < upper) {
    const std::uint64_t middle = lower + (upper - lower) / 2;
    if (straight.can_keep(std::bit_cast<double>(middle))) {
      upper = middle;
    } else {
      lower = middle + 1;
    }
  }
  return std::bit_cast<double>(upper);
}

}  // namespace pipedream::detail
