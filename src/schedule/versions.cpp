#include <algorithm>

#include "schedule/lowering.h"

namespace pipedream::detail {
namespace {

bool names_version(const Action& action) {
  return action.kind == ActionKind::forward || action.kind == ActionKind::backward;
}

// By version of the stage: 1 + the position of the last action that names it, 0 where none does.
std::vector<std::size_t> last_uses(const std::vector<Action>& actions, int stage) {
  std::int64_t newest = 0;
  for (const Action& action : actions) {
    newest = std::max(newest, action.version);
  }
  std::vector<std::size_t> uses(static_cast<std::size_t>(newest) + 1, 0);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (actions[i].stage == stage && names_version(actions[i])) {
      uses[static_cast<std::size_t>(actions[i].version)] = i + 1;
    }
  }
  return uses;
}

}  // namespace

void mark_versions(std::vector<Action>& actions, int stage) {
  const std::vector<std::size_t> last_use = last_uses(actions, stage);
  std::int64_t newest = 0;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    Action& action = actions[i];
    if (action.stage != stage) {
      continue;
    }
    if (action.kind == ActionKind::update) {
      action.copies_version = last_use[static_cast<std::size_t>(newest)] > i + 1;
      newest = action.version;
    } else if (names_version(action)) {
      action.frees_version = action.version < newest && last_use[static_cast<std::size_t>(action.version)] == i + 1;
    }
  }
}

}  // namespace pipedream::detail
