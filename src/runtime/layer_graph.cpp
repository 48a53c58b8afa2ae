#include "pipedream/layer_graph.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <set>

#include "pipedream/error.h"
#include "runtime/layer_order.h"

namespace pipedream {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void demand_name(const std::string& name, const char* kind) {
  if (name.empty()) throw ConfigError(fmt::format("a {} without a name", kind));
}

[[noreturn]] void refuse_duplicate(const std::string& name, const char* kind, const char* earlier) {
  throw ConfigError(fmt::format("{} '{}': the graph already has a {} of that name", kind, name, earlier));
}

// Length before bytes, so that no two lists of names look the same.
void append(std::string& bytes, const std::vector<std::string>& names) {
  bytes += fmt::format("{}[", names.size());
  for (const std::string& name : names) bytes += fmt::format("{}:{}", name.size(), name);
}

void check_known(const std::string& user, const std::vector<std::string>& inputs,
                 const std::map<std::string, std::string>& producers, const LayerGraph& graph) {
  for (const std::string& tensor : inputs) {
    if (producers.count(tensor) == 0 && !graph.is_data(tensor)) {
      throw ConfigError(
          fmt::format("{} uses the tensor '{}', which is neither data nor the output of a layer", user, tensor));
    }
  }
}

// "a" with a parameter "b.c" and "a.b" with a parameter "c" would be the same entry of a weights file.
void check_prefixes(const std::vector<Layer>& layers) {
  std::set<std::string> names;
  for (const Layer& layer : layers) names.insert(layer.name);
  for (const Layer& layer : layers) {
    for (auto dot = layer.name.find('.'); dot != std::string::npos; dot = layer.name.find('.', dot + 1)) {
      const std::string prefix = layer.name.substr(0, dot);
      if (names.count(prefix) != 0) {
        throw ConfigError(
            fmt::format("layers '{}' and '{}': the names of their parameters could be the same", prefix, layer.name));
      }
    }
  }
}

}  // namespace

Value LayerGraph::input(const std::string& name) {
  demand_free(name, "input");
  inputs_.push_back(name);
  return name;
}

Value LayerGraph::target(const std::string& name) {
  demand_free(name, "target");
  targets_.push_back(name);
  return name;
}

void LayerGraph::demand_free(const std::string& name, const char* kind) const {
  demand_name(name, kind);
  if (contains(inputs_, name)) refuse_duplicate(name, kind, "input");
  if (contains(targets_, name)) refuse_duplicate(name, kind, "target");
  for (const Layer& layer : layers_) {
    if (layer.name == name) refuse_duplicate(name, kind, "layer");
    if (contains(layer.outputs, name)) refuse_duplicate(name, kind, "tensor");
  }
  for (const WeightedLayer& loss : loss_) {
    if (loss.name == name) refuse_duplicate(name, kind, "loss");
  }
  for (const WeightedLayer& metric : metrics_) {
    if (metric.name == name) refuse_duplicate(name, kind, "metric");
  }
}

std::vector<Value> LayerGraph::add(const std::string& name, const Inputs& inputs, std::vector<std::string> outputs,
                                   std::function<LayerInstance()> make) {
  demand_free(name, "layer");
  if (inputs.names.empty()) throw ConfigError(fmt::format("layer '{}' has no inputs", name));
  if (outputs.empty()) throw ConfigError(fmt::format("layer '{}' has no outputs", name));
  std::vector<Value> values;
  for (const std::string& output : outputs) {
    if (output != name) demand_free(output, "tensor");
    if (std::count(outputs.begin(), outputs.end(), output) > 1) {
      throw ConfigError(fmt::format("layer '{}' has two outputs '{}'", name, output));
    }
    values.emplace_back(output);
  }
  layers_.push_back({name, inputs.names, std::move(outputs), std::move(make)});
  return values;
}

void LayerGraph::set_loss(const std::string& name, const Inputs& inputs, WeightedFunction function) {
  demand_free(name, "loss");
  if (!loss_.empty()) {
    throw ConfigError(fmt::format("loss '{}': the graph already has the loss '{}'; add them in one function", name,
                                  loss_.front().name));
  }
  if (inputs.names.empty()) throw ConfigError(fmt::format("loss '{}' has no inputs", name));
  loss_.push_back({name, inputs.names, std::move(function)});
}

void LayerGraph::add_metric(const std::string& name, const Inputs& inputs, WeightedFunction function) {
  demand_free(name, "metric");
  if (inputs.names.empty()) throw ConfigError(fmt::format("metric '{}' has no inputs", name));
  metrics_.push_back({name, inputs.names, std::move(function)});
}

void LayerGraph::check() const {
  const auto producers = detail::producers_of(layers_);
  const WeightedLayer& loss = loss_layer();
  std::set<std::string> used(loss.inputs.begin(), loss.inputs.end());
  check_known(fmt::format("loss '{}'", loss.name), loss.inputs, producers, *this);
  for (const Layer& layer : layers_) {
    check_known(fmt::format("layer '{}'", layer.name), layer.inputs, producers, *this);
    for (const std::string& tensor : layer.inputs) {
      if (contains(targets_, tensor)) {
        throw ConfigError(fmt::format("layer '{}' uses the target '{}'; declare it with input()", layer.name, tensor));
      }
    }
    used.insert(layer.inputs.begin(), layer.inputs.end());
  }
  check_metrics(used);
  check_prefixes(layers_);
  detail::in_graph_order(layers_);  // throws on a cycle
  for (const auto& [tensor, producer] : producers) {
    if (used.count(tensor) == 0) {
      throw ConfigError(
          fmt::format("output '{}' of layer '{}' is used by no layer and not by the loss", tensor, producer));
    }
  }
}

void LayerGraph::check_metrics(std::set<std::string> used) const {
  for (const WeightedLayer& metric : metrics_) {
    for (const std::string& tensor : metric.inputs) {
      if (is_data(tensor)) {
        used.insert(tensor);
      } else if (!contains(loss_layer().inputs, tensor)) {
        throw ConfigError(
            fmt::format("metric '{}' uses the tensor '{}', which is neither data nor an input of the loss '{}'",
                        metric.name, tensor, loss_layer().name));
      }
    }
  }
  for (const auto* names : {&inputs_, &targets_}) {
    for (const std::string& name : *names) {
      if (used.count(name) == 0) {
        throw ConfigError(fmt::format("{} '{}' is not used", names == &inputs_ ? "input" : "target", name));
      }
    }
  }
}

std::vector<Layer> LayerGraph::layers() const { return detail::in_graph_order(layers_); }

const WeightedLayer& LayerGraph::loss_layer() const {
  if (loss_.empty()) throw ConfigError("the graph has no loss");
  return loss_.front();
}

bool LayerGraph::is_data(std::string_view tensor) const {
  return contains(inputs_, tensor) || contains(targets_, tensor);
}

std::vector<std::string> LayerGraph::layer_names() const {
  std::vector<std::string> names;
  for (const Layer& layer : layers()) names.push_back(layer.name);
  names.push_back(loss_layer().name);
  return names;
}

std::vector<LayerEdges> LayerGraph::layer_edges() const {
  const auto producers = detail::producers_of(layers_);
  std::vector<LayerEdges> edges;
  const auto add_edges = [&](const std::string& name, const std::vector<std::string>& inputs) {
    LayerEdges edge{name, {}};
    for (const std::string& tensor : inputs) {
      const auto found = producers.find(tensor);
      if (found != producers.end() && !contains(edge.producers, found->second)) edge.producers.push_back(found->second);
    }
    edges.push_back(std::move(edge));
  };
  for (const Layer& layer : layers()) add_edges(layer.name, layer.inputs);
  add_edges(loss_layer().name, loss_layer().inputs);
  return edges;
}

std::string LayerGraph::hash() const {
  std::string bytes;
  for (const Layer& layer : layers()) {
    append(bytes, {layer.name});
    append(bytes, layer.inputs);
    append(bytes, layer.outputs);
  }
  append(bytes, {loss_layer().name});
  append(bytes, loss_layer().inputs);
  return fmt::format("{:016x}", XXH64(bytes.data(), bytes.size(), 0));
}

}  // namespace pipedream
