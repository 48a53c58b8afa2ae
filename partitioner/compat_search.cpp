#include "partitioner/compat_search.h"

#include <algorithm>
#include <cmath>

#include "partitioner/bound_search.h"
#include "partitioner/index.h"

namespace pipedream::detail {

void CompatSearch::Counts::clear(int components) {
  words_.assign(static_cast<std::size_t>(components) / 64 + 1, 0);
  least_ = -1;
}

bool CompatSearch::Counts::contains(int count) const {
  return count >= 0 && ((words_[static_cast<std::size_t>(count) / 64] >> (count % 64)) & 1) != 0;
}

void CompatSearch::Counts::add(int count) {
  words_[static_cast<std::size_t>(count) / 64] |= std::uint64_t{1} << (count % 64);
  if (least_ < 0 || count < least_) least_ = count;
}

void CompatSearch::Counts::add_from(int count, int most) {
  for (int c = count; c <= most; ++c) add(c);
}

void CompatSearch::Counts::add_one_more(const Counts& other, int most_before) {
  if (other.is_empty() || other.least_ > most_before) return;
  const auto last = static_cast<std::size_t>(most_before) / 64;
  const std::uint64_t mask = ~std::uint64_t{0} >> (63 - most_before % 64);
  std::uint64_t carry = 0;
  for (std::size_t w = static_cast<std::size_t>(other.least_) / 64; w <= last; ++w) {
    const std::uint64_t word = other.words_[w] & (w == last ? mask : ~std::uint64_t{0});
    words_[w] |= (word << 1) | carry;
    carry = word >> 63;
  }
  if (carry != 0) words_[last + 1] |= carry;
  if (least_ < 0 || other.least_ + 1 < least_) least_ = other.least_ + 1;
}

CompatSearch::CompatSearch(const CompatCosts& costs, const CompatOptions& options)
    : costs_(costs),
      states_(costs.states()),
      options_(options),
      slack_us_(1e-9 * states_.compute_us(states_.last())),
      counts_(static_cast<std::size_t>(options.end - options.first) + 1) {
  for (int s = 0; s < states_.count(); ++s) {
    least_us_.push_back(states_.compute_us(s) / costs.workers_below());
    parameter_us_.push_back(costs.parameter_us(0, s));
  }
}

std::optional<std::vector<FoundStage>> CompatSearch::plan_within(double bound_us) {
  bound_us_ = bound_us;
  for (Counts& of : counts_) of.clear(options_.components);
  need_us_.assign(counts_.size(), kInfinity);
  block_need_us_.assign(counts_.size() / kBlock + 1, kInfinity);
  replicated_.assign(counts_.size(), {options_.components + 1, 0});
  counts(options_.end).add(0);
  note_need(options_.end);
  for (int first = options_.end - 1; first > options_.first; --first) {
    if (states_.nested(options_.first, first) && states_.nested(first, options_.end)) cover_from(first);
  }
  const auto first = first_stage();
  if (!first) return std::nullopt;
  return plan_from(*first);
}

bool CompatSearch::can_follow(int first, int end) const {
  return !counts(end).is_empty() && states_.nested(first, end);
}

void CompatSearch::cover_from(int first) {
  const double before_us = least_us_[at(first)] - least_us_[at(options_.first)] - slack_us_;
  const double before = std::max(1.0, std::ceil(before_us / bound_us_));
  if (!(before < options_.components)) return;
  const int most = options_.components - static_cast<int>(before);
  add_singles(first, most);
  const Replicated best = best_replicated(first, most);
  replicated_[at(first - options_.first)] = best;
  counts(first).add_from(best.components, most);
  if (!counts(first).is_empty()) note_need(first);
}

void CompatSearch::note_need(int state) {
  const double need_us = counts(state).least() * bound_us_ + least_us_[at(state)] + parameter_us_[at(state)] / 2;
  const std::size_t index = at(state - options_.first);
  need_us_[index] = need_us;
  block_need_us_[index / kBlock] = std::min(block_need_us_[index / kBlock], need_us);
}

// Stages of one component; states are sorted by compute.
void CompatSearch::add_singles(int first, int most) {
  const double first_us = least_us_[at(first)] + slack_us_;
  for (int end = first + 1; end <= options_.end && least_us_[at(end)] - first_us <= bound_us_; ++end) {
    if (can_follow(first, end)) counts(first).add_one_more(counts(end), greatest_after_single(first, end, most - 1));
  }
}

// Of replicas a reduction takes x (m - 1) / m >= x / 2.
CompatSearch::Replicated CompatSearch::best_replicated(int first, int most) const {
  Replicated best{most + 1, 0};
  if (options_.straight) return best;
  const double first_us = least_us_[at(first)] + parameter_us_[at(first)] / 2 + slack_us_;
  const auto room_us = [&] { return first_us + bound_us_ * (1 + 1e-9) * (best.components - 1); };
  const int count = options_.end - options_.first + 1;
  double room = room_us();
  for (int index = first - options_.first + 1; index < count;) {
    const int block_end = std::min(count, (index / kBlock + 1) * kBlock);
    if (block_need_us_[at(index / kBlock)] > room) index = block_end;
    for (; index < block_end; ++index) {
      const int end = options_.first + index;
      if (need_us_[at(index)] > room || !can_follow(first, end)) continue;
      const int components = components_with(first, end, best.components - 1);
      if (components >= best.components) continue;
      best = {components, end};
      room = room_us();
    }
  }
  return best;
}

// With how many components after it one can do the stage; -1: none.
int CompatSearch::greatest_after_single(int first, int end, int most) const {
  if (!(costs_.later_stage_us(first, end, 1) <= bound_us_)) return -1;
  if (!costs_.limits_memory()) return most;
  return static_cast<int>(std::min<std::int64_t>(most, costs_.batches_that_fit(first, end)));
}

// The least number from `first` on when the stage is replicated; more than `most`: too many.
int CompatSearch::components_with(int first, int end, int most) const {
  const int after = counts(end).least();
  const int most_replicas = most - after;
  if (most_replicas < 2) return most + 1;
  int replicas = costs_.later_replicas_needed(first, end, bound_us_, most_replicas);
  if (costs_.limits_memory() && after > 0) {
    const std::int64_t batches = costs_.batches_that_fit(first, end);
    if (batches == 0) return most + 1;
    replicas = static_cast<int>(std::max<std::int64_t>(replicas, (after - 1) / batches + 1));
  }
  return std::min(most + 1, after + replicas);
}

std::optional<FoundStage> CompatSearch::first_stage() const {
  for (int end = options_.end; end > options_.first; --end) {
    if (!can_follow(options_.first, end)) continue;
    // Fewer after it are more replicas: never worse from two on.
    for (const int after : {counts(end).least(), options_.components - 1}) {
      const int replicas = options_.components - after;
      if (replicas < 1 || (replicas > 1 && options_.straight) || !counts(end).contains(after)) continue;
      if (costs_.first_stage_us(options_.first, end, replicas) <= bound_us_ &&
          costs_.fits(options_.first, end, replicas, after)) {
        return FoundStage{options_.first, end, replicas, {}};
      }
    }
  }
  return std::nullopt;
}

FoundStage CompatSearch::stage_from(int first, int components) const {
  const Replicated& best = replicated_[at(first - options_.first)];
  if (components >= best.components) return {first, best.end, components - counts(best.end).least(), {}};
  int end = first + 1;
  const auto is_single = [&] {
    return can_follow(first, end) && counts(end).contains(components - 1) &&
           greatest_after_single(first, end, components - 1) >= components - 1;
  };
  while (!is_single()) ++end;
  return {first, end, 1, {}};
}

std::vector<FoundStage> CompatSearch::plan_from(const FoundStage& first) const {
  std::vector<FoundStage> plan{first};
  int left = options_.components - first.replicas;
  while (plan.back().end < options_.end) {
    plan.push_back(stage_from(plan.back().end, left));
    left -= plan.back().replicas;
  }
  return plan;
}

std::optional<std::vector<FoundStage>> fastest_compat(const CompatCosts& costs, const CompatOptions& options) {
  CompatSearch search(costs, options);
  // Between the sum of the stages' compute and the bound are only roundings.
  const PlanningStates& states = costs.states();
  const double lower = states.compute_us(states.last()) * (1 - 1e-9) / costs.workers_below() / options.components;
  return least_bottleneck(
      lower, [&](double bound_us) { return search.plan_within(bound_us); },
      [&](const std::vector<FoundStage>& plan) { return bottleneck_us(costs, plan); });
}

}  // namespace pipedream::detail
