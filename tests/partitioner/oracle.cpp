#include "oracle.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace pipedream::testing {
namespace {

int pick(std::mt19937_64& random, int least, int most) {
  return least + static_cast<int>(random() % static_cast<std::uint64_t>(most - least + 1));
}

Layers all_of(const Profile& profile) { return (Layers{1} << profile.layers.size()) - 1; }

// One direction or both of everything that layers before the cut make and layers after it use.
double cut_us(const Profile& profile, Layers before, const TopologyLevel& level) {
  double forward = 0;
  double backward = 0;
  for (const TensorProfile& tensor : profile.tensors) {
    if (!has(before, index_of(profile, tensor.producer))) continue;
    bool crosses = false;
    for (const std::string& user : tensor.consumers) crosses = crosses || !has(before, index_of(profile, user));
    if (!crosses) continue;
    forward += static_cast<double>(tensor.bytes);
    if (tensor.requires_gradient) backward += static_cast<double>(tensor.bytes);
  }
  const double messages = (forward > 0 ? 1 : 0) + (backward > 0 ? 1 : 0);
  return (forward + backward) / (level.bandwidth_bytes_per_s / 1e6) + messages * level.latency_us;
}

double compute_us(const Profile& profile, Layers layers) {
  double sum = 0;
  for (std::size_t l = 0; l < profile.layers.size(); ++l) {
    if (has(layers, static_cast<int>(l))) sum += profile.layers[l].forward_us + profile.layers[l].backward_us;
  }
  return sum;
}

double parameter_bytes(const Profile& profile, Layers layers) {
  double sum = 0;
  for (std::size_t l = 0; l < profile.layers.size(); ++l) {
    if (has(layers, static_cast<int>(l))) sum += static_cast<double>(profile.layers[l].parameter_bytes);
  }
  return sum;
}

// component_us: what one component needs for the stage.
double stage_us(double component_us, double parameters, int m, const TopologyLevel& level) {
  const double each = parameters > 0 ? parameters / (level.bandwidth_bytes_per_s / 1e6) + level.latency_us : 0;
  double reduction = 2.0 * (m - 1) * each;
  if (level.allreduce_bytes_per_s > 0) {
    reduction = 2.0 * (m - 1) * parameters / (m * (level.allreduce_bytes_per_s / 1e6));
  }
  return std::max(component_us, reduction) / m;
}

// All ways to cut a range on a level, with what is inside of each stage.
struct Way {
  double cost_us = 0;
  int components = 0;
  std::vector<OracleStage> stages;  // the innermost ones
};

class Enumeration {
 public:
  Enumeration(const Profile& profile, const Topology& topology, const PartitionOptions& options)
      : profile_(profile), topology_(topology), options_(options), cuts_(downward_closed(profile)) {}

  std::optional<OraclePlan> best() {
    for (const Way& way : ways(topology_.levels.size() - 1, 0, all_of(profile_), 1)) finish(way);
    return best_;
  }

 private:
  bool sequential() const { return options_.algorithm == Algorithm::model_parallel; }

  std::vector<Way> ways(std::size_t level, Layers before, Layers until, int copies) {
    std::vector<Way> result;
    extend(level, before, until, copies, {}, result);
    return result;
  }

  void extend(std::size_t level, Layers before, Layers until, int copies, const Way& begun, std::vector<Way>& result) {
    const TopologyLevel& links = topology_.levels[level];
    if (before == until) {
      if (!options_.use_all_workers || begun.components == links.count) result.push_back(begun);
      return;
    }
    const int left = links.count - begun.components;
    const bool straight = options_.straight || sequential();
    for (const Layers end : cuts_) {
      if (end == before || (before & ~end) != 0 || (end & ~until) != 0) continue;
      for (int m = 1; m <= (straight ? std::min(left, 1) : left); ++m) {
        for (const Way& inside : inside_of(level, before, end, copies * m)) {
          Way longer = begun;
          const double stage = stage_us(inside.cost_us, parameter_bytes(profile_, end & ~before), m, links);
          const double link = begun.stages.empty() ? 0 : cut_us(profile_, before, links);
          longer.cost_us = sequential() ? begun.cost_us + stage + link : std::max({begun.cost_us, stage, link});
          longer.components += m;
          longer.stages.insert(longer.stages.end(), inside.stages.begin(), inside.stages.end());
          extend(level, end, until, copies, longer, result);
        }
      }
    }
  }

  std::vector<Way> inside_of(std::size_t level, Layers before, Layers end, int copies) {
    if (level > 0) return ways(level - 1, before, end, copies);
    return {Way{compute_us(profile_, end & ~before), 0, {{before, end, copies}}}};
  }

  void finish(const Way& way) {
    OraclePlan plan{way.cost_us, way.stages, 0};
    const std::vector<int> depth = least_depths(plan.stages);
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
      const Layers layers = plan.stages[s].until & ~plan.stages[s].before;
      const std::int64_t bytes = stage_bytes(profile_, layers, load_of_stage(options_, plan.stages, depth, s),
                                             options_.state_factors.optimizer);
      plan.greatest_bytes = std::max(plan.greatest_bytes, bytes);
    }
    if (topology_.memory_bytes_per_worker > 0 && plan.greatest_bytes > topology_.memory_bytes_per_worker) return;
    if (!best_ || rank(plan) < rank(*best_)) best_ = plan;
  }

  std::tuple<double, std::int64_t, int, std::size_t> rank(const OraclePlan& plan) const {
    return {plan.cost_us, sequential() ? plan.greatest_bytes : 0, plan.workers(), plan.stages.size()};
  }

  const Profile& profile_;
  const Topology& topology_;
  const PartitionOptions& options_;
  std::vector<Layers> cuts_;
  std::optional<OraclePlan> best_;
};

}  // namespace

std::vector<CrossingBytes> crossing_bytes(const Profile& profile) {
  std::vector<CrossingBytes> result(std::size_t{1} << profile.layers.size());
  for (const TensorProfile& tensor : profile.tensors) {
    const int producer = index_of(profile, tensor.producer);
    Layers users = 0;
    for (const std::string& user : tensor.consumers) users |= Layers{1} << index_of(profile, user);
    for (Layers before = 0; before < result.size(); ++before) {
      if (!has(before, producer) || (users & ~before) == 0) continue;
      result[before].forward += static_cast<double>(tensor.bytes);
      if (tensor.requires_gradient) result[before].backward += static_cast<double>(tensor.bytes);
    }
  }
  return result;
}

std::vector<int> least_depths(const std::vector<OracleStage>& stages) {
  std::vector<int> depth(stages.size(), 0);
  for (std::size_t s = stages.size(); s-- > 1;) {
    int w = 0;
    while (w * stages[s - 1].replicas < stages[s].replicas * (depth[s] + 1)) ++w;
    depth[s - 1] = w;
  }
  return depth;
}

int index_of(const Profile& profile, const std::string& layer) {
  for (std::size_t i = 0; i < profile.layers.size(); ++i) {
    if (profile.layers[i].name == layer) return static_cast<int>(i);
  }
  throw std::logic_error("no layer " + layer);
}

int OraclePlan::workers() const {
  int sum = 0;
  for (const OracleStage& stage : stages) sum += stage.replicas;
  return sum;
}

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

Topology random_topology(std::mt19937_64& random, const std::vector<int>& counts) {
  Topology topology;
  topology.one_process = true;
  for (const int count : counts) {
    TopologyLevel level{"level", count, 1e6 / pick(random, 1, 2), 0, 0};
    if (pick(random, 0, 1) == 1) level.latency_us = pick(random, 0, 7);
    if (pick(random, 0, 2) == 0) level.allreduce_bytes_per_s = 1e6 * pick(random, 1, 4);
    topology.levels.push_back(level);
  }
  return topology;
}

std::vector<Layers> downward_closed(const Profile& profile) {
  std::vector<Layers> result;
  for (Layers layers = 1; layers <= all_of(profile); ++layers) {
    bool closed = true;
    for (const TensorProfile& tensor : profile.tensors) {
      for (const std::string& user : tensor.consumers) {
        closed = closed && (!has(layers, index_of(profile, user)) || has(layers, index_of(profile, tensor.producer)));
      }
    }
    if (closed) result.push_back(layers);
  }
  return result;
}

std::optional<OraclePlan> best_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  return Enumeration(profile, topology, options).best();
}

}  // namespace pipedream::testing
