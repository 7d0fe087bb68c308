/* The wrappers of cuda/ptx.cuh on the CPU, same names and meaning: asynchronous copies, ldmatrix, mma.sync.
 *
 * A copy is made when its group is waited for, so that a forgotten wait reads what stood there (NaN in shared memory
 * never written); under a seed (schedule.h) some are made when they are asked for, so that a place filled too early is
 * seen. All lanes of a warp call ldmatrix and mma together. */
#ifndef CUEMU_PTX_H
#define CUEMU_PTX_H

#include "cuda_runtime.h"

namespace cuemu
{
void copy_defer(void *shared, const void *global, int bytes, int line, const char *file);
void copy_commit();
void copy_wait(int groups_left);
void load_matrices(uint32_t (&r)[4], const void *row, bool transposed, int line, const char *file);
/* A's and B's fragments of 16-bit elements */
void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], float (*to_float)(uint16_t), int line,
              const char *file);
float float_of_bf16(uint16_t bits);
float float_of_f16(uint16_t bits);
} // namespace cuemu

inline void cp_async16(void *shared, const void *global, CUEMU_PLACE)
{
    cuemu::copy_defer(shared, global, 16, line, file);
}
inline void cp_async16_zero(void *shared, const void *global, int bytes, CUEMU_PLACE)
{
    cuemu::copy_defer(shared, global, bytes, line, file);
}
inline void cp_async_commit()
{
    cuemu::copy_commit();
}
template <int N> inline void cp_async_wait()
{
    cuemu::copy_wait(N);
}

inline void ldsm_x4(uint32_t (&r)[4], const void *row, CUEMU_PLACE)
{
    cuemu::load_matrices(r, row, false, line, file);
}
inline void ldsm_x4_t(uint32_t (&r)[4], const void *row, CUEMU_PLACE)
{
    cuemu::load_matrices(r, row, true, line, file);
}

inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], CUEMU_PLACE)
{
    cuemu::multiply(c, a, b, cuemu::float_of_bf16, line, file);
}
inline void mma_f16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], CUEMU_PLACE)
{
    cuemu::multiply(c, a, b, cuemu::float_of_f16, line, file);
}

#endif
