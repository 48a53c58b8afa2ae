// The delay corrections of one stage on one worker, and the buffer in which the modules see corrected weights. One
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "pipedream/delay_correction.h"
#include "runtime/versions.h"

namespace pipedream::detail {

class StageCorrections {
 public:
  StageCorrections(const std::vector<DelayCorrectionSpec>& specs, const StageDelay& delay);

  bool change_weights() const { return changes_forward_ || changes_backward_; }

  // Makes the modules see what the corrections make of the newest weights. With change_weights() only.
  void show_forward(VersionStore& versions) { show(versions, Shown::forward); }
  void show_backward(VersionStore& versions) { show(versions, Shown::backward); }

  // Around `step`, which gets the factor of the learning rate and writes the masters over. microbatch: the update's
  // first, counted since the corrections came into use.
  void update(VersionStore& versions, const Tensors& gradients, std::int64_t microbatch,
              const std::function<void(double rate_factor)>& step);

 private:
  enum class Shown { nothing, forward, backward };

  void show(VersionStore& versions, Shown pass);
  // The scratch buffer with the newest weights in it.
  const FlatTensors& fill(const VersionStore& versions);

  std::vector<std::unique_ptr<DelayCorrection>> corrections_;
  bool changes_forward_ = false;
  bool changes_backward_ = false;
  std::optional<FlatTensors> seen_;
  Shown shown_ = Shown::nothing;  // what seen_ holds, of version shown_version_
  std::int64_t shown_version_ = -1;
};

}  // namespace pipedream::detail
