#include "partitioner/least_of_greater.h"

#include <algorithm>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define PIPEDREAM_X86 1
#endif

namespace pipedream::detail {
namespace {

#ifdef PIPEDREAM_X86

__attribute__((target("avx"))) double with_avx(const double* a, const double* b, int count, double best) {
  __m256d least[4];
  for (__m256d& chain : least) chain = _mm256_set1_pd(best);
  int k = 0;
  for (; k + 16 <= count; k += 16) {
    for (int chain = 0; chain < 4; ++chain) {
      const int from = k + 4 * chain;
      least[chain] = _mm256_min_pd(least[chain], _mm256_max_pd(_mm256_loadu_pd(a + from), _mm256_loadu_pd(b + from)));
    }
  }
  for (; k + 4 <= count; k += 4) {
    least[0] = _mm256_min_pd(least[0], _mm256_max_pd(_mm256_loadu_pd(a + k), _mm256_loadu_pd(b + k)));
  }
  least[0] = _mm256_min_pd(_mm256_min_pd(least[0], least[1]), _mm256_min_pd(least[2], least[3]));
  double lanes[4];
  _mm256_storeu_pd(lanes, least[0]);
  best = std::min(std::min(lanes[0], lanes[1]), std::min(lanes[2], lanes[3]));
  _mm256_zeroupper();
  return least_of_greater_scalars(a + k, b + k, count - k, best);
}

double with_sse2(const double* a, const double* b, int count, double best) {
  __m128d least[4];
  for (__m128d& chain : least) chain = _mm_set1_pd(best);
  int k = 0;
  for (; k + 8 <= count; k += 8) {
    for (int chain = 0; chain < 4; ++chain) {
      const int from = k + 2 * chain;
      least[chain] = _mm_min_pd(least[chain], _mm_max_pd(_mm_loadu_pd(a + from), _mm_loadu_pd(b + from)));
    }
  }
  least[0] = _mm_min_pd(_mm_min_pd(least[0], least[1]), _mm_min_pd(least[2], least[3]));
  double lanes[2];
  _mm_storeu_pd(lanes, least[0]);
  return least_of_greater_scalars(a + k, b + k, count - k, std::min(lanes[0], lanes[1]));
}

#endif

}  // namespace

#ifdef PIPEDREAM_X86
namespace {
const bool kHasAvx = __builtin_cpu_supports("avx") != 0;
}
#endif

double least_of_greater_vectors(const double* a, const double* b, int count, double best) {
#ifdef PIPEDREAM_X86
  return kHasAvx ? with_avx(a, b, count, best) : with_sse2(a, b, count, best);
#else
  return least_of_greater_scalars(a, b, count, best);
#endif
}

}  // namespace pipedream::detail
