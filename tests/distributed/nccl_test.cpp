// The order in which every algorithm's programs give their messages and sums to NCCL. Without a GPU: what NCCL would
// not stand ends in a deadline, and a wrong or missing wait in a race or in other bits.
#include "simulated/nccl.h"

#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

bool is_plan(const Plan& plan) {
  try {
    validate(plan);
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

}  // namespace

TEST_CASE("every algorithm runs over NCCL", "[nccl]") {
  const TestModel model = branch_model(kRows);
  for (const Algorithm algorithm : all_algorithms()) {
    int runs = 0;
    for (const std::vector<int>& replicas :
         {std::vector<int>{1, 1}, {1, 1, 1, 1}, {2, 1}, {1, 2}, {3, 1}, {2, 3}, {2, 1, 2}, {3}}) {
      ExactnessCase example{.model = model, .plan = even_plan(model.graph, algorithm, replicas)};
      if (!is_plan(example.plan)) continue;
      for (const int delay : {0, 1}) {
        for (StagePlan& stage : example.plan.stages) stage.reduce_delay = stage.replicas() > 1 ? delay : 0;
        if (!is_plan(example.plan)) continue;
        const std::int64_t before = simulated_nccl_operations();
        CHECK(check_in_threads(example) == "");
        CHECK(simulated_nccl_operations() > before);
        ++runs;
      }
    }
    INFO(to_string(algorithm));
    CHECK(runs > 0);
  }
}
