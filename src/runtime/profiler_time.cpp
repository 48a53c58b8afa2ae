#include "runtime/profiler_time.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>

namespace pipedream::detail {
namespace {

using Clock = std::chrono::steady_clock;
using Stamp = Clock::time_point;

double microseconds(Stamp from, Stamp to) { return std::chrono::duration<double, std::micro>(to - from).count(); }

// What reading the clock adds to an interval between two stamps.
double stamp_cost_us() {
  double least = 1e9;
  for (int i = 0; i < 1000; ++i) {
    const Stamp first = Clock::now();
    least = std::min(least, microseconds(first, Clock::now()));
  }
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

class StampedRun {
 public:
  StampedRun(const ProfiledModel& model, double stamp_cost)
      : model_(model),
        stamp_cost_us_(stamp_cost),
        forward_us(model.layers().size()),
        backward_us(model.layers().size()),
        ready_(model.layers().size()) {}

  void forward(Tensors& slots) {
    std::fill(ready_.begin(), ready_.end(), std::nullopt);
    for (std::size_t l = 0; l < model_.layers().size(); ++l) {
      const ProfiledLayer& layer = model_.layers()[l];
      const Stamp start = Clock::now();
      {
        Tensors outputs = model_.run(layer, ProfiledModel::inputs_of(layer, slots));
        for (std::size_t i = 0; i < outputs.size(); ++i) slots[layer.outputs[i]] = std::move(outputs[i]);
        for (const std::size_t slot : layer.last_uses) slots[slot].reset();
      }
      forward_us[l] = std::max(microseconds(start, Clock::now()) - stamp_cost_us_, 0.0);
      for (const std::size_t slot : layer.outputs) stamp_when_ready(slots[slot], l);
    }
  }

  void backward(const torch::Tensor& loss, const Tensors& parameters) {
    std::fill(backward_us.begin(), backward_us.end(), 0.0);
    std::size_t layer = model_.layers().size() - 1;
    Stamp from = Clock::now();
    const Tensors gradients = torch::autograd::grad({loss}, parameters);
    const Stamp end = Clock::now();
    for (std::size_t earlier = layer; earlier-- > 0;) {
      if (!ready_[earlier]) continue;
      const Stamp ready = std::max(*ready_[earlier], from);
      backward_us[layer] = microseconds(from, ready);
      from = ready;
      layer = earlier;
    }
    backward_us[layer] = microseconds(from, end);
  }

 private:
  void stamp_when_ready(const torch::Tensor& output, std::size_t layer) {
    if (!output.requires_grad()) return;
    output.register_hook([this, layer](const torch::Tensor&) {
      if (!ready_[layer]) ready_[layer] = Clock::now();
    });
  }

  const ProfiledModel& model_;
  double stamp_cost_us_;

 public:
  std::vector<double> forward_us;
  std::vector<double> backward_us;

 private:
  std::vector<std::optional<Stamp>> ready_;
};

// Times of one run: of all layers forward, of all layers backward.
using Sample = std::vector<double>;

Sample stamped_sample(const ProfiledModel& model, const Tensors& data, const Tensors& parameters, double stamp_cost) {
  StampedRun run(model, stamp_cost);
  Tensors slots = copies(data);
  run.forward(slots);
  if (!parameters.empty()) run.backward(slots[model.loss_slot()], parameters);
  Sample sample = run.forward_us;
  sample.insert(sample.end(), run.backward_us.begin(), run.backward_us.end());
  return sample;
}

// Times of one run: the whole forward, the whole backward.
Sample whole_sample(const ProfiledModel& model, const Tensors& data, const Tensors& parameters) {
  Tensors slots = copies(data);
  const Stamp start = Clock::now();
  model.forward(slots);
  const Stamp middle = Clock::now();
  Tensors gradients;
  if (!parameters.empty()) gradients = torch::autograd::grad({slots[model.loss_slot()]}, parameters);
  return {microseconds(start, middle), microseconds(middle, Clock::now())};
}

// A barrier; what it returns is the same everywhere: the longest time since the start.
double seconds_so_far(Communicator& comm, Stamp start) {
  const double mine = microseconds(start, Clock::now()) / 1e6;
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
  const double stamp_cost = stamp_cost_us();
  const int least = std::min(options.warmup, 1) + std::min(options.repetitions, 3);
  std::vector<Sample> stamped;
  std::vector<Sample> whole;
  const Stamp start = Clock::now();
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
