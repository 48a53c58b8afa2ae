#include "partitioner/paper_pass.h"

#include <algorithm>

namespace pipedream::detail {

PaperPass::PaperPass(const PaperCosts& costs, const PaperPassOptions& options, StageMemory* memory,
                     const InnerOut& inner)
    : costs_(costs),
      states_(costs.states()),
      options_(options),
      memory_(memory),
      inner_(inner),
      covers_(static_cast<std::size_t>(options.end) + 1),
      fewest_(covers_.size(), options.components + 1) {
  covers(options_.end) = {Cover{0, options_.out, 0, 0, 0, 0}};
  fewest_.back() = 0;
  const int begin = std::max(options_.begin, 0);
  for (int first = options_.end - 1; first >= begin; --first) {
    const bool can_begin = options_.begin < 0 || first == begin || states_.nested(begin, first);
    if (can_begin && states_.nested(first, options_.end)) cover_from(first);
  }
}

void PaperPass::cover_from(int first) {
  const int begin = options_.begin;
  const int most = options_.components;
  const bool has_stages_before = begin >= 0 && first > begin;
  if (has_stages_before && costs_.link_us(first) > options_.bound_us) return;
  const int before = has_stages_before ? costs_.components_needed(begin, first, options_.bound_us, most) : 0;
  most_ = most - before;
  if (most_ < 1 || costs_.components_needed(first, options_.end, options_.bound_us, most_) > most_) return;
  // In a straight plan the states before are covered by one component a stage, each with a layer at least.
  fewest_allowed_ = options_.straight && options_.use_all && begin >= 0 ? most - (first - begin) : 0;
  by_components_.assign(fewest_suffice() ? 1 : static_cast<std::size_t>(most_) + 1, {});
  // What is inside of a longer stage is slower, unless all components must find work in a short one.
  const bool longer_is_slower = states_.are_ordered() && (costs_.is_innermost() || !options_.use_all);
  // Components per compute, at least.
  const double per_us = (1 - 1e-9) / (options_.bound_us * costs_.workers_below());
  const double first_us = states_.compute_us(first) + 1e-9 * states_.compute_us(states_.last());
  for (int end = first + 1; end <= options_.end; ++end) {
    if (memory_ && !inner_ && states_.are_ordered() && memory_->is_hopeless(first, end)) break;
    const double least = std::max(1.0, (states_.compute_us(end) - first_us) * per_us);
    if (fewest_[static_cast<std::size_t>(end)] + least > most_) continue;
    if (!states_.nested(first, end)) continue;
    if (memory_ && !inner_ && !memory_->may_fit(first, end)) continue;
    const int limit = options_.straight ? std::min(most_, 1) : most_;
    const int needed = costs_.replicas_needed(first, end, options_.bound_us, limit);
    if (needed > limit) {
      if (longer_is_slower) break;
      continue;
    }
    keeps_bound_.clear();
    for (std::size_t i = 0; i < covers(end).size(); ++i) {
      const Cover& later = covers(end)[i];
      if (later.components + needed > most_) break;  // they stand in the order of their components
      add_stage(first, end, needed, later, static_cast<int>(i));
    }
  }
  collect(covers(first));
  const bool may_follow = costs_.link_us(first) <= options_.bound_us;
  if (may_follow && !covers(first).empty()) {
    fewest_[static_cast<std::size_t>(first)] = covers(first).front().components;
  }
}

// Puts the stage [first, end) before a cover, with each number of replicas that may lead to the best plan.
void PaperPass::add_stage(int first, int end, int needed, const Cover& later, int index) {
  int most_replicas = options_.straight || fewest_suffice() ? needed : most_ - later.components;
  for (int replicas = needed; replicas <= most_replicas; ++replicas) {
    const auto more = static_cast<std::size_t>(replicas - needed);
    if (more == keeps_bound_.size()) {
      keeps_bound_.push_back(costs_.stage_us(first, end, replicas) <= options_.bound_us ? 1 : 0);
    }
    if (keeps_bound_[more] == 0) continue;
    Cover cover{later.components + replicas, 0, later.stages + 1, end, replicas, index};
    if (memory_) {
      cover.out = out_before({first, end, replicas, {}}, later.out);
      if (cover.out < 0) continue;
      // r replicas have at most later.out + 2 r - 1 microbatches out, 2 r replicas at least that and one more.
      if (!options_.use_all && !inner_) most_replicas = std::min(most_replicas, 2 * replicas - 1);
    }
    if (cover.components >= fewest_allowed_) keep_if_better(cover);
  }
}

int PaperPass::out_before(const FoundStage& stage, int out) const {
  if (inner_) return inner_(stage, out);
  const int replicas = stage.replicas * options_.copies;
  const int warmup = memory_->has_depth() ? (out + replicas - 1) / replicas : 0;
  if (!memory_->fits({stage.first, stage.end, replicas, warmup})) return -1;
  return memory_->has_depth() ? replicas * (warmup + 1) : 0;
}

void PaperPass::keep_if_better(const Cover& cover) {
  if (fewest_suffice()) {
    auto& best = by_components_.front();
    const auto is_better = [&](const Cover& other) {
      return cover.components < other.components ||
             (cover.components == other.components && cover.stages < other.stages);
    };
    if (best.empty() || is_better(best.front())) best = {cover};
    most_ = std::min(most_, cover.components);
    return;
  }
  auto& list = by_components_[static_cast<std::size_t>(cover.components)];
  const auto no_better = [](const Cover& a, const Cover& b) { return a.out >= b.out && a.stages >= b.stages; };
  for (const Cover& other : list) {
    if (no_better(cover, other)) return;
  }
  std::erase_if(list, [&](const Cover& other) { return no_better(other, cover); });
  list.push_back(cover);
}

// Ascending in components. Where idle ones are allowed, more of them must at least mean fewer microbatches out.
void PaperPass::collect(std::vector<Cover>& covers) const {
  int least_out = std::numeric_limits<int>::max();
  for (const auto& list : by_components_) {
    int least_here = least_out;
    for (const Cover& cover : list) {
      if (!options_.use_all && cover.out >= least_out) continue;
      covers.push_back(cover);
      least_here = std::min(least_here, cover.out);
    }
    least_out = least_here;
  }
}

const PaperPass::Cover* PaperPass::best_from(int first) const {
  const Cover* best = nullptr;
  // Only of a range inside others it matters how many are out.
  const auto rank = [&](const Cover& cover) {
    return std::tuple(options_.begin < 0 ? cover.out : 0, cover.components, cover.stages);
  };
  for (const Cover& cover : covers(first)) {
    if (options_.use_all && cover.components != options_.components) continue;
    if (!best || rank(cover) < rank(*best)) best = &cover;
  }
  return best;
}

std::vector<FoundStage> PaperPass::stages_from(int first) const {
  std::vector<FoundStage> stages;
  const Cover* cover = best_from(first);
  while (cover && first < options_.end) {
    stages.push_back({first, cover->end, cover->replicas, {}});
    first = cover->end;
    cover = &covers(first)[static_cast<std::size_t>(cover->next)];
  }
  return stages;
}

std::vector<int> PaperPass::out_after(int first) const {
  std::vector<int> result;
  const Cover* cover = best_from(first);
  while (cover && first < options_.end) {
    first = cover->end;
    cover = &covers(first)[static_cast<std::size_t>(cover->next)];
    result.push_back(cover->out);
  }
  return result;
}

int PaperPass::least_out(int first) const {
  const Cover* best = best_from(first);
  return best ? best->out : -1;
}

}  // namespace pipedream::detail
