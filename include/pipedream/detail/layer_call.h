// Turns what a user hands over as a layer (a module with some forward, or a function of tensors) into one type.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "pipedream/error.h"

namespace pipedream {

using Tensors = std::vector<torch::Tensor>;

// A layer as it runs on the worker that owns it. module is null for a function without parameters.
struct LayerInstance {
  std::shared_ptr<torch::nn::Module> module;
  std::function<Tensors(const Tensors&)> forward;
};

namespace detail {

inline constexpr std::size_t kMaxLayerInputs = 8;

inline void append(Tensors& out, torch::Tensor tensor) { out.push_back(std::move(tensor)); }
inline void append(Tensors& out, Tensors tensors) {
  for (auto& t : tensors) out.push_back(std::move(t));
}
template <class... Ts>
void append(Tensors& out, std::tuple<Ts...> parts) {
  std::apply([&](auto&... part) { (append(out, std::move(part)), ...); }, parts);
}

// Calls f with the first N tensors where f takes that many; tells whether it did.
template <std::size_t N, class F>
bool call_with(F& f, const Tensors& in, Tensors& out) {
  if (in.size() != N) return false;
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    if constexpr (std::invocable<F&, decltype((in[I]))...>) {
      append(out, f(in[I]...));
      return true;
    } else {
      return false;
    }
  }
  (std::make_index_sequence<N>{});
}

template <class F>
Tensors call(F& f, const Tensors& in) {
  Tensors out;
  if constexpr (std::invocable<F&, const Tensors&>) {
    append(out, f(in));
    return out;
  } else {
    const bool called = [&]<std::size_t... N>(std::index_sequence<N...>) {
      return (call_with<N + 1>(f, in, out) || ...);
    }
    (std::make_index_sequence<kMaxLayerInputs>{});
    if (!called) throw ConfigError("the layer's forward takes no " + std::to_string(in.size()) + " tensor(s)");
    return out;
  }
}

template <class T>
std::shared_ptr<T> module_pointer(std::shared_ptr<T> module) {
  return module;
}
template <class Holder>
requires requires(const Holder& h) { h.ptr(); }
auto module_pointer(const Holder& holder) { return holder.ptr(); }

template <class Factory>
LayerInstance instance_of_module(Factory& factory) {
  auto module = module_pointer(factory());
  auto forward = [module](const Tensors& in) {
    auto f = [&](const auto&... x) -> decltype(module->forward(x...)) { return module->forward(x...); };
    return call(f, in);
  };
  return {module, forward};
}

template <class Factory, class Call>
LayerInstance instance_of_module(Factory& factory, const Call& call_module) {
  auto module = factory();
  auto pointer = module_pointer(module);
  auto forward = [module, call_module](const Tensors& in) mutable {
    auto f = [&](const auto&... x) -> decltype(call_module(module, x...)) { return call_module(module, x...); };
    return call(f, in);
  };
  return {pointer, forward};
}

}  // namespace detail
}  // namespace pipedream
