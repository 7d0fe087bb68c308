/* ALiBi on a score, for both ways of attention. */
#ifndef PLUMB_CUDA_ALIBI_CUH
#define PLUMB_CUDA_ALIBI_CUH

#include "device/types.h"
#include "kernel.cuh"

__device__ __forceinline__ float pl__round_bf16(float x)
{
    return __bfloat162float(__float2bfloat16_rn(x));
}

/* s and what ALiBi adds to it, of a key and a query at these positions (pl_attention_args.alibi_scale). */
__device__ __forceinline__ float pl__add_alibi(float s, float slope, float scale, int key, int query)
{
    if (scale == 0.0f) return fmaf(slope, (float)(key - query), s);
    const float at_key = pl__round_bf16(__fmul_rn(slope, pl__round_bf16((float)key)));
    const float at_query = pl__round_bf16(__fmul_rn(slope, pl__round_bf16((float)query)));
    return fmaf(scale, __fsub_rn(at_key, at_query), s);
}

#endif
