// What the user hands over: named layers joined by named tensors.
//
//   LayerGraph g;
//   auto h = g.layer("conv1", g.input("image"), [] { return torch::nn::Conv2d(1, 32, 3); });
//   h = g.layer("relu1", h, torch::relu);
//   auto logits = g.layer("classifier", h, [] { return torch::nn::Linear(512, 10); });
//   g.loss("cross_entropy", {logits, g.target("label")}, cross_entropy);
//
// A layer is a factory, called only by the worker that owns the layer: a callable without arguments that returns a
// module (holder or shared_ptr) whose forward takes the layer's inputs; or a function of tensors without parameters.
// A third argument adapts modules whose forward does not fit: [](auto& lstm, const Tensor& x) { ... }.
// Initialisation is seeded from (run seed, layer name), so it does not depend on the plan.
//
// The graph order is the order of declaration, stably sorted so that producers come first; it fixes every sum over
// consumers. A graph is a value; const use from several threads is safe, factories are called one at a time.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pipedream/detail/layer_call.h"
#include "pipedream/plan.h"

namespace torch::nn {
class SequentialImpl;
}

namespace pipedream {

// A tensor by its name. A layer's single output has the layer's name.
struct Value {
  std::string name;
  Value(std::string n) : name(std::move(n)) {}
  Value(const char* n) : name(n) {}
};

struct Inputs {
  std::vector<std::string> names;
  Inputs(const Value& value) : names{value.name} {}
  Inputs(const char* name) : names{name} {}
  Inputs(std::initializer_list<Value> values) {
    for (const Value& value : values) names.push_back(value.name);
  }
};

// A mean over a microbatch and what it weighs (n_k: samples; tokens for a language model).
struct WeightedMean {
  torch::Tensor mean;  // scalar
  double weight = 1;
};

using WeightedFunction = std::function<WeightedMean(const Tensors&)>;

struct Layer {
  std::string name;
  std::vector<std::string> inputs;  // tensors: data inputs or outputs of layers
  std::vector<std::string> outputs;
  std::function<LayerInstance()> make;
};

// The loss or a metric.
struct WeightedLayer {
  std::string name;
  std::vector<std::string> inputs;
  WeightedFunction function;
};

class LayerGraph {
 public:
  // A tensor of the data set, fetched by each stage that uses it.
  Value input(const std::string& name);
  // The same, for what only loss and metrics use.
  Value target(const std::string& name);

  // A module factory or a function of tensors, with one output named like the layer.
  template <class F>
  Value layer(const std::string& name, const Inputs& inputs, F f) {
    return add(name, inputs, {name}, maker(std::move(f))).front();
  }
  // A module factory and how to call its module: call(module, inputs...).
  template <class Factory, class Call>
  Value layer(const std::string& name, const Inputs& inputs, Factory factory, Call call) {
    return add(name, inputs, {name}, [factory, call]() mutable { return detail::instance_of_module(factory, call); })
        .front();
  }
  // Several outputs, by name.
  template <class F>
  std::vector<Value> layer_with_outputs(const std::string& name, const Inputs& inputs,
                                        const std::vector<std::string>& outputs, F f) {
    return add(name, inputs, outputs, maker(std::move(f)));
  }
  template <class Factory, class Call>
  std::vector<Value> layer_with_outputs(const std::string& name, const Inputs& inputs,
                                        const std::vector<std::string>& outputs, Factory factory, Call call) {
    return add(name, inputs, outputs, [factory, call]() mutable { return detail::instance_of_module(factory, call); });
  }

  // The loss is a layer of the plan too: the last one. Exactly one.
  template <class F>
  void loss(const std::string& name, const Inputs& inputs, F f) {
    set_loss(name, inputs, weighted(std::move(f)));
  }
  // Evaluated beside the loss, without gradient. Takes data and tensors that the loss takes too.
  template <class F>
  void metric(const std::string& name, const Inputs& inputs, F f) {
    add_metric(name, inputs, weighted(std::move(f)));
  }

  // Wraps an existing Sequential: one layer a child, named by its key. Every worker trains a deep copy of the children
  // it owns, made with the values they have when the worker builds them; `modules` itself is only read. Returns the
  // last output. Throws ConfigError where children share parameters.
  Value sequential(const Value& input, const std::shared_ptr<torch::nn::SequentialImpl>& modules);

  // Throws ConfigError that names them: no loss, unknown tensor, cycle, unused output, unused input or target, a target
  // used by a layer, a layer "a" beside a layer "a.b" (their parameters could have one name). What a single call shows
  // throws at once: a name taken (layers, tensors, data, loss and metrics share one set of names), a second loss, a
  // layer without inputs or outputs.
  void check() const;

  // In graph order, without the loss. This and what follows throws on a cycle; check() says more.
  std::vector<Layer> layers() const;
  const WeightedLayer& loss_layer() const;
  const std::vector<WeightedLayer>& metrics() const { return metrics_; }
  const std::vector<std::string>& inputs() const { return inputs_; }
  const std::vector<std::string>& targets() const { return targets_; }
  bool is_data(std::string_view tensor) const;

  // Graph order, the loss last: what a plan names.
  std::vector<std::string> layer_names() const;
  std::vector<LayerEdges> layer_edges() const;
  // 16 hex digits over names and edges in graph order, the loss included (not over code, nor over metrics).
  std::string hash() const;

 private:
  template <class F>
  static std::function<LayerInstance()> maker(F f) {
    if constexpr (std::invocable<F&>) {
      return [f]() mutable { return detail::instance_of_module(f); };
    } else {
      return [f] { return LayerInstance{nullptr, [f](const Tensors& in) mutable { return detail::call(f, in); }}; };
    }
  }
  template <class F>
  static WeightedFunction weighted(F f) {
    return [f](const Tensors& in) mutable {
      if constexpr (std::invocable<F&, const Tensors&>) {
        return f(in);
      } else if constexpr (std::invocable<F&, const torch::Tensor&, const torch::Tensor&>) {
        return f(in.at(0), in.at(1));
      } else if constexpr (std::invocable<F&, const torch::Tensor&>) {
        return f(in.at(0));
      } else {
        return f(in.at(0), in.at(1), in.at(2));
      }
    };
  }

  std::vector<Value> add(const std::string& name, const Inputs& inputs, std::vector<std::string> outputs,
                         std::function<LayerInstance()> make);
  void set_loss(const std::string& name, const Inputs& inputs, WeightedFunction function);
  void add_metric(const std::string& name, const Inputs& inputs, WeightedFunction function);
  void demand_free(const std::string& name, const char* kind) const;
  void check_metrics(std::set<std::string> used) const;

  std::vector<std::string> inputs_;
  std::vector<std::string> targets_;
  std::vector<Layer> layers_;        // in the order of declaration
  std::vector<WeightedLayer> loss_;  // none or one
  std::vector<WeightedLayer> metrics_;
};

// One line a layer: Chain(g, x).layer("fc1", ...).layer("relu1", torch::relu).value().
class Chain {
 public:
  Chain(LayerGraph& graph, Value start) : graph_(&graph), value_(std::move(start)) {}
  template <class... F>
  Chain& layer(const std::string& name, F... f) {
    value_ = graph_->layer(name, value_, std::move(f)...);
    return *this;
  }
  const Value& value() const { return value_; }

 private:
  LayerGraph* graph_;
  Value value_;
};

// For losses and metrics of one's own: a tensor's values on the host. Of a tensor of the data set they are at hand; to
// fetch any other from a device makes the host wait for it, in each microbatch.
torch::Tensor on_host(const torch::Tensor& tensor);

// Mean cross entropy of logits [n, classes] (or [n, classes, ...]) against int64 targets [n, ...], those of -100 left
// out; weight: targets counted.
WeightedMean cross_entropy(const torch::Tensor& logits, const torch::Tensor& target);
// Mean squared error; weight: rows. Throws ConfigError where the shapes differ.
WeightedMean mean_squared_error(const torch::Tensor& output, const torch::Tensor& target);
// Share of the targets, without those of -100, whose logit is the greatest; weight: targets counted.
WeightedMean accuracy(const torch::Tensor& logits, const torch::Tensor& target);

}  // namespace pipedream
