#include "partitioner/compat_search.h"

#include <algorithm>
#include <cmath>

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
      counts_(static_cast<std::size_t>(options.end - options.first) + 1) {
  for (int s = 0; s < states_.count(); ++s) {
    least_us_.push_back(states_.compute_us(s) / costs.workers_below());
    parameter_us_.push_back(costs.parameter_us(0, s));
  }
}

std::optional<std::vector<FoundStage>> CompatSearch::plan_within(double bound_us) {
  bound_us_ = bound_us;
  for (Counts& of : counts_) of.clear(options_.components);
  least_.assign(counts_.size(), options_.components + 1);
  reach_.assign(counts_.size(), 0);
  counts(options_.end).add(0);
  least_.back() = 0;
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
  const auto at = [](int state) { return static_cast<std::size_t>(state); };
  const double before_us = least_us_[at(first)] - least_us_[at(options_.first)] - slack_us_;
  const double before = std::max(1.0, std::ceil(before_us / bound_us_));
  if (!(before < options_.components)) return;
  const int most = options_.components - static_cast<int>(before);
  Counts& here = counts(first);
  const double first_us = least_us_[at(first)] + slack_us_;
  const double rest_us = least_us_[at(options_.end)] - first_us;
  const double roomy_us = bound_us_ * (1 + 1e-9);
  int replicated = most + 1;         // the least number with a replicated stage here
  double room_us = roomy_us * most;  // for anything better than that
  int& reach = reach_[at(first - options_.first)];
  for (int end = first + 1; end <= options_.end; ++end) {
    // Of replicas a reduction takes x (m - 1) / m >= x / 2.
    const double half_us = (parameter_us_[at(end)] - parameter_us_[at(first)]) / 2;
    const double stage_us = least_us_[at(end)] - first_us;
    const bool may_be_single = stage_us <= bound_us_;
    // A longer stage is no better where each state is in the next.
    if (!may_be_single && states_.are_ordered() && rest_us + half_us > room_us) break;
    reach = end;
    const int after = least_[at(end - options_.first)];
    const bool may_be_replicated = stage_us + half_us + after * bound_us_ <= room_us && !options_.straight;
    if ((!may_be_single && !may_be_replicated) || after > most || !states_.nested(first, end)) continue;
    if (may_be_single) here.add_one_more(counts(end), greatest_after_single(first, end, most - 1));
    if (may_be_replicated) replicated = std::min(replicated, components_with(first, end, replicated - 1));
    room_us = roomy_us * std::min(most, replicated - 1);
  }
  here.add_from(replicated, most);
  if (!here.is_empty()) least_[at(first - options_.first)] = here.least();
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

// Longer stages first: fewer of them.
FoundStage CompatSearch::stage_from(int first, int components) const {
  const auto at = [](int state) { return static_cast<std::size_t>(state); };
  const double first_us = least_us_[at(first)] + slack_us_;
  for (int end = reach_[at(first - options_.first)]; end > first; --end) {
    const int most = components - least_[at(end - options_.first)];
    if (most < 1 || least_us_[at(end)] - first_us > bound_us_ * (1 + 1e-9) * most || !can_follow(first, end)) continue;
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
  return least_bottleneck(
      lower, [&](double bound_us) { return search.plan_within(bound_us); },
      [&](const std::vector<FoundStage>& plan) { return bottleneck_us(costs, plan); });
}

}  // namespace pipedream::detail
