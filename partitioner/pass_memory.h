// The memory that one microbatch takes on its way through a stage, from the profile: a walk over the layers, forward
// and back.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/peak_tree.h"
#include "pipedream/profile.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

// Bytes. Of model inputs only what layers keep counts, but for `data`.
struct PassMemory {
  // From the forward to the backward: what layers keep, tensors that come in, tensors that go out (they start the
  // backward), and tensors inside that their producer or a user keeps; each tensor once.
  std::int64_t held = 0;
  std::int64_t received = 0;  // of these, the tensors that come in
  std::int64_t data = 0;      // model inputs that layers use
  // The greatest while the pass runs. A forward holds what it has made so far and somebody still uses or keeps; a
  // backward what layers to come keep, the gradients that came in, gradients between layers, and those of the
  // parameters so far; both what the layer at work takes for itself.
  std::int64_t forward_peak = 0;
  std::int64_t backward_peak = 0;
};

// Of a stage that grows and shrinks at its end, layer by layer, so that the stages with the same first layers take one
// walk. Layers and positions are numbers in the profile.
class PassWalk {
 public:
  // The profile must outlive this.
  PassWalk(const Profile& profile, const std::vector<TensorEnds>& ends);

  // Behind all that are in the stage. In time logarithmic in the layers of the profile for each tensor of the layer.
  void add_layer(int layer);
  void remove_last_layer();
  void clear();

  const std::vector<int>& layers() const { return layers_; }
  PassMemory measure() const;

 private:
  static constexpr int kElsewhere = -1;

  // What tensors of the stage share: one of its own, and the views of it that the stage makes. It lives as long as one
  // of them does. Without bytes: it is not there.
  struct Storage {
    std::int64_t bytes = 0;
    bool requires_gradient = false;
    int producer = kElsewhere;
    int last_user = kElsewhere;     // in the stage
    int first_keeper = kElsewhere;  // the producer or a user, of those that keep it
    int uses_outside = 0;           // of what the stage makes

    bool is_received() const { return producer == kElsewhere; }
    bool is_sent() const { return uses_outside > 0; }
    bool is_at_end() const { return is_received() || is_sent(); }
    bool is_held() const { return is_at_end() || first_keeper != kElsewhere; }
    std::int64_t held_bytes() const { return is_held() ? bytes : 0; }
    std::int64_t received_bytes() const { return is_received() ? bytes : 0; }
  };
  struct Use {
    int tensor = 0;
    int times = 0;
  };
  // What the profile says of a layer.
  struct LayerTensors {
    std::vector<Use> inputs;
    std::vector<int> outputs;
    std::int64_t made_in_backward = 0;  // beyond what it held before
  };
  struct Change {
    int storage = 0;
    int tensor = kElsewhere;  // that was no tensor of the stage before
    Storage before = {};
  };

  void note_tensors(const std::vector<TensorEnds>& ends);
  void use(int layer, const Use& input);
  void make(int layer, int tensor);
  Storage entered(int tensor, int storage);
  void change(int storage, const Storage& after);
  void count_layer(int layer, int sign);
  CountedRange live_in_forward(const Storage& storage) const;
  CountedRange ends_in_backward(const Storage& storage) const;
  CountedRange kept_in_backward(const Storage& storage) const;
  static CountedRange gradient_in_backward(const Storage& storage);

  const Profile& profile_;
  int count_;
  std::vector<LayerTensors> tensors_of_;  // by layer
  std::vector<int> producer_;             // by tensor, as what follows
  std::vector<int> view_of_;
  std::vector<int> uses_;
  std::vector<int> storage_of_;  // the number of its first tensor; -1: it is no tensor of the stage
  std::vector<Storage> storages_;
  std::vector<int> layers_;
  std::vector<char> is_in_;  // by layer
  std::vector<Change> changes_;
  std::vector<std::size_t> changes_before_;  // by layer of the stage
  PassMemory sums_;                          // but for the peaks
  PeakTree forward_;
  PeakTree backward_;
};

}  // namespace pipedream::detail
