// The places where a model may be cut: downward-closed sets of its layers (ideals), so that no tensor flows to an
// earlier stage. A stage is the difference of two nested ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "partitioner/layer_set.h"
#include "pipedream/profile.h"

namespace pipedream::detail {

// Bytes that cross a cut, each tensor once, whatever the number of its users.
struct CutBytes {
  std::int64_t forward = 0;
  std::int64_t backward = 0;
};

// State 0 is empty, the last one the whole model. Sorted by compute and then size, so that of nested sets the smaller
// one has the smaller index.
class PlanningStates {
 public:
  // The empty set and the whole model are among the sets, each set once.
  PlanningStates(const Profile& profile, std::vector<LayerSet> sets, std::string contraction);

  int count() const { return static_cast<int>(sets_.size()); }
  int last() const { return count() - 1; }
  // Each is in the next, as in a chain.
  bool are_ordered() const { return are_ordered_; }
  bool nested(int inner, int outer) const {
    return inner < outer && (are_ordered_ || supersets_[static_cast<std::size_t>(inner)].contains(outer));
  }

  // Of a stage [first, end), one microbatch forward and backward.
  double compute_us(int first, int end) const { return compute_us_[index(end)] - compute_us_[index(first)]; }
  double compute_us(int state) const { return compute_us_[index(state)]; }
  std::int64_t parameter_bytes(int first, int end) const {
    return parameter_bytes_[index(end)] - parameter_bytes_[index(first)];
  }
  const CutBytes& cut(int state) const { return cuts_[index(state)]; }

  const LayerSet& set(int state) const { return sets_[index(state)]; }
  // Ascending.
  std::vector<int> layers_between(int first, int end) const;
  // Which layers were kept together so that the states are not too many, for people; empty: none.
  const std::string& contraction() const { return contraction_; }

 private:
  static std::size_t index(int state) { return static_cast<std::size_t>(state); }
  void sort_by_size();
  void sum_along(const Profile& profile);
  void sum_each(const Profile& profile);
  void compare_all();

  std::vector<LayerSet> sets_;
  std::vector<LayerSet> supersets_;  // of each state, as a set of states; none where they are ordered
  bool are_ordered_ = true;
  std::vector<double> compute_us_;
  std::vector<std::int64_t> parameter_bytes_;
  std::vector<CutBytes> cuts_;
  std::string contraction_;
};

// All ideals, at most `most_branching` of them beside as many as there are layers; beyond that, layers of parallel
// branches are kept together (partitioner/contraction.h).
inline constexpr int kMostBranchingStates = 2000;
PlanningStates all_states(const Profile& profile, int most_branching = kMostBranchingStates);

}  // namespace pipedream::detail
