// The mutation twin of a run that agreed with the oracle: an oracle that does something wrong must not agree.
#pragma once

#include <catch2/catch.hpp>
#include <vector>

#include "support/exactness.h"

namespace pipedream::testing {

inline void check_twin(const ExactnessCase& example, const std::vector<WorkerRun>& runs, Mutation mutation,
                       int stage = 0) {
  INFO(describe(example) << ", mutation " << static_cast<int>(mutation) << " of stage " << stage);
  CHECK(difference(example, runs, replay(example, mutation, stage)) != "");
}

}  // namespace pipedream::testing
