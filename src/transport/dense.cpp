#include "transport/dense.h"

#include <fmt/format.h>

#include <sstream>

#include "pipedream/error.h"

namespace pipedream::detail {

namespace {

// Conjugation and negation may be pending as a flag of the tensor, which the bytes of the storage do not show. A tensor
// that is plain already is not passed through LibTorch's dispatcher, which would take longer than a small message.
at::Tensor plain(const at::Tensor& tensor, const std::string& owner) {
  if (tensor.layout() != at::kStrided || tensor.is_quantized()) {
    std::ostringstream kind;
    kind << tensor.layout() << ' ' << tensor.dtype();
    throw ConfigError(fmt::format("{}: cannot send a tensor of kind {}", owner, kind.str()));
  }
  if (!tensor.requires_grad() && !tensor.is_conj() && !tensor.is_neg()) return tensor;
  return tensor.detach().resolve_conj().resolve_neg();
}

}  // namespace

at::Tensor dense(const at::Tensor& tensor, const std::string& owner) {
  at::Tensor result = plain(tensor, owner);
  if (result.is_non_overlapping_and_dense()) return result;
  return result.clone(at::MemoryFormat::Preserve);
}

at::Tensor dense_copy(const at::Tensor& tensor, const std::string& owner) {
  if (!tensor.defined()) return {};
  return plain(tensor, owner).clone(at::MemoryFormat::Preserve);
}

}  // namespace pipedream::detail
