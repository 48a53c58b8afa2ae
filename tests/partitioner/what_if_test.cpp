#include "pipedream/what_if.h"

#include <algorithm>

#include "call.h"
#include "partitioner/what_if_table.h"
#include "planning/json_file.h"
#include "planning/support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

Topology workers(int count) { return uniform_topology(count, 1e6); }

const WhatIfAnswer& answer_to(const std::vector<WhatIfAnswer>& answers, const std::string& question) {
  const auto found = std::find_if(answers.begin(), answers.end(),
                                  [&](const WhatIfAnswer& answer) { return answer.question == question; });
  REQUIRE(found != answers.end());
  return *found;
}

std::int64_t greatest_need(const Plan& plan) {
  std::int64_t most = 0;
  for (const StagePlan& stage : plan.stages) most = std::max(most, stage.prediction.memory_bytes);
  return most;
}

}  // namespace

TEST_CASE("what-if: each answer is the plan that partition makes for the changed question") {
  const Profile profile = chain_profile(8, 200);
  const PartitionOptions options{.state_factors = 0};
  const Topology given = workers(2);
  const auto answers = what_if(profile, given, options);
  const auto expect = [&](const std::string& question, const Topology& topology, const PartitionOptions& changed) {
    const WhatIfAnswer& answer = answer_to(answers, question);
    INFO(question << " " << answer.why_not);
    REQUIRE(answer.plan);
    CHECK(to_json(*answer.plan) == to_json(partition(profile, topology, changed)));
    CHECK(answer.memory_bytes == greatest_need(*answer.plan));
    CHECK(answer.simulated_us > 0);
    CHECK_FALSE(answer.limited_by.empty());
    CHECK(answer.predicted_speed_up() ==
          answer.plan->prediction.data_parallel_us / answer.plan->prediction.microbatch_us);
  };
  CHECK(answers.front().question == "as given");
  expect("as given", given, options);
  expect("twice the workers", workers(4), options);
  expect("half the bandwidth", uniform_topology(2, 0.5e6), options);
  for (const Algorithm algorithm : {Algorithm::two_bw, Algorithm::flush_1f1b, Algorithm::data_parallel}) {
    PartitionOptions other = options;
    other.algorithm = algorithm;
    expect("algorithm " + std::string(to_string(algorithm)), given, other);
  }
  CHECK(answers.size() == 7);
}

TEST_CASE("what-if: half the memory is half the limit, or half of what the plan needs") {
  const Profile profile = chain_profile(8, 200);
  Topology given = workers(2);
  const WhatIfAnswer unlimited = answer_to(what_if(profile, given), "half the memory");
  const std::int64_t need = greatest_need(partition(profile, given));
  CHECK(unlimited.topology.memory_bytes_per_worker == need / 2);
  given.memory_bytes_per_worker = 10 * need;
  const WhatIfAnswer limited = answer_to(what_if(profile, given), "half the memory");
  CHECK(limited.topology.memory_bytes_per_worker == 5 * need);
  CHECK(limited.plan);
  given.memory_bytes_per_worker = 1;
  CHECK_THAT(config_error([&] { what_if(profile, given); }), Contains("is too little"));
}

TEST_CASE("what-if: a question without a plan says why") {
  Profile profile = chain_profile(2, 200);
  profile.layers[0].parameter_bytes = 1'000'000;
  const auto answers = what_if(profile, workers(2));
  const WhatIfAnswer& tight = answer_to(answers, "half the memory");
  CHECK_FALSE(tight.plan);
  CHECK_THAT(tight.why_not, Contains("layer \"layer0\" alone needs"));
  CHECK(tight.predicted_speed_up() == 0);
  CHECK(tight.simulated_speed_up() == 0);
  const std::string table = what_if_table(answers);
  CHECK_THAT(table, Contains("no plan") && Contains("\nhalf the memory: memory_bytes_per_worker: "));
  const WhatIfAnswer alone = answer_to(what_if(profile, Topology{}), "twice the workers");
  CHECK_THAT(alone.why_not, Contains("bandwidth"));
}

TEST_CASE("what-if: simulated data parallelism computes, then reduces") {
  const Profile profile = chain_profile(3, 10);
  const auto answers = what_if(profile, workers(2));
  // 99 us of compute, and 6,000 bytes around a ring of two at 1 MB/s, for two microbatches.
  CHECK(answers.front().data_parallel_us == Approx((99 + 6000) / 2.0));
}

TEST_CASE("plans in short") {
  const std::vector<std::string> layers = {"a", "b"};
  Plan plan = single_stage_plan(layers, 8, Algorithm::data_parallel);
  CHECK(plan_in_short(plan) == "8");
  plan.stages.push_back(plan.stages.front());
  plan.stages.back().workers = {8};
  CHECK(plan_in_short(plan) == "8-1");
  plan.stages.front().workers = {0};
  CHECK(plan_in_short(plan) == "2 straight");
}

TEST_CASE("what-if on the command line: one table, or JSON") {
  const ScratchFolder folder;
  const std::string profile = folder / "profile.json";
  write_profile(chain_profile(8, 200), profile);
  const std::vector<std::string> line = {"what-if", profile, "--workers", "2", "--bandwidth", "1MB/s"};
  const Outcome table = call(line);
  INFO(table.err);
  REQUIRE(table.code == 0);
  for (const char* row : {"\nas given ", "\ntwice the workers ", "\nhalf the bandwidth ", "\nhalf the memory (",
                          "\nalgorithm pipedream-2bw ", "\nalgorithm 1f1b-flush ", "\nalgorithm data-parallel "}) {
    CHECK_THAT(table.out, Contains(row));
  }
  std::vector<std::string> json_line = line;
  json_line.insert(json_line.end(), {"--json", "--memory", "1GiB", "--algorithm", "gpipe"});
  const Outcome json = call(json_line);
  INFO(json.err);
  REQUIRE(json.code == 0);
  const auto parsed = detail::parse_json(json.out, "stdout");
  CHECK(parsed["format"] == "pipedream-what-if");
  CHECK(parsed["answers"].size() == 8);
  CHECK(parsed["answers"][0]["algorithm"] == "gpipe");
  CHECK(parsed["answers"][0]["memory_limit_bytes"] == std::int64_t{1} << 30);
  CHECK(parsed["answers"][1]["workers"] == 4);
  CHECK(parsed["answers"][3]["memory_limit_bytes"] == std::int64_t{1} << 29);
  CHECK(parsed["answers"][0]["predicted_us"] > 0);
  CHECK_THAT(usage_error({"what-if", profile, "--workers", "2"}), Contains("--bandwidth"));
}
