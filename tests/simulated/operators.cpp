// Operators of the simulated device: each runs on the CPU, on the same memory, after its accesses have been checked.
#include <ATen/EmptyTensor.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

#include "simulated/memory.h"
#include "simulated/state.h"

namespace pipedream::testing {

namespace {

bool is_simulated(const at::Tensor& tensor) { return tensor.defined() && tensor.device().type() == kSimulated; }

// One operator's accesses.
class Accesses {
 public:
  void read(const at::Tensor& tensor) { add(reads_, tensor); }
  void write(const at::Tensor& tensor) { add(writes_, tensor); }
  int device() const { return device_ < 0 ? current_device() : device_; }
  void check(const std::string& what, bool awaited = false) const {
    SimulatedState& state = SimulatedState::instance();
    const std::string race = state.clocks.access(current_stream(device()), what, reads_, writes_, awaited);
    if (!race.empty()) state.report_race(race);
  }

 private:
  void add(std::vector<Span>& list, const at::Tensor& tensor) {
    device_ = tensor.device().index();
    if (tensor.numel() == 0) return;
    std::int64_t last = 0;
    for (std::int64_t d = 0; d < tensor.dim(); ++d) last += (tensor.size(d) - 1) * tensor.stride(d);
    const auto item = static_cast<std::int64_t>(tensor.element_size());
    const std::int64_t begin = tensor.storage_offset() * item;
    list.push_back({memory_of(tensor), begin, begin + (last + 1) * item});
  }
  std::vector<Span> reads_, writes_;
  int device_ = -1;
};

// The arguments as tensors of the CPU, and the way back.
class Translation {
 public:
  at::Tensor to_cpu(const at::Tensor& tensor, bool is_written) {
    if (!is_simulated(tensor)) return tensor;
    if (is_written) {
      accesses.write(tensor);
    } else {
      accesses.read(tensor);
    }
    at::Tensor cpu = on_cpu(tensor);
    pairs_.push_back({tensor, cpu});
    return cpu;
  }

  at::Tensor back(const at::Tensor& result) {
    if (!result.defined() || !result.device().is_cpu()) return result;
    for (const Pair& pair : pairs_) {
      if (result.is_same(pair.cpu)) return written(pair);
    }
    for (const Pair& pair : pairs_) {
      if (result.numel() > 0 && memory_of(result) == memory_of(pair.cpu)) {
        return tensor_on(pair.simulated.storage(), kSimulatedKey, result);
      }
    }
    at::Tensor tensor = adopt(result);
    Accesses made;
    made.write(tensor);
    made.check("its making");
    return tensor;
  }

  Accesses accesses;

 private:
  struct Pair {
    at::Tensor simulated, cpu;
  };
  // An output may have been given another shape and memory.
  static at::Tensor written(const Pair& pair) {
    c10::TensorImpl* const impl = pair.simulated.unsafeGetTensorImpl();
    if (memory_of(pair.cpu) != memory_of(pair.simulated)) {
      impl->set_storage_keep_dtype(adopt(pair.cpu).storage());
    }
    impl->set_sizes_and_strides(pair.cpu.sizes(), pair.cpu.strides(), pair.cpu.storage_offset());
    return pair.simulated;
  }
  std::vector<Pair> pairs_;
};

c10::IValue translate(const c10::IValue& value, bool is_written, Translation& translation) {
  if (value.isTensor()) return translation.to_cpu(value.toTensor(), is_written);
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(translation.to_cpu(tensor, is_written));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector()) {
      list.push_back(tensor ? std::optional(translation.to_cpu(*tensor, is_written)) : std::nullopt);
    }
    return list;
  }
  if (value.isDevice()) return c10::Device(c10::kCPU);
  return value;
}

c10::IValue translate_back(const c10::IValue& value, Translation& translation) {
  if (value.isTensor()) return translation.back(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(translation.back(tensor));
    return list;
  }
  return value;
}

// Some operators of LibTorch reach a device without kernels of its own as variants that warn of a resized output.
c10::WarningHandler& silence() {
  struct Silence final : c10::WarningHandler {
    void process(const c10::Warning&) override {}
  };
  static Silence instance;
  return instance;
}

void run_on_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  Translation translation;
  const std::size_t first = stack->size() - schema.arguments().size();
  for (std::size_t i = 0; i < schema.arguments().size(); ++i) {
    const auto* alias = schema.arguments()[i].alias_info();
    c10::IValue& value = (*stack)[first + i];
    value = translate(value, alias != nullptr && alias->isWrite(), translation);
  }
  translation.accesses.check(op.operator_name().name);
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    const c10::WarningUtils::WarningHandlerGuard silent(&silence());
    op.callBoxed(stack);
  }
  const std::size_t results = stack->size() - schema.returns().size();
  for (std::size_t i = results; i < stack->size(); ++i) (*stack)[i] = translate_back((*stack)[i], translation);
}

at::Tensor empty(c10::SymIntArrayRef sizes, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                 std::optional<at::Device> device, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  const c10::DeviceGuard guard(device.value_or(device_at(current_device())));
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(sizes), c10::GetAllocator(kSimulated),
                                   c10::DispatchKeySet(kSimulatedKey), dtype.value_or(at::kFloat), format);
}

at::Tensor empty_strided(c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides, std::optional<at::ScalarType> dtype,
                         std::optional<at::Layout>, std::optional<at::Device> device, std::optional<bool>) {
  const c10::DeviceGuard guard(device.value_or(device_at(current_device())));
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(sizes), C10_AS_INTARRAYREF_SLOW(strides),
                                           c10::GetAllocator(kSimulated), c10::DispatchKeySet(kSimulatedKey),
                                           dtype.value_or(at::kFloat));
}

// Between two devices both current streams take part: each waits for the other's side.
at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  Clocks& clocks = SimulatedState::instance().clocks;
  const bool between = is_simulated(from) && is_simulated(to) && from.device() != to.device();
  if (between) {
    const c10::Stream source = current_stream(from.device().index());
    clocks.come_after(source, clocks.now(current_stream(to.device().index())));
    Accesses read;
    read.read(from);
    read.check("the reading side of copy_");
    clocks.come_after(current_stream(to.device().index()), clocks.now(source));
  }
  Accesses accesses;
  if (is_simulated(from) && !between) accesses.read(from);
  if (is_simulated(to)) accesses.write(to);
  const bool awaited = !is_simulated(to) && !non_blocking;
  accesses.check("copy_", awaited);
  if (awaited) SimulatedState::instance().report_host_wait("copy_ to the CPU");
  const at::AutoDispatchBelowADInplaceOrView below;
  (is_simulated(to) ? on_cpu(to) : to).copy_(is_simulated(from) ? on_cpu(from) : from);
  return to;
}

at::Scalar local_scalar(const at::Tensor& tensor) {
  Accesses accesses;
  accesses.read(tensor);
  accesses.check("item", /*awaited=*/true);
  SimulatedState::instance().report_host_wait("item");
  return at::_local_scalar_dense(on_cpu(tensor));
}

at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       c10::SymIntArrayRef stride, c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation,
                       bool transposed, c10::SymIntArrayRef output_padding, c10::SymInt groups) {
  Translation translation;
  const at::Tensor cpu_input = translation.to_cpu(input, false);
  const at::Tensor cpu_weight = translation.to_cpu(weight, false);
  const auto cpu_bias = bias ? std::optional(translation.to_cpu(*bias, false)) : std::nullopt;
  translation.accesses.check("convolution");
  const at::AutoDispatchBelowADInplaceOrView below;
  return translation.back(at::convolution_symint(cpu_input, cpu_weight, cpu_bias, stride, padding, dilation, transposed,
                                                 output_padding, groups));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& weight, c10::SymIntArrayRef stride,
    c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation, bool transposed, c10::SymIntArrayRef output_padding,
    c10::SymInt groups, std::array<bool, 3> mask) {
  Translation translation;
  const at::Tensor cpu_gradient = translation.to_cpu(gradient, false);
  const at::Tensor cpu_input = translation.to_cpu(input, false);
  const at::Tensor cpu_weight = translation.to_cpu(weight, false);
  translation.accesses.check("convolution_backward");
  const at::AutoDispatchBelowADInplaceOrView below;
  const std::vector<c10::SymInt> bias_size{weight.sym_size(0)};
  auto [one, two, three] =
      at::convolution_backward_symint(cpu_gradient, cpu_input, cpu_weight, c10::SymIntArrayRef(bias_size), stride,
                                      padding, dilation, transposed, output_padding, groups, mask);
  return {translation.back(one), translation.back(two), translation.back(three)};
}

}  // namespace

void register_operators() {
  static torch::Library all(torch::Library::IMPL, "_", kSimulatedKey, __FILE__, __LINE__);
  all.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_cpu>());
  static torch::Library library(torch::Library::IMPL, "aten", kSimulatedKey, __FILE__, __LINE__);
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
  library.impl("set_.source_Storage_storage_offset", at::native::set_storage_cpu_);
  library.impl("_copy_from", copy_from);
  library.impl("_local_scalar_dense", local_scalar);
  library.impl("convolution_overrideable", convolution);
  library.impl("convolution_backward_overrideable", convolution_backward);
}

}  // namespace pipedream::testing
