#include "partitioner/neighbours.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "partitioner/index.h"

namespace pipedream::detail {
namespace {

using Stages = std::vector<PlacedStage>;

int replicas_of(const PlacedStage& stage) { return static_cast<int>(stage.workers.size()); }

class Neighbours {
 public:
  Neighbours(const Stages& stages, const PlanningStates& states, const NeighbourOptions& options)
      : stages_(stages), states_(states), options_(options) {
    for (const PlacedStage& stage : stages) {
      replicas_.push_back(replicas_of(stage));
      used_ += replicas_.back();
    }
  }

  std::vector<Stages> all() {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      if (s + 1 < stages_.size()) move_boundary(s);
      if (!options_.straight) change_replicas(s);
      if (s + 1 < stages_.size()) merge(s);
      split(s);
    }
    return std::move(found_);
  }

 private:
  // On each side the nearest states, by compute, that make two stages of these layers.
  void move_boundary(std::size_t s) {
    constexpr int kEachSide = 2;
    const int from = stages_[s].first;
    const int to = stages_[s + 1].end;
    for (const int step : {-1, 1}) {
      int moves = 0;
      for (int cut = stages_[s].end + step; cut > from && cut < to && moves < kEachSide; cut += step) {
        if (!states_.nested(from, cut) || !states_.nested(cut, to)) continue;
        Stages moved = stages_;
        moved[s].end = cut;
        moved[s + 1].first = cut;
        found_.push_back(std::move(moved));
        ++moves;
      }
    }
  }

  // One more from the idle workers, one less, or one from another stage.
  void change_replicas(std::size_t s) {
    if (used_ < options_.workers) add_with(s, 1, s);
    if (replicas_[s] == 1) return;
    if (!options_.use_all) add_with(s, -1, s);
    for (std::size_t t = 0; t < stages_.size(); ++t) {
      if (t != s) add_with(s, -1, t);
    }
  }

  // The second stage, where it is another one, gets what the first gives.
  void add_with(std::size_t s, int more, std::size_t other) {
    std::vector<int> replicas = replicas_;
    replicas[s] += more;
    if (other != s) replicas[other] -= more;
    add(stages_, replicas);
  }

  void merge(std::size_t s) {
    if (options_.straight && options_.use_all) return;
    Stages merged = stages_;
    std::vector<int> replicas = replicas_;
    merged[s].end = merged[s + 1].end;
    merged.erase(merged.begin() + static_cast<std::ptrdiff_t>(s) + 1);
    replicas[s] = options_.straight ? 1 : replicas[s] + replicas[s + 1];
    replicas.erase(replicas.begin() + static_cast<std::ptrdiff_t>(s) + 1);
    add(std::move(merged), replicas);
  }

  // Each half has its share of the compute.
  void split(std::size_t s) {
    const int workers = replicas_[s] + (used_ < options_.workers ? 1 : 0);
    for (int total = std::max(2, replicas_[s]); total <= workers; ++total) {
      for (int before = 1; before < total; ++before) {
        if (options_.straight && total > 2) continue;
        const int cut = cut_at(s, static_cast<double>(before) / total);
        if (cut < 0) continue;
        Stages cut_in_two = stages_;
        std::vector<int> replicas = replicas_;
        cut_in_two[s].end = cut;
        cut_in_two.insert(cut_in_two.begin() + static_cast<std::ptrdiff_t>(s) + 1, {cut, stages_[s].end, {}});
        replicas[s] = before;
        replicas.insert(replicas.begin() + static_cast<std::ptrdiff_t>(s) + 1, total - before);
        add(std::move(cut_in_two), replicas);
      }
    }
  }

  // The state inside the stage that has nearest to this part of its compute before it; -1: there is none.
  int cut_at(std::size_t s, double part) const {
    const PlacedStage& stage = stages_[s];
    const double wanted = states_.compute_us(stage.first) + part * states_.compute_us(stage.first, stage.end);
    int nearest = -1;
    for (int cut = stage.first + 1; cut < stage.end; ++cut) {
      if (!states_.nested(stage.first, cut) || !states_.nested(cut, stage.end)) continue;
      const double off = std::abs(states_.compute_us(cut) - wanted);
      if (nearest < 0 || off < std::abs(states_.compute_us(nearest) - wanted)) nearest = cut;
    }
    return nearest;
  }

  void add(Stages stages, const std::vector<int>& replicas) {
    int next = 0;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      stages[s].workers.clear();
      for (int q = 0; q < replicas[s]; ++q) stages[s].workers.push_back(next++);
    }
    found_.push_back(std::move(stages));
  }

  const Stages& stages_;
  const PlanningStates& states_;
  const NeighbourOptions options_;
  std::vector<int> replicas_;
  int used_ = 0;
  std::vector<Stages> found_;
};

class AllPlans {
 public:
  AllPlans(const PlanningStates& states, const NeighbourOptions& options, std::size_t most)
      : states_(states), options_(options), most_(most) {}

  std::optional<std::vector<Stages>> all() {
    Stages none;
    if (!extend(none, 0, 0)) return std::nullopt;
    return std::move(found_);
  }

 private:
  // False: there are too many.
  bool extend(Stages& begun, int state, int used) {
    if (state == states_.last()) {
      if (!options_.use_all || used == options_.workers) found_.push_back(begun);
      return ++tried_ <= most_;
    }
    const int most_replicas = options_.straight ? std::min(1, options_.workers - used) : options_.workers - used;
    if (most_replicas == 0) return ++tried_ <= most_;
    for (int end = state + 1; end <= states_.last(); ++end) {
      if (!states_.nested(state, end)) continue;
      begun.push_back({state, end, {}});
      for (int replicas = 1; replicas <= most_replicas; ++replicas) {
        begun.back().workers.push_back(used + replicas - 1);
        if (!extend(begun, end, used + replicas)) return false;
      }
      begun.pop_back();
    }
    return true;
  }

  const PlanningStates& states_;
  const NeighbourOptions options_;
  const std::size_t most_;
  std::size_t tried_ = 0;
  std::vector<Stages> found_;
};

}  // namespace

std::optional<std::vector<Stages>> all_plans(const PlanningStates& states, const NeighbourOptions& options,
                                             std::size_t most) {
  return AllPlans(states, options, most).all();
}

std::vector<Stages> neighbours(const Stages& stages, const PlanningStates& states, const NeighbourOptions& options) {
  return Neighbours(stages, states, options).all();
}

}  // namespace pipedream::detail
