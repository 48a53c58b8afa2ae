// Sums over NCCL, in buckets. The host's group of the same name sums the weights, and finds out whether the members
// mean the same sum.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/ledger.h"
#include "transport/nccl/engine.h"

namespace pipedream::detail {

class NcclReduceGroup final : public ReduceGroup {
 public:
  NcclReduceGroup(NcclEngine& engine, std::vector<int> members, int place, int id);
  ~NcclReduceGroup() override;
  void post(torch::Tensor buffer, double weight, std::vector<bool> present) override;
  double wait() override;

 private:
  struct Posted {
    at::Tensor buffer;
    StreamMark done;
  };
  StreamMark start(const at::Tensor& buffer, std::int64_t index);

  NcclEngine& engine_;
  const std::vector<int> members_;
  const int place_;
  const int id_;
  Ledger ledger_;
  NcclLane& lane_;
  std::unique_ptr<ReduceGroup> host_;
  std::deque<Posted> posted_;
};

}  // namespace pipedream::detail
