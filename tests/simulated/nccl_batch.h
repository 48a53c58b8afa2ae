// The stand-in's operations: how they wait for each other in their streams.
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulated/queues.h"

namespace pipedream::testing {

struct NcclBatch;

// A member's part in an operation. It does not hold the memory: that is for the caller.
struct NcclPart {
  enum class Kind { send, receive, sum } kind;
  void* data;
  at::ScalarType dtype;
  std::int64_t numel;
  Span span;
  int peer;  // -1: all
  bool done = false;
};

// An NCCL communicator, as all of its members see it.
struct NcclCommon {
  explicit NcclCommon(int members)
      : heads(static_cast<std::size_t>(members)), aborted(static_cast<std::size_t>(members)) {}
  std::vector<NcclBatch*> heads;  // by member: what its stream has come to
  std::vector<bool> aborted;      // by member: the others do not hear of it
  int joined = 0;
};

// What a member starts at once.
struct NcclBatch {
  std::shared_ptr<NcclCommon> common;
  int rank = 0;
  std::optional<c10::Stream> stream;
  std::vector<NcclPart> parts;
};

const char* name(NcclPart::Kind kind);

// To be pushed into its stream.
std::unique_ptr<QueuedWork> queued(std::unique_ptr<NcclBatch> batch);

}  // namespace pipedream::testing
