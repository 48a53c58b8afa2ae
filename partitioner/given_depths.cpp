#include "partitioner/given_depths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pipedream/error.h"

namespace pipedream {
namespace {

void set(Plan& plan, int StagePlan::*depth, const std::vector<int>& given, const char* option) {
  if (given.empty()) return;
  const std::size_t stages = plan.stages.size();
  if (given.size() != stages) {
    throw ConfigError(fmt::format("{} {}: one for each of the {} stages of the plan is needed, found {}", option,
                                  fmt::join(given, ","), stages, given.size()));
  }
  for (std::size_t s = 0; s < stages; ++s) plan.stages[s].*depth = given[s];
}

}  // namespace

void set_depths(Plan& plan, const GivenDepths& given) {
  set(plan, &StagePlan::warmup, given.warmup, "--warmup");
  set(plan, &StagePlan::reduce_delay, given.reduce_delay, "--reduce-delay");
}

bool asks_for_simulated_depths(std::string_view depths, CostModel model) {
  if (model != CostModel::simulated) return depths == "simulated";
  if (depths == "least") {
    throw ConfigError("--depths least: the cost model simulated chooses depths itself; plans of --cost-model " +
                      std::string(to_string(CostModel::pipedream)) + " have the least ones");
  }
  return false;
}

}  // namespace pipedream
