#include "schedule/lowering.h"

namespace pipedream {

WorkerProgram make_worker_program(const Plan& plan, std::span<const StageLink> links, const Segment& segment,
                                  int worker) {
  WorkerProgram program;
  program.prologue = detail::lower(plan, links, segment, worker);
  return program;
}

Program make_program(const Plan& plan, std::span<const StageLink> links, const Segment& segment) {
  Program program;
  int workers = 0;
  for (const StagePlan& stage : plan.stages) {
    workers += stage.replicas();
  }
  for (int worker = 0; worker < workers; ++worker) {
    program.workers.push_back(make_worker_program(plan, links, segment, worker));
  }
  return program;
}

}  // namespace pipedream
