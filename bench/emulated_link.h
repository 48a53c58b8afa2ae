// Links between workers that are threads of one process: every pair has one of its own, full duplex, on which messages
// take their time. Tensors, channels and their rules are those of the communicator beneath.
#pragma once

#include <memory>

#include "pipedream/communicator.h"

namespace pipedream::bench {

// A message starts when its send and its receive are posted and the message before it on that direction of the link has
// left, and has left and arrived after its bytes / bytes_per_s. Waits for that sleep. Sums and gathers take no time of
// a link.
//
// Collective: all workers call it with the same rate. Uses `inner`, which must outlive it, from the worker's thread.
std::unique_ptr<Communicator> over_emulated_links(Communicator& inner, double bytes_per_s);

}  // namespace pipedream::bench
