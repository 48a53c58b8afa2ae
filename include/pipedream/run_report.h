// What a run measured beside what was predicted of it.
//
// PROGRAM train --report FILE writes one, `pipedream compare` reads it. The file is JSON with "format":
// "pipedream-report"; reading is strict as that of a plan.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/state_factors.h"
#include "pipedream/timeline.h"
#include "pipedream/topology.h"

namespace pipedream {

// What is predicted and measured alike. 0: not known.
struct RunFigures {
  double microbatch_us = 0;  // steady-state time per microbatch
  double bubble = 0;         // idle share of the workers' time, from the first action to the last
  std::vector<StageFigures> stages = {};
  std::vector<std::int64_t> peak_bytes = {};  // by worker
};

struct WorkerCounts {
  double utilisation = 0;
  int peak_versions = 0;            // weight versions held, the newest included
  std::int64_t peak_in_flight = 0;  // microbatches between forward and backward
  std::int64_t updates = 0;
};

struct Score {
  std::string name;  // "loss", "test loss", "test accuracy"
  double value = 0;
};

struct RunReport {
  Plan plan;
  std::int64_t microbatch_size = 0;
  std::int64_t microbatches = 0;  // trained
  std::int64_t samples = 0;
  double seconds = 0;
  StateFactors state_factors = {};
  Topology topology = {};     // that predictions used; no levels where nothing was simulated
  RunFigures predicted = {};  // by simulation, else by the plan's closed form
  RunFigures measured = {};
  std::vector<WorkerCounts> workers = {};
  std::vector<Score> scores = {};
};

// Throws ConfigError naming the field: a plan that is not valid, lists that do not have its stages or workers, figures
// negative or not finite.
void validate(const RunReport& report);

RunReport read_report(const std::filesystem::path& path);
void write_report(const RunReport& report, const std::filesystem::path& path);

// The file's text; `source` names it in messages.
RunReport parse_report(std::string_view json, const std::string& source);
std::string to_json(const RunReport& report);

}  // namespace pipedream
