// One thing that one worker does, and its text form.
//
//   F2.7@v4      forward of microbatch 7 in stage 2 with weights of version 4
//   B2.7@v4-     backward; '-': the last action of this worker that names version 4, whose buffer is free after it
//   U2.6x2@v5    update of stage 2 that makes version 5 from the gradients of microbatches 6 and 7, in place
//   U2.6@v5+     from that of microbatch 6 alone, into a fresh buffer, because a later action still names version 4
//   A2.6x2@v5    start ("all-reduce") of the reduction of that update's gradients over the stage's replicas
//   a2.6x2@v5    wait for it
//   S1>2.7       start of the send of microbatch 7 from stage 1 to stage 2 (activations)
//   s1>2.7       wait until the sent tensors may be changed again
//   R1>2.7       post of the receive of that message, on a worker of stage 2
//   r1>2.7       wait for it
//   S2>1.7       the same for gradients: a message to an earlier stage carries gradients, to a later one activations
//
// Microbatches and versions are local to a segment: microbatch 0 is the segment's first; versions count from the
// version of the stage when the segment started.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pipedream {

enum class ActionKind : std::uint8_t {
  forward,
  backward,
  update,
  reduce_post,
  reduce_wait,
  send_post,
  send_wait,
  receive_post,
  receive_wait,
};

struct Action {
  ActionKind kind = ActionKind::forward;
  bool frees_version = false;   // forward, backward: '-'; the buffer of `version` is given back after the action
  bool copies_version = false;  // update: '+', version - 1 stays as it is; without it, it is written in place
  std::int32_t stage = 0;       // where it acts; for messages the sender's stage
  std::int32_t peer = -1;       // for messages the receiver's stage, else -1
  std::int32_t covers = 0;      // update, reduce: how many microbatches, over all replicas, starting at `microbatch`
  std::int64_t microbatch = 0;
  std::int64_t version = -1;  // forward, backward: used; update, reduce: made; messages: -1

  bool operator==(const Action&) const = default;
};

bool is_message(ActionKind kind);

// The stage whose worker does it: of a receive the receiver's, else `stage`.
inline std::int32_t acting_stage(const Action& action) {
  const bool is_receive = action.kind == ActionKind::receive_post || action.kind == ActionKind::receive_wait;
  return is_receive ? action.peer : action.stage;
}

std::string to_string(const Action& action);

// Strict: accepts exactly what to_string writes. Throws ConfigError with the text, the position and what was expected
// there.
Action parse_action(std::string_view text);

}  // namespace pipedream
