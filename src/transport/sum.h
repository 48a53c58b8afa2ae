// Sums in a fixed order, and what the members of a group must agree on; the same for every backend.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pipedream::detail {

// Sums of one group that may be posted and not yet waited for.
inline constexpr int kPostedSums = 2;

// result = addends[0]; result += addends[1]; ... element by element, in bounded extra memory. Each addend either is
// `result` or shares nothing with it. Without addends the result is zero. All 1-d, contiguous, same size and dtype;
// addends may lie on other devices. Tensors of the
// meta device have nothing to be summed.
void sum_in_order(const std::vector<at::Tensor>& addends, at::Tensor result);

// The weights of the members that are present, added in order of the members.
double sum_weights(const std::vector<double>& weights, const std::vector<bool>& present);

// What one member says about its part of a sum.
struct SumOffer {
  int place;
  std::int64_t elements;
  at::ScalarType dtype;
  std::vector<bool> present;
};

// ConfigError that shows both offers if they differ.
void check_same(const SumOffer& one, const SumOffer& other, const std::vector<int>& members, const std::string& name);

}  // namespace pipedream::detail
