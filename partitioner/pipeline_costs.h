// What a pipeline costs on one level of the topology: the questions that the solvers ask.
//
// A stage is [first, end), two nested planning states; a range of states is cut into stages, each on some of the
// level's components (workers, or servers of them). Times are microseconds per microbatch of the whole pipeline.
#pragma once

#include <limits>
#include <vector>

#include "partitioner/states.h"

namespace pipedream::detail {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Pure functions of their arguments: the same doubles each time, which the solvers rely on. Infinity: cannot be.
class PipelineCosts {
 public:
  explicit PipelineCosts(const PlanningStates& states) : states_(states) {}
  virtual ~PipelineCosts() = default;
  PipelineCosts(const PipelineCosts&) = delete;
  PipelineCosts& operator=(const PipelineCosts&) = delete;

  const PlanningStates& states() const { return states_; }

  // The first stage of a range, or its only one.
  virtual double first_stage_us(int first, int end, int replicas) const = 0;
  // Any other, together with what it has to do for its links.
  virtual double later_stage_us(int first, int end, int replicas) const = 0;
  // Both for 1 to `most` replicas, by replicas less one: the same doubles.
  virtual void first_stage_times(int first, int end, int most, double* us) const {
    for (int replicas = 1; replicas <= most; ++replicas) us[replicas - 1] = first_stage_us(first, end, replicas);
  }
  virtual void later_stage_times(int first, int end, int most, double* us) const {
    for (int replicas = 1; replicas <= most; ++replicas) us[replicas - 1] = later_stage_us(first, end, replicas);
  }
  // Whether memory allows the stage when so many of the level's components do what comes after it.
  virtual bool fits(int /*first*/, int /*end*/, int /*replicas*/, int /*after*/) const { return true; }
  virtual bool limits_memory() const { return false; }
  // Where states are ordered: the least bottleneck of a range, on any components up to some number, is no less than
  // that of a range inside it.
  virtual bool grows_with_range() const = 0;
  // Workers of one component: no stage is done in less than compute / (replicas * workers_below).
  virtual int workers_below() const = 0;

 private:
  const PlanningStates& states_;
};

// A number for each stage [first, end).
class StageTable {
 public:
  explicit StageTable(int states)
      : states_(static_cast<std::size_t>(states)), values_(states_ * (states_ - 1) / 2, kInfinity) {}

  double& at(int first, int end) { return values_[index(first, end)]; }
  double at(int first, int end) const { return values_[index(first, end)]; }

 private:
  std::size_t index(int first, int end) const {
    const auto e = static_cast<std::size_t>(end);
    return e * (e - 1) / 2 + static_cast<std::size_t>(first);
  }

  std::size_t states_;
  std::vector<double> values_;
};

struct FoundStage {
  int first = 0;
  int end = 0;
  int replicas = 1;
  std::vector<FoundStage> inner;  // how each replica is cut, on the level below; empty on the innermost one
};

double bottleneck_us(const PipelineCosts& costs, const std::vector<FoundStage>& stages);

}  // namespace pipedream::detail
