/* float32 brought into the form that the products in bfloat16 read: rounded to nearest even (one part), or split into
 * three parts whose sum is the number itself. For the instruction set of half_product.c.
 *
 * x = h + m + l: h is x cut after 8 bits of fraction, m is x - h rounded to 8 bits, l is what is left, which has no
 * more than 8 bits. h is cut, not rounded, so that no finite number becomes infinite; infinity and NaN have a NaN among
 * their parts. Parts below 2^-126 are flushed to 0 by who multiplies: numbers below 2^-103 lose low bits.
 *
 * Pairs of k: with one part k and k + 1, with three k and k + 16 of each 32, as these need no shuffle. */
#ifndef PLUMB_DEVICE_CPU_HALF_PACK_H
#define PLUMB_DEVICE_CPU_HALF_PACK_H

#include <immintrin.h>
#include <string.h>

#include "device/cpu/half_product.h"
#include "device/cpu/transpose.h"

/* The parts of 16 pairs, h first; `step` elements from one part to the next. */
PL__INLINE void pl__split_pairs(uint16_t *to, size_t step, __m512 first, __m512 second)
{
    const __m512i top = _mm512_set1_epi32((int)0xffff0000u), half = _mm512_set1_epi32(0x8000);
    const __mmask32 upper = 0xaaaaaaaau;
    __m512i a = _mm512_castps_si512(first), b = _mm512_castps_si512(second);
    for (int part = 0;; part++, to += step) {
        _mm512_storeu_si512(to, _mm512_mask_blend_epi16(upper, _mm512_srli_epi32(a, 16), b));
        if (part == PL__HALF_PARTS - 1) return;
        first = _mm512_sub_ps(first, _mm512_castsi512_ps(_mm512_and_si512(a, top)));
        second = _mm512_sub_ps(second, _mm512_castsi512_ps(_mm512_and_si512(b, top)));
        a = _mm512_castps_si512(first);
        b = _mm512_castps_si512(second);
        if (part == 0) {
            a = _mm512_add_epi32(a, half);
            b = _mm512_add_epi32(b, half);
        }
    }
}

/* The first `left` of 16 lanes. */
PL__INLINE __mmask16 pl__lanes(size_t left)
{
    return (__mmask16)(left >= 16 ? 0xffffu : (1u << left) - 1u);
}
PL__INLINE size_t pl__left(size_t n, size_t i)
{
    return i < n ? n - i : 0;
}

/* n floats of a row as n_padded pairs' elements, zero past n: of each 32 k its parts one after another. */
PL__INLINE void pl__half_row(uint16_t *to, const float *x, size_t n, size_t n_padded, const int parts)
{
    size_t i = 0;
    if (parts == 1) {
        for (; i + 32 <= n; i += 32)
            _mm512_storeu_si512(to + i,
                                (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i)));
        for (; i < n_padded; i += 32) {
            const __m512 a = _mm512_maskz_loadu_ps(pl__lanes(pl__left(n, i)), x + i);
            const __m512 b = _mm512_maskz_loadu_ps(pl__lanes(pl__left(n, i + 16)), x + i + 16);
            _mm512_storeu_si512(to + i, (__m512i)_mm512_cvtne2ps_pbh(b, a));
        }
        return;
    }
    for (; i + 32 <= n; i += 32)
        pl__split_pairs(to + i * PL__HALF_PARTS, 32, _mm512_loadu_ps(x + i), _mm512_loadu_ps(x + i + 16));
    for (; i < n_padded; i += 32) {
        const __m512 a = _mm512_maskz_loadu_ps(pl__lanes(pl__left(n, i)), x + i);
        const __m512 b = _mm512_maskz_loadu_ps(pl__lanes(pl__left(n, i + 16)), x + i + 16);
        pl__split_pairs(to + i * PL__HALF_PARTS, 32, a, b);
    }
}

/* A panel of [n, columns] in pairs of k, from rows of k; zero past n and columns, n_padded whole. */
static void pl__panel_of_rows(uint16_t *to, const float *from, size_t stride, size_t n, size_t n_padded, size_t columns,
                              const int parts)
{
    enum { PANEL = PL__HALF_PANEL, K = PL__HALF_K };
    _Alignas(64) static const uint16_t pairs[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i order = _mm512_load_si512(pairs);
    const __mmask16 masks[2] = {pl__lanes(columns), pl__lanes(pl__left(columns, 16))};
    const size_t apart = parts == 1 ? 1 : K / 2; /* of a pair's two k */
    for (size_t block = 0; block < n_padded; block += K, to += (size_t)parts * K * PANEL) {
        for (size_t i = 0; i < K / 2; i++) {
            const size_t k = block + (parts == 1 ? 2 * i : i);
            for (size_t h = 0; h < 2; h++) {
                const __mmask16 first = k < n ? masks[h] : 0, second = k + apart < n ? masks[h] : 0;
                const __m512 a = _mm512_maskz_loadu_ps(first, from + k * stride + 16 * h);
                const __m512 b = _mm512_maskz_loadu_ps(second, from + (k + apart) * stride + 16 * h);
                uint16_t *line = to + i * 2 * PANEL + PANEL * h;
                if (parts == 1) {
                    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
                    _mm512_storeu_si512(line, _mm512_permutexvar_epi16(order, both));
                } else {
                    pl__split_pairs(line, K * PANEL, a, b);
                }
            }
        }
    }
}

/* 16 columns of 32 k, transposed and split. */
PL__INLINE void pl__split_columns(uint16_t *to, const float *from, size_t stride)
{
    enum { PANEL = PL__HALF_PANEL, K = PL__HALF_K };
    _Alignas(64) float lines[K][16];
    pl__transpose_square(lines[0], 16, from, stride);
    pl__transpose_square(lines[K / 2], 16, from + K / 2, stride);
    for (size_t i = 0; i < K / 2; i++)
        pl__split_pairs(to + i * 2 * PANEL, K * PANEL, _mm512_load_ps(lines[i]), _mm512_load_ps(lines[K / 2 + i]));
}

/* The same from rows of columns: 16 of them as pairs, which are transposed like floats. */
static void pl__panel_of_columns(uint16_t *to, const float *from, size_t stride, size_t n, size_t n_padded,
                                 size_t columns, const int parts)
{
    enum { PANEL = PL__HALF_PANEL, K = PL__HALF_K };
    _Alignas(64) float pairs[16][PL__HALF_PARTS * 16];
    for (size_t k = 0; k < n_padded; k += K, to += (size_t)parts * K * PANEL) {
        const size_t some = pl__least(pl__left(n, k), K);
        for (size_t h = 0; h < 2; h++) {
            if (parts > 1 && some == K && columns >= 16 * (h + 1)) {
                pl__split_columns(to + PANEL * h, from + 16 * h * stride + k, stride);
                continue;
            }
            for (size_t j = 0; j < 16; j++) {
                const size_t column = 16 * h + j;
                if (column < columns)
                    pl__half_row((uint16_t *)pairs[j], from + column * stride + k, some, K, parts);
                else
                    memset(pairs[j], 0, sizeof pairs[j]);
            }
            for (size_t part = 0; part < (size_t)parts; part++)
                pl__transpose_square((float *)(to + part * K * PANEL) + 16 * h, PANEL, pairs[0] + 16 * part,
                                     PL__HALF_PARTS * 16);
        }
    }
}

#endif
