#include "pipedream/import.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "artifact_profiles.h"
#include "planning/atomic_file.h"
#include "support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::Equals;

namespace {

std::string node(const std::string& id, const std::string& what, const std::string& fields) {
  return id + " -- " + what + " -- " + fields + "\n";
}

std::string node(const std::string& id, const std::string& what = "Linear(3, 4)") {
  return node(id, what,
              "forward_compute_time=1.500, backward_compute_time=2.250, activation_size=300.000, parameter_size=40.0");
}

std::string edge(const std::string& from, const std::string& to) { return fmt::format("\t{} -- {}\n", from, to); }

std::vector<std::string> names(const Profile& profile) {
  std::vector<std::string> result;
  for (const LayerProfile& layer : profile.layers) result.push_back(layer.name);
  return result;
}

Profile parse(const std::string& text) { return parse_artifact_graph(text, "graph.txt"); }

std::string error(const std::string& text) {
  return config_error([&] { parse(text); });
}

}  // namespace

TEST_CASE("import: times in microseconds, a tensor for each node, lists summed up") {
  const Profile profile =
      parse(node("a") +
            node("b", "LSTM(1, 2)",
                 "forward_compute_time=0.001, backward_compute_time=0, activation_size=[8.0; 4.0; 4.0], "
                 "parameter_size=7") +
            edge("a", "b"));
  REQUIRE(names(profile) == std::vector<std::string>{"a", "b"});
  CHECK(profile.layers[0].forward_us == 1500);
  CHECK(profile.layers[0].backward_us == 2250);
  CHECK(profile.layers[0].parameter_bytes == 40);
  CHECK(profile.layers[0].keeps_output);
  CHECK(profile.layers[1].forward_us == 1);
  REQUIRE(profile.tensors.size() == 2);
  CHECK(profile.tensors[0].producer == "a");
  CHECK(profile.tensors[0].consumers == std::vector<std::string>{"b"});
  CHECK(profile.tensors[0].bytes == 300);
  CHECK(profile.tensors[1].consumers.empty());
  CHECK(profile.tensors[1].bytes == 16);
  CHECK_NOTHROW(parse_profile(to_json(profile), "again"));
}

TEST_CASE("import: layers are in topological order, near to the file's") {
  const std::string text = node("late") + node("first") + node("second") + node("end") + edge("first", "late") +
                           edge("second", "end") + edge("late", "end") + edge("first", "second");
  CHECK(names(parse(text)) == std::vector<std::string>{"first", "late", "second", "end"});
  const Profile profile = parse(text);
  CHECK(profile.tensors[0].consumers == std::vector<std::string>{"late", "second"});
}

TEST_CASE("import: inputs and unused __getitem__ are no layers") {
  const Profile profile =
      parse(node("in", "Input0") + node("a") + node("mid", "Input-like layer") + node("g", "__getitem__(1)") +
            node("h", "__getitem__(0)") + edge("in", "a") + edge("in", "mid") + edge("a", "mid") + edge("a", "g") +
            edge("a", "h") + edge("h", "mid") + edge("a", "mid"));
  CHECK(names(profile) == std::vector<std::string>{"a", "h", "mid"});
  CHECK(profile.tensors[0].consumers == std::vector<std::string>{"h", "mid", "mid"});
}

TEST_CASE("import: several ends are joined by a loss that costs nothing") {
  const Profile profile = parse(node("a") + node("b") + node("c") + edge("a", "b") + edge("a", "c"));
  REQUIRE(names(profile) == std::vector<std::string>{"a", "b", "c", "loss"});
  CHECK(profile.layers[3].forward_us == 0);
  CHECK(profile.tensors[1].consumers == std::vector<std::string>{"loss"});
  CHECK(profile.tensors[2].consumers == std::vector<std::string>{"loss"});
  CHECK_THAT(error(node("a") + node("loss") + node("c") + edge("a", "loss") + edge("a", "c")),
             Equals("graph.txt: several nodes end the graph, and the name \"loss\" of the layer that would join them "
                    "is taken"));
}

TEST_CASE("import: each mistake is named with its line") {
  CHECK_THAT(error("a -- b\n"), Contains("graph.txt:1: a node is") && Contains("found \"a -- b\""));
  CHECK_THAT(error("\n" + node("a", "x", "forward_compute_time=1")), Contains("graph.txt:2: node \"a\" has 1 fields"));
  const auto with = [](const std::string& forward, const std::string& activation) {
    return node("a", "x",
                "forward_compute_time=" + forward + ", backward_compute_time=0, activation_size=" + activation +
                    ", parameter_size=0");
  };
  CHECK_THAT(error(with("fast", "0")), Equals("graph.txt:1: forward_compute_time: \"fast\" is not a number"));
  CHECK_THAT(error(with("-1", "0")), Contains("must be finite and not negative, found -1"));
  CHECK_THAT(error(with("nan", "0")), Contains("must be finite"));
  CHECK_THAT(error(with("1", "0.5")), Contains("activation_size: 0.5 is not a whole number of bytes"));
  CHECK_THAT(error(with("1", "1e300")), Contains("more than 2^53 bytes"));
  CHECK_THAT(error(with("1", "[1; ]")), Contains("activation_size: \"\" is not a number"));
  CHECK_THAT(error(node("a", "x", "time=1, backward_compute_time=0, activation_size=0, parameter_size=0")),
             Contains("expected forward_compute_time=NUMBER, found \"time=1\""));
  CHECK_THAT(error(node("a") + node("a")), Equals("graph.txt:2: node \"a\" stands in the file twice"));
  CHECK_THAT(error(node("a") + edge("a", "b")), Equals("graph.txt:2: there is no node \"b\" before this edge"));
  CHECK_THAT(error(node("a") + "\ta\n"), Contains("graph.txt:2: an edge is"));
  CHECK_THAT(error(node("a") + node("b") + edge("a", "b") + edge("b", "a")), Contains("\"a\" is in a cycle"));
  CHECK_THAT(error(""), Equals("graph.txt: there is no node that computes anything"));
  CHECK_THAT(error(node("in", "Input")), Contains("no node that computes"));
  CHECK_THAT(error(node(" ", "x")), Contains("graph.txt:1: "));
  CHECK_THAT(config_error([] { import_profile("/nowhere/graph.txt"); }), Contains("/nowhere/graph.txt: cannot read"));
}

TEST_CASE("import: what the artifact's profiles have") {
  struct Expected {
    std::string model;
    std::size_t layers;
    double total_us;
  };
  for (const Expected& expected : {Expected{"vgg16", 40, 672535}, {"resnet50", 176, 443419}, {"gnmt", 37, 89416}}) {
    const auto profile = artifact_profile(expected.model);
    if (!profile) continue;
    INFO(expected.model);
    CHECK(profile->layers.size() == expected.layers);
    double total_us = 0;
    for (const LayerProfile& layer : profile->layers) total_us += layer.forward_us + layer.backward_us;
    CHECK(total_us == Approx(expected.total_us).epsilon(1e-12));
  }
}
