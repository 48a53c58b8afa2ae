#include "partitioner/dapple_latency.h"

#include <algorithm>

namespace pipedream::detail {
namespace {

// Sums that differ by rounding alone are equal, so that it does not depend on the order of additions which is the
// pivot.
constexpr double kRounding = 1e-9;

std::size_t pivot_of(std::span<const DappleStage> stages, double rounds) {
  std::size_t pivot = stages.size() - 1;
  double between_us = 0;
  for (std::size_t s = pivot; s-- > 0;) {
    const double pivot_us = stages[pivot].forward_us + stages[pivot].backward_us;
    const double us = stages[s].forward_us + stages[s].backward_us;
    if (rounds * us > (rounds * pivot_us + between_us) * (1 + kRounding)) {
      pivot = s;
      between_us = 0;
    } else {
      between_us += us;
    }
  }
  return pivot;
}

}  // namespace

double dapple_latency_us(std::span<const DappleStage> stages, std::int64_t microbatches) {
  const auto rounds = static_cast<double>(microbatches - 1);
  const std::size_t pivot = pivot_of(stages, rounds);
  double warm_up_us = 0;
  for (std::size_t s = 0; s <= pivot; ++s) warm_up_us += stages[s].forward_us;
  const double steady_us = rounds * (stages[pivot].forward_us + stages[pivot].backward_us);
  double end_us = 0;
  double back_us = 0;
  for (std::size_t s = pivot + 1; s-- > 0;) {
    back_us += stages[s].backward_us;
    end_us = std::max(end_us, stages[s].allreduce_us + back_us);
  }
  back_us = stages[pivot].backward_us;
  for (std::size_t s = pivot + 1; s < stages.size(); ++s) {
    back_us += stages[s].backward_us;
    end_us = std::max(end_us, stages[s].allreduce_us - back_us);
  }
  return warm_up_us + steady_us + end_us;
}

}  // namespace pipedream::detail
