/* Products with a weight: who makes them, and what is done to one before it is stored.
 *
 * Each weight shape has one maker, chosen when its first weight is created: cuBLASLt with one pinned algorithm for each
 * way of storing, where a probe on this device found that a row's bits depend on that row alone; plumb's own product
 * (gemm.cu) otherwise. The products of its backward pass have one, too, chosen in the same way when the first weight
 * is attached to a master; those of other weights are the own ones. Views that are not 16-byte aligned always go to the
 * own product: whoever calls keeps to one alignment for one weight, then a row has the same bits every time. */
#ifndef PLUMB_CUDA_PRODUCT_H
#define PLUMB_CUDA_PRODUCT_H

#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = act(z + bias), or y += z + bias with `accumulate` (then y is float32 and act none); z is the product. */
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

/* y += mask(x W^T + bias) and `pre`, by the own product: cuBLASLt would need room for a product that is not yet added.
 * Rows from the count on are left alone. */
pl_status pl__gemm_masked(pl_stream *stream, const pl_linear_args *args, size_t rows);

/* A sum over k that is cut at fixed places: parts of `length` but the last. */
typedef struct pl__cut {
    size_t parts, length;
} pl__cut;

/* Where the sums of a backward pass are cut, by whomever they are made: of z^T x over rows, so that the few tiles of a
 * small weight fill a large device (one part where there are enough tiles or few rows); of z W over outputs, since one
 * chain over a vocabulary would lose digits, as most of its terms cancel. */
pl__cut pl__cut_rows(size_t rows, size_t n_out, size_t n_in);
pl__cut pl__cut_outputs(size_t n_out);

/* The products of a backward pass by the own product: dx = z W, z [rows, n_out], dx [rows, n_in] of the storage type or
 * float32; dweight = z^T x, [n_out, n_in] float32; both added to with `accumulate`. With more than one part each part's
 * result stands by itself, float32, one after another, rows * stride elements apart. Rows of z and x from *count on are
 * not read, rows of dx from there not written. */
pl_status pl__gemm_input(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view dx, size_t rows,
                         const int32_t *count, pl__cut cut, bool accumulate);
pl_status pl__gemm_weight(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view x, pl_view dweight,
                          size_t rows, const int32_t *count, pl__cut cut, bool accumulate);

/* The products of a backward pass by the weight's maker of those: dx = z W or dx += z W, and dweight += z^T x. z, x and
 * dx have the storage type, rows of z and x from the count up to `rows` are zero; rows of dx from there on are left
 * unspecified. `floats`, [1, pl__gradient_floats] float32 and 16-byte aligned, is for the parts of a sum. */
size_t pl__gradient_floats(size_t rows, size_t n_out, size_t n_in);
pl_status pl__gradient_input(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view dx, size_t rows,
                             const int32_t *count, bool accumulate, pl_view floats);
pl_status pl__gradient_weight(pl_stream *stream, const pl_weight *weight, pl_view z, pl_view x, pl_view dweight,
                              size_t rows, const int32_t *count, pl_view floats);

/* y = the sum of n parts in order, or y += it; each is [rows, columns] with rows parts.stride apart, float32
 * (linear_backward.cu). */
pl_status pl__parts_run(pl_stream *stream, pl_view parts, size_t n, pl_view y, size_t rows, size_t columns,
                        const int32_t *count, bool accumulate);

/* dbias[c] += the sum of z[r, c] over the rows, in a fixed tree; floats: pl__column_sums_floats (linear_backward.cu).
 */
size_t pl__column_sums_floats(size_t rows, size_t columns);
pl_status pl__column_sums(pl_stream *stream, pl_view z, size_t rows, const int32_t *count, float *floats, float *dbias);

/* Before the first product of a compute type; never while a stream records. */
pl_status pl__gemm_prepare(const pl_device *device, pl_dtype compute);

/* The epilogue alone, z in y's type; y may be z (linear.cu). */
pl_status pl__epilogue_run(pl_stream *stream, pl_view z, pl_view y, size_t rows, size_t n_out, const int32_t *count,
                           const pl__epilogue *epilogue);

/* Sets weight->product: chooses the maker of the weight's shape, or finds the choice made before. Runs products with
 * the weight's memory as it stands filled with random numbers and zeroes it again; waits for them. One thread at a
 * time. */
pl_status pl__product_choose(pl_weight *weight);
/* Then attaches the weight: the same for the products of its backward pass. */
pl_status pl__product_attach(pl_weight *weight, pl_view master);
void pl__product_release(pl_weight *weight); /* the weight goes */

/* Weight shapes by who makes their products. */
typedef struct pl__shares {
    size_t n_blas, n_own;
    const char *why_own; /* why a shape went to the own product; "" when none did */
} pl__shares;

/* Who makes the products of the weights that exist now. */
typedef struct pl__makers {
    pl__shares forward, backward; /* backward: of attached weights */
    size_t blas_version;          /* 0 without cuBLASLt */
    bool free;                    /* cuBLASLt chooses anew for every product: bits are not pinned */
    uint64_t algorithms;          /* a digest of every shape's makers and algorithms */
} pl__makers;
void pl__product_makers(const pl_device *device, pl__makers *out);

#ifdef __cplusplus
}
#endif
#endif
