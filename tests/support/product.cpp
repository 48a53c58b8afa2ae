#include "support/product.h"

namespace pipedream::testing {
namespace {

std::vector<Plan> plans_of(const LayerGraph& graph, Algorithm algorithm, int workers) {
  const AlgorithmTraits traits = traits_of(algorithm);
  if (algorithm == Algorithm::data_parallel) return {single_stage_plan(graph.layer_names(), workers, algorithm)};
  if (traits.shares_workers) return {interleaved_plan(graph, workers, 2, 2 * workers)};
  if (algorithm == Algorithm::model_parallel || workers == 2) {
    return {even_plan(graph, algorithm, std::vector<int>(static_cast<std::size_t>(workers), 1))};
  }
  return {even_plan(graph, algorithm, {2, 1})};
}

void add_cases(std::vector<ExactnessCase>& cases, Algorithm algorithm, int workers, std::int64_t rows) {
  const TestModel model = conv_model(rows);
  for (const Plan& plan : plans_of(model.graph, algorithm, workers)) {
    for (const OptimizerSpec& optimizer :
         {sgd({.learning_rate = 0.05}), sgd({.learning_rate = 0.05, .momentum = 0.9}), adam({.learning_rate = 0.01})}) {
      for (const bool recompute : {false, true}) {
        if (recompute && traits_of(algorithm).overwrites) continue;
        ExactnessCase& added =
            cases.emplace_back(ExactnessCase{.model = model, .plan = plan, .optimizer = optimizer, .segments = {8, 5}});
        for (StagePlan& stage : added.plan.stages) stage.recompute = recompute;
        if (algorithm == Algorithm::pipemare) added.corrections = {.t1 = true, .annealing_microbatches = 6, .t2 = true};
      }
    }
  }
}

}  // namespace

std::vector<ExactnessCase> product_cases(int workers) {
  constexpr std::int64_t kEvenRows = 24;
  std::vector<ExactnessCase> cases;
  for (const Algorithm algorithm : all_algorithms()) {
    for (const std::int64_t rows : {kRows, kEvenRows}) add_cases(cases, algorithm, workers, rows);
  }
  return cases;
}

std::vector<Mutation> twins_of(const ExactnessCase& example) {
  std::vector<Mutation> mutations{Mutation::wrong_seed};
  const AlgorithmTraits traits = traits_of(example.plan.algorithm);
  if (!traits.flushes && !traits.overwrites) mutations.push_back(Mutation::newer_version);
  if (example.plan.algorithm == Algorithm::pipemare) mutations.push_back(Mutation::no_correction);
  return mutations;
}

}  // namespace pipedream::testing
