// The workers of a measurement: MPI ranks or threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "options.h"
#include "pipedream/communicator.h"

namespace pipedream::bench {

// Calls work(communicator) on every worker: on this MPI rank, or on options.threads threads. One LibTorch thread a
// worker; with options.pin, each worker on a core of its own. Results of all but worker 0 must be dropped by `work`.
void on_every_worker(int& argc, char**& argv, const Options& options, const std::function<void(Communicator&)>& work);

// Collective: the greatest value of all workers, on every worker.
double greatest_of_all(Communicator& comm, double value);

// "2 workers, threads", "8 ranks, MPI", with options.label behind it.
std::string describe_workers(const Communicator& comm, const Options& options);

}  // namespace pipedream::bench
