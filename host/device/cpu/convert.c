/* y = x in y's type: float32 to and from the 16-bit types, rounding to nearest even. Values that float16 cannot hold
 * become infinite and are counted. */
#include "device/cpu/cpu.h"
#include "device/cpu/half.h"

/* Returns how many values are infinite in float16 (finite values out of range, and infinities). */
static size_t convert_row(const pl_convert_args *a, size_t r)
{
    size_t overflow = 0;
    for (size_t i = 0; i < a->x.columns; i += 256) {
        float t[256];
        size_t n = a->x.columns - i < 256 ? a->x.columns - i : 256;
        pl__to_f32(t, (const char *)pl__at(a->x, r) + i * pl_dtype_bytes(a->x.dtype), n, a->x.dtype);
        if (a->y.dtype == PL_F32) {
            memcpy(pl__f32(a->y, r) + i, t, n * sizeof *t);
            continue;
        }
        uint16_t *y = (uint16_t *)pl__at(a->y, r) + i;
        if (a->y.dtype == PL_BF16) {
            for (size_t j = 0; j < n; j++) y[j] = pl__to_bf16(t[j]);
        } else {
            for (size_t j = 0; j < n; j++) {
                y[j] = pl__to_f16(t[j]);
                overflow += (y[j] & 0x7fffu) == 0x7c00u;
            }
        }
    }
    return overflow;
}

pl_status pl__convert(pl_stream *stream, const pl_convert_args *args)
{
    size_t rows = args->x.rows, overflow = 0;
#pragma omp parallel for num_threads(pl__threads(stream, rows * args->x.columns)) schedule(static) reduction(+ : overflow)
    for (size_t r = 0; r < rows; r++) overflow += convert_row(args, r);
    if (args->overflow.buffer) {
        int32_t *count = (int32_t *)pl__at(args->overflow, 0);
        size_t sum = (size_t)(*count < 0 ? 0 : *count) + overflow;
        *count = sum > INT32_MAX ? INT32_MAX : (int32_t)sum;
    }
    return PL_OK;
}
