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
#include "support/test_device.h"

using namespace pipedream;
using pipedream::testing::quick_options;
using pipedream::testing::test_device;
using torch::Tensor;

namespace {

std::vector<Profile> profiles_of(const std::string& name, int workers, const ProfileOptions& options) {
  std::vector<Profile> profiles(static_cast<std::size_t>(workers));
  run_in_threads(workers, [&](Communicator& comm) {
    const auto model = testing::model_case(name);
    profiles[static_cast<std::size_t>(comm.rank())] = profile(model.graph(), *model.data(), comm, options);
  });
  CHECK(testing::device_faults().empty());
  return profiles;
}

}  // namespace

TEST_CASE("a profile describes the graph it was measured on", "[profiler]") {
  const Profile profile = profiles_of("residual", 1, quick_options()).front();
  const LayerGraph graph = testing::model_case("residual").graph();
  CHECK_NOTHROW(validate(profile));
  CHECK(profile.graph_hash == graph.hash());
  CHECK(profile.microbatch_size == 8);
  CHECK(profile.workers_computing == 1);
  CHECK(profile.threads_per_worker == 1);
  CHECK_THAT(profile.device, Catch::StartsWith(test_device().is_cpu() ? "CPU" : test_device().str()));
  CHECK((profile.topology.memory_bytes_per_worker > 0) == !test_device().is_cpu());
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
  const Profile profile = profiles_of("convolutions", 1, quick_options()).front();
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
  const Profile profile = profiles_of("in_place", 1, quick_options()).front();
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
  const auto profiles = profiles_of("linear_relu", 2, quick_options());
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

TEST_CASE("views and model inputs are in the profile", "[profiler]") {
  const Profile profile = profiles_of("convolutions", 1, quick_options()).front();
  for (const TensorProfile& tensor : profile.tensors) {
    INFO(tensor.name);
    CHECK(tensor.view_of == (tensor.producer == "flatten" ? "relu2" : ""));
  }
  CHECK(profile.layers.front().data_bytes > 0);
  CHECK(profile.layers[1].data_bytes == 0);
}

TEST_CASE("bytes do not change from one profile to the next", "[profiler]") {
  const Profile first = profiles_of("recurrent", 1, quick_options()).front();
  const Profile second = profiles_of("recurrent", 1, quick_options()).front();
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
    profile(model.graph(), *data, comm, quick_options());
    profile(model.graph(), *data, comm, quick_options());
    CHECK(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), after_data));
    CHECK(torch::get_num_threads() == threads);
  });
}

TEST_CASE("links can be measured again, by any number of workers", "[profiler]") {
  run_in_threads(3, [&](Communicator& comm) {
    const Topology first = measure_topology(comm, test_device());
    const Topology second = measure_topology(comm, test_device());
    REQUIRE(first.levels.size() == 1);
    CHECK(first.levels[0].count == 3);
    CHECK(second.levels[0].bandwidth_bytes_per_s > 0);
  });
}

TEST_CASE("a small data set is profiled with what it has", "[profiler]") {
  CHECK(profiles_of("linear_relu", 1, {.microbatch_size = 100, .warmup = 0, .repetitions = 1, .device = test_device()})
            .front()
            .microbatch_size == 8);
}
