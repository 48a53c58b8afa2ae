// An existing torch::nn::Sequential as a pipeline: one layer for each child, starting from the values it has.
//
//   sequential train --workers 2
#include <pipedream/pipedream.h>
#include <torch/torch.h>

#include "digits_data.h"

namespace pd = pipedream;
namespace nn = torch::nn;

namespace {

pd::LayerGraph digits() {
  torch::manual_seed(1);  // every worker must start from the same values
  const nn::Sequential network(nn::Flatten(), nn::Linear(64, 128), nn::LayerNorm(nn::LayerNormOptions({128})),
                               nn::ReLU(), nn::Linear(128, 128), nn::LayerNorm(nn::LayerNormOptions({128})), nn::ReLU(),
                               nn::Linear(128, 10));
  pd::LayerGraph graph;
  const pd::Value logits = graph.sequential(graph.input("image"), network.ptr());
  const pd::Value label = graph.target("label");
  graph.loss("cross_entropy", {logits, label}, pd::cross_entropy);
  graph.metric("accuracy", {logits, label}, pd::accuracy);
  return graph;
}

}  // namespace

int main(int argc, char** argv) {
  return pd::run(argc, argv,
                 {.name = "sequential",
                  .graph = digits,
                  .train = digits_train,
                  .test = digits_test,
                  .optimizer = pd::adam({.learning_rate = 0.001}),
                  .microbatch_size = 16,
                  .epochs = 10});
}
