// The command line that every program built on run() understands, as a value.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/algorithm_options.h"
#include "partitioner/given_depths.h"
#include "pipedream/algorithm.h"
#include "pipedream/cost_model.h"
#include "pipedream/optimizer.h"
#include "pipedream/run.h"
#include "pipedream/trainer.h"

namespace pipedream::detail {

enum class Command { profile, train, evaluate, verify };

// What carries a device's tensors between processes. automatic: NCCL where it can be used.
enum class DeviceTransport { automatic, nccl, host };

// Empty paths were not given.
struct Options {
  Command command = Command::train;

  // All commands.
  int workers = 0;  // 0: not given
  int threads_per_worker = 1;
  torch::Device device = torch::kCPU;
  DeviceTransport transport = DeviceTransport::automatic;
  double deadline_s = 300;
  std::uint64_t seed = 1;
  std::int64_t microbatch_size = 32;
  std::string log_level = "warning";

  // profile
  std::filesystem::path output;
  int repetitions = 21;

  // train, evaluate
  std::filesystem::path plan;

  // train
  std::filesystem::path profile;
  std::optional<Algorithm> algorithm;
  CostModel cost_model = CostModel::simulated;
  bool straight = false;
  int stages_per_worker = 0;
  std::int64_t microbatches_per_update = 0;  // 0: not given
  std::optional<CorrectionChoice> corrections;
  std::vector<TrainSegment> segments;
  std::optional<StageChoice> recompute;
  GivenDepths depths;
  bool simulates_depths = false;
  std::int64_t epochs = 10;
  std::int64_t steps = 0;  // 0: not given
  bool shuffle = true;
  OptimizerSpec optimizer;
  std::filesystem::path report;
  std::filesystem::path recalibrate;
  std::filesystem::path trace;
  std::filesystem::path losses;
  std::filesystem::path staleness;
  bool distances = false;
  std::filesystem::path initial_weights;
  std::filesystem::path save_initial;
  std::filesystem::path save_weights;

  // evaluate
  std::filesystem::path weights;

  // verify, with the options of train that it shares
  std::optional<double> tolerance;

  bool changes_stages() const { return recompute || !depths.warmup.empty() || !depths.reduce_delay.empty(); }
  std::optional<std::vector<DelayCorrectionSpec>> correction_specs() const {
    if (!corrections) return std::nullopt;
    return pipedream::corrections(*corrections);
  }
  std::chrono::milliseconds deadline() const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(deadline_s * 1000));
  }
};

// What to do: run with the options, or print the text (help, or what is wrong) and end.
struct ParsedOptions {
  std::optional<Options> options = {};
  std::string text = {};
  int exit_code = 0;
};

ParsedOptions parse_options(int argc, const char* const* argv, const Application& application);

}  // namespace pipedream::detail
