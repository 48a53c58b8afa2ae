// Interleaved 1F1B on 1 to 5 workers with 1 to 4 stages each.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "cases.h"
#include "costs.h"

namespace pipedream {
namespace {

using testing::Case;
using testing::interleaved_plan;
using testing::refusal;
using testing::written_out;

void for_each_plan(const std::function<void(const Plan&)>& check) {
  for (const int workers : {1, 2, 3, 4, 5}) {
    for (const int stages : {1, 2, 3, 4}) {
      for (const int groups : {1, 2, 3, 5}) {
        check(interleaved_plan(workers, stages, std::int64_t{groups} * workers));
      }
    }
  }
  check(interleaved_plan(9, 2, 9));
  check(interleaved_plan(9, 2, 18));
}

std::string name_of(const Plan& plan) {
  return fmt::format("{} stages on {} workers, {} microbatches an update", plan.stages.size(), plan.workers(),
                     plan.microbatches_per_update);
}

// From the definition: by worker, its stages' microbatches in flight together.
std::vector<int> most_in_flight(const Plan& plan) {
  const int workers = plan.workers();
  const int stages = static_cast<int>(plan.stages.size()) / workers;
  const int all = stages * static_cast<int>(plan.microbatches_per_update);
  std::vector<int> most;
  for (int q = 0; q < workers; ++q) {
    const int warmup = 2 * (workers - q - 1) + (stages - 1) * workers;
    most.push_back(plan.microbatches_per_update == workers ? all : std::min(all, warmup + 1));
  }
  return most;
}

std::string problem(const Case& c, const std::string& from, const std::string& to) {
  std::string text = to_text(written_out(c));
  REQUIRE(text.find(from) != std::string::npos);
  const std::string refused = refusal(c, parse_program(text.replace(text.find(from), from.size(), to)));
  const std::size_t start = refused.find(": ");
  return start == std::string::npos ? refused : refused.substr(start + 2, refused.find('\n') - start - 2);
}

}  // namespace

TEST_CASE("interleaved plans run without a deadlock, whole and ragged, with every skip link") {
  for_each_plan([](const Plan& plan) {
    const std::int64_t update = plan.microbatches_per_update;
    const int workers = plan.workers();
    for (const auto& links : {testing::chain_links(plan), testing::all_links(plan)}) {
      for (const std::int64_t microbatches : {std::int64_t{1}, update - 1, update, 2 * update + workers / 2 + 1}) {
        for (const Pass pass : {Pass::train, Pass::forward_only, Pass::probe}) {
          const Segment segment{pass, microbatches};
          INFO(name_of(plan) << ", " << microbatches << " microbatches, pass " << static_cast<int>(pass));
          REQUIRE_NOTHROW(validate(make_program(plan, links, segment), plan, links, segment));
        }
      }
    }
  });
}

TEST_CASE("interleaved plans hold each stage's weights once and the microbatches of the warm-up") {
  for_each_plan([](const Plan& plan) {
    const auto links = testing::chain_links(plan);
    const Segment segment{Pass::train, 2 * plan.microbatches_per_update};
    const ValidationReport report = validate(make_program(plan, links, segment), plan, links, segment);
    INFO(name_of(plan));
    CHECK(report.peak_in_flight == most_in_flight(plan));
    const int stages = static_cast<int>(plan.stages.size()) / plan.workers();
    CHECK(report.peak_versions == std::vector<int>(static_cast<std::size_t>(plan.workers()), stages));
  });
}

TEST_CASE("the load of an interleaved stage is what its worker holds of it") {
  for_each_plan([](const Plan& plan) {
    std::map<int, std::int64_t> now, most;
    for (int worker = 0; worker < plan.workers(); ++worker) {
      for (const Action& action : compute_actions(plan, {Pass::train, 3 * plan.microbatches_per_update}, worker)) {
        now[action.stage] += action.kind == ActionKind::forward ? 1 : action.kind == ActionKind::backward ? -1 : 0;
        most[action.stage] = std::max(most[action.stage], now[action.stage]);
      }
    }
    INFO(name_of(plan));
    for (const auto& [stage, in_flight] : most) {
      CHECK(stage_load(plan, stage).in_flight == in_flight);
      CHECK(stage_load(plan, stage).versions == 1);
    }
  });
}

TEST_CASE("more slots would not make an interleaved run faster") {
  for_each_plan([](const Plan& plan) {
    for (const auto& links : {testing::chain_links(plan), testing::all_links(plan)}) {
      for (const double transfer : {0.0, 1 / 3.0, 0.9}) {
        const testing::RandomCase c{plan, links};
        const std::int64_t microbatches = 2 * plan.microbatches_per_update;
        INFO(name_of(plan) << ", " << links.size() << " links, transfers " << transfer);
        CHECK(testing::simulate_units(c, microbatches, transfer).total_us <=
              1.01 * testing::simulate_units(c, microbatches, transfer, 1000).total_us);
      }
    }
  });
}

TEST_CASE("stages of one worker hand over without messages") {
  const Plan plan = interleaved_plan(2, 2, 2);
  const std::vector<StageLink> links = {{0, 1, true}, {0, 2, true}, {1, 2, true}, {2, 3, true}};
  CHECK(testing::text(detail::lower(plan, links, {Pass::train, 1}, 0)) ==
        "R1>0.0 R1>2.0 R3>2.0 F0.0@v0 S0>1.0 r1>2.0 F2.0@v0 S2>3.0 r3>2.0 B2.0@v0 S2>1.0 r1>0.0 B0.0@v0 U0.0@v1 "
        "U2.0@v1 s0>1.0 s2>3.0 s2>1.0");
  const Plan alone = interleaved_plan(1, 3, 1);
  CHECK(testing::text(detail::lower(alone, testing::all_links(alone), {Pass::train, 1}, 0)) ==
        "F0.0@v0 F1.0@v0 F2.0@v0 B2.0@v0 B1.0@v0 B0.0@v0 U0.0@v1 U1.0@v1 U2.0@v1");
}

TEST_CASE("the order of a worker's stages is checked where one uses the other's tensors") {
  Case c{"", interleaved_plan(1, 2, 2), {{0, 1, true}}, {Pass::train, 2}};
  REQUIRE(to_text(written_out(c)) ==
          "worker 0: F0.0@v0 F1.0@v0 B1.0@v0 F0.1@v0 B0.0@v0 F1.1@v0 B1.1@v0 B0.1@v0 U0.0x2@v1 U1.0x2@v1\n");
  CHECK(problem(c, "F0.0@v0 F1.0@v0", "F1.0@v0 F0.0@v0") ==
        "stands before the forward of stage 0, whose activations it uses");
  CHECK(problem(c, "B1.0@v0 F0.1@v0 B0.0@v0", "B0.0@v0 F0.1@v0 B1.0@v0") ==
        "stands before the backward of stage 1, whose gradients it uses");
  CHECK(problem(c, "U0.0x2@v1 U1.0x2@v1", "U0.0x2@v1 U0.0x2@v1") == "all 1 updates have been done");
  c.links[0].gradient = false;
  CHECK(problem(c, "B1.0@v0 F0.1@v0 B0.0@v0", "B0.0@v0 F0.1@v0 B1.0@v0") == "");
}

TEST_CASE("a refusal names all stages of a worker") {
  const Case c{"", interleaved_plan(2, 2, 2), {{0, 1, true}, {1, 2, true}, {2, 3, true}}, {Pass::train, 2}};
  std::string text = to_text(written_out(c));
  text.replace(text.find("F0.0@v0"), 7, "F1.0@v0");
  const std::string refused = refusal(c, parse_program(text));
  CHECK(refused.substr(0, refused.find('\n')) ==
        "worker 0 (stages 0, 2), action 6, F1.0@v0: stage 1 is not on this worker");
}

}  // namespace pipedream
