/* Products with a weight: who makes them, and what is done to one before it is stored.
 *
 * Each weight shape has one maker, chosen when its first weight is created: cuBLASLt with one pinned algorithm for each
 * way of storing, where a probe on this device found that a row's bits hang on that row alone; plumb's own product
 * (gemm.cu) otherwise. Views that are not 16-byte aligned always go to the own product: whoever calls keeps to one
 * alignment for one weight, then a row has the same bits every time. */
#ifndef PLUMB_CUDA_PRODUCT_H
#define PLUMB_CUDA_PRODUCT_H

#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = act(z + bias), or y += z + bias with `accumulate` (then act is none); z is the product. */
typedef struct pl__epilogue {
    const float *bias; /* [n_out] on the device, or NULL */
    pl_activation activation;
    bool accumulate;
} pl__epilogue;

/* y = x W^T with its epilogue, by the weight's maker. Rows from *count (on the device; NULL: all) up to `rows` are left
 * unspecified. The views have been checked. */
pl_status pl__product_run(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows,
                          const int32_t *count, const pl__epilogue *epilogue);

/* The same by the own product (gemm.cu). */
pl_status pl__gemm(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows, const int32_t *count,
                   const pl__epilogue *epilogue);

/* The epilogue alone, y in place (linear.cu). */
pl_status pl__epilogue_run(pl_stream *stream, pl_view y, size_t rows, size_t n_out, const int32_t *count,
                           const pl__epilogue *epilogue);

/* Sets weight->product: chooses the maker of the weight's shape, or finds the choice made before. Runs products with
 * the weight's memory as it stands filled with random numbers and zeroes it again; waits for them. One thread at a
 * time. */
pl_status pl__product_choose(pl_weight *weight);

/* Two pinned slots with their device twins through which weights are read; made at first use, freed with pl__blas. */
typedef struct pl__staging pl__staging;
pl_status pl__staging_create(pl_device *device, pl__staging **out);
pl_status pl__staging_of(pl_device *device, pl__staging **out); /* the device's own, product.c */
void pl__staging_free(pl__staging *staging);                    /* takes NULL */

/* Kernels of the probe (product.cu): numbers that hang on their index and seed, uniform in [-scale, scale]; `found` is
 * set to 1 when rows of a and b differ in a bit, or by more than `tolerance`. */
pl_status pl__probe_fill(pl_stream *stream, void *to, pl_dtype dtype, size_t n, float scale, unsigned seed);
pl_status pl__probe_bits(pl_stream *stream, const void *a, const void *b, size_t bytes, int *found);
pl_status pl__probe_values(pl_stream *stream, const void *a, const void *b, pl_dtype dtype, size_t n, float tolerance,
                           int *found);

#ifdef __cplusplus
}
#endif
#endif
