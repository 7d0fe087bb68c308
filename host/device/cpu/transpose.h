/* to[j, i] = from[i, j], for the instruction set the file is compiled for. */
#ifndef PLUMB_DEVICE_CPU_TRANSPOSE_H
#define PLUMB_DEVICE_CPU_TRANSPOSE_H

#include "device/cpu/vector.h"

#if defined(PL_CPU_AVX512)
enum { PL__SQUARE = 16 };
PL__INLINE void pl__transpose_square(float *to, size_t to_stride, const float *from, size_t from_stride)
{
    __m512 a[16], b[16];
    for (size_t i = 0; i < 16; i++) a[i] = _mm512_loadu_ps(from + i * from_stride);
    for (size_t i = 0; i < 16; i += 2) { /* b[i]: columns 0, 1 of each quarter, b[i + 1]: 2, 3, of rows i and i + 1 */
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (size_t i = 0; i < 16; i += 4) { /* a[i + c]: column c of each quarter, of rows i..i + 3 */
        for (size_t h = 0; h < 2; h++) {
            __m512d low = _mm512_castps_pd(b[i + h]), high = _mm512_castps_pd(b[i + 2 + h]);
            a[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            a[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    for (size_t c = 0; c < 4; c++) {
        __m512 even = _mm512_shuffle_f32x4(a[c], a[4 + c], 0x88), odd = _mm512_shuffle_f32x4(a[c], a[4 + c], 0xdd);
        __m512 even2 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0x88);
        __m512 odd2 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0xdd);
        _mm512_storeu_ps(to + c * to_stride, _mm512_shuffle_f32x4(even, even2, 0x88));
        _mm512_storeu_ps(to + (4 + c) * to_stride, _mm512_shuffle_f32x4(odd, odd2, 0x88));
        _mm512_storeu_ps(to + (8 + c) * to_stride, _mm512_shuffle_f32x4(even, even2, 0xdd));
        _mm512_storeu_ps(to + (12 + c) * to_stride, _mm512_shuffle_f32x4(odd, odd2, 0xdd));
    }
}
#elif defined(PL_CPU_AVX2)
enum { PL__SQUARE = 8 };
PL__INLINE void pl__transpose_square(float *to, size_t to_stride, const float *from, size_t from_stride)
{
    __m256 a[8], b[8];
    for (size_t i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(from + i * from_stride);
    for (size_t i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4) {
        for (size_t h = 0; h < 2; h++) {
            a[i + 2 * h] = _mm256_shuffle_ps(b[i + h], b[i + 2 + h], 0x44);
            a[i + 2 * h + 1] = _mm256_shuffle_ps(b[i + h], b[i + 2 + h], 0xee);
        }
    }
    for (size_t c = 0; c < 4; c++) {
        _mm256_storeu_ps(to + c * to_stride, _mm256_permute2f128_ps(a[c], a[4 + c], 0x20));
        _mm256_storeu_ps(to + (4 + c) * to_stride, _mm256_permute2f128_ps(a[c], a[4 + c], 0x31));
    }
}
#else
enum { PL__SQUARE = 16 };
PL__INLINE void pl__transpose_square(float *to, size_t to_stride, const float *from, size_t from_stride)
{
    for (size_t i = 0; i < PL__SQUARE; i++) {
        for (size_t j = 0; j < PL__SQUARE; j++) to[j * to_stride + i] = from[i * from_stride + j];
    }
}
#endif

/* from [rows, columns]. */
PL__INLINE void pl__transpose(float *to, size_t to_stride, const float *from, size_t from_stride, size_t rows,
                              size_t columns)
{
    size_t whole_rows = rows / PL__SQUARE * PL__SQUARE, whole_columns = columns / PL__SQUARE * PL__SQUARE;
    for (size_t i = 0; i < whole_rows; i += PL__SQUARE) {
        for (size_t j = 0; j < whole_columns; j += PL__SQUARE)
            pl__transpose_square(to + j * to_stride + i, to_stride, from + i * from_stride + j, from_stride);
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = i < whole_rows ? whole_columns : 0; j < columns; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
    }
}

#endif
