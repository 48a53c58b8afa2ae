// Plans and links for the tests of this folder.
#pragma once

#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "pipedream/schedule.h"

namespace pipedream::testing {

// One layer a stage; workers in stage order.
inline Plan make_plan(Algorithm algorithm, const std::vector<int>& replicas, const std::vector<int>& warmup = {},
                      const std::vector<int>& reduce_delay = {}) {
  Plan plan;
  plan.algorithm = algorithm;
  int worker = 0;
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    StagePlan stage;
    stage.layers = {"layer" + std::to_string(s)};
    for (int q = 0; q < replicas[s]; ++q) {
      stage.workers.push_back(worker++);
    }
    stage.warmup = s < warmup.size() ? warmup[s] : 0;
    stage.reduce_delay = s < reduce_delay.size() ? reduce_delay[s] : 0;
    plan.stages.push_back(stage);
  }
  return plan;
}

// From SEMANTICS: w(S-1) = 0, w(s) = ceil(r_{s+1} (w(s+1) + 1) / r_s).
inline std::vector<int> least_warmup(const std::vector<int>& replicas) {
  std::vector<int> warmup(replicas.size(), 0);
  for (std::size_t s = replicas.size() - 1; s-- > 0;) {
    warmup[s] = (replicas[s + 1] * (warmup[s + 1] + 1) + replicas[s] - 1) / replicas[s];
  }
  return warmup;
}

inline Plan straight_pipedream(int stages) {
  const std::vector<int> replicas(static_cast<std::size_t>(stages), 1);
  return make_plan(Algorithm::pipedream, replicas, least_warmup(replicas));
}

// Interleaved 1F1B: stages in turn.
inline Plan interleaved_plan(int workers, int stages_per_worker, std::int64_t per_update = 0) {
  const std::vector<int> replicas(static_cast<std::size_t>(workers * stages_per_worker), 1);
  Plan plan = make_plan(Algorithm::interleaved_1f1b, replicas);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    plan.stages[s].workers = {static_cast<int>(s) % workers};
  }
  plan.microbatches_per_update = per_update;
  return plan;
}

// Every stage sends to the next.
inline std::vector<StageLink> chain_links(const Plan& plan) {
  std::vector<StageLink> links;
  for (int s = 0; s + 1 < static_cast<int>(plan.stages.size()); ++s) {
    links.push_back({s, s + 1, true});
  }
  return links;
}

// Every stage sends to every later one.
inline std::vector<StageLink> all_links(const Plan& plan) {
  std::vector<StageLink> links;
  for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) {
    for (int t = s + 1; t < static_cast<int>(plan.stages.size()); ++t) {
      links.push_back({s, t, true});
    }
  }
  return links;
}

inline std::string text(const std::vector<Action>& actions) {
  std::string result;
  for (const Action& action : actions) {
    result += (result.empty() ? "" : " ") + to_string(action);
  }
  return result;
}

// A plan of 1 to 5 stages with 1 to 4 replicas each, or of 1 to 4 workers with 1 to 3 stages each, warm-ups from the
// least upwards, d of 0 or 1, and its links: the chain, some of it without gradients, and some skips.
struct RandomCase {
  Plan plan;
  std::vector<StageLink> links;
};

template <typename Draw>
std::vector<StageLink> random_links(const Draw& draw, const Plan& plan) {
  std::vector<StageLink> links;
  for (const StageLink& link : all_links(plan)) {
    if (link.to == link.from + 1 ? draw(0, 9) > 0 : draw(0, 4) == 0) {
      links.push_back({link.from, link.to, draw(0, 4) > 0});
    }
  }
  return links;
}

inline RandomCase random_case(std::mt19937& generator) {
  const auto draw = [&](int least, int greatest) {
    return std::uniform_int_distribution<int>(least, greatest)(generator);
  };
  const int kind = draw(0, 9);
  if (kind == 6) {
    const int workers = draw(1, 4);
    const Plan plan = interleaved_plan(workers, draw(1, 3), workers * draw(0, 3));
    return {plan, random_links(draw, plan)};
  }
  const Algorithm algorithm = kind == 0   ? Algorithm::model_parallel
                              : kind == 1 ? Algorithm::data_parallel
                              : kind == 2 ? Algorithm::gpipe
                              : kind == 3 ? Algorithm::flush_1f1b
                              : kind == 4 ? Algorithm::vertical_sync
                              : kind == 5 ? Algorithm::two_bw
                              : kind == 6 ? Algorithm::pipemare
                                          : Algorithm::pipedream;
  std::vector<int> replicas(static_cast<std::size_t>(algorithm == Algorithm::data_parallel ? 1 : draw(1, 5)), 1);
  std::vector<int> delay(replicas.size(), 0);
  if (algorithm != Algorithm::model_parallel) {
    for (int& r : replicas) {
      r = draw(1, 4);
    }
  }
  std::vector<int> warmup = least_warmup(replicas);
  const int slack = draw(0, 2);
  for (std::size_t s = replicas.size(); s-- > 0;) {
    if (slack == 1) {
      warmup[s] *= 2;
    } else if (slack == 2 && s + 1 < replicas.size()) {
      warmup[s] = (replicas[s + 1] * (warmup[s + 1] + 1) + replicas[s] - 1) / replicas[s] + draw(0, 2);
    }
    if (traits_of(algorithm).delays_reduction && replicas[s] > 1) {
      delay[s] = draw(0, 1);
    }
  }
  if (!traits_of(algorithm).has_warmup) {
    warmup.assign(replicas.size(), 0);
  }
  RandomCase result{make_plan(algorithm, replicas, warmup, delay), {}};
  if (!traits_of(algorithm).flushes && traits_of(algorithm).chooses_update) {
    std::int64_t update = microbatches_per_update(result.plan, 0);
    for (const int r : replicas) update = std::lcm(update, std::int64_t{r});
    result.plan.microbatches_per_update = update * draw(0, 3);
  } else if (traits_of(algorithm).chooses_update) {
    result.plan.microbatches_per_update = draw(0, 9);
  }
  result.links = random_links(draw, result.plan);
  return result;
}

}  // namespace pipedream::testing
