#include "transport/mpi/reduce.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pipedream/error.h"
#include "transport/staging.h"

namespace pipedream::detail {

namespace {

// Large enough for the bandwidth of any network, small enough that r - 1 of them a segment are little memory.
constexpr std::int64_t kChunkBytes = 1 << 20;
constexpr std::size_t kSegments = 2;

// What a member says of its part, followed by a byte per member: present or not.
struct Offer {
  std::int64_t elements;
  double weight;
  std::int32_t dtype;
  std::int32_t unused;
};

}  // namespace

MpiReduceGroup::MpiReduceGroup(Engine& engine, std::vector<int> members, int place, int id)
    : engine_(engine),
      members_(std::move(members)),
      place_(place),
      id_(id),
      ledger_(group_name(members_, id), kPostedSums) {
  engine.groups.open(-1, id, ledger_.name());
  // The largest one it will use.
  tag(kPostedSums - 1, Kind::sum);
  engine.enlist(*this);
}

MpiReduceGroup::~MpiReduceGroup() {
  engine_.dismiss(*this);
  engine_.groups.close(-1, id_);
  const MpiLock lock(mpi_mutex());
  for (Round& round : rounds_) give_up(round);
}

void MpiReduceGroup::give_up(Round& round) noexcept {
  engine_.set_load(round.load, {});
  bool idle = round.offer_receives.cancel_receives();
  idle = round.offer_sends.abandon_sends() && idle;
  for (Segment& segment : round.segments) {
    idle = segment.receives.cancel_receives() && idle;
    idle = segment.sends.abandon_sends() && idle;
  }
  if (!idle) leak(std::move(round));
}

// Messages of one tag stay in order, and at most kPostedSums sums are under way: no more tags are needed.
int MpiReduceGroup::tag(std::int64_t index, Kind kind) const {
  constexpr int kinds = 3;
  const int slot = static_cast<int>(index % kPostedSums);
  return engine_.tag(id_, kinds * kPostedSums, kinds * slot + static_cast<int>(kind), ledger_.name());
}

MpiReduceGroup::Range MpiReduceGroup::chunk(const Segment& segment, int place) const {
  const std::int64_t begin = segment.range.size * place / count();
  const std::int64_t end = segment.range.size * (place + 1) / count();
  return {segment.range.begin + begin, end - begin};
}

void MpiReduceGroup::post(torch::Tensor buffer, double weight, std::vector<bool> present) {
  check_addend(buffer, present, members_.size(), ledger_.name());
  const at::Tensor host_buffer = needs_staging(buffer) ? copy_to_host(buffer) : buffer.detach();
  const MpiLock lock(mpi_mutex());
  Round& round = rounds_.emplace_back();
  try {
    round.index = ledger_.post();
  } catch (...) {
    rounds_.pop_back();
    throw;
  }
  round.buffer = host_buffer;
  if (needs_staging(buffer)) {
    round.device_buffer = buffer;
    round.copied = StreamMark(buffer.device());
  }
  round.mine = {place_, buffer.numel(), buffer.scalar_type(), std::move(present)};
  round.weights.resize(members_.size());
  round.weights[static_cast<std::size_t>(place_)] = weight;
  Load load = load_of_transfer(static_cast<std::int64_t>(buffer.nbytes()));
  load.driven = 1;  // it has several steps, whatever its size
  if (count() > 1) engine_.set_load(round.load, load);
  exchange_offers(round, weight);
  advance(round);
}

void MpiReduceGroup::exchange_offers(Round& round, double weight) {
  const Offer offer{round.mine.elements, weight, static_cast<std::int32_t>(round.mine.dtype), 0};
  const std::size_t bytes = sizeof(Offer) + members_.size();
  const auto size = static_cast<std::int64_t>(bytes);
  round.offer.resize(bytes);
  std::memcpy(round.offer.data(), &offer, sizeof(Offer));
  std::copy(round.mine.present.begin(), round.mine.present.end(), round.offer.begin() + sizeof(Offer));
  round.offers.resize(members_.size());
  for (int i = 0; i < count(); ++i) {
    if (i == place_) continue;
    const int peer = members_[static_cast<std::size_t>(i)];
    std::vector<char>& from = round.offers[static_cast<std::size_t>(i)];
    from.resize(bytes);
    round.offer_receives.receive(from.data(), size, size, peer, tag(round.index, Kind::offer), engine_.sums);
    round.offer_sends.send(round.offer.data(), size, size, size, peer, tag(round.index, Kind::offer), engine_.sums);
  }
}

void MpiReduceGroup::read_offers(Round& round) {
  for (int i = 0; i < count(); ++i) {
    if (i == place_) continue;
    const std::vector<char>& bytes = round.offers[static_cast<std::size_t>(i)];
    Offer offer;
    std::memcpy(&offer, bytes.data(), sizeof(Offer));
    const SumOffer theirs{i, offer.elements, static_cast<at::ScalarType>(offer.dtype),
                          std::vector<bool>(bytes.begin() + sizeof(Offer), bytes.end())};
    if (i < place_) {
      check_same(theirs, round.mine, members_, ledger_.name());
    } else {
      check_same(round.mine, theirs, members_, ledger_.name());
    }
    round.weights[static_cast<std::size_t>(i)] = offer.weight;
  }
}

void MpiReduceGroup::advance() {
  for (Round& round : rounds_) advance(round);
}

void MpiReduceGroup::advance(Round& round) {
  if (round.done) return;
  if (!round.agreed) {
    if (!round.offer_receives.test()) return;
    read_offers(round);
    round.agreed = true;
    // There is nothing to be summed of a meta tensor.
    if (round.buffer.is_meta()) round.started = round.mine.elements;
  }
  if (!round.copied.is_reached()) return;
  bool again = true;
  while (again) {
    again = false;
    while (round.started < round.mine.elements && round.segments.size() < kSegments) start_segment(round);
    for (Segment& segment : round.segments) {
      if (!advance(round, segment)) break;
    }
    while (!round.segments.empty() && round.segments.front().summed && round.segments.front().receives.test() &&
           round.segments.front().sends.test()) {
      round.segments.pop_front();
      again = true;
    }
  }
  round.done = round.segments.empty() && round.offer_sends.test();
  if (round.done) engine_.set_load(round.load, {});
}

// Returns whether the next segment may be summed: sums are sent in the order of the segments.
bool MpiReduceGroup::advance(Round& round, Segment& segment) {
  if (segment.summed) return true;
  // Sums arrive where addends are sent from.
  if (!segment.receives.test() || !segment.sends.test()) return false;
  const Range own = chunk(segment, place_);
  sum_in_order(segment.addends, round.buffer.narrow(0, own.begin, own.size));
  segment.addends.clear();
  segment.summed = true;
  share_sum(round, segment);
  return true;
}

void MpiReduceGroup::start_segment(Round& round) {
  const auto element = static_cast<std::int64_t>(round.buffer.element_size());
  Segment& segment = round.segments.emplace_back();
  segment.range.begin = round.started;
  segment.range.size = std::min(round.mine.elements - round.started, count() * (kChunkBytes / element));
  round.started += segment.range.size;
  const Range own = chunk(segment, place_);
  for (int i = 0; i < count(); ++i) {
    const int peer = members_[static_cast<std::size_t>(i)];
    const bool present = round.mine.present[static_cast<std::size_t>(i)];
    if (i == place_) {
      if (present) segment.addends.push_back(round.buffer.narrow(0, own.begin, own.size));
      continue;
    }
    if (present) {
      at::Tensor& addend = segment.addends.emplace_back(at::empty({own.size}, round.buffer.options()));
      segment.receives.receive(addend.data_ptr(), own.size * element, kChunkBytes, peer, tag(round.index, Kind::addend),
                               engine_.sums);
    }
    if (round.mine.present[static_cast<std::size_t>(place_)]) {
      const Range theirs = chunk(segment, i);
      const void* data = static_cast<const char*>(round.buffer.const_data_ptr()) + theirs.begin * element;
      segment.sends.send(data, theirs.size * element, theirs.size * element, kChunkBytes, peer,
                         tag(round.index, Kind::addend), engine_.sums);
    }
  }
}

void MpiReduceGroup::share_sum(Round& round, Segment& segment) {
  const auto element = static_cast<std::int64_t>(round.buffer.element_size());
  auto* const data = static_cast<char*>(round.buffer.mutable_data_ptr());
  const Range own = chunk(segment, place_);
  for (int i = 0; i < count(); ++i) {
    if (i == place_) continue;
    const int peer = members_[static_cast<std::size_t>(i)];
    const Range theirs = chunk(segment, i);
    segment.receives.receive(data + theirs.begin * element, theirs.size * element, kChunkBytes, peer,
                             tag(round.index, Kind::sum), engine_.sums);
    segment.sends.send(data + own.begin * element, own.size * element, own.size * element, kChunkBytes, peer,
                       tag(round.index, Kind::sum), engine_.sums);
  }
}

double MpiReduceGroup::wait() {
  const std::int64_t index = ledger_.oldest();
  Round& round = rounds_.front();
  engine_.wait_until(
      [this, &round] {
        advance(round);
        return round.done;
      },
      {.what = "reduction", .id = id_, .index = index});
  if (round.device_buffer.defined()) round.device_buffer.copy_(round.buffer, /*non_blocking=*/true);
  const double weight = sum_weights(round.weights, round.mine.present);
  ledger_.finish();
  const MpiLock lock(mpi_mutex());
  rounds_.pop_front();
  return weight;
}

}  // namespace pipedream::detail
