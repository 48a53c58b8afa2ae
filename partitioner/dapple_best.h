// The best of the plans that DAPPLE's planner tries.
#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "partitioner/dapple_latency.h"
#include "partitioner/dapple_planner.h"

namespace pipedream::detail {

class BestDapplePlans {
 public:
  BestDapplePlans(const DappleOptions& options, int workers)
      : options_(options), workers_(workers), keeps_all_(options.keep_few) {}

  // What a microbatch takes in the plan with these costs. stages(): its stages, asked for where it is among the best.
  template <typename Stages>
  double consider(const std::vector<DappleStage>& costs, int used, std::size_t stage_count, const Stages& stages) {
    const double us = microbatch_us(costs, used);
    if (options_.use_all && used < workers_) return us;
    const auto place = keeps_all_ ? best_.end() : place_of({us, used, stage_count});
    if (!keeps_all_ && place == best_.end() && best_.size() >= options_.most) return us;
    best_.insert(place, {us, stages()});
    if (!keeps_all_ && best_.size() > options_.most) best_.pop_back();
    return us;
  }

  // Plans are not few: without those so far.
  void restart();
  // Best first.
  std::vector<DapplePlan> take();

 private:
  using Rank = std::tuple<double, int, std::size_t>;

  static Rank rank(const DapplePlan& plan);
  double microbatch_us(const std::vector<DappleStage>& costs, int used) const;
  // Behind those that are as good.
  std::vector<DapplePlan>::iterator place_of(const Rank& mine);

  const DappleOptions& options_;
  const int workers_;
  bool keeps_all_;
  std::vector<DapplePlan> best_;
};

}  // namespace pipedream::detail
