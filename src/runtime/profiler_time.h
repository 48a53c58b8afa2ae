// How long each layer's forward and backward take inside a run of the whole model.
//
// The whole model runs again and again, forward and backward, once with a stamp between layers and once without. In
// place, layers find caches and the allocator as they do in training, and the cost of starting a backward, which a run
// pays once for a stage, is not paid for every layer. Stamps of the backward are taken when the gradient of a layer's
// output is ready: autograd works off later layers before earlier ones, so the time until the next layer's stamp is the
// layer's own.
//
// A stamp is a TimePoint. Those of a device are read when the run is over: one wait for the device after each run, none
// inside it.
#pragma once

#include <vector>

#include "pipedream/communicator.h"
#include "runtime/profiled_model.h"

namespace pipedream::detail {

struct TimeOptions {
  int warmup = 0;
  int repetitions = 1;
  double seconds = 0;  // no new repetition after this long, past the third
};

// Medians over the repetitions, microseconds.
struct ModelTimes {
  std::vector<double> forward_us;  // by layer
  std::vector<double> backward_us;
  double whole_forward_us = 0;  // in the runs without stamps
  double whole_backward_us = 0;
};

// Collective: all workers start every run together and make the same number of them.
ModelTimes measure_times(const ProfiledModel& model, const Tensors& data, Communicator& comm,
                         const TimeOptions& options);

// The middle value, or the mean of the two in the middle.
double median(std::vector<double> values);

}  // namespace pipedream::detail
