// One pass of the search in partitioner/paper_search.h: how the states from each `first` on to one `end` can be
// covered.
#pragma once

#include <functional>
#include <vector>

#include "partitioner/paper_costs.h"
#include "partitioner/stage_memory.h"

namespace pipedream::detail {

// What a stage of an outer level asks of the level below: [first, end) with its replicas, and the microbatches that
// what comes after has out. Answers how many are out in front of it, at least; -1: it cannot be.
using InnerOut = std::function<int(const FoundStage& stage, int out)>;

struct PaperPassOptions {
  int components = 1;
  bool straight = false;
  bool use_all = false;
  int begin = -1;  // of the only range that is asked for; -1: any
  int end = 0;
  int copies = 1;  // replicas of all stages around
  int out = 0;     // microbatches that what comes after has out
  double bound_us = 0;
};

class PaperPass {
 public:
  // `memory` may be null, `inner` is used with it on outer levels alone. Both must outlive the pass.
  PaperPass(const PaperCosts& costs, const PaperPassOptions& options, StageMemory* memory, const InnerOut& inner);

  // The stages of the range from `first` on: fewest microbatches out, then components, then stages; without memory
  // fewest components first. Empty: it cannot be covered.
  std::vector<FoundStage> stages_from(int first) const;
  // Microbatches out in front of them; -1: it cannot be covered.
  int least_out(int first) const;
  // Of each of the stages: microbatches that what comes after has out.
  std::vector<int> out_after(int first) const;

 private:
  // How the states from some `first` on can be covered.
  struct Cover {
    int components = 0;
    int out = 0;  // r (w + 1) of its first stage, 0 where memory does not count
    int stages = 0;
    int end = 0;  // of its first stage
    int replicas = 0;
    int next = 0;  // index among the covers from `end` on
  };

  void cover_from(int first);
  void add_stage(int first, int end, int needed, const Cover& later, int index);
  void keep_if_better(const Cover& cover);
  void collect(std::vector<Cover>& covers) const;
  const Cover* best_from(int first) const;
  // Without a memory limit and with idle components allowed, nothing speaks for more of them than needed.
  bool fewest_suffice() const { return !memory_ && !options_.use_all; }
  int out_before(const FoundStage& stage, int out) const;

  std::vector<Cover>& covers(int state) { return covers_[static_cast<std::size_t>(state)]; }
  const std::vector<Cover>& covers(int state) const { return covers_[static_cast<std::size_t>(state)]; }

  const PaperCosts& costs_;
  const PlanningStates& states_;
  const PaperPassOptions options_;
  StageMemory* memory_;
  const InnerOut& inner_;
  std::vector<std::vector<Cover>> covers_;  // by first state, ascending in components
  // By first state: the fewest components of a cover that a stage may come before; more than any: there is none.
  std::vector<int> fewest_;
  // While the covers of one state are made:
  std::vector<std::vector<Cover>> by_components_;
  std::vector<char> keeps_bound_;  // the stage, by replicas beyond those needed
  int fewest_allowed_ = 0;
  int most_ = 0;
};

}  // namespace pipedream::detail
