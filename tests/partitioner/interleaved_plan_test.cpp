// Plans with several stages on each worker, against all ways to cut a chain.
#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <set>

#include "oracle.h"
#include "partitioner/units.h"
#include "pipedream/error.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

// The slowest stage or link of the chain cut before each of `cuts`, the paper's model without replicas.
double bottleneck_us(const Profile& profile, const std::vector<int>& cuts, double bytes_per_us) {
  double slowest = 0;
  double stage_us = 0;
  std::size_t next = 0;
  for (int l = 0; l < static_cast<int>(profile.layers.size()); ++l) {
    if (next < cuts.size() && cuts[next] == l) {
      ++next;
      stage_us = 0;
      const TensorProfile& sent = profile.tensors[static_cast<std::size_t>(l) - 1];
      const auto bytes = static_cast<double>(sent.bytes);
      slowest = std::max(slowest, (bytes + (sent.requires_gradient ? bytes : 0)) / bytes_per_us);
    }
    const LayerProfile& layer = profile.layers[static_cast<std::size_t>(l)];
    stage_us += layer.forward_us + layer.backward_us;
    slowest = std::max(slowest, stage_us);
  }
  return slowest;
}

double least_bottleneck_us(const Profile& profile, int stages, double bytes_per_us) {
  const auto layers = static_cast<int>(profile.layers.size());
  std::vector<bool> is_cut(static_cast<std::size_t>(layers) - 1, false);
  std::fill_n(is_cut.begin(), stages - 1, true);
  double least = std::numeric_limits<double>::infinity();
  do {
    std::vector<int> cuts;
    for (int l = 1; l < layers; ++l) {
      if (is_cut[static_cast<std::size_t>(l) - 1]) cuts.push_back(l);
    }
    least = std::min(least, bottleneck_us(profile, cuts, bytes_per_us));
  } while (std::prev_permutation(is_cut.begin(), is_cut.end()));
  return least;
}

PartitionOptions interleaved(int stages_per_worker) {
  PartitionOptions options;
  options.algorithm = Algorithm::interleaved_1f1b;
  options.stages_per_worker = stages_per_worker;
  return options;
}

}  // namespace

TEST_CASE("interleaved stages are cut where the slowest is fastest") {
  std::mt19937_64 random(11);
  for (int i = 0; i < 300; ++i) {
    const int workers = 2 + static_cast<int>(random() % 2);
    const int each = 2 + static_cast<int>(random() % 2);
    const Profile profile = random_profile(random, workers * each + static_cast<int>(random() % 4), true);
    const Topology topology = uniform_topology(workers, 2e6);
    const Plan plan = partition(profile, topology, interleaved(each));
    REQUIRE(plan.stages.size() == static_cast<std::size_t>(workers * each));
    REQUIRE(plan.workers() == workers);
    std::multiset<std::string> layers;
    std::vector<int> cuts;
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
      REQUIRE(plan.stages[s].workers == std::vector<int>{static_cast<int>(s) % workers});
      if (s > 0) cuts.push_back(static_cast<int>(layers.size()));
      layers.insert(plan.stages[s].layers.begin(), plan.stages[s].layers.end());
    }
    REQUIRE(layers.size() == profile.layers.size());
    REQUIRE(std::set<std::string>(layers.begin(), layers.end()).size() == layers.size());
    CHECK(bottleneck_us(profile, cuts, 2) == Approx(least_bottleneck_us(profile, workers * each, 2)));
  }
}

TEST_CASE("of several numbers of stages a worker the fastest is taken") {
  std::mt19937_64 random(12);
  for (int i = 0; i < 20; ++i) {
    const Profile profile = random_profile(random, 16, true);
    const Topology topology = uniform_topology(2, 1e7);
    double least = std::numeric_limits<double>::infinity();
    for (int each = 2; each <= 8; ++each) {
      least = std::min(least, partition(profile, topology, interleaved(each)).prediction.microbatch_us);
    }
    CHECK(partition(profile, topology, interleaved(0)).prediction.microbatch_us == least);
  }
}

TEST_CASE("interleaved plans keep a memory limit or say what they need") {
  const Profile profile = chain_profile(8);
  Topology topology = uniform_topology(2, 1e9);
  const Plan plan = partition(profile, topology, interleaved(2));
  std::int64_t needed = 0;
  for (int worker = 0; worker < 2; ++worker) {
    std::int64_t bytes = 0;
    for (const int s : plan.stages_of_worker(worker)) {
      bytes += plan.stages[static_cast<std::size_t>(s)].prediction.memory_bytes;
    }
    needed = std::max(needed, bytes);
  }
  topology.memory_bytes_per_worker = needed;
  CHECK_NOTHROW(partition(profile, topology, interleaved(2)));
  topology.memory_bytes_per_worker = needed - 1;
  CHECK_THROWS_WITH(partition(profile, topology, interleaved(2)),
                    Catch::Contains("a worker needs " + detail::format_bytes(needed)));
}
