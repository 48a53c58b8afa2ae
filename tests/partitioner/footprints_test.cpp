#include "partitioner/footprints.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "oracle.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

struct Range {
  int first;
  int end;
};

std::vector<Range> shuffled_stages(std::mt19937_64& random, const detail::PlanningStates& states) {
  std::vector<Range> stages;
  for (int first = 0; first < states.last(); ++first) {
    for (int end = first + 1; end < states.count(); ++end) {
      if (states.nested(first, end)) stages.push_back({first, end});
    }
  }
  for (std::size_t i = stages.size(); i > 1; --i) std::swap(stages[i - 1], stages[random() % i]);
  return stages;
}

Layers layers_between(const detail::PlanningStates& states, const Range& stage) {
  Layers layers = 0;
  for (const int layer : states.layers_between(stage.first, stage.end)) layers |= 1U << layer;
  return layers;
}

std::int64_t bytes_of(const detail::StageFootprint& footprint, const OracleLoad& load, double state_factor) {
  const detail::StageUse use{.gradient_copies = load.gradient_copies, .optimizer_state_factor = state_factor};
  return detail::memory_bytes(detail::memory_costs(footprint, use),
                              {.versions = load.versions, .in_flight = load.in_flight});
}

}  // namespace

TEST_CASE("what stages hold is what the definitions say, in whatever order they are asked for") {
  std::mt19937_64 random(20);
  std::int64_t stages_compared = 0;
  for (int round = 0; round < 60; ++round) {
    const Profile profile = random_profile(random, 2 + static_cast<int>(random() % 7), round % 3 == 0);
    const detail::PlanningStates states = detail::all_states(profile);
    detail::StageFootprints footprints(profile);
    for (const Range& stage : shuffled_stages(random, states)) {
      const auto footprint = footprints.of(states, stage.first, stage.end);
      const Layers layers = layers_between(states, stage);
      for (const OracleLoad& load : {OracleLoad{}, OracleLoad{.versions = 2, .in_flight = 3, .gradient_copies = 1}}) {
        CHECK(bytes_of(footprint, load, 0.5) == stage_bytes(profile, layers, load, 0.5));
      }
      ++stages_compared;
    }
  }
  CHECK(stages_compared > 1000);
}

TEST_CASE("footprints of all stages of a plan, and of one layer, are those of their layers") {
  std::mt19937_64 random(21);
  for (int round = 0; round < 40; ++round) {
    const int count = 3 + static_cast<int>(random() % 6);
    const Profile profile = random_profile(random, count, false);
    std::vector<int> stage_of_layer;
    std::vector<Layers> layers(3, 0);
    for (int l = 0; l < count; ++l) {
      stage_of_layer.push_back(l < 3 ? l : static_cast<int>(random() % 3));
      layers[static_cast<std::size_t>(stage_of_layer.back())] |= 1U << l;
    }
    detail::StageFootprints footprints(profile);
    const auto stages = footprints.of_stages(stage_of_layer, layers.size());
    REQUIRE(stages.size() == layers.size());
    for (std::size_t s = 0; s < stages.size(); ++s) {
      CHECK(bytes_of(stages[s], {}, 2) == stage_bytes(profile, layers[s], {}, 2));
    }
    for (int l = 0; l < count; ++l) {
      CHECK(bytes_of(footprints.of_layer(l), {}, 2) == stage_bytes(profile, 1U << l, {}, 2));
    }
  }
}
