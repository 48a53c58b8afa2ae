// The training algorithms that the schedules implement, and their names on command lines and in files.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pipedream {

enum class Algorithm {
  model_parallel,      // one microbatch at a time through all stages, one update a microbatch
  data_parallel,       // one stage, replicas in bulk-synchronous steps (BSP)
  gpipe,               // all forwards of an update, then all backwards, flush (Huang et al., NeurIPS'19)
  flush_1f1b,          // 1F1B among the microbatches of an update, flush (DAPPLE, PPoPP'21; PipeDream-Flush)
  interleaved_1f1b,    // the same with several stages on each worker (Narayanan et al., SC'21, section 2.2)
  pipedream,           // 1F1B(-RR) without flush, weight stashing (Narayanan et al., SOSP'19, section 3.3)
  vertical_sync,       // the same with the first stage's delay at all stages (there, vertical sync)
  two_bw,              // 1F1B without flush, two versions, updates of many microbatches (PipeDream-2BW, ICML'21)
  pipemare,            // 1F1B without flush on one copy of the weights, delays corrected (Yang et al., MLSys'21)
  naive_asynchronous,  // the same without corrections
};

// What sets the algorithms apart beside the order of their actions.
struct AlgorithmTraits {
  bool flushes = true;            // every microbatch sees the newest weights: an update waits for all that came before
  bool has_warmup = false;        // stages have a depth, StagePlan::warmup
  bool chooses_update = false;    // Plan::microbatches_per_update is a choice
  bool delays_reduction = false;  // StagePlan::reduce_delay is a choice
  bool overwrites = false;        // one copy of the weights: a backward may see newer ones than its forward saw
  bool shares_workers = false;    // a worker hosts several stages
};
AlgorithmTraits traits_of(Algorithm algorithm);

// All algorithms, in the order of the enumeration.
std::span<const Algorithm> all_algorithms();

// "model-parallel", "data-parallel", "gpipe", "1f1b-flush", "interleaved-1f1b", "pipedream",
// "pipedream-vertical-sync", "pipedream-2bw", "pipemare", "naive-asynchronous".
std::string_view to_string(Algorithm algorithm);

// All names, with commas between them.
std::string algorithm_names();

// Throws ConfigError that lists the known names.
Algorithm parse_algorithm(std::string_view name);

}  // namespace pipedream
