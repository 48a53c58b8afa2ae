// What a training algorithm keeps beside the weights, for predictions of memory.
#pragma once

namespace pipedream {

// Bytes per byte of parameters. An optimizer's factor alone (state_factor() of its spec) converts to this.
struct StateFactors {
  StateFactors() = default;
  StateFactors(double of_optimizer, double of_corrections = 0) : optimizer(of_optimizer), corrections(of_corrections) {}

  double optimizer = 1;    // SGD 0, momentum 1, Adam 2
  double corrections = 0;  // DelayCorrectionSpec::state_factor; only of stages with an update_delay
};

}  // namespace pipedream
