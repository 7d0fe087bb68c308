#include "experiment/primary_size.h"

#include <stdlib.h>
#include <string.h>

#include "experiment/plan_parts.h"

/* ---- items ---- */

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(pl_row_key));
}

static pl_status count_clusters(size_t *out, const pl_plan_task *task)
{
    const pl_row_key *groups = task->rows.test_group;
    size_t n = task->n_items;
    pl_row_key *keys;
    *out = n;
    if (!groups || n == 0) return PL_OK;
    PL_TRY(pl_new(&keys, n));
    memcpy(keys, groups, n * sizeof *keys);
    qsort(keys, n, sizeof *keys, by_key);
    *out = 1;
    for (size_t i = 1; i < n; i++) *out += by_key(&keys[i - 1], &keys[i]) != 0;
    free(keys);
    return PL_OK;
}

/* ---- draws ---- */

static bool is_text(const json_t *arm, const char *key, const char *value)
{
    const char *said = json_string_value(json_object_get(arm, key));
    return !said || (value && !strcmp(said, value));
}

static bool is_size(const json_t *arm, const char *key, size_t value)
{
    const json_t *said = json_object_get(arm, key);
    return !said || json_integer_value(said) == (json_int_t)value;
}

/* As host/analysis/contrasts.c finds the arm among what was run. */
static bool fits(const pl_plan_unit *unit, const json_t *arm)
{
    const pl_adaptation *a = unit->adaptation;
    if (json_is_string(arm)) return unit->arm->kind == PL_ARM_PROMPT; /* best_prompt */
    if (!is_text(arm, "kind", pl_arm_name(unit->arm->kind)) || !is_text(arm, "name", unit->arm->name) ||
        !is_text(arm, "chat", unit->chat ? unit->chat->label : "plain"))
        return false;
    if (!a) return is_size(arm, "shots", unit->k) && !json_object_get(arm, "n_train");
    return is_size(arm, "n_train", a->n_train) && is_text(arm, "train_templates", a->train_template) &&
           is_text(arm, "labels", pl_labelling_name(a->labels)) &&
           is_text(arm, "head", unit->arm->kind == PL_ARM_FINETUNE ? pl_head_name(a->head) : "");
}

/* Draws of the arm; 0: there is no such arm. drawn: it has shots, or learns. */
static size_t count_draws(bool *drawn, const pl_plan *plan, size_t task, const char *readout, const json_t *arm)
{
    size_t n = 0;
    *drawn = false;
    for (size_t u = 0; u < plan->n_units; u++) {
        const pl_plan_unit *unit = &plan->units[u];
        if (unit->model || unit->task != task || unit->learns || strcmp(pl_readout_name(unit->readout), readout))
            continue;
        if (!fits(unit, arm)) continue;
        if (unit->draw + (size_t)1 > n) n = unit->draw + (size_t)1;
        *drawn = *drawn || unit->k > 0 || unit->adaptation;
    }
    return n;
}

pl_status pl_primary_size_of(pl_primary_size *out, const pl_plan *plan, size_t index)
{
    const json_t *contrast = json_array_get(plan->spec->primary, index);
    const char *name = json_string_value(json_object_get(contrast, "task")),
               *readout = json_string_value(json_object_get(contrast, "readout"));
    pl_role role = PL_ROLE_OOD;
    size_t t = 0;
    pl_role_parse(&role, json_string_value(json_object_get(contrast, "templates")));
    while (strcmp(plan->tasks[t].task->name, name)) t++; /* there is one: pl_plan_create */
    const pl_plan_task *task = &plan->tasks[t];
    bool drawn, minus_drawn;
    size_t draws = count_draws(&drawn, plan, t, readout, json_object_get(contrast, "arm")),
           minus = count_draws(&minus_drawn, plan, t, readout, json_object_get(contrast, "minus"));
    size_t least = draws < minus ? draws : minus, most = draws < minus ? minus : draws;
    *out = (pl_primary_size){.items = task->n_items,
                             .templates = pl__plan_count_wordings(task, role),
                             .draws = drawn && minus_drawn ? least : most,
                             .drawn = drawn || minus_drawn,
                             .found = least > 0};
    return count_clusters(&out->clusters, task);
}
