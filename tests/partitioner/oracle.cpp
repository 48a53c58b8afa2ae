#include "oracle.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

namespace pipedream::testing {
namespace {

int pick(std::mt19937_64& random, int least, int most) {
  return least + static_cast<int>(random() % static_cast<std::uint64_t>(most - least + 1));
}

int index_of(const Profile& profile, const std::string& layer) {
  for (std::size_t i = 0; i < profile.layers.size(); ++i) {
    if (profile.layers[i].name == layer) return static_cast<int>(i);
  }
  throw std::logic_error("no layer " + layer);
}

// One direction or both of everything that layers before the cut make and layers after it use.
double cut_us(const Profile& profile, int cut, const TopologyLevel& level) {
  double forward = 0;
  double backward = 0;
  for (const TensorProfile& tensor : profile.tensors) {
    if (index_of(profile, tensor.producer) >= cut) continue;
    bool crosses = false;
    for (const std::string& user : tensor.consumers) crosses = crosses || index_of(profile, user) >= cut;
    if (!crosses) continue;
    forward += static_cast<double>(tensor.bytes);
    if (tensor.requires_gradient) backward += static_cast<double>(tensor.bytes);
  }
  const double messages = (forward > 0 ? 1 : 0) + (backward > 0 ? 1 : 0);
  return (forward + backward) / (level.bandwidth_bytes_per_s / 1e6) + messages * level.latency_us;
}

double stage_us(const Profile& profile, int first, int end, int m, const TopologyLevel& level) {
  double compute = 0;
  double parameters = 0;
  for (int l = first; l < end; ++l) {
    const LayerProfile& layer = profile.layers[static_cast<std::size_t>(l)];
    compute += layer.forward_us + layer.backward_us;
    parameters += static_cast<double>(layer.parameter_bytes);
  }
  const double each = parameters > 0 ? parameters / (level.bandwidth_bytes_per_s / 1e6) + level.latency_us : 0;
  double reduction = 2.0 * (m - 1) * each;
  if (level.allreduce_bytes_per_s > 0) {
    reduction = 2.0 * (m - 1) * parameters / (m * (level.allreduce_bytes_per_s / 1e6));
  }
  return std::max(compute, reduction) / m;
}

// The depth by which a stage has as many microbatches out as the next one's replicas need.
std::vector<int> depths(const std::vector<int>& replicas, bool pipelined) {
  std::vector<int> depth(replicas.size(), 0);
  for (std::size_t s = replicas.size(); pipelined && s-- > 1;) {
    int w = 0;
    while (w * replicas[s - 1] < replicas[s] * (depth[s] + 1)) ++w;
    depth[s - 1] = w;
  }
  return depth;
}

class Enumeration {
 public:
  Enumeration(const Profile& profile, const Topology& topology, const PartitionOptions& options)
      : profile_(profile), topology_(topology), options_(options) {}

  std::optional<OraclePlan> best() {
    extend(OraclePlan{});
    return best_;
  }

 private:
  int layers() const { return static_cast<int>(profile_.layers.size()); }
  bool sequential() const { return options_.algorithm == Algorithm::model_parallel; }

  void extend(const OraclePlan& begun) {
    const int first = begun.ends.empty() ? 0 : begun.ends.back();
    if (first == layers()) return finish(begun);
    const int left = topology_.workers() - begun.workers();
    const bool straight = options_.straight || sequential();
    for (int end = first + 1; end <= layers(); ++end) {
      for (int m = 1; m <= (straight ? std::min(left, 1) : left); ++m) {
        OraclePlan longer = begun;
        longer.ends.push_back(end);
        longer.replicas.push_back(m);
        extend(longer);
      }
    }
  }

  void finish(OraclePlan plan) {
    if (options_.use_all_workers && plan.workers() != topology_.workers()) return;
    const bool pipelined = options_.algorithm == Algorithm::pipedream;
    const std::vector<int> depth = depths(plan.replicas, pipelined);
    for (int s = 0; s < plan.stages(); ++s) {
      const auto i = static_cast<std::size_t>(s);
      const int first = s == 0 ? 0 : plan.ends[i - 1];
      const double stage = stage_us(profile_, first, plan.ends[i], plan.replicas[i], topology_.levels[0]);
      const double link = s == 0 ? 0 : cut_us(profile_, first, topology_.levels[0]);
      plan.cost_us = sequential() ? plan.cost_us + stage + link : std::max({plan.cost_us, stage, link});
      const int delay = pipelined && plan.replicas[i] > 1 && plan.stages() > 1 ? 1 : 0;
      const std::int64_t bytes =
          stage_bytes(profile_, first, plan.ends[i], depth[i], delay, options_.optimizer_state_factor);
      plan.greatest_bytes = std::max(plan.greatest_bytes, bytes);
    }
    if (topology_.memory_bytes_per_worker > 0 && plan.greatest_bytes > topology_.memory_bytes_per_worker) return;
    if (!best_ || rank(plan) < rank(*best_)) best_ = plan;
  }

  std::tuple<double, std::int64_t, int, int> rank(const OraclePlan& plan) const {
    return {plan.cost_us, sequential() ? plan.greatest_bytes : 0, plan.workers(), plan.stages()};
  }

  const Profile& profile_;
  const Topology& topology_;
  const PartitionOptions& options_;
  std::optional<OraclePlan> best_;
};

}  // namespace

int OraclePlan::workers() const { return std::accumulate(replicas.begin(), replicas.end(), 0); }

Profile random_profile(std::mt19937_64& random, int layers, bool chain) {
  Profile profile;
  for (int i = 0; i < layers; ++i) {
    LayerProfile layer;
    layer.name = "l" + std::to_string(i);
    layer.forward_us = pick(random, 0, 20);
    layer.backward_us = pick(random, 0, 40);
    layer.parameter_bytes = pick(random, 0, 2) == 0 ? 0 : pick(random, 0, 60);
    layer.buffer_bytes = pick(random, 0, 3);
    layer.kept_bytes = pick(random, 0, 30);
    layer.keeps_input = pick(random, 0, 1) == 1;
    layer.keeps_output = pick(random, 0, 1) == 1;
    layer.forward_peak_bytes = pick(random, 0, 50);
    layer.backward_peak_bytes = pick(random, 0, 50);
    profile.layers.push_back(layer);
  }
  for (int i = 0; i + 1 < layers; ++i) {
    TensorProfile tensor{
        "t" + std::to_string(i), "l" + std::to_string(i), {}, pick(random, 0, 40), pick(random, 0, 4) > 0};
    std::multiset<int> users{chain ? i + 1 : pick(random, i + 1, layers - 1)};
    for (int extra = pick(random, 0, 2); !chain && extra > 0; --extra) users.insert(pick(random, i + 1, layers - 1));
    for (const int user : users) tensor.consumers.push_back("l" + std::to_string(user));
    profile.tensors.push_back(tensor);
  }
  return profile;
}

std::optional<OraclePlan> best_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  return Enumeration(profile, topology, options).best();
}

std::int64_t stage_bytes(const Profile& profile, int first, int end, int warmup, int reduce_delay,
                         double state_factor) {
  std::int64_t parameters = 0;
  std::int64_t other = 0;
  std::int64_t peak = 0;
  std::int64_t kept = 0;
  for (int l = first; l < end; ++l) {
    const LayerProfile& layer = profile.layers[static_cast<std::size_t>(l)];
    parameters += layer.parameter_bytes;
    other += layer.buffer_bytes;
    kept += layer.kept_bytes;
    peak = std::max({peak, layer.forward_peak_bytes, layer.backward_peak_bytes});
  }
  const auto inside = [&](int layer) { return layer >= first && layer < end; };
  for (const TensorProfile& tensor : profile.tensors) {
    const int producer = index_of(profile, tensor.producer);
    bool made_and_sent = false;
    bool received = false;
    bool saved = inside(producer) && profile.layers[static_cast<std::size_t>(producer)].keeps_output;
    for (const std::string& name : tensor.consumers) {
      const int user = index_of(profile, name);
      made_and_sent = made_and_sent || (inside(producer) && !inside(user));
      received = received || (!inside(producer) && inside(user));
      saved = saved || (inside(user) && profile.layers[static_cast<std::size_t>(user)].keeps_input);
    }
    if (made_and_sent || received || saved) kept += tensor.bytes;
  }
  const auto state = static_cast<std::int64_t>(std::ceil(static_cast<double>(parameters) * state_factor));
  return (warmup + 1) * parameters + (1 + reduce_delay) * parameters + state + other + (warmup + 1) * kept + peak;
}

}  // namespace pipedream::testing
