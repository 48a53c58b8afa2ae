#include "schedule/interleaving.h"

#include <algorithm>

#include "schedule/action_writer.h"
#include "schedule/share.h"

namespace pipedream::detail {
namespace {

// The microbatches first, first + 1, ... of update u, then the update of each stage.
void interleave(ActionWriter& out, const Interleaving& order, const std::vector<Place>& places, std::int64_t u,
                std::int64_t per_update, std::int64_t microbatches) {
  const std::int64_t first = u * per_update;
  const std::int64_t count = std::min(per_update, microbatches - first);
  const std::int64_t passes = order.passes(count);
  const std::int64_t lead = order.warmup(passes);
  for (std::int64_t j = 0; j < passes + lead; ++j) {
    if (j < passes) {
      const Interleaving::Pass next = order.forward(j);
      if (next.microbatch < count) out.at(next.stage).forward(first + next.microbatch, u);
    }
    if (j >= lead) {
      const Interleaving::Pass next = order.backward(j - lead);
      if (next.microbatch < count) out.at(next.stage).backward(first + next.microbatch, u);
    }
  }
  for (const Place& place : places) {
    out.at(place.stage).update(u, per_update);
  }
}

void forwards_only(ActionWriter& out, const Interleaving& order, std::int64_t microbatches) {
  for (std::int64_t j = 0; j < order.passes(microbatches); ++j) {
    const Interleaving::Pass next = order.forward(j);
    if (next.microbatch < microbatches) out.at(next.stage).forward(next.microbatch, 0);
  }
}

// One microbatch after the other through all stages and back.
void there_and_back(ActionWriter& out, const std::vector<Place>& places, std::int64_t microbatches) {
  for (std::int64_t k = 0; k < microbatches; ++k) {
    for (const Place& place : places) out.at(place.stage).forward(k, 0);
    for (auto place = places.rbegin(); place != places.rend(); ++place) out.at(place->stage).backward(k, 0);
  }
}

}  // namespace

Interleaving::Interleaving(const Plan& plan, int worker)
    : workers_(plan.workers()),
      chunks_(static_cast<std::int64_t>(plan.stages.size()) / workers_),
      first_stage_(places_of(plan, worker).front().stage),
      per_update_(microbatches_per_update(plan, 0)) {}

Interleaving::Pass Interleaving::pass(std::int64_t chunk, std::int64_t j) const {
  return {static_cast<int>(first_stage_ + chunk * workers_), j / (workers_ * chunks_) * workers_ + j % workers_};
}

Interleaving::Pass Interleaving::forward(std::int64_t j) const { return pass(j / workers_ % chunks_, j); }

Interleaving::Pass Interleaving::backward(std::int64_t j) const {
  return pass(chunks_ - 1 - j / workers_ % chunks_, j);
}

std::int64_t Interleaving::passes(std::int64_t microbatches) const {
  return ceil_div(microbatches, workers_) * workers_ * chunks_;
}

std::int64_t Interleaving::warmup(std::int64_t passes) const {
  // With one group to an update pairs would not end sooner, and transfers have more time the other way.
  if (per_update_ == workers_) return passes;
  return std::min(passes, 2 * (workers_ - 1 - first_stage_) + (chunks_ - 1) * workers_);
}

std::int64_t Interleaving::most_in_flight(int stage) const {
  // Right before the stage's first backward: from there on it goes backward as often as forward in every group.
  const std::int64_t chunk = (stage - first_stage_) / workers_;
  const std::int64_t all = passes(per_update_);
  const std::int64_t done = std::min(all, warmup(all) + 1 + (chunks_ - 1 - chunk) * workers_);
  const std::int64_t group = workers_ * chunks_;
  return done / group * workers_ + std::clamp(done % group - chunk * workers_, std::int64_t{0}, workers_);
}

std::vector<Action> interleaved_actions(const Plan& plan, const Segment& segment, int worker) {
  const Interleaving order(plan, worker);
  const std::vector<Place> places = places_of(plan, worker);
  ActionWriter out(places.front().stage, segment.microbatches);
  const std::int64_t per_update = microbatches_per_update(plan, 0);
  out.reserve(static_cast<std::int64_t>(places.size()) *
              (2 * segment.microbatches + ceil_div(segment.microbatches, per_update)));
  if (segment.pass == Pass::forward_only) {
    forwards_only(out, order, segment.microbatches);
  } else if (segment.pass == Pass::probe) {
    there_and_back(out, places, segment.microbatches);
  } else {
    for (std::int64_t u = 0; u * per_update < segment.microbatches; ++u) {
      interleave(out, order, places, u, per_update, segment.microbatches);
    }
  }
  return out.take();
}

}  // namespace pipedream::detail
