#include "pipedream/topology.h"

#include <limits>

#include "support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

TEST_CASE("workers are the product of the counts") {
  CHECK(Topology{}.workers() == 1);
  CHECK(uniform_topology(5, 1e9).workers() == 5);
  Topology nested = uniform_topology(4, 1e10);
  nested.levels.push_back({"server", 3, 1e9, 10, 0});
  CHECK(nested.workers() == 12);
}

TEST_CASE("uniform_topology refuses what is no topology") {
  CHECK_THAT(config_error([] { uniform_topology(0, 1e9); }), Contains("at least 1 worker, not 0"));
  CHECK_THAT(config_error([] { uniform_topology(2, 0); }), Contains("positive and finite"));
  CHECK_THAT(config_error([] { uniform_topology(2, std::numeric_limits<double>::infinity()); }), Contains("finite"));
  CHECK_THAT(config_error([] { uniform_topology(2, 1e9, -1); }), Contains("latency_us"));
}

TEST_CASE("an invalid topology is refused with the field") {
  const auto error = [](auto change) {
    Topology topology = uniform_topology(2, 1e9);
    change(topology);
    return config_error([&] { validate(topology); });
  };
  CHECK_THAT(error([](Topology& t) { t.levels[0].count = 0; }), Contains("levels[0].count"));
  CHECK_THAT(error([](Topology& t) { t.levels[0].bandwidth_bytes_per_s = 0; }),
             Contains("levels[0].bandwidth_bytes_per_s: must be positive"));
  CHECK_THAT(error([](Topology& t) { t.levels[0].bandwidth_bytes_per_s = std::nan(""); }), Contains("nan"));
  CHECK_THAT(error([](Topology& t) { t.levels[0].allreduce_bytes_per_s = -1; }), Contains("allreduce_bytes_per_s"));
  CHECK_THAT(error([](Topology& t) { t.memory_bytes_per_worker = -1; }), Contains("memory_bytes_per_worker"));
  CHECK_THAT(error([](Topology& t) {
               t.levels[0].count = 1 << 16;
               t.levels.push_back(t.levels[0]);
             }),
             Contains("levels[1].count") && Contains("2^31"));
}

TEST_CASE("a topology file comes back as it was written") {
  const ScratchFolder folder;
  Topology topology = uniform_topology(4, 1.0 / 3.0 * 1e10, 0.1);
  topology.levels[0].allreduce_bytes_per_s = 123456789.125;
  topology.levels.push_back({"server", 2, 1e9, 20, 0});
  topology.memory_bytes_per_worker = (std::int64_t{1} << 40) + 1;
  write_topology(topology, folder / "t.json");
  const Topology read = read_topology(folder / "t.json");
  CHECK(to_json(read) == to_json(topology));
  REQUIRE(read.levels.size() == 2);
  CHECK(read.levels[0].bandwidth_bytes_per_s == topology.levels[0].bandwidth_bytes_per_s);
  CHECK(read.levels[0].latency_us == 0.1);
  CHECK(read.levels[0].allreduce_bytes_per_s == 123456789.125);
  CHECK(read.levels[1].name == "server");
  CHECK(read.memory_bytes_per_worker == (std::int64_t{1} << 40) + 1);
}

TEST_CASE("reading checks the values and names the file") {
  const std::string text =
      R"({"format": "pipedream-topology", "version": 1, "levels": [{"name": "x", "count": 0, "bandwidth_bytes_per_s": 1}]})";
  CHECK(config_error([&] { parse_topology(text, "t.json"); }) ==
        "t.json: levels[0].count: must be at least 1, found 0");
}
