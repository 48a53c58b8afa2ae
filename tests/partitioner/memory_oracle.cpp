// Memory from the definitions: moment by moment, tensor by tensor.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "oracle.h"

namespace pipedream::testing {
namespace {

// What one microbatch holds in a stage.
class StageMoments {
 public:
  StageMoments(const Profile& profile, Layers layers) : profile_(profile), layers_(layers) {}

  // From the forward to the backward.
  std::int64_t held() const {
    return kept_by_layers(count() - 1) + tensors([&](const Ends& t) { return is_held(t, count()); });
  }

  // While layer l runs forward: with what it uses and makes.
  std::int64_t in_forward(int l) const {
    return kept_by_layers(l) + tensors([&](const Ends& t) {
             if (inside(t.producer) && t.producer > l) return false;
             const bool is_used = std::any_of(t.users.begin(), t.users.end(), [&](int u) { return u >= l; });
             return is_used || t.producer == l || is_held(t, count());
           });
  }

  // When the backwards of all layers behind l are done: what l and those before it hold, gradients that came in, those
  // between layers, those of parameters.
  std::int64_t before_backward(int l) const {
    std::int64_t bytes = kept_by_layers(l) + tensors([&](const Ends& t) { return is_held(t, l + 1); });
    for (int k = l + 1; k < count(); ++k) bytes += inside(k) ? layer(k).parameter_bytes : 0;
    const auto has_come = [&](const Ends& t) {
      const bool come = std::any_of(t.users.begin(), t.users.end(), [&](int u) { return inside(u) && u > l; });
      return come && (is_received(t) || t.producer <= l);
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
  int count() const { return static_cast<int>(profile_.layers.size()); }
  bool inside(int l) const { return has(layers_, l); }
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
    for (int l = 0; l <= last; ++l) bytes += inside(l) ? layer(l).kept_bytes : 0;
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
  Layers layers_;
};

std::int64_t rounded_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Microbatches in an update of a stage.
std::int64_t update_of(const PartitionOptions& options, const std::vector<OracleStage>& stages,
                       const std::vector<int>& depth, std::size_t s) {
  if (options.microbatches_per_update > 0) return options.microbatches_per_update;
  int workers = 0;
  std::int64_t rounds = 1;
  std::int64_t out = 1;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    workers += stages[i].replicas;
    rounds = std::lcm(rounds, std::int64_t{stages[i].replicas});
    out = std::max(out, std::int64_t{stages[i].replicas} * depth[i]);
  }
  switch (options.algorithm) {
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
      return std::int64_t{4} * workers;
    case Algorithm::two_bw:
      return rounded_up(out, rounds) * rounds;
    default:
      return stages[s].replicas;
  }
}

}  // namespace

OracleLoad load_of_stage(const PartitionOptions& options, const std::vector<OracleStage>& stages,
                         const std::vector<int>& depth, std::size_t s) {
  const std::int64_t w = depth[s] + 1;
  const std::int64_t update = update_of(options, stages, depth, s);
  const std::int64_t batch = rounded_up(update, stages[s].replicas);
  const bool is_straight =
      std::all_of(stages.begin(), stages.end(), [](const OracleStage& stage) { return stage.replicas == 1; });
  const auto delay = [&](std::size_t of) { return stages[of].replicas > 1 && stages.size() > 1 ? 1 : 0; };
  const int copies = update > 1 || stages[s].replicas > 1 ? 1 : 0;  // of the microbatches or replicas so far
  switch (options.algorithm) {
    case Algorithm::pipedream:
      return {w, w, copies + delay(s), false};
    case Algorithm::vertical_sync:
      return {depth[0] + (is_straight ? 1 : 2 + delay(0)), w, copies + delay(s), false};
    case Algorithm::two_bw:
      return {2, w, copies + (stages[s].replicas > 1 ? 1 : 0), false};
    case Algorithm::gpipe:
      return {1, batch, copies, stages[s].replicas == 1};
    case Algorithm::flush_1f1b:
      return {1, std::min(w, batch), copies, false};
    case Algorithm::pipemare:
      return {1, w, copies, false};
    default:
      return {1, 1, 0, false};
  }
}

std::int64_t stage_bytes(const Profile& profile, Layers layers, const OracleLoad& load, double state_factor) {
  const StageMoments stage(profile, layers);
  std::int64_t parameters = 0;
  std::int64_t buffers = 0;
  std::int64_t greatest_layer = 0;
  std::int64_t pass = 0;
  for (int l = 0; l < static_cast<int>(profile.layers.size()); ++l) {
    if (!has(layers, l)) continue;
    const LayerProfile& layer = profile.layers[static_cast<std::size_t>(l)];
    parameters += layer.parameter_bytes;
    buffers += layer.buffer_bytes;
    greatest_layer = std::max(greatest_layer, layer.parameter_bytes);
    const std::int64_t backward = stage.before_backward(l) + stage.made_in_backward(l);
    pass = std::max({pass, stage.in_forward(l) + layer.forward_peak_bytes, backward});
  }
  const bool accumulates = load.gradient_copies > 0;
  const std::int64_t update = (accumulates ? 0 : parameters) + (state_factor >= 2 ? 2 * greatest_layer : 0);
  const auto state = static_cast<std::int64_t>(std::ceil(static_cast<double>(parameters) * state_factor));
  const std::int64_t held = (load.in_flight - 1) * stage.held();  // beside the microbatch at work
  const std::int64_t without_gradients = load.versions * parameters + state + buffers + held + std::max(pass, update);
  const std::int64_t with_gradients = without_gradients + load.gradient_copies * parameters;
  return load.one_is_gone ? std::max(without_gradients, with_gradients - stage.held()) : with_gradients;
}

}  // namespace pipedream::testing
