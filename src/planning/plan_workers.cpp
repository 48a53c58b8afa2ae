#include "planning/plan_workers.h"

#include <fmt/format.h>

#include <string>

#include "planning/config_error.h"

namespace pipedream::detail {
namespace {

void check_members(const Plan& plan) {
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    if (plan.stages[s].workers.empty()) throw_config_error("stages[{}].workers: the stage has no worker", s);
  }
}

// As workers stand in a stage, without the places of others.
void check_idle(const Plan& plan, int workers, std::vector<int>& stage_of) {
  for (std::size_t i = 0; i < plan.idle_workers.size(); ++i) {
    const int worker = plan.idle_workers[i];
    if (worker < 0 || worker >= workers) {
      throw_config_error("idle_workers[{}]: found worker {}, but the plan's {} workers are numbered 0 to {}, each once",
                         i, worker, workers, workers - 1);
    }
    if (i > 0 && worker <= plan.idle_workers[i - 1])
      throw_config_error("idle_workers[{}]: {} does not ascend", i, worker);
    const int stage = stage_of[static_cast<std::size_t>(worker)];
    if (stage >= 0) throw_config_error("idle_workers[{}]: worker {} is in stage {}", i, worker, stage);
  }
}

// Each worker in one stage or idle.
void check_separate_workers(const Plan& plan) {
  int workers = static_cast<int>(plan.idle_workers.size());
  for (const StagePlan& stage : plan.stages) workers += stage.replicas();
  std::vector<int> stage_of(static_cast<std::size_t>(workers), -1);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const auto& members = plan.stages[s].workers;
    for (std::size_t q = 0; q < members.size(); ++q) {
      if (members[q] < 0 || members[q] >= workers) {
        throw_config_error(
            "stages[{}].workers[{}]: found worker {}, but the plan's {} workers are numbered 0 to {}, each once", s, q,
            members[q], workers, workers - 1);
      }
      int& stage = stage_of[static_cast<std::size_t>(members[q])];
      if (stage >= 0) {
        throw_config_error("stages[{}].workers[{}]: worker {} is already in stage {}; under {} a worker has one place",
                           s, q, members[q], stage, to_string(plan.algorithm));
      }
      stage = static_cast<int>(s);
    }
  }
  check_idle(plan, workers, stage_of);
}

// The workers take the stages in turn: of p, stage s is on that of stage s mod p.
void check_turns(const Plan& plan, std::size_t workers) {
  const std::string_view name = to_string(plan.algorithm);
  std::vector<int> stage_of(workers, -1);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const int member = plan.stages[s].workers[0];
    const int expected = plan.stages[s % workers].workers[0];
    if (member != expected) {
      throw_config_error(
          "stages[{}].workers[0]: found worker {}, but {} takes its {} workers in turn: this stage is for worker {}", s,
          member, name, workers, expected);
    }
    if (member < 0 || member >= static_cast<int>(workers)) {
      throw_config_error("stages[{}].workers[0]: found worker {}, but the plan's {} workers are numbered 0 to {}", s,
                         member, workers, workers - 1);
    }
    int& stage = stage_of[static_cast<std::size_t>(member)];
    if (s < workers && stage >= 0) {
      throw_config_error(
          "stages[{}].workers[0]: worker {} is already in stage {}; {} takes its workers in turn, from worker {} on", s,
          member, stage, name, plan.stages[0].workers[0]);
    }
    stage = static_cast<int>(s);
  }
  if (plan.stages.size() % workers != 0) {
    const std::size_t fewer = plan.stages.size() / workers * workers;
    throw_config_error("stages: {} has as many on each worker, found {} on {} workers; {} or {} would do", name,
                       plan.stages.size(), workers, fewer, fewer + workers);
  }
}

// Several stages a worker, no replicas. There are as many workers as stages before the first worker comes again.
void check_shared_workers(const Plan& plan) {
  if (!plan.idle_workers.empty()) {
    throw_config_error("idle_workers: {} uses all workers, found {} idle", to_string(plan.algorithm),
                       plan.idle_workers.size());
  }
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const std::size_t members = plan.stages[s].workers.size();
    if (members != 1) {
      throw_config_error("stages[{}].workers: {} has no replicas, found {} workers", s, to_string(plan.algorithm),
                         members);
    }
  }
  std::size_t workers = 1;
  while (workers < plan.stages.size() && plan.stages[workers].workers[0] != plan.stages[0].workers[0]) ++workers;
  check_turns(plan, workers);
}

// One of each for every worker.
void check_places(const Plan& plan) {
  const auto check = [&](const std::vector<int>& numbers, const char* what) {
    if (numbers.size() != static_cast<std::size_t>(plan.workers())) {
      throw_config_error("placement.{}: found {} for the plan's {} workers", what, numbers.size(), plan.workers());
    }
    for (std::size_t worker = 0; worker < numbers.size(); ++worker) {
      if (numbers[worker] < 0) {
        throw_config_error("placement.{}[{}]: must not be negative, found {}", what, worker, numbers[worker]);
      }
    }
  };
  if (plan.placement.empty()) return;
  check(plan.placement.servers, "servers");
  check(plan.placement.devices, "devices");
}

}  // namespace

void check_workers(const Plan& plan) {
  check_members(plan);
  if (traits_of(plan.algorithm).shares_workers) {
    check_shared_workers(plan);
  } else {
    check_separate_workers(plan);
  }
  check_places(plan);
}

}  // namespace pipedream::detail
