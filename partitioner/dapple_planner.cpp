#include "partitioner/dapple_planner.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <numeric>

#include "partitioner/dapple_best.h"
#include "partitioner/dapple_stages.h"
#include "partitioner/index.h"
#include "partitioner/neighbours.h"
#include "partitioner/pipeline_costs.h"

namespace pipedream::detail {
namespace {

using PlacedStages = std::vector<PlacedStage>;

class DapplePlanner {
 public:
  DapplePlanner(const Profile& profile, const PlanningStates& states, const Topology& topology,
                const DappleOptions& options)
      : states_(states),
        options_(options),
        workers_(topology.workers()),
        stages_(profile, states, topology, workers_ > kMostPlaced),
        best_(options, workers_) {}

  std::vector<DapplePlan> plans() {
    // Where one policy alone has too many, none is begun: they may have as many stages as there are workers.
    const bool may_be_few =
        all_plans(states_, {workers_, options_.straight, options_.use_all}, options_.few).has_value();
    if (!may_be_few || !extend(stages_.none())) {
      best_.restart();
      recur();
    }
    return best_.take();
  }

 private:
  // What stands at (cut, devices in use) in the recurrence: how it is reached.
  struct Cell {
    double microbatch_us = kInfinity;  // with the rest as one stage
    int from_cut = 0;
    int from = 0;  // number of devices in use
  };

  // One more stage, and the rest as another.
  struct Step {
    DappleChoice stage;
    DappleChoice rest;
    int after = 0;  // the number of stage.after
  };

  struct Devices {
    DevicesInUse in_use;
    int used = 0;
    std::vector<Step> steps;  // empty: not known
  };

  // All plans that begin so. False: there are too many.
  bool extend(const DappleBegun& begun) {
    const int first = begun.stages.empty() ? 0 : begun.stages.back().end;
    if (first == states_.last()) {
      best_.consider(begun.costs, begun.used, begun.stages.size(), [&] { return begun.stages; });
      return ++tried_ <= options_.few;
    }
    const int most = std::min(workers_ - begun.used, options_.straight ? 1 : workers_);
    if (most == 0) return ++tried_ <= options_.few;
    std::vector<DappleChoice> choices;
    for (int replicas = 1; replicas <= most; ++replicas) {
      auto more = stages_.choices(begun.in_use, last_workers(begun), replicas);
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
    cuts_ = chosen_cuts();
    cells_.resize(cuts_.size());
    const DappleBegun none = stages_.none();
    consider_whole(none);
    number_of(none.in_use);
    begun_.resize(cuts_.size());
    begun_[0][0] = none;
    for (int c = 0; at(c) + 1 < cuts_.size(); ++c) {
      begin_best(c);
      for (const auto& [number, begun] : begun_[at(c)]) {
        if (devices_[at(number)].steps.empty()) devices_[at(number)].steps = steps_from(begun);
        extend_to_all(c, number, begun);
        if (workers_ > kMostPlaced) devices_[at(number)].steps.clear();
      }
    }
  }

  void extend_to_all(int c, int number, const DappleBegun& begun) {
    const std::vector<Step>& steps = devices_[at(number)].steps;
    const std::vector<DappleCosts::Levels> crossed = crossed_to(steps, begun);
    for (std::size_t next = at(c) + 1; next + 1 < cuts_.size(); ++next) {
      if (!states_.nested(cuts_[at(c)], cuts_[next])) continue;
      std::vector<Cell>& cells = cells_[next];
      cells.resize(std::max(cells.size(), devices_.size()));
      for (std::size_t n = 0; n < steps.size(); ++n) {
        const double us = take(begun, cuts_[at(c)], cuts_[next], steps[n], crossed[n]);
        Cell& cell = cells[at(steps[n].after)];
        if (us < cell.microbatch_us) cell = {us, c, number};
      }
    }
  }

  int number_of(const DevicesInUse& in_use) {
    const auto [place, is_new] = numbers_.try_emplace(in_use, static_cast<int>(numbers_.size()));
    if (is_new) devices_.push_back({in_use, std::accumulate(in_use.begin(), in_use.end(), 0), {}});
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
    for (const DappleChoice& choice : stages_.choices(none.in_use, {}, options_.straight ? 1 : workers_)) {
      const DappleBegun whole = stages_.longer(none, 0, states_.last(), choice);
      best_.consider(whole.costs, whole.used, 1, [&] { return whole.stages; });
    }
  }

  // Of the cells with as many workers in use the best. With one policy there is only one.
  void begin_best(int c) {
    const std::size_t most = at(std::max(1, kMostCells / workers_));
    std::map<int, std::vector<std::pair<double, int>>> by_used;  // and the number
    const std::vector<Cell>& cells = cells_[at(c)];
    for (std::size_t n = 0; n < cells.size(); ++n) {
      if (cells[n].microbatch_us == kInfinity) continue;
      by_used[devices_[n].used].emplace_back(cells[n].microbatch_us, static_cast<int>(n));
    }
    for (auto& [used, best] : by_used) {
      std::sort(best.begin(), best.end());
      if (best.size() > most) best.resize(most);
      for (const auto& [us, number] : best) {
        const Cell& cell = cells[at(number)];
        const DappleBegun& from = begun_[at(cell.from_cut)].at(cell.from);
        const DappleChoice choice = stages_.choice(from.in_use, last_workers(from), devices_[at(number)].in_use);
        begun_[at(c)][number] = stages_.longer(from, cuts_[at(cell.from_cut)], cuts_[at(c)], choice);
      }
    }
  }

  // By microbatches that come to the stage of each step.
  std::vector<DappleCosts::Levels> crossed_to(const std::vector<Step>& steps, const DappleBegun& begun) {
    std::vector<DappleCosts::Levels> crossed(steps.size(), 0);
    for (std::size_t s = 0; s < steps.size() && !begun.stages.empty(); ++s) {
      const bool is_same = s > 0 && steps[s].after == steps[s - 1].after;
      crossed[s] = is_same ? crossed[s - 1] : crossed_to(steps[s].stage, begun);
    }
    return crossed;
  }

  // By append first alone, stages of as many replicas behind as many workers are on the same ones.
  DappleCosts::Levels crossed_to(const DappleChoice& choice, const DappleBegun& begun) {
    if (workers_ <= kMostPlaced) return stages_.levels_to(choice, last_workers(begun));
    const std::array key{begun.used, last_replicas(begun.stages), choice.replicas()};
    const auto [place, is_new] = crossed_.try_emplace(key, 0);
    if (is_new) place->second = stages_.levels_to(choice, last_workers(begun));
    return place->second;
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

  double take(const DappleBegun& begun, int first, int end, const Step& step, DappleCosts::Levels crossed) {
    line_ = begun.costs;
    stages_.add_costs(last_replicas(begun.stages), crossed, first, end, step.stage, line_);
    stages_.add_costs(step.stage.replicas(), step.rest.from_before, end, states_.last(), step.rest, line_);
    const int used = begun.used + step.stage.replicas() + step.rest.replicas();
    return best_.consider(line_, used, begun.stages.size() + 2, [&] {
      PlacedStages stages = begun.stages;
      stages.push_back({first, end, step.stage.workers});
      stages.push_back({end, states_.last(), step.rest.workers});
      return stages;
    });
  }

  static constexpr int kMostCuts = 40;
  static constexpr int kMostCounts = 16;
  static constexpr int kMostPlaced = 64;  // workers
  static constexpr int kMostCells = 128;

  const PlanningStates& states_;
  const DappleOptions& options_;
  const int workers_;
  const DappleStages stages_;
  std::size_t tried_ = 0;
  std::vector<int> cuts_;
  std::vector<std::vector<Cell>> cells_;           // by cut and by the number of the devices in use
  std::vector<std::map<int, DappleBegun>> begun_;  // the best of them
  std::map<DevicesInUse, int> numbers_;
  std::vector<Devices> devices_;  // by number
  std::map<std::array<int, 3>, DappleCosts::Levels> crossed_;
  std::vector<DappleStage> line_;
  BestDapplePlans best_;
};

}  // namespace

std::vector<DapplePlan> dapple_plans(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                     const DappleOptions& options) {
  return DapplePlanner(profile, states, topology, options).plans();
}

}  // namespace pipedream::detail
