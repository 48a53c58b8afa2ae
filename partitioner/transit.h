// How much longer transfers keep a microbatch out of a stage.
#pragma once

#include <vector>

#include "pipedream/simulate.h"

namespace pipedream::detail {

// By stage but the last: what the links behind it add to the round trip of a microbatch when nothing else goes on,
// both ways, beyond the round trip from the next stage on. Microseconds.
std::vector<double> transit_us(const Plan& plan, const SimulationCosts& costs);

}  // namespace pipedream::detail
