#include "partitioner/cost_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

std::vector<CutBytes> cut_bytes(const Profile& profile) {
  // Differences first: a tensor enters the cuts after its producer and leaves them after its last user.
  std::vector<CutBytes> cuts(profile.layers.size() + 1);
  const std::vector<TensorEnds> ends = tensor_ends(profile);
  for (std::size_t t = 0; t < ends.size(); ++t) {
    if (ends[t].consumers.empty()) continue;
    const std::int64_t bytes = profile.tensors[t].bytes;
    const std::int64_t gradient = profile.tensors[t].requires_gradient ? bytes : 0;
    CutBytes& enters = cuts[at(ends[t].producer + 1)];
    CutBytes& leaves = cuts[at(ends[t].consumers.back() + 1)];
    enters.forward += bytes;
    enters.backward += gradient;
    leaves.forward -= bytes;
    leaves.backward -= gradient;
  }
  for (std::size_t c = 1; c < cuts.size(); ++c) {
    cuts[c].forward += cuts[c - 1].forward;
    cuts[c].backward += cuts[c - 1].backward;
  }
  return cuts;
}

// The least m up to `most` with compute_us / m <= bound_us, else most + 1.
int replicas_for_compute(double compute_us, double bound_us, int most) {
  if (compute_us <= bound_us) return 1;
  const double quotient = compute_us / bound_us;
  if (quotient >= static_cast<double>(most) + 1) return most + 1;
  int replicas = static_cast<int>(std::ceil(quotient));
  // Near a whole number the quotient may have rounded to the wrong side; these comparisons are stage_us's own.
  if (std::abs(quotient - std::round(quotient)) < 1e-6) {
    while (replicas > 1 && compute_us / (replicas - 1) <= bound_us) --replicas;
    while (compute_us / replicas > bound_us) ++replicas;
  }
  return std::min(replicas, most + 1);
}

}  // namespace

LevelLinks::LevelLinks(const Topology& topology)
    : bytes_per_us_(std::numeric_limits<double>::infinity()), latency_us_(0) {
  validate(topology);
  if (topology.levels.size() > 1) {
    throw ConfigError(
        fmt::format("only one level of workers can be planned for; the topology has {}", topology.levels.size()));
  }
  if (topology.levels.empty()) return;
  const TopologyLevel& level = topology.levels.front();
  if (level.bandwidth_bytes_per_s > 0) bytes_per_us_ = level.bandwidth_bytes_per_s / 1e6;
  latency_us_ = level.latency_us;
  reduced_bytes_per_us_ = level.allreduce_bytes_per_s / 1e6;
}

double LevelLinks::transfer_us(std::int64_t forward_bytes, std::int64_t backward_bytes) const {
  const int messages = (forward_bytes > 0) + (backward_bytes > 0);
  const double bytes = static_cast<double>(forward_bytes) + static_cast<double>(backward_bytes);
  return bytes / bytes_per_us_ + messages * latency_us_;
}

double LevelLinks::allreduce_us(std::int64_t parameter_bytes, int replicas) const {
  if (replicas == 1 || parameter_bytes == 0) return 0;
  const double steps = 2.0 * (replicas - 1);
  const auto bytes = static_cast<double>(parameter_bytes);
  if (reduced_bytes_per_us_ > 0) return steps * bytes / (replicas * reduced_bytes_per_us_);
  return steps * (bytes / bytes_per_us_ + latency_us_);
}

double LevelLinks::stage_us(double compute_us, std::int64_t parameter_bytes, int replicas) const {
  return std::max(compute_us, allreduce_us(parameter_bytes, replicas)) / replicas;
}

PaperCosts::PaperCosts(const Profile& profile, const Topology& topology) : links_(topology) {
  compute_us_.push_back(0);
  parameter_bytes_.push_back(0);
  for (const LayerProfile& layer : profile.layers) {
    compute_us_.push_back(compute_us_.back() + (layer.forward_us + layer.backward_us));
    parameter_bytes_.push_back(parameter_bytes_.back() + layer.parameter_bytes);
  }
  for (const CutBytes& cut : cut_bytes(profile)) link_us_.push_back(links_.transfer_us(cut.forward, cut.backward));
}

double PaperCosts::compute_us(int first, int end) const { return compute_us_[at(end)] - compute_us_[at(first)]; }

std::int64_t PaperCosts::parameter_bytes(int first, int end) const {
  return parameter_bytes_[at(end)] - parameter_bytes_[at(first)];
}

double PaperCosts::stage_us(int first, int end, int replicas) const {
  return links_.stage_us(compute_us(first, end), parameter_bytes(first, end), replicas);
}

int PaperCosts::replicas_needed(int first, int end, double bound_us, int most) const {
  const int computing = replicas_for_compute(compute_us(first, end), bound_us, most);
  if (computing > most || stage_us(first, end, computing) <= bound_us) return computing;
  // The reduction is too slow. From two replicas on its share of T(m) only rises with m in the paper's model, and only
  // falls where the rate was measured.
  if (stage_us(first, end, most) > bound_us) return most + 1;
  int too_few = computing;
  int enough = most;
  while (enough - too_few > 1) {
    const int middle = too_few + (enough - too_few) / 2;
    (stage_us(first, end, middle) <= bound_us ? enough : too_few) = middle;
  }
  return enough;
}

// m replicas of one stage or of several: C / m is the least time per microbatch, but for the rounding of sums.
int PaperCosts::workers_needed(int end, double bound_us, int most) const {
  return replicas_for_compute(compute_us(0, end) * (1 - 1e-9), bound_us, most);
}

}  // namespace pipedream::detail
