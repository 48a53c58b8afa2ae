#include "schedule/flows.h"

#include <algorithm>

namespace pipedream::detail {

int Flows::add_link(double bytes_per_us) {
  links_.push_back({bytes_per_us, 0, {}});
  return static_cast<int>(links_.size()) - 1;
}

int Flows::add_flow(std::span<const int> links, double most_bytes_per_us) {
  Flow added{links_of_flows_.size(), links_of_flows_.size() + links.size(), most_bytes_per_us};
  links_of_flows_.insert(links_of_flows_.end(), links.begin(), links.end());
  flows_.push_back(added);
  return static_cast<int>(flows_.size()) - 1;
}

void Flows::start(int index, double time, double bytes) {
  flow(index).bytes_left = bytes;
  push({time, kBegins, index});
}

std::optional<Flows::End> Flows::next_end() {
  while (!events_.empty()) {
    const Event event = events_.front();
    std::pop_heap(events_.begin(), events_.end());
    events_.pop_back();
    if (event.changes == kBegins) {
      begin(event.flow, event.time);
    } else if (event.changes == flow(event.flow).changes) {
      leave(event.flow);
      adjust_others(event.flow, event.time);
      return End{event.time, event.flow};
    }
  }
  return std::nullopt;
}

void Flows::begin(int index, double time) {
  Flow& begun = flow(index);
  for (const int used : links_of(begun)) {
    link(used).bytes += begun.bytes_left;
    link(used).active.push_back(index);
  }
  begun.since = time;
  begun.rate = 0;
  set_rate(index, time);
  adjust_others(index, time);
}

void Flows::leave(int index) {
  Flow& left = flow(index);
  ++left.changes;
  for (const int used : links_of(left)) {
    std::vector<int>& active = link(used).active;
    *std::find(active.begin(), active.end(), index) = active.back();
    active.pop_back();
  }
}

void Flows::adjust_others(int index, double time) {
  for (const int used : links_of(flow(index))) {
    for (const int other : link(used).active) {
      if (other != index) set_rate(other, time);
    }
  }
}

void Flows::set_rate(int index, double time) {
  Flow& changed = flow(index);
  double rate = changed.most;
  for (const int used : links_of(changed)) {
    rate = std::min(rate, link(used).rate / static_cast<double>(link(used).active.size()));
  }
  if (rate == changed.rate) return;
  if (changed.rate > 0) {
    changed.bytes_left = std::max(0.0, changed.bytes_left - changed.rate * (time - changed.since));
  }
  changed.since = time;
  changed.rate = rate;
  push({time + changed.bytes_left / rate, ++changed.changes, index});
}

void Flows::push(const Event& event) {
  events_.push_back(event);
  std::push_heap(events_.begin(), events_.end());
}

double Flows::link_busy_us(int index) const {
  const Link& used = links_[static_cast<std::size_t>(index)];
  return used.bytes / used.rate;
}

double Flows::alone_us(int index, double bytes) const {
  const Flow& asked = flows_[static_cast<std::size_t>(index)];
  double rate = asked.most;
  for (const int used : links_of(asked)) rate = std::min(rate, links_[static_cast<std::size_t>(used)].rate);
  return bytes / rate;
}

}  // namespace pipedream::detail
