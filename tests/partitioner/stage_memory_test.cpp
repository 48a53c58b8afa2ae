#include "partitioner/stage_memory.h"

#include <catch2/catch.hpp>

#include "oracle.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

// From the costs of the stage, as it would be planned.
bool fits_slowly(const detail::StageFootprint& footprint, const detail::MemoryRule& rule,
                 const detail::ReplicatedStage& stage, bool is_only, StateFactors factors, std::int64_t limit_bytes) {
  const int delay = traits_of(rule.algorithm).delays_reduction && stage.replicas > 1 && !is_only ? 1 : 0;
  if (rule.algorithm == Algorithm::vertical_sync && stage.first == 0) {
    const bool is_straight = rule.is_straight || (is_only && stage.replicas == 1);
    if (detail::first_stage_versions(stage.warmup, delay, is_straight) > rule.most_versions) return false;
  }
  const StageLoad load = detail::load_of(rule.algorithm, {.replicas = stage.replicas,
                                                          .warmup = stage.warmup,
                                                          .microbatches_per_update = rule.microbatches_per_update,
                                                          .first_stage_versions = rule.versions});
  const detail::UsedStage used{.replicas = stage.replicas,
                               .reduce_delay = delay,
                               .microbatches_per_update = rule.microbatches_per_update,
                               .is_late = stage.warmup > 0};
  return detail::memory_bytes(detail::memory_costs(footprint, use_of(rule.algorithm, used, factors)), load) <=
         limit_bytes;
}

}  // namespace

TEST_CASE("a stage fits where its memory keeps the limit, and may fit where any replicas and depth do") {
  std::mt19937_64 random(24);
  const auto below = [&](int count) { return static_cast<int>(random() % static_cast<std::uint64_t>(count)); };
  int fitting = 0;
  int too_large = 0;
  for (int round = 0; round < 200; ++round) {
    const Profile profile = random_profile(random, 3 + below(5), round % 2 == 0);
    const detail::PlanningStates states = detail::all_states(profile);
    const StateFactors factors(below(5) / 2.0, below(3) / 2.0);
    detail::StageMemory memory(profile, states, factors);
    detail::StageFootprints footprints(profile);
    for (const Algorithm algorithm : {Algorithm::pipedream, Algorithm::vertical_sync, Algorithm::gpipe,
                                      Algorithm::flush_1f1b, Algorithm::two_bw, Algorithm::pipemare}) {
      const std::int64_t limit_bytes = 200 + below(1500);
      const detail::MemoryRule rule{algorithm, 1 + below(12), 1 + below(5), 1 + below(8), below(2) == 0};
      memory.set_limit(limit_bytes);
      memory.set_rule(rule);
      for (int draw = 0; draw < 20; ++draw) {
        const int first = below(states.last());
        const int end = first + 1 + below(states.last() - first);
        if (!states.nested(first, end)) continue;
        const int warmup = traits_of(algorithm).has_warmup ? below(6) : 0;
        const detail::ReplicatedStage stage{first, end, 1 + below(4), warmup};
        const bool is_only = first == 0 && end == states.last();
        const bool fits = fits_slowly(footprints.of(states, first, end), rule, stage, is_only, factors, limit_bytes);
        REQUIRE(memory.fits(stage) == fits);
        if (fits) CHECK(memory.may_fit(first, end));
        ++(fits ? fitting : too_large);
      }
    }
  }
  CHECK(fitting > 1000);
  CHECK(too_large > 1000);
}
