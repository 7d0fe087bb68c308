#include "experiment/shots.h"

#include <string.h>

#include "experiment/draw.h"

pl_status pl_shots_choose(const pl_plan_task *task, const pl_plan_unit *unit, uint64_t seed, const size_t *permutation,
                          size_t item, size_t *shots)
{
    const pl_task *t = task->task;
    const json_t *group = t->group ? json_object_get(t->test->items[item], t->group) : NULL;
    size_t k = 0;
    for (size_t i = 0; k < unit->k && i < t->fewshot->n; i++) {
        size_t candidate = permutation[i];
        if (strcmp(t->fewshot->doc_hash[candidate], t->test->doc_hash[item]) == 0) continue;
        if (group && json_equal(group, json_object_get(t->fewshot->items[candidate], t->group))) continue;
        shots[k++] = candidate;
    }
    if (k < unit->k)
        return pl_fail(
            PL_E_INPUT,
            "%s: item %zu: only %zu shots are left once the item and its group are set aside, %zu are needed", t->path,
            item, k, unit->k);
    return pl_draw_order(shots, k, seed, unit->draw, unit->order);
}
