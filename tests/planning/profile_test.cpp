#include "pipedream/profile.h"

#include <cmath>
#include <limits>

#include "planning/atomic_file.h"
#include "support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::Equals;

namespace {

template <class Change>
std::string profile_error_after(Change change) {
  Profile profile = chain_profile();
  change(profile);
  return config_error([&] { validate(profile); });
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

}  // namespace

TEST_CASE("times and sizes of layers are checked") {
  CHECK_NOTHROW(validate(chain_profile()));
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers[1].forward_us = std::nan(""); }),
             Equals("layers[1].forward_us of \"layer1\": is not a number (NaN)"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers[1].backward_us = kInfinity; }),
             Equals("layers[1].backward_us of \"layer1\": is infinite"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers[0].forward_us = -2; }),
             Equals("layers[0].forward_us of \"layer0\": must not be negative, found -2"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers[0].kept_bytes = -1; }),
             Equals("layers[0].kept_bytes of \"layer0\": must not be negative, found -1"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers[2].parameter_bytes = kHuge; }),
             Contains("layers[2].parameter_bytes of \"layer2\"") && Contains("2^63"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.tensors[2].bytes = kHuge; }),
             Contains("tensors[2].bytes") && Contains("2^63"));
  CHECK_THAT(profile_error_after([](Profile& p) {
               p.layers[0].forward_us = 1e308;
               p.layers[2].forward_us = 1e308;
             }),
             Contains("layers[2]") && Contains("add up to infinity"));
}

TEST_CASE("the head of a profile is checked") {
  CHECK_THAT(profile_error_after([](Profile& p) { p.workers_computing = 0; }), Contains("workers_computing"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.threads_per_worker = 0; }), Contains("threads_per_worker"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.microbatch_size = -1; }), Contains("microbatch_size"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.whole_backward_us = -1; }), Contains("whole_backward_us"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers.clear(); }), Contains("layers: the profile has none"));
  CHECK_THAT(profile_error_after([](Profile& p) {
               p.topology.levels.push_back({"x", 0, 1, 0, 0});
             }),
             Contains("topology.levels[0].count"));
}

TEST_CASE("names must be there, unique and known") {
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers[2].name = ""; }), Contains("layers[2].name: is empty"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.layers[2].name = "layer0"; }),
             Equals("layers[2].name: \"layer0\" is also the name of layers[0]"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.tensors[1].name = "layer0.out"; }),
             Equals("tensors[1].name: \"layer0.out\" is also the name of tensors[0]"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.tensors[1].producer = "nobody"; }),
             Equals("tensors[1].producer: there is no layer \"nobody\""));
  CHECK_THAT(profile_error_after([](Profile& p) {
               p.tensors[1].consumers = {"layer2", "nobody"};
             }),
             Equals("tensors[1].consumers[1]: there is no layer \"nobody\""));
}

TEST_CASE("the graph must be one and stand in its order") {
  CHECK_THAT(profile_error_after([](Profile& p) {
               p.tensors.push_back({"back", "layer2", {"layer0"}, 1, true});
             }),
             Equals("tensors: they join the layers to a cycle: layer0 -> layer1 -> layer2 -> layer0"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.tensors[1].consumers = {"layer1"}; }),
             Equals("tensors: they join the layers to a cycle: layer1 -> layer1"));
  CHECK_THAT(profile_error_after([](Profile& p) { std::swap(p.layers[0], p.layers[1]); }),
             Contains("stands before \"layer0\", which makes its input"));
  CHECK_THAT(profile_error_after([](Profile& p) { std::swap(p.tensors[0], p.tensors[1]); }),
             Contains("tensors[1]: \"layer0.out\" stands after \"layer1.out\""));
  CHECK_THAT(profile_error_after([](Profile& p) {
               p.tensors[0].consumers = {"loss", "layer1"};
             }),
             Contains("tensors[0].consumers[1]") && Contains("order"));
  CHECK_THAT(profile_error_after([](Profile& p) { p.tensors[1].consumers.clear(); }),
             Equals("layers[0]: nothing that \"layer0\" makes reaches the loss, layer \"loss\""));
  Profile twice = chain_profile();
  twice.tensors[0].consumers = {"layer1", "layer1", "loss"};
  CHECK_NOTHROW(validate(twice));
}

TEST_CASE("a long chain is checked without deep recursion") { CHECK_NOTHROW(validate(chain_profile(200'000))); }

TEST_CASE("sum_discrepancy compares the layers with the whole") {
  Profile profile = chain_profile(2);  // 10 + 20 + 11 + 22 us
  CHECK(sum_discrepancy(profile) == 0);
  profile.whole_forward_us = 20;
  profile.whole_backward_us = 40;
  CHECK(sum_discrepancy(profile) == Approx(0.05));
}

TEST_CASE("a profile file comes back as it was written") {
  const ScratchFolder folder;
  Profile profile = chain_profile();
  profile.layers[0].forward_us = 1.0 / 3.0;
  profile.layers[1].buffer_bytes = 5;
  profile.layers[1].keeps_output = true;
  profile.layers[2].forward_peak_bytes = 7;
  profile.layers[2].backward_peak_bytes = 9;
  profile.tensors[1].requires_gradient = false;
  profile.whole_forward_us = 3.5;
  profile.whole_backward_us = 4.5;
  profile.workers_computing = 2;
  profile.threads_per_worker = 3;
  profile.topology = uniform_topology(2, 1e9, 3);
  write_profile(profile, folder / "p.json");
  const Profile read = read_profile(folder / "p.json");
  CHECK(to_json(read) == to_json(profile));
  CHECK(read.layers[0].forward_us == 1.0 / 3.0);
  CHECK(read.layers[1].buffer_bytes == 5);
  CHECK(read.layers[1].keeps_output);
  CHECK(read.layers[2].forward_peak_bytes == 7);
  CHECK(read.layers[2].backward_peak_bytes == 9);
  CHECK_FALSE(read.tensors[1].requires_gradient);
  CHECK(read.graph_hash == profile.graph_hash);
  CHECK(read.whole_backward_us == 4.5);
  CHECK(read.threads_per_worker == 3);
  CHECK(read.topology.workers() == 2);
}

TEST_CASE("reading a profile names file and field") {
  const ScratchFolder folder;
  const auto path = folder / "p.json";
  const auto error_with = [&](const std::string& from, const std::string& to) {
    std::string text = to_json(chain_profile());
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    write_file_atomically(path, text.replace(at, from.size(), to));
    return config_error([&] { read_profile(path); });
  };
  CHECK(error_with("\"forward_us\": 11.0", "\"forward_us\": -11.0") ==
        path + ": layers[1].forward_us: must not be negative, found -11.0");
  CHECK(error_with("\"keeps_input\": true", "\"keeps_input\": 1") ==
        path + ": layers[0].keeps_input: must be true or false, found 1");
  CHECK(error_with("\"name\": \"layer1\"", "\"name\": \"layer0\"") ==
        path + ": layers[1].name: \"layer0\" is also the name of layers[0]");
  CHECK_THAT(error_with("\"backward_us\"", "\"backward_ms\""), Contains(": layers[0]: the field \"backward_us\""));
  CHECK_THAT(error_with("\"device\"", "\"colour\": 1, \"device\""), Contains("unknown field \"colour\""));
  CHECK_THAT(error_with("\"levels\"", "\"speed\": 1, \"levels\""), Contains(": topology: unknown field \"speed\""));
}

TEST_CASE("a truncated profile is refused with the place where it ends") {
  const ScratchFolder folder;
  const std::string text = to_json(chain_profile());
  for (std::size_t length = 0; length + 2 < text.size(); length += 37) {
    write_file_atomically(folder / "p.json", text.substr(0, length));
    CHECK_THAT(config_error([&] { read_profile(folder / "p.json"); }), Contains("not valid JSON"));
  }
}
