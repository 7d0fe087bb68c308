/* The few vector operations that the products need, for the instruction set the file is compiled for.
 *
 * pl__vec holds PL__LANES floats. A panel is PL__PANEL_VECS vectors wide; a product works on up to PL__ROWS rows of it at
 * once, chosen so that accumulators, one row of the panel and a broadcast fit the registers. pl__fma rounds once on
 * every CPU, so a chain of it has the same bits everywhere. */
#ifndef PLUMB_DEVICE_CPU_VECTOR_H
#define PLUMB_DEVICE_CPU_VECTOR_H

#include <math.h>
#include <stddef.h>

#if defined(PL_CPU_AVX512) || defined(PL_CPU_AVX2)
#include <immintrin.h>
#endif

#define PL__INLINE static inline __attribute__((always_inline))

#if defined(PL_CPU_AVX512)
typedef __m512 pl__vec;
enum { PL__LANES = 16, PL__PANEL_VECS = 2, PL__ROWS = 12 };
PL__INLINE pl__vec pl__zero(void)
{
    return _mm512_setzero_ps();
}
PL__INLINE pl__vec pl__set(float x)
{
    return _mm512_set1_ps(x);
}
PL__INLINE pl__vec pl__load(const float *x)
{
    return _mm512_loadu_ps(x);
}
PL__INLINE void pl__store(float *y, pl__vec x)
{
    _mm512_storeu_ps(y, x);
}
PL__INLINE pl__vec pl__fma(pl__vec a, pl__vec b, pl__vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
#elif defined(PL_CPU_AVX2)
typedef __m256 pl__vec;
enum { PL__LANES = 8, PL__PANEL_VECS = 2, PL__ROWS = 6 };
PL__INLINE pl__vec pl__zero(void)
{
    return _mm256_setzero_ps();
}
PL__INLINE pl__vec pl__set(float x)
{
    return _mm256_set1_ps(x);
}
PL__INLINE pl__vec pl__load(const float *x)
{
    return _mm256_loadu_ps(x);
}
PL__INLINE void pl__store(float *y, pl__vec x)
{
    _mm256_storeu_ps(y, x);
}
PL__INLINE pl__vec pl__fma(pl__vec a, pl__vec b, pl__vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
#else
/* The same shape as AVX-512, so that this variant's tests cover that shape on every CPU. */
typedef struct pl__vec {
    float lane[16];
} pl__vec;
enum { PL__LANES = 16, PL__PANEL_VECS = 2, PL__ROWS = 12 };
PL__INLINE pl__vec pl__set(float x)
{
    pl__vec v;
    for (int i = 0; i < PL__LANES; i++) v.lane[i] = x;
    return v;
}
PL__INLINE pl__vec pl__zero(void)
{
    return pl__set(0.0f);
}
PL__INLINE pl__vec pl__load(const float *x)
{
    pl__vec v;
    for (int i = 0; i < PL__LANES; i++) v.lane[i] = x[i];
    return v;
}
PL__INLINE void pl__store(float *y, pl__vec x)
{
    for (int i = 0; i < PL__LANES; i++) y[i] = x.lane[i];
}
PL__INLINE pl__vec pl__fma(pl__vec a, pl__vec b, pl__vec c)
{
    for (int i = 0; i < PL__LANES; i++) c.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return c;
}
#endif

enum { PL__PANEL = PL__PANEL_VECS * PL__LANES };

#endif
