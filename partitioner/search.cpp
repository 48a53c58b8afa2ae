#include "partitioner/search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pipedream::detail {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kHalvings = 12;

// How the layers from some `first` on can be covered.
struct State {
  int workers = 0;
  int out = 0;  // r (w + 1) of its first stage, 0 where memory does not count
  int stages = 0;
  int end = 0;  // of its first stage
  int replicas = 0;
  int next = 0;  // index among the states from `end` on
};

// The greatest depths that fit, for the stages that begin at one layer.
class DepthRow {
 public:
  DepthRow(const MemoryLimit& memory, int first, int layers) : first_(first), layers_(layers) {
    for (StageFootprint footprint : memory.footprints.row(first)) {
      for (const int copies : {0, 1, 2}) depth_[copies].push_back(greatest_depth_of(footprint, copies, memory));
      // Longer stages may hold fewer tensors, but never fewer parameters.
      footprint.pass = {};
      if (greatest_depth_of(footprint, 0, memory) < 0) break;
    }
  }

  // No stage that ends there or later fits at any depth.
  bool hopeless(int end) const { return end - first_ > static_cast<int>(depth_[0].size()); }

  int greatest_depth(int end, int replicas) const {
    const bool only_stage = first_ == 0 && end == layers_;
    // Replicas hold the sum of a round; where they reduce with a delay, the next one too.
    const int copies = replicas == 1 ? 0 : only_stage ? 1 : 2;
    return depth_[copies][static_cast<std::size_t>(end - first_ - 1)];
  }

 private:
  static int greatest_depth_of(const StageFootprint& footprint, int copies, const MemoryLimit& memory) {
    const StageUse use{.gradient_copies = copies, .optimizer_state_factor = memory.optimizer_state_factor};
    return greatest_warmup(memory_costs(footprint, use), memory.limit_bytes);
  }

  int first_;
  int layers_;
  std::vector<int> depth_[3];  // by copies of the gradient
};

// Is there a plan whose every stage and link keeps a bound?
class BoundedSearch {
 public:
  BoundedSearch(const CostModel& costs, const MemoryLimit* memory, const SearchOptions& options)
      : costs_(costs), memory_(memory), options_(options), states_(static_cast<std::size_t>(costs.layers()) + 1) {}

  std::optional<std::vector<FoundStage>> plan_within(double bound_us) {
    bound_us_ = bound_us;
    states_.back() = {State{}};
    for (int first = costs_.layers() - 1; first >= 0; --first) cover_from(first);
    return best_plan();
  }

 private:
  // Without a memory limit and with idle workers allowed, nothing speaks for more workers than needed.
  bool fewest_workers_suffice() const { return !memory_ && !options_.use_all_workers; }

  void cover_from(int first) {
    auto& states = states_[static_cast<std::size_t>(first)];
    states.clear();
    if (first > 0 && costs_.link_us(first) > bound_us_) return;
    const int before = first > 0 ? costs_.workers_needed(first, bound_us_, options_.workers) : 0;
    // In a straight plan the layers before are covered by one worker a stage, each with a layer at least.
    fewest_allowed_ = options_.straight && options_.use_all_workers ? options_.workers - first : 0;
    most_ = options_.workers - before;
    by_workers_.assign(static_cast<std::size_t>(std::max(most_, 0)) + 1, {});
    if (memory_) depths_.emplace(*memory_, first, costs_.layers());
    for (int end = first + 1; end <= costs_.layers(); ++end) {
      const int most = options_.straight ? std::min(most_, 1) : most_;
      if (most < 1 || (memory_ && depths_->hopeless(end))) break;
      const int needed = costs_.replicas_needed(first, end, bound_us_, most);
      if (needed > most) break;
      for (std::size_t i = 0; i < states_[static_cast<std::size_t>(end)].size(); ++i) {
        const State& later = states_[static_cast<std::size_t>(end)][i];
        if (later.workers + needed > most_) break;  // they stand in the order of their workers
        add_stage(first, end, needed, later, static_cast<int>(i));
      }
    }
    collect(states);
  }

  // Puts the stage [first, end) before a state, with each number of replicas that may lead to the best plan.
  void add_stage(int first, int end, int needed, const State& later, int index) {
    int most_replicas = options_.straight || fewest_workers_suffice() ? needed : most_ - later.workers;
    for (int replicas = needed; replicas <= most_replicas; ++replicas) {
      if (costs_.stage_us(first, end, replicas) > bound_us_) continue;
      State state{later.workers + replicas, 0, later.stages + 1, end, replicas, index};
      if (memory_) {
        const int warmup = (later.out + replicas - 1) / replicas;
        if (warmup > depths_->greatest_depth(end, replicas)) continue;
        state.out = replicas * (warmup + 1);
        // r replicas have at most later.out + 2 r - 1 microbatches out, 2 r replicas at least that and one more.
        if (!options_.use_all_workers) most_replicas = std::min(most_replicas, 2 * replicas - 1);
      }
      if (state.workers >= fewest_allowed_) keep_if_better(state);
    }
  }

  void keep_if_better(const State& state) {
    if (fewest_workers_suffice()) most_ = std::min(most_, state.workers);
    auto& list = by_workers_[static_cast<std::size_t>(state.workers)];
    const auto no_better = [](const State& a, const State& b) { return a.out >= b.out && a.stages >= b.stages; };
    for (const State& other : list) {
      if (no_better(state, other)) return;
    }
    std::erase_if(list, [&](const State& other) { return no_better(other, state); });
    list.push_back(state);
  }

  // Ascending in workers. Where idle workers are allowed, more workers must at least mean fewer microbatches out.
  void collect(std::vector<State>& states) const {
    int least_out = std::numeric_limits<int>::max();
    for (const auto& list : by_workers_) {
      int least_here = least_out;
      for (const State& state : list) {
        if (!options_.use_all_workers && state.out >= least_out) continue;
        states.push_back(state);
        least_here = std::min(least_here, state.out);
      }
      least_out = least_here;
    }
  }

  std::optional<std::vector<FoundStage>> best_plan() const {
    const State* best = nullptr;
    for (const State& state : states_.front()) {
      if (options_.use_all_workers && state.workers != options_.workers) continue;
      const bool better =
          !best || state.workers < best->workers || (state.workers == best->workers && state.stages < best->stages);
      if (better) best = &state;
    }
    if (!best) return std::nullopt;
    std::vector<FoundStage> plan;
    for (int first = 0; first < costs_.layers();) {
      plan.push_back({first, best->end, best->replicas});
      first = best->end;
      best = &states_[static_cast<std::size_t>(first)][static_cast<std::size_t>(best->next)];
    }
    return plan;
  }

  const CostModel& costs_;
  const MemoryLimit* memory_;
  const SearchOptions options_;
  double bound_us_ = 0;
  std::vector<std::vector<State>> states_;  // by first layer, ascending in workers
  // While the states of one layer are made:
  std::optional<DepthRow> depths_;
  std::vector<std::vector<State>> by_workers_;
  int fewest_allowed_ = 0;
  int most_ = 0;
};

// Expects that no bound below `lower` can be kept.
std::optional<std::vector<FoundStage>> least_bound(const CostModel& costs, BoundedSearch& search, double lower) {
  if (auto plan = search.plan_within(lower)) return plan;
  // Steps that double find an upper bound near the lower one, where a pass is cheap; past twice the lower one, any.
  std::optional<std::vector<FoundStage>> plan;
  double upper = lower;
  for (double step = lower * 0x1p-6; !plan; step *= 2) {
    if (upper == kInfinity) return std::nullopt;
    lower = upper;
    upper = step > 0 && step < lower ? lower + step : kInfinity;
    plan = search.plan_within(upper);
  }
  upper = bottleneck_us(costs, *plan);
  // Halve; when the two are near, ask for anything better than the best, until there is none.
  for (int halvings = 0; lower < upper; ++halvings) {
    const double below = std::nextafter(upper, 0);
    const bool finish = halvings >= kHalvings && halvings % 2 == 0;
    const double bound = finish ? below : lower + (upper - lower) / 2;
    if (bound <= lower || bound > below) break;
    if (const auto better = search.plan_within(bound)) {
      upper = bottleneck_us(costs, *better);
    } else {
      lower = bound;
    }
  }
  return search.plan_within(upper);
}

}  // namespace

double bottleneck_us(const CostModel& costs, const std::vector<FoundStage>& stages) {
  double worst = 0;
  for (const FoundStage& stage : stages) {
    worst = std::max(worst, costs.stage_us(stage.first, stage.end, stage.replicas));
    if (stage.first > 0) worst = std::max(worst, costs.link_us(stage.first));
  }
  return worst;
}

std::optional<std::vector<FoundStage>> fastest_pipeline(const CostModel& costs, const MemoryLimit* memory,
                                                        const SearchOptions& options) {
  // Without limits first: that is fast, often already within the limits, and a lower bound otherwise.
  SearchOptions relaxed = options;
  relaxed.use_all_workers = false;
  BoundedSearch unlimited(costs, nullptr, relaxed);
  auto plan = least_bound(costs, unlimited, 0);
  if (!plan || (!memory && !options.use_all_workers)) return plan;
  BoundedSearch limited(costs, memory, options);
  return least_bound(costs, limited, bottleneck_us(costs, *plan));
}

}  // namespace pipedream::detail
