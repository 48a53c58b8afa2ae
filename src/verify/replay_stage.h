// A stage of the replay, for its own source files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "verify/replay.h"
#include "verify/replay_update.h"

namespace pipedream::detail {

struct Replay::Stage {
  StagePlan plan;
  std::int64_t update_size = 1;
  std::vector<std::string> parameter_names;
  std::vector<std::string> buffer_names;
  Tensors parameters;  // of the modules: what the next microbatch runs with
  Tensors buffers;
  std::vector<Tensors> versions;            // since the start of the run
  std::int64_t base = 0;                    // version at the start of the segment
  std::vector<Tensors> buffers_of;          // by replica
  std::vector<Contribution> contributions;  // to the next update
  std::int64_t first_of_update = 0;         // microbatch of the run
  Tensors delta;                            // T2: smoothed differences of versions
  std::int64_t updates_observed = 0;        // since the corrections came into use
  std::unique_ptr<MasterWeights> masters;

  // Microbatches that an update covers under a plan of these stages.
  std::int64_t size_of_update(const Plan& of) const;
  int replica(std::int64_t k) const { return static_cast<int>(k % plan.replicas()); }
};

inline Tensors clones(const Tensors& tensors) {
  Tensors copies;
  for (const torch::Tensor& tensor : tensors) copies.push_back(tensor.detach().clone());
  return copies;
}

}  // namespace pipedream::detail
