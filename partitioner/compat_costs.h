// The arithmetic of the released optimizer of PipeDream (github.com/msr-fiddle/pipedream,
// optimizer/optimizer_graph_hierarchical.py, with --activation_compression_ratio 1) on one level, so that its published
// plans can be checked.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/compat_states.h"
#include "partitioner/pipeline_costs.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

// Of a stage with C, weights W and activations A on m of N components, B the bandwidth of the level:
// - first: (C + 4 (m - 1) / m W / B / components below) / m; it pays nothing for what it sends;
// - later: the greatest of (C + 4 (m - 1) / m W / B) / m and 2 a / (B m) for each of its two cuts; the end of the model
//   is no cut;
// - memory: ceil(after / m) (A + W), `after` the components that come after it.
// `below` has C: null on the innermost level. Exactly N components are used.
class CompatCosts final : public PipelineCosts {
 public:
  struct Level {
    double bandwidth_bytes_per_us = kInfinity;
    int components_below = 1;  // of the next level in one of this level; 1: none
    int workers_below = 1;     // of all levels below
  };
  // memory_bytes 0: no limit.
  CompatCosts(const CompatGraph& graph, const Level& level, const StageTable* below, std::int64_t memory_bytes);

  double first_stage_us(int first, int end, int replicas) const override;
  double later_stage_us(int first, int end, int replicas) const override;
  void first_stage_times(int first, int end, int most, double* us) const override;
  void later_stage_times(int first, int end, int most, double* us) const override;
  bool fits(int first, int end, int replicas, int after) const override;
  bool limits_memory() const override { return memory_bytes_ > 0; }
  bool grows_with_range() const override { return false; }
  int workers_below() const override { return level_.workers_below; }

  // The least number from 2 on, up to `most`, with which first_stage_us or later_stage_us keeps the bound; else
  // most + 1. From 2 on both fall with every further one.
  int first_replicas_needed(int first, int end, double bound_us, int most) const;
  int later_replicas_needed(int first, int end, double bound_us, int most) const;
  // fits() with `after` components says the same as replicas >= ceil(after / batches_that_fit); 0: none fits.
  std::int64_t batches_that_fit(int first, int end) const;
  // x = 4 W / B; a later stage reduces in x (m - 1) / m.
  double parameter_us(int first, int end) const;
  double component_us(int first, int end) const {
    return below_ ? below_->at(first, end) : states().compute_us(first, end);
  }

 private:
  double first_us(double component_us, double parameter_us, int replicas) const;
  double cuts_us(int first, int end) const;

  const CompatGraph& graph_;
  Level level_;
  const StageTable* below_;
  std::int64_t memory_bytes_;
  std::vector<double> transfer_us_;  // by state: 2 a / B
};

}  // namespace pipedream::detail
