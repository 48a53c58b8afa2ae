// Every plan of a small model on one or two levels, with the three policies for every stage, each costed by the
// formulas of DAPPLE's planner with the sums written out. Shares no code with the planner.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "oracle.h"
#include "partitioner/dapple_latency.h"

namespace pipedream::testing {

double dapple_formulas_us(const std::vector<detail::DappleStage>& stages, std::int64_t microbatches);

struct OracleDevices {
  std::vector<int> workers;     // of the next stage, in the order of replicas
  bool is_append_first = true;  // not of another policy alone
};

// Of the topology, which has one level or two; each set of workers once.
std::vector<OracleDevices> devices_by_policies(const Topology& topology, const std::vector<bool>& in_use, int need);

class DappleOracle {
 public:
  // The algorithm counts where memory is limited.
  DappleOracle(const Profile& profile, const Topology& topology, const PartitionOptions& options);

  // What a microbatch takes in each plan that fits into memory, least first.
  std::vector<double> all();
  // After all(): the least where all stages are placed append-first, and where no reduction takes time.
  double least_append_first_us() const { return least_append_first_us_; }
  double least_unreduced_us() const { return least_unreduced_us_; }

 private:
  struct Placed {
    Layers before;
    Layers until;
    std::vector<int> workers;
  };

  void extend(std::vector<Placed>& stages, std::vector<bool>& in_use, bool append_first);
  void finish(const std::vector<Placed>& stages, bool append_first);
  bool fits(const std::vector<Placed>& stages);
  detail::DappleStage compute(const Placed& stage) const;
  detail::DappleStage transfer(const Placed& from, const Placed& to) const;
  std::size_t meeting_level(int worker, int other) const;

  const Profile& profile_;
  const Topology& topology_;
  const PartitionOptions& options_;
  const std::vector<Layers> cuts_;
  const std::vector<CrossingBytes> crossing_;  // by the layers before
  std::map<std::vector<std::int64_t>, std::int64_t> stage_bytes_;
  std::vector<double> found_;
  double least_append_first_us_ = 1e300;
  double least_unreduced_us_ = 1e300;
};

}  // namespace pipedream::testing
