#include "partitioner/states.h"

#include <catch2/catch.hpp>
#include <set>

#include "oracle.h"
#include "partitioner/contraction.h"
#include "partitioner/layer_dag.h"
#include "pipedream/partition.h"
#include "planning/artifact_profiles.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

LayerProfile layer(int index) {
  LayerProfile result;
  result.name = "l" + std::to_string(index);
  result.forward_us = 1 + index % 5;
  result.parameter_bytes = 10;
  return result;
}

// Edges from lower to higher numbers; the last layer is the loss.
Profile graph(int layers, const std::vector<std::pair<int, int>>& edges) {
  Profile profile;
  for (int l = 0; l < layers; ++l) {
    profile.layers.push_back(layer(l));
    TensorProfile tensor{"t" + std::to_string(l), profile.layers.back().name, {}, 1, true};
    std::multiset<int> users;
    for (const auto& [from, to] : edges) {
      if (from == l) users.insert(to);
    }
    for (const int user : users) tensor.consumers.push_back("l" + std::to_string(user));
    profile.tensors.push_back(tensor);
  }
  return profile;
}

// Between layer 0 and the last: branches of so many layers each.
Profile branches(int count, int length) {
  std::vector<std::pair<int, int>> edges;
  const int last = count * length + 1;
  for (int b = 0; b < count; ++b) {
    const int first = 1 + b * length;
    edges.emplace_back(0, first);
    for (int l = first; l + 1 < first + length; ++l) edges.emplace_back(l, l + 1);
    edges.emplace_back(first + length - 1, last);
  }
  return graph(last + 1, edges);
}

}  // namespace

TEST_CASE("states are all downward-closed sets, smaller ones first") {
  std::mt19937_64 random(21);
  for (int i = 0; i < 300; ++i) {
    const Profile profile = random_profile(random, 1 + static_cast<int>(random() % 7), random() % 3 == 0);
    const detail::PlanningStates states = detail::all_states(profile);
    std::set<Layers> expected{0};
    for (const Layers layers : downward_closed(profile)) expected.insert(layers);
    std::set<Layers> found;
    std::vector<Layers> sets;
    for (int s = 0; s < states.count(); ++s) {
      Layers bits = 0;
      states.set(s).for_each([&](int l) { bits |= Layers{1} << l; });
      sets.push_back(bits);
      found.insert(bits);
    }
    REQUIRE(found == expected);
    REQUIRE(sets.size() == expected.size());
    REQUIRE(sets.front() == 0);
    for (int a = 0; a < states.count(); ++a) {
      for (int b = 0; b < states.count(); ++b) {
        const Layers inner = sets[static_cast<std::size_t>(a)];
        const Layers outer = sets[static_cast<std::size_t>(b)];
        REQUIRE(states.nested(a, b) == (inner != outer && (inner & ~outer) == 0));
      }
    }
    CHECK(states.contraction().empty());
  }
}

TEST_CASE("a chain's states are ordered, and a layer that nothing but a skip passes leaves them so") {
  CHECK(detail::all_states(chain_profile(50)).are_ordered());
  CHECK(detail::all_states(graph(4, {{0, 1}, {1, 2}, {2, 3}, {0, 3}})).are_ordered());
  CHECK_FALSE(detail::all_states(branches(2, 1)).are_ordered());
}

TEST_CASE("too many states: parallel branches are kept together, the lightest first, and that is said") {
  // (10 + 1)^4 ideals between the ends.
  const Profile wide = branches(4, 10);
  const detail::PlanningStates states = detail::all_states(wide, 100);
  CHECK_THAT(states.contraction(), Contains("layers of parallel branches are kept together"));
  CHECK(states.count() <= 42 + 1 + 100);
  CHECK(states.set(states.last()).size() == 42);
  const Plan plan = partition(wide, small_topology(3));
  CHECK_THAT(plan.search.contraction, Contains("kept together"));
  CHECK_NOTHROW(parse_plan(to_json(plan), "again"));

  // One fork inside another: the inner one goes first, and suffices.
  const Profile nested = graph(8, {{0, 1}, {1, 2}, {1, 3}, {2, 4}, {3, 4}, {4, 6}, {0, 5}, {5, 6}, {6, 7}});
  const auto dag = detail::layer_dag(nested);
  const std::size_t all = detail::ideals(dag, 1000)->size();
  const auto contraction = detail::contract(dag, std::vector<double>(8, 1), static_cast<int>(all) - 1);
  CHECK(contraction.blocks_made == 1);
  CHECK(contraction.layers_inside == 2);
  CHECK(contraction.block_of_layer[2] == contraction.block_of_layer[3]);
}

TEST_CASE("what no series or parallel step reduces becomes one block") {
  // 1 and 2 both feed 3 and 4, crosswise.
  const Profile crossed = graph(6, {{0, 1}, {0, 2}, {1, 3}, {1, 4}, {2, 3}, {2, 4}, {3, 5}, {4, 5}});
  const auto dag = detail::layer_dag(crossed);
  const auto contraction = detail::contract(dag, std::vector<double>(6, 1), 7);
  CHECK(contraction.blocks_made == 1);
  CHECK(contraction.layers_inside == 4);
  CHECK(detail::ideals(detail::contracted(dag, contraction.block_of_layer), 7)->size() == 4);
}

TEST_CASE("contractions of random graphs fit the bound, and cuts between blocks are cuts of the graph") {
  std::mt19937_64 random(22);
  int contracted = 0;
  for (int i = 0; i < 200; ++i) {
    const Profile profile = random_profile(random, 4 + static_cast<int>(random() % 14), false);
    const auto layers = static_cast<int>(profile.layers.size());
    const detail::PlanningStates states = detail::all_states(profile, static_cast<int>(random() % 4));
    contracted += !states.contraction().empty();
    REQUIRE(states.count() <= layers + 1 + 3);
    const auto dag = detail::layer_dag(profile);
    for (int s = 0; s < states.count(); ++s) {
      for (int l = 0; l < layers; ++l) {
        if (!states.set(s).contains(l)) continue;
        for (const int producer : dag.producers[static_cast<std::size_t>(l)]) {
          REQUIRE(states.set(s).contains(producer));
        }
      }
    }
  }
  CHECK(contracted > 50);
}

TEST_CASE("gnmt has 561 sets of layers to cut after, and nothing") {
  const auto gnmt = artifact_profile("gnmt");
  if (gnmt) CHECK(detail::all_states(*gnmt).count() == 561 + 1);
}
