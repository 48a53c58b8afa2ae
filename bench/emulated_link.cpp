#include "emulated_link.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "emulated_clock.h"
#include "runtime/steady_clock.h"

namespace pipedream::bench {
namespace {

enum End : int { kSender = 0, kReceiver = 1 };

// One direction between two workers, seen by both.
class Wire {
 public:
  void post_send(int id, std::int64_t duration_ns) {
    const std::lock_guard lock(mutex_);
    channels_[id].sends.push_back({detail::steady_now_ns(), duration_ns});
    start(channels_[id]);
  }

  void post_receive(int id) {
    const std::lock_guard lock(mutex_);
    channels_[id].receives.push_back(detail::steady_now_ns());
    start(channels_[id]);
  }

  // Of the oldest message that `end` has not asked for before; it must have started.
  std::int64_t take_end_ns(int id, End end) {
    const std::lock_guard lock(mutex_);
    auto& ends = channels_[id].ends[end];
    const std::int64_t end_ns = ends.front();
    ends.pop_front();
    return end_ns;
  }

  bool has_ended(int id, End end) {
    const std::lock_guard lock(mutex_);
    const auto& ends = channels_[id].ends[end];
    return !ends.empty() && ends.front() <= detail::steady_now_ns();
  }

 private:
  struct Send {
    std::int64_t posted_ns;
    std::int64_t duration_ns;
  };
  struct Channel {
    std::deque<Send> sends;  // without a start, as the receives
    std::deque<std::int64_t> receives;
    std::deque<std::int64_t> ends[2];  // of those that have started
  };

  void start(Channel& channel) {
    while (!channel.sends.empty() && !channel.receives.empty()) {
      const Send send = channel.sends.front();
      free_ns_ = std::max({free_ns_, send.posted_ns, channel.receives.front()}) + send.duration_ns;
      channel.sends.pop_front();
      channel.receives.pop_front();
      for (auto& ends : channel.ends) ends.push_back(free_ns_);
    }
  }

  std::mutex mutex_;
  std::map<int, Channel> channels_;  // by id
  std::int64_t free_ns_ = 0;
};

class Wires {
 public:
  explicit Wires(int workers) : workers_(static_cast<std::size_t>(workers)), wires_(workers_ * workers_) {}
  Wire& between(int from, int to) {
    return wires_[static_cast<std::size_t>(from) * workers_ + static_cast<std::size_t>(to)];
  }

 private:
  std::size_t workers_;
  std::vector<Wire> wires_;
};

// Until then, or until a worker gives up, of which progress() throws.
void sleep_unless_aborted(Communicator& comm, std::int64_t end_ns) {
  constexpr std::int64_t kLookAround = 20'000'000;
  for (std::int64_t now = detail::steady_now_ns(); now < end_ns; now = detail::steady_now_ns()) {
    sleep_until(std::min(end_ns, now + kLookAround));
    comm.progress();
  }
}

// Both ends tell the wire before they tell the channel: a wait of the channel that has ended has a start on the wire.
class Sender final : public SendChannel {
 public:
  Sender(Communicator& comm, std::unique_ptr<SendChannel> inner, Wire& wire, int id, double bytes_per_s)
      : comm_(comm), inner_(std::move(inner)), wire_(wire), id_(id), bytes_per_s_(bytes_per_s) {}

  void post(Message message) override {
    double bytes = 0;
    for (const torch::Tensor& tensor : message.tensors) {
      if (tensor.defined()) bytes += static_cast<double>(tensor.nbytes());
    }
    wire_.post_send(id_, static_cast<std::int64_t>(bytes / bytes_per_s_ * 1e9));
    inner_->post(std::move(message));
  }

  void wait() override {
    inner_->wait();
    sleep_unless_aborted(comm_, wire_.take_end_ns(id_, kSender));
  }

 private:
  Communicator& comm_;
  std::unique_ptr<SendChannel> inner_;
  Wire& wire_;
  int id_;
  double bytes_per_s_;
};

class Receiver final : public ReceiveChannel {
 public:
  Receiver(Communicator& comm, std::unique_ptr<ReceiveChannel> inner, Wire& wire, int id)
      : comm_(comm), inner_(std::move(inner)), wire_(wire), id_(id) {}

  void post() override {
    wire_.post_receive(id_);
    inner_->post();
  }

  Message wait() override {
    Message message = inner_->wait();
    sleep_unless_aborted(comm_, wire_.take_end_ns(id_, kReceiver));
    return message;
  }

  bool arrived() override { return inner_->arrived() && wire_.has_ended(id_, kReceiver); }

 private:
  Communicator& comm_;
  std::unique_ptr<ReceiveChannel> inner_;
  Wire& wire_;
  int id_;
};

class OverEmulatedLinks final : public Communicator {
 public:
  OverEmulatedLinks(Communicator& inner, std::shared_ptr<Wires> wires, double bytes_per_s)
      : inner_(inner), wires_(std::move(wires)), bytes_per_s_(bytes_per_s) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  int local_size() const override { return inner_.local_size(); }
  int local_rank() const override { return inner_.local_rank(); }
  std::unique_ptr<SendChannel> open_send(int peer, int id, ChannelOptions options) override {
    auto channel = inner_.open_send(peer, id, options);
    return std::make_unique<Sender>(inner_, std::move(channel), wires_->between(rank(), peer), id, bytes_per_s_);
  }
  std::unique_ptr<ReceiveChannel> open_receive(int peer, int id, ChannelOptions options) override {
    auto channel = inner_.open_receive(peer, id, options);
    return std::make_unique<Receiver>(inner_, std::move(channel), wires_->between(peer, rank()), id);
  }
  std::unique_ptr<ReduceGroup> open_reduce(std::vector<int> members, int id, torch::Device device) override {
    return inner_.open_reduce(std::move(members), id, device);
  }
  void connect() override { inner_.connect(); }
  std::vector<std::string> all_gather(std::string_view bytes) override { return inner_.all_gather(bytes); }
  void progress() override { inner_.progress(); }
  void note_progress() override { inner_.note_progress(); }
  void set_status(std::function<std::string()> status) override { inner_.set_status(std::move(status)); }
  void set_deadline(std::chrono::milliseconds deadline) override { inner_.set_deadline(deadline); }
  void abort(const std::string& cause) noexcept override { inner_.abort(cause); }

 private:
  Communicator& inner_;
  std::shared_ptr<Wires> wires_;
  double bytes_per_s_;
};

// Worker 0 makes the wires; the others, threads of the same process, are told where.
std::shared_ptr<Wires> shared_wires(Communicator& comm) {
  std::shared_ptr<Wires> wires;
  if (comm.rank() == 0) wires = std::make_shared<Wires>(comm.size());
  const std::shared_ptr<Wires>* place = &wires;
  const std::string bytes = comm.all_gather({reinterpret_cast<const char*>(&place), sizeof(place)}).front();
  std::memcpy(&place, bytes.data(), sizeof(place));
  if (comm.rank() != 0) wires = *place;
  comm.barrier();
  return wires;
}

}  // namespace

std::unique_ptr<Communicator> over_emulated_links(Communicator& inner, double bytes_per_s) {
  return std::make_unique<OverEmulatedLinks>(inner, shared_wires(inner), bytes_per_s);
}

}  // namespace pipedream::bench
