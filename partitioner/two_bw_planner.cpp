#include "partitioner/two_bw_planner.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <unordered_map>

#include "partitioner/footprints.h"
#include "partitioner/index.h"
#include "partitioner/level_links.h"
#include "partitioner/pipeline_costs.h"
#include "pipedream/schedule.h"

namespace pipedream::detail {
namespace {

struct Shape {
  int width = 1;
  int depth = 1;
  bool stages_first = true;  // a stage's workers are neighbours, else those of a pipeline
  bool recompute = false;
};

class EqualWidthPlanner {
 public:
  EqualWidthPlanner(const Profile& profile, const PlanningStates& states, const Topology& topology,
                    const EqualWidthOptions& options)
      : states_(states), topology_(topology), options_(options), footprints_(profile) {}

  std::vector<EqualWidthPlan> plans() {
    for (const Shape& shape : shapes()) {
      if (add_best(shape) || !may_recompute()) continue;
      Shape recomputing = shape;
      recomputing.recompute = true;
      add_best(recomputing);
    }
    return std::move(best_);
  }

 private:
  // The sooner one is fast, the fewer others have to be solved: those of most workers first.
  std::vector<Shape> shapes() const {
    std::vector<Shape> shapes;
    const int workers = topology_.workers();
    for (int width = 1; width <= (options_.straight ? 1 : workers); ++width) {
      for (int depth = 1; depth <= std::min(workers / width, states_.last()); ++depth) {
        if (!options_.use_all || width * depth == workers) shapes.push_back({width, depth, true, false});
      }
    }
    const auto has_more = [](const Shape& a, const Shape& b) { return a.width * a.depth > b.width * b.depth; };
    std::stable_sort(shapes.begin(), shapes.end(), has_more);
    return shapes;
  }

  bool may_recompute() const { return limit_bytes() > 0 && !traits_of(options_.under.algorithm).overwrites; }

  std::int64_t limit_bytes() const { return topology_.memory_bytes_per_worker; }

  // Of both placements. False: memory has no room for the shape.
  bool add_best(Shape shape) {
    const double least_us = extra(shape) * states_.compute_us(states_.last()) / shape.depth / shape.width;
    if (least_us * (1 - 1e-9) > worst_us()) return true;
    std::optional<EqualWidthPlan> best = solve(shape);
    const bool has_room = best.has_value();
    shape.stages_first = false;
    if (topology_.levels.size() > 1 && shape.width > 1 && shape.depth > 1) {
      auto other = solve(shape);
      if (other && (!best || other->microbatch_us < best->microbatch_us)) best = std::move(other);
    }
    if (best) add(std::move(*best));
    return has_room || best || limit_bytes() == 0;
  }

  void add(EqualWidthPlan plan) {
    const auto rank = [](const EqualWidthPlan& of) {
      const std::size_t workers = of.stages.size() * of.stages.front().workers.size();
      return std::make_tuple(of.microbatch_us, workers, of.stages.size());
    };
    const auto place =
        std::find_if(best_.begin(), best_.end(), [&](const EqualWidthPlan& other) { return rank(plan) < rank(other); });
    best_.insert(place, std::move(plan));
    if (best_.size() > options_.most) best_.pop_back();
  }

  // Slower plans are not asked for.
  double worst_us() const { return best_.size() < options_.most ? kInfinity : best_.back().microbatch_us; }

  static double extra(const Shape& shape) { return shape.recompute ? 4.0 / 3 : 1; }

  // least[d][s]: the least t of d stages up to state s. A stage's compute alone bounds where it can begin.
  std::optional<EqualWidthPlan> solve(const Shape& shape) {
    set_links(shape);
    // A shape recomputes where it has no room otherwise, however slow it is otherwise.
    const bool needs_answer = may_recompute() && !shape.recompute;
    const double most_us = needs_answer ? kInfinity : worst_us() * shape.width;
    std::vector<std::vector<double>> least(at(shape.depth) + 1, std::vector<double>(at(states_.count()), kInfinity));
    std::vector<std::vector<int>> from(at(shape.depth) + 1, std::vector<int>(at(states_.count()), -1));
    least[0][0] = 0;
    for (int d = 1; d <= shape.depth; ++d) {
      for (int end = d; end <= states_.last(); ++end) {
        double& best = least[at(d)][at(end)];
        for (int first = end - 1; first >= d - 1; --first) {
          const double compute_us = extra(shape) * states_.compute_us(first, end);
          if (compute_us >= best || compute_us > most_us) break;
          const double before_us = least[at(d) - 1][at(first)];
          if (before_us >= best || !states_.nested(first, end)) continue;
          const double us = std::max(before_us, stage_us(shape, first, end));
          if (us >= best) continue;
          best = us;
          from[at(d)][at(end)] = first;
        }
      }
    }
    if (least.back().back() == kInfinity) return std::nullopt;
    return EqualWidthPlan{least.back().back() / shape.width, shape.recompute, stages_of(shape, from)};
  }

  double stage_us(const Shape& shape, int first, int end) {
    if (limit_bytes() > 0 && bytes(shape, first, end) > limit_bytes()) return kInfinity;
    const double in_us = transfers_->transfer_us(first > 0 ? states_.cut(first).forward : 0,
                                                 end < states_.last() ? states_.cut(end).backward : 0);
    const double reduce_us = reductions_->allreduce_us(states_.parameter_bytes(first, end), shape.width);
    return std::max(extra(shape) * states_.compute_us(first, end) + in_us, reduce_us / rounds_);
  }

  std::int64_t bytes(const Shape& shape, int first, int end) {
    const auto [place, is_new] = walked_.try_emplace(std::int64_t{first} * states_.count() + end);
    if (is_new) place->second = footprints_.of(states_, first, end).pass;
    const PassMemory& pass = place->second;
    const std::int64_t in = pass.received + pass.data;
    const std::int64_t in_flight = options_.under.algorithm == Algorithm::gpipe ? rounds_ : shape.depth;
    const std::int64_t versions = traits_of(options_.under.algorithm).flushes ? 1 : 2;
    const std::int64_t kept = pass.held - pass.received;
    const std::int64_t activations = shape.recompute ? kept + in_flight * in : in_flight * (kept + in);
    return versions * states_.parameter_bytes(first, end) + activations;
  }

  // Where stages meet and where replicas do; microbatches of a replica in an update.
  void set_links(const Shape& shape) {
    const int all = shape.width * shape.depth;
    transfers_.emplace(level_of(shape.stages_first ? all : shape.depth, all));
    reductions_.emplace(level_of(shape.stages_first ? shape.width : all, all));
    Plan plan;
    plan.algorithm = options_.under.algorithm;
    plan.microbatches_per_update = options_.under.microbatches_per_update;
    const bool has_warmup = traits_of(plan.algorithm).has_warmup;
    int next = 0;
    for (const int warmup : default_warmup(std::vector<int>(at(shape.depth), shape.width))) {
      StagePlan& stage = plan.stages.emplace_back();
      stage.warmup = has_warmup ? warmup : 0;
      for (int q = 0; q < shape.width; ++q) stage.workers.push_back(next++);
    }
    rounds_ = std::max<std::int64_t>(1, microbatches_per_update(plan, 0) / shape.width);
  }

  // That holds every block of so many workers together, of all that are used.
  const TopologyLevel& level_of(int block, int all) const {
    int size = 1;
    for (const TopologyLevel& level : topology_.levels) {
      size *= level.count;
      if (size % block == 0 || size >= all) return level;
    }
    return topology_.levels.back();
  }

  std::vector<PlacedStage> stages_of(const Shape& shape, const std::vector<std::vector<int>>& from) const {
    std::vector<PlacedStage> stages(at(shape.depth));
    for (int d = shape.depth, end = states_.last(); d > 0; --d) {
      PlacedStage& stage = stages[at(d) - 1];
      stage = {from[at(d)][at(end)], end, {}};
      for (int q = 0; q < shape.width; ++q) {
        stage.workers.push_back(shape.stages_first ? (d - 1) * shape.width + q : q * shape.depth + d - 1);
      }
      end = stage.first;
    }
    return stages;
  }

  const PlanningStates& states_;
  const Topology& topology_;
  const EqualWidthOptions& options_;
  StageFootprints footprints_;
  std::unordered_map<std::int64_t, PassMemory> walked_;  // by both states
  std::optional<LevelLinks> transfers_;
  std::optional<LevelLinks> reductions_;
  std::int64_t rounds_ = 1;
  std::vector<EqualWidthPlan> best_;
};

}  // namespace

std::vector<EqualWidthPlan> equal_width_plans(const Profile& profile, const PlanningStates& states,
                                              const Topology& topology, const EqualWidthOptions& options) {
  return EqualWidthPlanner(profile, states, topology, options).plans();
}

}  // namespace pipedream::detail
