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
    most_steps_ = static_cast<double>(first_from_.size());
    first_from_.resize(first_from_.size() + 3, states.last());
  }

  double steps_per_us() const { return steps_per_us_; }
  double step_of(int state) const { return step_of_[at(state)]; }
  // No state before it has so many steps of compute; a step more or less is on the safe side of any rounding. So is
  // what is no number, as no limit on layers without compute makes it.
  int first_from(double steps) const { return first_from_[at(static_cast<int>(std::max(1.0, steps)) - 1)]; }
  // No state after it has so few.
  int last_until(double steps) const { return first_from_[at(static_cast<int>(std::min(most_steps_, steps)) + 2)]; }

 private:
  double steps_per_us_ = 0;
  double most_steps_ = 0;
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
        limits_memory_(costs.limits_memory()),
        has_floor_(states_.are_ordered() && !options.use_all && costs.grows_with_range()),
        replica_limit_(options.straight ? 1 : options.components) {
    std::size_t size = 0;
    for (int first = 0; first < rows_; ++first) {
      offset_.push_back(size);
      size += at(options.components) * at(states_.count() - first);
    }
    values_.assign(size, kInfinity);
    seeds_.resize(at(rows_) * at(options.components + 1));
    variants_ = limits_memory_ ? options.components + 1 : 1;
    later_.assign(at(kTile * variants_ * replica_limit_) * at(states_.count()), kInfinity);
    times_.resize(at(replica_limit_));
  }

  // A row of values serves several ends before the next one is looked at: the rows together are larger than caches.
  void run() {
    for (int tile = 1; tile <= states_.last(); tile += kTile) {
      const int tile_end = std::min(tile + kTile, states_.count());
      for (int end = tile; end < tile_end; ++end) fill_later(end);
      for (int first = std::min(tile_end - 1, rows_) - 1; first >= 0; --first) {
        for (int end = std::max(tile, first + 1); end < tile_end; ++end) {
          if (states_.nested(first, end)) solve(first, end);
        }
      }
    }
  }

  double value(int first, int end) { return row(first).until(end, options_.components); }

 private:
  // The best split that was found for a row last; a good one for the next range often.
  struct Seed {
    int split = -1;
    int replicas = 1;
  };

  // A(first.., used) of one `first`.
  struct Row {
    int first = 0;
    std::size_t length = 0;
    double* values = nullptr;  // by components used less one, and by end - first

    double* from(int state, int used) const { return values + at(used - 1) * length + at(state - first); }
    double& until(int end, int used) const { return *from(end, used); }
  };
  Row row(int first) { return {first, at(states_.count() - first), values_.data() + offset_[at(first)]}; }

  // Times of last stages that end there, by split; those that memory forbids with `used` components are infinite.
  void fill_later(int end) {
    for (int split = 1; split < end; ++split) {
      const bool is_stage = states_.nested(split, end);
      if (is_stage) costs_.later_stage_times(split, end, replica_limit_, times_.data());
      for (int variant = 0; variant < variants_; ++variant) {
        double* us = later(end, variant, 1) + split;
        for (int replicas = 1; replicas <= replica_limit_; ++replicas) {
          const bool can_be = is_stage && fits(split, end, replicas, options_.components - variant);
          us[at(replicas - 1) * at(states_.count())] = can_be ? times_[at(replicas - 1)] : kInfinity;
        }
      }
    }
  }

  bool fits(int first, int end, int replicas, int after) const {
    return !limits_memory_ || costs_.fits(first, end, replicas, after);
  }

  double* later(int end, int variant, int replicas) {
    const int place = ((end - 1) % kTile * variants_ + variant) * replica_limit_ + replicas - 1;
    return later_.data() + at(place) * at(states_.count());
  }

  // No value is less: a range takes no less than one inside it.
  double floor_us(const Row& row, int end, int used) {
    double floor = 0;
    if (!has_floor_) return floor;
    if (end > row.first + 1) floor = row.until(end - 1, used);
    if (row.first + 1 < std::min(rows_, end)) floor = std::max(floor, this->row(row.first + 1).until(end, used));
    return floor;
  }

  void solve(int first, int end) {
    const Row of = row(first);
    costs_.first_stage_times(first, end, replica_limit_, times_.data());
    for (int used = 1; used <= options_.components; ++used) {
      const bool can_be_one = used <= replica_limit_ && fits(first, end, used, options_.components - used);
      solve(of, end, used, can_be_one ? times_[at(used - 1)] : kInfinity);
    }
  }

  void solve(const Row& row, int end, int used, double best) {
    if (!options_.use_all && used > 1) best = std::min(best, row.until(end, used - 1));
    const double* after_one = later(end, variants_ > 1 ? used : 0, 1);
    Seed& seed = seeds_[at(row.first) * at(options_.components + 1) + at(used)];
    if (seed.split > row.first && seed.split < end) {
      const double before = row.until(seed.split, used - seed.replicas);
      best = std::min(best, std::max(before, after_one[at(seed.replicas - 1) * at(states_.count()) + at(seed.split)]));
    }
    const double floor = floor_us(row, end, used);
    const int most_replicas = std::min(used - 1, replica_limit_);
    Window found;
    double steps = best * steps_per_us_;
    for (int replicas = 1; replicas <= most_replicas && best > floor; ++replicas) {
      const Window window = window_within(row, end, used, replicas, steps);
      if (window.count <= 0) continue;
      const double* after = after_one + at(replicas - 1) * at(states_.count());
      const double better =
          least_of_greater(row.from(window.from, used - replicas), after + window.from, window.count, best);
      // Rare, since the seed is good: then nothing waits for the minimum.
      if (better < best) [[unlikely]] {
        best = better;
        steps = best * steps_per_us_;
        found = window;
      }
    }
    if (found.count > 0) {
      const double* before = row.from(found.from, used - found.replicas);
      const double* after = after_one + at(found.replicas - 1) * at(states_.count()) + found.from;
      int split = 0;
      while (before[split] > best || after[split] > best) ++split;
      seed = {found.from + split, found.replicas};
    }
    row.until(end, used) = best;
  }

  // Splits from which a better one than the best can come.
  struct Window {
    int from = 0;
    int count = 0;
    int replicas = 0;  // of the last stage
  };

  // steps: what one component does of compute in the best.
  Window window_within(const Row& row, int end, int used, int replicas, double steps) const {
    int from = std::max(row.first + 1, index_.first_from(index_.step_of(end) - steps * replicas));
    const int to = std::min(end - 1, index_.last_until(index_.step_of(row.first) + steps * (used - replicas)));
    int count = to - from + 1;
    if (count <= 0) return {};
    // Whole vectors where there are as many splits: those beside the window do no harm.
    const int whole = (count + kLanes - 1) / kLanes * kLanes;
    if (whole <= end - 1 - row.first) {
      count = whole;
      from = std::min(from, end - count);
    }
    return {from, count, replicas};
  }

  const PipelineCosts& costs_;
  const PlanningStates& states_;
  const LevelOptions options_;
  int rows_;
  ComputeIndex index_;
  double steps_per_us_;  // steps of compute that one component does in a microsecond, at most
  bool limits_memory_;
  bool has_floor_;
  int replica_limit_;
  std::vector<std::size_t> offset_;  // of a row in values_
  std::vector<double> values_;
  std::vector<Seed> seeds_;
  int variants_ = 1;           // of later_: as many as components used, where memory is limited
  std::vector<double> later_;  // of each end of the tile, variant and number of replicas: by split
  std::vector<double> times_;  // of one stage, by number of replicas
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
