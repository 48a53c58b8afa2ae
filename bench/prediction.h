// What the library says of a run before it starts: its profiler's figures of the model and its measurement of the
// links, put through the simulator.
#pragma once

#include <string>
#include <vector>

#include "models.h"
#include "pipedream/communicator.h"
#include "pipedream/profile.h"
#include "pipedream/timeline.h"
#include "pipedream/topology.h"
#include "report.h"

namespace pipedream::bench {

// Collective; the same on all workers.
Profile profile_of(Communicator& comm, const Workload& work, int repetitions);

// The figures of a run of so many microbatches under the work's plan, by the definitions of `summarize`, which also
// measures: the simulator goes through the very programs that the workers will run.
TimelineFigures simulated_run(const Workload& work, std::int64_t microbatches, const Profile& profile,
                              const Topology& topology);

// Adds `prediction`: how far `simulated_us` is from each sample of the figure that was measured.
void add_prediction(std::vector<Figure>& figures, const std::string& measured, double simulated_us);

}  // namespace pipedream::bench
