// random_model and the plans that tests cut.
#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/rnn.h>
#include <torch/types.h>

#include <functional>
#include <random>

#include "models.h"

namespace pipedream::testing {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

// Adds blocks to a graph; every intermediate value is a matrix [rows, width].
class ModelDrawer {
 public:
  explicit ModelDrawer(std::uint64_t seed) : engine_(seed) {}

  std::int64_t draw(std::int64_t bound) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(bound));
  }
  std::string name(const std::string& kind) { return kind + std::to_string(++layers_); }

  LayerGraph graph;
  std::map<std::string, Tensor> data;

  // Whatever the model eats, as a matrix.
  Value start(std::int64_t rows) {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(engine_());
    width_ = 4 + draw(5);
    switch (draw(4)) {
      case 0: {
        data["tokens"] = torch::randint(0, 9, {rows, 4}, generator, torch::kInt64);
        const Value embedded = graph.layer(name("embed"), graph.input("tokens"), [] { return nn::Embedding(9, 5); });
        return recurrent(embedded, 5);
      }
      case 1: {
        data["image"] = torch::randn({rows, 2, 5, 4}, generator);
        return convolutional(graph.input("image"));
      }
      default:
        data["x"] = torch::randn({rows, 6}, generator);
        return graph.layer(name("fc"), graph.input("x"), [w = width_] { return nn::Linear(6, w); });
    }
  }

  Value block(const Value& h) {
    switch (draw(8)) {
      case 0:
        return graph.layer(name("norm"), dense(h), [w = width_] { return nn::LayerNorm(nn::LayerNormOptions({w})); });
      case 1:
        return graph.layer(name("drop"), dense(h), [] { return nn::Dropout(0.3); });
      case 2:
        return graph.layer(name("relu"), dense(h), [](Tensor t) { return t.relu_(); });
      case 3:
        return graph.layer(name("bnorm"), dense(h), [w = width_] { return nn::BatchNorm1d(w); });
      case 4:
        return graph.layer(name("residual"), {dense(graph_tanh(h)), h},
                           [](const Tensor& a, const Tensor& b) { return a + b; });
      case 5:
        return three_ways(h);
      case 6:
        return sorted(h);
      default:
        return dense(h);
    }
  }

  // Uses `early` again, however many layers lie between.
  Value skip(const Value& h, const Value& early) {
    return graph.layer(name("skip"), {h, early}, [](const Tensor& a, const Tensor& b) { return a - 0.5 * b; });
  }

  void finish(const Value& h, std::int64_t rows) {
    data["label"] = torch::randint(0, 3, {rows}, at::make_generator<at::CPUGeneratorImpl>(engine_()), torch::kInt64);
    const Value logits = graph.layer("head", h, [w = width_] { return nn::Linear(w, 3); });
    graph.loss("loss", {logits, graph.target("label")}, cross_entropy);
  }

 private:
  Value dense(const Value& h) {
    return graph.layer(name("fc"), h, [w = width_] { return nn::Linear(w, w); });
  }
  Value graph_tanh(const Value& h) {
    return graph.layer(name("tanh"), h, [](const Tensor& t) { return t.tanh(); });
  }
  Value recurrent(const Value& h, std::int64_t from) {
    const auto call = [](nn::LSTM& lstm, const Tensor& t) { return std::get<0>(lstm->forward(t)); };
    const Value out = graph.layer(
        name("lstm"), h, [from, w = width_] { return nn::LSTM(nn::LSTMOptions(from, w).batch_first(true)); }, call);
    return graph.layer(name("last"), out, [](const Tensor& t) { return t.select(1, 3); });
  }
  Value convolutional(const Value& image) {
    const bool channels_last = draw(2) == 0;
    Value h = graph.layer(name("conv"), image, [] { return nn::Conv2d(nn::Conv2dOptions(2, 3, 3).padding(1)); });
    h = graph.layer(name("format"), h, [=](const Tensor& t) {
      return channels_last ? t.contiguous(torch::MemoryFormat::ChannelsLast) : t.transpose(2, 3);
    });
    h = graph.layer(name("bnorm"), h, [] { return nn::BatchNorm2d(3); });
    h = graph.layer(name("conv"), h, [w = width_] { return nn::Conv2d(nn::Conv2dOptions(3, w, 2)); });
    return graph.layer(name("pool"), h, [](const Tensor& t) { return t.mean(std::vector<std::int64_t>{2, 3}); });
  }
  Value three_ways(const Value& h) {
    const Value a = graph_tanh(h);
    const Value b = dense(h);
    return graph.layer(name("merge"), {a, h, b},
                       [](const Tensor& p, const Tensor& q, const Tensor& r) { return p * q + r; });
  }
  Value sorted(const Value& h) {
    const std::string own = name("sort");
    const auto out = graph.layer_with_outputs(own, h, {own + "_values", own + "_order"}, [](const Tensor& t) {
      auto [values, order] = t.sort(1);
      return std::tuple<Tensor, Tensor>{values, order};
    });
    const Value other = dense(out[0]);
    return graph.layer(name("gather"), {other, out[1]},
                       [](const Tensor& t, const Tensor& order) { return t.gather(1, order); });
  }

  std::mt19937_64 engine_;
  std::int64_t width_ = 4;
  int layers_ = 0;
};

}  // namespace

TestModel random_model(std::uint64_t seed, std::int64_t rows) {
  ModelDrawer drawer(seed);
  Value h = drawer.start(rows);
  const Value early = h;
  const std::int64_t blocks = 2 + drawer.draw(4);
  for (std::int64_t b = 0; b < blocks; ++b) h = drawer.block(h);
  if (drawer.draw(2) == 0) h = drawer.skip(h, early);
  drawer.finish(h, rows);
  return {"random " + std::to_string(seed), drawer.graph, std::make_shared<TensorDataset>(drawer.data)};
}

Plan cut_plan(const LayerGraph& graph, Algorithm algorithm, const std::vector<std::size_t>& cuts,
              const std::vector<int>& replicas) {
  const std::vector<std::string> names = graph.layer_names();
  const std::vector<int> warmup = default_warmup(replicas);
  Plan plan;
  plan.algorithm = algorithm;
  int worker = 0;
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    StagePlan& stage = plan.stages.emplace_back();
    const std::size_t first = s == 0 ? 0 : cuts.at(s - 1);
    const std::size_t end = s < cuts.size() ? cuts[s] : names.size();
    stage.layers.assign(names.begin() + static_cast<std::ptrdiff_t>(first),
                        names.begin() + static_cast<std::ptrdiff_t>(end));
    for (int q = 0; q < replicas[s]; ++q) stage.workers.push_back(worker++);
    stage.warmup = traits_of(algorithm).has_warmup ? warmup[s] : 0;
  }
  return plan;
}

Plan even_plan(const LayerGraph& graph, Algorithm algorithm, const std::vector<int>& replicas) {
  const std::size_t layers = graph.layer_names().size();
  std::vector<std::size_t> cuts;
  for (std::size_t s = 1; s < replicas.size(); ++s) cuts.push_back(layers * s / replicas.size());
  return cut_plan(graph, algorithm, cuts, replicas);
}

Plan interleaved_plan(const LayerGraph& graph, int workers, int stages_per_worker, std::int64_t per_update) {
  Plan plan = even_plan(graph, Algorithm::interleaved_1f1b,
                        std::vector<int>(static_cast<std::size_t>(workers * stages_per_worker), 1));
  for (std::size_t s = 0; s < plan.stages.size(); ++s) plan.stages[s].workers = {static_cast<int>(s) % workers};
  plan.microbatches_per_update = per_update;
  return plan;
}

std::vector<std::vector<std::size_t>> all_cuts(std::size_t layers, int count) {
  std::vector<std::vector<std::size_t>> found;
  std::vector<std::size_t> chosen;
  const std::function<void(std::size_t)> choose = [&](std::size_t first) {
    if (static_cast<int>(chosen.size()) == count) {
      found.push_back(chosen);
      return;
    }
    for (std::size_t cut = first; cut < layers; ++cut) {
      chosen.push_back(cut);
      choose(cut + 1);
      chosen.pop_back();
    }
  };
  choose(1);
  return found;
}

}  // namespace pipedream::testing
