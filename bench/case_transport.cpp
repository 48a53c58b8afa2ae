#include <fmt/format.h>
#include <mpi.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "cases.h"
#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "world.h"

namespace pipedream::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSmall = 64 << 10;   // up to here what is added in microseconds counts
constexpr std::int64_t kLarge = 256 << 10;  // from here the rate
constexpr std::int64_t kLargest = 64 << 20;

// There and back again through MPI alone, the receive posted ahead, the buffers used again and again.
class BarePingPong {
 public:
  explicit BarePingPong(std::int64_t bytes)
      : bytes_(static_cast<int>(bytes)), sent_(torch::zeros({bytes}, torch::kByte)), received_(sent_.clone()) {}

  void ping() {
    receive();
    send();
    MPI_Wait(&receiving_, MPI_STATUS_IGNORE);
    MPI_Wait(&sending_, MPI_STATUS_IGNORE);
  }
  void expect() { receive(); }
  void pong(bool last) {
    MPI_Wait(&receiving_, MPI_STATUS_IGNORE);
    std::swap(sent_, received_);
    if (!last) receive();
    send();
    MPI_Wait(&sending_, MPI_STATUS_IGNORE);
  }

 private:
  void send() { MPI_Isend(sent_.data_ptr(), bytes_, MPI_BYTE, peer(), 0, MPI_COMM_WORLD, &sending_); }
  void receive() { MPI_Irecv(received_.data_ptr(), bytes_, MPI_BYTE, peer(), 0, MPI_COMM_WORLD, &receiving_); }
  static int peer() {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return 1 - rank;
  }

  int bytes_;
  torch::Tensor sent_;
  torch::Tensor received_;
  MPI_Request sending_ = MPI_REQUEST_NULL;
  MPI_Request receiving_ = MPI_REQUEST_NULL;
};

// The same through channels of the communicator: one tensor a message.
class ChannelPingPong {
 public:
  ChannelPingPong(SendChannel& sender, ReceiveChannel& receiver, std::int64_t bytes)
      : sender_(sender), receiver_(receiver), tensor_(torch::zeros({bytes}, torch::kByte)) {}

  void ping() {
    receiver_.post();
    sender_.post({{tensor_}, 0});
    receiver_.wait();
    sender_.wait();
  }
  void expect() { receiver_.post(); }
  void pong(bool last) {
    Message message = receiver_.wait();
    if (!last) receiver_.post();
    sender_.post(std::move(message));
    sender_.wait();
  }

 private:
  SendChannel& sender_;
  ReceiveChannel& receiver_;
  torch::Tensor tensor_;
};

// Microseconds for one message, half of there and back; measured by worker 0.
template <class PingPong>
double message_us(Communicator& comm, PingPong& game, int rounds) {
  comm.barrier();
  if (comm.rank() == 1) game.expect();
  comm.barrier();
  const auto start = Clock::now();
  for (int i = 0; i < rounds; ++i) {
    if (comm.rank() == 0) {
      game.ping();
    } else {
      game.pong(i + 1 == rounds);
    }
  }
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / (2.0 * rounds);
}

Result measure_size(Communicator& comm, const Options& options, std::int64_t bytes, SendChannel& sender,
                    ReceiveChannel& receiver) {
  const std::int64_t budget = options.quick ? 16 << 20 : 512 << 20;
  const int most = options.quick ? 100 : 5000;
  const int rounds = static_cast<int>(std::clamp<std::int64_t>(budget / bytes, 2, most));
  BarePingPong bare(bytes);
  ChannelPingPong channel(sender, receiver, bytes);
  message_us(comm, bare, std::max(1, rounds / 4));
  message_us(comm, channel, std::max(1, rounds / 4));
  std::vector<double> bare_us;
  std::vector<double> channel_us;
  for (int i = 0; i < (options.quick ? 1 : options.samples); ++i) {
    bare_us.push_back(message_us(comm, bare, rounds));
    channel_us.push_back(message_us(comm, channel, rounds));
  }
  Result result{.case_name = "transport",
                .variant = fmt::format("{} KiB", bytes >> 10),
                .setting = describe_workers(comm, options) + ", one tensor a message, there and back",
                .figures = {{"added", "us", differences(channel_us, bare_us)},
                            {"ratio", "", ratios(bare_us, channel_us)},
                            {"bare", "us", bare_us},
                            {"message", "us", channel_us}},
                .goals = {}};
  if (bytes <= kSmall) result.goals = {{"added", Limit::at_most, 1.5}};
  if (bytes >= kLarge) result.goals = {{"ratio", Limit::at_least, 0.95}};
  return result;
}

}  // namespace

std::vector<Result> run_transport(Communicator& comm, const Options& options) {
  if (!MpiScope::launched() || comm.size() != 2)
    throw ConfigError("transport compares with MPI: start it with mpirun -n 2");
  const auto sender = comm.open_send(1 - comm.rank(), 0, {});
  const auto receiver = comm.open_receive(1 - comm.rank(), 0, {});
  std::vector<Result> results;
  for (std::int64_t bytes = 1 << 10; bytes <= (options.quick ? kLarge : kLargest); bytes *= 4) {
    results.push_back(measure_size(comm, options, bytes, *sender, *receiver));
  }
  if (comm.rank() != 0) results.clear();
  return results;
}

}  // namespace pipedream::bench
