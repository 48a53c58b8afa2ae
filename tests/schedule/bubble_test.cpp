// The closed form of what a flush costs: S equal stages are done with M microbatches after M + S - 1 of a stage's times
// for one (Huang et al., GPipe, NeurIPS'19, section 2.3); p workers with v equal stages each after v M + p - 1
// (Narayanan et al., SC'21, section 2.2).
#include <catch2/catch.hpp>

#include "costs.h"

namespace pipedream {
namespace {

using testing::RandomCase;

RandomCase straight(Algorithm algorithm, int stages, std::int64_t per_update) {
  const std::vector<int> replicas(static_cast<std::size_t>(stages), 1);
  const bool has_warmup = traits_of(algorithm).has_warmup;
  RandomCase c{
      testing::make_plan(algorithm, replicas, has_warmup ? testing::least_warmup(replicas) : std::vector<int>()), {}};
  c.plan.microbatches_per_update = per_update;
  c.links = testing::chain_links(c.plan);
  return c;
}

}  // namespace

TEST_CASE("pipelines that flush idle (S - 1) / (M + S - 1) of the time") {
  for (const Algorithm algorithm : {Algorithm::gpipe, Algorithm::flush_1f1b}) {
    for (const int stages : {1, 2, 4, 8}) {
      for (const std::int64_t per_update : {1, 2, 4, 9, 32}) {
        constexpr std::int64_t updates = 4;
        const RandomCase c = straight(algorithm, stages, per_update);
        const SimulationReport report = testing::simulate_units(c, updates * per_update);
        INFO(to_string(algorithm) << " " << stages << " stages, " << per_update << " an update");
        CHECK(report.bubble == Approx((stages - 1.0) / (static_cast<double>(per_update) + stages - 1)).margin(1e-12));
        CHECK(report.microbatch_us == Approx(testing::kStageUs / (1 - report.bubble)));
      }
    }
  }
}

TEST_CASE("p workers with v stages each idle (p - 1) / (v M + p - 1) of the time") {
  for (const int workers : {1, 2, 3, 4, 8}) {
    for (const int stages : {1, 2, 3, 4}) {
      for (const int groups : {1, 2, 3, 5}) {
        constexpr std::int64_t updates = 3;
        const std::int64_t per_update = std::int64_t{groups} * workers;
        RandomCase c{testing::interleaved_plan(workers, stages, per_update), {}};
        c.links = testing::chain_links(c.plan);
        const auto computed = static_cast<double>(stages * per_update);
        INFO(workers << " workers, " << stages << " stages each, " << per_update << " an update");
        const double bubble = testing::simulate_units(c, updates * per_update).bubble;
        CHECK(bubble == Approx((workers - 1) / (computed + workers - 1)).margin(1e-12));
      }
    }
  }
}

}  // namespace pipedream
