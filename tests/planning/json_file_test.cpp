#include "planning/json_file.h"

#include "pipedream/topology.h"
#include "support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::Equals;
using Catch::StartsWith;

namespace {

std::string parse_error(const std::string& text) {
  return config_error([&] { detail::parse_json(text, "file.json"); });
}

// A topology whose only level has `fields` beside its name.
std::string topology_error(const std::string& fields) {
  std::string text = R"({"format": "pipedream-topology", "version": 1, "levels": [{"name": "gpu", )";
  text.append(fields).append("}]}");
  return config_error([&] { parse_topology(text, "t.json"); });
}

}  // namespace

TEST_CASE("text that is no JSON is refused with line and column") {
  CHECK_THAT(parse_error("{\n  \"a\": 1,\n  oops\n}"), StartsWith("file.json:3:3: not valid JSON"));
  CHECK_THAT(parse_error("{\"a\": NaN}"), StartsWith("file.json:1:7: not valid JSON"));
  CHECK_THAT(parse_error(""), StartsWith("file.json:1:1: not valid JSON"));
  CHECK_THAT(parse_error("{\"a\": [1, 2"), StartsWith("file.json:1:12: not valid JSON"));
  CHECK_THAT(parse_error("{} {}"), StartsWith("file.json:1:4: not valid JSON"));
  CHECK_THAT(parse_error("{\"a\": \"\xff\"}"), StartsWith("file.json:1:8: not valid JSON"));
}

TEST_CASE("a number that no double holds is refused with line and column") {
  CHECK_THAT(parse_error("{\n \"a\": 1e999}"), Equals("file.json:2:7: the number 1e999 is too large"));
}

TEST_CASE("a field given twice is refused with its path") {
  CHECK_THAT(parse_error(R"({"a": 1, "b": 2, "a": 3})"), Equals("file.json: a: given twice"));
  CHECK_THAT(parse_error(R"({"x": [{"n": 1}, [5, {"n": {"m": 1, "m": 1}}]]})"),
             Equals("file.json: x[1][1].n.m: given twice"));
  CHECK_NOTHROW(detail::parse_json(R"([{"n": 1}, {"n": {"n": 2}}])", "file.json"));
}

TEST_CASE("each kind of wrong value has its own message with its path") {
  CHECK_THAT(topology_error(R"("count": 2)"),
             Equals("t.json: levels[0]: the field \"bandwidth_bytes_per_s\" is missing"));
  CHECK_THAT(topology_error(R"("count": 2.5, "bandwidth_bytes_per_s": 1)"),
             Equals("t.json: levels[0].count: must be a whole number, found 2.5"));
  CHECK_THAT(topology_error(R"("count": "2", "bandwidth_bytes_per_s": 1)"),
             Equals("t.json: levels[0].count: must be a whole number, found \"2\""));
  CHECK_THAT(topology_error(R"("count": 3000000000, "bandwidth_bytes_per_s": 1)"),
             Equals("t.json: levels[0].count: must be below 2^31, found 3000000000"));
  CHECK_THAT(topology_error(R"("count": 9223372036854775808, "bandwidth_bytes_per_s": 1)"),
             Equals("t.json: levels[0].count: must be below 2^63, found 9223372036854775808"));
  CHECK_THAT(topology_error(R"("count": 1e30, "bandwidth_bytes_per_s": 1)"),
             Equals("t.json: levels[0].count: must be below 2^63, found 1e+30"));
  CHECK_THAT(topology_error(R"("count": -1, "bandwidth_bytes_per_s": 1)"),
             Equals("t.json: levels[0].count: must not be negative, found -1"));
  CHECK_THAT(topology_error(R"("count": 2, "bandwidth_bytes_per_s": -0.5)"),
             Equals("t.json: levels[0].bandwidth_bytes_per_s: must not be negative, found -0.5"));
  CHECK_THAT(topology_error(R"("count": 2, "bandwidth_bytes_per_s": null)"),
             Equals("t.json: levels[0].bandwidth_bytes_per_s: must be a number, found null"));
  CHECK_THAT(topology_error(R"("count": 2, "bandwidth_bytes_per_s": [1])"),
             Equals("t.json: levels[0].bandwidth_bytes_per_s: must be a number, found an array"));
  CHECK_THAT(topology_error(R"("count": 2, "bandwidth_bytes_per_s": 1, "speed": 3)"),
             StartsWith("t.json: levels[0]: unknown field \"speed\" (known: "));
}

TEST_CASE("a file of another kind or version is refused") {
  const auto error = [](const std::string& text) { return config_error([&] { parse_topology(text, "t.json"); }); };
  CHECK_THAT(error(R"({"format": "pipedream-plan", "version": 1, "levels": []})"),
             Equals("t.json: format: must be \"pipedream-topology\", found \"pipedream-plan\""));
  CHECK_THAT(error(R"({"format": "pipedream-topology", "version": 2, "levels": []})"),
             Equals("t.json: version: this library reads version 1, found 2"));
  CHECK_THAT(error(R"({"levels": []})"), Equals("t.json: the field \"format\" is missing"));
  CHECK_THAT(error("[]"), Equals("t.json: must be an object, found an array"));
  CHECK_THAT(error(R"({"format": "pipedream-topology", "version": 1, "levels": {}})"),
             Equals("t.json: levels: must be an array, found an object"));
  CHECK_THAT(error(R"({"format": "pipedream-topology", "version": 1, "levels": [4]})"),
             Equals("t.json: levels[0]: must be an object, found 4"));
}

TEST_CASE("a string that is not UTF-8 cannot be written") {
  Topology topology = uniform_topology(2, 1e9);
  topology.levels[0].name.assign(1, char(0xff));
  CHECK_THAT(config_error([&] { to_json(topology); }), Contains("cannot be written as JSON"));
}
