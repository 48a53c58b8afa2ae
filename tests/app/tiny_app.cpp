#include "tiny_app.h"

#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "app/launch.h"
#include "pipedream/error.h"

namespace pipedream::testing {
namespace {

constexpr int kFaultAtFetch = 20;  // long after the first microbatch

bool fault(const std::string& kind) {
  const char* wanted = std::getenv("TINY_FAULT");
  return wanted != nullptr && wanted == kind + "@" + std::to_string(detail::launcher_rank());
}

class FaultyDataset : public TensorDataset {
 public:
  using TensorDataset::TensorDataset;
  torch::Tensor fetch(const std::string& name, const std::vector<std::int64_t>& rows) const override {
    const bool now = ++fetches_ == kFaultAtFetch;
    if (now && fault("throw")) throw std::runtime_error("the disk is on fire");
    if (now && fault("stop")) std::raise(SIGTERM);
    return TensorDataset::fetch(name, rows);
  }

 private:
  mutable std::atomic<int> fetches_{0};
};

template <class Kind>
std::shared_ptr<const Dataset> make_data(std::int64_t rows) {
  const auto x = torch::sin(torch::arange(rows * 4, torch::kFloat32)).view({rows, 4});
  return std::make_shared<Kind>(
      std::map<std::string, torch::Tensor>{{"x", x}, {"label", (x.sum(1) > 0).to(torch::kInt64)}});
}

std::shared_ptr<const Dataset> train_data() {
  if (fault("config")) throw ConfigError("there is no data here");
  return make_data<FaultyDataset>(kTinyTrainRows);
}

LayerGraph graph(const std::string& prefix) {
  LayerGraph graph;
  const Value out = Chain(graph, graph.input("x"))
                        .layer(prefix + "1", [] { return torch::nn::Linear(4, 8); })
                        .layer("relu", torch::relu)
                        .layer(prefix + "2", [] { return torch::nn::Linear(8, 2); })
                        .value();
  const Value label = graph.target("label");
  graph.loss("loss", {out, label}, cross_entropy);
  graph.metric("accuracy", {out, label}, accuracy);
  return graph;
}

Application make_app(const std::string& prefix) {
  return {.name = "tiny",
          .graph = [prefix] { return graph(prefix); },
          .train = train_data,
          .test = [] { return make_data<TensorDataset>(kTinyTestRows); },
          .optimizer = sgd({.learning_rate = 0.1, .momentum = 0.5}),
          .microbatch_size = 4,
          .epochs = 2};
}

}  // namespace

Application tiny_app() { return make_app("linear"); }
Application other_app() { return make_app("layer"); }

}  // namespace pipedream::testing
