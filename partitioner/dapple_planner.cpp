#include "partitioner/dapple_planner.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "partitioner/dapple_latency.h"
#include "partitioner/index.h"
#include "partitioner/level_links.h"
#include "partitioner/neighbours.h"
#include "partitioner/pipeline_costs.h"

namespace pipedream::detail {
namespace {

using PlacedStages = std::vector<PlacedStage>;

class DapplePlanner {
 public:
  DapplePlanner(const Profile& profile, const PlanningStates& states, const Topology& topology,
                const DappleOptions& options)
      : states_(states), topology_(topology), options_(options), workers_(topology.workers()) {
    for (int s = 0; s < states.count(); ++s) {
      double sum_us = 0;
      states.set(s).for_each([&](int layer) { sum_us += profile.layers[at(layer)].forward_us; });
      forward_us_.push_back(sum_us);
    }
    for (const TopologyLevel& level : topology.levels) links_.emplace_back(level);
  }

  std::vector<DapplePlan> plans() {
    if (const auto all = all_plans(states_, {workers_, options_.straight, options_.use_all}, options_.few)) {
      for (const PlacedStages& stages : *all) add(stages);
    } else {
      recur();
    }
    return std::move(best_);
  }

 private:
  // What stands at (cut, workers) in the recurrence.
  struct Cell {
    double microbatch_us = kInfinity;  // with the rest as one stage
    PlacedStages stages;
  };

  void recur() {
    const std::vector<int> cuts = chosen_cuts();
    const int step = (workers_ + kMostCounts - 1) / kMostCounts;
    std::vector<std::vector<Cell>> cells(cuts.size(), std::vector<Cell>(at(workers_) + 1));
    cells[0][0].microbatch_us = consider({}, 0);
    for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
      for (int used = 0; used < workers_; ++used) {
        if (cells[c][at(used)].microbatch_us == kInfinity) continue;
        for (std::size_t next = c + 1; next + 1 < cuts.size(); ++next) {
          if (!states_.nested(cuts[c], cuts[next])) continue;
          for (int more = 1; used + more < workers_; more = more < step ? step : more + step) {
            PlacedStages longer = cells[c][at(used)].stages;
            longer.push_back(stage(cuts[c], cuts[next], used, more));
            const double us = consider(longer, used + more);
            Cell& cell = cells[next][at(used + more)];
            if (us < cell.microbatch_us) cell = {us, std::move(longer)};
            if (options_.straight) break;
          }
        }
      }
    }
  }

  // Evenly spaced by compute.
  std::vector<int> chosen_cuts() const {
    std::vector<int> cuts{0};
    const double step_us = states_.compute_us(states_.last()) / kMostCuts;
    for (int s = 1; s < states_.last(); ++s) {
      const bool is_far = states_.compute_us(cuts.back(), s) >= step_us;
      if ((states_.last() <= kMostCuts || is_far) && states_.nested(0, s)) cuts.push_back(s);
    }
    cuts.push_back(states_.last());
    return cuts;
  }

  // The plan with all other layers as one stage. A straight one leaves workers idle.
  double consider(PlacedStages stages, int used) {
    const int first = stages.empty() ? 0 : stages.back().end;
    stages.push_back(stage(first, states_.last(), used, options_.straight ? 1 : workers_ - used));
    return add(stages);
  }

  static PlacedStage stage(int first, int end, int used, int replicas) {
    PlacedStage result{first, end, {}};
    for (int q = 0; q < replicas; ++q) result.workers.push_back(used + q);
    return result;
  }

  double add(const PlacedStages& stages) {
    const double us = microbatch_us(stages);
    const int used = stages.back().workers.back() + 1;
    if (options_.use_all && used < workers_) return us;
    const auto rank = [](double of_us, const PlacedStages& of) {
      return std::make_tuple(of_us, of.back().workers.back(), of.size());
    };
    const auto place = std::find_if(best_.begin(), best_.end(), [&](const DapplePlan& other) {
      return rank(us, stages) < rank(other.microbatch_us, other.stages);
    });
    if (place == best_.end() && best_.size() == options_.most) return us;
    best_.insert(place, {us, stages});
    if (best_.size() > options_.most) best_.pop_back();
    return us;
  }

  double microbatch_us(const PlacedStages& stages) {
    alternating_.clear();
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const PlacedStage& placed = stages[s];
      const auto replicas = static_cast<double>(placed.workers.size());
      const double forward_us = forward_us_[at(placed.end)] - forward_us_[at(placed.first)];
      const double compute_us = states_.compute_us(placed.first, placed.end);
      const LevelLinks& own = links_[meeting_level(placed.workers.front(), placed.workers.back())];
      alternating_.push_back({forward_us / replicas, (compute_us - forward_us) / replicas,
                              own.allreduce_us(states_.parameter_bytes(placed.first, placed.end),
                                               static_cast<int>(placed.workers.size()))});
      if (s + 1 < stages.size()) alternating_.push_back(transfer(placed, stages[s + 1]));
    }
    const std::int64_t update = update_of(stages);
    return dapple_latency_us(alternating_, update) / static_cast<double>(update);
  }

  DappleStage transfer(const PlacedStage& from, const PlacedStage& to) const {
    const LevelLinks& links = links_[meeting_level(from.workers.front(), to.workers.back())];
    const auto lanes = static_cast<double>(std::min(from.workers.size(), to.workers.size()));
    const CutBytes& cut = states_.cut(from.end);
    return {links.transfer_us(cut.forward, 0) / lanes, links.transfer_us(0, cut.backward) / lanes, 0};
  }

  std::int64_t update_of(const PlacedStages& stages) const {
    if (options_.under.microbatches_per_update > 0) return options_.under.microbatches_per_update;
    return std::int64_t{4} * (stages.back().workers.back() + 1);
  }

  std::size_t meeting_level(int worker, int other) const {
    std::size_t level = 0;
    for (int size = topology_.levels[0].count; worker / size != other / size && level + 1 < topology_.levels.size();) {
      size *= topology_.levels[++level].count;
    }
    return level;
  }

  static constexpr int kMostCuts = 40;
  static constexpr int kMostCounts = 16;

  const PlanningStates& states_;
  const Topology& topology_;
  const DappleOptions& options_;
  const int workers_;
  std::vector<double> forward_us_;  // by state
  std::vector<LevelLinks> links_;   // by level
  std::vector<DappleStage> alternating_;
  std::vector<DapplePlan> best_;
};

}  // namespace

std::vector<DapplePlan> dapple_plans(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                     const DappleOptions& options) {
  return DapplePlanner(profile, states, topology, options).plans();
}

}  // namespace pipedream::detail
