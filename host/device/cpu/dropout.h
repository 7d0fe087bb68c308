/* Masks of dropout, as device/ops.h states them (pl_dropout): Philox4x32-10 of Salmon et al. 2011, in a form that the
 * compiler turns into vectors: 16 counters, so 64 channels, at a time. */
#ifndef PLUMB_DEVICE_CPU_DROPOUT_H
#define PLUMB_DEVICE_CPU_DROPOUT_H

#include "device/cpu/cpu.h"

/* A mask ready for use; examples NULL: there is none. */
typedef struct pl__mask {
    uint32_t key[2], step;
    float probability, scale;
    const int32_t *examples; /* of rows */
} pl__mask;

static inline pl__mask pl__mask_of(const pl_dropout *d)
{
    if (d->probability == 0.0f) return (pl__mask){0};
    const int32_t *key = pl__i32(d->key, 0);
    return (pl__mask){.key = {(uint32_t)key[0], (uint32_t)key[1] ^ (d->layer << 4 | (uint32_t)d->site)},
                      .step = (uint32_t)key[2],
                      .probability = d->probability,
                      .scale = 1.0f / (1.0f - d->probability),
                      .examples = pl__i32(d->examples, 0)};
}

enum { PL__MASK_COUNTERS = 16, PL__MASK_CHANNELS = 4 * PL__MASK_COUNTERS };

/* words[i][j]: word i of counter {step, example, position, first + j}. */
static inline void pl__mask_words(uint32_t words[4][PL__MASK_COUNTERS], const pl__mask *m, uint32_t example,
                                  uint32_t position, uint32_t first)
{
    uint32_t key0 = m->key[0], key1 = m->key[1];
    for (uint32_t j = 0; j < PL__MASK_COUNTERS; j++) {
        words[0][j] = m->step;
        words[1][j] = example;
        words[2][j] = position;
        words[3][j] = first + j;
    }
    for (int round = 0; round < 10; round++) {
        for (int j = 0; j < PL__MASK_COUNTERS; j++) {
            uint64_t a = (uint64_t)words[0][j] * 0xD2511F53u, b = (uint64_t)words[2][j] * 0xCD9E8D57u;
            words[0][j] = (uint32_t)(b >> 32) ^ words[1][j] ^ key0;
            words[1][j] = (uint32_t)b;
            words[2][j] = (uint32_t)(a >> 32) ^ words[3][j] ^ key1;
            words[3][j] = (uint32_t)a;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

/* x[i], channel first + i, becomes 0 or is multiplied by 1 / (1 - probability). first is a multiple of 4. */
static inline void pl__mask_apply(const pl__mask *m, size_t row, int32_t position, size_t first, float *x, size_t n)
{
    uint32_t words[4][PL__MASK_COUNTERS];
    float factor[PL__MASK_CHANNELS];
    for (size_t done = 0; done < n; done += PL__MASK_CHANNELS) {
        pl__mask_words(words, m, (uint32_t)m->examples[row], (uint32_t)position, (uint32_t)((first + done) / 4));
        for (size_t j = 0; j < PL__MASK_COUNTERS; j++) {
            for (size_t i = 0; i < 4; i++) {
                factor[4 * j + i] = (float)(words[i][j] >> 8) * 0x1p-24f < m->probability ? 0.0f : m->scale;
            }
        }
        size_t some = n - done < PL__MASK_CHANNELS ? n - done : PL__MASK_CHANNELS;
        for (size_t i = 0; i < some; i++) x[done + i] = factor[i] > 0.0f ? x[done + i] * factor[i] : 0.0f;
    }
}

#endif
