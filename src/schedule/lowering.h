// Lowering: the compute actions of a worker with sends, receives and reductions put between them.
//
// The rules (docs/algorithms.md, "Lowering"):
// - A receive is waited for right before the compute action that uses it; a send is posted right after the one that
//   made it: activations over each link with a forward, gradients over each link that needs them with a backward.
// - A channel is one direction of a link between two workers and carries its messages in the sender's order. Stages of
//   the same worker need none: the later one finds the tensors there. At most `slots` messages are posted and not yet
//   waited for, at either end: the first receives are posted at the start, each further one right after a wait on its
//   channel; the wait for the oldest send stands right before a post that needs its slot.
// - A reduction is posted after the sends of the last own backward that it covers, and waited for right before its
//   update. Without an own backward it is posted right before that wait.
#pragma once

#include <span>
#include <vector>

#include "pipedream/schedule.h"

namespace pipedream::detail {

// The whole program of one worker, written out. slots: of every channel; 0: channel_slots of the plan.
std::vector<Action> lower(const Plan& plan, std::span<const StageLink> links, const Segment& segment, int worker,
                          int slots = 0);

// Marks which action frees a version of the stage and which update must copy, in the actions of one worker. Version v
// is freed by the last action that names it if the update that made v + 1 came before that action, and then that update
// copies; otherwise the update writes v + 1 over v. So every buffer is either overwritten or freed, once.
void mark_versions(std::vector<Action>& actions, int stage);

}  // namespace pipedream::detail
