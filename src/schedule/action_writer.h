// Writes the compute actions of a worker, one after the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "pipedream/action.h"

namespace pipedream::detail {

class ActionWriter {
 public:
  // microbatches: of the segment.
  ActionWriter(int stage, std::int64_t microbatches) : stage_(stage), microbatches_(microbatches) {}

  // The stage of what follows, of a worker with several.
  ActionWriter& at(int stage) {
    stage_ = stage;
    return *this;
  }

  void reserve(std::int64_t actions) { actions_.reserve(static_cast<std::size_t>(actions)); }
  void forward(std::int64_t microbatch, std::int64_t version) { pass(ActionKind::forward, microbatch, version); }
  void backward(std::int64_t microbatch, std::int64_t version) { pass(ActionKind::backward, microbatch, version); }

  // Update u of a stage whose updates cover `per_update` microbatches, fewer at the segment's end.
  void update(std::int64_t u, std::int64_t per_update) {
    Action action;
    action.kind = ActionKind::update;
    action.stage = stage_;
    action.microbatch = u * per_update;
    action.covers = static_cast<std::int32_t>(std::min(per_update, microbatches_ - action.microbatch));
    action.version = u + 1;
    actions_.push_back(action);
  }

  std::vector<Action> take() { return std::move(actions_); }

 private:
  void pass(ActionKind kind, std::int64_t microbatch, std::int64_t version) {
    Action action;
    action.kind = kind;
    action.stage = stage_;
    action.microbatch = microbatch;
    action.version = version;
    actions_.push_back(action);
  }

  int stage_;
  std::int64_t microbatches_;
  std::vector<Action> actions_;
};

}  // namespace pipedream::detail
