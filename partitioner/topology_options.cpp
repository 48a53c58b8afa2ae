#include "partitioner/topology_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "partitioner/command_help.h"
#include "partitioner/units.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

// "4", or "8x4": 8 workers in each of 4 servers.
std::vector<int> parse_workers(const std::string& text) {
  std::vector<int> counts;
  const char* next = text.data();
  const char* end = next + text.size();
  for (;;) {
    int count = 0;
    const auto [rest, error] = std::from_chars(next, end, count);
    if (error != std::errc() || count < 1 || (rest != end && *rest != 'x')) {
      throw ConfigError(fmt::format(
          "--workers {}: must be a whole number from 1 on, or several with x between them, innermost first", text));
    }
    counts.push_back(count);
    if (rest == end) return counts;
    next = rest + 1;
  }
}

}  // namespace

void TopologyOptions::add_to(CLI::App& command) {
  auto* workers = command
                      .add_option("--workers", workers_,
                                  "How many, at most, as in 8 or 8x4: 8 in each of 4 servers (default: as many as "
                                  "measured the profile)")
                      ->type_name("COUNT");
  links_.add_to(command);
  command.add_option("--topology", topology_, "File with workers and links, instead of the three options before")
      ->type_name(kFileType)
      ->excludes(workers)
      ->excludes("--bandwidth")
      ->excludes("--latency");
  command.add_option("--memory", memory_, "Of each worker, as in 16GiB (default: no limit)")->type_name("SIZE");
}

Topology TopologyOptions::topology(const Profile& profile) const {
  Topology topology;
  if (!topology_.empty()) {
    topology = read_topology(topology_);
  } else if (!workers_.empty()) {
    topology = links_.topology(profile, parse_workers(workers_));
  } else {
    topology = links_.topology(profile, {profile.topology.workers()});
  }
  if (!memory_.empty()) topology.memory_bytes_per_worker = detail::parse_bytes(memory_);
  return topology;
}

}  // namespace pipedream
