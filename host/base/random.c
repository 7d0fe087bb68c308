#include "base/random.h"

#include <Random123/philox.h>
#include <math.h>

static philox4x32_ctr_t draw(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index)
{
    philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), stream, (uint32_t)purpose}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32(counter, key);
}

uint32_t pl_random_u32(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index)
{
    return draw(seed, purpose, stream, index).v[0];
}

uint32_t pl_random_below(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index, uint32_t bound)
{
    /* 96 random bits scaled to the bound: the bias is below 2^-64. */
    philox4x32_ctr_t r = draw(seed, purpose, stream, index);
    unsigned __int128 wide = ((unsigned __int128)r.v[0] << 64) | ((uint64_t)r.v[1] << 32) | r.v[2];
    return (uint32_t)((wide * bound) >> 96);
}

double pl_random_uniform(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index)
{
    philox4x32_ctr_t r = draw(seed, purpose, stream, index);
    uint64_t bits = (((uint64_t)r.v[0] << 32) | r.v[1]) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

double pl_random_normal(uint64_t seed, pl_purpose purpose, uint32_t stream, uint64_t index)
{
    philox4x32_ctr_t r = draw(seed, purpose, stream, index);
    double u = ((double)r.v[0] + 0.5) * 0x1p-32, v = ((double)r.v[1] + 0.5) * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void pl_random_permutation(size_t *out, size_t n, uint64_t seed, pl_purpose purpose, uint32_t stream)
{
    for (size_t i = 0; i < n; i++) out[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = pl_random_below(seed, purpose, stream, i, (uint32_t)i), t = out[i - 1];
        out[i - 1] = out[j];
        out[j] = t;
    }
}
