/* How much workspace the backward products ask for: that of any vector width. */
#include "device/cpu/gemm.h"

#include "base/lanes.h"

/* SIZE_MAX where the sum or a product overflows; 64 bytes for alignment. */
static size_t bytes_of(size_t floats_a, size_t times_a, size_t floats_b, size_t times_b, size_t parts)
{
    size_t a, b, sum;
    if (__builtin_mul_overflow(floats_a, times_a, &a) || __builtin_mul_overflow(floats_b, times_b, &b)) return SIZE_MAX;
    if (__builtin_add_overflow(a, b, &sum) || __builtin_add_overflow(sum, 32, &sum)) return SIZE_MAX;
    if (__builtin_mul_overflow(sum, sizeof(float), &sum)) return SIZE_MAX;
    if (__builtin_mul_overflow(parts, sizeof(pl__score_part), &a)) return SIZE_MAX;
    return __builtin_add_overflow(sum, a, &sum) ? SIZE_MAX : sum;
}

size_t pl__linear_backward_workspace_bytes(size_t n_rows, size_t n_out, size_t n_in, pl_dtype compute)
{
    return bytes_of(n_rows, n_out, pl__panel_rows(n_rows, compute), pl__panel_columns(n_in), 0);
}

size_t pl__score_backward_workspace_bytes(size_t n_rows, size_t n_vocabulary, size_t C, pl_dtype compute)
{
    size_t rows = pl__score_chunk_rows(n_rows, n_vocabulary);
    return bytes_of(rows, pl__score_stride(n_vocabulary), pl__panel_rows(rows, compute), pl__panel_columns(C),
                    rows * ((n_vocabulary + PL__SCORE_CHUNK - 1) / PL__SCORE_CHUNK));
}

/* Points and forces in whole lanes, and of each slot what it takes off. */
size_t pl__repulsion_workspace_bytes(size_t n_points)
{
    return (4 + 2 * PL__REPULSION_SLOTS) * pl__whole_lanes(n_points) * sizeof(float);
}

size_t pl__map_step_workspace_bytes(size_t n_points)
{
    return 2 * n_points * sizeof(float);
}
