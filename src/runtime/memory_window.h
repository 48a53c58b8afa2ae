// The memory that a worker's trainer holds while its pipeline is first full: weights, optimizer, activations, messages,
// and the data of the microbatches in flight.
//
// Measured from the trainer's construction, but for the pass that tries its layers, to a microbatch by which everything
// that is allocated once is there and the pipeline has been as full as it gets; counting on would only cost time. Data
// that is fetched ahead counts when it is used. One thread, but for helpers.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/memory_meter.h"

namespace pipedream::detail {

class MemoryWindow {
 public:
  // Ends the measurement of this call when the call ends, however it does.
  class Opening {
   public:
    explicit Opening(MemoryWindow& window) : window_(window) {}
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;
    ~Opening() { window_.close(); }

   private:
    MemoryWindow& window_;
  };

  // Until start(), nothing is measured.
  void start(c10::Device device);
  // While the trainer is built.
  [[nodiscard]] Opening open();
  // For the first train call; closes before microbatch `end` of it. No-op in later ones. reset(): what counts begins
  // here.
  [[nodiscard]] Opening open_training(std::int64_t end);

  void reset() {
    if (open_) meter_->reset_peak();
  }
  // Memory that came from another thread is this worker's from now on. Where nothing is measured, nothing happens.
  void take(const std::vector<torch::Tensor>& tensors);
  void before_forward(std::int64_t microbatch) {
    if (microbatch >= end_) close();
  }

  // For a thread that allocates what this worker takes later; nothing while nothing is measured. Any thread.
  std::optional<MemoryMeter::Scope> scope_of_helper();

  // The greatest while training; 0 where it was not measured.
  std::int64_t peak_bytes() const { return trained_ ? meter_->peak_bytes() : 0; }

 private:
  void close() {
    open_ = false;
    scope_.reset();
  }

  std::optional<MemoryMeter> meter_;
  std::optional<MemoryMeter> helpers_;  // what they have allocated and nobody has taken
  std::atomic<bool> open_{false};
  std::optional<MemoryMeter::Scope> scope_;
  std::int64_t end_ = 0;
  bool trained_ = false;
};

}  // namespace pipedream::detail
