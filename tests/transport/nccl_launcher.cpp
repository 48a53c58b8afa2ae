#include <algorithm>

#include "simulated/device.h"
#include "simulated/nccl.h"
#include "transport/contract.h"
#include "transport/device.h"
#include "transport/nccl/communicator.h"
#include "transport/on_device.h"

namespace pipedream::testing {

namespace {

// Links are there for good once they are connected, whatever channels come and go; so are groups, of which these are
// what a test opens at one member alone.
void connect_all(Communicator& communicator, torch::Device device) {
  std::vector<std::unique_ptr<SendChannel>> senders;
  std::vector<std::unique_ptr<ReceiveChannel>> receivers;
  std::vector<std::unique_ptr<ReduceGroup>> groups;
  const ChannelOptions options{.device = device};
  for (int peer = 0; peer < communicator.size(); ++peer) {
    if (peer == communicator.rank()) continue;
    senders.push_back(communicator.open_send(peer, 0, options));
    receivers.push_back(communicator.open_receive(peer, 0, options));
  }
  for (int other = 0; other < communicator.size() && communicator.size() > 1; ++other) {
    const std::vector<int> members{std::min(1, other), std::max(1, other)};
    if (other == 1 || (communicator.rank() != 1 && communicator.rank() != other)) continue;
    groups.push_back(communicator.open_reduce(members, 10 + other, device));
  }
  communicator.connect();
}

}  // namespace

std::vector<std::string> launch(int workers, const std::function<void(Communicator&)>& work) {
  std::vector<std::string> ends(static_cast<std::size_t>(workers));
  take_findings();
  try {
    run_in_threads(workers, [&](Communicator& host) {
      const torch::Device device = simulated_device();
      const detail::StreamScope stream(detail::make_stream(device));
      SimulatedNccl nccl;
      const auto communicator = detail::make_nccl_communicator(host, device, &nccl);
      try {
        connect_all(*communicator, device);
        work(*on_device(*communicator, device));
      } catch (const std::exception& error) {
        ends[static_cast<std::size_t>(host.rank())] = error.what();
        // Before the channels of others go: the cause must not be lost.
        communicator->abort(error.what());
        throw;
      }
      communicator->barrier();
    });
  } catch (const std::exception&) {
  }
  const std::vector<std::string> races = take_findings().races;
  if (!races.empty()) ends.front() += races.front();
  return ends;
}

int most_workers() { return 5; }

}  // namespace pipedream::testing
