// Plans of the released optimizer's cost model within a bound, on exactly so many components.
//
// From the end of the range to its beginning: which numbers of components can do what comes after a state within the
// bound? With what comes after it a stage knows its memory. From two replicas on more of them are never worse, so a
// replicated stage makes all numbers from some least one on possible, and the least number behind it is the best one;
// stages of one component make the others, one by one. A state takes as many bits as there are components.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "partitioner/compat_costs.h"

namespace pipedream::detail {

struct CompatOptions {
  int components = 1;  // all are used
  bool straight = false;
  int first = 0;  // the range of states
  int end = 0;
};

class CompatSearch {
 public:
  CompatSearch(const CompatCosts& costs, const CompatOptions& options);

  // Empty: there is none.
  std::optional<std::vector<FoundStage>> plan_within(double bound_us);

 private:
  // Numbers of components.
  class Counts {
   public:
    void clear(int components);
    bool is_empty() const { return least_ < 0; }
    int least() const { return least_; }
    bool contains(int count) const;
    void add(int count);
    void add_from(int count, int most);
    // Those of another, up to `most_before`, with one more each.
    void add_one_more(const Counts& other, int most_before);

   private:
    std::vector<std::uint64_t> words_;
    int least_ = -1;
  };

  struct Replicated {
    int components = 0;  // from the state on, at least, when a stage with replicas begins there; more than any: never
    int end = 0;         // of that stage
  };
  static constexpr int kBlock = 64;

  void cover_from(int first);
  void add_singles(int first, int most);
  Replicated best_replicated(int first, int most) const;
  void note_need(int state);
  int greatest_after_single(int first, int end, int most) const;
  int components_with(int first, int end, int most) const;
  std::optional<FoundStage> first_stage() const;
  FoundStage stage_from(int first, int components) const;
  std::vector<FoundStage> plan_from(const FoundStage& first) const;
  bool can_follow(int first, int end) const;

  Counts& counts(int state) { return counts_[static_cast<std::size_t>(state - options_.first)]; }
  const Counts& counts(int state) const { return counts_[static_cast<std::size_t>(state - options_.first)]; }

  const CompatCosts& costs_;
  const PlanningStates& states_;
  const CompatOptions options_;
  double slack_us_;
  double bound_us_ = 0;
  std::vector<Counts> counts_;    // by state of the range: components of what comes after it
  std::vector<double> least_us_;  // by state of the whole model: compute / workers below
  std::vector<double> parameter_us_;
  // Of a state of the range, in microseconds of all its components: compute and half the reduction of all before it,
  // and the components of what comes after it. With what a stage begins with subtracted, no less is needed from there
  // on when it is replicated and ends here. Infinite: cannot be done.
  std::vector<double> need_us_;
  std::vector<double> block_need_us_;   // the least of kBlock successive ones
  std::vector<Replicated> replicated_;  // by state of the range
};

// The least bottleneck of the whole model; empty: no plan.
std::optional<std::vector<FoundStage>> fastest_compat(const CompatCosts& costs, const CompatOptions& options);

}  // namespace pipedream::detail
