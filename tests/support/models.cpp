#include "models.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/functional/pooling.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/rnn.h>
#include <torch/types.h>

#include <tuple>

namespace pipedream::testing {

namespace nn = torch::nn;
using torch::Tensor;

namespace {

torch::Generator data_generator(std::uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

Tensor gaussian(std::vector<std::int64_t> shape, std::uint64_t seed) {
  return torch::randn(shape, data_generator(seed), torch::kFloat32);
}

Tensor classes(std::int64_t count, std::vector<std::int64_t> shape, std::uint64_t seed) {
  return torch::randint(0, count, shape, data_generator(seed), torch::kInt64);
}

std::shared_ptr<TensorDataset> data_of(std::map<std::string, Tensor> tensors) {
  return std::make_shared<TensorDataset>(std::move(tensors));
}

auto linear(std::int64_t from, std::int64_t to) {
  return [=] { return nn::Linear(from, to); };
}
auto layer_norm(std::int64_t width) {
  return [=] { return nn::LayerNorm(nn::LayerNormOptions({width})); };
}
auto dropout(double share) {
  return [=] { return nn::Dropout(share); };
}
auto convolution(std::int64_t from, std::int64_t to) {
  return [=] { return nn::Conv2d(nn::Conv2dOptions(from, to, 3).padding(1)); };
}

Tensor relu_in_place(Tensor x) { return x.relu_(); }
Tensor add(const Tensor& a, const Tensor& b) { return a + b; }

}  // namespace

TestModel skip_model(std::int64_t rows) {
  LayerGraph g;
  const Value x = g.input("x");
  const Value late = g.input("late");
  const Value first = g.layer("fc1", x, linear(6, 9));
  Value h = g.layer("relu1", first, relu_in_place);
  h = g.layer("norm1", h, layer_norm(9));
  const Value early = h;
  h = g.layer("fc2", h, linear(9, 9));
  h = g.layer("drop2", h, dropout(0.3));
  h = g.layer("residual2", {h, early}, add);
  h = g.layer("fc3", h, linear(9, 9));
  h = g.layer("tanh3", h, [](const Tensor& t) { return t.tanh(); });
  h = g.layer("late_join", {h, late}, [](const Tensor& a, const Tensor& b) { return torch::cat({a, b}, 1); });
  h = g.layer("fc4", h, linear(12, 9));
  h = g.layer("long_skip", {h, early}, add);
  h = g.layer("head", h, linear(9, 4));
  const Value label = g.target("label");
  g.loss("loss", {h, label}, cross_entropy);
  g.metric("accuracy", {h, label}, accuracy);
  return {
      "skip", g,
      data_of({{"x", gaussian({rows, 6}, 11)}, {"late", gaussian({rows, 3}, 12)}, {"label", classes(4, {rows}, 13)}})};
}

TestModel conv_model(std::int64_t rows) {
  LayerGraph g;
  Value h = g.layer("conv1", g.input("image"), convolution(1, 4));
  h = g.layer("channels_last", h, [](const Tensor& t) { return t.contiguous(torch::MemoryFormat::ChannelsLast); });
  h = g.layer("norm1", h, [] { return nn::BatchNorm2d(4); });
  h = g.layer("relu1", h, relu_in_place);
  h = g.layer("conv2", h, convolution(4, 6));
  h = g.layer("norm2", h, [] { return nn::BatchNorm2d(6); });
  h = g.layer("pool2", h, [](const Tensor& t) { return torch::max_pool2d(t, 2); });
  h = g.layer("drop2", h, dropout(0.25));
  h = g.layer("sum", h, [](const Tensor& t) { return t.sum({2, 3}); });
  h = g.layer("fc", h, linear(6, 3));
  const Value label = g.target("label");
  g.loss("loss", {h, label}, cross_entropy);
  g.metric("accuracy", {h, label}, accuracy);
  return {"conv", g, data_of({{"image", gaussian({rows, 1, 6, 6}, 21)}, {"label", classes(3, {rows}, 22)}})};
}

TestModel lstm_model(std::int64_t rows) {
  LayerGraph g;
  Value h = g.layer("embed", g.input("tokens"), [] { return nn::Embedding(11, 6); });
  h = g.layer("drop", h, dropout(0.2));
  h = g.layer(
      "lstm1", h, [] { return nn::LSTM(nn::LSTMOptions(6, 7).batch_first(true)); },
      [](nn::LSTM& lstm, const Tensor& t) { return std::get<0>(lstm->forward(t)); });
  h = g.layer("transpose", h, [](const Tensor& t) { return t.transpose(0, 1); });
  h = g.layer("norm", h, layer_norm(7));
  h = g.layer(
      "lstm2", h, [] { return nn::LSTM(nn::LSTMOptions(7, 5)); },
      [](nn::LSTM& lstm, const Tensor& t) { return std::get<0>(lstm->forward(t)); });
  h = g.layer("permute", h, [](const Tensor& t) { return t.permute({1, 2, 0}); });
  h = g.layer("conv", h, [] { return nn::Conv1d(nn::Conv1dOptions(5, 11, 1)); });
  g.loss("loss", {h, g.target("next")}, cross_entropy);
  return {"lstm", g, data_of({{"tokens", classes(11, {rows, 5}, 31)}, {"next", classes(11, {rows, 5}, 32)}})};
}

TestModel branch_model(std::int64_t rows) {
  LayerGraph g;
  const Value x = g.input("x");
  const Value trunk = g.layer("trunk", x, linear(5, 8));
  const Value a = g.layer("a", trunk, linear(8, 8));
  const auto sorted = g.layer_with_outputs("sort", trunk, {"values", "order", "tail"}, [](const Tensor& t) {
    auto [values, order] = t.sort(1);
    return std::tuple<Tensor, Tensor, Tensor>{values, order, values.slice(1, 0, 3)};
  });
  const Value b = g.layer("b", trunk, layer_norm(8));
  Value h = g.layer("gather", {a, sorted[1]}, [](const Tensor& t, const Tensor& order) { return t.gather(1, order); });
  h = g.layer("merge", {h, sorted[0], b}, [](const Tensor& p, const Tensor& q, const Tensor& r) { return p * q + r; });
  h = g.layer("fc", h, linear(8, 8));
  h = g.layer("rejoin", {h, trunk}, add);
  h = g.layer("join_tail", {h, sorted[2]}, [](const Tensor& p, const Tensor& q) { return torch::cat({p, q}, 1); });
  h = g.layer("head", h, linear(11, 2));
  g.loss("loss", {h, g.target("y")}, mean_squared_error);
  return {"branch", g, data_of({{"x", gaussian({rows, 5}, 41)}, {"y", gaussian({rows, 2}, 42)}})};
}

TestModel chain_model(std::int64_t rows) {
  LayerGraph g;
  Chain chain(g, g.input("x"));
  chain.layer("fc1", linear(5, 7));
  for (int i = 2; i <= 6; ++i) {
    chain.layer("norm" + std::to_string(i), layer_norm(7));
    chain.layer("fc" + std::to_string(i), linear(7, 7));
    chain.layer("tanh" + std::to_string(i), [](const Tensor& t) { return t.tanh(); });
  }
  chain.layer("head", linear(7, 2));
  g.loss("loss", {chain.value(), g.target("y")}, mean_squared_error);
  return {"chain", g, data_of({{"x", gaussian({rows, 5}, 51)}, {"y", gaussian({rows, 2}, 52)}})};
}

std::vector<TestModel> model_families(std::int64_t rows) {
  return {skip_model(rows), conv_model(rows), lstm_model(rows), branch_model(rows), chain_model(rows)};
}

}  // namespace pipedream::testing
