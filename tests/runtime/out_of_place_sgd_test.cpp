#include "runtime/out_of_place_sgd.h"

#include <torch/types.h>

#include <catch2/catch.hpp>

using pipedream::Tensors;
using pipedream::detail::OutOfPlaceSgd;

namespace {

Tensors weights() { return {torch::linspace(-1, 1, 35).view({5, 7}), torch::linspace(0, 2, 11), torch::ones({3})}; }

// Steps with gradients that depend on the weights and the step; the last parameter has none in every second step.
void set_gradients(const Tensors& parameters, const Tensors& values, int step) {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const bool none = p + 1 == parameters.size() && step % 2 == 1;
    parameters[p].mutable_grad() = none ? torch::Tensor() : torch::sin(values[p] * (3.0 + step));
  }
}

}  // namespace

TEST_CASE("an SGD step out of place is torch::optim's step, bit for bit") {
  for (const double momentum : {0.0, 0.9}) {
    for (const double decay : {0.0, 0.01}) {
      for (const bool nesterov : {false, true}) {
        if (nesterov && momentum == 0) continue;
        INFO("momentum " << momentum << ", decay " << decay << ", nesterov " << nesterov);
        const auto options = torch::optim::SGDOptions(0.1).momentum(momentum).weight_decay(decay).nesterov(nesterov);
        const Tensors expected = weights();
        torch::optim::SGD plain(expected, options);
        Tensors old = weights();
        const Tensors written = {torch::empty({5, 7}), torch::empty({11}), torch::empty({3})};
        OutOfPlaceSgd sgd(written, options);
        for (int step = 0; step < 4; ++step) {
          set_gradients(expected, expected, step);
          plain.step();
          set_gradients(written, old, step);
          const Tensors before = {old[0].clone(), old[1].clone(), old[2].clone()};
          sgd.step_from(old);
          for (std::size_t p = 0; p < old.size(); ++p) {
            CHECK(torch::equal(written[p], expected[p]));
            CHECK(torch::equal(old[p], before[p]));
            old[p] = written[p].clone();
          }
        }
      }
    }
  }
}
