// The workers and the links between them, as nested levels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pipedream {

struct TopologyLevel {
  std::string name;                  // "gpu", "server", "rack"; for people
  int count = 1;                     // components of the level below that one component of this level joins
  double bandwidth_bytes_per_s = 0;  // of one link at this level, one direction
  double latency_us = 0;
  double allreduce_bytes_per_s = 0;  // measured payload rate of a ring all-reduce; 0: not measured
};

struct Topology {
  std::vector<TopologyLevel> levels;         // innermost first
  std::int64_t memory_bytes_per_worker = 0;  // 0: no limit

  // Product of the counts; 1 without levels.
  int workers() const;
};

// One level. Throws ConfigError unless workers >= 1 and the bandwidth is positive and finite.
Topology uniform_topology(int workers, double bandwidth_bytes_per_s, double latency_us = 0);

}  // namespace pipedream
