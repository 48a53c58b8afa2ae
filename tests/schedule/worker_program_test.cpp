#include <catch2/catch.hpp>

#include "pipedream/schedule.h"
#include "plans.h"
#include "schedule/lowering.h"

namespace pipedream {
namespace {

using testing::make_plan;

// Number of workers whose program has a period.
int check_against_lowering(const testing::RandomCase& c, const Segment& segment) {
  int with_period = 0;
  for (int worker = 0; worker < c.plan.workers(); ++worker) {
    const WorkerProgram program = make_worker_program(c.plan, c.links, segment, worker);
    with_period += program.repeats > 0 ? 1 : 0;
    if (expand(program) != detail::lower(c.plan, c.links, segment, worker)) {
      FAIL("worker " << worker << ", " << segment.microbatches << " microbatches: " << to_text(program));
    }
  }
  return with_period;
}

}  // namespace

TEST_CASE("a program with a period is the lowered program of its length") {
  std::mt19937 generator(3);
  int with_period = 0;
  for (int n = 0; n < 60; ++n) {
    const testing::RandomCase c = testing::random_case(generator);
    for (std::int64_t microbatches = 0; microbatches <= 60; ++microbatches) {
      with_period += check_against_lowering(c, {Pass::train, microbatches});
    }
    for (const std::int64_t microbatches : {1, 59, 60, 211, 512}) {
      with_period += check_against_lowering(c, {Pass::train, microbatches});
      with_period += check_against_lowering(c, {Pass::forward_only, microbatches});
      with_period += check_against_lowering(c, {Pass::probe, microbatches});
    }
  }
  CHECK(with_period > 4000);
}

TEST_CASE("a straight pipeline's period is one microbatch") {
  const Plan plan = testing::straight_pipedream(3);
  const WorkerProgram program = make_worker_program(plan, testing::chain_links(plan), {Pass::train, 1000}, 1);
  CHECK(program.microbatch_shift == 1);
  CHECK(program.version_shift == std::vector<std::int64_t>{0, 1, 0});
  CHECK(program.period.size() == 11);  // F, B, U, and four messages with a post and a wait each
  CHECK(program.prologue.size() + program.epilogue.size() < 200);
}

TEST_CASE("a billion microbatches cost no more than a thousand") {
  const Plan plan = make_plan(Algorithm::pipedream, {4, 3, 1}, testing::least_warmup({4, 3, 1}), {1, 1, 0});
  const std::vector<StageLink> links = testing::chain_links(plan);
  const std::int64_t most = 1'000'000'007;
  for (int worker = 0; worker < plan.workers(); ++worker) {
    const WorkerProgram large = make_worker_program(plan, links, {Pass::train, most}, worker);
    const WorkerProgram small = make_worker_program(plan, links, {Pass::train, 1007}, worker);
    REQUIRE(small.repeats > 0);
    CHECK(large.prologue.size() <= small.prologue.size() + small.period.size());
    CHECK(large.period.size() == small.period.size());
    CHECK(to_string(large.at(large.size() / 2)).size() > 8);
    ActionCursor cursor(large);
    for (const std::int64_t back : {1, 2, 1000}) {
      cursor.seek(large.size() - back);
      CHECK(cursor.next() == large.at(large.size() - back));
    }
    CHECK(large.at(large.size() - 1).microbatch > most - 8);
  }
}

TEST_CASE("a cursor goes on from wherever it is put") {
  const Plan plan = testing::straight_pipedream(2);
  const WorkerProgram program = make_worker_program(plan, testing::chain_links(plan), {Pass::train, 30}, 0);
  REQUIRE(program.repeats > 0);
  const std::vector<Action> actions = expand(program);
  for (std::int64_t start = 0; start <= program.size(); ++start) {
    ActionCursor cursor(program);
    cursor.seek(start);
    for (std::int64_t i = start; i < program.size(); ++i) {
      REQUIRE(cursor.position() == i);
      REQUIRE(cursor.next() == actions[static_cast<std::size_t>(i)]);
    }
    CHECK_FALSE(cursor.next().has_value());
  }
}

TEST_CASE("the text of a program with a period parses back to it") {
  const Plan plan = testing::straight_pipedream(3);
  const Program program = make_program(plan, testing::chain_links(plan), {Pass::train, 100});
  REQUIRE(program.workers[0].repeats > 0);
  CHECK(parse_program(to_text(program)) == program);
}

}  // namespace pipedream
