#include "schedule/lowering.h"

#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "plans.h"

namespace pipedream {
namespace {

using testing::make_plan;

std::string program(const Plan& plan, std::span<const StageLink> links, std::int64_t microbatches, int worker,
                    Pass pass = Pass::train) {
  return testing::text(detail::lower(plan, links, {pass, microbatches}, worker));
}

}  // namespace

TEST_CASE("lowering of a straight pipeline") {
  const Plan plan = testing::straight_pipedream(2);
  const std::vector<StageLink> links = testing::chain_links(plan);
  REQUIRE(channel_slots(plan, 0, 1) == 3);
  CHECK(program(plan, links, 5, 0) ==
        "R1>0.0 R1>0.1 R1>0.2 "
        "F0.0@v0 S0>1.0 F0.1@v0 S0>1.1 r1>0.0 R1>0.3 B0.0@v0 U0.0@v1+ "
        "F0.2@v1 S0>1.2 r1>0.1 R1>0.4 B0.1@v0- U0.1@v2+ "
        "F0.3@v2 s0>1.0 S0>1.3 r1>0.2 B0.2@v1- U0.2@v3+ "
        "F0.4@v3 s0>1.1 S0>1.4 r1>0.3 B0.3@v2- U0.3@v4+ "
        "r1>0.4 B0.4@v3- U0.4@v5 s0>1.2 s0>1.3 s0>1.4");
  CHECK(program(plan, links, 5, 1) ==
        "R0>1.0 R0>1.1 R0>1.2 "
        "r0>1.0 R0>1.3 F1.0@v0 B1.0@v0 S1>0.0 U1.0@v1 r0>1.1 R0>1.4 F1.1@v1 B1.1@v1 S1>0.1 U1.1@v2 "
        "r0>1.2 F1.2@v2 B1.2@v2 S1>0.2 U1.2@v3 r0>1.3 F1.3@v3 B1.3@v3 s1>0.0 S1>0.3 U1.3@v4 "
        "r0>1.4 F1.4@v4 B1.4@v4 s1>0.1 S1>0.4 U1.4@v5 s1>0.2 s1>0.3 s1>0.4");
}

TEST_CASE("a reduction starts after the gradient's send and ends before its update") {
  const std::vector<StageLink> links = {{0, 1, true}};
  CHECK(program(make_plan(Algorithm::pipedream, {1, 2}, {2, 0}), links, 3, 1) ==
        "R0>1.0 R0>1.2 r0>1.0 F1.0@v0 B1.0@v0 S1>0.0 A1.0x2@v1 a1.0x2@v1 U1.0x2@v1 "
        "r0>1.2 F1.2@v1 B1.2@v1 S1>0.2 A1.2@v2 a1.2@v2 U1.2@v2 s1>0.0 s1>0.2");
  CHECK(program(make_plan(Algorithm::pipedream, {1, 2}, {2, 0}, {0, 1}), links, 5, 1) ==
        "R0>1.0 R0>1.2 R0>1.4 r0>1.0 F1.0@v0 B1.0@v0 S1>0.0 A1.0x2@v1 "
        "r0>1.2 F1.2@v0 B1.2@v0 S1>0.2 A1.2x2@v2 a1.0x2@v1 U1.0x2@v1 "
        "r0>1.4 F1.4@v1 B1.4@v1 S1>0.4 A1.4@v3 a1.2x2@v2 U1.2x2@v2 a1.4@v3 U1.4@v3 s1>0.0 s1>0.2 s1>0.4");
}

TEST_CASE("a replica without a microbatch in the last round still reduces and updates") {
  CHECK(program(make_plan(Algorithm::data_parallel, {2}), {}, 3, 1) ==
        "F0.1@v0 B0.1@v0 A0.0x2@v1 a0.0x2@v1 U0.0x2@v1 A0.2@v2 a0.2@v2 U0.2@v2");
  CHECK(program(make_plan(Algorithm::data_parallel, {1}), {}, 1, 0) == "F0.0@v0 B0.0@v0 U0.0@v1");
}

TEST_CASE("skip links go straight to their consumer, gradients only where they are needed") {
  const Plan plan = make_plan(Algorithm::model_parallel, {1, 1, 1});
  const std::vector<StageLink> links = {{0, 1, true}, {0, 2, false}, {1, 2, true}};
  CHECK(program(plan, links, 1, 0) == "R1>0.0 F0.0@v0 S0>1.0 S0>2.0 r1>0.0 B0.0@v0 U0.0@v1 s0>1.0 s0>2.0");
  CHECK(program(plan, links, 1, 2) == "R0>2.0 R1>2.0 r0>2.0 r1>2.0 F2.0@v0 B2.0@v0 S2>1.0 U2.0@v1 s2>1.0");
  CHECK(program(plan, links, 1, 2, Pass::forward_only) == "R0>2.0 R1>2.0 r0>2.0 r1>2.0 F2.0@v0");
  CHECK(program(plan, links, 1, 2, Pass::probe) ==
        "R0>2.0 R1>2.0 r0>2.0 r1>2.0 F2.0@v0 B2.0@v0 S2>0.0 S2>1.0 s2>0.0 s2>1.0");
}

TEST_CASE("versions are told apart by stage") {
  std::vector<Action> actions;
  for (const char* action : {"F0.0@v0", "F1.0@v0", "B0.0@v0", "U0.0@v1", "B1.0@v0", "F1.1@v0", "U1.0@v1", "B1.1@v0"}) {
    actions.push_back(parse_action(action));
  }
  detail::mark_versions(actions, 0);
  detail::mark_versions(actions, 1);
  CHECK(testing::text(actions) == "F0.0@v0 F1.0@v0 B0.0@v0 U0.0@v1 B1.0@v0 F1.1@v0 U1.0@v1+ B1.1@v0-");
}

TEST_CASE("slots grow with the lead of the earlier stage") {
  CHECK(channel_slots(testing::straight_pipedream(4), 0, 1) == 3);
  CHECK(channel_slots(testing::straight_pipedream(4), 0, 3) == 4);
  CHECK(channel_slots(testing::straight_pipedream(4), 3, 0) == 4);
  CHECK(channel_slots(make_plan(Algorithm::pipedream, {1, 1}, {3, 0}), 0, 1) == 4);
  CHECK(channel_slots(make_plan(Algorithm::pipedream, {3, 1}, {1, 0}), 0, 1) == 3);
  CHECK(channel_slots(make_plan(Algorithm::pipedream, {1, 3}, {3, 0}), 0, 1) == 3);
  CHECK(channel_slots(make_plan(Algorithm::model_parallel, {1, 1}), 0, 1) == 2);
  // Interleaved: by the distance, at most one for each worker.
  CHECK(channel_slots(testing::interleaved_plan(5, 3), 3, 4) == 3);
  CHECK(channel_slots(testing::interleaved_plan(5, 3), 5, 4) == 3);
  CHECK(channel_slots(testing::interleaved_plan(5, 3), 0, 3) == 4);
  CHECK(channel_slots(testing::interleaved_plan(5, 3), 0, 14) == 5);
}

TEST_CASE("links come from the tensors that cross stages") {
  Plan plan = make_plan(Algorithm::pipedream, {1, 1, 1});
  Profile profile;
  profile.tensors = {{"a", "layer0", {"layer1", "layer2"}, 4, false},
                     {"b", "layer0", {"layer2"}, 4, true},
                     {"c", "layer1", {"layer2"}, 4, true},
                     {"d", "layer2", {}, 4, true}};
  CHECK(stage_links(plan, profile) == std::vector<StageLink>{{0, 1, false}, {0, 2, true}, {1, 2, true}});

  plan.stages[2].layers = {"other"};
  CHECK_THROWS_WITH(stage_links(plan, profile),
                    "no stage of the plan has layer \"layer2\", which tensor \"a\" of the profile names");
  plan.stages[2].layers = {"layer2", "layer1"};
  CHECK_THROWS_WITH(stage_links(plan, profile), "plan: layer \"layer1\" is in stage 1 and in stage 2");
  plan.stages[2].layers = {"layer0"};
  plan.stages[0].layers = {"layer2"};
  CHECK_THROWS_WITH(stage_links(plan, profile),
                    "tensor \"a\" flows backwards, from layer \"layer0\" in stage 2 to \"layer1\" in stage 1");
}

}  // namespace pipedream
