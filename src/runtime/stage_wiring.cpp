#include "runtime/stage_wiring.h"

#include <algorithm>
#include <map>
#include <set>

namespace pipedream::detail {
namespace {

struct Use {
  int stage = 0;
  int step = 0;   // position in graph order, the loss behind all layers
  int input = 0;  // which input of that layer
};

struct GraphTensor {
  std::string name;
  int producer = 0;  // stage
  int step = 0;
  std::vector<Use> uses;  // that a gradient can come back from, in graph order
  std::set<int> stages;   // that use it in any way
};

std::map<std::string, int> stage_by_layer(const Plan& plan) {
  std::map<std::string, int> stages;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    for (const std::string& layer : plan.stages[s].layers) stages[layer] = static_cast<int>(s);
  }
  return stages;
}

// Every tensor that a layer makes, in graph order.
std::vector<GraphTensor> graph_tensors(const LayerGraph& graph, const Plan& plan) {
  const auto stages = stage_by_layer(plan);
  const auto layers = graph.layers();
  std::vector<GraphTensor> tensors;
  std::map<std::string, std::size_t> index;
  const auto use = [&](const std::vector<std::string>& inputs, int stage, int step, bool gradient) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto found = index.find(inputs[i]);
      if (found == index.end()) continue;
      tensors[found->second].stages.insert(stage);
      if (gradient) tensors[found->second].uses.push_back({stage, step, static_cast<int>(i)});
    }
  };
  int step = 0;
  for (const Layer& layer : layers) {
    const int stage = stages.at(layer.name);
    use(layer.inputs, stage, step, true);
    for (const std::string& output : layer.outputs) {
      index[output] = tensors.size();
      tensors.push_back({output, stage, step, {}, {}});
    }
    ++step;
  }
  const int loss_stage = stages.at(graph.loss_layer().name);
  use(graph.loss_layer().inputs, loss_stage, step, true);
  for (const WeightedLayer& metric : graph.metrics()) use(metric.inputs, loss_stage, ++step, false);
  return tensors;
}

// Uses whose gradients arrive summed: one branch of the producer's sum.
std::vector<std::vector<Use>> branches_of(const GraphTensor& tensor) {
  std::vector<std::vector<Use>> branches;
  for (const Use& use : tensor.uses) {
    const bool with_previous = tensor.uses.size() == 2 && !branches.empty() && use.stage != tensor.producer &&
                               branches.back().front().stage == use.stage;
    if (with_previous) {
      branches.back().push_back(use);
    } else {
      branches.push_back({use});
    }
  }
  return branches;
}

class Wirer {
 public:
  Wirer(const LayerGraph& graph, const Plan& plan, int stage)
      : graph_(graph), plan_(plan), tensors_(graph_tensors(graph, plan)) {
    wiring_.stage = stage;
  }

  StageWiring wire() {
    for (const GraphTensor& tensor : tensors_) {
      if (tensor.producer != wiring_.stage && tensor.stages.count(wiring_.stage) > 0) receive(tensor);
    }
    add_layers();
    std::sort(wiring_.incoming.begin(), wiring_.incoming.end(), [](auto& a, auto& b) { return a.from < b.from; });
    std::sort(wiring_.outgoing.begin(), wiring_.outgoing.end(), [](auto& a, auto& b) { return a.to < b.to; });
    return std::move(wiring_);
  }

 private:
  using Key = std::pair<int, int>;  // step, input

  int new_slot() { return wiring_.slots++; }

  void receive(const GraphTensor& tensor) {
    ReceivedTensor received{tensor.name, {}, new_slot()};
    plain_[tensor.name] = received.plain;
    for (const auto& branch : branches_of(tensor)) {
      if (branch.front().stage != wiring_.stage) continue;
      FanOutStep leaf{new_slot(), {}};
      for (const Use& use : branch) leaf.branches.push_back(use_slot_[{use.step, use.input}] = new_slot());
      received.leaves.push_back(std::move(leaf));
    }
    link_with(wiring_.incoming, &IncomingLink::from, tensor.producer).tensors.push_back(std::move(received));
  }

  // Slots for a tensor that this stage makes: its own, one a branch, and what the links need.
  void make(const GraphTensor& tensor, LayerStep& step) {
    const int slot = new_slot();
    step.outputs.push_back(slot);
    plain_[tensor.name] = slot;
    const auto branches = branches_of(tensor);
    FanOutStep fan_out{slot, {}};
    std::map<int, std::vector<int>> gradient_slots;
    for (const int stage : tensor.stages) {
      if (stage != wiring_.stage) gradient_slots[stage];
    }
    for (const auto& branch : branches) {
      const int branch_slot = branches.size() > 1 ? new_slot() : slot;
      fan_out.branches.push_back(branch_slot);
      const Use& use = branch.front();
      if (use.stage == wiring_.stage) {
        use_slot_[{use.step, use.input}] = branch_slot;
      } else {
        gradient_slots[use.stage].push_back(branch_slot);
      }
    }
    if (branches.size() > 1) step.fan_outs.push_back(std::move(fan_out));
    for (auto& [stage, roots] : gradient_slots) {
      link_with(wiring_.outgoing, &OutgoingLink::to, stage).tensors.push_back({tensor.name, slot, std::move(roots)});
    }
  }

  void add_layers() {
    const auto stages = stage_by_layer(plan_);
    const auto layers = graph_.layers();
    int step = 0;
    for (std::size_t i = 0; i < layers.size(); ++i, ++step) {
      if (stages.at(layers[i].name) != wiring_.stage) continue;
      LayerStep layer_step{static_cast<int>(wiring_.layers.size()), inputs_of(layers[i].inputs, step), {}, {}};
      wiring_.layers.push_back(i);
      for (const GraphTensor& tensor : tensors_) {
        if (tensor.step == step) make(tensor, layer_step);
      }
      wiring_.steps.push_back(std::move(layer_step));
    }
    wiring_.has_loss = stages.at(graph_.loss_layer().name) == wiring_.stage;
    if (!wiring_.has_loss) return;
    wiring_.loss.inputs = inputs_of(graph_.loss_layer().inputs, step);
    for (const WeightedLayer& metric : graph_.metrics()) wiring_.metrics.push_back({inputs_of(metric.inputs, ++step)});
  }

  std::vector<int> inputs_of(const std::vector<std::string>& names, int step) {
    std::vector<int> slots;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (graph_.is_data(names[i])) {
        slots.push_back(data_slot(names[i]));
        continue;
      }
      const auto use = use_slot_.find({step, static_cast<int>(i)});
      slots.push_back(use != use_slot_.end() ? use->second : plain_.at(names[i]));
    }
    return slots;
  }

  int data_slot(const std::string& name) {
    for (const DataSlot& data : wiring_.data) {
      if (data.name == name) return data.slot;
    }
    wiring_.data.push_back({name, new_slot()});
    return wiring_.data.back().slot;
  }

  template <class Link>
  static Link& link_with(std::vector<Link>& links, int Link::*end, int stage) {
    for (Link& link : links) {
      if (link.*end == stage) return link;
    }
    links.emplace_back();
    links.back().*end = stage;
    return links.back();
  }

  const LayerGraph& graph_;
  const Plan& plan_;
  std::vector<GraphTensor> tensors_;
  StageWiring wiring_;
  std::map<Key, int> use_slot_;
  std::map<std::string, int> plain_;
};

}  // namespace

int gradient_count(const OutgoingLink& link) {
  std::size_t count = 0;
  for (const SentTensor& tensor : link.tensors) count += tensor.gradient_slots.size();
  return static_cast<int>(count);
}

StageWiring wire_stage(const LayerGraph& graph, const Plan& plan, int stage) {
  return Wirer(graph, plan, stage).wire();
}

std::vector<StageLink> links_of(const LayerGraph& graph, const Plan& plan) {
  std::map<std::pair<int, int>, bool> by_ends;
  for (const GraphTensor& tensor : graph_tensors(graph, plan)) {
    for (const int stage : tensor.stages) {
      if (stage == tensor.producer) continue;
      const bool gradient =
          std::any_of(tensor.uses.begin(), tensor.uses.end(), [&](const Use& use) { return use.stage == stage; });
      auto& back = by_ends[{tensor.producer, stage}];
      back = back || gradient;
    }
  }
  std::vector<StageLink> links;
  for (const auto& [ends, gradient] : by_ends) links.push_back({ends.first, ends.second, gradient});
  return links;
}

}  // namespace pipedream::detail
