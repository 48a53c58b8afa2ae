#include "schedule/link_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"
#include "schedule/share.h"

namespace pipedream::detail {

LinkTree::LinkTree(const Topology& topology, int workers, Flows& flows) {
  validate(topology);
  if (!topology.levels.empty() && topology.workers() < workers) {
    throw ConfigError(fmt::format("the plan uses {} workers, the topology has {}", workers, topology.workers()));
  }
  int size = 1;
  int links = 0;
  for (const TopologyLevel& level : topology.levels) {
    const int first = links;
    // A level of one component may have no bandwidth.
    if (level.bandwidth_bytes_per_s > 0) {
      links += 2 * static_cast<int>(ceil_div(workers, size));
      for (int l = first; l < links; ++l) flows.add_link(level.bandwidth_bytes_per_s / 1e6);
    }
    levels_.push_back({&level, size, first, links});
    size *= level.count;
  }
}

std::size_t LinkTree::height(int a, int b) const {
  std::size_t height = 0;
  while (height < levels_.size() && a / levels_[height].workers != b / levels_[height].workers) ++height;
  return height;
}

int LinkTree::link_of(const Level& level, int worker, bool is_incoming) const {
  return level.first_link + 2 * (worker / level.workers) + (is_incoming ? 1 : 0);
}

Route LinkTree::message(int sender, int receiver) const {
  Route route;
  const std::size_t levels = height(sender, receiver);
  for (std::size_t l = 0; l < levels; ++l) {
    if (levels_[l].first_link == levels_[l].end_link) continue;
    route.links.push_back(link_of(levels_[l], sender, false));
    route.links.push_back(link_of(levels_[l], receiver, true));
  }
  if (levels > 0) route.latency_us = levels_[levels - 1].measured->latency_us;
  return route;
}

Route LinkTree::reduction(std::span<const int> members) const {
  Route route;
  std::size_t levels = 0;
  for (const int member : members) levels = std::max(levels, height(members.front(), member));
  for (std::size_t l = 0; l < levels; ++l) {
    if (levels_[l].first_link == levels_[l].end_link) continue;
    for (const int member : members) {
      route.links.push_back(link_of(levels_[l], member, false));
      route.links.push_back(link_of(levels_[l], member, true));
    }
  }
  std::sort(route.links.begin(), route.links.end());
  route.links.erase(std::unique(route.links.begin(), route.links.end()), route.links.end());
  if (levels == 0) return route;
  const TopologyLevel& meet = *levels_[levels - 1].measured;
  if (meet.allreduce_bytes_per_s > 0) {
    route.most_bytes_per_us = meet.allreduce_bytes_per_s / 1e6;
  } else {
    route.latency_us = 2.0 * (static_cast<double>(members.size()) - 1) * meet.latency_us;
  }
  return route;
}

std::string LinkTree::name(int link) const {
  const auto level = std::find_if(levels_.begin(), levels_.end(), [&](const Level& l) { return link < l.end_link; });
  const int index = link - level->first_link;
  return fmt::format("{} link of {} {}", index % 2 == 0 ? "outgoing" : "incoming", level->measured->name, index / 2);
}

}  // namespace pipedream::detail
