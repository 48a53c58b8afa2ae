#include "runtime/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The position of a parcel in a list that is never long: a stage has few neighbours.
template <class Parcels>
auto find_parcel(Parcels& parcels, int peer, std::int64_t microbatch) {
  return std::find_if(parcels.begin(), parcels.end(),
                      [&](const auto& p) { return p.peer == peer && p.microbatch == microbatch; });
}

}  // namespace

Executor::Executor(const Plan& plan, Communicator& comm, StageWorker& worker, Channels& channels, int stage)
    : plan_(plan), comm_(comm), worker_(worker), channels_(channels), stage_(stage) {
  if (comm.size() > 1) worker_.stage().set_on_layer([this] { comm_.progress(); });
}

std::string Executor::describe(const Action& action) const {
  return fmt::format("worker {} (stage {}) at {}, microbatch {} of the run", comm_.rank(), stage_, to_string(action),
                     first_microbatch_ + action.microbatch);
}

std::int64_t Executor::run(const SegmentRun& run, const std::vector<StageLink>& links) {
  links_ = links;
  first_microbatch_ = run.first_microbatch;
  inbox_.clear();
  outbox_.clear();
  comm_.set_status([this] { return describe(current_); });
  const std::int64_t microbatches = run_program(run);
  comm_.set_status({});
  return microbatches;
}

std::int64_t Executor::run_program(const SegmentRun& run) {
  Segment segment = run.segment;
  WorkerProgram program = make_worker_program(plan_, links_, segment, comm_.rank());
  for (std::int64_t position = 0; position < program.size(); ++position) {
    current_ = program.at(position);
    if (current_.kind == ActionKind::forward && run.stop_vote != nullptr) {
      const auto end = run.stop_vote->before_forward(current_.microbatch);
      if (end) {
        segment.microbatches = *end;
        program = make_worker_program(plan_, links_, segment, comm_.rank());
        if (!(program.at(position) == current_)) {
          throw Error(fmt::format("{}: the run cannot end after microbatch {} any more", describe(current_),
                                  segment.microbatches));
        }
      }
    }
    const std::int64_t start = now_ns();
    try {
      execute(current_, run);
    } catch (const ConfigError&) {
      throw;
    } catch (const CommunicationError&) {
      throw;
    } catch (const std::exception& error) {
      throw Error(fmt::format("{}: {}", describe(current_), error.what()));
    }
    recorder_.record(current_, start, now_ns());
    comm_.note_progress();
  }
  return segment.microbatches;
}

void Executor::execute(const Action& action, const SegmentRun& run) {
  switch (action.kind) {
    case ActionKind::forward:
      return compute_forward(action, run);
    case ActionKind::backward:
      return compute_backward(action, run);
    case ActionKind::update:
      return worker_.update(action);
    case ActionKind::reduce_post:
      return worker_.reduce_post(action);
    case ActionKind::reduce_wait:
      return worker_.reduce_wait();
    case ActionKind::send_post: {
      const auto parcel = find_parcel(outbox_, action.peer, action.microbatch);
      channels_.sender(action).post(std::move(parcel->message));
      outbox_.erase(parcel);
      return;
    }
    case ActionKind::send_wait:
      return channels_.sender(action).wait();
    case ActionKind::receive_post:
      return channels_.receiver(action).post();
    case ActionKind::receive_wait:
      inbox_.push_back({action.stage, action.microbatch, channels_.receiver(action).wait()});
      return;
  }
}

std::vector<Tensors> Executor::received(std::int64_t microbatch, bool gradients, double* weight) {
  std::vector<Tensors> tensors;
  const auto take = [&](int peer) {
    const auto parcel = find_parcel(inbox_, peer, microbatch);
    if (parcel == inbox_.end()) {  // a link without gradients
      tensors.emplace_back();
      return;
    }
    if (weight != nullptr) *weight = parcel->message.weight;
    tensors.push_back(std::move(parcel->message.tensors));
    inbox_.erase(parcel);
  };
  const StageWiring& wiring = worker_.stage().wiring();
  if (gradients) {
    for (const OutgoingLink& link : wiring.outgoing) take(link.to);
  } else {
    for (const IncomingLink& link : wiring.incoming) take(link.from);
  }
  return tensors;
}

void Executor::compute_forward(const Action& action, const SegmentRun& run) {
  const Tensors data = run.feed->next();
  const auto incoming = received(action.microbatch, /*gradients=*/false, nullptr);
  std::vector<Tensors> outgoing;
  switch (run.segment.pass) {
    case Pass::train:
      outgoing = worker_.forward(action, data, incoming);
      break;
    case Pass::forward_only:
      outgoing = worker_.evaluate(action, data, incoming);
      break;
    case Pass::probe:
      outgoing = worker_.probe_forward(data, incoming, *run.traits);
      break;
  }
  const auto& links = worker_.stage().wiring().outgoing;
  for (std::size_t l = 0; l < links.size(); ++l) {
    outbox_.push_back({links[l].to, action.microbatch, {std::move(outgoing[l]), 0}});
  }
  report_scores(run);
}

void Executor::compute_backward(const Action& action, const SegmentRun& run) {
  double weight = 0;
  const auto gradients = received(action.microbatch, /*gradients=*/true, &weight);
  std::vector<Tensors> outgoing;
  if (run.segment.pass == Pass::probe) {
    outgoing = worker_.probe_backward(gradients);
  } else {
    if (worker_.stage().wiring().has_loss) weight = worker_.weight(action.microbatch);
    outgoing = worker_.backward(action, gradients, weight);
  }
  const auto& links = worker_.stage().wiring().incoming;
  for (std::size_t l = 0; l < links.size(); ++l) {
    if (!carries_gradients(links[l].from)) continue;
    outbox_.push_back({links[l].from, action.microbatch, {std::move(outgoing[l]), weight}});
  }
}

bool Executor::carries_gradients(int from) const {
  return std::any_of(links_.begin(), links_.end(),
                     [&](const StageLink& link) { return link.from == from && link.to == stage_ && link.gradient; });
}

void Executor::report_scores(const SegmentRun& run) {
  for (const Scores& scores : worker_.take_scores()) {
    if (run.on_scores) run.on_scores(scores);
  }
}

}  // namespace pipedream::detail
