#include "transport/in_process/reduce.h"

#include <fmt/format.h>

#include <utility>

#include "pipedream/error.h"
#include "transport/sum.h"

namespace pipedream::detail {

InProcessReduceGroup::InProcessReduceGroup(InProcessCommunicator& communicator, std::vector<int> members, int place,
                                           int id)
    : communicator_(communicator),
      members_(std::move(members)),
      place_(place),
      id_(id),
      ledger_(group_name(members_, id), kPostedSums) {
  communicator.groups.open(-1, id, ledger_.name());
  shared_ =
      communicator.world().groups.join({members_, id}, place, count(), [] { return std::make_shared<SharedGroup>(); });
  communicator.enlist(*this);
}

InProcessReduceGroup::~InProcessReduceGroup() {
  communicator_.dismiss(*this);
  communicator_.groups.close(-1, id_);
}

void InProcessReduceGroup::post(torch::Tensor buffer, double weight, std::vector<bool> present) {
  check_addend(buffer, present, members_.size(), ledger_.name());
  ledger_.post();
  auto round = shared_->rounds.join(0, place_, count(), [this] { return std::make_shared<Round>(members_.size()); });
  const SumOffer mine{place_, buffer.numel(), buffer.scalar_type(), present};
  {
    const std::lock_guard lock(round->mutex);
    if (!round->first) round->first = mine;
    check_same(*round->first, mine, members_, ledger_.name());
  }
  round->buffers[static_cast<std::size_t>(place_)] = buffer.detach();
  round->weights[static_cast<std::size_t>(place_)] = weight;
  round->post_marks[static_cast<std::size_t>(place_)] = mark(*round);
  round->posted.fetch_add(1);
  posted_.push_back({std::move(round), std::move(present)});
  ring_members();
}

double InProcessReduceGroup::wait() {
  const std::int64_t index = ledger_.oldest();
  communicator_.wait_until([this] { return posted_.front().step == Step::done; },
                           {.what = "reduction", .id = id_, .index = index});
  ledger_.finish();
  const Posted posted = std::move(posted_.front());
  posted_.pop_front();
  return sum_weights(posted.round->weights, posted.present);
}

void InProcessReduceGroup::advance() {
  for (Posted& posted : posted_) {
    while (advance(posted)) ring_members();
  }
}

bool InProcessReduceGroup::advance(Posted& posted) {
  Round& round = *posted.round;
  switch (posted.step) {
    case Step::sum:
      if (round.posted.load() < count()) return false;
      come_after(round.post_marks, round);
      sum_own_chunk(round, posted.present);
      round.sum_marks[static_cast<std::size_t>(place_)] = mark(round);
      round.summed.fetch_add(1);
      posted.step = Step::copy;
      return true;
    case Step::copy:
      if (round.summed.load() < count()) return false;
      come_after(round.sum_marks, round);
      copy_other_chunks(round);
      round.copy_marks[static_cast<std::size_t>(place_)] = mark(round);
      round.copied.fetch_add(1);
      posted.step = Step::finish;
      return true;
    case Step::finish:
      // Until then others still read this member's chunk.
      if (round.copied.load() < count()) return false;
      come_after(round.copy_marks, round);
      posted.step = Step::done;
      return false;
    case Step::done:
      return false;
  }
  return false;
}

at::Tensor InProcessReduceGroup::chunk(const at::Tensor& buffer, int place) const {
  const std::int64_t begin = buffer.numel() * place / count();
  const std::int64_t end = buffer.numel() * (place + 1) / count();
  return buffer.narrow(0, begin, end - begin);
}

void InProcessReduceGroup::sum_own_chunk(Round& round, const std::vector<bool>& present) const {
  std::vector<at::Tensor> addends;
  for (int i = 0; i < count(); ++i) {
    if (present[static_cast<std::size_t>(i)])
      addends.push_back(chunk(round.buffers[static_cast<std::size_t>(i)], place_));
  }
  sum_in_order(addends, chunk(round.buffers[static_cast<std::size_t>(place_)], place_));
}

void InProcessReduceGroup::copy_other_chunks(Round& round) const {
  at::Tensor& own = round.buffers[static_cast<std::size_t>(place_)];
  for (int i = 0; i < count(); ++i) {
    if (i != place_) chunk(own, i).copy_(chunk(round.buffers[static_cast<std::size_t>(i)], i));
  }
}

// What this member's stream is given from now on comes after all of them.
void InProcessReduceGroup::come_after(const std::vector<StreamMark>& marks, const Round& round) const {
  const at::Device device = round.buffers[static_cast<std::size_t>(place_)].device();
  for (const StreamMark& mark : marks) mark.precede_work_of(device);
}

StreamMark InProcessReduceGroup::mark(const Round& round) const {
  return StreamMark(round.buffers[static_cast<std::size_t>(place_)].device());
}

void InProcessReduceGroup::ring_members() {
  for (int member : members_) {
    if (member != communicator_.rank()) communicator_.world().ring(member);
  }
}

}  // namespace pipedream::detail
