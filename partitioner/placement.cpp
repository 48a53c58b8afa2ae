#include "partitioner/placement.h"

namespace pipedream::detail {
namespace {

class Placement {
 public:
  explicit Placement(const Topology& topology) {
    int size = 1;
    for (const TopologyLevel& level : topology.levels) {
      component_size_.push_back(size);
      size *= level.count;
    }
  }

  // copies: the first worker of each replica of what is around.
  void place(const std::vector<FoundStage>& stages, std::size_t level, const std::vector<int>& copies) {
    int next = 0;  // component
    for (const FoundStage& stage : stages) {
      std::vector<int> replicas;
      for (int q = 0; q < stage.replicas * static_cast<int>(copies.size()); ++q) {
        const int around = q % static_cast<int>(copies.size());
        const int component = next + q / static_cast<int>(copies.size());
        replicas.push_back(copies[static_cast<std::size_t>(around)] + component * component_size_[level]);
      }
      next += stage.replicas;
      if (level == 0) {
        result_.push_back({stage.first, stage.end, std::move(replicas)});
      } else {
        place(stage.inner, level - 1, replicas);
      }
    }
  }

  std::vector<PlacedStage> take() { return std::move(result_); }

 private:
  std::vector<int> component_size_;  // workers, by level
  std::vector<PlacedStage> result_;
};

}  // namespace

Topology levels_with_choice(Topology topology) {
  std::erase_if(topology.levels, [](const TopologyLevel& level) { return level.count == 1; });
  if (topology.levels.empty()) topology.levels.push_back({});
  return topology;
}

std::vector<PlacedStage> placed(const std::vector<FoundStage>& stages, const Topology& topology) {
  Placement placement(topology);
  placement.place(stages, topology.levels.size() - 1, {0});
  return placement.take();
}

PlanPlacement servers_of(const Topology& topology, int workers) {
  PlanPlacement placement;
  if (topology.levels.size() < 2) return placement;
  const int devices = topology.levels.front().count;
  for (int worker = 0; worker < workers; ++worker) {
    placement.servers.push_back(worker / devices);
    placement.devices.push_back(worker % devices);
  }
  return placement;
}

}  // namespace pipedream::detail
