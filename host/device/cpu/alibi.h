/* What ALiBi adds to a score, of a key and a query at these positions (pl_attention_args.alibi_scale). */
#ifndef PLUMB_DEVICE_CPU_ALIBI_H
#define PLUMB_DEVICE_CPU_ALIBI_H

#include "device/cpu/half.h"

static inline float pl__round_bf16(float x)
{
    return pl__from_bf16(pl__to_bf16(x));
}

static inline float pl__alibi(float slope, float scale, int32_t key, int32_t query)
{
    if (scale == 0.0f) return slope * (float)(key - query);
    const float at_key = pl__round_bf16(slope * pl__round_bf16((float)key)),
                at_query = pl__round_bf16(slope * pl__round_bf16((float)query));
    return scale * (at_key - at_query);
}

#endif
