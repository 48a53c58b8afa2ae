#include "compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

namespace pipedream::testing {

std::string difference(const torch::Tensor& actual, const torch::Tensor& expected) {
  if (actual.defined() != expected.defined()) return actual.defined() ? "should be undefined" : "is undefined";
  if (!actual.defined()) return "";
  if (actual.scalar_type() != expected.scalar_type()) return "differs in dtype";
  if (actual.sizes() != expected.sizes()) {
    return fmt::format("has shape [{}], not [{}]", fmt::join(actual.sizes(), ", "), fmt::join(expected.sizes(), ", "));
  }
  const torch::Tensor a = actual.detach().to(torch::kCPU).contiguous();
  const torch::Tensor b = expected.detach().to(torch::kCPU).contiguous();
  const auto* a_bytes = static_cast<const char*>(a.const_data_ptr());
  const auto* b_bytes = static_cast<const char*>(b.const_data_ptr());
  const std::size_t item = a.element_size();
  std::int64_t count = 0;
  std::int64_t first = -1;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i) * item;
    if (std::memcmp(a_bytes + at, b_bytes + at, item) == 0) continue;
    if (++count == 1) first = i;
  }
  if (count == 0) return "";
  return fmt::format("differs in {} of {} elements, first at {}: {:.9g}, not {:.9g}", count, a.numel(), first,
                     a.flatten()[first].item<double>(), b.flatten()[first].item<double>());
}

std::string difference(const Tensors& actual, const Tensors& expected) {
  if (actual.size() != expected.size()) return fmt::format("{} tensors, not {}", actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const std::string found = difference(actual[i], expected[i]);
    if (!found.empty()) return fmt::format("tensor {} {}", i, found);
  }
  return "";
}

std::string difference(const NamedTensors& actual, const NamedTensors& expected) {
  for (const auto& [name, tensor] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) return fmt::format("'{}' is missing", name);
    const std::string text = difference(found->second, tensor);
    if (!text.empty()) return fmt::format("'{}' {}", name, text);
  }
  for (const auto& [name, tensor] : actual) {
    if (expected.count(name) == 0) return fmt::format("'{}' should not be there", name);
  }
  return "";
}

std::string difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  if (actual.size() != expected.size()) return fmt::format("{} losses, not {}", actual.size(), expected.size());
  for (std::size_t k = 0; k < actual.size(); ++k) {
    if (std::memcmp(&actual[k], &expected[k], sizeof(float)) != 0) {
      return fmt::format("loss of microbatch {} is {:.9g}, not {:.9g}", k, actual[k], expected[k]);
    }
  }
  return "";
}

}  // namespace pipedream::testing
