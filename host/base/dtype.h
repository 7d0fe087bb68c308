/* Element types: of tensors on a device and of matrices in a file. */
#ifndef PLUMB_BASE_DTYPE_H
#define PLUMB_BASE_DTYPE_H

#include <stddef.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* PL_TF32 and PL_BF16X3 are compute types only: numbers are stored as float32, sums are float32. Products round their
 * inputs to 10 bits of fraction (NVIDIA's TF32), or split each into three bfloat16 whose sum it is and multiply those,
 * with float32's accuracy (bf16x3). Views never have them: pl_dtype_storage() says what they hold. PL_F64: what
 * `logistic` reads and writes alone. */
typedef enum pl_dtype { PL_F32, PL_BF16, PL_F16, PL_I32, PL_U8, PL_TF32, PL_BF16X3, PL_F64 } pl_dtype;

/* Bytes of an element. In the header, so that a plug-in backend needs no symbol of the program. */
static inline size_t pl_dtype_bytes(pl_dtype dtype)
{
    return dtype == PL_U8 ? 1 : dtype == PL_BF16 || dtype == PL_F16 ? 2 : dtype == PL_F64 ? 8 : 4;
}

static inline const char *pl_dtype_name(pl_dtype dtype)
{
    return dtype == PL_F32      ? "float32"
           : dtype == PL_BF16   ? "bfloat16"
           : dtype == PL_F16    ? "float16"
           : dtype == PL_I32    ? "int32"
           : dtype == PL_TF32   ? "tf32"
           : dtype == PL_BF16X3 ? "bf16x3"
           : dtype == PL_F64    ? "float64"
                                : "uint8";
}

/* The element type of activations, keys and values when products are computed in `compute`. */
static inline pl_dtype pl_dtype_storage(pl_dtype compute)
{
    return compute == PL_TF32 || compute == PL_BF16X3 ? PL_F32 : compute;
}

/* A type that states are stored as: "float32", "float16" or "bfloat16". */
pl_status pl_storage_parse(pl_dtype *out, const char *name);

#ifdef __cplusplus
}
#endif

#endif
