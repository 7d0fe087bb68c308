#include "base/growth.h"

pl_growth pl_growth_begin(size_t size, size_t steps)
{
    return (pl_growth){.most = PL_GROWTH_MAX + size * steps}; /* the text is in memory and the steps are few */
}

bool pl_growth_add(pl_growth *growth, size_t bytes)
{
    growth->made += bytes;
    return growth->made <= growth->most;
}
