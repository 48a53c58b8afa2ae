#include "partitioner/states.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "partitioner/contraction.h"
#include "partitioner/index.h"
#include "partitioner/layer_dag.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {
namespace {

double layer_us(const Profile& profile, int layer) {
  const LayerProfile& of = profile.layers[at(layer)];
  return of.forward_us + of.backward_us;
}

// Sums in the order of the layers: a superset's is never less, also after rounding.
double sum_us(const Profile& profile, const LayerSet& set) {
  double sum = 0;
  set.for_each([&](int layer) { sum += layer_us(profile, layer); });
  return sum;
}

std::vector<LayerSet> sets_of_layers(const std::vector<LayerSet>& sets_of_blocks, const std::vector<int>& block) {
  std::vector<LayerSet> result;
  for (const LayerSet& blocks : sets_of_blocks) {
    LayerSet set(static_cast<int>(block.size()));
    for (std::size_t layer = 0; layer < block.size(); ++layer) {
      if (blocks.contains(block[layer])) set.insert(static_cast<int>(layer));
    }
    result.push_back(std::move(set));
  }
  return result;
}

}  // namespace

PlanningStates::PlanningStates(const Profile& profile, std::vector<LayerSet> sets, std::string contraction)
    : sets_(std::move(sets)), contraction_(std::move(contraction)) {
  sort_by_size();
  for (std::size_t s = 0; s + 1 < sets_.size() && are_ordered_; ++s) {
    are_ordered_ = sets_[s].is_subset_of(sets_[s + 1]);
  }
  if (are_ordered_) {
    sum_along(profile);
  } else {
    sum_each(profile);
    compare_all();
  }
}

void PlanningStates::sort_by_size() {
  std::vector<std::pair<int, std::size_t>> order;
  for (const LayerSet& set : sets_) order.emplace_back(set.size(), order.size());
  if (std::is_sorted(order.begin(), order.end())) return;
  std::sort(order.begin(), order.end());
  std::vector<LayerSet> sorted;
  for (const auto& [size, s] : order) sorted.push_back(std::move(sets_[s]));
  sets_ = std::move(sorted);
}

// Linear in layers and tensors but for the sets themselves.
void PlanningStates::sum_along(const Profile& profile) {
  std::vector<int> entered(profile.layers.size(), 0);  // the first state that has the layer
  compute_us_.push_back(0);
  parameter_bytes_.push_back(0);
  for (int s = 1; s < count(); ++s) {
    compute_us_.push_back(compute_us_.back());
    parameter_bytes_.push_back(parameter_bytes_.back());
    sets_[index(s)].for_each_without(sets_[index(s - 1)], [&](int layer) {
      entered[at(layer)] = s;
      compute_us_.back() += layer_us(profile, layer);
      parameter_bytes_.back() += profile.layers[at(layer)].parameter_bytes;
    });
  }
  cuts_.resize(sets_.size() + 1);
  const std::vector<TensorEnds> ends = tensor_ends(profile);
  for (std::size_t t = 0; t < ends.size(); ++t) {
    const int from = entered[at(ends[t].producer)];
    int to = from;
    for (const int consumer : ends[t].consumers) to = std::max(to, entered[at(consumer)]);
    const std::int64_t bytes = profile.tensors[t].bytes;
    const std::int64_t gradient = profile.tensors[t].requires_gradient ? bytes : 0;
    cuts_[index(from)].forward += bytes;
    cuts_[index(from)].backward += gradient;
    cuts_[index(to)].forward -= bytes;
    cuts_[index(to)].backward -= gradient;
  }
  for (std::size_t s = 1; s < cuts_.size(); ++s) {
    cuts_[s].forward += cuts_[s - 1].forward;
    cuts_[s].backward += cuts_[s - 1].backward;
  }
}

void PlanningStates::sum_each(const Profile& profile) {
  std::vector<double> sums;
  for (const LayerSet& set : sets_) sums.push_back(sum_us(profile, set));
  std::vector<std::size_t> order(sets_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return sums[a] < sums[b]; });
  std::vector<LayerSet> sorted;
  for (const std::size_t s : order) {
    compute_us_.push_back(sums[s]);
    sorted.push_back(std::move(sets_[s]));
  }
  sets_ = std::move(sorted);
  const std::vector<TensorEnds> ends = tensor_ends(profile);
  for (const LayerSet& set : sets_) {
    std::int64_t parameters = 0;
    set.for_each([&](int layer) { parameters += profile.layers[at(layer)].parameter_bytes; });
    parameter_bytes_.push_back(parameters);
    CutBytes& cut = cuts_.emplace_back();
    for (std::size_t t = 0; t < ends.size(); ++t) {
      const auto is_outside = [&](int consumer) { return !set.contains(consumer); };
      const auto& consumers = ends[t].consumers;
      if (!set.contains(ends[t].producer) || std::none_of(consumers.begin(), consumers.end(), is_outside)) continue;
      cut.forward += profile.tensors[t].bytes;
      cut.backward += profile.tensors[t].requires_gradient ? profile.tensors[t].bytes : 0;
    }
  }
}

void PlanningStates::compare_all() {
  for (int inner = 0; inner < count(); ++inner) {
    LayerSet& supersets = supersets_.emplace_back(count());
    for (int outer = inner + 1; outer < count(); ++outer) {
      if (sets_[index(inner)].is_subset_of(sets_[index(outer)])) supersets.insert(outer);
    }
  }
}

std::vector<int> PlanningStates::layers_between(int first, int end) const {
  std::vector<int> layers;
  set(end).for_each_without(set(first), [&](int layer) { layers.push_back(layer); });
  return layers;
}

PlanningStates all_states(const Profile& profile, int most_branching) {
  const LayerDag dag = layer_dag(profile);
  const int most = dag.nodes() + 1 + most_branching;
  if (auto sets = ideals(dag, most)) return {profile, std::move(*sets), ""};
  std::vector<double> weight;
  for (int layer = 0; layer < dag.nodes(); ++layer) weight.push_back(layer_us(profile, layer));
  const Contraction contraction = contract(dag, weight, most);
  const auto sets = *ideals(contracted(dag, contraction.block_of_layer), most);
  std::string said = fmt::format(
      "{} layers of parallel branches are kept together in {} blocks: more than {} sets of "
      "layers could be cut off otherwise",
      contraction.layers_inside, contraction.blocks_made, most);
  return {profile, sets_of_layers(sets, contraction.block_of_layer), std::move(said)};
}

}  // namespace pipedream::detail
