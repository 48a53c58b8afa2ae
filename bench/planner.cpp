// How long the planner takes, beside its limits. No LibTorch: `planner [--profiles FOLDER] [--case TEXT] [--cost-model
// MODEL]`.
//
// Each case is planned several times; the least processor time counts, since the machine may be shared, and the wall
// time of the same run stands beside it. The whole of partition() is timed: states, solution, prediction, checks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <random>

#include "pipedream/import.h"
#include "pipedream/partition.h"
#include "planning/text_table.h"

namespace {

using namespace pipedream;

struct Case {
  std::string name;
  std::function<Profile()> profile;
  Topology topology;
  CostModel cost_model = CostModel::pipedream;
  double limit_ms = 0;
  std::string original;  // what the optimizer released with the paper took
};

struct Measured {
  double processor_ms = 0;
  double wall_ms = 0;
};

double processor_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

Topology levels(const std::vector<int>& counts, const std::vector<double>& bandwidths) {
  Topology topology;
  for (std::size_t l = 0; l < counts.size(); ++l) topology.levels.push_back({"level", counts[l], bandwidths[l], 0, 0});
  return topology;
}

double draw(std::mt19937_64& random, double least, double most) {
  return least + (most - least) * static_cast<double>(random() % 1'000'000) * 1e-6;
}

LayerProfile random_layer(std::mt19937_64& random, int index) {
  LayerProfile layer;
  layer.name = fmt::format("layer{}", index);
  layer.forward_us = draw(random, 50, 1000);
  layer.backward_us = 2 * layer.forward_us;
  layer.parameter_bytes = random() % 3 == 0 ? 0 : static_cast<std::int64_t>(draw(random, 1e4, 1e7));
  layer.keeps_output = true;
  return layer;
}

Profile random_chain(int layers) {
  std::mt19937_64 random(1);
  Profile profile;
  for (int i = 0; i < layers; ++i) {
    profile.layers.push_back(random_layer(random, i));
    if (i == 0) continue;
    const std::string& producer = profile.layers[static_cast<std::size_t>(i) - 1].name;
    const auto bytes = static_cast<std::int64_t>(draw(random, 1e4, 1e6));
    profile.tensors.push_back({producer + ".out", producer, {profile.layers.back().name}, bytes, true});
  }
  return profile;
}

// Two branches of `length` layers between a fork and a join, time and again: (length + 1)^2 ideals a block.
Profile random_branches(int blocks, int length) {
  std::mt19937_64 random(2);
  Profile profile;
  const auto add = [&](const std::vector<int>& inputs) {
    const int index = static_cast<int>(profile.layers.size());
    profile.layers.push_back(random_layer(random, index));
    const auto bytes = static_cast<std::int64_t>(draw(random, 1e4, 1e6));
    for (const int input : inputs) {
      profile.tensors[static_cast<std::size_t>(input)].consumers.push_back(profile.layers.back().name);
    }
    profile.tensors.push_back({profile.layers.back().name + ".out", profile.layers.back().name, {}, bytes, true});
    return index;
  };
  int last = add({});
  for (int b = 0; b < blocks; ++b) {
    int left = last;
    int right = last;
    for (int i = 0; i < length; ++i) left = add({left});
    for (int i = 0; i < length; ++i) right = add({right});
    last = add({left, right});
  }
  return profile;
}

void add_artifact(std::vector<Case>& cases, const std::filesystem::path& folder) {
  struct Row {
    std::string model;
    std::vector<int> counts;
    double limit_ms;
    std::string original;
  };
  const std::vector<Row> rows = {
      {"vgg16", {4}, 0, "0.16 s"},    {"vgg16", {4, 4}, 0, "0.17 s"},     {"vgg16", {16}, 0, "0.21 s"},
      {"resnet50", {4}, 0, "0.53 s"}, {"resnet50", {4, 4}, 10, "13.4 s"}, {"resnet50", {16}, 0, "2.1 s"},
      {"gnmt", {4}, 0, "0.16 s"},     {"gnmt", {4, 4}, 0, "0.65 s"},
  };
  for (const Row& row : rows) {
    const auto path = folder / row.model / "graph.txt";
    if (!std::filesystem::exists(path)) continue;
    const bool is_flat = row.counts.front() == 16;
    const std::vector<double> bandwidths = is_flat ? std::vector<double>{1.25e9} : std::vector<double>{1e10, 1.25e9};
    for (const CostModel model : all_cost_models()) {
      const bool is_papers = model == CostModel::pipedream_compat || model == CostModel::pipedream;
      cases.push_back({fmt::format("{}, {}", row.model, fmt::join(row.counts, " ")),
                       [path] { return import_profile(path); }, levels(row.counts, bandwidths), model,
                       model == CostModel::simulated ? 500
                       : is_papers                   ? row.limit_ms
                                                     : 0,
                       model == CostModel::pipedream_compat ? row.original : ""});
    }
  }
}

std::vector<Case> all_cases(const std::string& profiles) {
  std::vector<Case> cases;
  if (!profiles.empty()) add_artifact(cases, profiles);
  for (const CostModel model : {CostModel::pipedream_compat, CostModel::pipedream}) {
    const bool is_compat = model == CostModel::pipedream_compat;
    cases.push_back({"branches, about 1,500 states, 4 4", [] { return random_branches(12, 10); },
                     levels({4, 4}, {1e10, 1.25e9}), model, 500, is_compat ? "over 900 s" : ""});
    cases.push_back(
        {"chain of 10,000 layers, 4096", [] { return random_chain(10'000); }, levels({4096}, {1e10}), model, 1000, ""});
    cases.push_back({"chain of 1,000 layers, 8 8 16", [] { return random_chain(1'000); },
                     levels({8, 8, 16}, {1e11, 1e10, 1.25e9}), model, 2000, ""});
  }
  cases.push_back({"chain of 200 layers, 256", [] { return random_chain(200); }, levels({256}, {1e10}),
                   CostModel::simulated, 5000, ""});
  cases.push_back({"chain of 200 layers, 8 32", [] { return random_chain(200); }, levels({8, 32}, {1e11, 1e10}),
                   CostModel::simulated, 5000, ""});
  return cases;
}

Measured least_time(const Case& of, const Profile& profile, int samples, Plan& plan) {
  Measured least;
  for (int sample = 0; sample < samples; ++sample) {
    const double processor_before = processor_ms();
    const auto before = std::chrono::steady_clock::now();
    plan = partition(profile, of.topology, {.cost_model = of.cost_model});
    const double processor = processor_ms() - processor_before;
    const double wall = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before).count();
    if (sample == 0 || processor < least.processor_ms) least = {processor, wall};
  }
  return least;
}

detail::TableRow measured_row(const Case& of, int samples) {
  const Profile profile = of.profile();
  Plan plan;
  const Measured time = least_time(of, profile, samples, plan);
  return {of.name,
          std::string(to_string(of.cost_model)),
          fmt::format("{}", plan.search.states),
          fmt::format("{:.12g} s", plan.search.bottleneck_us * 1e-6),
          fmt::format("{:.1f} ms", time.processor_ms),
          fmt::format("{:.1f} ms", time.wall_ms),
          of.limit_ms > 0 ? fmt::format("{:.0f} ms", of.limit_ms) : "-",
          of.limit_ms == 0                   ? ""
          : time.processor_ms <= of.limit_ms ? "kept"
                                             : "MISSED",
          of.original.empty() ? "-" : of.original};
}

}  // namespace

int main(int argc, char** argv) {
  const char* folder = std::getenv("PIPEDREAM_PROFILES");
  std::string profiles = folder ? folder : "";
  std::string only;
  std::string only_model;
  int samples = 5;
  CLI::App app("Times the planner", "planner");
  app.add_option("--profiles", profiles, "Folder with MODEL/graph.txt of PipeDream's artifact ($PIPEDREAM_PROFILES)");
  app.add_option("--case", only, "Only cases whose names contain this");
  app.add_option("--cost-model", only_model, "Only this one");
  app.add_option("--samples", samples, "Of each case; the one with the least processor time counts")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  std::vector<detail::TableRow> rows = {
      {"case", "cost model", "states", "bottleneck", "processor", "wall", "limit", "", "original"}};
  for (const Case& of : all_cases(profiles)) {
    const bool is_model = only_model.empty() || only_model == to_string(of.cost_model);
    if (is_model && of.name.find(only) != std::string::npos) rows.push_back(measured_row(of, samples));
  }
  std::cout << detail::text_table(rows, 2);
  return 0;
}
