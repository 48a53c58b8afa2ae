// NCCL for the simulated device: transfers wait in their streams for those of the other members, as NCCL's kernels do.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transport/nccl/calls.h"

namespace pipedream::testing {

struct NcclBatch;

struct SimulatedNcclOptions {
  std::string version = "simulated";
  bool one_stream = false;  // for everything: an order that NCCL does not stand
};

// One for each worker, used by its thread.
class SimulatedNccl final : public detail::NcclCalls {
 public:
  SimulatedNccl() : SimulatedNccl(SimulatedNcclOptions()) {}
  explicit SimulatedNccl(SimulatedNcclOptions options);
  ~SimulatedNccl() override;

  std::string version() override { return options_.version; }
  std::string make_id() override;
  std::vector<std::unique_ptr<detail::NcclConnection>> connect(torch::Device device,
                                                               const std::vector<detail::NcclMembership>& memberships,
                                                               const std::function<void()>& check) override;
  c10::Stream make_stream(torch::Device device) override;
  void start_group() override;
  void end_group() override;

  // For the connections: a part of the group that has been started, or one alone.
  NcclBatch& open_batch();
  void close_batch();

 private:
  SimulatedNcclOptions options_;
  std::vector<c10::Stream> streams_;
  std::unique_ptr<NcclBatch> batch_;
  bool in_group_ = false;
};

// From now on the connections of all workers report this failure; empty: none.
void fail_simulated_nccl(const std::string& text);

// Operations that NCCL has done so far, of all workers.
std::int64_t simulated_nccl_operations();

}  // namespace pipedream::testing
