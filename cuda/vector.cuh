/* How memory-bound kernels touch rows: n elements of a thread in one access where the rows allow it, one by one where
 * not. Which of the two happens changes no bit: an element is always read, changed and written by the thread that owns
 * it.
 *
 * Such a kernel runs on a grid of blocks [x: pieces of a row, y: rows]: blockIdx.x counts groups of rows, blockIdx.y
 * parts of a row. Grids are sized by capacities; a block past the count leaves at once. */
#ifndef PLUMB_CUDA_VECTOR_CUH
#define PLUMB_CUDA_VECTOR_CUH

#include <type_traits>

#include "device/types.h"

#include "kernel.cuh"

/* ---- On the device ---- */

template <class T, int n> struct alignas(sizeof(T) * n) pl__pack {
    T at[n];
};

/* Elements 0..n of p as float32. Packed: p is aligned to n elements and all of them exist. Otherwise the first `left`
 * exist, the rest of x is zero. */
template <bool packed, int n, class T> __device__ __forceinline__ void pl__load(float (&x)[n], const T *p, int left)
{
    if constexpr (packed) {
        const pl__pack<T, n> pack = *reinterpret_cast<const pl__pack<T, n> *>(p);
#pragma unroll
        for (int i = 0; i < n; i++) x[i] = pl__to_float(pack.at[i]);
    } else {
#pragma unroll
        for (int i = 0; i < n; i++) x[i] = i < left ? pl__to_float(p[i]) : 0.0f;
    }
}

template <bool packed, int n, class T> __device__ __forceinline__ void pl__store(T *p, const float (&x)[n], int left)
{
    if constexpr (packed) {
        pl__pack<T, n> pack;
#pragma unroll
        for (int i = 0; i < n; i++) pack.at[i] = pl__from_float<T>(x[i]);
        *reinterpret_cast<pl__pack<T, n> *>(p) = pack;
    } else {
#pragma unroll
        for (int i = 0; i < n; i++)
            if (i < left) p[i] = pl__from_float<T>(x[i]);
    }
}

/* The row and the first piece of this thread, and how far its next piece is. */
__device__ __forceinline__ int pl__own_row()
{
    return (int)(blockIdx.x * blockDim.y + threadIdx.y);
}
__device__ __forceinline__ size_t pl__first_piece()
{
    return (size_t)blockIdx.y * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ size_t pl__piece_step()
{
    return (size_t)gridDim.y * blockDim.x;
}

/* ---- On the host ---- */

typedef struct pl__row_grid {
    dim3 grid, block;
} pl__row_grid;

static inline size_t pl__ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

/* Blocks of at most 256 threads that cover rows of `pieces` pieces, one each. rows and pieces are not 0. */
static inline pl__row_grid pl__cover_rows(size_t rows, size_t pieces)
{
    const size_t most = 256, parts = pl__ceil_div(pieces, most);
    size_t x = pl__ceil_div(pl__ceil_div(pieces, parts), PL__WARP) * PL__WARP, y = most / x;
    if (y > rows) y = rows;
    return (pl__row_grid){dim3((unsigned)pl__ceil_div(rows, y), (unsigned)(parts < 65535 ? parts : 65535)),
                          dim3((unsigned)x, (unsigned)y)};
}

/* Whether rows of the view may be touched n elements at a time: each row's beginning and its first `columns`. */
static inline bool pl__packs(pl_view v, size_t columns, size_t n)
{
    const size_t bytes = n * pl_dtype_bytes(v.dtype);
    return columns % n == 0 && (uintptr_t)pl__at(v, 0) % bytes == 0 && (v.rows <= 1 || v.stride % n == 0);
}

/* Calls launch(flag) with a flag whose value is a constant: constexpr bool packed = decltype(flag)::value. */
template <class F> static inline void pl__with_packed(bool packed, F launch)
{
    if (packed)
        launch(std::true_type{});
    else
        launch(std::false_type{});
}

/* Rows that are moved as they are: in words of 16, 8, 4, 2 or 1 bytes. The largest that divides all that is or-ed into
 * `bits`: addresses, strides and widths in bytes. */
static inline size_t pl__word_bytes(size_t bits)
{
    size_t bytes = 16;
    while (bits % bytes) bytes /= 2;
    return bytes;
}
static inline size_t pl__row_bits(pl_view v)
{
    return (uintptr_t)pl__at(v, 0) | (v.rows > 1 ? v.stride * pl_dtype_bytes(v.dtype) : 0);
}

/* Calls launch(W{}) with an unsigned type of so many bytes. */
template <class F> static inline void pl__with_word(size_t bytes, F launch)
{
    switch (bytes) {
    case 16:
        launch(uint4{});
        break;
    case 8:
        launch(uint2{});
        break;
    case 4:
        launch(uint32_t{});
        break;
    case 2:
        launch(uint16_t{});
        break;
    default:
        launch(uint8_t{});
    }
}

#endif
