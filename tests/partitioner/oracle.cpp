#include "oracle.h"

#include <algorithm>
#include <cmath>
#include <map>
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
      const int copies = plan.replicas[i] == 1 ? 0 : pipelined && plan.stages() > 1 ? 2 : 1;
      const std::int64_t bytes =
          stage_bytes(profile_, first, plan.ends[i], depth[i], copies, options_.optimizer_state_factor);
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

// What one microbatch holds in the stage [first, end) at some moment, from the definitions: tensor by tensor.
class StageMoments {
 public:
  StageMoments(const Profile& profile, int first, int end) : profile_(profile), first_(first), end_(end) {}

  // From the forward to the backward.
  std::int64_t held() const {
    return kept_by_layers(end_ - 1) + tensors([&](const Ends& t) { return is_held(t, end_); });
  }

  // While layer l runs forward: with what it uses and makes.
  std::int64_t in_forward(int l) const {
    return kept_by_layers(l) + tensors([&](const Ends& t) {
             if (t.producer > l) return false;
             const bool is_used = std::any_of(t.users.begin(), t.users.end(), [&](int u) { return u >= l; });
             return is_used || t.producer == l || is_held(t, end_);
           });
  }

  // When the backwards of all layers behind l are done: what l and those before it hold, gradients that came in, those
  // between layers, those of parameters.
  std::int64_t before_backward(int l) const {
    std::int64_t bytes = kept_by_layers(l) + tensors([&](const Ends& t) { return is_held(t, l + 1); });
    for (int k = l + 1; k < end_; ++k) bytes += layer(k).parameter_bytes;
    const auto has_come = [&](const Ends& t) {
      const bool come = std::any_of(t.users.begin(), t.users.end(), [&](int u) { return inside(u) && u > l; });
      return come && t.producer <= l;
    };
    return bytes + gradients([&](const Ends& t) { return is_sent(t); }) + gradients(has_come);
  }

  // Measured, or at least what the layer leaves after its backward beyond what it holds before.
  std::int64_t made_in_backward(int l) const {
    std::int64_t before = layer(l).kept_bytes;
    std::int64_t after = layer(l).parameter_bytes;
    for (const TensorProfile& tensor : profile_.tensors) {
      const Ends t = ends_of(tensor);
      const std::int64_t gradient = tensor.requires_gradient ? tensor.bytes : 0;
      if (t.producer == l) before += gradient + (layer(l).keeps_output ? tensor.bytes : 0);
      if (std::find(t.users.begin(), t.users.end(), l) == t.users.end()) continue;
      before += layer(l).keeps_input ? tensor.bytes : 0;
      after += gradient;
    }
    return std::max(layer(l).backward_peak_bytes, after - before);
  }

 private:
  struct Ends {
    int producer;
    std::vector<int> users;
  };

  const LayerProfile& layer(int l) const { return profile_.layers[static_cast<std::size_t>(l)]; }
  bool inside(int l) const { return l >= first_ && l < end_; }
  Ends ends_of(const TensorProfile& tensor) const {
    Ends ends{index_of(profile_, tensor.producer), {}};
    for (const std::string& user : tensor.consumers) ends.users.push_back(index_of(profile_, user));
    return ends;
  }
  bool is_sent(const Ends& t) const {
    return inside(t.producer) && std::any_of(t.users.begin(), t.users.end(), [&](int u) { return !inside(u); });
  }
  bool is_received(const Ends& t) const {
    return !inside(t.producer) && std::any_of(t.users.begin(), t.users.end(), [&](int u) { return inside(u); });
  }
  // By the stage's ends, or by a layer before `end` that keeps it.
  bool is_held(const Ends& t, int end) const {
    if (is_sent(t) || is_received(t)) return true;
    bool kept = inside(t.producer) && t.producer < end && layer(t.producer).keeps_output;
    for (const int u : t.users) kept = kept || (inside(u) && u < end && layer(u).keeps_input);
    return kept;
  }
  std::int64_t kept_by_layers(int last) const {
    std::int64_t bytes = 0;
    for (int l = first_; l <= last; ++l) bytes += layer(l).kept_bytes;
    return bytes;
  }
  bool is_of_stage(const TensorProfile& tensor) const {
    const Ends t = ends_of(tensor);
    return inside(t.producer) || is_received(t);
  }
  // The tensor whose memory it is, in this stage.
  std::string storage_of(const TensorProfile& tensor) const {
    if (tensor.view_of.empty() || !inside(ends_of(tensor).producer)) return tensor.name;
    const auto viewed = std::find_if(profile_.tensors.begin(), profile_.tensors.end(),
                                     [&](const TensorProfile& other) { return other.name == tensor.view_of; });
    return is_of_stage(*viewed) ? storage_of(*viewed) : tensor.name;
  }
  // Of the storages with a tensor that satisfies it, each the size of its greatest tensor.
  template <class Condition>
  std::int64_t storages(Condition condition) const {
    std::map<std::string, std::pair<std::int64_t, bool>> found;
    for (const TensorProfile& tensor : profile_.tensors) {
      if (!is_of_stage(tensor)) continue;
      auto& [bytes, counts] = found[storage_of(tensor)];
      bytes = std::max(bytes, tensor.bytes);
      counts = counts || condition(tensor);
    }
    std::int64_t sum = 0;
    for (const auto& [name, storage] : found) sum += storage.second ? storage.first : 0;
    return sum;
  }
  template <class Condition>
  std::int64_t tensors(Condition condition) const {
    return storages([&](const TensorProfile& tensor) { return condition(ends_of(tensor)); });
  }
  template <class Condition>
  std::int64_t gradients(Condition condition) const {
    return storages(
        [&](const TensorProfile& tensor) { return tensor.requires_gradient && condition(ends_of(tensor)); });
  }

  const Profile& profile_;
  int first_;
  int end_;
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
    if (!profile.tensors.empty() && pick(random, 0, 2) == 0) {
      const TensorProfile& viewed = profile.tensors[static_cast<std::size_t>(pick(random, 0, i - 1))];
      const bool is_used = std::count(viewed.consumers.begin(), viewed.consumers.end(), tensor.producer) > 0;
      if (is_used) {
        tensor.view_of = viewed.name;
        tensor.requires_gradient = viewed.requires_gradient;
      }
    }
    profile.tensors.push_back(tensor);
  }
  return profile;
}

std::optional<OraclePlan> best_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  return Enumeration(profile, topology, options).best();
}

std::int64_t stage_bytes(const Profile& profile, int first, int end, int warmup, int gradient_copies,
                         double state_factor) {
  const StageMoments stage(profile, first, end);
  std::int64_t parameters = 0;
  std::int64_t buffers = 0;
  std::int64_t greatest_layer = 0;
  std::int64_t pass = 0;
  for (int l = first; l < end; ++l) {
    const LayerProfile& layer = profile.layers[static_cast<std::size_t>(l)];
    parameters += layer.parameter_bytes;
    buffers += layer.buffer_bytes;
    greatest_layer = std::max(greatest_layer, layer.parameter_bytes);
    const std::int64_t backward = stage.before_backward(l) + stage.made_in_backward(l);
    pass = std::max({pass, stage.in_forward(l) + layer.forward_peak_bytes, backward});
  }
  const std::int64_t update = (gradient_copies == 0 ? parameters : 0) + (state_factor >= 2 ? 2 * greatest_layer : 0);
  const auto state = static_cast<std::int64_t>(std::ceil(static_cast<double>(parameters) * state_factor));
  const std::int64_t others = warmup * stage.held();  // microbatches in flight beside the one at work
  return (warmup + 1 + gradient_copies) * parameters + state + buffers + others + std::max(pass, update);
}

}  // namespace pipedream::testing
