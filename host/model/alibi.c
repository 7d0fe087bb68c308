/* ALiBi's slopes: heads of a power of two P have 2^(-8/P), 2^(-16/P), ..., 2^-8. Another number of heads takes those of
 * the power below and then every other one of the power above. */
#include <math.h>

#include "base/half.h"
#include "model/config.h"

void pl__alibi_slopes(float *out, size_t n_heads, bool rounded)
{
    size_t below = 1;
    while (2 * below <= n_heads) below *= 2;
    for (size_t h = 0; h < n_heads; h++) {
        const size_t number = h < below ? h + 1 : 2 * (h - below) + 1, of = h < below ? below : 2 * below;
        out[h] = (float)exp2(-8 * (double)number / (double)of);
        if (!rounded) continue;
        uint16_t half;
        (void)pl_bf16_from_f32(&half, &out[h], 1);
        pl_f32_from_bf16(&out[h], &half, 1);
    }
}
