#include "partitioner/level_table.h"

#include <algorithm>

#include "partitioner/index.h"
#include "partitioner/least_of_greater.h"

namespace pipedream::detail {
namespace {

// Finds states by their compute, on the safe side: in constant time, from a table over equal steps of compute.
class ComputeIndex {
 public:
  explicit ComputeIndex(const PlanningStates& states) {
    const double total = states.compute_us(states.last());
    const int steps = 4 * states.count();
    steps_per_us_ = total > 0 ? steps / total : 0;
    for (int s = 0; s < states.count(); ++s) step_of_.push_back(states.compute_us(s) * steps_per_us_);
    int state = 0;
    for (int step = 0; step <= steps; ++step) {
      while (state < states.last() && step_of_[at(state)] < step) ++state;
      first_from_.push_back(state);
    }
    first_from_.resize(first_from_.size() + 3, states.last());
  }

  double steps_per_us() const { return steps_per_us_; }
  double step_of(int state) const { return step_of_[at(state)]; }
  // No state before it has so many steps of compute; a step more or less is on the safe side of any rounding. So is
  // what is no number, as no limit on layers without compute makes it.
  int first_from(double steps) const { return steps > 1 ? first_from_[static_cast<std::size_t>(steps - 1)] : 0; }
  // No state after it has so few.
  int last_until(double steps) const {
    return steps < static_cast<double>(first_from_.size() - 3) ? first_from_[static_cast<std::size_t>(steps) + 2]
                                                               : first_from_.back();
  }

 private:
  double steps_per_us_ = 0;
  std::vector<double> step_of_;  // by state
  std::vector<int> first_from_;  // by step: the first state with at least so many of them
};

class Tabulation {
  static constexpr int kTile = 8;

 public:
  Tabulation(const PipelineCosts& costs, const LevelOptions& options, bool whole_only)
      : costs_(costs),
        states_(costs.states()),
        options_(options),
        rows_(whole_only ? 1 : states_.last()),
        index_(states_),
        steps_per_us_(index_.steps_per_us() * costs.workers_below() * (1 + 1e-9)),
        has_floor_(states_.are_ordered() && !options.use_all && costs.grows_with_range()),
        replica_limit_(options.straight ? 1 : options.components) {
    std::size_t size = 0;
    for (int first = 0; first < rows_; ++first) {
      offset_.push_back(size);
      size += at(options.components) * at(states_.count() - first);
    }
    values_.assign(size, kInfinity);
    seeds_.resize(at(rows_) * at(options.components + 1));
    variants_ = costs.limits_memory() ? options.components + 1 : 1;
    later_.assign(at(kTile * variants_ * (replica_limit_ + 1)), std::vector<double>(at(states_.count()), kInfinity));
  }

  // A row of values serves several ends before the next one is looked at: the rows together are larger than caches.
  void run() {
    for (int tile = 1; tile <= states_.last(); tile += kTile) {
      const int tile_end = std::min(tile + kTile, states_.count());
      for (int end = tile; end < tile_end; ++end) fill_later(end);
      for (int first = std::min(tile_end - 1, rows_) - 1; first >= 0; --first) {
        for (int end = std::max(tile, first + 1); end < tile_end; ++end) {
          if (!states_.nested(first, end)) continue;
          for (int used = 1; used <= options_.components; ++used) solve(first, end, used);
        }
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
    for (int variant = 0; variant < variants_; ++variant) {
      const int after = options_.components - variant;
      for (int replicas = 1; replicas <= replica_limit_; ++replicas) {
        std::vector<double>& times = later_[later_index(end, variant, replicas)];
        for (int split = 1; split < end; ++split) {
          const bool can_be =
              states_.nested(split, end) && (!costs_.limits_memory() || costs_.fits(split, end, replicas, after));
          times[at(split)] = can_be ? costs_.later_stage_us(split, end, replicas) : kInfinity;
        }
      }
    }
  }

  std::size_t later_index(int end, int variant, int replicas) const {
    return at(((end - 1) % kTile * variants_ + variant) * (replica_limit_ + 1) + replicas);
  }
  const double* later(int end, int used, int replicas) const {
    return later_[later_index(end, variants_ > 1 ? used : 0, replicas)].data();
  }

  double single_stage_us(int first, int end, int used) const {
    if (used > replica_limit_ || !costs_.fits(first, end, used, options_.components - used)) return kInfinity;
    return costs_.first_stage_us(first, end, used);
  }

  // No value is less: a range takes no less than one inside it.
  double floor_us(int first, int end, int used) {
    double floor = 0;
    if (!has_floor_) return floor;
    if (end > first + 1) floor = values(first, used)[end - 1 - first];
    if (first + 1 < std::min(rows_, end)) floor = std::max(floor, values(first + 1, used)[end - first - 1]);
    return floor;
  }

  void solve(int first, int end, int used) {
    double best = single_stage_us(first, end, used);
    double& value = values(first, used)[end - first];
    if (!options_.use_all && used > 1) best = std::min(best, values(first, used - 1)[end - first]);
    Seed& seed = seeds_[at(first) * at(options_.components + 1) + at(used)];
    if (seed.split > first && seed.split < end) {
      const double before = values(first, used - seed.replicas)[seed.split - first];
      best = std::min(best, std::max(before, later(end, used, seed.replicas)[seed.split]));
    }
    const double floor = floor_us(first, end, used);
    const int most_replicas = std::min(used - 1, replica_limit_);
    Window found;
    for (int replicas = 1; replicas <= most_replicas && best > floor; ++replicas) {
      best = best_split(first, end, used, replicas, best, found);
    }
    if (found.before) {
      int split = 0;
      while (found.before[split] > best || found.after[split] > best) ++split;
      seed = {found.from + split, found.replicas};
    }
    value = best;
  }

  // Where the best split so far is: max(before[k], after[k]) of some k.
  struct Window {
    const double* before = nullptr;
    const double* after = nullptr;
    int from = 0;
    int replicas = 0;
  };

  double best_split(int first, int end, int used, int replicas, double best, Window& found) {
    const double each = best * steps_per_us_;
    const int from = std::max(first + 1, index_.first_from(index_.step_of(end) - each * replicas));
    const int to = std::min(end - 1, index_.last_until(index_.step_of(first) + each * (used - replicas)));
    if (from > to) return best;
    const double* before = values(first, used - replicas) + (from - first);
    const double* after = later(end, used, replicas) + from;
    const double better = least_of_greater(before, after, to - from + 1, best);
    if (better < best) found = {before, after, from, replicas};
    return better;
  }

  const PipelineCosts& costs_;
  const PlanningStates& states_;
  const LevelOptions options_;
  int rows_;
  ComputeIndex index_;
  double steps_per_us_;  // steps of compute that one component does in a microsecond, at most
  bool has_floor_;
  int replica_limit_;
  std::vector<std::size_t> offset_;  // of a row in values_
  std::vector<double> values_;
  std::vector<Seed> seeds_;
  int variants_ = 1;                        // of later_: as many as components used, where memory is limited
  std::vector<std::vector<double>> later_;  // by split; of each end of the tile, variant and number of replicas
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
