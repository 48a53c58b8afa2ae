// The oracle against a plain training loop: one worker, the whole model in one autograd graph and torch::optim.
#include "verify/replay.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <map>

#include "runtime/layer_build.h"
#include "runtime/random.h"
#include "support/compare.h"
#include "support/models.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

// An identity with one output a use, whose gradients are added first use first.
struct Fork : torch::autograd::Function<Fork> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext*, const torch::Tensor& x,
                                                std::int64_t uses) {
    torch::autograd::variable_list outputs;
    for (std::int64_t u = 0; u < uses; ++u) outputs.push_back(x.clone());
    return outputs;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list& gradients) {
    torch::Tensor sum = gradients.front();
    for (std::size_t u = 1; u < gradients.size(); ++u) sum = sum + gradients[u];
    return {sum, torch::Tensor()};
  }
};

struct PlainModel {
  explicit PlainModel(const LayerGraph& g, std::uint64_t run_seed) : graph(g), seed(run_seed), layers(g.layers()) {
    for (const Layer& layer : layers) {
      built.push_back(build_layer(layer, seed, test_device()));
      for (const std::string& input : layer.inputs) ++uses[input];
      for (const auto& [name, parameter] : named_parameters(layer.name, built.back())) weights[name] = parameter;
      for (const auto& [name, parameter] : named_parameters(layer.name, built.back())) parameters.push_back(parameter);
      for (const auto& [name, buffer] : named_buffers(layer.name, built.back())) weights[name] = buffer;
    }
    for (const std::string& input : graph.loss_layer().inputs) ++uses[input];
  }

  WeightedMean loss(std::map<std::string, torch::Tensor> data, std::int64_t microbatch) {
    std::map<std::string, std::vector<torch::Tensor>> left;
    const auto take = [&](const std::vector<std::string>& names) {
      Tensors taken;
      for (const std::string& name : names) {
        if (graph.is_data(name)) {
          taken.push_back(data.at(name));
        } else {
          taken.push_back(left.at(name).front());
          left.at(name).erase(left.at(name).begin());
        }
      }
      return taken;
    };
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const GeneratorScope scope(forward_seed(seed, layers[i].name, microbatch), test_device());
      const Tensors outputs = built[i].forward(take(layers[i].inputs));
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        const std::string& name = layers[i].outputs[o];
        const bool forked = uses[name] > 1 && outputs[o].requires_grad();
        left[name] =
            forked ? Fork::apply(outputs[o], uses[name]) : Tensors(static_cast<std::size_t>(uses[name]), outputs[o]);
      }
    }
    return graph.loss_layer().function(take(graph.loss_layer().inputs));
  }

  LayerGraph graph;
  std::uint64_t seed;
  std::vector<Layer> layers;
  std::vector<LayerInstance> built;
  std::map<std::string, std::int64_t> uses;
  NamedTensors weights;
  Tensors parameters;
};

struct PlainRun {
  std::vector<float> losses;
  NamedTensors weights;
};

PlainRun train_plainly(const TestModel& model, torch::optim::Optimizer& optimizer, PlainModel& plain,
                       std::int64_t microbatches, std::int64_t accumulate) {
  constexpr std::int64_t kRows = 4;
  PlainRun run;
  double total_weight = 0;
  for (std::int64_t k = 0; k < microbatches; ++k) {
    std::map<std::string, torch::Tensor> data;
    for (const std::string& name : model.data->names()) {
      data[name] = model.data->fetch(name, {k * kRows, k * kRows + 1, k * kRows + 2, k * kRows + 3}).to(test_device());
    }
    const WeightedMean loss = plain.loss(data, k);
    run.losses.push_back(loss.mean.item<float>());
    // The rule of accumulation: weights in microbatches' sizes, whose product and quotient round where tokens are
    // counted. Not backward(): it lays gradients out anew in .grad, which changes how later sums round.
    const double weight = loss.weight / kRows;
    total_weight += weight;
    const Tensors gradients = torch::autograd::grad({loss.mean}, plain.parameters);
    for (std::size_t p = 0; p < gradients.size(); ++p) {
      const torch::Tensor addend = weight == 1 ? gradients[p] : gradients[p] * weight;
      torch::Tensor& sum = plain.parameters[p].mutable_grad();
      sum = sum.defined() ? sum + addend : addend;
    }
    if ((k + 1) % accumulate != 0) continue;
    for (torch::Tensor& parameter : plain.parameters) {
      if (total_weight != 1) parameter.mutable_grad().div_(total_weight);
    }
    total_weight = 0;
    optimizer.step();
    for (torch::Tensor& parameter : plain.parameters) parameter.mutable_grad().reset();
  }
  run.weights = plain.weights;
  return run;
}

std::vector<TestModel> all_models(std::int64_t rows) {
  std::vector<TestModel> models = model_families(rows);
  for (std::uint64_t seed = 0; seed < 12; ++seed) models.push_back(random_model(seed, rows));
  return models;
}

}  // namespace

TEST_CASE("one worker's replay is a plain training loop") {
  constexpr std::int64_t kMicrobatches = 6;
  for (const TestModel& model : all_models(4 * kMicrobatches)) {
    model.graph.check();
    for (const std::int64_t accumulate : {1, 3}) {
      INFO(model.name << ", " << accumulate << " microbatches an update");
      PlainModel plain(model.graph, 7);
      torch::optim::SGD optimizer(plain.parameters,
                                  torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(true).weight_decay(0.01));
      const PlainRun expected = train_plainly(model, optimizer, plain, kMicrobatches, accumulate);

      Plan plan = single_stage_plan(model.graph.layer_names(), 1,
                                    accumulate == 1 ? Algorithm::model_parallel : Algorithm::data_parallel);
      plan.microbatches_per_update = accumulate == 1 ? 0 : accumulate;
      const OptimizerSpec spec = sgd({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01});
      Replay replay(model.graph, plan, {.optimizer = spec, .seed = 7, .microbatch_size = 4, .shuffle = false});
      replay.train(*model.data, kMicrobatches);
      CHECK(difference(replay.losses(), expected.losses) == "");
      CHECK(difference(replay.weights(), expected.weights) == "");
      CHECK(replay.losses().front() != replay.losses().back());
    }
  }
}

TEST_CASE("the replay steps Adam and AdamW as torch::optim does") {
  const TestModel model = skip_model(24);
  for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::adamw}) {
    PlainModel plain(model.graph, 3);
    std::unique_ptr<torch::optim::Optimizer> optimizer;
    if (kind == OptimizerKind::adam) {
      optimizer = std::make_unique<torch::optim::Adam>(plain.parameters, torch::optim::AdamOptions(0.01));
    } else {
      optimizer =
          std::make_unique<torch::optim::AdamW>(plain.parameters, torch::optim::AdamWOptions(0.01).weight_decay(0.1));
    }
    const PlainRun expected = train_plainly(model, *optimizer, plain, 6, 1);
    const OptimizerSpec spec = kind == OptimizerKind::adam ? adam({.learning_rate = 0.01})
                                                           : adamw({.learning_rate = 0.01, .weight_decay = 0.1});
    Replay replay(model.graph, single_stage_plan(model.graph.layer_names(), 1, Algorithm::model_parallel),
                  {.optimizer = spec, .seed = 3, .microbatch_size = 4, .shuffle = false});
    replay.train(*model.data, 6);
    CHECK(difference(replay.losses(), expected.losses) == "");
    CHECK(difference(replay.weights(), expected.weights) == "");
  }
}
