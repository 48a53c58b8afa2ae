// The host's copies of data that were sent to a device, for losses and metrics that look at their targets.
#pragma once

#include <torch/types.h>

#include "pipedream/layer_graph.h"

namespace pipedream::detail {

// While it lives, on_host finds `host` for `tensors`, one by one, in this thread. Both outlive it. Empty on the CPU.
class HostCopyScope {
 public:
  HostCopyScope(const Tensors& tensors, const Tensors& host);
  ~HostCopyScope();
  HostCopyScope(const HostCopyScope&) = delete;
  HostCopyScope& operator=(const HostCopyScope&) = delete;

  // Undefined where there is none.
  static torch::Tensor find(const torch::Tensor& tensor);

 private:
  const Tensors& tensors_;
  const Tensors& host_;
  const HostCopyScope* outer_;
};

}  // namespace pipedream::detail
