#include <catch2/catch.hpp>
#include <map>

#include "oracle.h"
#include "partitioner/two_bw_planner.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

struct TwoBwCase {
  Profile profile;
  Topology topology;  // one level or two
  PartitionOptions options;
};

// All plans of w times d workers by enumeration, from the formulas alone.
class TwoBwOracle {
 public:
  explicit TwoBwOracle(const TwoBwCase& of)
      : of_(of), cuts_(downward_closed(of.profile)), crossing_(crossing_bytes(of.profile)) {}

  // Of each (w, d) the best: {per microbatch, workers, stages}, best first.
  std::vector<std::tuple<double, int, int>> best() {
    std::vector<std::tuple<double, int, int>> result;
    const int workers = of_.topology.workers();
    const bool may_recompute = of_.options.algorithm != Algorithm::pipemare;
    for (width_ = 1; width_ <= (of_.options.straight ? 1 : workers); ++width_) {
      for (depth_ = 1; width_ * depth_ <= workers; ++depth_) {
        if (of_.options.use_all_workers && width_ * depth_ != workers) continue;
        recompute_ = false;
        double us = least_of_placements();
        if (us == kNone && may_recompute && of_.topology.memory_bytes_per_worker > 0) {
          recompute_ = true;
          us = least_of_placements();
        }
        if (us < kNone) result.emplace_back(us / width_, width_ * depth_, depth_);
      }
    }
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  static constexpr double kNone = 1e300;

  // Neighbouring workers are those of a stage, or those of a pipeline. The slowest place of a kind counts for all.
  double least_of_placements() {
    double least = kNone;
    for (const bool stages_first : {true, false}) {
      const auto worker = [&](int stage, int q) { return stages_first ? stage * width_ + q : q * depth_ + stage; };
      transfer_level_ = reduction_level_ = 0;
      for (int d = 0; d < depth_; ++d) {
        for (int q = 0; q < width_; ++q) {
          if (d + 1 < depth_) meet(worker(d, q), worker(d + 1, q), transfer_level_);
          meet(worker(d, q), worker(d, 0), reduction_level_);
        }
      }
      least = std::min(least, least_us(0, 0));
    }
    return least;
  }

  void meet(int worker, int other, std::size_t& level) const {
    const int each = of_.topology.levels.front().count;
    if (of_.topology.levels.size() > 1 && worker / each != other / each) level = 1;
  }

  double least_us(Layers before, int stages) {
    const Layers all = (Layers{1} << of_.profile.layers.size()) - 1;
    if (before == all) return stages == depth_ ? 0 : kNone;
    if (stages == depth_) return kNone;
    double least = kNone;
    for (const Layers end : cuts_) {
      if (end == before || (before & ~end) != 0) continue;
      least = std::min(least, std::max(stage_us(before, end), least_us(end, stages + 1)));
    }
    return least;
  }

  double stage_us(Layers before, Layers end) {
    const TopologyLevel& links = of_.topology.levels[transfer_level_];
    const TopologyLevel& level = of_.topology.levels[reduction_level_];
    const double bytes_per_us = level.bandwidth_bytes_per_s / 1e6;
    double compute = 0;
    double weights = 0;
    for (std::size_t l = 0; l < of_.profile.layers.size(); ++l) {
      if (!has(end & ~before, static_cast<int>(l))) continue;
      compute += of_.profile.layers[l].forward_us + of_.profile.layers[l].backward_us;
      weights += static_cast<double>(of_.profile.layers[l].parameter_bytes);
    }
    double in_us = 0;
    for (const double bytes : {crossing_[before].forward, crossing_[end].backward}) {
      if (bytes > 0) in_us += bytes / (links.bandwidth_bytes_per_s / 1e6) + links.latency_us;
    }
    double reduce = width_ > 1 && weights > 0 ? 2.0 * (width_ - 1) * (weights / bytes_per_us + level.latency_us) : 0;
    if (level.allreduce_bytes_per_s > 0) {
      reduce = 2.0 * (width_ - 1) * weights / (width_ * (level.allreduce_bytes_per_s / 1e6));
    }
    if (of_.topology.memory_bytes_per_worker > 0 && bytes(before, end, weights) > memory()) return kNone;
    return std::max((recompute_ ? 4.0 / 3 : 1) * compute + in_us, reduce / rounds());
  }

  double memory() const { return static_cast<double>(of_.topology.memory_bytes_per_worker); }

  double bytes(Layers before, Layers end, double weights) {
    const auto [place, is_new] = activations_.try_emplace(end & ~before);
    if (is_new) place->second = activations(end & ~before);
    const auto [held, in] = place->second;
    const bool flushes = of_.options.algorithm == Algorithm::gpipe;
    const double in_flight = flushes ? rounds() : depth_;
    const double versions = flushes ? 1 : 2;
    return versions * weights + (recompute_ ? held - in + in_flight * in : in_flight * held);
  }

  // What a stage holds of a microbatch, and what of that comes in.
  std::pair<double, double> activations(Layers layers) const {
    OracleLoad load;
    load.gradient_copies = 1;  // so that no update hides what a second microbatch adds
    const std::int64_t one = stage_bytes(of_.profile, layers, load, 0);
    load.in_flight = 2;
    const auto held = static_cast<double>(stage_bytes(of_.profile, layers, load, 0) - one);
    double in = 0;
    for (const TensorProfile& tensor : of_.profile.tensors) {
      const bool is_used = std::any_of(tensor.consumers.begin(), tensor.consumers.end(), [&](const std::string& user) {
        return has(layers, index_of(of_.profile, user));
      });
      const bool is_inside = has(layers, index_of(of_.profile, tensor.producer));
      if (is_used && !is_inside) in += static_cast<double>(tensor.bytes);
    }
    return {held, in};
  }

  // Microbatches of a replica in an update.
  double rounds() const {
    if (of_.options.microbatches_per_update > 0) {
      return std::max<double>(1, static_cast<double>(of_.options.microbatches_per_update / width_));
    }
    return of_.options.algorithm == Algorithm::gpipe ? 4 * depth_ : std::max(1, depth_ - 1);
  }

  const TwoBwCase& of_;
  const std::vector<Layers> cuts_;
  const std::vector<CrossingBytes> crossing_;                // by the layers before
  std::map<Layers, std::pair<double, double>> activations_;  // by stage
  int width_ = 1;
  int depth_ = 1;
  bool recompute_ = false;
  std::size_t transfer_level_ = 0;
  std::size_t reduction_level_ = 0;
};

// Of one level or of two.
TwoBwCase random_two_bw_case(std::mt19937_64& random) {
  TwoBwCase result{random_profile(random, 1 + static_cast<int>(random() % 5), random() % 2 == 0),
                   random_topology(random, {1 + static_cast<int>(random() % 5)}),
                   {}};
  if (random() % 2 == 0) {
    result.topology = random_topology(random, {1 + static_cast<int>(random() % 3), 1 + static_cast<int>(random() % 3)});
  }
  for (TensorProfile& tensor : result.profile.tensors) tensor.view_of.clear();
  result.options.cost_model = CostModel::two_bw;
  result.options.algorithm = random() % 3 == 0 ? Algorithm::gpipe : Algorithm::two_bw;
  result.options.straight = random() % 4 == 0;
  result.options.use_all_workers = random() % 4 == 0;
  if (random() % 2 == 0) result.options.microbatches_per_update = 60;
  if (random() % 2 == 0) result.topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 500);
  return result;
}

}  // namespace

TEST_CASE("2bw: the planner finds what enumeration finds, best first") {
  std::mt19937_64 random(1);
  int several = 0;
  int recomputing = 0;
  int none = 0;
  int of_two_levels = 0;
  for (int i = 0; i < 12'000; ++i) {
    const TwoBwCase one = random_two_bw_case(random);
    const auto expected = TwoBwOracle(one).best();
    INFO("case " << i << "\n" << to_json(one.profile) << to_json(one.topology));
    const detail::PlanningStates states = detail::all_states(one.profile);
    const detail::EqualWidthOptions options{{one.options.algorithm, one.options.microbatches_per_update},
                                            one.options.straight,
                                            one.options.use_all_workers,
                                            3};
    const auto found = detail::equal_width_plans(one.profile, states, one.topology, options);
    REQUIRE(found.size() == std::min<std::size_t>(3, expected.size()));
    for (std::size_t f = 0; f < found.size(); ++f) {
      REQUIRE(found[f].microbatch_us == Approx(std::get<0>(expected[f])).epsilon(1e-12));
      recomputing += found[f].recompute;
      several += found[f].stages.size() > 1;
    }
    none += expected.empty();
    of_two_levels += one.topology.levels.size() == 2;
  }
  CHECK(several > 4'000);
  CHECK(recomputing > 200);
  CHECK(none > 200);
  CHECK(of_two_levels > 5'000);
}

TEST_CASE("2bw: its plans are valid, on several levels too") {
  std::mt19937_64 random(2);
  int feasible = 0;
  for (int i = 0; i < 2'000; ++i) {
    const TwoBwCase one = random_two_bw_case(random);
    std::optional<Plan> plan;
    try {
      plan = partition(one.profile, one.topology, one.options);
    } catch (const ConfigError& error) {
      // No room, or no (w, d) of all workers. An update of 60 has whole rounds of up to 6 replicas.
      const bool is_allowed = one.topology.memory_bytes_per_worker > 0 || one.options.use_all_workers ||
                              one.options.microbatches_per_update > 0;
      INFO(error.what());
      REQUIRE(is_allowed);
      continue;
    }
    ++feasible;
    Plan copy = *plan;
    CHECK_NOTHROW(predict(copy, one.profile, one.topology));  // every layer in exactly one stage, workers once each
    for (const StagePlan& stage : plan->stages) {
      CHECK_FALSE(stage.layers.empty());
      CHECK(stage.replicas() == plan->stages.front().replicas());
    }
    CHECK(plan->search.cost_model == "2bw");
  }
  CHECK(feasible > 1'000);
}
