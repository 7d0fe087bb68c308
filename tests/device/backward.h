/* What the tests of backward products share: masks drawn by Random123, weights in both forms. */
#ifndef TESTS_DEVICE_BACKWARD_H
#define TESTS_DEVICE_BACKWARD_H

#include <Random123/philox.h>

#include "cases.h"

/* What the mask multiplies a channel by (device/ops.h, pl_dropout). */
static inline double mask_of(const int32_t key[3], uint32_t layer, pl_dropout_site site, float probability,
                             int32_t example, int32_t position, size_t channel)
{
    philox4x32_ctr_t counter = {{(uint32_t)key[2], (uint32_t)example, (uint32_t)position, (uint32_t)(channel / 4)}};
    philox4x32_key_t k = {{(uint32_t)key[0], (uint32_t)key[1] ^ (layer << 4 | (uint32_t)site)}};
    philox4x32_ctr_t r = philox4x32(counter, k);
    return (double)(r.v[channel % 4] >> 8) * 0x1p-24 < (double)probability ? 0.0 : 1.0 / (1.0 - (double)probability);
}

/* A weight of values [out, in]: attached to a master, whose view is made, or packed. */
static inline pl_weight *weight_in_form(const world *w, bool attached, pl_view *master, const float *values,
                                        size_t n_out, size_t n_in)
{
    pl_weight *weight;
    *master = guarded(w, n_out, n_in, PL_F32, values);
    if (attached) {
        must(pl_weight_attach(&w->processor, &weight, *master, w->compute));
        must(pl_weight_refresh(&w->processor, w->stream, weight, *master));
        return weight;
    }
    must(w->processor.ops->weight_create(w->processor.device, &weight, n_out, n_in, w->compute));
    must(pl_weight_set(&w->processor, w->stream, weight, 0, n_out, values, PL_F32, PL_LAYOUT_OUT_IN));
    return weight;
}

/* Whether the form of a weight with so many inputs may show in the bits of its gradients: cuBLASLt may make the
 * products of an attached one, plumb makes those of a packed one. */
static inline bool form_shows(const world *w, size_t n_in)
{
    const char *product = getenv("PLUMB_CUDA_PRODUCT");
    return w->cuda && !(product && strcmp(product, "own") == 0) && n_in * pl_dtype_bytes(w->type) % 16 == 0;
}

/* Workspace that holds the pattern (NaN): what an op reads of it, it has written. */
static inline pl_view dirty_workspace(const world *w, size_t bytes)
{
    pl_view v;
    must(pl_view_create(&w->processor, &v, 1, bytes + 16, PL_U8));
    void *pattern = malloc(bytes + 16);
    memset(pattern, POISON_BYTE, bytes + 16);
    send(w, v, pattern);
    free(pattern);
    v.columns -= 16;
    return v;
}

/* The 16 bytes after it are as they were. */
static inline void check_workspace(const world *w, pl_view v)
{
    v.columns += 16;
    unsigned char *got = (unsigned char *)fetch(w, v);
    for (size_t i = v.columns - 16; i < v.columns; i++) {
        if (got[i] != POISON_BYTE) fail_case("the workspace was written past its end");
    }
    free(got);
}

#endif
