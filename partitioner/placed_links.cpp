#include "partitioner/placed_links.h"

#include <algorithm>

namespace pipedream::detail {

PlacedLinks::PlacedLinks(const Plan& plan, const Topology& topology) : stages_(plan.stages.size()) {
  for (const TopologyLevel& level : topology.levels) links_.emplace_back(level);
  if (links_.empty()) links_.emplace_back(TopologyLevel{});
  int size = 1;
  for (std::size_t level = 0; level <= links_.size(); ++level) {
    auto& of_stages = components_.emplace_back();
    for (const StagePlan& stage : plan.stages) {
      std::vector<int> components;
      // The links of the outermost level join everything, also what a topology without levels does not name.
      for (const int worker : stage.workers) components.push_back(level == links_.size() ? 0 : worker / size);
      std::sort(components.begin(), components.end());
      components.erase(std::unique(components.begin(), components.end()), components.end());
      of_stages.push_back(std::move(components));
    }
    if (level < topology.levels.size()) size *= topology.levels[level].count;
  }
}

int PlacedLinks::replicas(std::size_t level, std::size_t stage) const {
  const std::size_t inner = components(level, stage).size();
  const std::size_t outer = components(level + 1, stage).size();
  return static_cast<int>((inner + outer - 1) / outer);
}

// Divided level by level, as the recurrence does: the same doubles.
double PlacedLinks::share_us(std::size_t from_level, std::size_t stage, double us) const {
  for (std::size_t level = from_level; level < links_.size(); ++level) us /= replicas(level, stage);
  return us;
}

double PlacedLinks::allreduce_us(std::size_t stage, std::int64_t parameter_bytes) const {
  double slowest_us = 0;
  double rounds = 1;  // of what is inside a component, in the time of one of the whole stage
  for (std::size_t level = 0; level < links_.size(); ++level) {
    const int members = replicas(level, stage);
    slowest_us = std::max(slowest_us, links_[level].allreduce_us(parameter_bytes, members) * rounds);
    rounds *= members;
  }
  return slowest_us;
}

std::size_t PlacedLinks::meeting_level(std::size_t stage) const {
  std::size_t level = 0;
  while (components(level + 1, stage) != components(level + 1, stage + 1)) ++level;
  return level;
}

double PlacedLinks::transfer_us(std::size_t stage, const CutBytes& cut) const {
  if (stage + 1 == stages_) return 0;
  return links_[meeting_level(stage)].transfer_us(cut.forward, cut.backward);
}

double PlacedLinks::transfer_share_us(std::size_t stage, const CutBytes& cut) const {
  if (stage + 1 == stages_) return 0;
  return share_us(meeting_level(stage) + 1, stage, transfer_us(stage, cut));
}

double PlacedLinks::compute_share_us(std::size_t stage, double us) const { return share_us(0, stage, us); }

std::vector<PlacedLinks::Reduction> PlacedLinks::reductions(const std::vector<std::int64_t>& parameter_bytes) const {
  std::vector<Reduction> result;
  for (std::size_t level = 0; level < links_.size(); ++level) {
    for (std::size_t first = 0; first < stages_;) {
      std::size_t last = first;
      std::int64_t bytes = parameter_bytes[first];
      while (last + 1 < stages_ && components(level, last + 1) == components(level, first)) {
        bytes += parameter_bytes[++last];
      }
      const double us = links_[level].allreduce_us(bytes, replicas(level, first));
      if (us > 0) result.push_back({first, last, share_us(level, first, us)});
      first = last + 1;
    }
  }
  return result;
}

}  // namespace pipedream::detail
