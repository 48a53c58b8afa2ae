// What a plan costs: the questions that a search asks, and the answers of the PipeDream paper.
//
// A stage is a range [first, end) of the graph order; a cut is named by the first layer after it. Times are
// microseconds per microbatch of the whole pipeline.
#pragma once

#include <cstdint>
#include <vector>

#include "pipedream/profile.h"
#include "pipedream/topology.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

// Pure functions of their arguments: the same doubles each time, which the search relies on.
class CostModel {
 public:
  virtual ~CostModel() = default;

  virtual int layers() const = 0;
  virtual double link_us(int cut) const = 0;
  virtual double stage_us(int first, int end, int replicas) const = 0;
  // The least replicas, up to `most`, with which stage_us keeps the bound; most + 1: none. Never falls when `end` grows
  // or `first` falls.
  virtual int replicas_needed(int first, int end, double bound_us, int most) const = 0;
  // No plan covers the layers before `end` within the bound with fewer workers. At most `most` + 1.
  virtual int workers_needed(int end, double bound_us, int most) const = 0;
};

// The links of one level: how long bytes take, and the reduction of a stage's gradients.
class LevelLinks {
 public:
  // Throws ConfigError for more than one level. Without a level (one worker) nothing is ever sent.
  explicit LevelLinks(const Topology& topology);

  // Both directions of a cut, one message each. The paper's 2 a / B where every tensor has a gradient and latency is 0.
  double transfer_us(std::int64_t forward_bytes, std::int64_t backward_bytes) const;
  // One round of a stage: 2 (m - 1) W / B, as in the paper; 2 (m - 1) / m * W / rate where the rate of a reduction was
  // measured, which then has its latency in it.
  double allreduce_us(std::int64_t parameter_bytes, int replicas) const;
  // T(m) = max(C, allreduce_us) / m.
  double stage_us(double compute_us, std::int64_t parameter_bytes, int replicas) const;

 private:
  double bytes_per_us_;
  double latency_us_;
  double reduced_bytes_per_us_ = 0;  // 0: not measured
};

// Bytes that cross a cut, each tensor once, whatever the number of its users.
struct CutBytes {
  std::int64_t forward = 0;
  std::int64_t backward = 0;
};

// The model of SOSP'19, section 3.1, on one level.
class PaperCosts : public CostModel {
 public:
  PaperCosts(const Profile& profile, const Topology& topology);

  int layers() const override { return static_cast<int>(compute_us_.size()) - 1; }
  double link_us(int cut) const override { return link_us_[static_cast<std::size_t>(cut)]; }
  double stage_us(int first, int end, int replicas) const override;
  int replicas_needed(int first, int end, double bound_us, int most) const override;
  int workers_needed(int end, double bound_us, int most) const override;

  double compute_us(int first, int end) const;
  std::int64_t parameter_bytes(int first, int end) const;
  const LevelLinks& links() const { return links_; }

 private:
  LevelLinks links_;
  std::vector<double> compute_us_;             // sums over the first i layers
  std::vector<std::int64_t> parameter_bytes_;  // the same
  std::vector<double> link_us_;                // by cut
};

}  // namespace pipedream::detail
