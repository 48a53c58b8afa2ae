#include "runtime/stage_corrections.h"

namespace pipedream::detail {

StageCorrections::StageCorrections(const std::vector<DelayCorrectionSpec>& specs, const StageDelay& delay) {
  for (const DelayCorrectionSpec& spec : specs) {
    corrections_.push_back(spec.make(delay));
    changes_forward_ = changes_forward_ || corrections_.back()->corrects_forward();
    changes_backward_ = changes_backward_ || corrections_.back()->corrects_backward();
  }
}

const FlatTensors& StageCorrections::fill(const VersionStore& versions) {
  if (!seen_) seen_.emplace(versions.masters());
  seen_->bytes().copy_(versions.newest_bytes());
  shown_ = Shown::nothing;
  return *seen_;
}

void StageCorrections::show(VersionStore& versions, Shown pass) {
  const torch::NoGradGuard no_gradient;
  if (shown_ != pass || shown_version_ != versions.newest()) {
    const Tensors& weights = fill(versions).views();
    for (const auto& correction : corrections_) {
      if (pass == Shown::forward) {
        correction->forward_weights(weights);
      } else {
        correction->backward_weights(weights);
      }
    }
    shown_ = pass;
    shown_version_ = versions.newest();
  }
  versions.bind_to(*seen_);
}

void StageCorrections::update(VersionStore& versions, const Tensors& gradients, std::int64_t microbatch,
                              const std::function<void(double rate_factor)>& step) {
  const torch::NoGradGuard no_gradient;
  double factor = 1;
  bool observed = false;
  for (const auto& correction : corrections_) {
    factor *= correction->before_update(gradients, microbatch);
    observed = observed || correction->observes_updates();
  }
  if (observed) fill(versions);
  step(factor);
  for (const auto& correction : corrections_) {
    if (correction->observes_updates()) correction->after_update(seen_->views(), versions.masters());
  }
}

}  // namespace pipedream::detail
