/* Dropout masks, drawn wherever they are needed: the twin of host/device/cpu/dropout.h, bit by bit. pl_dropout in
 * device/ops.h says how a mask is drawn.
 *
 * A launcher makes a pl__mask_source, which goes to the kernel by value; a thread reads the step's key once
 * (pl__mask_read) and draws four channels at a time: ten rounds of two 32 x 32 bit products each, no memory. */
#ifndef PLUMB_CUDA_DROPOUT_CUH
#define PLUMB_CUDA_DROPOUT_CUH

#include <math.h>

#include "cuda.h"
#include "kernel.cuh"

/* What a kernel gets. key NULL: there is no mask, and the rest is not read. */
typedef struct pl__mask_source {
    const int32_t *key;      /* [3] on the device: seed low, seed high, step */
    const int32_t *examples; /* [rows] */
    uint32_t place;          /* layer << 4 | site */
    uint32_t limit;          /* a word w drops where (w >> 8) < limit */
    float scale;             /* what is kept is multiplied by it */
} pl__mask_source;

static inline pl__mask_source pl__mask_source_of(const pl_dropout *d)
{
    if (d->probability == 0.0f) return pl__mask_source{};
    return pl__mask_source{(const int32_t *)pl__at(d->key, 0), (const int32_t *)pl__at(d->examples, 0),
                           d->layer << 4 | (uint32_t)d->site, (uint32_t)ceil((double)d->probability * 0x1p24),
                           (float)(1.0 / (1.0 - (double)d->probability))};
}

/* ---- On the device ---- */

/* A mask ready for use. */
typedef struct pl__mask {
    uint32_t key0, key1, step, limit;
    float scale;
} pl__mask;

__device__ __forceinline__ pl__mask pl__mask_read(const pl__mask_source &d)
{
    return pl__mask{(uint32_t)d.key[0], (uint32_t)d.key[1] ^ d.place, (uint32_t)d.key[2], d.limit, d.scale};
}

/* The words of channels 4 * quad .. 4 * quad + 4: Philox4x32-10 (Salmon et al. 2011). */
__device__ __forceinline__ uint4 pl__mask_words(const pl__mask &m, int32_t example, int32_t position, uint32_t quad)
{
    uint32_t key0 = m.key0, key1 = m.key1;
    uint4 w;
    w.x = m.step, w.y = (uint32_t)example, w.z = (uint32_t)position, w.w = quad;
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint64_t p = (uint64_t)w.x * 0xD2511F53u, q = (uint64_t)w.z * 0xCD9E8D57u;
        w.x = (uint32_t)(q >> 32) ^ w.y ^ key0;
        w.y = (uint32_t)q;
        w.z = (uint32_t)(p >> 32) ^ w.w ^ key1;
        w.w = (uint32_t)p;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return w;
}

/* What a word's channel is multiplied by: 0 or the scale. */
__device__ __forceinline__ float pl__mask_factor(const pl__mask &m, uint32_t word)
{
    return (word >> 8) < m.limit ? 0.0f : m.scale;
}

/* 0 where the channel is dropped, whatever x is; the product is rounded and never contracted. */
__device__ __forceinline__ float pl__masked(float x, float factor)
{
    return factor == 0.0f ? 0.0f : __fmul_rn(x, factor);
}

/* x[i] is channel first + i of a row; first is a multiple of 4. */
template <int n>
__device__ __forceinline__ void pl__mask_apply(const pl__mask &m, int32_t example, int32_t position, uint32_t first,
                                               float (&x)[n])
{
    static_assert(n % 4 == 0, "four channels are drawn at a time");
#pragma unroll
    for (int i = 0; i < n; i += 4) {
        const uint4 w = pl__mask_words(m, example, position, first / 4 + (uint32_t)(i / 4));
        x[i] = pl__masked(x[i], pl__mask_factor(m, w.x));
        x[i + 1] = pl__masked(x[i + 1], pl__mask_factor(m, w.y));
        x[i + 2] = pl__masked(x[i + 2], pl__mask_factor(m, w.z));
        x[i + 3] = pl__masked(x[i + 3], pl__mask_factor(m, w.w));
    }
}

#endif
