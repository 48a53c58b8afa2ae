#include "prediction.h"

#include <algorithm>

#include "pipedream/error.h"
#include "pipedream/profiler.h"
#include "pipedream/schedule.h"
#include "pipedream/simulate.h"

namespace pipedream::bench {

Profile profile_of(Communicator& comm, const Workload& work, int repetitions) {
  return profile(work.graph, *work.data, comm,
                 {.microbatch_size = work.microbatch_size, .warmup = 1, .repetitions = repetitions});
}

TimelineFigures simulated_run(const Workload& work, std::int64_t microbatches, const Profile& profile,
                              const Topology& topology) {
  const Segment segment{Pass::train, microbatches};
  const Program program = make_program(work.plan, stage_links(work.plan, profile), segment);
  const SimulationCosts costs = simulation_costs(work.plan, profile, topology);
  return summarize(simulate(program, work.plan, segment, costs, {.record = true}).timeline, work.plan);
}

void add_prediction(std::vector<Figure>& figures, const std::string& measured, double simulated_us) {
  const auto found =
      std::find_if(figures.begin(), figures.end(), [&](const Figure& figure) { return figure.name == measured; });
  if (found == figures.end()) throw ConfigError("nothing was measured that is called " + measured);
  const std::vector<double> simulated(found->samples.size(), simulated_us);
  figures.push_back({"prediction", "%", deviations(simulated, found->samples)});
}

}  // namespace pipedream::bench
