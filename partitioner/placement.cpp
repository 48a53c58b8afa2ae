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

// Among the components of the level, each of so many workers.
std::vector<int> turns(const std::vector<int>& workers, const Topology& topology, std::size_t level, int size) {
  if (level == 0) return workers;
  std::vector<std::vector<int>> parts;
  for (const int worker : workers) {
    if (parts.empty() || parts.back().back() / size != worker / size) parts.emplace_back();
    parts.back().push_back(worker);
  }
  for (auto& part : parts) part = turns(part, topology, level - 1, size / topology.levels[level - 1].count);
  if (parts.size() == 1) return parts.front();
  std::vector<int> result;
  for (std::size_t turn = 0; result.size() < workers.size(); ++turn) {
    for (const auto& part : parts) {
      if (turn < part.size()) result.push_back(part[turn]);
    }
  }
  return result;
}

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

std::vector<int> taking_turns(const std::vector<int>& workers, const Topology& topology) {
  const std::size_t outermost = topology.levels.size() - 1;
  return turns(workers, topology, outermost, topology.workers() / topology.levels[outermost].count);
}

}  // namespace pipedream::detail
