#include "experiment/shots.h"

#include "experiment/draw.h"

pl_status pl_shots_choose(size_t *shots, size_t *set_aside, const pl_plan_task *task, const pl_plan_unit *unit,
                          uint64_t seed, const size_t *permutation, size_t item)
{
    const pl_task *t = task->task;
    size_t k = 0, at = 0;
    for (; k < unit->k && at < t->fewshot->n; at++)
        if (!pl_rows_give_away(&task->rows, unit->template_place, item, permutation[at])) shots[k++] = permutation[at];
    *set_aside = at - k;
    if (k < unit->k)
        return pl_fail(PL_E_INPUT,
                       "%s: item %zu: only %zu shots are left once rows that give its answer away are set aside, %zu "
                       "are needed",
                       t->path, item, k, unit->k);
    return pl_draw_order(shots, k, seed, unit->draw, unit->order);
}
