// The inner loop of the tables in partitioner/level_table.h.
#pragma once

#include <algorithm>

namespace pipedream::detail {

// min(best, min over k < count of max(a[k], b[k])), with vectors where the processor has them.
double least_of_greater_vectors(const double* a, const double* b, int count, double best);

inline double least_of_greater(const double* a, const double* b, int count, double best) {
  if (count >= 8) return least_of_greater_vectors(a, b, count, best);
  for (int k = 0; k < count; ++k) best = std::min(best, std::max(a[k], b[k]));
  return best;
}

}  // namespace pipedream::detail
