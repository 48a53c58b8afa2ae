// A program that needs nothing but the package: LibTorch and MPI come with it.
#include <pipedream/layer_graph.h>
#include <pipedream/mpi_communicator.h>
#include <torch/torch.h>

namespace pd = pipedream;

int main() {
  pd::LayerGraph graph;
  const auto logits = graph.layer("classifier", graph.input("image"), [] { return torch::nn::Linear(4, 2); });
  graph.loss("cross_entropy", {logits, graph.target("label")}, pd::cross_entropy);
  graph.check();
  return graph.layer_names().size() == 2 && !pd::MpiScope::launched() ? 0 : 1;
}
