#include "partitioner/dapple_planner.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>

#include "partitioner/dapple_latency.h"
#include "partitioner/dapple_stages.h"
#include "partitioner/index.h"
#include "partitioner/pipeline_costs.h"

namespace pipedream::detail {
namespace {

using PlacedStages = std::vector<PlacedStage>;

int workers_of(const PlacedStages& stages) {
  std::size_t sum = 0;
  for (const PlacedStage& stage : stages) sum += stage.workers.size();
  return static_cast<int>(sum);
}

class DapplePlanner {
 public:
  DapplePlanner(const Profile& profile, const PlanningStates& states, const Topology& topology,
                const DappleOptions& options)
      : states_(states),
        options_(options),
        workers_(topology.workers()),
        stages_(profile, states, topology, workers_ > kMostPlaced),
        keeps_all_(options.keep_few) {}

  std::vector<DapplePlan> plans() {
    if (!extend(stages_.none())) {
      best_.clear();
      keeps_all_ = false;
      recur();
    }
    const auto is_better = [](const DapplePlan& plan, const DapplePlan& other) { return rank(plan) < rank(other); };
    if (keeps_all_) std::stable_sort(best_.begin(), best_.end(), is_better);
    return std::move(best_);
  }

 private:
  // What stands at (cut, devices in use) in the recurrence.
  struct Cell {
    double microbatch_us = kInfinity;  // with the rest as one stage
    DappleBegun begun;
  };

  // One more stage, and the rest as another.
  struct Step {
    DappleChoice stage;
    DappleChoice rest;
    int after = 0;  // the number of stage.after
  };

  // All plans that begin so. False: there are too many.
  bool extend(const DappleBegun& begun) {
    const int first = begun.stages.empty() ? 0 : begun.stages.back().end;
    if (first == states_.last()) {
      consider(begun.costs, begun.used, begun.stages.size(), [&] { return begun.stages; });
      return ++tried_ <= options_.few;
    }
    const int most = std::min(workers_ - begun.used, options_.straight ? 1 : workers_);
    if (most == 0) return ++tried_ <= options_.few;
    std::vector<DappleChoice> choices;
    for (int replicas = 1; replicas <= most; ++replicas) {
      auto more = choices_after(begun, replicas);
      choices.insert(choices.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    for (int end = first + 1; end <= states_.last(); ++end) {
      if (!states_.nested(first, end)) continue;
      for (const DappleChoice& choice : choices) {
        if (!extend(stages_.longer(begun, first, end, choice))) return false;
      }
    }
    return true;
  }

  void recur() {
    const std::vector<int> cuts = chosen_cuts();
    std::vector<std::vector<Cell>> cells(cuts.size());  // by cut and by the number of what is in use
    consider_whole(stages_.none());
    cells[0].resize(at(number_of(stages_.none().in_use)) + 1);
    cells[0].back() = {0, stages_.none()};
    for (std::size_t c = 0; c + 1 < cuts.size(); ++c) {
      keep_best(cells[c]);
      for (std::size_t in_use = 0; in_use < cells[c].size(); ++in_use) {
        const Cell& cell = cells[c][in_use];
        if (cell.microbatch_us == kInfinity) continue;
        if (steps_[in_use].empty()) steps_[in_use] = steps_from(cell.begun);
        const std::vector<Step>& steps = steps_[in_use];
        const std::vector<DappleCosts::Levels> crossed = crossed_to(steps, cell.begun);
        for (std::size_t next = c + 1; next + 1 < cuts.size(); ++next) {
          if (!states_.nested(cuts[c], cuts[next])) continue;
          cells[next].resize(std::max(cells[next].size(), steps_.size()));
          for (std::size_t n = 0; n < steps.size(); ++n) {
            take(cell.begun, cuts[c], cuts[next], steps[n], crossed[n], cells[next][at(steps[n].after)]);
          }
        }
        if (workers_ > kMostPlaced) steps_[in_use].clear();
      }
      cells[c].clear();
    }
  }

  int number_of(const DevicesInUse& in_use) {
    const auto [place, is_new] = numbers_.try_emplace(in_use, static_cast<int>(numbers_.size()));
    if (is_new) steps_.emplace_back();
    return place->second;
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

  void consider_whole(const DappleBegun& none) {
    for (const DappleChoice& choice : choices_after(none, options_.straight ? 1 : workers_)) {
      const DappleBegun whole = stages_.longer(none, 0, states_.last(), choice);
      consider(whole.costs, whole.used, 1, [&] { return whole.stages; });
    }
  }

  // Of those with as many workers in use. With one policy there is only one.
  void keep_best(std::vector<Cell>& cells) const {
    const std::size_t most = at(std::max(1, kMostCells / workers_));
    std::map<int, std::vector<double>> by_used;
    for (const Cell& cell : cells) by_used[cell.begun.used].push_back(cell.microbatch_us);
    for (auto& [used, costs] : by_used) {
      std::sort(costs.begin(), costs.end());
      costs.resize(std::min(costs.size(), most));
    }
    for (Cell& cell : cells) {
      if (cell.microbatch_us > by_used[cell.begun.used].back()) cell.microbatch_us = kInfinity;
    }
  }

  // By microbatches that come to the stage of each step.
  std::vector<DappleCosts::Levels> crossed_to(const std::vector<Step>& steps, const DappleBegun& begun) const {
    std::vector<DappleCosts::Levels> crossed(steps.size(), 0);
    for (std::size_t s = 0; s < steps.size() && !begun.stages.empty(); ++s) {
      const bool is_same = s > 0 && steps[s].after == steps[s - 1].after;
      crossed[s] = is_same ? crossed[s - 1] : stages_.levels_to(steps[s].stage, begun.stages.back().workers);
    }
    return crossed;
  }

  // A straight plan leaves workers idle.
  std::vector<Step> steps_from(const DappleBegun& begun) {
    const int step = (workers_ + kMostCounts - 1) / kMostCounts;
    std::vector<Step> steps;
    for (int more = 1; begun.used + more < workers_; more = more < step ? step : more + step) {
      const int left = options_.straight ? 1 : workers_ - begun.used - more;
      for (const DappleChoice& choice : stages_.choices(begun.in_use, {}, more)) {
        const int after = number_of(choice.after);
        for (DappleChoice& rest : stages_.choices(choice.after, choice.workers, left)) {
          steps.push_back({choice, std::move(rest), after});
        }
      }
      if (options_.straight) break;
    }
    return steps;
  }

  std::vector<DappleChoice> choices_after(const DappleBegun& begun, int replicas) const {
    static const std::vector<int> kNone;
    return stages_.choices(begun.in_use, begun.stages.empty() ? kNone : begun.stages.back().workers, replicas);
  }

  void take(const DappleBegun& begun, int first, int end, const Step& step, DappleCosts::Levels crossed, Cell& cell) {
    const int used = begun.used + step.stage.replicas();
    line_ = begun.costs;
    stages_.add_costs(last_replicas(begun.stages), crossed, first, end, step.stage, line_);
    const std::size_t own = line_.size();
    stages_.add_costs(step.stage.replicas(), step.rest.from_before, end, states_.last(), step.rest, line_);
    const double us = consider(line_, used + step.rest.replicas(), begun.stages.size() + 2, [&] {
      PlacedStages stages = begun.stages;
      stages.push_back({first, end, step.stage.workers});
      stages.push_back({end, states_.last(), step.rest.workers});
      return stages;
    });
    if (us >= cell.microbatch_us) return;
    line_.resize(own);
    cell = {us, {begun.stages, line_, step.stage.after, used}};
    cell.begun.stages.push_back({first, end, step.stage.workers});
  }

  // stages(): of the plan with these costs, asked for where it is among the best.
  template <typename Stages>
  double consider(const std::vector<DappleStage>& costs, int used, std::size_t stage_count, const Stages& stages) {
    // By default that of the workers in use: idle ones among them, which the plan's own would count, gain nothing.
    const std::int64_t chosen = options_.under.microbatches_per_update;
    const std::int64_t update = chosen > 0 ? chosen : std::int64_t{4} * used;
    const double us = dapple_latency_us(costs, update) / static_cast<double>(update);
    if (options_.use_all && used < workers_) return us;
    const auto place = keeps_all_ ? best_.end() : place_of({us, used, stage_count});
    if (place == best_.end() && best_.size() >= options_.most && !keeps_all_) return us;
    best_.insert(place, {us, stages()});
    if (best_.size() > options_.most && !keeps_all_) best_.pop_back();
    return us;
  }

  using Rank = std::tuple<double, int, std::size_t>;

  static Rank rank(const DapplePlan& plan) { return {plan.microbatch_us, workers_of(plan.stages), plan.stages.size()}; }

  // Behind those that are as good.
  std::vector<DapplePlan>::iterator place_of(const Rank& mine) {
    if (!best_.empty() && std::get<double>(mine) > best_.back().microbatch_us) return best_.end();
    return std::upper_bound(best_.begin(), best_.end(), mine,
                            [](const Rank& less, const DapplePlan& other) { return less < rank(other); });
  }

  static constexpr int kMostCuts = 40;
  static constexpr int kMostCounts = 16;
  static constexpr int kMostPlaced = 64;  // workers
  static constexpr int kMostCells = 128;

  const PlanningStates& states_;
  const DappleOptions& options_;
  const int workers_;
  const DappleStages stages_;
  bool keeps_all_;
  std::size_t tried_ = 0;
  std::map<DevicesInUse, int> numbers_;
  std::vector<std::vector<Step>> steps_;  // by number; empty: not known
  std::vector<DappleStage> line_;
  std::vector<DapplePlan> best_;
};

}  // namespace

std::vector<DapplePlan> dapple_plans(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                     const DappleOptions& options) {
  return DapplePlanner(profile, states, topology, options).plans();
}

}  // namespace pipedream::detail
