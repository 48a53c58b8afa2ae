#include "partitioner/compat_search.h"

#include <algorithm>
#include <bit>

#include "partitioner/bound_search.h"

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
      counts_(static_cast<std::size_t>(options.end - options.first) + 1) {}

std::optional<std::vector<FoundStage>> CompatSearch::plan_within(double bound_us) {
  bound_us_ = bound_us;
  for (Counts& of : counts_) of.clear(options_.components);
  counts(options_.end).add(0);
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

// Neither this nor a longer stage can help where each is in the next: neither one component nor several would do it
// together with all that comes after it.
bool CompatSearch::is_beyond(int first, int end, int most) const {
  const double each_us = bound_us_ * costs_.workers_below();
  if (states_.compute_us(first, end) - slack_us_ <= each_us) return false;
  // (m - 1) / m is at least 1 / 2.
  const double reduction_us = costs_.parameter_us(first, end) * costs_.workers_below() / 2;
  return states_.compute_us(first, options_.end) - slack_us_ + reduction_us > each_us * most * (1 + 1e-9);
}

void CompatSearch::cover_from(int first) {
  const double before_us = states_.compute_us(options_.first, first) - slack_us_;
  const double before = std::max(1.0, std::ceil(before_us / (bound_us_ * costs_.workers_below())));
  if (!(before < options_.components)) return;
  const int most = options_.components - static_cast<int>(before);
  int replicated = most + 1;  // the least number with a replicated stage here
  Counts& here = counts(first);
  for (int end = first + 1; end <= options_.end; ++end) {
    if (states_.are_ordered() && is_beyond(first, end, std::min(most, replicated - 1))) break;
    if (!can_follow(first, end)) continue;
    here.add_one_more(counts(end), greatest_after_single(first, end, most - 1));
    if (!options_.straight) replicated = std::min(replicated, components_with(first, end, replicated - 1));
  }
  here.add_from(replicated, most);
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
  const double least_us = states_.compute_us(first, end) / costs_.workers_below() - slack_us_ +
                          costs_.parameter_us(first, end) / 2;
  if (least_us > bound_us_ * most_replicas * (1 + 1e-9)) return most + 1;
  int replicas = costs_.later_replicas_needed(first, end, bound_us_, most_replicas);
  if (costs_.limits_memory() && after > 0) {
    const std::int64_t batches = costs_.batches_that_fit(first, end);
    if (batches == 0) return most + 1;
    replicas = static_cast<int>(std::max<std::int64_t>(replicas, (after + batches - 1) / batches));
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

// Longest stages first: few stages.
FoundStage CompatSearch::stage_from(int first, int components) const {
  for (int end = options_.end; end > first; --end) {
    if (!can_follow(first, end)) continue;
    for (const int after : {counts(end).least(), components - 1}) {
      const int replicas = components - after;
      if (replicas < 1 || (replicas > 1 && options_.straight) || !counts(end).contains(after)) continue;
      if (costs_.later_stage_us(first, end, replicas) <= bound_us_ && costs_.fits(first, end, replicas, after)) {
        return {first, end, replicas, {}};
      }
    }
  }
  return {};
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
  return least_bottleneck(costs, lower, [&](double bound_us) { return search.plan_within(bound_us); });
}

}  // namespace pipedream::detail
