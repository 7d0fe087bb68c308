#include "experiment/share.h"

#include <stdlib.h>

/* What goes to one shard: a unit, or one that learns with all its evaluations; staged, a model and task. */
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

static bool same_subject(const pl_plan_unit *a, const pl_plan_unit *b)
{
    return a->model == b->model && a->task == b->task;
}

/* first[u]: the first unit of what unit u is dealt out with. */
static void find_first(size_t *first, const pl_plan *plan)
{
    for (size_t u = 0; u < plan->n_units; u++) {
        const pl_plan_unit *unit = &plan->units[u];
        if (plan->spec->staged) /* those of a model and task stand together */
            first[u] = u > 0 && same_subject(unit, unit - 1) ? first[u - 1] : u;
        else
            first[u] = unit->adaptation ? unit->adaptation->unit : u;
    }
}

pl_status pl_share(bool *mine, const pl_plan *plan, size_t shard, size_t n_shards)
{
    dealt *order = NULL;
    size_t *first = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&order, plan->n_units));
    PL_GOTO(status, done, pl_new(&first, plan->n_units));
    find_first(first, plan);
    for (size_t u = 0; u < plan->n_units; u++) {
        order[u].unit = u;
        order[first[u]].cost += plan->units[u].cost;
    }
    qsort(order, plan->n_units, sizeof *order, dearest_first);
    for (size_t i = 0, n = 0; i < plan->n_units; i++) {
        size_t u = order[i].unit;
        if (first[u] == u) mine[u] = n_shards == 0 || n++ % n_shards == shard;
    }
    for (size_t u = 0; u < plan->n_units; u++) mine[u] = mine[first[u]];
done:
    free(order);
    free(first);
    return status;
}
