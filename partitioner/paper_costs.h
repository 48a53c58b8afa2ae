// The cost model of the PipeDream paper (SOSP'19, section 3.1) on one level.
#pragma once

#include <vector>

#include "partitioner/level_links.h"
#include "partitioner/pipeline_costs.h"

namespace pipedream::detail {

// A stage takes T(m) = max(C, 2 (m - 1) W / B) / m, a cut 2 a / B. `below` has C, what one component needs for a stage:
// null on the innermost level, where it is the compute.
class PaperCosts final : public PipelineCosts {
 public:
  PaperCosts(const PlanningStates& states, const TopologyLevel& level, const StageTable* below, int workers_below);

  double first_stage_us(int first, int end, int replicas) const override { return stage_us(first, end, replicas); }
  double later_stage_us(int first, int end, int replicas) const override;
  bool grows_with_range() const override { return true; }
  int workers_below() const override { return workers_below_; }

  double link_us(int cut) const { return link_us_[static_cast<std::size_t>(cut)]; }
  double stage_us(int first, int end, int replicas) const;
  // Where each replica needs so long, whatever the table says.
  double stage_us(double component_us, const FoundStage& stage) const {
    return links_.stage_us(component_us, states().parameter_bytes(stage.first, stage.end), stage.replicas);
  }
  bool is_innermost() const { return below_ == nullptr; }
  // C of the stage.
  double component_us(int first, int end) const {
    return below_ ? below_->at(first, end) : states().compute_us(first, end);
  }
  // The least replicas, up to `most`, with which stage_us keeps the bound; most + 1: none.
  int replicas_needed(int first, int end, double bound_us, int most) const;
  // No plan covers the range within the bound with fewer components. At most `most` + 1.
  int components_needed(int first, int end, double bound_us, int most) const;
  const LevelLinks& links() const { return links_; }

 private:
  LevelLinks links_;
  const StageTable* below_;
  int workers_below_;
  std::vector<double> link_us_;  // by state
};

}  // namespace pipedream::detail
