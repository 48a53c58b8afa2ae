#include "partitioner/paper_search.h"

#include <cmath>

namespace pipedream::detail {
namespace {

// The greatest c with c / replicas <= bound_us.
double greatest_component_us(double bound_us, int replicas) {
  double us = bound_us * replicas;
  if (std::isinf(us)) return us;
  while (us / replicas > bound_us) us = std::nextafter(us, 0);
  for (double more = std::nextafter(us, kInfinity); more / replicas <= bound_us;
       more = std::nextafter(more, kInfinity)) {
    us = more;
  }
  return us;
}

}  // namespace

struct PaperSearch::Answer {
  InnerOut inner;
  std::unique_ptr<PaperPass> pass;
};

PaperSearch::PaperSearch(std::vector<PaperLevel> levels, const PaperOptions& options, StageMemory* memory)
    : levels_(std::move(levels)), options_(options), memory_(memory) {}

PaperSearch::~PaperSearch() = default;

PaperSearch::Question PaperSearch::inside(const Question& around, const FoundStage& stage, int out) const {
  // With memory one pass serves all ranges with the same end; without, only few ranges are ever asked for.
  return {.level = around.level - 1,
          .begin = memory_ ? -1 : stage.first,
          .end = stage.end,
          .copies = around.copies * stage.replicas,
          .out = out,
          .bound_us = greatest_component_us(around.bound_us, stage.replicas)};
}

const PaperPass& PaperSearch::pass(const Question& question) {
  std::unique_ptr<Answer>& answer = answers_[question];
  if (!answer) {
    answer = std::make_unique<Answer>();
    if (memory_ && question.level > 0) {
      answer->inner = [this, question](const FoundStage& stage, int out) {
        return pass(inside(question, stage, out)).least_out(stage.first);
      };
    }
    const PaperLevel& level = levels_[static_cast<std::size_t>(question.level)];
    const PaperPassOptions options{.components = level.components,
                                   .straight = options_.straight,
                                   .use_all = options_.use_all,
                                   .begin = question.begin,
                                   .end = question.end,
                                   .copies = question.copies,
                                   .out = question.out,
                                   .bound_us = question.bound_us};
    answer->pass = std::make_unique<PaperPass>(*level.costs, options, memory_, answer->inner);
  }
  return *answer->pass;
}

std::vector<FoundStage> PaperSearch::stages(const Question& question, int first) {
  const PaperPass& asked = pass(question);
  std::vector<FoundStage> result = asked.stages_from(first);
  if (question.level == 0) return result;
  const std::vector<int> out_after = asked.out_after(first);
  for (std::size_t s = 0; s < result.size(); ++s) {
    result[s].inner = stages(inside(question, result[s], out_after[s]), result[s].first);
  }
  return result;
}

std::optional<std::vector<FoundStage>> PaperSearch::plan_within(double bound_us) {
  answers_.clear();
  const int outermost = static_cast<int>(levels_.size()) - 1;
  const int last = levels_.front().costs->states().last();
  std::vector<FoundStage> plan = stages({outermost, 0, last, 1, 0, bound_us}, 0);
  if (plan.empty()) return std::nullopt;
  return plan;
}

}  // namespace pipedream::detail
