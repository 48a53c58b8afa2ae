// Plans of the paper's cost model within a bound, on all levels of the topology.
//
// It solves the recurrence of a level without tabulating it: for a bound T, the least components that cover the states
// from `first` on within T follow from one pass over its first stages. A pass costs O(N^2), and less where components
// are scarce.
//
// Going from the last stage to the first, the depth w of a stage follows from what lies behind it alone, so a memory
// limit under the default depths is exact too: what is covered is known by (first state, components, r (w + 1)
// microbatches out), and fewer out is never worse. The stages inside a replicated one of an outer level have as many
// replicas each, so there a pass of the inner level says how few can be out.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "partitioner/paper_pass.h"

namespace pipedream::detail {

struct PaperLevel {
  const PaperCosts* costs = nullptr;
  int components = 1;
};

struct PaperOptions {
  bool straight = false;  // one replica a stage, on all levels
  bool use_all = false;   // exactly as many components as there are, else at most
};

class PaperSearch {
 public:
  // Innermost level first. `memory` may be null, else it must outlive the search.
  PaperSearch(std::vector<PaperLevel> levels, const PaperOptions& options, StageMemory* memory);
  ~PaperSearch();
  PaperSearch(const PaperSearch&) = delete;
  PaperSearch& operator=(const PaperSearch&) = delete;

  // Of the whole model on the outermost level. Fewest components, then fewest stages, then the shortest first stage;
  // the same for the inside of each stage. Empty: there is none.
  std::optional<std::vector<FoundStage>> plan_within(double bound_us);

 private:
  struct Question {
    int level;
    int begin;
    int end;
    int copies;
    int out;
    double bound_us;
    auto operator<=>(const Question&) const = default;
  };
  struct Answer;

  const PaperPass& pass(const Question& question);
  // What the replicas of a stage may take for it, so that the stage keeps the bound.
  Question inside(const Question& around, const FoundStage& stage, int out) const;
  std::vector<FoundStage> stages(const Question& question, int first);

  std::vector<PaperLevel> levels_;
  PaperOptions options_;
  StageMemory* memory_;
  std::map<Question, std::unique_ptr<Answer>> answers_;
};

}  // namespace pipedream::detail
