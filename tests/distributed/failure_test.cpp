// What goes wrong on one worker is told on all: each hears which worker, which action, and why.
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>

#include "pipedream/error.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

constexpr int kFatalMicrobatch = 5;
constexpr std::int64_t kMicrobatchSize = 2;

// Rows that know their microbatch, so that a layer can act on one.
std::shared_ptr<TensorDataset> numbered_data(std::int64_t microbatches) {
  const torch::Tensor rows = torch::arange(microbatches * kMicrobatchSize, torch::kFloat32);
  const torch::Tensor numbers = torch::floor(rows / static_cast<double>(kMicrobatchSize)).unsqueeze(1);
  return std::make_shared<TensorDataset>(std::map<std::string, torch::Tensor>{
      {"number", numbers}, {"y", torch::zeros({microbatches * kMicrobatchSize, 3})}});
}

// fc1 | fc2 -> trap -> fc3 -> loss; `trap` is called with the microbatch's number.
TestModel trapped_model(const std::function<void(int)>& trap) {
  LayerGraph g;
  const Value number = g.input("number");
  Value h = g.layer("fc1", number, [] { return torch::nn::Linear(1, 3); });
  h = g.layer("fc2", h, [] { return torch::nn::Linear(3, 3); });
  h = g.layer("trap", {h, number}, [trap](const torch::Tensor& x, const torch::Tensor& n) {
    trap(static_cast<int>(n[0].item<float>()));
    return x + 0;
  });
  h = g.layer("fc3", h, [] { return torch::nn::Linear(3, 3); });
  g.loss("loss", {h, g.target("y")}, mean_squared_error);
  return {"trapped", g, numbered_data(20)};
}

enum class Outcome { returned, config_error, communication_error, other_error };

struct Ending {
  Outcome outcome = Outcome::returned;
  std::string text;
};

// How `work` ended on each worker.
std::vector<Ending> endings(int workers, const std::function<void(Communicator&)>& work) {
  std::vector<Ending> ends(static_cast<std::size_t>(workers));
  const auto record = [&](Communicator& comm) {
    Ending& end = ends[static_cast<std::size_t>(comm.rank())];
    try {
      work(comm);
    } catch (const ConfigError& error) {
      end = {Outcome::config_error, error.what()};
    } catch (const CommunicationError& error) {
      end = {Outcome::communication_error, error.what()};
    } catch (const std::exception& error) {
      end = {Outcome::other_error, error.what()};
    }
  };
  try {
    run_test_workers(workers, record);
  } catch (const CommunicationError&) {
    // The cause of an abort that every worker has handled already.
  }
  return ends;
}

void train_trapped(const TestModel& model, const Plan& plan, Communicator& comm,
                   std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
  Trainer trainer(model.graph, plan, comm, {.device = test_device(), .deadline = deadline, .first_deadline_factor = 1});
  trainer.train(*model.data, {.steps = 12, .microbatch_size = kMicrobatchSize, .shuffle = false});
}

// Writes its weight in every forward.
struct Writer : torch::nn::Module {
  torch::Tensor weight = register_parameter("weight", torch::ones({3}));
  torch::Tensor forward(const torch::Tensor& x) {
    {
      const torch::NoGradGuard no_gradient;
      weight.add_(1);
    }
    return x * weight;
  }
};

// One of its weights has no influence.
struct Idle : torch::nn::Module {
  torch::Tensor weight = register_parameter("weight", torch::ones({3}));
  torch::Tensor spare = register_parameter("spare", torch::ones({3}));
  torch::Tensor forward(const torch::Tensor& x) { return x * weight; }
};

// fc1 | layer -> fc3 -> loss
template <class Module>
TestModel model_with(const std::string& layer) {
  LayerGraph g;
  Value h = g.layer("fc1", g.input("number"), [] { return torch::nn::Linear(1, 3); });
  h = g.layer(layer, h, [] { return std::make_shared<Module>(); });
  h = g.layer("fc3", h, [] { return torch::nn::Linear(3, 3); });
  g.loss("loss", {h, g.target("y")}, mean_squared_error);
  return {layer, g, numbered_data(20)};
}

Plan two_stages(const LayerGraph& graph) { return cut_plan(graph, Algorithm::pipedream, {1}, {1, 1}); }

using Catch::Matchers::Contains;

// Every worker throws a ConfigError with all of these texts, and none has trained.
void check_refused(const TestModel& model, const Plan& plan, int workers, const std::vector<std::string>& texts) {
  for (const Ending& end : endings(workers, [&](Communicator& comm) { train_trapped(model, plan, comm); })) {
    CHECK(end.outcome == Outcome::config_error);
    for (const std::string& text : texts) CHECK_THAT(end.text, Contains(text));
  }
}

}  // namespace

TEST_CASE("a layer that throws ends every worker with its cause", "[failure]") {
  const TestModel model = trapped_model([](int microbatch) {
    if (microbatch == kFatalMicrobatch) throw std::runtime_error("out of luck");
  });
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1}, {2, 1}, {1, 1, 1}}) {
    const std::vector<std::size_t> cuts =
        replicas.size() == 2 ? std::vector<std::size_t>{1} : std::vector<std::size_t>{1, 3};
    const Plan plan = cut_plan(model.graph, Algorithm::pipedream, cuts, replicas);
    const int culprit = plan.stages[1].workers.front();
    const auto ends = endings(plan.workers(), [&](Communicator& comm) { train_trapped(model, plan, comm); });
    for (int rank = 0; rank < plan.workers(); ++rank) {
      const Ending& end = ends[static_cast<std::size_t>(rank)];
      INFO("worker " << rank << ": " << end.text);
      CHECK(end.outcome == (rank == culprit ? Outcome::other_error : Outcome::communication_error));
      CHECK_THAT(end.text, Contains("worker " + std::to_string(culprit)) && Contains("F1.5") &&
                               Contains("microbatch 5") && Contains("layer 'trap'") && Contains("out of luck"));
    }
  }
}

TEST_CASE("a worker that stalls trips the deadline of the others", "[failure]") {
  std::promise<void> others_gave_up;
  std::shared_future<void> released = others_gave_up.get_future().share();
  const TestModel model = trapped_model([released](int microbatch) {
    if (microbatch == kFatalMicrobatch) released.wait();
  });
  const Plan plan = two_stages(model.graph);
  const auto ends = endings(2, [&](Communicator& comm) {
    try {
      train_trapped(model, plan, comm, std::chrono::milliseconds(500));
    } catch (...) {
      if (comm.rank() == 0) others_gave_up.set_value();
      throw;
    }
    if (comm.rank() == 0) others_gave_up.set_value();
  });
  INFO(ends[0].text);
  CHECK(ends[0].outcome == Outcome::communication_error);
  // Who waits for what from whom, and what the silent one is at.
  CHECK_THAT(ends[0].text, Contains("worker 0 (stage 0) at r1>0.5") && Contains("peer worker 1") &&
                               Contains("worker 1 (stage 1) at F1.5"));
  CHECK(ends[1].outcome == Outcome::communication_error);
}

TEST_CASE("plans that do not fit are refused on every worker before training", "[failure]") {
  const TestModel model = trapped_model([](int) {});
  const Plan good = two_stages(model.graph);
  const auto changed = [&](auto change) {
    Plan plan = good;
    change(plan);
    return plan;
  };
  check_refused(model, good, 3, {"2", "3"});  // worker count
  check_refused(model, changed([](Plan& p) { p.stages[0].layers[0] = "fc9"; }), 2, {"fc9"});
  check_refused(model, changed([](Plan& p) { p.stages[1].layers.push_back("fc1"); }), 2, {"fc1"});
  check_refused(model, changed([](Plan& p) { p.stages[1].layers.erase(p.stages[1].layers.begin()); }), 2, {"fc2"});
  check_refused(model, changed([](Plan& p) {
                  p.stages[1].layers.insert(p.stages[1].layers.begin(), "fc1");
                  p.stages[0].layers.clear();
                }),
                2, {"stages[0]"});
  check_refused(model, changed([](Plan& p) { std::swap(p.stages[0].layers, p.stages[1].layers); }), 2, {"fc"});
  check_refused(model, changed([](Plan& p) { p.stages[1].workers = {0}; }), 2, {"worker 0"});
  check_refused(model, changed([](Plan& p) {
                  p.stages[1].workers = {2};
                  p.idle_workers = {1};
                }),
                3, {"worker 1 of the plan has no stage"});
  check_refused(model, changed([](Plan& p) { p.graph_hash = "0123456789abcdef"; }), 2, {"0123456789abcdef"});
}

TEST_CASE("layers that no schedule can train are refused on every worker before training", "[failure]") {
  const TestModel writer = model_with<Writer>("writer");
  check_refused(writer, two_stages(writer.graph), 2, {"layer 'writer' writes its parameter 'writer.weight'"});
  const TestModel idle = model_with<Idle>("idle");
  check_refused(idle, two_stages(idle.graph), 2, {"no gradient reaches parameter 'idle.spare'"});
}

TEST_CASE("workers that disagree are told on what", "[failure]") {
  const TestModel model = trapped_model([](int) {});
  const auto check_disagreement = [&](const std::string& about,
                                      const std::function<void(Plan&, TrainerOptions&)>& change) {
    const auto ends = endings(2, [&](Communicator& comm) {
      Plan plan = two_stages(model.graph);
      TrainerOptions options;
      if (comm.rank() == 1) change(plan, options);
      Trainer trainer(model.graph, plan, comm, options);
    });
    for (const Ending& end : ends) {
      INFO(end.text);
      CHECK(end.outcome == Outcome::config_error);
      CHECK_THAT(end.text, Contains(about));
    }
  };
  check_disagreement("plan", [](Plan& plan, TrainerOptions&) { plan.stages[0].warmup = 3; });
  check_disagreement("seed", [](Plan&, TrainerOptions& options) { options.seed = 99; });
  check_disagreement("optimizer", [](Plan&, TrainerOptions& options) { options.optimizer = adam(); });
  // A mistake of one worker is every worker's error.
  check_disagreement("fc9", [](Plan& plan, TrainerOptions&) { plan.stages[0].layers[0] = "fc9"; });
}

TEST_CASE("workers that train differently are told on what", "[failure]") {
  const TestModel model = trapped_model([](int) {});
  const auto ends = endings(2, [&](Communicator& comm) {
    Trainer trainer(model.graph, two_stages(model.graph), comm);
    trainer.train(*model.data, {.steps = 3 + comm.rank(), .microbatch_size = kMicrobatchSize});
  });
  for (const Ending& end : ends) {
    CHECK(end.outcome == Outcome::config_error);
    CHECK_THAT(end.text, Contains("microbatches to train"));
  }
}

TEST_CASE("a data set without a tensor that the model uses is refused", "[failure]") {
  const TestModel model = trapped_model([](int) {});
  const TensorDataset other({{"y", torch::zeros({8, 3})}});
  const auto ends = endings(2, [&](Communicator& comm) {
    Trainer trainer(model.graph, two_stages(model.graph), comm);
    trainer.train(other, {.steps = 3});
  });
  for (const Ending& end : ends) {
    CHECK(end.outcome == Outcome::config_error);
    CHECK_THAT(end.text, Contains("number"));
  }
}
