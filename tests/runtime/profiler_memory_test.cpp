// The bytes of a profile against what LibTorch really allocates.
#include "runtime/profiler_memory.h"

#include <torch/types.h>

#include <catch2/catch.hpp>
#include <map>
#include <numeric>
#include <set>

#include "profiler_models.h"
#include "runtime/memory_meter.h"
#include "simulated/device.h"
#include "support/test_device.h"

using namespace pipedream;
using pipedream::detail::MemoryMeter;
using pipedream::detail::ProbeResult;
using pipedream::detail::ProfiledModel;

namespace {

struct Measured {
  explicit Measured(const testing::ModelCase& model_case, torch::Device device = testing::test_device())
      : model(model_case.graph(), 1, device), data(fetch(model, *model_case.data())) {
    probe = pipedream::detail::probe(model, data);
    for (LayerProfile& layer : pipedream::detail::measure_memory(model, probe)) layers.emplace(layer.name, layer);
  }
  static Tensors fetch(ProfiledModel& model, const Dataset& data) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(data.size()));
    std::iota(rows.begin(), rows.end(), 0);
    return model.fetch(data, rows);
  }

  ProfiledModel model;
  Tensors data;
  ProbeResult probe;
  std::map<std::string, LayerProfile> layers;
};

// What LibTorch holds between the forward and the backward of the whole model.
std::int64_t kept_by_whole_model(const Measured& measured) {
  const MemoryMeter meter(measured.model.device());
  const MemoryMeter::Scope scope(meter);
  Tensors slots = measured.data;
  for (torch::Tensor& tensor : slots) {
    if (tensor.defined()) tensor = tensor.clone();
  }
  measured.model.forward(slots);
  const auto root = torch::autograd::impl::gradient_edge(slots[measured.model.loss_slot()]);
  slots.clear();
  return meter.live_bytes();
}

// The same by the rule of profiler.h, everything in one stage.
std::int64_t kept_by_profile(const Measured& measured) {
  const auto& layers = measured.model.layers();
  std::int64_t bytes = 0;
  for (const auto& [name, layer] : measured.layers) bytes += layer.kept_bytes;
  for (std::size_t slot = 0; slot < measured.model.slots().size(); ++slot) {
    const pipedream::detail::Slot& tensor = measured.model.slots()[slot];
    if (tensor.is_data) continue;
    bool kept = measured.layers.at(layers[tensor.producer].name).keeps_output;
    for (const std::size_t user : tensor.consumers) kept = kept || measured.layers.at(layers[user].name).keeps_input;
    if (kept) bytes += pipedream::detail::tensor_bytes(measured.probe.values[slot]);
  }
  return bytes;
}

}  // namespace

TEST_CASE("the layers' kept bytes add up to the whole model's", "[profiler]") {
  for (const auto& model_case : testing::model_cases()) {
    const Measured measured(model_case);
    INFO(model_case.name);
    CHECK(kept_by_profile(measured) == kept_by_whole_model(measured));
    CHECK(kept_by_profile(measured) > 0);
  }
  CHECK(testing::device_faults().empty());
}

TEST_CASE("what known layers keep", "[profiler]") {
  const Measured chain(testing::model_case("linear_relu"));
  const LayerProfile& fc1 = chain.layers.at("fc1");
  CHECK(fc1.kept_bytes == 8 * 20 * 4);  // its input is data, which has no flag
  CHECK_FALSE(fc1.keeps_input);
  CHECK_FALSE(fc1.keeps_output);
  CHECK(fc1.parameter_bytes == (20 * 30 + 30) * 4);
  CHECK(fc1.buffer_bytes == 0);
  const LayerProfile& relu = chain.layers.at("relu1");
  CHECK(relu.kept_bytes == 0);
  CHECK_FALSE(relu.keeps_input);
  CHECK(relu.keeps_output);
  CHECK(relu.parameter_bytes == 0);
  const LayerProfile& dropout = chain.layers.at("drop1");
  CHECK(dropout.kept_bytes == 8 * 30 * 4);  // the noise it multiplied with
  CHECK_FALSE(dropout.keeps_input);
  CHECK_FALSE(dropout.keeps_output);
  const LayerProfile& fc2 = chain.layers.at("fc2");
  CHECK(fc2.kept_bytes == 0);
  CHECK(fc2.keeps_input);

  const Measured images(testing::model_case("convolutions"));
  const LayerProfile& norm = images.layers.at("norm1");
  CHECK(norm.keeps_input);
  CHECK(norm.kept_bytes == 2 * 4 * 4);                               // mean and inverse deviation of 4 channels
  CHECK(norm.buffer_bytes == 2 * 4 * 4 + 8);                         // running mean and variance, and how many batches
  CHECK(images.layers.at("pool1").kept_bytes == 8 * 4 * 4 * 4 * 8);  // where the greatest were: int64
  CHECK(images.layers.at("pool1").keeps_input);
  // A view makes nothing; what the next layer keeps of it is the tensor before it.
  CHECK(images.layers.at("flatten").kept_bytes == 0);
  CHECK(images.layers.at("flatten").keeps_input);
  CHECK_FALSE(images.layers.at("flatten").keeps_output);
  CHECK_FALSE(images.layers.at("fc").keeps_input);
}

TEST_CASE("an in-place result is charged to the tensor it overwrites", "[profiler]") {
  const Measured measured(testing::model_case("in_place"));
  const LayerProfile& relu = measured.layers.at("relu1");
  CHECK(relu.keeps_input);
  CHECK_FALSE(relu.keeps_output);
  CHECK(relu.kept_bytes == 0);
  CHECK(relu.forward_peak_bytes == 0);
  CHECK_FALSE(measured.layers.at("conv2").keeps_input);
}

TEST_CASE("of several inputs only some may be kept", "[profiler]") {
  const Measured measured(testing::model_case("residual"));
  CHECK_FALSE(measured.layers.at("join").keeps_input);
  CHECK(measured.layers.at("join").kept_bytes == 0);
  CHECK(measured.layers.at("gated").keeps_input);
}

TEST_CASE("transient memory of a pass", "[profiler]") {
  const Measured measured(testing::model_case("linear_relu"));
  CHECK(measured.layers.at("relu1").forward_peak_bytes == 0);
  // Gradient in, gradients of weight, bias and input out: while both live, the incoming one is extra, and the input
  // that the weight's gradient was made of.
  const LayerProfile& fc2 = measured.layers.at("fc2");
  const std::int64_t incoming = 8 * 10 * 4;
  const std::int64_t outgoing = (30 * 10 + 10 + 8 * 30) * 4;
  CHECK(fc2.backward_peak_bytes >= incoming);
  CHECK(fc2.backward_peak_bytes <= incoming + 8 * 30 * 4);
  CHECK(fc2.backward_peak_bytes < outgoing);
}

TEST_CASE("measuring does not warn of memory it did not see made", "[profiler]") {
  const Measured measured(testing::model_case("words"));
  CHECK(measured.layers.at("embed").kept_bytes == 8 * 6 * 8);  // the words themselves
  CHECK(measured.probe.requires_gradient == [&] {
    std::vector<bool> expected(measured.model.slots().size(), true);
    expected[0] = expected[1] = false;
    return expected;
  }());
}

TEST_CASE("what an allocator adds to tensors is not theirs nor the layers'", "[.device]") {
  testing::round_simulated_allocations(testing::simulated_device(), 512);
  const Measured measured(testing::model_case("linear_relu"), testing::simulated_device());
  testing::round_simulated_allocations(testing::simulated_device(), 1);
  CHECK(measured.layers.at("fc1").kept_bytes == 8 * 20 * 4);
  CHECK(measured.layers.at("relu1").kept_bytes == 0);
  CHECK(measured.layers.at("relu1").keeps_output);
  CHECK(measured.layers.at("drop1").kept_bytes == 1024);  // 8 * 30 * 4, which is no tensor between layers
  CHECK(measured.layers.at("fc2").kept_bytes == 0);
  CHECK(measured.layers.at("fc2").keeps_input);
}
