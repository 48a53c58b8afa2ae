#include "transport/sum.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"

namespace pipedream::detail {

namespace {

// Elements summed at a time: on the CPU the partial sum stays in the cache, elsewhere each block costs some launches.
std::int64_t block_size(const at::Tensor& result) { return result.is_cpu() ? 1 << 14 : 1 << 24; }

std::string to_string(const SumOffer& offer, const std::vector<int>& members) {
  std::string present;
  for (const bool is_present : offer.present) present += is_present ? '1' : '0';
  return fmt::format("worker {}: {} elements of {}, present {}", members[static_cast<std::size_t>(offer.place)],
                     offer.elements, c10::toString(offer.dtype), present);
}

}  // namespace

void sum_in_order(const std::vector<at::Tensor>& addends, at::Tensor result) {
  if (result.is_meta()) return;
  if (addends.empty()) {
    result.zero_();
    return;
  }
  if (result.numel() == 0) return;
  // The result may be one of the later addends, so it is written only when a block is complete.
  const bool in_place = addends.front().is_same(result) || addends.front().data_ptr() == result.data_ptr();
  const std::int64_t block = block_size(result);
  const at::Tensor scratch = in_place ? at::Tensor() : at::empty({std::min(block, result.numel())}, result.options());
  for (std::int64_t begin = 0; begin < result.numel(); begin += block) {
    const std::int64_t size = std::min(block, result.numel() - begin);
    at::Tensor target = result.narrow(0, begin, size);
    at::Tensor partial = in_place ? target : scratch.narrow(0, 0, size);
    if (!in_place) partial.copy_(addends.front().narrow(0, begin, size));
    for (std::size_t i = 1; i < addends.size(); ++i) {
      partial.add_(addends[i].narrow(0, begin, size).to(partial.device(), /*non_blocking=*/true));
    }
    if (!in_place) target.copy_(partial);
  }
}

double sum_weights(const std::vector<double>& weights, const std::vector<bool>& present) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (present[i]) sum += weights[i];
  }
  return sum;
}

void check_same(const SumOffer& one, const SumOffer& other, const std::vector<int>& members, const std::string& name) {
  if (one.elements == other.elements && one.dtype == other.dtype && one.present == other.present) return;
  throw ConfigError(
      fmt::format("{}: the members differ: {}; {}", name, to_string(one, members), to_string(other, members)));
}

}  // namespace pipedream::detail
