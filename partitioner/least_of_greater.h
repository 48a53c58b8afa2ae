// The inner loop of the tables in partitioner/level_table.h.
#pragma once

#include <algorithm>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace pipedream::detail {

// Multiples of it are fastest.
inline constexpr int kLanes = 8;

// min(best, min over k < count of max(a[k], b[k])), with vectors where the processor has them.
double least_of_greater_vectors(const double* a, const double* b, int count, double best);

inline double least_of_greater_scalars(const double* a, const double* b, int count, double best) {
  for (int k = 0; k < count; ++k) best = std::min(best, std::max(a[k], b[k]));
  return best;
}

// Compilers do not make vectors of it on their own: that would change the answer if there were NaNs or signed zeros.
// Several chains, so that one minimum need not wait for the other.
inline double least_of_greater(const double* a, const double* b, int count, double best) {
  constexpr int kFew = 4 * kLanes;
  if (count > kFew) return least_of_greater_vectors(a, b, count, best);
  int k = 0;
#ifdef __SSE2__
  if (count >= kLanes) {
    const auto greater = [&](int at) { return _mm_max_pd(_mm_loadu_pd(a + at), _mm_loadu_pd(b + at)); };
    __m128d least = _mm_set1_pd(best);
    for (; k + kLanes <= count; k += kLanes) {
      const __m128d first = _mm_min_pd(greater(k), greater(k + 2));
      const __m128d second = _mm_min_pd(greater(k + 4), greater(k + 6));
      least = _mm_min_pd(least, _mm_min_pd(first, second));
    }
    best = _mm_cvtsd_f64(_mm_min_sd(least, _mm_unpackhi_pd(least, least)));
  }
#endif
  return least_of_greater_scalars(a + k, b + k, count - k, best);
}

}  // namespace pipedream::detail
