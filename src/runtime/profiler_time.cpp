#include "runtime/profiler_time.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>

#include "runtime/time_point.h"

namespace pipedream::detail {
namespace {

// What taking a time point adds to the time between two.
double stamp_cost_us(torch::Device device) {
  constexpr int kPairs = 1000;
  std::vector<TimePoint> points;
  points.reserve(kPairs + 1);
  for (int i = 0; i <= kPairs; ++i) points.push_back(TimePoint::now(device));
  points.back().synchronize();
  double least = 1e9;
  for (int i = 0; i < kPairs; ++i) least = std::min(least, points[i + 1].microseconds_since(points[i]));
  return least;
}

// A layer may write its inputs.
Tensors copies(const Tensors& data) {
  Tensors slots = data;
  for (torch::Tensor& tensor : slots) {
    if (tensor.defined()) tensor = tensor.clone();
  }
  return slots;
}

// Times of one run: of all layers forward, of all layers backward.
using Sample = std::vector<double>;

class StampedRun {
 public:
  StampedRun(const ProfiledModel& model, double stamp_cost)
      : model_(model), stamp_cost_us_(stamp_cost), ready_(model.layers().size()) {
    forward_.reserve(2 * model.layers().size());
  }

  void forward(Tensors& slots) {
    for (std::size_t l = 0; l < model_.layers().size(); ++l) {
      const ProfiledLayer& layer = model_.layers()[l];
      forward_.push_back(now());
      {
        Tensors outputs = model_.run(layer, ProfiledModel::inputs_of(layer, slots));
        for (std::size_t i = 0; i < outputs.size(); ++i) slots[layer.outputs[i]] = std::move(outputs[i]);
        for (const std::size_t slot : layer.last_uses) slots[slot].reset();
      }
      forward_.push_back(now());
      for (const std::size_t slot : layer.outputs) stamp_when_ready(slots[slot], l);
    }
  }

  void backward(const torch::Tensor& loss, const Tensors& parameters) {
    backward_.push_back(now());
    const Tensors gradients = torch::autograd::grad({loss}, parameters);
    backward_.push_back(now());
  }

  // Waits for the device, once.
  Sample sample() const {
    (backward_.empty() ? forward_ : backward_).back().synchronize();
    const std::size_t layers = model_.layers().size();
    Sample times(2 * layers);
    for (std::size_t l = 0; l < layers; ++l) {
      times[l] = std::max(forward_[2 * l + 1].microseconds_since(forward_[2 * l]) - stamp_cost_us_, 0.0);
    }
    if (backward_.empty()) return times;
    const TimePoint* from = &backward_.front();
    std::size_t layer = layers - 1;
    for (std::size_t earlier = layer; earlier-- > 0;) {
      if (!ready_[earlier]) continue;
      const double us = ready_[earlier]->microseconds_since(*from);
      if (us > 0) {
        times[layers + layer] = us;
        from = &*ready_[earlier];
      }
      layer = earlier;
    }
    times[layers + layer] = backward_.back().microseconds_since(*from);
    return times;
  }

 private:
  TimePoint now() const { return TimePoint::now(model_.device()); }

  // A device's backward runs on a thread of its own, which several workers may share: hooks do not wait. There the
  // current stream is that of the forward. The CPU's part of such a backward runs on this thread, perhaps meanwhile,
  // and is not stamped.
  void stamp_when_ready(const torch::Tensor& output, std::size_t layer) {
    if (!output.requires_grad() || output.device().type() != model_.device().type()) return;
    output.register_hook([this, layer](const torch::Tensor&) {
      if (!ready_[layer]) ready_[layer] = now();
    });
  }

  const ProfiledModel& model_;
  double stamp_cost_us_;
  std::vector<TimePoint> forward_;   // the start and the end of every layer
  std::vector<TimePoint> backward_;  // its start and its end, where there is one
  std::vector<std::optional<TimePoint>> ready_;
};

Sample stamped_sample(const ProfiledModel& model, const Tensors& data, const Tensors& parameters, double stamp_cost) {
  StampedRun run(model, stamp_cost);
  Tensors slots = copies(data);
  run.forward(slots);
  if (!parameters.empty()) run.backward(slots[model.loss_slot()], parameters);
  return run.sample();
}

// Times of one run: the whole forward, the whole backward.
Sample whole_sample(const ProfiledModel& model, const Tensors& data, const Tensors& parameters) {
  Tensors slots = copies(data);
  const TimePoint start = TimePoint::now(model.device());
  model.forward(slots);
  const TimePoint middle = TimePoint::now(model.device());
  Tensors gradients;
  if (!parameters.empty()) gradients = torch::autograd::grad({slots[model.loss_slot()]}, parameters);
  const TimePoint end = TimePoint::now(model.device());
  end.synchronize();
  return {middle.microseconds_since(start), end.microseconds_since(middle)};
}

using Clock = std::chrono::steady_clock;

// A barrier; what it returns is the same everywhere: the longest time since the start.
double seconds_so_far(Communicator& comm, Clock::time_point start) {
  const double mine = std::chrono::duration<double>(Clock::now() - start).count();
  double longest = mine;
  for (const std::string& bytes : comm.all_gather({reinterpret_cast<const char*>(&mine), sizeof mine})) {
    double other = 0;
    std::memcpy(&other, bytes.data(), sizeof other);
    longest = std::max(longest, other);
  }
  return longest;
}

std::vector<double> medians(const std::vector<Sample>& samples, std::size_t skipped) {
  std::vector<double> result;
  for (std::size_t column = 0; column < samples.front().size(); ++column) {
    std::vector<double> values;
    for (std::size_t row = skipped; row < samples.size(); ++row) values.push_back(samples[row][column]);
    result.push_back(median(std::move(values)));
  }
  return result;
}

}  // namespace

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

ModelTimes measure_times(const ProfiledModel& model, const Tensors& data, Communicator& comm,
                         const TimeOptions& options) {
  const Tensors parameters = model.trained_parameters();
  const double stamp_cost = stamp_cost_us(model.device());
  const int least = std::min(options.warmup, 1) + std::min(options.repetitions, 3);
  std::vector<Sample> stamped;
  std::vector<Sample> whole;
  const Clock::time_point start = Clock::now();
  for (int run = 0; run < options.warmup + options.repetitions; ++run) {
    if (seconds_so_far(comm, start) > options.seconds && run >= least) break;
    stamped.push_back(stamped_sample(model, data, parameters, stamp_cost));
    comm.barrier();
    whole.push_back(whole_sample(model, data, parameters));
    comm.note_progress();
  }
  // A measurement cut short has had its first run as warm-up, at least.
  const int left = static_cast<int>(stamped.size()) - std::min(options.repetitions, 3);
  const auto skipped = static_cast<std::size_t>(std::min(options.warmup, left));
  const std::vector<double> layers = medians(stamped, skipped);
  const std::vector<double> all = medians(whole, skipped);
  const auto half = layers.begin() + static_cast<std::ptrdiff_t>(layers.size() / 2);
  return {{layers.begin(), half}, {half, layers.end()}, all[0], all[1]};
}

}  // namespace pipedream::detail
