/* Thin wrappers of PTX: asynchronous copies to shared memory, ldmatrix, mma.sync. All need sm_80. In the emulated build
 * the functions of tests/cuemu stand in for them under the same names.
 *
 * m16n8k16 fragments of lane l, g = l / 4, t = l % 4: a[0] = A(g, 2t..), a[1] = A(g + 8, 2t..), a[2] = A(g, 2t + 8..),
 * a[3] = A(g + 8, 2t + 8..); b[0] = B(2t.., g), b[1] = B(2t + 8.., g); c[0..1] = C(g, 2t..2t + 1), c[2..3] = C(g + 8,
 * ..). */
#ifndef PLUMB_CUDA_PTX_CUH
#define PLUMB_CUDA_PTX_CUH

#ifdef PL_CUDA_EMULATED
#include "cuemu_ptx.h"
static inline float exp2_flushed(float x)
{
    return exp2f(x);
}
#else
#include <stdint.h>

/* 2^x in one instruction: 1 for 0, within 2 units in the last place elsewhere; results below 2^-126 are 0. */
__device__ __forceinline__ float exp2_flushed(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ __forceinline__ uint32_t pl__shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

/* 16 bytes from global to shared memory; both addresses 16-byte aligned. Visible after a wait and a barrier. */
__device__ __forceinline__ void cp_async16(void *shared, const void *global)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(pl__shared_address(shared)), "l"(global) : "memory");
}
/* The same with the bytes from `bytes` (0..16) on filled with zero; global is not read past them. */
__device__ __forceinline__ void cp_async16_zero(void *shared, const void *global, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(pl__shared_address(shared)), "l"(global),
                 "r"(bytes)
                 : "memory");
}
__device__ __forceinline__ void cp_async_commit()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Waits until at most N of this thread's groups are under way. */
template <int N> __device__ __forceinline__ void cp_async_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/* Four 8x8 matrices of 16-bit elements; lane l names the 16-byte row l % 8 of matrix l / 8. */
__device__ __forceinline__ void ldsm_x4(uint32_t (&r)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(pl__shared_address(row))
                 : "memory");
}
__device__ __forceinline__ void ldsm_x4_t(uint32_t (&r)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(pl__shared_address(row))
                 : "memory");
}

/* c += a b, m16n8k16, row by column, float32 sums. */
__device__ __forceinline__ void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_f16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif
#endif
