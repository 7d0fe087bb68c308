/* cuBLASLt, as far as products with weights need it: one algorithm for a shape and a mode, pinned.
 *
 * The library (half a gigabyte) is opened at run time, by the first weight. Where it is missing the own product takes
 * its place, so that the plug-in runs with a driver alone. No workspace is given: with it go the algorithms that cut k
 * and meet in memory, and streams share nothing. */
#ifndef PLUMB_CUDA_BLAS_H
#define PLUMB_CUDA_BLAS_H

#include <cublasLt.h>

#include "product.h"

/* Which product, and how it is stored. "x" and "y" have the storage type of the products, "float" is float32 (for
 * PL__FLOAT 16-bit types alone have both). */
typedef enum pl__mode {
    PL__STORE,      /* y = z */
    PL__STORE_BIAS, /* y = z + bias */
    PL__STORE_GELU, /* y = gelu_tanh(z + bias) */
    PL__FLOAT,      /* float = z */
    PL__ADD,        /* float += z */
    PL__ADD_BIAS,   /* float += z + bias */
    PL__FORWARD_MODES,
    /* Of a backward pass, y being the gradient of z. */
    PL__INPUT = PL__FORWARD_MODES, /* x = y W */
    PL__INPUT_ADD,                 /* x += y W */
    PL__INPUT_PARTS,               /* float = y W, a result a part of pl__cut_outputs, rows * x_stride apart */
    PL__WEIGHT_ADD,                /* float += y^T x */
    PL__WEIGHT_PARTS,              /* float = y^T x, a result a part of pl__cut_rows, n_out * w_stride apart */
    PL__MODES
} pl__mode;

static inline bool pl__mode_adds(pl__mode mode)
{
    return mode == PL__ADD || mode == PL__ADD_BIAS || mode == PL__INPUT_ADD || mode == PL__WEIGHT_ADD;
}

static inline bool pl__mode_has_bias(pl__mode mode)
{
    return mode == PL__STORE_BIAS || mode == PL__STORE_GELU || mode == PL__ADD_BIAS;
}

/* Whether products of this shape ever have the mode: a sum is cut or it is not. */
bool pl__mode_runs(pl__mode mode, pl_dtype compute, size_t n_out, size_t n_in);
const char *pl__mode_name(pl__mode mode); /* "WEIGHT_ADD" */

/* The type of what a mode writes. */
static inline pl_dtype pl__mode_type(pl__mode mode, pl_dtype compute)
{
    const bool own = mode <= PL__STORE_GELU || mode == PL__INPUT || mode == PL__INPUT_ADD;
    return own ? pl_dtype_storage(compute) : PL_F32;
}

/* Why there is no plan. Of the flaws of several proposals the last one here counts. */
typedef enum pl__flaw {
    PL__NOT_PROPOSED,
    PL__REFUSED,     /* by the library: when it was asked, or when it ran */
    PL__OTHER_BITS,  /* for other rows, or a second time */
    PL__WRONG_VALUES /* not those of the own product */
} pl__flaw;

typedef struct pl__blas_plan {
    bool usable;
    bool free;       /* the library chooses anew for every product (PLUMB_CUDA_PRODUCT=free) */
    pl__flaw flaw;   /* where it is not usable */
    size_t proposal; /* the library's, that the algorithm is */
    cublasLtMatmulAlgo_t algorithm;
} pl__blas_plan;

/* x [rows, n_in], w [n_out, n_in], y [rows, n_out], of which the mode writes one; rows `stride` elements apart, all of
 * it 16-byte aligned, the bias too. */
typedef struct pl__call {
    pl_dtype compute;
    pl__mode mode;
    size_t rows, n_out, n_in;
    void *x, *w, *y;
    const float *bias;
    size_t x_stride, w_stride, y_stride;
} pl__call;

typedef struct pl__lt pl__lt;

/* *out is NULL, and `why` says why, where the library is missing or does not start. */
pl_status pl__lt_open(const pl_device *device, pl__lt **out, char *why, size_t why_size);
void pl__lt_close(pl__lt *lt); /* takes NULL */
size_t pl__lt_version(const pl__lt *lt);

/* The first algorithm of the library's proposals for call->rows rows, from number `first` on, which cuts no sum of its
 * own accord and is valid for every number of rows; plan->usable is false where there is none, and plan->flaw may rise.
 * Runs nothing; pointers are not read. */
void pl__lt_plan(pl__lt *lt, const pl__call *call, size_t first, pl__blas_plan *plan);

/* A library may refuse what its check admitted: to pl__lt_run that is an error. */
cublasStatus_t pl__lt_try(pl_stream *stream, pl__lt *lt, const pl__call *call, const pl__blas_plan *plan);
pl_status pl__lt_run(pl_stream *stream, pl__lt *lt, const pl__call *call, const pl__blas_plan *plan);

#endif
