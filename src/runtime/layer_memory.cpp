#include "runtime/layer_memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones_like.h>
#include <c10/core/Storage.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <utility>

#include "runtime/memory_meter.h"

namespace pipedream::detail {
namespace {

struct WatchedStorage {
  c10::weak_intrusive_ptr<c10::StorageImpl> storage;
  std::int64_t allocated_bytes;  // 0 where it was there before; an allocator may give more than the storage's bytes
};

std::int64_t storage_bytes(const torch::Tensor& tensor) { return static_cast<std::int64_t>(tensor.storage().nbytes()); }
const void* storage_of(const torch::Tensor& tensor) { return tensor.storage().unsafeGetStorageImpl(); }

// A copy with the same place in a storage of its own of the same size: what a layer keeps and how fast it is depend on
// the strides.
torch::Tensor copy_with_storage(const torch::Tensor& tensor) {
  const torch::Tensor bytes =
      at::empty({0}, tensor.options().dtype(torch::kUInt8)).set_(tensor.storage(), 0, {storage_bytes(tensor)}, {1});
  return at::empty({0}, tensor.options())
      .set_(bytes.clone().storage(), tensor.storage_offset(), tensor.sizes(), tensor.strides());
}

// Between the leaf, which the graph keeps alive, and the layer, whose hold on its input is to be seen. It also lets the
// layer write its input, as it may where the input is another layer's output.
struct CopiedInput : torch::autograd::Function<CopiedInput> {
  static torch::Tensor forward(torch::autograd::AutogradContext*, const torch::Tensor& leaf) {
    return copy_with_storage(leaf);
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                               torch::autograd::tensor_list gradients) {
    return gradients;
  }
};

class LayerMeasurement {
 public:
  LayerMeasurement(const ProfiledModel& model, std::size_t layer, const ProbeResult& probe)
      : model_(model), layer_(model.layers()[layer]), probe_(probe), meter_(model.device()) {}

  LayerMemory measure() {
    copy_inputs();
    forward();
    find_kept();
    backward();
    return std::move(result_);
  }

 private:
  WatchedStorage watch(const torch::Tensor& tensor) const {
    const c10::Storage& storage = tensor.storage();
    return {storage.getWeakStorageImpl(), meter_.bytes_of(storage.data())};
  }

  void copy_inputs() {
    for (const std::size_t slot : layer_.inputs) {
      const auto seen = std::find_if(result_.inputs.begin(), result_.inputs.end(),
                                     [&](const InputMemory& input) { return input.slot == slot; });
      if (seen != result_.inputs.end()) {
        const auto index = static_cast<std::size_t>(seen - result_.inputs.begin());
        inputs_.push_back(distinct_inputs_[index]);
        continue;
      }
      const torch::Tensor& value = probe_.values[slot];
      if (probe_.requires_gradient[slot]) {
        leaves_.push_back(value.detach().requires_grad_());
        distinct_inputs_.push_back(CopiedInput::apply(leaves_.back()));
      } else {
        distinct_inputs_.push_back(copy_with_storage(value));
      }
      inputs_.push_back(distinct_inputs_.back());
      result_.inputs.push_back({slot, storage_bytes(value), false});
      input_storages_.push_back(watch(distinct_inputs_.back()));
    }
  }

  void forward() {
    const std::int64_t before = meter_.live_bytes();
    meter_.reset_peak();
    outputs_ = model_.run(layer_, inputs_);
    const std::int64_t after = meter_.live_bytes();
    result_.forward_peak_bytes = meter_.peak_bytes() - std::max(before, after);
    for (std::size_t i = 0; i < outputs_.size(); ++i) describe_output(i);
  }

  void describe_output(std::size_t index) {
    const torch::Tensor& output = outputs_[index];
    OutputMemory memory{layer_.outputs[index], storage_bytes(output), false, false, {}};
    for (std::size_t i = 0; i < distinct_inputs_.size() && !memory.alias; ++i) {
      if (storage_of(distinct_inputs_[i]) == storage_of(output)) memory.alias = result_.inputs[i].slot;
    }
    for (std::size_t i = 0; i < index && !memory.alias; ++i) {
      if (storage_of(outputs_[i]) == storage_of(output)) memory.alias = result_.outputs[i].slot;
    }
    // What is neither is a parameter or a constant, which lives anyway.
    output_storages_.push_back(watch(output));
    memory.own = !memory.alias && output_storages_.back().allocated_bytes > 0;
    result_.outputs.push_back(memory);
    if (!output.requires_grad()) return;
    roots_.push_back(torch::autograd::impl::gradient_edge(output));
    const std::int64_t before = meter_.live_bytes();
    gradients_.push_back(at::ones_like(output.detach()));
    gradient_bytes_ += meter_.live_bytes() - before;
  }

  // Drops all tensors; what then still lives, the graph keeps.
  void find_kept() {
    inputs_.clear();
    distinct_inputs_.clear();
    outputs_.clear();
    std::int64_t kept = meter_.live_bytes() - gradient_bytes_;
    for (std::size_t i = 0; i < result_.inputs.size(); ++i) {
      result_.inputs[i].kept = !input_storages_[i].storage.expired();
      if (result_.inputs[i].kept) kept -= input_storages_[i].allocated_bytes;
    }
    for (std::size_t i = 0; i < result_.outputs.size(); ++i) {
      OutputMemory& output = result_.outputs[i];
      output.kept = output.own && !output_storages_[i].storage.expired();
      if (output.kept) kept -= output_storages_[i].allocated_bytes;
    }
    result_.kept_bytes = kept;
  }

  void backward() {
    if (roots_.empty()) return;
    torch::autograd::edge_list wanted;
    for (const torch::Tensor& leaf : leaves_) wanted.push_back(torch::autograd::impl::gradient_edge(leaf));
    for (const torch::Tensor& parameter : trained_parameters(layer_.instance)) {
      wanted.push_back(torch::autograd::impl::gradient_edge(parameter));
    }
    if (wanted.empty()) return;
    const std::int64_t before = meter_.live_bytes();
    meter_.reset_peak();
    const Tensors found =
        torch::autograd::Engine::get_default_engine().execute(roots_, gradients_, false, false, false, wanted);
    const std::int64_t peak = meter_.peak_bytes();
    roots_.clear();
    gradients_.clear();
    result_.backward_peak_bytes = peak - std::max(before, meter_.live_bytes());
  }

  const ProfiledModel& model_;
  const ProfiledLayer& layer_;
  const ProbeResult& probe_;
  MemoryMeter meter_;
  MemoryMeter::Scope scope_{meter_};
  LayerMemory result_;
  Tensors leaves_;
  Tensors distinct_inputs_;
  Tensors inputs_;
  Tensors outputs_;
  std::vector<WatchedStorage> input_storages_;
  std::vector<WatchedStorage> output_storages_;
  torch::autograd::edge_list roots_;
  Tensors gradients_;
  std::int64_t gradient_bytes_ = 0;
};

}  // namespace

LayerMemory measure_layer_memory(const ProfiledModel& model, std::size_t layer, const ProbeResult& probe) {
  return LayerMeasurement(model, layer, probe).measure();
}

}  // namespace pipedream::detail
