#include "runtime/memory_window.h"

#include <limits>

namespace pipedream::detail {

void MemoryWindow::start(c10::Device device) {
  meter_.emplace(device);
  helpers_.emplace(device);
}

MemoryWindow::Opening MemoryWindow::open() {
  end_ = std::numeric_limits<std::int64_t>::max();
  if (meter_) scope_.emplace(*meter_);
  return Opening(*this);
}

MemoryWindow::Opening MemoryWindow::open_training(std::int64_t end) {
  if (meter_ && !trained_) {
    scope_.emplace(*meter_);
    meter_->reset_peak();
    trained_ = true;
    open_ = true;
    end_ = end;
  }
  return Opening(*this);
}

void MemoryWindow::take(const std::vector<torch::Tensor>& tensors) {
  if (!open_) return;
  for (const torch::Tensor& tensor : tensors) {
    if (tensor.defined() && tensor.has_storage()) meter_->adopt(tensor);
  }
}

std::optional<MemoryMeter::Scope> MemoryWindow::scope_of_helper() {
  if (!open_) return std::nullopt;
  return std::optional<MemoryMeter::Scope>(std::in_place, *helpers_);
}

}  // namespace pipedream::detail
