#include "runtime/layer_order.h"

#include <fmt/format.h>

#include <cstddef>
#include <functional>
#include <queue>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

using Indices = std::vector<std::size_t>;

// For each layer the layers that make its inputs, once per use.
std::vector<Indices> producer_indices(const std::vector<Layer>& layers) {
  std::map<std::string, std::size_t> made_by;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const std::string& output : layers[i].outputs) made_by[output] = i;
  }
  std::vector<Indices> producers(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const std::string& input : layers[i].inputs) {
      const auto found = made_by.find(input);
      if (found != made_by.end()) producers[i].push_back(found->second);
    }
  }
  return producers;
}

// Every layer without a place has a producer without one, so a walk from producer to producer meets itself.
[[noreturn]] void refuse_cycle(const std::vector<Layer>& layers, const std::vector<Indices>& producers,
                               const std::vector<std::size_t>& missing) {
  std::size_t at = 0;
  while (missing[at] == 0) ++at;
  std::vector<std::size_t> step(layers.size(), 0);
  Indices walk;
  while (step[at] == 0) {
    walk.push_back(at);
    step[at] = walk.size();
    for (const std::size_t producer : producers[at]) {
      if (missing[producer] != 0) {
        at = producer;
        break;
      }
    }
  }
  std::string text = fmt::format("'{}'", layers[at].name);
  for (std::size_t i = step[at] - 1; i < walk.size(); ++i) {
    const std::size_t next = i + 1 < walk.size() ? walk[i + 1] : at;
    text += fmt::format(" uses '{}'", layers[next].name);
  }
  throw ConfigError("the layers form a cycle: " + text);
}

}  // namespace

std::map<std::string, std::string> producers_of(const std::vector<Layer>& layers) {
  std::map<std::string, std::string> producers;
  for (const Layer& layer : layers) {
    for (const std::string& output : layer.outputs) producers[output] = layer.name;
  }
  return producers;
}

std::vector<Layer> in_graph_order(const std::vector<Layer>& layers) {
  const std::vector<Indices> producers = producer_indices(layers);
  std::vector<Indices> consumers(layers.size());
  std::vector<std::size_t> missing(layers.size());
  std::priority_queue<std::size_t, Indices, std::greater<>> ready;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    missing[i] = producers[i].size();
    for (const std::size_t producer : producers[i]) consumers[producer].push_back(i);
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<Layer> order;
  while (!ready.empty()) {
    const std::size_t layer = ready.top();
    ready.pop();
    order.push_back(layers[layer]);
    for (const std::size_t consumer : consumers[layer]) {
      if (--missing[consumer] == 0) ready.push(consumer);
    }
  }
  if (order.size() < layers.size()) refuse_cycle(layers, producers, missing);
  return order;
}

}  // namespace pipedream::detail
