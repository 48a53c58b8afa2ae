#include "pipedream/profiler.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <mutex>

#include "pipedream/error.h"
#include "profiler_models.h"

using namespace pipedream;
using Catch::Contains;
using torch::Tensor;

namespace {

const ProfileOptions kQuick{.microbatch_size = 8, .warmup = 1, .repetitions = 3};

std::vector<Profile> profiles_of(const std::string& name, int workers, const ProfileOptions& options) {
  std::vector<Profile> profiles(static_cast<std::size_t>(workers));
  run_in_threads(workers, [&](Communicator& comm) {
    const auto model = testing::model_case(name);
    profiles[static_cast<std::size_t>(comm.rank())] = profile(model.graph(), *model.data(), comm, options);
  });
  return profiles;
}

// What profiling a graph of x [8, 4] and label [8] says against it.
std::string refusal(const LayerGraph& graph, const ProfileOptions& options = kQuick) {
  const TensorDataset data({{"x", torch::ones({8, 4})}, {"label", torch::zeros({8}, torch::kInt64)}});
  std::string message;
  run_in_threads(1, [&](Communicator& comm) {
    try {
      profile(graph, data, comm, options);
    } catch (const ConfigError& error) {
      message = error.what();
    }
  });
  return message;
}

template <class... F>
LayerGraph graph_with(const std::string& name, F... layer) {
  LayerGraph graph;
  const auto first = graph.layer("first", graph.input("x"), [] { return torch::nn::Linear(4, 4); });
  const auto out = graph.layer(name, first, std::move(layer)...);
  graph.loss("loss", {out, graph.target("label")}, cross_entropy);
  return graph;
}

struct SelfWritingImpl : torch::nn::Module {
  SelfWritingImpl() { weight = register_parameter("weight", torch::ones({4})); }
  Tensor forward(const Tensor& x) {
    weight.data().add_(1);
    return x * weight;
  }
  Tensor weight;
};

struct UnusedWeightImpl : torch::nn::Module {
  UnusedWeightImpl() {
    used = register_parameter("used", torch::ones({4}));
    unused = register_parameter("unused", torch::ones({4}));
  }
  Tensor forward(const Tensor& x) { return x * used; }
  Tensor used;
  Tensor unused;
};

}  // namespace

TEST_CASE("a profile describes the graph it was measured on", "[profiler]") {
  const Profile profile = profiles_of("residual", 1, kQuick).front();
  const LayerGraph graph = testing::model_case("residual").graph();
  CHECK_NOTHROW(validate(profile));
  CHECK(profile.graph_hash == graph.hash());
  CHECK(profile.microbatch_size == 8);
  CHECK(profile.workers_computing == 1);
  CHECK(profile.threads_per_worker == 1);
  CHECK_THAT(profile.device, Catch::StartsWith("CPU"));
  CHECK(profile.topology.levels.empty());
  std::vector<std::string> names;
  for (const LayerProfile& layer : profile.layers) names.push_back(layer.name);
  CHECK(names == graph.layer_names());
  const TensorProfile& start = profile.tensors.front();
  CHECK(start.name == "start");
  CHECK(start.producer == "start");
  CHECK(start.consumers == std::vector<std::string>{"relu", "join", "far"});
  CHECK(start.bytes == 8 * 16 * 4);
  CHECK(start.requires_gradient);
  CHECK(profile.tensors.back().consumers == std::vector<std::string>{"loss"});
}

TEST_CASE("every layer takes time, and views hardly any", "[profiler]") {
  const Profile profile = profiles_of("convolutions", 1, kQuick).front();
  double forward = 0;
  double backward = 0;
  for (const LayerProfile& layer : profile.layers) {
    INFO(layer.name);
    CHECK(layer.forward_us > 0);
    CHECK(layer.backward_us > 0);
    forward += layer.forward_us;
    backward += layer.backward_us;
  }
  CHECK(profile.whole_forward_us > 0);
  CHECK(profile.whole_backward_us > 0);
  CHECK(forward > 0);
  CHECK(backward > 0);
}

TEST_CASE("layers that no gradient passes through have no backward", "[profiler]") {
  const Profile profile = profiles_of("in_place", 1, kQuick).front();
  CHECK(profile.layers.front().name == "image");
  CHECK(profile.layers.front().backward_us == 0);
  CHECK_FALSE(profile.tensors.front().requires_gradient);
  // Layers that overwrite their input included.
  for (std::size_t i = 1; i < profile.layers.size(); ++i) {
    INFO(profile.layers[i].name);
    CHECK(profile.layers[i].backward_us > 0);
  }
}

TEST_CASE("two workers agree to the bit and measure their links", "[profiler]") {
  const auto profiles = profiles_of("linear_relu", 2, kQuick);
  const auto folder = std::filesystem::temp_directory_path() / "pipedream_profiler_test";
  std::filesystem::create_directories(folder);
  write_profile(profiles[0], folder / "first.json");
  write_profile(profiles[1], folder / "second.json");
  CHECK(profiles[0].workers_computing == 2);
  REQUIRE(profiles[0].topology.levels.size() == 1);
  CHECK(profiles[0].topology.levels[0].count == 2);
  CHECK(profiles[0].topology.levels[0].latency_us > 0);
  CHECK(profiles[0].topology.levels[0].bandwidth_bytes_per_s > 1e6);
  CHECK(profiles[0].topology.levels[0].allreduce_bytes_per_s > 1e6);
  const Profile read = read_profile(folder / "second.json");
  REQUIRE(read.layers.size() == profiles[0].layers.size());
  for (std::size_t i = 0; i < read.layers.size(); ++i) {
    CHECK(read.layers[i].forward_us == profiles[0].layers[i].forward_us);
    CHECK(read.layers[i].backward_us == profiles[0].layers[i].backward_us);
    CHECK(read.layers[i].kept_bytes == profiles[0].layers[i].kept_bytes);
  }
  CHECK(read.whole_forward_us == profiles[0].whole_forward_us);
  CHECK(read.topology.levels[0].latency_us == profiles[0].topology.levels[0].latency_us);
  CHECK(read.topology.levels[0].bandwidth_bytes_per_s == profiles[0].topology.levels[0].bandwidth_bytes_per_s);
  std::filesystem::remove_all(folder);
}

TEST_CASE("bytes do not change from one profile to the next", "[profiler]") {
  const Profile first = profiles_of("recurrent", 1, kQuick).front();
  const Profile second = profiles_of("recurrent", 1, kQuick).front();
  for (std::size_t i = 0; i < first.layers.size(); ++i) {
    CHECK(first.layers[i].kept_bytes == second.layers[i].kept_bytes);
    CHECK(first.layers[i].forward_peak_bytes == second.layers[i].forward_peak_bytes);
    CHECK(first.layers[i].backward_peak_bytes == second.layers[i].backward_peak_bytes);
  }
}

TEST_CASE("profiling leaves generator and threads as they were, and can be repeated", "[profiler]") {
  torch::manual_seed(3);
  const Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  const auto model = testing::model_case("linear_relu");
  run_in_threads(1, [&](Communicator& comm) {
    const int threads = torch::get_num_threads();
    const auto data = model.data();
    const Tensor after_data = at::detail::getDefaultCPUGenerator().get_state();
    profile(model.graph(), *data, comm, kQuick);
    profile(model.graph(), *data, comm, kQuick);
    CHECK(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), after_data));
    CHECK(torch::get_num_threads() == threads);
  });
}

TEST_CASE("links can be measured again, by any number of workers", "[profiler]") {
  run_in_threads(3, [&](Communicator& comm) {
    const Topology first = measure_topology(comm);
    const Topology second = measure_topology(comm);
    REQUIRE(first.levels.size() == 1);
    CHECK(first.levels[0].count == 3);
    CHECK(second.levels[0].bandwidth_bytes_per_s > 0);
  });
}

TEST_CASE("a small data set is profiled with what it has", "[profiler]") {
  CHECK(
      profiles_of("linear_relu", 1, {.microbatch_size = 100, .warmup = 0, .repetitions = 1}).front().microbatch_size ==
      8);
}

TEST_CASE("a layer that fails is named with its inputs", "[profiler]") {
  CHECK_THAT(refusal(graph_with("narrow", [] { return torch::nn::Linear(5, 4); })),
             Contains("layer 'narrow'") && Contains("[8, 4]"));
  LayerGraph graph;
  graph.layer_with_outputs("halves", graph.input("x"), {"a", "b", "c"}, [](const Tensor& x) { return x.chunk(2, 1); });
  graph.layer("join", {"a", "b", "c"}, [](const Tensors& x) { return x[0]; });
  graph.loss("loss", {"join", graph.target("label")}, cross_entropy);
  CHECK_THAT(refusal(graph), Contains("layer 'halves' returned 2") && Contains("declares 3"));
}

TEST_CASE("a layer that writes its weights is refused", "[profiler]") {
  const auto writes = [] { return std::make_shared<SelfWritingImpl>(); };
  CHECK_THAT(refusal(graph_with("writer", writes)), Contains("layer 'writer' writes its parameter 'writer.weight'"));
}

TEST_CASE("parameters without gradient are refused", "[profiler]") {
  const auto unused = [] { return std::make_shared<UnusedWeightImpl>(); };
  CHECK_THAT(refusal(graph_with("half", unused)), Contains("no gradient reaches parameter 'half.unused'"));
  CHECK_THAT(
      refusal(graph_with("cut", [](const Tensor& x) { return x.detach() * torch::ones({4}, torch::requires_grad()); })),
      Contains("no gradient reaches parameter 'first.weight'"));
  CHECK_THAT(refusal(graph_with("cut", [](const Tensor& x) { return x.detach(); })),
             Contains("depends on no parameter"));
}

TEST_CASE("a loss must be a scalar", "[profiler]") {
  LayerGraph graph;
  const auto out = graph.layer("fc", graph.input("x"), [] { return torch::nn::Linear(4, 4); });
  graph.loss("rows", {out, graph.target("label")}, [](const Tensor& x, const Tensor&) {
    return WeightedMean{x.sum(1), 8};
  });
  CHECK_THAT(refusal(graph), Contains("'rows' is no scalar") && Contains("[8]"));
}

TEST_CASE("options and data are checked", "[profiler]") {
  const LayerGraph good = graph_with("relu", torch::relu);
  CHECK(refusal(good).empty());
  CHECK_THAT(refusal(good, {.microbatch_size = 0}), Contains("microbatch_size is 0"));
  CHECK_THAT(refusal(good, {.repetitions = 0}), Contains("repetitions is 0"));
  CHECK_THAT(refusal(good, {.threads_per_worker = 0}), Contains("threads_per_worker is 0"));
  CHECK_THAT(refusal(good, {.device = torch::kMeta}), Contains("meta"));
  LayerGraph other;
  const auto out = other.layer("fc", other.input("picture"), [] { return torch::nn::Linear(4, 4); });
  other.loss("loss", {out, other.target("label")}, cross_entropy);
  CHECK_THAT(refusal(other), Contains("'picture'") && Contains("label, x"));
}

TEST_CASE("a mistake of one worker is heard by all", "[profiler]") {
  std::mutex mutex;
  std::vector<std::string> messages;
  run_in_threads(2, [&](Communicator& comm) {
    const auto model = testing::model_case("linear_relu");
    ProfileOptions options = kQuick;
    if (comm.rank() == 1) options.microbatch_size = 4;
    try {
      profile(model.graph(), *model.data(), comm, options);
    } catch (const ConfigError& error) {
      const std::lock_guard lock(mutex);
      messages.emplace_back(error.what());
    }
  });
  REQUIRE(messages.size() == 2);
  CHECK(messages[0] == messages[1]);
  CHECK_THAT(messages[0], Contains("the microbatch size: 8 and 4"));
}
