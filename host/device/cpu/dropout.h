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

/* Four words of Philox4x32-10 (Salmon et al. 2011). */
typedef struct pl__words {
    uint32_t a, b, c, d;
} pl__words;

static inline pl__words pl__philox_round(pl__words w, uint32_t key0, uint32_t key1)
{
    const uint64_t p = (uint64_t)w.a * 0xD2511F53u, q = (uint64_t)w.c * 0xCD9E8D57u;
    return (pl__words){(uint32_t)(q >> 32) ^ w.b ^ key0, (uint32_t)q, (uint32_t)(p >> 32) ^ w.d ^ key1, (uint32_t)p};
}

/* The words of channels 4 * quad .. 4 * quad + 4. Without a loop or a branch, so that a loop over it becomes vectors.
 */
static inline pl__words pl__mask_words(const pl__mask *m, int32_t example, int32_t position, uint32_t quad)
{
    const uint32_t key0 = m->key[0], key1 = m->key[1];
    pl__words w = {m->step, (uint32_t)example, (uint32_t)position, quad};
#define ROUND(i) w = pl__philox_round(w, key0 + (i)*0x9E3779B9u, key1 + (i)*0xBB67AE85u)
    ROUND(0u), ROUND(1u), ROUND(2u), ROUND(3u), ROUND(4u), ROUND(5u), ROUND(6u), ROUND(7u), ROUND(8u), ROUND(9u);
#undef ROUND
    return w;
}

/* What a word's channel is multiplied by: 0 or the scale. */
static inline float pl__mask_factor(const pl__mask *m, uint32_t word)
{
    return (word >> 8) < m->limit ? 0.0f : m->scale;
}

/* x[i], channel first + i of batch row `row`, becomes 0 or is multiplied by the scale. first is a multiple of 4. */
static inline void pl__mask_apply(const pl__mask *m, size_t row, int32_t position, size_t first, float *x, size_t n)
{
    enum { QUADS = 16 };
    const pl__mask mask = *m; /* a copy: no store can change it */
    const int32_t example = mask.examples[row];
    for (size_t done = 0; done < n; done += 4 * QUADS) {
        float factor[4 * QUADS];
        const size_t some = n - done < 4 * QUADS ? n - done : 4 * QUADS;
        const uint32_t quad = (uint32_t)((first + done) / 4);
        for (uint32_t j = 0; j < QUADS; j++) {
            const pl__words w = pl__mask_words(&mask, example, position, quad + j);
            factor[4 * j] = pl__mask_factor(&mask, w.a);
            factor[4 * j + 1] = pl__mask_factor(&mask, w.b);
            factor[4 * j + 2] = pl__mask_factor(&mask, w.c);
            factor[4 * j + 3] = pl__mask_factor(&mask, w.d);
        }
        for (size_t i = 0; i < some; i++) x[done + i] = factor[i] == 0.0f ? 0.0f : x[done + i] * factor[i];
    }
}

#endif
