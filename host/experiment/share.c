#include "experiment/share.h"

#include <stdlib.h>

typedef struct dealt {
    double cost;
    size_t unit;
} dealt;

static int dearest_first(const void *a, const void *b)
{
    const dealt *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

pl_status pl_share(bool *mine, const pl_plan *plan, size_t shard, size_t n_shards)
{
    dealt *order = NULL;
    PL_TRY(pl_new(&order, plan->n_units));
    for (size_t u = 0; u < plan->n_units; u++) order[u] = (dealt){plan->units[u].cost, u};
    qsort(order, plan->n_units, sizeof *order, dearest_first);
    for (size_t i = 0; i < plan->n_units; i++) mine[order[i].unit] = n_shards == 0 || i % n_shards == shard;
    free(order);
    return PL_OK;
}
