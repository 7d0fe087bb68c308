/* What the benchmarks of products share: clocks, and what the FMA units give when nothing else is in the way. */
#ifndef TESTS_BENCH_PEAK_H
#define TESTS_BENCH_PEAK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/status.h"

/* One thread's own CPU time, which other work does not count in; of several threads the clock's. */
static inline double seconds(int threads)
{
    struct timespec t;
    if (threads > 1) return pl_clock_s();
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void must(pl_status status)
{
    if (status == PL_OK) return;
    (void)fprintf(stderr, "%s\n", pl_error_text());
    exit(1);
}

/* 12 (24) independent chains of vectors, the widest that the CPU has. */
#if defined(__x86_64__)
#include <immintrin.h>
#define PEAK_ONE(name, flags, vec, set, fma, chains, lanes, take)                                                      \
    __attribute__((target(flags))) static double name(int threads)                                                     \
    {                                                                                                                  \
        vec acc[chains], a = set(0.999f), b = set(1e-3f);                                                              \
        const size_t n = 100000;                                                                                       \
        double best = 1e9;                                                                                             \
        for (int i = 0; i < chains; i++) acc[i] = set((float)i);                                                       \
        for (int run = 0; run < 300; run++) {                                                                          \
            double t = seconds(threads);                                                                               \
            for (size_t k = 0; k < n; k++) {                                                                           \
                _Pragma("GCC unroll 24") for (int i = 0; i < chains; i++) acc[i] = fma(acc[i], a, b);                  \
            }                                                                                                          \
            t = seconds(threads) - t;                                                                                  \
            if (t < best) best = t;                                                                                    \
        }                                                                                                              \
        float sum = 0;                                                                                                 \
        for (int i = 0; i < chains; i++) sum += take(acc[i]);                                                          \
        return sum != 0.0f ? 2.0 * chains * lanes * (double)n / best * 1e-9 : 0.0;                                     \
    }
PEAK_ONE(peak_avx2, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps, 12, 8, _mm256_cvtss_f32)
PEAK_ONE(peak_avx512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps, 24, 16, _mm512_cvtss_f32)
static inline double fma_peak(int threads)
{
    double sum = 0;
    const int wide = __builtin_cpu_supports("avx512f");
#pragma omp parallel for num_threads(threads) reduction(+ : sum)
    for (int i = 0; i < threads; i++) sum += wide ? peak_avx512(threads) : peak_avx2(threads);
    return sum;
}
#else
static inline double fma_peak(int threads)
{
    (void)threads;
    return NAN;
}
#endif

#endif
