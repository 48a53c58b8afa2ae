// The cases of bench/README.md. Each is collective and returns its results on worker 0, nothing elsewhere.
#pragma once

#include <vector>

#include "options.h"
#include "pipedream/communicator.h"
#include "report.h"

namespace pipedream::bench {

std::vector<Result> run_emulated(Communicator& comm, const Options& options);
std::vector<Result> run_deep(Communicator& comm, const Options& options);
// Needs threads: the links are emulated in one process.
std::vector<Result> run_links(Communicator& comm, const Options& options);
std::vector<Result> run_compute_bound(Communicator& comm, const Options& options);
// Several plans of one model: whether they are as fast as predicted, one against another.
std::vector<Result> run_order(Communicator& comm, const Options& options);
// compute-bound at a size for GPUs.
std::vector<Result> run_wide(Communicator& comm, const Options& options);
std::vector<Result> run_overhead_bound(Communicator& comm, const Options& options);
// Needs MPI: it calls MPI itself, to compare.
std::vector<Result> run_transport(Communicator& comm, const Options& options);
// Trains until it is killed; bench/failure.py kills it and reads the clock.
std::vector<Result> run_victim(Communicator& comm, const Options& options);

}  // namespace pipedream::bench
