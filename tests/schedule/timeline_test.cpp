#include "pipedream/timeline.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "events.h"
#include "pipedream/error.h"
#include "plans.h"

namespace pipedream {
namespace {

using testing::event;

// Two stages of 10 us a forward and 20 us a backward on the second, half of it on the first.
Timeline two_stages() {
  Timeline timeline;
  timeline.workers = {
      {event("F0.0@v0", 0, 5), event("S0>1.0", 5, 6), event("F0.1@v0", 6, 11), event("S0>1.1", 11, 12),
       event("r1>0.0", 12, 36), event("B0.0@v0", 36, 46), event("U0.0@v1+", 46, 48), event("F0.2@v1", 48, 53),
       event("S0>1.2", 53, 54), event("r1>0.1", 54, 70), event("B0.1@v0-", 70, 80), event("U0.1@v2", 80, 82)},
      {event("r0>1.0", 0, 6), event("F1.0@v0", 6, 16), event("B1.0@v0", 16, 36), event("U1.0@v1", 36, 38),
       event("r0>1.1", 38, 39), event("F1.1@v1", 39, 49), event("B1.1@v1", 49, 69), event("U1.1@v2", 69, 71)}};
  timeline.dropped = {0, 0};
  return timeline;
}

}  // namespace

TEST_CASE("a recorder keeps the newest events") {
  TimelineRecorder recorder(3);
  for (int i = 0; i < 2; ++i) {
    recorder.record(parse_action("F0.0@v0"), i, i + 1);
  }
  CHECK(recorder.events().size() == 2);
  CHECK(recorder.dropped() == 0);
  for (int i = 2; i < 8; ++i) {
    recorder.record(parse_action("F0.0@v0"), i, i + 1);
  }
  const std::vector<TimelineEvent> events = recorder.events();
  REQUIRE(events.size() == 3);
  CHECK(recorder.dropped() == 5);
  CHECK(events[0].start_ns == 5);
  CHECK(events[1].start_ns == 6);
  CHECK(events[2].end_ns == 8);
  recorder.clear();
  CHECK(recorder.events().empty());
  CHECK(recorder.dropped() == 0);
  CHECK_THROWS_AS(TimelineRecorder(0), ConfigError);
}

TEST_CASE("figures of a timeline") {
  const TimelineFigures figures = summarize(two_stages(), testing::straight_pipedream(2));
  CHECK(figures.span_us == Approx(82));
  REQUIRE(figures.utilisation.size() == 2);
  CHECK(figures.utilisation[0] == Approx((3 * 5 + 2 * 10 + 2 * 2) / 82.0));
  CHECK(figures.utilisation[1] == Approx((2 * 10 + 2 * 20 + 2 * 2) / 82.0));
  CHECK(figures.bubble == Approx(1 - (39 + 64) / 164.0));
  REQUIRE(figures.stages.size() == 2);
  CHECK(figures.stages[0].forward_us == Approx(5));
  CHECK(figures.stages[0].backward_us == Approx(10));
  CHECK(figures.stages[0].update_us == Approx(2));
  CHECK(figures.stages[0].staleness == Approx(0.5));  // 0 and 1
  CHECK(figures.stages[1].staleness == Approx(0));
  CHECK(figures.microbatch_us == Approx(33));
}

TEST_CASE("figures of a worker with several stages are told apart by stage") {
  const Plan plan = testing::interleaved_plan(1, 2, 1);
  Timeline timeline;
  timeline.workers = {{event("F0.0@v0", 0, 5), event("F1.0@v0", 5, 12), event("B1.0@v0", 12, 26),
                       event("B0.0@v0", 26, 36), event("U0.0@v1", 36, 38), event("U1.0@v1", 38, 41),
                       event("F0.1@v1", 41, 46), event("F1.1@v1", 46, 53), event("B1.1@v1", 53, 67),
                       event("B0.1@v1", 67, 77), event("U0.1@v2", 77, 79), event("U1.1@v2", 79, 82)}};
  const TimelineFigures figures = summarize(timeline, plan);
  REQUIRE(figures.stages.size() == 2);
  CHECK(figures.stages[0].forward_us == Approx(5));
  CHECK(figures.stages[0].backward_us == Approx(10));
  CHECK(figures.stages[0].update_us == Approx(2));
  CHECK(figures.stages[0].staleness == Approx(0));
  CHECK(figures.stages[1].forward_us == Approx(7));
  CHECK(figures.stages[1].backward_us == Approx(14));
  CHECK(figures.stages[1].update_us == Approx(3));
  CHECK(figures.stages[1].staleness == Approx(0));
  CHECK(figures.microbatch_us == Approx(41));
  CHECK(figures.utilisation == std::vector<double>{1.0});

  const std::filesystem::path path = std::filesystem::temp_directory_path() / "pipedream_timeline_stages.json";
  write_chrome_trace(timeline, plan, path);
  std::ifstream file(path);
  const nlohmann::json trace = nlohmann::json::parse(file);
  std::filesystem::remove(path);
  CHECK(trace["traceEvents"][0]["args"]["name"] == "worker 0 (stages 0, 1)");
}

TEST_CASE("the steady state is the middle half of the last stage's backwards") {
  Timeline timeline;
  timeline.workers.resize(1);
  const std::int64_t ends[] = {100, 150, 160, 170, 180, 190, 400, 900};
  for (int i = 0; i < 8; ++i) {
    const std::string text = "B0." + std::to_string(i) + "@v0";
    timeline.workers[0].push_back(event(text.c_str(), ends[i] - 1, ends[i]));
  }
  const Plan plan = testing::make_plan(Algorithm::data_parallel, {1});
  CHECK(summarize(timeline, plan).microbatch_us == Approx(10));

  for (TimelineEvent& backward : timeline.workers[0]) {
    backward.action.kind = ActionKind::forward;
  }
  CHECK(summarize(timeline, plan).microbatch_us == Approx(10));
}

TEST_CASE("staleness counts from the start of each segment and leaves out what is unknown") {
  const Plan plan = testing::make_plan(Algorithm::data_parallel, {1});
  Timeline timeline;
  timeline.workers = {{event("F0.4@v4", 0, 1), event("B0.4@v4", 1, 2), event("U0.4@v5", 2, 3), event("F0.0@v0", 3, 4),
                       event("B0.0@v0", 4, 5)}};
  timeline.dropped = {12};
  CHECK(summarize(timeline, plan).stages[0].staleness == Approx(0));
  timeline.workers[0].resize(2);
  CHECK(summarize(timeline, plan).stages[0].staleness == Approx(0));
  timeline.workers = {{event("U0.6@v7", 0, 1), event("F0.9@v4", 1, 2), event("B0.9@v4", 2, 3)}};
  CHECK(summarize(timeline, plan).stages[0].staleness == Approx(3));
  // On one copy of the weights the backward sees the newest; what counts is what its forward saw.
  timeline.workers = {{event("U0.6@v5", 0, 1), event("F0.9@v5", 1, 2), event("U0.7@v6", 2, 3), event("B0.9@v6", 3, 4)}};
  CHECK(summarize(timeline, plan).stages[0].staleness == Approx(1));
  timeline.workers = {{event("U0.6@v7", 0, 1), event("B0.9@v4", 1, 2)}};
  CHECK(summarize(timeline, plan).stages[0].staleness == Approx(0));
}

TEST_CASE("a timeline without events gives zeros, one of other workers an error") {
  Timeline timeline;
  timeline.workers.resize(2);
  const TimelineFigures figures = summarize(timeline, testing::straight_pipedream(2));
  CHECK(figures.span_us == 0);
  CHECK(figures.bubble == 0);
  CHECK(figures.microbatch_us == 0);
  CHECK_THROWS_WITH(summarize(timeline, testing::straight_pipedream(3)), "a timeline of 2 workers for a plan of 3");
}

TEST_CASE("a Chrome trace has a slice an event and an arrow a message") {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "pipedream_timeline_test.json";
  write_chrome_trace(two_stages(), testing::straight_pipedream(2), path);
  std::ifstream file(path);
  const nlohmann::json trace = nlohmann::json::parse(file);
  std::filesystem::remove(path);

  std::map<std::string, int> phases;
  std::map<int, nlohmann::json> sends;
  for (const nlohmann::json& e : trace.at("traceEvents")) {
    const std::string phase = e.at("ph");
    phases[phase] += 1;
    if (phase == "s") {
      sends[e.at("id").get<int>()] = e;
    } else if (phase == "f") {
      const nlohmann::json& send = sends.at(e.at("id").get<int>());
      CHECK(send.at("pid") == 0);
      CHECK(e.at("pid") == 1);
      CHECK(send.at("ts").get<double>() < e.at("ts").get<double>());
    }
  }
  CHECK(phases["X"] == 20);
  CHECK(phases["s"] == 2);  // S0>1.2 has no receive, r1>0.0 and r1>0.1 have no send
  CHECK(phases["f"] == 2);
  CHECK(trace["traceEvents"][0]["args"]["name"] == "worker 0 (stage 0, replica 0)");
  const auto backward = std::find_if(trace["traceEvents"].begin(), trace["traceEvents"].end(),
                                     [](const nlohmann::json& e) { return e["name"] == "B0.1@v0-"; });
  REQUIRE(backward != trace["traceEvents"].end());
  CHECK(backward->at("ts") == 70.0);
  CHECK(backward->at("dur") == 10.0);
  CHECK(backward->at("tid") == 0);
  CHECK(backward->at("args") == nlohmann::json{{"microbatch", 1}, {"version", 0}});
}

TEST_CASE("a trace draws how stale weights were at the backwards") {
  Timeline timeline = two_stages();
  timeline.first_microbatch = 100;
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const std::vector<StalenessRecord> staleness{
      {99, 0, 0, 1, 0.5}, {100, 0, 5, 5, 0}, {100, 1, 5, 5, 0}, {101, 0, 5, 7, 0.25}, {101, 1, 6, 7, unknown}};
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "pipedream_timeline_staleness.json";
  write_chrome_trace(timeline, testing::straight_pipedream(2), path, staleness);
  std::ifstream file(path);
  const nlohmann::json trace = nlohmann::json::parse(file);
  std::filesystem::remove(path);
  std::map<std::string, std::vector<std::pair<double, double>>> counters;  // times and values by name
  for (const nlohmann::json& e : trace.at("traceEvents")) {
    if (e.at("ph") != "C") continue;
    counters[e.at("name")].emplace_back(e.at("ts"), e.at("args").at("value"));
    CHECK(e.at("name").get<std::string>().back() == (e.at("pid") == 0 ? '0' : '1'));
  }
  using Samples = std::vector<std::pair<double, double>>;
  CHECK(counters.size() == 4);
  CHECK(counters["updates behind, stage 0"] == Samples{{36, 0}, {70, 2}});
  CHECK(counters["weight distance, stage 0"] == Samples{{36, 0}, {70, 0.25}});
  CHECK(counters["updates behind, stage 1"] == Samples{{16, 0}, {49, 1}});
  CHECK(counters["weight distance, stage 1"] == Samples{{16, 0}});
}

TEST_CASE("messages of several segments are joined from the latest back") {
  Timeline timeline;
  timeline.workers = {{event("S0>1.0", 10, 11)}, {event("r0>1.0", 2, 3), event("r0>1.0", 11, 13)}};
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "pipedream_timeline_segments.json";
  write_chrome_trace(timeline, testing::straight_pipedream(2), path);
  std::ifstream file(path);
  const nlohmann::json trace = nlohmann::json::parse(file);
  std::filesystem::remove(path);
  std::vector<double> arrow_ends;
  for (const nlohmann::json& e : trace.at("traceEvents")) {
    if (e.at("ph") == "f") {
      arrow_ends.push_back(e.at("ts"));
    }
  }
  CHECK(arrow_ends == std::vector<double>{12.999});
}

}  // namespace pipedream
