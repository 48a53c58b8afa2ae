// What only a device can get wrong in a profile.
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <mutex>

#include "pipedream/profile.h"
#include "profiler_models.h"
#include "runtime/profiler_time.h"
#include "simulated/device.h"
#include "transport/device.h"

using namespace pipedream;
using namespace pipedream::testing;
using pipedream::detail::ProfiledModel;

namespace {

LayerGraph chain_of(int layers) {
  LayerGraph graph;
  Value value = graph.input("x");
  for (int l = 0; l < layers; ++l) {
    value = graph.layer("fc" + std::to_string(l), value, [] { return torch::nn::Linear(4, 4); });
  }
  graph.loss("loss", {value, graph.target("wanted")}, mean_squared_error);
  return graph;
}

// Of the host, while times are measured.
SimulatedFindings findings_of(int layers, const pipedream::detail::TimeOptions& options) {
  const TensorDataset data({{"x", torch::ones({8, 4})}, {"wanted", torch::zeros({8, 4})}});
  SimulatedFindings findings;
  run_in_threads(1, [&](Communicator& comm) {
    const pipedream::detail::StreamScope stream(pipedream::detail::make_stream(simulated_device()));
    ProfiledModel model(chain_of(layers), 1, simulated_device());
    const Tensors slots = model.fetch(data, {0, 1, 2, 3, 4, 5, 6, 7});
    take_findings();
    pipedream::detail::measure_times(model, slots, comm, options);
    findings = take_findings();
  });
  return findings;
}

}  // namespace

TEST_CASE("the host waits for the device after a run and never in it", "[.device]") {
  const int warmup = 1;
  const int repetitions = 3;
  // Of every repetition the run with stamps and the run without; and once before, to see what a stamp costs.
  const std::vector<std::string> expected(1 + 2 * (warmup + repetitions), "an event");
  for (const int layers : {1, 3}) {
    const SimulatedFindings found = findings_of(layers, {warmup, repetitions, /*seconds=*/1000});
    CHECK(found.host_waits == expected);
    CHECK(found.races.empty());
  }
}

TEST_CASE("workers of one device share its memory", "[.device]") {
  std::mutex mutex;
  std::vector<Topology> topologies;
  run_in_threads(3, [&](Communicator& comm) {
    const Topology topology = measure_topology(comm, torch::Device(simulated_device().type()));
    const std::lock_guard lock(mutex);
    topologies.push_back(topology);
  });
  for (const Topology& topology : topologies) {
    CHECK(topology.memory_bytes_per_worker == kSimulatedMemoryBytes / 2);  // the workers 0 and 2 on the device 0
    CHECK(topology.levels.at(0).bandwidth_bytes_per_s > 0);
  }
  CHECK(take_findings().races.empty());
}

TEST_CASE("what workers' allocators round differently is brought to one", "[.device]") {
  std::mutex mutex;
  std::vector<std::string> profiles;
  round_simulated_allocations(simulated_device(1), 512);
  run_in_threads(2, [&](Communicator& comm) {
    const auto model = model_case("linear_relu");
    ProfileOptions options = quick_options();
    options.device = simulated_device(comm.rank());
    const Profile measured = profile(model.graph(), *model.data(), comm, options);
    const std::lock_guard lock(mutex);
    profiles.push_back(to_json(measured));
    CHECK(measured.layers.at(2).name == "drop1");
    CHECK(measured.layers.at(2).kept_bytes == 1024);  // 8 * 30 * 4 rounded up
  });
  round_simulated_allocations(simulated_device(1), 1);
  CHECK(profiles.at(0) == profiles.at(1));
}
