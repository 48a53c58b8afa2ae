#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "oracle.h"
#include "pipedream/depths.h"
#include "pipedream/partition.h"
#include "pipedream/simulate.h"
#include "planning/artifact_profiles.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

double simulated_us(const Plan& plan, const Profile& profile, const Topology& topology) {
  const Segment segment = steady_segment(plan);
  return simulate(make_program(plan, stage_links(plan, profile), segment), plan, segment,
                  simulation_costs(plan, profile, topology))
      .microbatch_us;
}

bool fits(Plan plan, const Profile& profile, const Topology& topology) {
  predict(plan, profile, topology);
  return std::all_of(plan.stages.begin(), plan.stages.end(), [&](const StagePlan& stage) {
    return topology.memory_bytes_per_worker == 0 || stage.prediction.memory_bytes <= topology.memory_bytes_per_worker;
  });
}

PartitionOptions by(CostModel model, Algorithm algorithm = Algorithm::pipedream) {
  PartitionOptions options;
  options.algorithm = algorithm;
  options.cost_model = model;
  return options;
}

std::optional<Plan> try_partition(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  try {
    return partition(profile, topology, options);
  } catch (const ConfigError&) {
    return std::nullopt;
  }
}

// Every layer in exactly one stage, none empty, workers at most once, and what the plan says of itself.
void check_plan(const Plan& plan, const Profile& profile, const Topology& topology) {
  CHECK_NOTHROW(validate(plan));
  CHECK(fits(plan, profile, topology));  // predict() refuses a layer that is in no stage or in two
  std::set<int> workers;
  for (const StagePlan& stage : plan.stages) {
    CHECK_FALSE(stage.layers.empty());
    for (const int worker : stage.workers) CHECK(workers.insert(worker).second);
  }
  CHECK(plan.workers() <= topology.workers());
  CHECK(plan.search.cost_model == "simulated");
  CHECK(plan.prediction.microbatch_us == plan.search.bottleneck_us);
  const auto& proposals = plan.search.proposals;
  CHECK(std::any_of(proposals.begin(), proposals.end(),
                    [&](const SimulatedProposal& one) { return one.name == plan.search.proposal; }));
}

// The plan of `simulated`, after it was held against that of each other model.
std::optional<Plan> check_against_models(const Profile& profile, const Topology& topology, Algorithm algorithm) {
  const auto plan = try_partition(profile, topology, by(CostModel::simulated, algorithm));
  if (plan) check_plan(*plan, profile, topology);
  for (const CostModel model : all_cost_models()) {
    const auto other = try_partition(profile, topology, by(model, algorithm));
    if (model == CostModel::simulated || !other || !fits(*other, profile, topology)) continue;
    INFO(to_string(algorithm) << ", " << to_string(model) << "\n" << to_json(profile) << to_json(topology));
    REQUIRE(plan.has_value());
    const double us = simulated_us(*other, profile, topology);
    INFO(to_json(*plan) << to_json(*other));
    REQUIRE(simulated_us(*plan, profile, topology) <= us * (1 + 1e-9));
  }
  return plan;
}

// Every plan of a small model, each with several depths, simulated; without those that compute longer than the best.
class Exhaustive {
 public:
  Exhaustive(const Profile& profile, const Topology& topology, const PartitionOptions& options)
      : profile_(profile),
        topology_(topology),
        algorithm_(options.algorithm),
        update_(options.microbatches_per_update),
        cuts_(downward_closed(profile)) {}

  double least_us() {
    extend(0, 0, {});
    return best_us_;
  }

 private:
  void extend(Layers before, int used, const Plan& begun) {
    const Layers all = (Layers{1} << profile_.layers.size()) - 1;
    if (before == all) {
      try_depths(begun);
      return;
    }
    for (const Layers end : cuts_) {
      if (end == before || (before & ~end) != 0) continue;
      for (int replicas = 1; used + replicas <= topology_.workers(); ++replicas) {
        if (floor_us(end & ~before) / replicas >= best_us_) continue;
        Plan longer = begun;
        longer.algorithm = algorithm_;
        longer.microbatches_per_update = update_;
        StagePlan& stage = longer.stages.emplace_back();
        for (std::size_t l = 0; l < profile_.layers.size(); ++l) {
          if (has(end & ~before, static_cast<int>(l))) stage.layers.push_back(profile_.layers[l].name);
        }
        for (int q = 0; q < replicas; ++q) stage.workers.push_back(used + q);
        extend(end, used + replicas, longer);
      }
    }
  }

  double floor_us(Layers layers) const {
    double sum = 0;
    for (std::size_t l = 0; l < profile_.layers.size(); ++l) {
      if (has(layers, static_cast<int>(l))) sum += profile_.layers[l].forward_us + profile_.layers[l].backward_us;
    }
    return sum;
  }

  void try_depths(Plan plan) {
    std::vector<int> replicas;
    for (const StagePlan& stage : plan.stages) replicas.push_back(stage.replicas());
    const std::vector<int> least = default_warmup(replicas);
    const AlgorithmTraits traits = traits_of(algorithm_);
    for (const int delay : {1, 0}) {
      if (delay > 0 && !traits.delays_reduction) continue;
      for (const int slack : {1, 0, 4}) {
        if (slack > 0 && (!traits.has_warmup || plan.stages.size() < 2)) continue;
        const int stages = static_cast<int>(plan.stages.size());
        for (int s = 0; s < stages; ++s) {
          StagePlan& stage = plan.stages[static_cast<std::size_t>(s)];
          if (traits.has_warmup) stage.warmup = least[static_cast<std::size_t>(s)] + slack * (stages - 1 - s);
          stage.reduce_delay = stage.replicas() > 1 ? delay : 0;
        }
        try_plan(plan);
      }
    }
  }

  void try_plan(const Plan& plan) {
    try {
      best_us_ = std::min(best_us_, simulated_us(plan, profile_, topology_));
    } catch (const ConfigError&) {
      // Deeper than the algorithm allows.
    }
  }

  const Profile& profile_;
  const Topology& topology_;
  const Algorithm algorithm_;
  const std::int64_t update_;
  std::vector<Layers> cuts_;
  double best_us_ = 1e300;
};

// Within 1% of everything there is.
void check_against_everything(std::uint64_t seed, int cases, Algorithm algorithm) {
  std::mt19937_64 random(seed);
  int several = 0;
  double worst = 0;
  for (int i = 0; i < cases; ++i) {
    const Profile profile = random_profile(random, 2 + static_cast<int>(random() % 3), random() % 2 == 0);
    const Topology topology = random_topology(random, {2 + static_cast<int>(random() % 2)});
    PartitionOptions options = by(CostModel::simulated, algorithm);
    // By default it grows with the depths: another question.
    if (algorithm == Algorithm::two_bw) options.microbatches_per_update = 24;
    const Plan plan = partition(profile, topology, options);
    const double least_us = Exhaustive(profile, topology, options).least_us();
    INFO(to_string(algorithm) << ", case " << i << "\n" << to_json(profile) << to_json(topology) << to_json(plan));
    const double us = simulated_us(plan, profile, topology);
    worst = std::max(worst, us / least_us);
    CHECK(us <= 1.01 * least_us);
    several += plan.stages.size() > 1;
  }
  CAPTURE(worst);
  // Where updates are large, data parallelism is the fastest nearly always.
  if (algorithm == Algorithm::pipedream) CHECK(several > cases / 10);
}

}  // namespace

TEST_CASE("simulated: within 1% of all small plans without a flush") {
  check_against_everything(1, 600, Algorithm::pipedream);
}

TEST_CASE("simulated: within 1% of all small plans of other algorithms") {
  check_against_everything(2, 100, Algorithm::flush_1f1b);
  check_against_everything(3, 100, Algorithm::gpipe);
  check_against_everything(4, 100, Algorithm::two_bw);
  check_against_everything(5, 100, Algorithm::pipemare);
}

TEST_CASE("simulated: never slower than the plan of another cost model, on random models") {
  std::mt19937_64 random(6);
  int feasible = 0;
  int recomputing = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Profile profile = random_profile(random, 1 + static_cast<int>(random() % 6), random() % 2 == 0);
    std::vector<int> counts{1 + static_cast<int>(random() % 4)};
    if (random() % 3 == 0) counts.push_back(2);
    Topology topology = random_topology(random, counts);
    if (random() % 2 == 0) topology.memory_bytes_per_worker = 100 + static_cast<std::int64_t>(random() % 900);
    constexpr Algorithm kAlgorithms[] = {Algorithm::pipedream,  Algorithm::pipedream,      Algorithm::vertical_sync,
                                         Algorithm::flush_1f1b, Algorithm::gpipe,          Algorithm::two_bw,
                                         Algorithm::pipemare,   Algorithm::model_parallel, Algorithm::data_parallel};
    const auto plan = check_against_models(profile, topology, kAlgorithms[random() % std::size(kAlgorithms)]);
    if (!plan) continue;
    ++feasible;
    recomputing += std::any_of(plan->stages.begin(), plan->stages.end(), [](const auto& s) { return s.recompute; });
  }
  CHECK(feasible > 700);
  CHECK(recomputing > 10);
}

TEST_CASE("simulated: never slower than the plan of another cost model, on the artifact's profiles") {
  for (const char* model : {"vgg16", "resnet50", "gnmt"}) {
    const auto profile = artifact_profile(model);
    if (!profile) return;
    check_against_models(*profile, uniform_topology(4, 1e10), Algorithm::pipedream);
    check_against_models(*profile, uniform_topology(4, 1e10), Algorithm::flush_1f1b);
    check_against_models(*profile, uniform_topology(16, 1.25e9), Algorithm::pipedream);
    Topology topology = uniform_topology(4, 1e10);
    topology.levels.push_back({"server", 4, 1.25e9, 0, 0});
    check_against_models(*profile, topology, Algorithm::pipedream);
  }
}
