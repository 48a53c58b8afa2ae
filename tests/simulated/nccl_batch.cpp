#include "simulated/nccl_batch.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "simulated/nccl.h"
#include "simulated/state.h"

namespace pipedream::testing {

namespace {

std::atomic<std::int64_t> done_parts{0};

NcclPart* first_open(NcclBatch* batch, NcclPart::Kind kind, int peer) {
  if (batch == nullptr) return nullptr;
  const auto found = std::find_if(batch->parts.begin(), batch->parts.end(), [&](const NcclPart& part) {
    return !part.done && part.kind == kind && part.peer == peer;
  });
  return found == batch->parts.end() ? nullptr : &*found;
}

// Their clocks: what each does next comes after what all have done.
void meet(const std::vector<NcclBatch*>& batches) {
  Clocks& clocks = SimulatedState::instance().clocks;
  for (const NcclBatch* one : batches) {
    for (const NcclBatch* other : batches) clocks.come_after(*one->stream, clocks.now(*other->stream));
  }
}

void access(const NcclBatch& batch, const NcclPart& part) {
  SimulatedState& state = SimulatedState::instance();
  const std::vector<Span> span{part.span};
  const bool reads = part.kind == NcclPart::Kind::send;
  const std::string race = state.clocks.access(*batch.stream, fmt::format("NCCL's {}", name(part.kind)),
                                               reads ? span : std::vector<Span>{}, reads ? std::vector<Span>{} : span,
                                               /*awaited=*/false);
  if (!race.empty()) state.report_race(race);
}

void finish(NcclPart& part) {
  part.done = true;
  SimulatedState::instance().clocks.has_used(part.span.memory);
  done_parts.fetch_add(1);
}

bool transfer(NcclBatch& sender, NcclPart& from, NcclBatch& receiver, NcclPart& to) {
  const std::int64_t bytes = from.span.end - from.span.begin;
  if (bytes != to.span.end - to.span.begin) {
    SimulatedState::instance().report_race("NCCL: a send and its receive differ in size");
  } else {
    std::memcpy(to.data, from.data, static_cast<std::size_t>(bytes));
  }
  access(sender, from);
  meet({&sender, &receiver});
  access(receiver, to);
  finish(from);
  finish(to);
  return true;
}

bool sum(const std::vector<NcclBatch*>& members) {
  std::vector<NcclPart*> parts;
  for (NcclBatch* member : members) {
    NcclPart* const part = first_open(member, NcclPart::Kind::sum, -1);
    if (part == nullptr) return false;
    parts.push_back(part);
  }
  std::vector<at::Tensor> tensors;
  for (const NcclPart* part : parts) {
    if (part->numel != parts.front()->numel || part->dtype != parts.front()->dtype) {
      SimulatedState::instance().report_race("NCCL: the members of a sum differ");
    }
    tensors.push_back(at::from_blob(part->data, {parts.front()->numel}, at::dtype(part->dtype)));
  }
  meet(members);
  at::Tensor total = tensors.front().clone();
  for (std::size_t i = 1; i < tensors.size(); ++i) total.add_(tensors[i]);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].copy_(total);
    access(*members[i], *parts[i]);
    finish(*parts[i]);
  }
  meet(members);
  return true;
}

class QueuedBatch final : public QueuedWork {
 public:
  explicit QueuedBatch(std::unique_ptr<NcclBatch> batch) : batch_(std::move(batch)) {}

  Outcome advance() override {
    NcclCommon& common = *batch_->common;
    NcclBatch*& head = common.heads[static_cast<std::size_t>(batch_->rank)];
    head = batch_.get();
    bool moved = false;
    if (common.aborted[static_cast<std::size_t>(batch_->rank)]) {
      for (NcclPart& part : batch_->parts) {
        if (!part.done) finish(part);
      }
      moved = true;
    }
    for (NcclPart& part : batch_->parts) moved = (!part.done && match(common, part)) || moved;
    const bool done =
        std::all_of(batch_->parts.begin(), batch_->parts.end(), [](const NcclPart& part) { return part.done; });
    if (done) head = nullptr;
    return {.done = done, .moved = moved || done};
  }

 private:
  bool match(NcclCommon& common, NcclPart& part) {
    if (part.kind == NcclPart::Kind::sum) return sum(common.heads);
    const bool sends = part.kind == NcclPart::Kind::send;
    NcclBatch* const other = common.heads[static_cast<std::size_t>(part.peer)];
    NcclPart* const theirs = first_open(other, sends ? NcclPart::Kind::receive : NcclPart::Kind::send, batch_->rank);
    if (theirs == nullptr) return false;
    return sends ? transfer(*batch_, part, *other, *theirs) : transfer(*other, *theirs, *batch_, part);
  }

  std::unique_ptr<NcclBatch> batch_;
};

}  // namespace

const char* name(NcclPart::Kind kind) {
  switch (kind) {
    case NcclPart::Kind::send:
      return "send";
    case NcclPart::Kind::receive:
      return "receive";
    default:
      return "sum";
  }
}

std::unique_ptr<QueuedWork> queued(std::unique_ptr<NcclBatch> batch) {
  return std::make_unique<QueuedBatch>(std::move(batch));
}

std::int64_t simulated_nccl_operations() { return done_parts.load(); }

}  // namespace pipedream::testing
