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

// Every stage sends to the next.
inline std::vector<StageLink> chain_links(const Plan& plan) {
  std::vector<StageLink> links;
  for (int s = 0; s + 1 < static_cast<int>(plan.stages.size()); ++s) {
    links.push_back({s, s + 1, true});
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

// A plan of 1 to 5 stages with 1 to 4 replicas each, warm-ups from the least upwards, d of 0 or 1, and its links: the
// chain, some of it without gradients, and some skips.
struct RandomCase {
  Plan plan;
  std::vector<StageLink> links;
};

inline RandomCase random_case(std::mt19937& generator) {
  const auto draw = [&](int least, int greatest) {
    return std::uniform_int_distribution<int>(least, greatest)(generator);
  };
  const int kind = draw(0, 9);
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
  const int stages = static_cast<int>(replicas.size());
  for (int s = 0; s < stages; ++s) {
    for (int t = s + 1; t < stages; ++t) {
      if (t == s + 1 ? draw(0, 9) > 0 : draw(0, 4) == 0) {
        result.links.push_back({s, t, draw(0, 4) > 0});
      }
    }
  }
  return result;
}

}  // namespace pipedream::testing
