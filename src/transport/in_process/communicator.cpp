#include "transport/in_process/communicator.h"

#include <algorithm>
#include <utility>

#include "pipedream/error.h"
#include "transport/in_process/channel.h"
#include "transport/in_process/reduce.h"

namespace pipedream::detail {

namespace {

// Bells are never lost; waking up this often is for the deadline only.
constexpr std::chrono::milliseconds kLongestSleep{50};

}  // namespace

InProcessCommunicator::InProcessCommunicator(std::shared_ptr<World> world, int rank)
    : world_(std::move(world)), rank_(rank) {}

std::unique_ptr<SendChannel> InProcessCommunicator::open_send(int peer, int id, ChannelOptions options) {
  check_channel(rank_, peer, id, size(), options);
  return std::make_unique<InProcessSendChannel>(*this, peer, id, options);
}

std::unique_ptr<ReceiveChannel> InProcessCommunicator::open_receive(int peer, int id, ChannelOptions options) {
  check_channel(peer, rank_, id, size(), options);
  return std::make_unique<InProcessReceiveChannel>(*this, peer, id, options);
}

std::unique_ptr<ReduceGroup> InProcessCommunicator::open_reduce(std::vector<int> members, int id, torch::Device) {
  const int place = check_members(members, id, rank_, size());
  return std::make_unique<InProcessReduceGroup>(*this, std::move(members), place, id);
}

std::vector<std::string> InProcessCommunicator::all_gather(std::string_view bytes) {
  const std::shared_ptr<Gathering> gathering =
      world_->gatherings.join(0, rank_, size(), [this] { return std::make_shared<Gathering>(size()); });
  gathering->bytes[static_cast<std::size_t>(rank_)] = bytes;
  gathering->arrived.fetch_add(1);
  world_->ring_all();
  wait_until([&] { return gathering->arrived.load() == size(); }, {.what = "all_gather by all workers"});
  return gathering->bytes;
}

void InProcessCommunicator::progress() {
  world_->throw_if_aborted(rank_);
  for (Advancing* reduction : reductions_) reduction->advance();
}

void InProcessCommunicator::set_status(std::function<std::string()> status) {
  world_->set_status(
      rank_, status ? std::move(status) : [] { return std::string("running"); });
}

// Only running out of memory can throw here, and then the others still hear of it by their deadline.
void InProcessCommunicator::abort(const std::string& cause) noexcept {
  try {
    world_->abort(rank_, cause);
  } catch (...) {
  }
}

HostCommunicator::News InProcessCommunicator::exchange_news(bool device_progressed) {
  if (device_progressed) world_->note_progress(rank_);
  News news{.failure = {}, .last_progress = world_->last_progress()};
  if (const auto cause = world_->cause()) news.failure = cause->as_heard_by(rank_);
  return news;
}

bool InProcessCommunicator::spin_until(const std::function<bool()>& ready) {
  Spin spin;
  do {
    world_->throw_if_aborted(rank_);
    for (Advancing* reduction : reductions_) reduction->advance();
    if (ready()) return true;
  } while (spin.again());
  return false;
}

void InProcessCommunicator::wait_until(const std::function<bool()>& ready, const WaitedFor& waited_for) {
  if (spin_until(ready)) return note_progress();
  const Clock::time_point start = Clock::now();
  while (true) {
    const std::uint64_t seen = world_->events(rank_);
    world_->throw_if_aborted(rank_);
    for (Advancing* reduction : reductions_) reduction->advance();
    if (ready()) return note_progress();
    const Clock::time_point now = Clock::now();
    const Clock::time_point end = std::max(start, world_->last_progress()) + deadline_;
    if (now >= end) {
      const std::string cause = deadline_text(rank_, waited_for, now - start, deadline_, world_->reports());
      if (!world_->abort(rank_, cause)) world_->throw_if_aborted(rank_);
      throw CommunicationError(cause);
    }
    world_->sleep(rank_, seen, std::min<Clock::duration>(end - now, kLongestSleep));
  }
}

}  // namespace pipedream::detail
