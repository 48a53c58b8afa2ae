// What only a device can get wrong.
#include "simulated/device.h"

#include <torch/nn/modules/linear.h>

#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

// With targets that the loss must count.
TestModel classifier() {
  LayerGraph g;
  Value h = g.layer("fc1", g.input("x"), [] { return torch::nn::Linear(6, 8); });
  h = g.layer("tanh", h, torch::tanh);
  h = g.layer("spread", h, [](const torch::Tensor& t) { return t.unsqueeze(0).repeat({1000, 1, 1}).mean(0); });
  h = g.layer("fc2", h, [] { return torch::nn::Linear(8, 3); });
  g.loss("loss", {h, g.target("label")}, cross_entropy);
  const torch::Tensor labels = torch::arange(kRows, torch::kInt64).remainder(4) - 1;
  const auto data = std::make_shared<TensorDataset>(std::map<std::string, torch::Tensor>{
      {"x", torch::sin(torch::arange(kRows * 6, torch::kFloat32)).reshape({kRows, 6})},
      {"label", torch::where(labels < 0, torch::full_like(labels, -100), labels)}});
  return {"classifier", g, data};
}

std::vector<std::string> host_waits(const TestModel& model, std::int64_t microbatches) {
  ExactnessCase example{.model = model, .plan = even_plan(model.graph, Algorithm::pipedream, {2, 1})};
  example.segments = {microbatches};
  take_findings();
  run_workers(example);
  return take_findings().host_waits;
}

// How each of two workers ended that train with these options, by rank.
std::vector<std::string> train_ends(const std::function<TrainerOptions(int rank)>& options) {
  const TestModel model = classifier();
  std::vector<std::string> ends(2);
  try {
    run_in_threads(2, [&](Communicator& comm) {
      try {
        Trainer trainer(model.graph, cut_plan(model.graph, Algorithm::pipedream, {2}, {1, 1}), comm,
                        options(comm.rank()));
        trainer.train(*model.data, {.steps = 4, .microbatch_size = 4});
      } catch (const std::exception& error) {
        ends[static_cast<std::size_t>(comm.rank())] = error.what();
        throw;
      }
    });
  } catch (const std::exception&) {
  }
  take_findings();
  return ends;
}

}  // namespace

// Waits at the start and the end are as many for a long run.
TEST_CASE("the host does not wait for the device in the steady state", "[device]") {
  for (const TestModel& model : {branch_model(kRows), classifier()}) {
    CHECK(host_waits(model, 30).size() == host_waits(model, 12).size());
  }
}

TEST_CASE("targets that count for nothing are seen on a device", "[device]") {
  const TestModel model = classifier();
  CHECK(check_in_threads({.model = model, .plan = even_plan(model.graph, Algorithm::pipedream, {1, 1})}) == "");
}

TEST_CASE("workers on devices of different kinds are told, both of them", "[device]") {
  const auto ends = train_ends(
      [](int rank) { return TrainerOptions{.device = rank == 0 ? simulated_device() : torch::Device(torch::kCPU)}; });
  for (const std::string& end : ends) CHECK_THAT(end, Contains("workers 0 and 1 differ in device type: mtia and cpu"));
}

TEST_CASE("a device that one worker lacks is named on all", "[device]") {
  const auto ends = train_ends([](int rank) { return TrainerOptions{.device = simulated_device(rank * 7)}; });
  for (const std::string& end : ends) CHECK_THAT(end, Contains("worker 1: device mtia:7: there are 2 mtia device(s)"));
}

TEST_CASE("a device that runs out of memory ends every worker with its words", "[device]") {
  // When its weights are made, and when it trains.
  for (const std::int64_t bytes : {64, 60'000}) {
    const ScopedMemoryLimit limit(1, bytes);
    const auto ends = train_ends([](int rank) { return TrainerOptions{.device = simulated_device(rank)}; });
    for (const std::string& end : ends) {
      CHECK_THAT(end, Contains("worker 1") && Contains("simulated device 1 is out of memory"));
      CHECK((bytes == 64) != (end.find("'spread'") != std::string::npos));
    }
  }
}
