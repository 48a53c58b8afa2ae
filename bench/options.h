// What the command line says to every case.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "pipedream/algorithm.h"

namespace pipedream::bench {

struct Options {
  int threads = 0;                            // workers as threads of this process; 0: the ranks that mpirun started
  int samples = 5;                            // of each figure; more than one alternates with what it is compared with
  bool quick = false;                         // few and short samples: shows that it runs, its figures say little
  bool pin = false;                           // each worker on a core of its own
  bool realtime = false;                      // workers ahead of what else runs on the machine
  torch::Device device = torch::kCPU;         // where compute-bound, overhead-bound and wide compute
  bool nccl = false;                          // between ranks on a device
  std::vector<Algorithm> algorithms = {};     // deep: which; empty: all that it has
  std::string label;                          // how the workers were started and joined, for the report
  std::filesystem::path json;                 // where the results go; empty: nowhere
  std::filesystem::path pid_folder;           // failure: where each worker writes its process id
  std::chrono::milliseconds deadline{10000};  // failure
};

}  // namespace pipedream::bench
