// Which of its inputs a prediction was wrong about.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipedream/profile.h"
#include "pipedream/run_report.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream {

// What a run of so many microbatches takes and holds by simulation of the profile's figures; the simulation is no
// longer than its steady state needs. Throws ConfigError where plan, profile and topology do not belong together.
RunFigures simulated_figures(const Plan& plan, const Profile& profile, const Topology& topology,
                             StateFactors state_factors, std::int64_t microbatches);

// What the plan's own prediction says of them: times of stages and the microbatch, memory by worker.
RunFigures planned_figures(const Plan& plan);

// An input of the simulation that differs from what was measured.
struct InputError {
  std::string input;  // "backward of stage 1"
  double predicted_us = 0;
  double measured_us = 0;
  // By how much the simulated time of a microbatch changes when this input alone is replaced by what was measured.
  double effect_us = 0;
};

struct Explanation {
  double predicted_us = 0;              // microbatch, simulated with the profile
  double corrected_us = 0;              // with all measured times of stages in place of the profile's
  double measured_us = 0;               // what is left to corrected_us is due to links, waits and the host
  std::vector<InputError> inputs = {};  // the greatest effect first; those without an effect are left out
};

// Simulates the run again, with the profile's times and with those that were measured. Throws ConfigError where the
// profile is of another model than the report's plan, or the report has no topology.
Explanation explain(const RunReport& report, const Profile& profile);

// The profile with the times of each layer scaled by what its stage measured over what it was predicted; where nothing
// was predicted the layers get equal shares of it. Stages that measured nothing stay.
Profile recalibrated(Profile profile, const Plan& plan, const std::vector<StageFigures>& measured);

}  // namespace pipedream
