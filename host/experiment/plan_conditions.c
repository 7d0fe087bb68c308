/* A condition is what tables tell units apart by. Arms without names that differ in their recipe, layers or balance
 * alone make units of different ids and one condition: no table could hold both. Arms that differ in their name alone
 * make units of one id and two conditions: no run folder could hold both. What both learn from is one unit all the
 * same. */
#include <stdlib.h>
#include <string.h>

#include "experiment/plan_parts.h"

typedef struct condition {
    char hash[PL_HASH_TEXT];
    size_t unit;
} condition;

static pl_status put_condition(pl_bytes *out, const pl_plan_unit *u)
{
    const pl_adaptation *a = u->adaptation;
    PL_TRY(pl_bytes_format(out, "%zu %zu %s %s %s\n%s\n%zu %u %u", u->model, u->task, pl_arm_name(u->arm->kind),
                           u->arm->name ? u->arm->name : "", pl_readout_name(u->readout), u->template->name, u->k,
                           u->draw, u->order));
    if (u->chat) PL_TRY(pl_bytes_format(out, " +%s", u->chat->label));
    if (!a) return PL_OK;
    return pl_bytes_format(out, " %s\n%s\n%zu %s", u->arm->kind == PL_ARM_FINETUNE ? pl_head_name(a->head) : "",
                           a->train_template, a->n_train, pl_labelling_name(a->labels));
}

static int by_hash(const void *a, const void *b)
{
    const condition *x = a, *y = b;
    int order = strcmp(x->hash, y->hash);
    return order ? order : (x->unit > y->unit) - (x->unit < y->unit);
}

static pl_status refuse(const pl_plan *plan, const pl_plan_unit *a, const pl_plan_unit *b)
{
    char name[PL_UNIT_NAME];
    pl_plan_unit_name(name, a);
    return pl_fail(
        PL_E_INPUT,
        "%s: arms.%zu and arms.%zu both make '%s' of task %s, in two ways (recipe, layers or balance), which "
        "no table tells apart: give one of them a name",
        plan->spec->path, (size_t)(a->arm - plan->spec->arms), (size_t)(b->arm - plan->spec->arms), name,
        plan->tasks[a->task].task->name);
}

pl_status pl__plan_check_shared(const pl_plan *plan, const pl_plan_unit *there, const pl_plan_unit *unit)
{
    const char *a = there->arm->name, *b = unit->arm->name;
    char name[PL_UNIT_NAME];
    if (unit->learns || (!a == !b && (!a || !strcmp(a, b)))) return PL_OK;
    pl_plan_unit_name(name, there);
    return pl_fail(PL_E_INPUT,
                   "%s: arms.%zu and arms.%zu both make '%s' of task %s in one way, and differ in their name "
                   "alone: take one of them out",
                   plan->spec->path, (size_t)(there->arm - plan->spec->arms), (size_t)(unit->arm - plan->spec->arms),
                   name, plan->tasks[unit->task].task->name);
}

static pl_status find_twins(const pl_plan *plan, condition *conditions)
{
    pl_bytes text = {0};
    pl_status status = PL_OK;
    const condition *first = NULL;
    size_t n = 0;
    for (size_t u = 0; u < plan->n_units; u++) {
        if (plan->units[u].learns) continue; /* told apart by those that evaluate them */
        pl_bytes_clear(&text);
        PL_GOTO(status, done, put_condition(&text, &plan->units[u]));
        pl_hash128(conditions[n].hash, text.data, text.size);
        conditions[n++].unit = u;
    }
    qsort(conditions, n, sizeof *conditions, by_hash);
    for (size_t i = 1; i < n; i++)
        if (!strcmp(conditions[i - 1].hash, conditions[i].hash) &&
            (!first || conditions[i - 1].unit < first->unit)) /* the one that people see first */
            first = &conditions[i - 1];
    if (first) status = refuse(plan, &plan->units[first[0].unit], &plan->units[first[1].unit]);
done:
    pl_bytes_free(&text);
    return status;
}

pl_status pl__plan_check_conditions(const pl_plan *plan)
{
    condition *conditions;
    PL_TRY(pl_new(&conditions, plan->n_units));
    pl_status status = find_twins(plan, conditions);
    free(conditions);
    return status;
}
