#include "pipedream/what_if.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "partitioner/partition_options.h"
#include "partitioner/plan_judge.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

struct Question {
  std::string text;
  Topology topology;
  PartitionOptions options;
};

WhatIfAnswer answer(const Profile& profile, const Question& question) {
  WhatIfAnswer result;
  result.question = question.text;
  result.topology = question.topology;
  result.algorithm = question.options.algorithm;
  result.plan = partition(profile, question.topology, question.options);
  detail::JudgedPlan judged =
      detail::simulated(*result.plan, profile, question.topology, question.options.state_factors);
  result.simulated_us = judged.microbatch_us;
  result.limited_by = std::move(judged.limited_by);
  result.data_parallel_us = detail::simulated_data_parallel_us(profile, question.topology, result.plan->workers());
  for (const StagePlan& stage : result.plan->stages) {
    result.memory_bytes = std::max(result.memory_bytes, stage.prediction.memory_bytes);
  }
  return result;
}

// One that may have no plan.
WhatIfAnswer answer_or_why_not(const Profile& profile, const Question& question) {
  try {
    return answer(profile, question);
  } catch (const ConfigError& error) {
    WhatIfAnswer result;
    result.question = question.text;
    result.topology = question.topology;
    result.algorithm = question.options.algorithm;
    result.why_not = error.what();
    return result;
  }
}

Question other_algorithm(const Question& given, Algorithm algorithm) {
  Question question = given;
  question.text = fmt::format("algorithm {}", to_string(algorithm));
  question.options.algorithm = algorithm;
  question.options.microbatches_per_update = 0;
  question.options.stages_per_worker = 0;
  if (algorithm == Algorithm::data_parallel) {
    if (!detail::plans_every_algorithm(given.options.cost_model)) question.options.cost_model = CostModel::pipedream;
    question.options.straight = false;
  }
  return question;
}

std::vector<Question> questions(const Question& given, std::int64_t needed_bytes) {
  std::vector<Question> list;
  Question more = given;
  more.text = "twice the workers";
  if (more.topology.levels.empty()) more.topology.levels.emplace_back();
  more.topology.levels.back().count *= 2;
  list.push_back(more);

  Question slower = given;
  slower.text = "half the bandwidth";
  for (TopologyLevel& level : slower.topology.levels) {
    level.bandwidth_bytes_per_s /= 2;
    level.allreduce_bytes_per_s /= 2;
  }
  list.push_back(slower);

  Question tighter = given;
  tighter.text = "half the memory";
  const std::int64_t limit_bytes = given.topology.memory_bytes_per_worker;
  tighter.topology.memory_bytes_per_worker =
      std::max<std::int64_t>(1, (limit_bytes > 0 ? limit_bytes : needed_bytes) / 2);
  list.push_back(tighter);

  for (const Algorithm algorithm :
       {Algorithm::pipedream, Algorithm::two_bw, Algorithm::flush_1f1b, Algorithm::data_parallel}) {
    if (algorithm != given.options.algorithm) list.push_back(other_algorithm(given, algorithm));
  }
  return list;
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

double WhatIfAnswer::predicted_speed_up() const {
  return plan ? ratio(plan->prediction.data_parallel_us, plan->prediction.microbatch_us) : 0;
}

double WhatIfAnswer::simulated_speed_up() const { return ratio(data_parallel_us, simulated_us); }

std::vector<WhatIfAnswer> what_if(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  const Question given{"as given", topology, options};
  std::vector<WhatIfAnswer> answers = {answer(profile, given)};
  for (const Question& question : questions(given, answers.front().memory_bytes)) {
    answers.push_back(answer_or_why_not(profile, question));
  }
  return answers;
}

std::string plan_in_short(const Plan& plan) {
  std::vector<int> replicas;
  for (const StagePlan& stage : plan.stages) replicas.push_back(stage.replicas());
  const bool is_straight = std::all_of(replicas.begin(), replicas.end(), [](int count) { return count == 1; });
  if (is_straight && replicas.size() > 1) return fmt::format("{} straight", replicas.size());
  return fmt::format("{}", fmt::join(replicas, "-"));
}

}  // namespace pipedream
