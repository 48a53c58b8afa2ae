#include "runtime/versions.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "pipedream/error.h"

using pipedream::Tensors;
using pipedream::detail::FlatTensors;
using pipedream::detail::KeepOld;
using pipedream::detail::VersionStore;

namespace {

Tensors parameters() {
  return {torch::full({3, 5}, 1.0F).requires_grad_(), torch::full({7}, 2.0F).requires_grad_(),
          torch::ones({2, 3, 4, 4}).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_()};
}

void add_one(const Tensors& masters) {
  for (const auto& master : masters) master.variable_data().add_(1);
}

}  // namespace

TEST_CASE("flat tensors keep sizes and strides and are aligned") {
  const Tensors like = parameters();
  const FlatTensors flat(like);
  for (std::size_t i = 0; i < like.size(); ++i) {
    CHECK(flat.views()[i].sizes() == like[i].sizes());
    CHECK(flat.views()[i].strides() == like[i].strides());
    CHECK(reinterpret_cast<std::uintptr_t>(flat.views()[i].data_ptr()) % 64 == 0);
    CHECK(flat.views()[i].storage().data_ptr().get() == flat.bytes().storage().data_ptr().get());
  }
}

TEST_CASE("an update in place needs no second buffer and moves the parameters along") {
  const Tensors held = parameters();
  VersionStore store(held);
  store.update(KeepOld::no, [&](const Tensors&) { add_one(store.masters()); });
  store.bind(1);
  CHECK(held[0][0][0].item<float>() == 2);
  CHECK(store.newest() == 1);
  CHECK(store.buffers() == 1);
  CHECK(store.copies() == 0);
  CHECK(store.peak_versions() == 1);
  CHECK_THROWS_AS(store.bind(0), pipedream::Error);
}

TEST_CASE("a copied update leaves the old version untouched until it is freed") {
  const Tensors held = parameters();
  VersionStore store(held);
  store.update(KeepOld::copy, [&](const Tensors&) { add_one(store.masters()); });
  CHECK(held[1][0].item<float>() == 2);  // still bound to version 0
  store.bind(1);
  CHECK(held[1][0].item<float>() == 3);
  store.bind(0);
  CHECK(held[1][0].item<float>() == 2);
  CHECK(store.peak_versions() == 2);
  store.free(0);
  CHECK_THROWS_WITH(store.bind(2), Catch::Contains("version 2 is not held"));
  CHECK_THROWS_AS(store.free(0), pipedream::Error);
}

TEST_CASE("freed buffers are used again") {
  VersionStore store(parameters());
  for (int u = 0; u < 10; ++u) {
    store.update(KeepOld::copy, [&](const Tensors&) { add_one(store.masters()); });
    store.free(u);
  }
  CHECK(store.buffers() == 2);
  CHECK(store.copies() == 10);
  CHECK(store.masters()[0][0][0].item<float>() == 11);
}

TEST_CASE("an update does not disturb a backward in flight") {
  torch::nn::Linear linear(4, 4);
  torch::nn::Conv1d conv(1, 1, 3);
  Tensors held = linear->parameters();
  for (const auto& p : conv->parameters()) held.push_back(p);
  const auto run = [&] { return conv->forward(linear->forward(torch::ones({2, 4})).unsqueeze(1)).sum(); };

  VersionStore store(held);
  const Tensors expected = torch::autograd::grad({run()}, held);
  const torch::Tensor in_flight = run();
  store.update(KeepOld::copy, [&](const Tensors&) { add_one(store.masters()); });
  store.bind(1);
  const torch::Tensor other = run();
  store.bind(0);
  const Tensors gradients = torch::autograd::grad({in_flight}, held);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(torch::equal(gradients[i], expected[i]));
  CHECK_FALSE(torch::equal(other, in_flight));
}

TEST_CASE("a step that reads the old version writes the new one elsewhere") {
  const Tensors held = parameters();
  VersionStore store(held);
  for (int v = 0; v < 3; ++v) {
    store.update(KeepOld::read, [&](const Tensors& old) {
      for (std::size_t i = 0; i < old.size(); ++i) store.masters()[i].variable_data().copy_(old[i] + 1);
    });
  }
  CHECK(store.masters()[1][0].item<float>() == 5);
  CHECK(store.peak_versions() == 4);
  for (int v = 0; v < 4; ++v) {
    store.bind(v);
    CHECK(held[1][0].item<float>() == static_cast<float>(2 + v));
  }
}
