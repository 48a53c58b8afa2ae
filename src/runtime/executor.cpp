#include "runtime/executor.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"
#include "runtime/host_copies.h"
#include "runtime/steady_clock.h"

namespace pipedream::detail {
namespace {

// The position of a parcel in a list that is never long: a stage has few neighbours.
template <class Parcels>
auto find_parcel(Parcels& parcels, int from, int to, std::int64_t microbatch) {
  return std::find_if(parcels.begin(), parcels.end(),
                      [&](const auto& p) { return p.from == from && p.to == to && p.microbatch == microbatch; });
}

}  // namespace

// While it lives, messages of any worker say at which action this one is.
class Executor::StatusScope {
 public:
  explicit StatusScope(Executor& executor) : comm_(executor.comm_) {
    comm_.set_status([&executor] { return executor.describe(executor.current_.get()); });
  }
  StatusScope(const StatusScope&) = delete;
  StatusScope& operator=(const StatusScope&) = delete;
  ~StatusScope() { comm_.set_status({}); }

 private:
  Communicator& comm_;
};

Executor::Executor(Communicator& comm, const std::vector<Stage*>& stages, Channels& channels)
    : comm_(comm), channels_(channels) {
  for (Stage* stage : stages) {
    HostedStage& hosted = hosted_.emplace_back();
    hosted.stage = stage->wiring().stage;
    for (const IncomingLink& link : stage->wiring().incoming) hosted.earlier.push_back(link.from);
    for (const OutgoingLink& link : stage->wiring().outgoing) hosted.later.push_back(link.to);
    if (comm.size() > 1) stage->set_on_layer([this] { comm_.progress(); });
  }
}

std::string Executor::describe(const Action& action) const {
  return fmt::format("worker {} (stage {}) at {}, microbatch {} of the run", comm_.rank(), acting_stage(action),
                     to_string(action), first_microbatch_ + action.microbatch);
}

std::size_t Executor::place_of(int stage) const {
  const auto found =
      std::find_if(hosted_.begin(), hosted_.end(), [&](const HostedStage& hosted) { return hosted.stage == stage; });
  return static_cast<std::size_t>(found - hosted_.begin());
}

bool Executor::is_hosted(int stage) const { return place_of(stage) < hosted_.size(); }

std::int64_t Executor::run(const SegmentRun& run, const std::vector<StageLink>& links) {
  links_ = links;
  first_microbatch_ = run.first_microbatch;
  inbox_.clear();
  outbox_.clear();
  const StatusScope scope(*this);
  return run_program(run);
}

std::int64_t Executor::run_program(const SegmentRun& run) {
  Segment segment = run.segment;
  WorkerProgram program = make_worker_program(*run.plan, links_, segment, comm_.rank());
  const ActionKind last_of_microbatch = segment.pass == Pass::forward_only ? ActionKind::forward : ActionKind::backward;
  bool first_is_done = false;
  comm_.set_deadline(run.first_deadline);
  for (std::int64_t position = 0; position < program.size(); ++position) {
    const Action action = program.at(position);
    current_.set(action);
    const bool is_first_stage = action.stage == hosted_.front().stage;
    if (action.kind == ActionKind::forward && run.memory != nullptr) run.memory->before_forward(action.microbatch);
    if (action.kind == ActionKind::forward && is_first_stage && run.stop_vote != nullptr) {
      const auto end = run.stop_vote->before_forward(action.microbatch);
      if (end) {
        segment.microbatches = *end;
        program = make_worker_program(*run.plan, links_, segment, comm_.rank());
        if (!(program.at(position) == action)) {
          throw Error(fmt::format("{}: the run cannot end after microbatch {} any more", describe(action),
                                  segment.microbatches));
        }
      }
    }
    const std::int64_t start = steady_now_ns();
    try {
      execute(action, run);
    } catch (const ConfigError&) {
      throw;
    } catch (const CommunicationError&) {
      throw;
    } catch (const std::exception& error) {
      throw Error(fmt::format("{}: {}", describe(action), error.what()));
    }
    recorder_.record(action, start, steady_now_ns());
    comm_.note_progress();
    if (!first_is_done && action.kind == last_of_microbatch) {
      first_is_done = true;
      comm_.set_deadline(run.deadline);
    }
  }
  for (const StageRun& stage : run.stages) stage.compute->finish();
  return segment.microbatches;
}

void Executor::execute(const Action& action, const SegmentRun& run) {
  switch (action.kind) {
    case ActionKind::forward:
      return compute_forward(action, run);
    case ActionKind::backward:
      return compute_backward(action, run);
    case ActionKind::update:
      return run.stages[place_of(action.stage)].compute->update(action);
    case ActionKind::reduce_post:
      return run.stages[place_of(action.stage)].compute->reduce_post(action);
    case ActionKind::reduce_wait:
      return run.stages[place_of(action.stage)].compute->reduce_wait(action);
    case ActionKind::send_post: {
      const auto parcel = find_parcel(outbox_, action.stage, action.peer, action.microbatch);
      channels_.sender(action).post(std::move(parcel->message));
      outbox_.erase(parcel);
      return;
    }
    case ActionKind::send_wait:
      return channels_.sender(action).wait();
    case ActionKind::receive_post:
      return channels_.receiver(action).post();
    case ActionKind::receive_wait:
      inbox_.push_back({action.stage, action.peer, action.microbatch, channels_.receiver(action).wait()});
      if (run.memory != nullptr) run.memory->take(inbox_.back().message.tensors);
      return;
  }
}

std::vector<Message> Executor::received(const Action& action, const std::vector<int>& peers) {
  std::vector<Message> messages;
  for (const int peer : peers) {
    const auto parcel = find_parcel(inbox_, peer, action.stage, action.microbatch);
    if (parcel == inbox_.end()) {  // a link without gradients
      messages.emplace_back();
      continue;
    }
    messages.push_back(std::move(parcel->message));
    inbox_.erase(parcel);
  }
  return messages;
}

// To a stage of this worker without a message; a copy, as messages are, because layers may write what they receive.
void Executor::hand_over(Parcel parcel) {
  if (!is_hosted(parcel.to)) {
    outbox_.push_back(std::move(parcel));
    return;
  }
  for (torch::Tensor& tensor : parcel.message.tensors) {
    if (tensor.defined()) tensor = tensor.clone();
  }
  inbox_.push_back(std::move(parcel));
}

void Executor::compute_forward(const Action& action, const SegmentRun& run) {
  comm_.progress();
  const std::size_t place = place_of(action.stage);
  const FedMicrobatch data = run.stages[place].feed->next();
  if (run.memory != nullptr) run.memory->take(data.tensors);
  const HostCopyScope host_copies(data.tensors, data.host);
  const HostedStage& hosted = hosted_[place];
  auto outgoing = run.stages[place].compute->forward(action, data.tensors, received(action, hosted.earlier));
  for (std::size_t l = 0; l < hosted.later.size(); ++l) {
    hand_over({action.stage, hosted.later[l], action.microbatch, std::move(outgoing[l])});
  }
}

void Executor::compute_backward(const Action& action, const SegmentRun& run) {
  comm_.progress();
  const std::size_t place = place_of(action.stage);
  const HostedStage& hosted = hosted_[place];
  auto outgoing = run.stages[place].compute->backward(action, received(action, hosted.later));
  for (std::size_t l = 0; l < hosted.earlier.size(); ++l) {
    if (!carries_gradients(hosted.earlier[l], action.stage)) continue;
    hand_over({action.stage, hosted.earlier[l], action.microbatch, std::move(outgoing[l])});
  }
}

bool Executor::carries_gradients(int from, int to) const {
  return std::any_of(links_.begin(), links_.end(),
                     [&](const StageLink& link) { return link.from == from && link.to == to && link.gradient; });
}

}  // namespace pipedream::detail
