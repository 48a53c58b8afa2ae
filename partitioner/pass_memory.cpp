#include "partitioner/pass_memory.h"

#include <algorithm>
#include <unordered_map>

namespace pipedream::detail {
namespace {

constexpr int kElsewhere = -1;

// A tensor that the stage makes or receives; layers by their position in the stage.
struct StageTensor {
  std::int64_t bytes = 0;
  bool requires_gradient = false;
  int producer = kElsewhere;
  int last_user = kElsewhere;     // in the stage
  int first_keeper = kElsewhere;  // the producer or a user, of those that keep it
  bool is_sent = false;

  bool is_received() const { return producer == kElsewhere; }
  bool is_held() const { return is_received() || is_sent || first_keeper != kElsewhere; }
};

// A sum for each position, of amounts that count over a range of them.
class Sums {
 public:
  explicit Sums(std::size_t positions) : changes_(positions + 1, 0) {}

  // For first <= position < end.
  void add(int first, int end, std::int64_t bytes) {
    if (first >= end) return;
    changes_[static_cast<std::size_t>(first)] += bytes;
    changes_[static_cast<std::size_t>(end)] -= bytes;
  }
  std::vector<std::int64_t> totals() const {
    std::vector<std::int64_t> sums;
    std::int64_t sum = 0;
    for (const std::int64_t change : changes_) sums.push_back(sum += change);
    return sums;
  }

 private:
  std::vector<std::int64_t> changes_;
};

class StageWalk {
 public:
  StageWalk(const Profile& profile, const std::vector<TensorEnds>& ends, const std::vector<int>& layers)
      : count_(static_cast<int>(layers.size())) {
    std::unordered_map<int, int> position;
    for (const int layer : layers) {
      position[layer] = static_cast<int>(layers_.size());
      const LayerProfile& measured = profile.layers[static_cast<std::size_t>(layer)];
      layers_.push_back(&measured);
      alone_.push_back({measured.kept_bytes, measured.parameter_bytes});
    }
    for (std::size_t t = 0; t < ends.size(); ++t) add_tensor(profile.tensors[t], ends[t], position);
  }

  PassMemory measure() const {
    PassMemory result;
    for (const LayerProfile* layer : layers_) result.held += layer->kept_bytes;
    for (const StageTensor& tensor : tensors_) {
      result.held += tensor.is_held() ? tensor.bytes : 0;
      result.received += tensor.is_received() ? tensor.bytes : 0;
    }
    result.forward_peak = forward_peak();
    result.backward_peak = backward_peak();
    return result;
  }

 private:
  void add_tensor(const TensorProfile& profile, const TensorEnds& ends, const std::unordered_map<int, int>& position) {
    StageTensor tensor{.bytes = profile.bytes, .requires_gradient = profile.requires_gradient};
    const auto keep = [&](int keeper) {
      if (tensor.first_keeper == kElsewhere) tensor.first_keeper = keeper;
    };
    if (const auto made = position.find(ends.producer); made != position.end()) {
      tensor.producer = made->second;
      const bool keeps = layers_[static_cast<std::size_t>(made->second)]->keeps_output;
      if (keeps) keep(made->second);
      Alone& alone = alone_[static_cast<std::size_t>(made->second)];
      alone.before += (keeps ? tensor.bytes : 0) + (tensor.requires_gradient ? tensor.bytes : 0);
    }
    for (const int consumer : ends.consumers) {
      const auto used = position.find(consumer);
      if (used == position.end()) {
        tensor.is_sent = tensor.is_sent || !tensor.is_received();
        continue;
      }
      const bool keeps = layers_[static_cast<std::size_t>(used->second)]->keeps_input;
      if (keeps) keep(used->second);
      Alone& alone = alone_[static_cast<std::size_t>(used->second)];
      if (used->second != tensor.last_user) {  // used twice, it is there once
        alone.before += keeps ? tensor.bytes : 0;
        alone.after += tensor.requires_gradient ? tensor.bytes : 0;
      }
      tensor.last_user = used->second;
    }
    if (tensor.producer != kElsewhere || tensor.last_user != kElsewhere) tensors_.push_back(tensor);
  }

  std::int64_t forward_peak() const {
    Sums live(layers_.size());
    for (int l = 0; l < count_; ++l) live.add(l, count_, layers_[static_cast<std::size_t>(l)]->kept_bytes);
    for (const StageTensor& tensor : tensors_) {
      const int first = std::max(tensor.producer, 0);
      const int used = std::max(tensor.last_user, first) + 1;
      live.add(first, tensor.is_held() ? count_ : used, tensor.bytes);
    }
    const std::vector<std::int64_t> totals = live.totals();
    std::int64_t peak = 0;
    for (std::size_t l = 0; l < layers_.size(); ++l) peak = std::max(peak, totals[l] + layers_[l]->forward_peak_bytes);
    return peak;
  }

  // When each layer's backward begins, and what it makes beyond that. The gradient of a tensor lives from its last
  // user's backward to its producer's; of one that came in, until it is sent.
  std::int64_t backward_peak() const {
    Sums live(layers_.size());
    for (int l = 0; l < count_; ++l) {
      const LayerProfile& layer = *layers_[static_cast<std::size_t>(l)];
      live.add(l, count_, layer.kept_bytes);
      live.add(0, l, layer.parameter_bytes);
    }
    for (const StageTensor& tensor : tensors_) {
      if (tensor.is_received() || tensor.is_sent) {
        const std::int64_t gradient = tensor.is_sent && tensor.requires_gradient ? tensor.bytes : 0;
        live.add(0, count_, tensor.bytes + gradient);
      } else if (tensor.first_keeper != kElsewhere) {
        live.add(tensor.first_keeper, count_, tensor.bytes);
      }
      if (tensor.requires_gradient) live.add(std::max(tensor.producer, 0), tensor.last_user, tensor.bytes);
    }
    const std::vector<std::int64_t> totals = live.totals();
    std::int64_t peak = 0;
    for (std::size_t l = 0; l < layers_.size(); ++l) peak = std::max(peak, totals[l] + made_in_backward(l));
    return peak;
  }

  // The profile measured the layer alone, from the greater of what it held before and what was left of it after.
  std::int64_t made_in_backward(std::size_t l) const {
    const LayerProfile& layer = *layers_[l];
    const Alone& alone = alone_[l];
    return layer.backward_peak_bytes + std::max<std::int64_t>(alone.after - alone.before, 0);
  }

  // What a layer holds when nothing else is there: before its backward, and after it.
  struct Alone {
    std::int64_t before = 0;
    std::int64_t after = 0;
  };

  int count_;
  std::vector<const LayerProfile*> layers_;
  std::vector<Alone> alone_;
  std::vector<StageTensor> tensors_;
};

}  // namespace

PassMemory pass_memory(const Profile& profile, const std::vector<TensorEnds>& ends, const std::vector<int>& layers) {
  return StageWalk(profile, ends, layers).measure();
}

}  // namespace pipedream::detail
