#include "partitioner/pipeline_costs.h"

#include <algorithm>

namespace pipedream::detail {

double bottleneck_us(const PipelineCosts& costs, const std::vector<FoundStage>& stages) {
  double worst = 0;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const FoundStage& stage = stages[s];
    worst = std::max(worst, s == 0 ? costs.first_stage_us(stage.first, stage.end, stage.replicas)
                                   : costs.later_stage_us(stage.first, stage.end, stage.replicas));
  }
  return worst;
}

}  // namespace pipedream::detail
