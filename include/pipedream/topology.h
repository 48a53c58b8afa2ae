// The workers and the links between them, as nested levels.
//
// The file is JSON with "format": "pipedream-topology"; a profile carries the same fields. Reading is strict:
// ConfigError with FILE: FIELD, or FILE:LINE:COLUMN where the text is no JSON.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pipedream {

struct TopologyLevel {
  std::string name;                  // "gpu", "server", "rack"; for people
  int count = 1;                     // components of the level below that one component of this level joins
  double bandwidth_bytes_per_s = 0;  // of one link at this level, one direction
  double latency_us = 0;
  double allreduce_bytes_per_s = 0;  // measured: 2 (n - 1) / n of the payload / time, over n workers; 0: not
};

struct Topology {
  std::vector<TopologyLevel> levels;         // innermost first
  std::int64_t memory_bytes_per_worker = 0;  // 0: no limit
  bool one_process = false;                  // workers are threads of it, and messages need no memory of their own

  // Product of the counts; 1 without levels.
  int workers() const;
};

// One level. Throws ConfigError unless workers >= 1 and the bandwidth is positive and finite.
Topology uniform_topology(int workers, double bandwidth_bytes_per_s, double latency_us = 0);

// Throws ConfigError naming the level's field: a count below 1, values negative or not finite, joined workers without
// bandwidth, 2^31 workers or more.
void validate(const Topology& topology);

Topology read_topology(const std::filesystem::path& path);
void write_topology(const Topology& topology, const std::filesystem::path& path);

// The file's text; `source` names it in messages.
Topology parse_topology(std::string_view json, const std::string& source);
std::string to_json(const Topology& topology);

}  // namespace pipedream
