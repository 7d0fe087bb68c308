/* Dropout masks, drawn wherever they are needed; pl_dropout in device/ops.h says how. */
#ifndef PLUMB_DEVICE_CPU_DROPOUT_H
#define PLUMB_DEVICE_CPU_DROPOUT_H

#include <math.h>

#include "device/cpu/cpu.h"

/* A mask ready for use; examples NULL: there is none. */
typedef struct pl__mask {
    uint32_t key[2], step;
    uint32_t limit;          /* a word w drops where (w >> 8) < limit */
    float scale;             /* what is kept is multiplied by it */
    const int32_t *examples; /* of rows */
} pl__mask;

static inline pl__mask pl__mask_of(const pl_dropout *d)
{
    if (d->probability == 0.0f) return (pl__mask){0};
    const int32_t *key = pl__i32(d->key, 0);
    return (pl__mask){.key = {(uint32_t)key[0], (uint32_t)key[1] ^ (d->layer << 4 | (uint32_t)d->site)},
                      .step = (uint32_t)key[2],
                      .limit = (uint32_t)ceil((double)d->probability * 0x1p24),
                      .scale = (float)(1.0 / (1.0 - (double)d->probability)),
                      .examples = pl__i32(d->examples, 0)};
}

/* Philox4x32-10 (Salmon et al. 2011). Without a branch, so that a loop over it becomes vectors. */
static inline void pl__philox(uint32_t word[4], const uint32_t key[2])
{
    uint32_t a = word[0], b = word[1], c = word[2], d = word[3], k0 = key[0], k1 = key[1];
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)a * 0xD2511F53u, q = (uint64_t)c * 0xCD9E8D57u;
        a = (uint32_t)(q >> 32) ^ b ^ k0;
        c = (uint32_t)(p >> 32) ^ d ^ k1;
        b = (uint32_t)q;
        d = (uint32_t)p;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = a;
    word[1] = b;
    word[2] = c;
    word[3] = d;
}

/* What channels 4 * quad .. 4 * quad + 4 of a row are multiplied by: 0 or the scale. */
static inline void pl__mask_quad(float factor[4], const pl__mask *m, int32_t example, int32_t position, uint32_t quad)
{
    uint32_t word[4] = {m->step, (uint32_t)example, (uint32_t)position, quad};
    pl__philox(word, m->key);
    for (int i = 0; i < 4; i++) factor[i] = (word[i] >> 8) < m->limit ? 0.0f : m->scale;
}

/* x[i], channel first + i of batch row `row`, becomes 0 or is multiplied by the scale. first is a multiple of 4. */
static inline void pl__mask_apply(const pl__mask *m, size_t row, int32_t position, size_t first, float *x, size_t n)
{
    enum { QUADS = 16 };
    for (size_t done = 0; done < n; done += 4 * QUADS) {
        float factor[4 * QUADS];
        const size_t some = n - done < 4 * QUADS ? n - done : 4 * QUADS;
        const uint32_t quad = (uint32_t)((first + done) / 4);
        for (uint32_t j = 0; j < QUADS; j++) pl__mask_quad(factor + 4 * j, m, m->examples[row], position, quad + j);
        for (size_t i = 0; i < some; i++) x[done + i] = factor[i] == 0.0f ? 0.0f : x[done + i] * factor[i];
    }
}

#endif
