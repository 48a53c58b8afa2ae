// Links: latency, bandwidth and sharing, on single flows and through whole simulations.
#include <catch2/catch.hpp>

#include "costs.h"
#include "schedule/flows.h"
#include "schedule/link_tree.h"

namespace pipedream {
namespace {

using detail::Flows;
using detail::LinkTree;
using testing::chain_links;
using testing::make_plan;

std::vector<std::pair<int, double>> ends_of(Flows& flows) {
  std::vector<std::pair<int, double>> ends;
  while (const auto end = flows.next_end()) ends.emplace_back(end->flow, end->time);
  return ends;
}

using Ends = std::vector<std::pair<int, double>>;

// Servers of 2 workers; 100 bytes/us inside, 10 between them.
Topology servers(int count) {
  Topology topology;
  topology.levels = {{"worker", 2, 1e8, 1, 0}, {"server", count, 1e7, 5, 0}};
  return topology;
}

// One forward-only microbatch a replica of the first stage, whose messages all start together.
SimulationReport one_transfer_each(const Plan& plan, const Topology& topology, std::int64_t bytes) {
  SimulationCosts costs;
  costs.stages.resize(plan.stages.size());
  costs.stages[0].forward_us = 10;
  costs.links = {{0, 1, bytes, 0}};
  costs.topology = topology;
  const Segment segment{Pass::forward_only, plan.stages[0].replicas()};
  return simulate(make_program(plan, chain_links(plan), segment), plan, segment, costs);
}

Plan pairs_of_workers(const std::vector<int>& senders, const std::vector<int>& receivers) {
  Plan plan = make_plan(Algorithm::pipedream, {static_cast<int>(senders.size()), static_cast<int>(receivers.size())});
  plan.stages[0].workers = senders;
  plan.stages[1].workers = receivers;
  return plan;
}

}  // namespace

TEST_CASE("transfers over one link share it") {
  Flows flows;
  const int link = flows.add_link(10);
  const int a = flows.add_flow(std::vector<int>{link});
  const int b = flows.add_flow(std::vector<int>{link});
  flows.start(a, 0, 100);
  CHECK(ends_of(flows) == Ends{{a, 10}});
  flows.start(a, 20, 100);
  flows.start(b, 20, 100);
  CHECK(ends_of(flows) == Ends{{a, 40}, {b, 40}});
  // Half of a is through when b starts; b has 50 left when a ends.
  flows.start(a, 50, 100);
  flows.start(b, 55, 100);
  CHECK(ends_of(flows) == Ends{{a, 65}, {b, 70}});
  CHECK(flows.link_busy_us(link) == Approx(10 + 20 + 20));
}

TEST_CASE("a transfer goes at the least of its shares and its limit") {
  Flows flows;
  const int wide = flows.add_link(30);
  const int narrow = flows.add_link(10);
  const int both = flows.add_flow(std::vector<int>{wide, narrow});
  const int one = flows.add_flow(std::vector<int>{wide});
  const int slow = flows.add_flow(std::vector<int>{wide}, 4);
  const int free = flows.add_flow({});
  CHECK(flows.alone_us(both, 100) == Approx(10));
  CHECK(flows.alone_us(slow, 100) == Approx(25));
  flows.start(both, 0, 100);
  flows.start(one, 0, 150);
  flows.start(free, 3, 1e9);
  CHECK(ends_of(flows) == Ends{{free, 3}, {both, 10}, {one, 10}});
  flows.start(slow, 20, 40);
  flows.start(one, 20, 225);
  CHECK(ends_of(flows) == Ends{{slow, 30}, {one, 32.5}});
}

TEST_CASE("messages go up to where sender and receiver meet") {
  const Topology topology = servers(3);
  Flows flows;
  const LinkTree tree(topology, 5, flows);
  const auto names = [&](const detail::Route& route) {
    std::string text;
    for (const int link : route.links) text += (text.empty() ? "" : ", ") + tree.name(link);
    return text;
  };
  CHECK(names(tree.message(0, 0)).empty());
  CHECK(names(tree.message(0, 1)) == "outgoing link of worker 0, incoming link of worker 1");
  CHECK(tree.message(0, 1).latency_us == 1);
  CHECK(names(tree.message(1, 4)) ==
        "outgoing link of worker 1, incoming link of worker 4, outgoing link of server 0, incoming link of server 2");
  CHECK(tree.message(1, 4).latency_us == 5);
  CHECK(names(tree.reduction(std::vector<int>{0, 1})) ==
        "outgoing link of worker 0, incoming link of worker 0, outgoing link of worker 1, incoming link of worker 1");
  CHECK(tree.reduction(std::vector<int>{0, 1, 2}).links.size() == 6 + 4);
  CHECK(tree.reduction(std::vector<int>{0, 1, 2}).latency_us == 2 * 2 * 5);
  CHECK(tree.links() == 2 * 5 + 2 * 3);
}

TEST_CASE("workers of one server share its network card") {
  // One transfer of 1000 bytes takes 100 us and 5 of latency, two from the same server twice as long.
  CHECK(one_transfer_each(pairs_of_workers({0}, {1}), uniform_topology(2, 1e7, 5), 1000).total_us == Approx(115));
  CHECK(one_transfer_each(pairs_of_workers({0, 2}, {1, 3}), servers(2), 1000).total_us == Approx(10 + 10 + 1));
  CHECK(one_transfer_each(pairs_of_workers({0, 1}, {2, 3}), servers(2), 1000).total_us == Approx(10 + 200 + 5));
  CHECK(one_transfer_each(pairs_of_workers({0, 2}, {3, 1}), servers(2), 1000).total_us == Approx(10 + 100 + 5));
}

TEST_CASE("messages of a channel follow each other, latency keeps none from starting") {
  const Plan plan = testing::straight_pipedream(2);
  SimulationCosts costs;
  costs.stages.resize(2);
  costs.links = {{0, 1, 1000, 1000}};
  costs.topology = uniform_topology(2, 1e7, 70);
  const Segment segment{Pass::forward_only, 2};
  const auto report = simulate(make_program(plan, chain_links(plan), segment), plan, segment, costs);
  CHECK(report.total_us == Approx(100 + 100 + 70));
}

TEST_CASE("a reduction is a ring, and at most as fast as reductions were measured") {
  const auto total_us = [](int replicas, Topology topology) {
    const Plan plan = make_plan(Algorithm::data_parallel, {replicas});
    SimulationCosts costs;
    costs.stages = {{.forward_us = 10, .backward_us = 20, .update_us = 3, .version_bytes = 4000}};
    costs.topology = std::move(topology);
    const Segment segment{Pass::train, 2 * replicas};
    return simulate(make_program(plan, {}, segment), plan, segment, costs).total_us;
  };
  CHECK(total_us(1, {}) == Approx(2 * 33));
  CHECK(total_us(2, uniform_topology(2, 1e7)) == Approx(2 * (33 + 400)));
  CHECK(total_us(4, uniform_topology(4, 1e7, 2)) == Approx(2 * (33 + 600 + 6 * 2)));
  Topology measured = uniform_topology(4, 1e7, 2);
  measured.levels[0].allreduce_bytes_per_s = 5e6;
  CHECK(total_us(4, measured) == Approx(2 * (33 + 1200)));
  // Over two servers each card carries the ring once.
  CHECK(total_us(4, servers(2)) == Approx(2 * (33 + 600 + 6 * 5)));
}

TEST_CASE("a reduction and messages share links") {
  // Of 4 workers 0 and 1 reduce while 0 gets activations: both use its incoming link.
  Plan plan = make_plan(Algorithm::pipedream, {1, 2}, {1, 0});
  SimulationCosts costs;
  costs.stages = {{.forward_us = 1, .backward_us = 1}, {.forward_us = 1, .backward_us = 1, .version_bytes = 1000}};
  costs.links = {{0, 1, 1000, 1}};
  const Segment segment{Pass::train, 60};
  const Program program = make_program(plan, chain_links(plan), segment);
  costs.topology = uniform_topology(3, 1e7);
  const SimulationReport report = simulate(program, plan, segment, costs);
  // A round: two messages of 1000 bytes out of worker 0; into worker 1 one of them and the ring's 1000 bytes.
  CHECK(report.bound_by == "outgoing link of worker 0");
  costs.stages[1].version_bytes = 3000;
  CHECK(simulate(program, plan, segment, costs).bound_us == Approx((3000 + 1000) / 20.0));
}

}  // namespace pipedream
