// Transfers that share links, in the order of time: the clock of the simulator.
//
// A link divides its rate equally among the transfers that use it; a transfer goes at the least of its shares. A flow
// makes one transfer at a time, always over the same links.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace pipedream::detail {

class Flows {
 public:
  int add_link(double bytes_per_us);
  // Also never faster than `most`. Without links and limit a transfer takes no time.
  int add_flow(std::span<const int> links, double most_bytes_per_us = std::numeric_limits<double>::infinity());

  // The flow must be idle, the time not before the latest end.
  void start(int flow, double time, double bytes);

  struct End {
    double time = 0;
    int flow = 0;
  };
  // The next transfer that ends, now over; empty where none is under way.
  std::optional<End> next_end();

  double link_busy_us(int link) const;  // bytes of all transfers so far / rate
  double alone_us(int flow, double bytes) const;

 private:
  struct Link {
    double rate;
    double bytes = 0;
    std::vector<int> active;  // flows
  };
  struct Flow {
    std::size_t first_link, end_link;  // in links_of_flows_
    double most;
    double bytes_left = 0;
    double rate = 0;
    double since = 0;  // when bytes_left was so
    std::uint32_t changes = 0;
  };
  static constexpr std::uint32_t kBegins = std::numeric_limits<std::uint32_t>::max();
  // A transfer begins, or ends unless its rate has changed since.
  struct Event {
    double time;
    std::uint32_t changes;  // kBegins, or those of the flow
    int flow;
    // For a heap with the earliest in front. At one time ends come first, so that what ended takes no share.
    bool operator<(const Event& other) const {
      if (time != other.time) return time > other.time;
      if ((changes == kBegins) != (other.changes == kBegins)) return changes == kBegins;
      return flow > other.flow;
    }
  };
  std::span<const int> links_of(const Flow& flow) const {
    return {links_of_flows_.data() + flow.first_link, flow.end_link - flow.first_link};
  }
  Link& link(int index) { return links_[static_cast<std::size_t>(index)]; }
  Flow& flow(int index) { return flows_[static_cast<std::size_t>(index)]; }
  void begin(int index, double time);
  void leave(int index);
  void set_rate(int index, double time);
  void adjust_others(int index, double time);
  void push(const Event& event);

  std::vector<Link> links_;
  std::vector<Flow> flows_;
  std::vector<int> links_of_flows_;
  std::vector<Event> events_;  // a heap
};

}  // namespace pipedream::detail
