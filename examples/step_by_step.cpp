// What run() does, step by step, for programs that want to decide for themselves: measure, plan, train, evaluate, save.
//
//   mpirun -n 2 step_by_step [WEIGHTS.safetensors]
#include <fmt/format.h>
#include <pipedream/pipedream.h>
#include <torch/torch.h>

#include "digits_data.h"

namespace pd = pipedream;
namespace nn = torch::nn;

namespace {

pd::LayerGraph network() {
  pd::LayerGraph graph;
  const pd::Value image = graph.input("image");
  pd::Value h = graph.layer("flatten", image, [](const torch::Tensor& x) { return x.flatten(1); });
  h = graph.layer("lift", h, [] { return nn::Linear(64, 128); });
  // A layer may use several tensors, and a tensor may have several users, also in other stages.
  pd::Value skip = h;
  h = graph.layer("norm", h, [] { return nn::LayerNorm(nn::LayerNormOptions({128})); });
  h = graph.layer("relu", h, torch::relu);
  h = graph.layer("mix", h, [] { return nn::Linear(128, 128); });
  h = graph.layer("add", {h, skip}, [](const torch::Tensor& a, const torch::Tensor& b) { return torch::relu(a + b); });
  h = graph.layer("classifier", h, [] { return nn::Linear(128, 10); });
  const pd::Value label = graph.target("label");
  graph.loss("cross_entropy", {h, label}, pd::cross_entropy);
  graph.metric("accuracy", {h, label}, pd::accuracy);
  return graph;
}

void train(pd::Communicator& comm, const char* weights) {
  const auto data = digits_train();
  const pd::LayerGraph graph = network();
  const pd::Profile profile = pd::profile(graph, *data, comm, {.microbatch_size = 16});
  const pd::Plan plan = pd::partition(profile, profile.topology, {.straight = true, .use_all_workers = true});

  pd::Trainer trainer(graph, plan, comm, {.optimizer = pd::sgd({.learning_rate = 0.02, .momentum = 0.9}), .seed = 1});
  const pd::TrainResult result = trainer.train(*data, {.epochs = 10, .microbatch_size = 16});
  const pd::EvaluationResult test = trainer.evaluate(*digits_test());
  if (weights != nullptr) trainer.save_weights(weights);
  if (comm.rank() == 0) {
    fmt::print("{} stage(s), {} samples, loss {:.4f}, test accuracy {:.4f}\n", plan.stages.size(), result.samples,
               result.mean_loss, test.metric("accuracy"));
  }
}

}  // namespace

int main(int argc, char** argv) {
  pd::keep_freed_memory();
  try {
    pd::MpiScope mpi(argc, argv);
    const auto comm = pd::make_mpi_communicator(MPI_COMM_WORLD);
    train(*comm, argc > 1 ? argv[1] : nullptr);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "step_by_step: {}\n", error.what());
    return pd::kExitFailure;
  }
}
