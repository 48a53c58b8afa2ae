#include "pipedream/validate.h"

#include <catch2/catch.hpp>

#include "cases.h"

namespace pipedream {
namespace {

using testing::make_plan;

std::string refusal(const Program& program, const Plan& plan, const std::vector<StageLink>& links,
                    const Segment& segment) {
  return testing::refusal({"", plan, links, segment}, program);
}

Plan pipedream_plan(const std::vector<int>& replicas, int slack = 1, const std::vector<int>& delay = {}) {
  std::vector<int> warmup = testing::least_warmup(replicas);
  for (int& w : warmup) {
    w *= slack;
  }
  return make_plan(Algorithm::pipedream, replicas, warmup, delay);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("random plans run without a deadlock, within the versions and microbatches that they say") {
  std::mt19937 generator(4);
  for (int n = 0; n < 2000; ++n) {
    const testing::RandomCase c = testing::random_case(generator);
    const std::int64_t microbatches = std::uniform_int_distribution<std::int64_t>(0, n % 10 == 0 ? 500 : 60)(generator);
    for (const Pass pass : {Pass::train, Pass::forward_only, Pass::probe}) {
      const Segment segment{pass, microbatches};
      const Program program = make_program(c.plan, c.links, segment);
      INFO(microbatches << " microbatches, pass " << static_cast<int>(pass) << "\n" << to_text(program));
      REQUIRE_NOTHROW(validate(program, c.plan, c.links, segment));
    }
  }
}

TEST_CASE("every depth that plan validation lets through runs") {
  std::mt19937 generator(8);
  std::uniform_int_distribution<int> depth(0, 9);
  int valid = 0;
  while (valid < 500) {
    testing::RandomCase c = testing::random_case(generator);
    for (std::size_t s = 0; s + 1 < c.plan.stages.size(); ++s) {
      c.plan.stages[s].warmup = depth(generator);
    }
    try {
      validate(c.plan);
    } catch (const ConfigError&) {
      continue;
    }
    ++valid;
    c.links = testing::chain_links(c.plan);
    for (int s = 0; s + 2 < static_cast<int>(c.plan.stages.size()); ++s) {
      c.links.push_back({s, static_cast<int>(c.plan.stages.size()) - 1, true});
    }
    const Segment segment{Pass::train, 70};
    const Program program = make_program(c.plan, c.links, segment);
    INFO(to_text(program));
    REQUIRE_NOTHROW(validate(program, c.plan, c.links, segment));
  }
}

TEST_CASE("versions and microbatches held are those of the algorithms' table") {
  std::mt19937 generator(5);
  for (int n = 0; n < 300; ++n) {
    const testing::RandomCase c = testing::random_case(generator);
    const Segment segment{Pass::train, 400};
    const ValidationReport report = validate(make_program(c.plan, c.links, segment), c.plan, c.links, segment);
    if (traits_of(c.plan.algorithm).shares_workers) {
      continue;  // interleaved_test.cpp
    }
    for (const StagePlan& stage : c.plan.stages) {
      const int depth = stage.warmup + 1;
      const std::int64_t update =
          c.plan.microbatches_per_update > 0 ? c.plan.microbatches_per_update : std::int64_t{4} * c.plan.workers();
      for (std::size_t q = 0; q < stage.workers.size(); ++q) {
        const auto worker = static_cast<std::size_t>(stage.workers[q]);
        // The most that fall to a worker of any update.
        const auto share = static_cast<int>((update + stage.replicas() - 1) / stage.replicas());
        const bool flushes = traits_of(c.plan.algorithm).flushes;
        const int in_flight = !flushes                                    ? depth
                              : c.plan.algorithm == Algorithm::gpipe      ? share
                              : c.plan.algorithm == Algorithm::flush_1f1b ? std::min(depth, share)
                                                                          : 1;
        CHECK(report.peak_in_flight[worker] == in_flight);
        const StagePlan& first = c.plan.stages.front();
        const bool straight = c.plan.workers() == static_cast<int>(c.plan.stages.size());
        if (c.plan.algorithm == Algorithm::vertical_sync && !straight) {
          CHECK(report.peak_versions[worker] <= first.warmup + 2 + first.reduce_delay);
          continue;
        }
        const int versions = c.plan.algorithm == Algorithm::pipedream       ? depth
                             : c.plan.algorithm == Algorithm::vertical_sync ? first.warmup + 1
                             : c.plan.algorithm == Algorithm::two_bw        ? 2
                                                                            : 1;
        CHECK(report.peak_versions[worker] == versions);
      }
    }
  }
}

TEST_CASE("PipeDream on four workers holds 4, 3, 2 and 1 versions, on (3,1) 2 and 1") {
  const auto peaks = [](const std::vector<int>& replicas) {
    const Plan plan = pipedream_plan(replicas);
    const std::vector<StageLink> links = testing::chain_links(plan);
    return validate(make_program(plan, links, {Pass::train, 50}), plan, links, {Pass::train, 50}).peak_versions;
  };
  CHECK(peaks({1, 1, 1, 1}) == std::vector<int>{4, 3, 2, 1});
  CHECK(peaks({3, 1}) == std::vector<int>{2, 2, 2, 1});
}

TEST_CASE("the replay of a program with a period finds what that of the written-out program finds, sooner") {
  std::mt19937 generator(6);
  for (int n = 0; n < 200; ++n) {
    const testing::RandomCase c = testing::random_case(generator);
    const Segment segment{n % 3 == 0 ? Pass::forward_only : Pass::train, 3000 + n};
    const Program program = make_program(c.plan, c.links, segment);
    Program written_out;
    std::int64_t actions = 0;
    for (const WorkerProgram& worker : program.workers) {
      REQUIRE(worker.repeats > 0);
      written_out.workers.emplace_back().prologue = expand(worker);
      actions += worker.size();
    }
    const ValidationReport short_way = validate(program, c.plan, c.links, segment);
    const ValidationReport long_way = validate(written_out, c.plan, c.links, segment);
    CHECK(short_way.peak_versions == long_way.peak_versions);
    CHECK(short_way.peak_in_flight == long_way.peak_in_flight);
    CHECK(long_way.actions_replayed == actions);
    CHECK(short_way.actions_replayed < actions / 2);
  }
}

TEST_CASE("a billion microbatches are replayed as fast as a few") {
  const Plan plan = pipedream_plan({4, 3, 1}, 2, {1, 1, 0});
  const std::vector<StageLink> links = testing::chain_links(plan);
  const Segment segment{Pass::train, 1'000'000'007};
  const ValidationReport report = validate(make_program(plan, links, segment), plan, links, segment);
  CHECK(report.actions_replayed < 100'000);
}

TEST_CASE("an error deep inside a long run is found") {
  const Plan plan = testing::straight_pipedream(3);
  const std::vector<StageLink> links = testing::chain_links(plan);
  const Segment segment{Pass::train, 1'000'000};
  const Program sound = make_program(plan, links, segment);

  Program wrong_shift = sound;
  wrong_shift.workers[1].version_shift[1] = 2;
  CHECK(contains(refusal(wrong_shift, plan, links, segment), "makes version"));

  Program one_less = sound;
  one_less.workers[1].repeats -= 1;
  CHECK_FALSE(refusal(one_less, plan, links, segment).empty());

  Program wrong_end = sound;
  wrong_end.workers[0].epilogue.pop_back();
  CHECK(contains(refusal(wrong_end, plan, links, segment), "worker 0 (stage 0, replica 0), at its end"));
}

TEST_CASE("a program for other workers, a bad link or a bad plan is refused") {
  Plan plan = testing::straight_pipedream(2);
  const std::vector<StageLink> links = testing::chain_links(plan);
  const Program program = make_program(plan, links, {Pass::train, 4});
  CHECK(refusal(Program{}, plan, links, {Pass::train, 4}) == "a program of 0 workers for a plan of 2");
  CHECK(refusal(program, plan, links, {Pass::train, -1}) == "a segment of -1 microbatches");
  CHECK(contains(refusal(program, plan, {{1, 0, true}}, {Pass::train, 4}), "links go from an earlier"));
  CHECK(contains(refusal(program, plan, {{links[0], links[0]}}, {Pass::train, 4}), "listed twice"));
  plan.stages[1].layers.clear();
  CHECK(contains(refusal(program, plan, links, {Pass::train, 4}), "stages[1]"));
}

}  // namespace pipedream
