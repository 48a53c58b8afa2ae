#include "digits_network.h"

#include <pipedream/pipedream.h>
#include <torch/torch.h>

namespace pd = pipedream;
namespace nn = torch::nn;

namespace {

nn::Conv2d convolution(int in, int out) { return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1)); }
torch::Tensor halve(const torch::Tensor& x) { return torch::max_pool2d(x, 2); }
torch::Tensor flatten(const torch::Tensor& x) { return x.flatten(1); }

}  // namespace

pd::LayerGraph digits() {
  pd::LayerGraph graph;
  const pd::Value logits = pd::Chain(graph, graph.input("image"))
                               .layer("conv1", [] { return convolution(1, 16); })
                               .layer("norm1", [] { return nn::BatchNorm2d(16); })
                               .layer("relu1", torch::relu)
                               .layer("conv2", [] { return convolution(16, 32); })
                               .layer("norm2", [] { return nn::BatchNorm2d(32); })
                               .layer("relu2", torch::relu)
                               .layer("pool2", halve)
                               .layer("conv3", [] { return convolution(32, 64); })
                               .layer("norm3", [] { return nn::BatchNorm2d(64); })
                               .layer("relu3", torch::relu)
                               .layer("pool3", halve)
                               .layer("flatten", flatten)
                               .layer("dropout", [] { return nn::Dropout(0.5); })
                               .layer("hidden", [] { return nn::Linear(256, 64); })
                               .layer("relu4", torch::relu)
                               .layer("classifier", [] { return nn::Linear(64, 10); })
                               .value();
  const pd::Value label = graph.target("label");
  graph.loss("cross_entropy", {logits, label}, pd::cross_entropy);
  graph.metric("accuracy", {logits, label}, pd::accuracy);
  return graph;
}
