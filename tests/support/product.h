// Everything that the algorithms promise together: each algorithm with each optimizer, with and without recomputation,
// with even and ragged microbatches, on straight and replicated plans.
#pragma once

#include <vector>

#include "support/exactness.h"

namespace pipedream::testing {

// The cases for 2 workers (straight pipelines, two replicas) or 3 (a replicated stage before a single one, three
// replicas). Layers draw and keep statistics.
std::vector<ExactnessCase> product_cases(int workers);

// Mutations that must be seen in the case, as twins of it.
std::vector<Mutation> twins_of(const ExactnessCase& example);

}  // namespace pipedream::testing
