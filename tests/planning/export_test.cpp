#include "pipedream/export.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "artifact_profiles.h"
#include "pipedream/import.h"
#include "planning/artifact_graph.h"
#include "planning/atomic_file.h"
#include "support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::Equals;

namespace {

const std::string kGraph =
    "in -- Input0 -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=0.0, "
    "parameter_size=0.000\n"
    "a -- Conv2d(1, 2) -- forward_compute_time=2.211, backward_compute_time=2.788, activation_size=300.0, "
    "parameter_size=40.000\n"
    "b -- LSTM(1, 2) -- forward_compute_time=0.001, backward_compute_time=0.000, activation_size=16.0, "
    "parameter_size=0.000\n"
    "g -- __getitem__(1) -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=4.0, "
    "parameter_size=0.000\n"
    "c -- Linear(1, 2) -- forward_compute_time=1.000, backward_compute_time=2.000, activation_size=8.0, "
    "parameter_size=4.000\n"
    "\tin -- a\n\ta -- b\n\tb -- g\n\ta -- c\n\tb -- c\n\tb -- c\n";

// [a] | [b, c] for kGraph; halves of any other profile.
Plan plan_of(const Profile& profile, std::size_t first_stage) {
  Plan plan;
  plan.stages.resize(2);
  for (std::size_t l = 0; l < profile.layers.size(); ++l) {
    plan.stages[l < first_stage ? 0 : 1].layers.push_back(profile.layers[l].name);
  }
  plan.stages[0].workers = {0, 1};
  plan.stages[0].warmup = 1;
  plan.stages[1].workers = {2};
  return plan;
}

// As export of a profile leaves it: what import sets without having read it is as in `original`.
Profile reimported(const Plan& plan, const Profile& original) {
  Profile again = parse_artifact_graph(artifact_stage_map(plan, original), "exported");
  again.device = original.device;
  return again;
}

std::string without_stages(std::string text) {
  for (std::size_t at = 0; (at = text.find(" -- stage_id=")) != std::string::npos;) {
    text.erase(at, text.find('\n', at) - at);
  }
  return text;
}

}  // namespace

TEST_CASE("export: every node of the artifact's graph gets its stage, and nothing else changes") {
  const Plan plan = plan_of(parse_artifact_graph(kGraph, "graph.txt"), 1);
  const std::string text = artifact_stage_map(plan, kGraph, "graph.txt");
  CHECK(without_stages(text) == kGraph);
  CHECK_THAT(text, Contains("activation_size=0.0, parameter_size=0.000 -- stage_id=0\na -- "));
  CHECK_THAT(text, Contains("parameter_size=40.000 -- stage_id=0\n"));
  CHECK_THAT(text, Contains("activation_size=16.0, parameter_size=0.000 -- stage_id=1\n"));
  CHECK_THAT(text, Contains("activation_size=4.0, parameter_size=0.000 -- stage_id=1\n"));
  CHECK_THAT(text, Contains("parameter_size=4.000 -- stage_id=1\n\tin -- a\n"));
  CHECK(to_json(parse_artifact_graph(text, "t")) == to_json(parse_artifact_graph(kGraph, "t")));
  CHECK(artifact_replicas(plan) == "0:2,1:1");
}

TEST_CASE("export: a profile comes back with the same layers, edges, times and sizes") {
  Profile profile = parse_artifact_graph(kGraph, "graph.txt");
  profile.layers[0].forward_us = 1.0 / 3;
  profile.layers[1].forward_us = 1e-300;
  profile.layers[1].backward_us = 12345678.9012345;
  profile.layers[2].backward_us = 5e17;
  CHECK(to_json(reimported(plan_of(profile, 1), profile)) == to_json(profile));
  profile.tensors.push_back({"b.second", "b", {"c"}, 7, true});
  std::swap(profile.tensors[2], profile.tensors[3]);
  const Profile again = reimported(plan_of(profile, 1), profile);
  CHECK(again.tensors[1].bytes == 16 + 7);
  CHECK(again.tensors[1].consumers == std::vector<std::string>{"c", "c", "c"});
}

TEST_CASE("export: what the format cannot hold, and plans of other models, are refused") {
  const Profile profile = chain_profile(4);
  const Plan plan = plan_of(profile, 2);
  for (const std::string name : {"a -- b", " a", "a ", "a --", "-- a", "--", "a\tb", "a\nb"}) {
    Profile named = profile;
    named.layers[0].name = named.tensors[0].producer = name;
    INFO(name);
    CHECK_THAT(config_error([&] { artifact_stage_map(plan_of(named, 2), named); }),
               Equals("layer \"" + name + "\": the artifact's format has no place for such a name"));
  }
  Profile huge = profile;
  huge.layers[0].parameter_bytes = (std::int64_t{1} << 53) + 1;
  CHECK_THAT(config_error([&] { artifact_stage_map(plan, huge); }), Contains("bytes of parameters are more than 2^53"));
  huge.layers[0].parameter_bytes -= 1;
  CHECK_NOTHROW(reimported(plan, huge));
  CHECK_THAT(config_error([&] { artifact_stage_map(plan, chain_profile(5)); }), Contains("layer3"));
  CHECK_THAT(config_error([&] { artifact_stage_map(plan, kGraph, "graph.txt"); }), Contains("no layer \"layer0\""));
  Plan other = plan;
  other.graph_hash = "0000000000000000";
  CHECK_THAT(config_error([&] { artifact_stage_map(other, profile); }), Contains("the plan was made for model 0000"));
}

TEST_CASE("export: decimals times powers of ten") {
  using detail::times_power_of_ten;
  CHECK(times_power_of_ten("1.377", 3) == 1377);
  CHECK(times_power_of_ten("1.377e-3", 3) == 1.377);
  CHECK(times_power_of_ten("1E+2", -2) == 1);
  CHECK(times_power_of_ten("0", 3) == 0);
  CHECK(times_power_of_ten("1e308", 3) > 1e308);
  CHECK(times_power_of_ten("1e-320", -300) == 0);
}

TEST_CASE("export: the artifact's profiles come back as they were") {
  for (const char* model : {"vgg16", "resnet50", "gnmt"}) {
    const auto profile = artifact_profile(model);
    if (!profile) continue;
    INFO(model);
    const Plan plan = plan_of(*profile, 20);
    CHECK(to_json(reimported(plan, *profile)) == to_json(*profile));
    const std::filesystem::path path = std::filesystem::path(std::getenv("PIPEDREAM_PROFILES")) / model / "graph.txt";
    const std::string text = artifact_stage_map(plan, read_whole_file(path), path.string());
    CHECK(to_json(parse_artifact_graph(text, "exported")) == to_json(*profile));
  }
}
