#include <catch2/catch.hpp>

#include "oracle.h"
#include "pipedream/partition.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::Equals;

TEST_CASE("what cannot be planned is said") {
  const auto error = [](const Profile& profile, const Topology& topology, PartitionOptions options = {}) {
    return config_error([&] { partition(profile, topology, options); });
  };
  PartitionOptions all;
  all.straight = true;
  all.use_all_workers = true;
  CHECK_THAT(error(chain_profile(3), small_topology(4), all),
             Contains("no straight pipedream plan uses all 4 workers: the model has 3 layer(s)"));
  all.algorithm = Algorithm::model_parallel;
  CHECK_THAT(error(chain_profile(3), small_topology(4), all), Contains("model-parallel plan uses all 4 workers"));

  PartitionOptions data_parallel;
  data_parallel.algorithm = Algorithm::data_parallel;
  data_parallel.straight = true;
  CHECK_THAT(error(chain_profile(), small_topology(2), data_parallel), Contains("straight"));
  PartitionOptions interleaved;
  interleaved.algorithm = Algorithm::interleaved_1f1b;
  CHECK_THAT(error(chain_profile(3), small_topology(2), interleaved),
             Equals("interleaved-1f1b with 2 stages a worker needs 4 layers for 2 workers, the model has 3"));
  CHECK_THAT(error(chain_profile(9), small_topology(1), interleaved), Contains("needs 2 workers or more"));
  interleaved.stages_per_worker = 1;
  CHECK_THAT(error(chain_profile(9), small_topology(2), interleaved),
             Equals("stages_per_worker: must be 2 or more, or 0 for the best, found 1"));
  interleaved.stages_per_worker = 2;
  interleaved.microbatches_per_update = 3;
  CHECK_THAT(error(chain_profile(9), small_topology(2), interleaved), Contains("microbatches_per_update"));
  interleaved.algorithm = Algorithm::gpipe;
  CHECK_THAT(error(chain_profile(9), small_topology(2), interleaved),
             Equals("stages_per_worker: gpipe gives each worker one stage; interleaved-1f1b several"));
  PartitionOptions update;
  update.microbatches_per_update = 4;
  CHECK_THAT(error(chain_profile(), small_topology(2), update), Contains("microbatches_per_update"));
  PartitionOptions factor;
  factor.state_factors = -1;
  CHECK_THAT(error(chain_profile(), small_topology(2), factor), Contains("state_factors"));
  Profile broken = chain_profile();
  broken.layers[1].forward_us = -1;
  CHECK_THAT(error(broken, small_topology(2)), Contains("layers[1].forward_us"));
}

TEST_CASE("a memory limit that nothing keeps names the stage or the layer and its need") {
  Topology topology = small_topology(1);
  topology.memory_bytes_per_worker = 29'999;
  // 10,000 bytes of parameters on one worker: weights, gradient and momentum.
  CHECK_THAT(config_error([&] { partition(chain_profile(4), topology); }),
             Contains("29.3 KiB is too little for any pipedream plan on 1 worker(s)") &&
                 Contains("stage 0 (layers \"layer0\" to \"loss\", warmup 0) needs"));
  topology.memory_bytes_per_worker = 12'000;
  CHECK_THAT(config_error([&] { partition(chain_profile(4), topology); }),
             Contains("layer \"loss\" alone needs 11.9 KiB"));
  PartitionOptions data_parallel;
  data_parallel.algorithm = Algorithm::data_parallel;
  topology = small_topology(2);
  topology.memory_bytes_per_worker = 30'000;
  CHECK_THAT(config_error([&] { partition(chain_profile(4), topology, data_parallel); }),
             Contains("too little for any data-parallel plan on 2 worker(s)"));
}

TEST_CASE("a memory limit makes the planner choose another plan") {
  Profile profile = chain_profile(6, 0);
  for (LayerProfile& layer : profile.layers) layer.parameter_bytes = 1000;
  const Topology free = small_topology(2);
  PartitionOptions straight;
  straight.straight = true;
  straight.cost_model = CostModel::pipedream;
  const Plan fast = partition(profile, free, straight);
  REQUIRE(fast.stages.size() == 2);
  Topology tight = free;
  tight.memory_bytes_per_worker = fast.stages[0].prediction.memory_bytes - 1;
  REQUIRE(fast.stages[0].prediction.memory_bytes > fast.stages[1].prediction.memory_bytes);
  const Plan smaller = partition(profile, tight, straight);
  CHECK(smaller.stages[0].layers.size() < fast.stages[0].layers.size());
  CHECK(smaller.prediction.microbatch_us > fast.prediction.microbatch_us);
}

TEST_CASE("near a memory limit fewer microbatches in an update are advised only where there is a plan with them") {
  const Profile profile = chain_profile(6, 5000);
  Topology topology = uniform_topology(3, 1e6);
  int advised = 0;
  int silent = 0;
  for (const Algorithm algorithm : {Algorithm::gpipe, Algorithm::flush_1f1b, Algorithm::pipedream}) {
    for (std::int64_t limit_bytes = 30'000; limit_bytes < 120'000; limit_bytes += 500) {
      PartitionOptions options;
      options.algorithm = algorithm;
      options.cost_model = CostModel::pipedream;  // stages of `simulated` recompute before it gives up
      topology.memory_bytes_per_worker = limit_bytes;
      std::string message;
      try {
        partition(profile, topology, options);
      } catch (const ConfigError& error) {
        message = error.what();
      }
      if (message.find("needs") == std::string::npos) continue;
      INFO(message);
      const std::size_t advice = message.find("; with ");
      if (algorithm == Algorithm::pipedream) CHECK_THAT(message, !Contains("in an update"));
      if (advice == std::string::npos) {
        ++silent;
        continue;
      }
      ++advised;
      CHECK(algorithm != Algorithm::pipedream);
      options.microbatches_per_update = std::stoll(message.substr(advice + 7));
      CHECK(options.microbatches_per_update > 0);
      CHECK_NOTHROW(partition(profile, topology, options));
    }
  }
  CHECK(advised > 0);
  CHECK(silent > 0);
}
