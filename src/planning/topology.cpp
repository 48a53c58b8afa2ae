#include "pipedream/topology.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "pipedream/error.h"

namespace pipedream {
namespace {

void require_finite(double value, std::size_t level, const char* field) {
  if (!std::isfinite(value) || value < 0) {
    throw ConfigError(fmt::format("levels[{}].{}: must be finite and not negative, found {}", level, field, value));
  }
}

}  // namespace

int Topology::workers() const {
  int product = 1;
  for (const TopologyLevel& level : levels) product *= level.count;
  return product;
}

void validate(const Topology& topology) {
  std::int64_t workers = 1;
  for (std::size_t i = 0; i < topology.levels.size(); ++i) {
    const TopologyLevel& level = topology.levels[i];
    if (level.count < 1)
      throw ConfigError(fmt::format("levels[{}].count: must be at least 1, found {}", i, level.count));
    require_finite(level.bandwidth_bytes_per_s, i, "bandwidth_bytes_per_s");
    require_finite(level.latency_us, i, "latency_us");
    require_finite(level.allreduce_bytes_per_s, i, "allreduce_bytes_per_s");
    if (level.count > 1 && level.bandwidth_bytes_per_s == 0) {
      throw ConfigError(fmt::format("levels[{}].bandwidth_bytes_per_s: must be positive where workers are joined", i));
    }
    workers *= level.count;
    if (workers > std::numeric_limits<int>::max()) {
      throw ConfigError(fmt::format("levels[{}].count: the levels make 2^31 workers or more", i));
    }
  }
  if (topology.memory_bytes_per_worker < 0) {
    throw ConfigError(fmt::format("memory_bytes_per_worker: must not be negative, found {} (0: no limit)",
                                  topology.memory_bytes_per_worker));
  }
}

Topology uniform_topology(int workers, double bandwidth_bytes_per_s, double latency_us) {
  if (workers < 1) throw ConfigError(fmt::format("a topology needs at least 1 worker, not {}", workers));
  if (!std::isfinite(bandwidth_bytes_per_s) || bandwidth_bytes_per_s <= 0) {
    throw ConfigError(fmt::format("a bandwidth must be positive and finite, not {} bytes/s", bandwidth_bytes_per_s));
  }
  Topology topology;
  topology.levels.push_back({"worker", workers, bandwidth_bytes_per_s, latency_us, 0});
  validate(topology);
  return topology;
}

}  // namespace pipedream
