#include <catch2/catch.hpp>

#include "costs.h"

namespace pipedream {
namespace {

using testing::RandomCase;

constexpr int kUnlimited = 1000;

RandomCase pipedream_case(const std::vector<int>& replicas, int slack, int delay) {
  std::vector<int> warmup = testing::least_warmup(replicas), delays;
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    warmup[s] *= slack;
    delays.push_back(replicas[s] > 1 ? delay : 0);
  }
  RandomCase c{testing::make_plan(Algorithm::pipedream, replicas, warmup, delays), {}};
  c.links = testing::chain_links(c.plan);
  return c;
}

// In stage times; the transfer too.
double microbatch_time(const RandomCase& c, double transfer, int slots = 0) {
  return testing::simulate_units(c, 240, transfer, slots).microbatch_us / testing::kStageUs;
}

}  // namespace

TEST_CASE("more slots would not make a run faster") {
  for (const std::vector<int>& replicas :
       {std::vector<int>{1, 1}, {1, 1, 1, 1}, {3, 1}, {1, 3, 1}, {4, 3, 1}, {2, 1, 2}}) {
    for (const int slack : {1, 2, 3}) {
      for (const int delay : {0, 1}) {
        for (const double transfer : {0.0, 1 / 3.0, 0.9}) {
          const RandomCase c = pipedream_case(replicas, slack, delay);
          INFO(to_text(make_program(c.plan, c.links, {Pass::train, 1}))
               << "slack " << slack << ", delay " << delay << ", transfer " << transfer);
          CHECK(microbatch_time(c, transfer) <= 1.01 * microbatch_time(c, transfer, kUnlimited));
        }
      }
    }
  }
}

TEST_CASE("a link that skips stages needs its slots") {
  RandomCase c = pipedream_case({1, 1, 1}, 2, 0);
  c.links = {{0, 1, true}, {0, 2, true}, {1, 2, true}};
  const double unlimited = microbatch_time(c, 0.9, kUnlimited);
  CHECK(microbatch_time(c, 0.9) <= 1.01 * unlimited);
  CHECK(microbatch_time(c, 0.9, 1) > 1.2 * unlimited);
}

TEST_CASE("slack hides transfers, reduce_delay hides reductions") {
  CHECK(microbatch_time(pipedream_case({1, 1, 1, 1}, 1, 0), 1 / 3.0) == Approx(1.5).epsilon(0.01));
  CHECK(microbatch_time(pipedream_case({1, 1, 1, 1}, 2, 0), 1 / 3.0) == Approx(1.0).epsilon(0.01));
  CHECK(microbatch_time(pipedream_case({4, 3, 1}, 1, 0), 0) > 1.1);
  CHECK(microbatch_time(pipedream_case({4, 3, 1}, 1, 1), 0) == Approx(1.0).epsilon(0.01));
}

}  // namespace pipedream
