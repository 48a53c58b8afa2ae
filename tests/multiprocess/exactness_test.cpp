// The same comparisons as in tests/distributed, with workers that are processes: every rank trains its part and replays
// the whole run by itself.
#include "support/exactness.h"

#include <mpi.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "pipedream/mpi_communicator.h"
#include "support/product.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

int world_size() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

// What each rank found, told to all of them, so that they pass or fail together.
void check_over_mpi(Communicator& comm, const ExactnessCase& example) {
  REQUIRE(example.plan.workers() == comm.size());
  const std::string found = difference(run_worker(example, comm), replay(example));
  const std::vector<std::string> of_ranks = comm.all_gather(found);
  INFO(describe(example));
  for (const std::string& text : of_ranks) CHECK(text == "");
}

std::vector<std::vector<int>> replicas_for(int workers) {
  if (workers == 2) return {{1, 1}};
  if (workers == 3) return {{1, 1, 1}, {2, 1}, {1, 2}};
  return {{1, 1, 1, 1}, {3, 1}, {2, 1, 1}, {2, 2}};
}

}  // namespace

TEST_CASE("the world has the size that the cases are made for") {
  REQUIRE(world_size() >= 2);
  REQUIRE(world_size() <= 4);
}

TEST_CASE("pipelines over MPI") {
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  for (const std::vector<int>& replicas : replicas_for(comm->size())) {
    for (const TestModel& model : {skip_model(kRows), conv_model(kRows), lstm_model(kRows), branch_model(kRows)}) {
      for (const int delay : {0, 1}) {
        ExactnessCase example{.model = model, .plan = even_plan(model.graph, Algorithm::pipedream, replicas)};
        for (StagePlan& stage : example.plan.stages) stage.reduce_delay = stage.replicas() > 1 ? delay : 0;
        example.segments = {10, 5};
        example.optimizer = sgd({.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01});
        check_over_mpi(*comm, example);
      }
    }
  }
}

TEST_CASE("model parallelism over MPI") {
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  for (const TestModel& model : model_families(kRows)) {
    ExactnessCase example{.model = model,
                          .plan = even_plan(model.graph, Algorithm::model_parallel,
                                            std::vector<int>(static_cast<std::size_t>(comm->size()), 1))};
    check_over_mpi(*comm, example);
  }
}

TEST_CASE("data parallelism over MPI") {
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  for (const std::int64_t per_update : {std::int64_t{0}, std::int64_t{2} * comm->size()}) {
    ExactnessCase example{.model = conv_model(kRows), .plan = {}};
    example.plan = single_stage_plan(example.model.graph.layer_names(), comm->size(), Algorithm::data_parallel);
    example.plan.microbatches_per_update = per_update;
    example.segments = {13};
    example.optimizer = adam({.learning_rate = 0.01});
    check_over_mpi(*comm, example);
  }
}

TEST_CASE("a twin with the wrong version differs over MPI") {
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  ExactnessCase example{.model = skip_model(kRows), .plan = {}};
  example.plan =
      even_plan(example.model.graph, Algorithm::pipedream, std::vector<int>(static_cast<std::size_t>(comm->size()), 1));
  const WorkerRun run = run_worker(example, *comm);
  CHECK(difference(run, replay(example)) == "");
  CHECK(difference(run, replay(example, Mutation::newer_version, 0)) != "");
}

TEST_CASE("the other algorithms over MPI") {
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  for (const Algorithm algorithm : all_algorithms()) {
    const AlgorithmTraits traits = traits_of(algorithm);
    if (!traits.has_warmup && algorithm != Algorithm::gpipe) continue;  // above and below
    for (const std::vector<int>& replicas : replicas_for(comm->size())) {
      ExactnessCase example{.model = conv_model(kRows), .plan = {}};
      example.plan = even_plan(example.model.graph, algorithm, replicas);
      // Where it is allowed, with everything that a stage may do besides.
      for (StagePlan& stage : example.plan.stages) stage.recompute = !traits.overwrites;
      if (algorithm == Algorithm::pipemare) example.corrections = {.t1 = true, .annealing_microbatches = 6, .t2 = true};
      example.optimizer = sgd({.learning_rate = 0.05, .momentum = 0.9});
      example.optimizer.clipping = {.max_norm = 0.5, .scope = traits.flushes ? ClipScope::global : ClipScope::stage};
      example.segments = {11, 6};
      check_over_mpi(*comm, example);
    }
  }
}

TEST_CASE("every algorithm, optimizer, plan and kind of microbatch over MPI", "[product]") {
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  if (comm->size() > 3) return;
  for (const ExactnessCase& example : product_cases(comm->size())) {
    const WorkerRun run = run_worker(example, *comm);
    INFO(describe(example));
    for (const std::string& text : comm->all_gather(difference(run, replay(example)))) CHECK(text == "");
    // A mistake in a stage may show in the ranks of others only.
    for (const Mutation mutation : twins_of(example)) {
      const auto seen = comm->all_gather(difference(run, replay(example, mutation)));
      CHECK(std::any_of(seen.begin(), seen.end(), [](const std::string& text) { return !text.empty(); }));
    }
  }
}

TEST_CASE("interleaved stages over MPI") {
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  for (const TestModel& model : {skip_model(kRows), conv_model(kRows)}) {
    ExactnessCase example{.model = model, .plan = interleaved_plan(model.graph, comm->size(), 2, 2 * comm->size())};
    example.segments = {11, 6};
    example.optimizer.clipping = {.max_norm = 0.5, .scope = ClipScope::global};
    check_over_mpi(*comm, example);
  }
}
