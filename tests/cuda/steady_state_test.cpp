// Once it is under way, training makes no host wait for its device: LibTorch itself reports each wait as an error then.
#include <c10/cuda/CUDAFunctions.h>
#include <torch/nn/modules/linear.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "devices.h"
#include "pipedream/data.h"
#include "pipedream/trainer.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

constexpr int kFirstStrict = 20;
constexpr int kLastStrict = 80;
constexpr int kMicrobatches = 100;

void be_strict(bool strict) {
  c10::cuda::warning_state().set_sync_debug_mode(strict ? c10::cuda::SyncDebugMode::L_ERROR
                                                        : c10::cuda::SyncDebugMode::L_DISABLED);
}

// Waits are errors between two microbatches of the first stage.
torch::Tensor count(const torch::Tensor& x, std::atomic<int>& forwards) {
  const int forward = forwards.fetch_add(1);
  if (forward == kFirstStrict) be_strict(true);
  if (forward == kLastStrict) be_strict(false);
  return x * 1;
}

LayerGraph classifier(std::atomic<int>& forwards) {
  LayerGraph g;
  Value h = g.layer("count", g.input("x"), [&forwards](const torch::Tensor& x) { return count(x, forwards); });
  h = g.layer("fc1", h, [] { return torch::nn::Linear(64, 256); });
  h = g.layer("tanh", h, torch::tanh);
  h = g.layer("fc2", h, [] { return torch::nn::Linear(256, 10); });
  g.loss("loss", {h, g.target("label")}, cross_entropy);
  return g;
}

}  // namespace

TEST_CASE("training does not wait for the device") {
  if (!has_devices(1)) return;
  std::atomic<int> forwards{0};
  const LayerGraph graph = classifier(forwards);
  const TensorDataset data({{"x", torch::randn({512, 64})}, {"label", torch::randint(10, {512}, torch::kInt64)}});
  Plan plan;
  plan.stages.resize(2);
  plan.stages[0].layers = {"count", "fc1", "tanh"};
  plan.stages[0].workers = {0};
  plan.stages[0].warmup = 1;
  plan.stages[1].layers = {"fc2", "loss"};
  plan.stages[1].workers = {1};
  run_in_threads(2, [&](Communicator& comm) {
    Trainer trainer(graph, plan, comm, {.device = torch::Device(torch::kCUDA, 0)});
    trainer.train(data, {.steps = kMicrobatches, .microbatch_size = 16});
  });
  CHECK(forwards >= kMicrobatches);
  CHECK(c10::cuda::warning_state().get_sync_debug_mode() == c10::cuda::SyncDebugMode::L_DISABLED);
}

// A test that could not fail would show nothing.
TEST_CASE("a wait is an error while waits are forbidden") {
  if (!has_devices(1)) return;
  const torch::Tensor one = torch::ones({1}, torch::kCUDA);
  be_strict(true);
  CHECK_THROWS_AS(one.item<float>(), c10::Error);
  be_strict(false);
}
