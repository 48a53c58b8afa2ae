#include "partitioner/level_table.h"

#include <algorithm>
#include <cmath>

namespace pipedream::detail {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

// min(best, min over k of max(a[k], b[k])); four chains, so that one comparison need not wait for the other.
double least_of_greater(const double* a, const double* b, int count, double best) {
  double least[4] = {best, best, best, best};
  int k = 0;
  for (; k + 4 <= count; k += 4) {
    for (int lane = 0; lane < 4; ++lane) {
      const double greater = a[k + lane] > b[k + lane] ? a[k + lane] : b[k + lane];
      least[lane] = greater < least[lane] ? greater : least[lane];
    }
  }
  for (; k < count; ++k) least[0] = std::min(least[0], std::max(a[k], b[k]));
  return std::min(std::min(least[0], least[1]), std::min(least[2], least[3]));
}

// Finds states by their compute, on the safe side: in constant time, from a table over equal steps of compute.
class ComputeIndex {
 public:
  explicit ComputeIndex(const PlanningStates& states) : last_(states.last()) {
    const double total = states.compute_us(states.last());
    const int steps = 4 * states.count();
    per_us_ = total > 0 ? steps / total : 0;
    int state = 0;
    for (int step = 0; step <= steps; ++step) {
      while (state < last_ && states.compute_us(state) * per_us_ < step) ++state;
      first_from_.push_back(state);
    }
  }

  // No state before it has as much compute.
  int first_from(double us) const { return us <= 0 ? 0 : std::max(0, first_from_[step(us)] - 1); }
  // No state after it has as little.
  int last_until(double us) const {
    const std::size_t next = step(us) + 2;
    return us < 0 ? 0 : next < first_from_.size() ? first_from_[next] : last_;
  }

 private:
  std::size_t step(double us) const {
    return std::min(first_from_.size() - 1, static_cast<std::size_t>(std::min(us * per_us_, 1e9)));
  }

  int last_;
  double per_us_ = 0;
  std::vector<int> first_from_;  // the first state with at least so many steps of compute
};

class Tabulation {
 public:
  Tabulation(const PipelineCosts& costs, const LevelOptions& options, bool whole_only)
      : costs_(costs),
        states_(costs.states()),
        options_(options),
        rows_(whole_only ? 1 : states_.last()),
        index_(states_),
        slack_us_(1e-9 * states_.compute_us(states_.last())),
        replica_limit_(options.straight ? 1 : options.components) {
    std::size_t size = 0;
    for (int first = 0; first < rows_; ++first) {
      offset_.push_back(size);
      size += at(options.components) * at(states_.count() - first);
    }
    values_.assign(size, kInfinity);
    seeds_.resize(at(rows_) * at(options.components + 1));
    later_.resize(at(costs.limits_memory() ? options.components + 1 : 1));
    for (auto& by_replicas : later_) {
      by_replicas.assign(at(replica_limit_ + 1), std::vector<double>(at(states_.count()), kInfinity));
    }
  }

  void run() {
    for (int end = 1; end <= states_.last(); ++end) {
      fill_later(end);
      const int last_row = std::min(end, rows_);
      for (int first = 0; first < last_row; ++first) {
        if (!states_.nested(first, end)) continue;
        for (int used = 1; used <= options_.components; ++used) solve(first, end, used);
      }
    }
  }

  double value(int first, int end) { return values(first, options_.components)[end - first]; }

 private:
  // The best split that was found for a row last; a good one for the next range often.
  struct Seed {
    int split = -1;
    int replicas = 1;
  };

  // A(first.., used), indexed by end - first.
  double* values(int first, int used) {
    return values_.data() + offset_[at(first)] + at(used - 1) * at(states_.count() - first);
  }

  // Times of last stages that end there, by split; those that memory forbids with `used` components are infinite.
  void fill_later(int end) {
    for (std::size_t variant = 0; variant < later_.size(); ++variant) {
      const int after = options_.components - static_cast<int>(variant);
      for (int replicas = 1; replicas <= replica_limit_; ++replicas) {
        std::vector<double>& times = later_[variant][at(replicas)];
        for (int split = 1; split < end; ++split) {
          const bool can_be = states_.nested(split, end) &&
                              (!costs_.limits_memory() || costs_.fits(split, end, replicas, after));
          times[at(split)] = can_be ? costs_.later_stage_us(split, end, replicas) : kInfinity;
        }
      }
    }
  }

  const std::vector<double>& later(int used, int replicas) const {
    return later_[costs_.limits_memory() ? at(used) : 0][at(replicas)];
  }

  double single_stage_us(int first, int end, int used) const {
    if (used > replica_limit_ || !costs_.fits(first, end, used, options_.components - used)) return kInfinity;
    return costs_.first_stage_us(first, end, used);
  }

  void solve(int first, int end, int used) {
    double best = single_stage_us(first, end, used);
    if (!options_.use_all && used > 1) best = std::min(best, values(first, used - 1)[end - first]);
    Seed& seed = seeds_[at(first) * at(options_.components + 1) + at(used)];
    if (seed.split > first && seed.split < end) {
      const double before = values(first, used - seed.replicas)[seed.split - first];
      best = std::min(best, std::max(before, later(used, seed.replicas)[at(seed.split)]));
    }
    for (int replicas = 1; replicas < used && replicas <= replica_limit_; ++replicas) {
      const double better = best_split(first, end, used, replicas, best);
      if (better < best) best = better;
    }
    values(first, used)[end - first] = best;
  }

  double best_split(int first, int end, int used, int replicas, double best) {
    int from = first + 1;
    int to = end - 1;
    if (best < kInfinity) {
      const double each_us = best * costs_.workers_below() * (1 + 1e-9);
      from = std::max(from, index_.first_from(states_.compute_us(end) - each_us * replicas - slack_us_));
      to = std::min(to, index_.last_until(states_.compute_us(first) + each_us * (used - replicas) + slack_us_));
    }
    if (from > to) return best;
    const double* before = values(first, used - replicas) + (from - first);
    const double* after = later(used, replicas).data() + from;
    const double better = least_of_greater(before, after, to - from + 1, best);
    if (better < best) {
      int found = 0;
      while (std::max(before[found], after[found]) != better) ++found;
      seeds_[at(first) * at(options_.components + 1) + at(used)] = {from + found, replicas};
    }
    return better;
  }

  const PipelineCosts& costs_;
  const PlanningStates& states_;
  const LevelOptions options_;
  int rows_;
  ComputeIndex index_;
  double slack_us_;  // more than sums of compute are off by rounding
  int replica_limit_;
  std::vector<std::size_t> offset_;  // of a row in values_
  std::vector<double> values_;
  std::vector<Seed> seeds_;
  std::vector<std::vector<std::vector<double>>> later_;  // [used, where memory is limited][replicas][split]
};

}  // namespace

StageTable tabulate(const PipelineCosts& costs, const LevelOptions& options) {
  Tabulation tabulation(costs, options, false);
  tabulation.run();
  StageTable table(costs.states().count());
  for (int end = 1; end < costs.states().count(); ++end) {
    for (int first = 0; first < end; ++first) {
      if (costs.states().nested(first, end)) table.at(first, end) = tabulation.value(first, end);
    }
  }
  return table;
}

double tabulate_whole(const PipelineCosts& costs, const LevelOptions& options) {
  Tabulation tabulation(costs, options, true);
  tabulation.run();
  return tabulation.value(0, costs.states().last());
}

bool is_small(const PlanningStates& states, int components) { return states.count() <= 2500 && components <= 32; }

}  // namespace pipedream::detail
