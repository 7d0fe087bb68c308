/* The few vector operations that the products need, for the instruction set the file is compiled for.
 *
 * pl__vec holds PL__LANES floats. A panel is PL__PANEL_VECS vectors wide; a product works on up to PL__ROWS rows of it
 * at once, chosen so that accumulators, one row of the panel and a broadcast fit the registers. pl__fma rounds once on
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
PL__INLINE void pl__load_page(__m256 *low, __m256 *high, const float *x, int max)
{
    __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16), c = max ? _mm512_max_ps(b, a) : _mm512_add_ps(a, b);
    *low = _mm512_castps512_ps256(c);
    *high = _mm512_extractf32x8_ps(c, 1);
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
PL__INLINE void pl__load_page(__m256 *low, __m256 *high, const float *x, int max)
{
    __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + 8), c = _mm256_loadu_ps(x + 16), d = _mm256_loadu_ps(x + 24);
    *low = max ? _mm256_max_ps(c, a) : _mm256_add_ps(a, c);
    *high = max ? _mm256_max_ps(d, b) : _mm256_add_ps(b, d);
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

/* The largest and the sum of the 32 numbers of a page, in the tree that takes lane i with i + 16, then + 8, 4, 2, 1. */
#if defined(PL_CPU_AVX512) || defined(PL_CPU_AVX2)
PL__INLINE float pl__max_page(const float *x)
{
    __m256 low, high;
    pl__load_page(&low, &high, x, 1);
    low = _mm256_max_ps(high, low);
    __m128 t = _mm_max_ps(_mm256_extractf128_ps(low, 1), _mm256_castps256_ps128(low));
    t = _mm_max_ps(_mm_movehl_ps(t, t), t);
    return _mm_cvtss_f32(_mm_max_ss(_mm_movehdup_ps(t), t));
}
PL__INLINE float pl__sum_page(const float *x)
{
    __m256 low, high;
    pl__load_page(&low, &high, x, 0);
    low = _mm256_add_ps(low, high);
    __m128 t = _mm_add_ps(_mm256_castps256_ps128(low), _mm256_extractf128_ps(low, 1));
    t = _mm_add_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}
#else
PL__INLINE float pl__max_page(const float *x)
{
    float t[16];
    for (int i = 0; i < 16; i++) t[i] = x[i + 16] > x[i] ? x[i + 16] : x[i];
    for (int half = 8; half; half /= 2) {
        for (int i = 0; i < half; i++) t[i] = t[i + half] > t[i] ? t[i + half] : t[i];
    }
    return t[0];
}
PL__INLINE float pl__sum_page(const float *x)
{
    float t[16];
    for (int i = 0; i < 16; i++) t[i] = x[i] + x[i + 16];
    for (int half = 8; half; half /= 2) {
        for (int i = 0; i < half; i++) t[i] += t[i + half];
    }
    return t[0];
}
#endif

enum { PL__PANEL = PL__PANEL_VECS * PL__LANES };

#endif
