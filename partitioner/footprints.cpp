#include "partitioner/footprints.h"

#include <algorithm>

#include "partitioner/index.h"

namespace pipedream::detail {

StageFootprints::StageFootprints(const Profile& profile, const std::vector<TensorEnds>& ends)
    : profile_(profile), walk_(profile, ends), layers_(static_cast<int>(profile.layers.size())) {}

StageFootprint StageFootprints::of(const LayerSet& before, const LayerSet& until) {
  const int differs = until.first_difference(layers_, before);
  if (differs < 0) return measured();
  if (!walk_.layers().empty() && differs <= walk_.layers().front()) clear();
  while (!walk_.layers().empty() && walk_.layers().back() >= differs) remove_last_layer();
  until.for_each_without(
      before, [this](int layer) { add_layer(layer); }, differs);
  return measured();
}

StageFootprint StageFootprints::of_layer(int layer) {
  clear();
  add_layer(layer);
  return measured();
}

std::vector<StageFootprint> StageFootprints::of_stages(const std::vector<int>& stage_of_layer, std::size_t stages) {
  const LayerSet none(static_cast<int>(stage_of_layer.size()));
  std::vector<LayerSet> sets(stages, none);
  for (std::size_t l = 0; l < stage_of_layer.size(); ++l) sets[at(stage_of_layer[l])].insert(static_cast<int>(l));
  std::vector<StageFootprint> result;
  for (const LayerSet& layers : sets) result.push_back(of(none, layers));
  return result;
}

void StageFootprints::add_layer(int layer) {
  const LayerProfile& added = profile_.layers[at(layer)];
  before_.push_back(sums_);
  sums_.parameter_bytes += added.parameter_bytes;
  sums_.buffer_bytes += added.buffer_bytes;
  sums_.greatest_layer_bytes = std::max(sums_.greatest_layer_bytes, added.parameter_bytes);
  walk_.add_layer(layer);
  layers_.insert(layer);
}

void StageFootprints::remove_last_layer() {
  layers_.erase(walk_.layers().back());
  walk_.remove_last_layer();
  sums_ = before_.back();
  before_.pop_back();
}

void StageFootprints::clear() {
  for (const int layer : walk_.layers()) layers_.erase(layer);
  walk_.clear();
  before_.clear();
  sums_ = {};
}

StageFootprint StageFootprints::measured() const {
  StageFootprint result = sums_;
  result.pass = walk_.measure();
  return result;
}

}  // namespace pipedream::detail
