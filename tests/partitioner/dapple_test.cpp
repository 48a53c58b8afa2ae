#include <catch2/catch.hpp>

#include "oracle.h"
#include "partitioner/dapple_latency.h"
#include "partitioner/dapple_planner.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using detail::DappleStage;

namespace {

// Of one level, by the formulas of the paper, each sum written out.
double latency_us(const std::vector<DappleStage>& stages, std::int64_t microbatches) {
  const double rounds = static_cast<double>(microbatches) - 1;
  const auto both = [&](int s) {
    const DappleStage& stage = stages[static_cast<std::size_t>(s)];
    return stage.forward_us + stage.backward_us;
  };
  const int count = static_cast<int>(stages.size());
  int pivot = count - 1;
  for (int s = count - 2; s >= 0; --s) {
    double between = 0;
    for (int a = s + 1; a < pivot; ++a) between += both(a);
    if (rounds * both(s) > rounds * both(pivot) + between) pivot = s;
  }
  double warm_up = 0;
  for (int s = 0; s <= pivot; ++s) warm_up += stages[static_cast<std::size_t>(s)].forward_us;
  double end = 0;
  for (int s = 0; s < count; ++s) {
    double backward = 0;
    for (int a = std::min(s, pivot); a <= std::max(s, pivot); ++a) {
      backward += stages[static_cast<std::size_t>(a)].backward_us;
    }
    end = std::max(end, stages[static_cast<std::size_t>(s)].allreduce_us + (s <= pivot ? backward : -backward));
  }
  return warm_up + rounds * both(pivot) + end;
}

class DappleOracle {
 public:
  DappleOracle(const Profile& profile, const Topology& topology, const detail::DappleOptions& options)
      : profile_(profile), topology_(topology), options_(options), cuts_(downward_closed(profile)) {}

  // The latency of every plan for each of its microbatches, least first.
  std::vector<double> all() {
    extend(0, {});
    std::sort(found_.begin(), found_.end());
    return found_;
  }

 private:
  void extend(Layers before, const std::vector<OracleStage>& stages) {
    int used = 0;
    for (const OracleStage& stage : stages) used += stage.replicas;
    if (before == (Layers{1} << profile_.layers.size()) - 1) {
      if (!options_.use_all || used == topology_.workers()) found_.push_back(microbatch_us(stages, used));
      return;
    }
    for (const Layers end : cuts_) {
      if (end == before || (before & ~end) != 0) continue;
      for (int replicas = 1; used + replicas <= topology_.workers(); ++replicas) {
        if (options_.straight && replicas > 1) break;
        auto longer = stages;
        longer.push_back({before, end, replicas});
        extend(end, longer);
      }
    }
  }

  double microbatch_us(const std::vector<OracleStage>& stages, int used) const {
    const TopologyLevel& level = topology_.levels.front();
    const double bytes_per_us = level.bandwidth_bytes_per_s / 1e6;
    std::vector<DappleStage> all;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const int r = stages[s].replicas;
      DappleStage compute;
      double weights = 0;
      for (std::size_t l = 0; l < profile_.layers.size(); ++l) {
        if (!has(stages[s].until & ~stages[s].before, static_cast<int>(l))) continue;
        compute.forward_us += profile_.layers[l].forward_us / r;
        compute.backward_us += profile_.layers[l].backward_us / r;
        weights += static_cast<double>(profile_.layers[l].parameter_bytes);
      }
      if (r > 1 && weights > 0) {
        compute.allreduce_us = level.allreduce_bytes_per_s > 0
                                   ? 2.0 * (r - 1) * weights / (r * (level.allreduce_bytes_per_s / 1e6))
                                   : 2.0 * (r - 1) * (weights / bytes_per_us + level.latency_us);
      }
      all.push_back(compute);
      if (s + 1 == stages.size()) continue;
      const double lanes = std::min(r, stages[s + 1].replicas);
      const auto us = [&](bool gradients) {
        const double bytes = crossing(stages[s].until, gradients);
        return bytes > 0 ? (bytes / bytes_per_us + level.latency_us) / lanes : 0;
      };
      all.push_back({us(false), us(true), 0});
    }
    const std::int64_t chosen = options_.under.microbatches_per_update;
    const std::int64_t update = chosen > 0 ? chosen : 4 * used;
    return latency_us(all, update) / static_cast<double>(update);
  }

  double crossing(Layers before, bool gradients) const {
    double bytes = 0;
    for (const TensorProfile& tensor : profile_.tensors) {
      if (!has(before, index_of(profile_, tensor.producer)) || (gradients && !tensor.requires_gradient)) continue;
      bool crosses = false;
      for (const std::string& user : tensor.consumers) crosses = crosses || !has(before, index_of(profile_, user));
      bytes += crosses ? static_cast<double>(tensor.bytes) : 0;
    }
    return bytes;
  }

  const Profile& profile_;
  const Topology& topology_;
  const detail::DappleOptions& options_;
  std::vector<Layers> cuts_;
  std::vector<double> found_;
};

detail::DappleOptions random_dapple_options(std::mt19937_64& random) {
  detail::DappleOptions options;
  options.under.algorithm = Algorithm::flush_1f1b;
  if (random() % 2 == 0) options.under.microbatches_per_update = 1 + static_cast<int>(random() % 20);
  options.straight = random() % 4 == 0;
  options.use_all = random() % 4 == 0;
  options.most = 3;
  return options;
}

}  // namespace

TEST_CASE("dapple: the latency is that of the paper's formulas") {
  // Three equal stages, nothing between them: the pivot is the last; 3 F, 3 more of F + B, 3 B.
  CHECK(detail::dapple_latency_us(std::vector<DappleStage>(3, {1, 2, 0}), 4) == 3 * 1 + 3 * 3 + 3 * 2);
  // The first stage is the pivot; the last one's reduction has 6 us more than its own begins early: 2 + 3.
  const std::vector<DappleStage> first{{2, 3, 0}, {1, 1, 7}};
  CHECK(detail::dapple_latency_us(first, 10) == 2 + 9 * 5 + 3);
  std::mt19937_64 random(1);
  for (int i = 0; i < 5'000; ++i) {
    std::vector<DappleStage> stages;
    const int count = 1 + static_cast<int>(random() % 7);
    for (int s = 0; s < count; ++s) {
      stages.push_back(
          {static_cast<double>(random() % 9), static_cast<double>(random() % 9), static_cast<double>(random() % 30)});
    }
    const std::int64_t update = 1 + static_cast<std::int64_t>(random() % 9);
    REQUIRE(detail::dapple_latency_us(stages, update) == latency_us(stages, update));
  }
}

TEST_CASE("dapple: of few plans the best are found, best first") {
  std::mt19937_64 random(2);
  int several = 0;
  for (int i = 0; i < 2'000; ++i) {
    const Profile profile = random_profile(random, 1 + static_cast<int>(random() % 5), random() % 2 == 0);
    const Topology topology = random_topology(random, {1 + static_cast<int>(random() % 4)});
    const detail::DappleOptions options = random_dapple_options(random);
    const auto expected = DappleOracle(profile, topology, options).all();
    const auto found = detail::dapple_plans(profile, detail::all_states(profile), topology, options);
    INFO("case " << i << "\n" << to_json(profile) << to_json(topology));
    REQUIRE(found.size() == std::min(options.most, expected.size()));
    for (std::size_t f = 0; f < found.size(); ++f) {
      REQUIRE(found[f].microbatch_us == Approx(expected[f]).epsilon(1e-9).margin(1e-9));
      several += found[f].stages.size() > 1;
    }
  }
  CHECK(several > 1'000);
}

TEST_CASE("dapple: the recurrence is near the best, and its plans are what they say") {
  std::mt19937_64 random(3);
  int best = 0;
  int cases = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Profile profile = random_profile(random, 2 + static_cast<int>(random() % 4), true);
    const Topology topology = random_topology(random, {2 + static_cast<int>(random() % 3)});
    detail::DappleOptions options = random_dapple_options(random);
    options.straight = false;
    options.use_all = true;
    const auto expected = DappleOracle(profile, topology, options).all();
    options.few = 0;
    const auto found = detail::dapple_plans(profile, detail::all_states(profile), topology, options);
    REQUIRE_FALSE(found.empty());
    const double us = found.front().microbatch_us;
    // One of the plans that there are, and never worse than data parallelism.
    CHECK(std::any_of(expected.begin(), expected.end(),
                      [&](double other) { return us == Approx(other).epsilon(1e-9).margin(1e-9); }));
    ++cases;
    best += us <= expected.front() * (1 + 1e-9) + 1e-9;
  }
  CHECK(best > cases * 9 / 10);
}

TEST_CASE("dapple: its plans are valid, on several levels too, and fit into memory") {
  std::mt19937_64 random(4);
  int feasible = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Profile profile = random_profile(random, 1 + static_cast<int>(random() % 8), random() % 2 == 0);
    Topology topology = random_topology(random, {2, 1 + static_cast<int>(random() % 4)});
    if (random() % 2 == 0) topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 900);
    PartitionOptions options;
    options.algorithm = random() % 2 == 0 ? Algorithm::flush_1f1b : Algorithm::gpipe;
    options.cost_model = CostModel::dapple;
    options.straight = random() % 3 == 0;
    Plan plan;
    try {
      plan = partition(profile, topology, options);
    } catch (const ConfigError&) {
      REQUIRE(topology.memory_bytes_per_worker > 0);
      continue;
    }
    ++feasible;
    Plan copy = plan;
    CHECK_NOTHROW(predict(copy, profile, topology));  // every layer in exactly one stage, workers once each
    for (const StagePlan& stage : plan.stages) {
      CHECK_FALSE(stage.layers.empty());
      const std::int64_t limit = topology.memory_bytes_per_worker;
      if (limit > 0) CHECK(stage.prediction.memory_bytes <= limit);
    }
    CHECK(plan.search.cost_model == "dapple");
  }
  CHECK(feasible > 500);
}
