// The channels of one worker: for each link of its stages and each replica at the other end, one of activations and one
// of gradients. One thread.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/plan.h"
#include "pipedream/schedule.h"

namespace pipedream::detail {

// How many tensors travel over a link; both ends know it from the graph.
struct LinkTensors {
  int activations = 0;
  int gradients = 0;
};

// Channel ids from here on are free for what is no link.
int first_free_channel_id(std::span<const StageLink> links);

class Channels {
 public:
  // Opens every channel of this worker, for tensors of the device. tensors: by link.
  Channels(const Plan& plan, std::vector<StageLink> links, std::span<const LinkTensors> tensors, torch::Device device,
           Communicator& comm);

  // The channel of a message action, at this worker's end. A message to a later stage carries activations.
  SendChannel& sender(const Action& action);
  ReceiveChannel& receiver(const Action& action);

 private:
  struct Ends {
    std::vector<std::unique_ptr<SendChannel>> senders;  // by replica of the peer stage
    std::vector<std::unique_ptr<ReceiveChannel>> receivers;
  };

  Ends& ends(const Action& action);

  const Plan* plan_;
  std::vector<StageLink> links_;
  std::vector<Ends> ends_;  // by 2 * link + (1 for gradients)
};

}  // namespace pipedream::detail
