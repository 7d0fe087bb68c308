#include "experiment/share.h"

#include <stdlib.h>

/* What goes to one shard: a unit, or one that learns with all its evaluations. */
typedef struct dealt {
    double cost;
    size_t unit; /* the first */
} dealt;

static int dearest_first(const void *a, const void *b)
{
    const dealt *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? 1 : -1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

static size_t first_of(const pl_plan *plan, size_t u)
{
    return plan->units[u].adaptation ? plan->units[u].adaptation->unit : u;
}

pl_status pl_share(bool *mine, const pl_plan *plan, size_t shard, size_t n_shards)
{
    dealt *order = NULL;
    PL_TRY(pl_new(&order, plan->n_units));
    for (size_t u = 0; u < plan->n_units; u++) {
        order[u].unit = u;
        order[first_of(plan, u)].cost += plan->units[u].cost;
    }
    qsort(order, plan->n_units, sizeof *order, dearest_first);
    for (size_t i = 0, n = 0; i < plan->n_units; i++) {
        size_t u = order[i].unit;
        if (first_of(plan, u) == u) mine[u] = n_shards == 0 || n++ % n_shards == shard;
    }
    free(order);
    for (size_t u = 0; u < plan->n_units; u++) mine[u] = mine[first_of(plan, u)];
    return PL_OK;
}
