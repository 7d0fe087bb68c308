#include "analysis/run_view.h"

#include <math.h>
#include <string.h>

static pl_status need_text(const char **out, const json_t *unit, const char *key, size_t index)
{
    json_t *value = json_object_get(unit, key);
    if (!json_is_string(value))
        return pl_fail(PL_E_INPUT, "plan.json: units[%zu].%s: expected a text, found %s: plan the experiment again",
                       index, key, value ? "another type" : "nothing");
    *out = json_string_value(value);
    return PL_OK;
}

/* An absent or null key is 0. */
static pl_status get_integer(long long *out, const json_t *unit, const char *key, size_t index)
{
    json_t *value = json_object_get(unit, key);
    *out = 0;
    if (!value || json_is_null(value)) return PL_OK;
    if (!json_is_integer(value))
        return pl_fail(PL_E_INPUT, "plan.json: units[%zu].%s: expected an integer", index, key);
    *out = json_integer_value(value);
    return PL_OK;
}

/* The plan's list of models may say it too: {"name": ..., "random_weights": true}. */
static bool model_is_random(const json_t *plan, const char *model)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(plan, "models"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && !strcmp(name, model) && json_is_true(json_object_get(entry, "random_weights"))) return true;
    }
    return false;
}

static pl_status read_entry(pl_unit_entry *e, const json_t *unit, size_t index)
{
    char where[64];
    snprintf(where, sizeof where, "plan.json: units[%zu]", index);
    *e = (pl_unit_entry){.role = "", .chance = NAN};
    const struct {
        const char **out, *key;
    } texts[] = {{&e->id, "id"},   {&e->model, "model"},     {&e->task, "task"},
                 {&e->arm, "arm"}, {&e->readout, "readout"}, {&e->template_name, "template"}};
    const struct {
        long long *out;
        const char *key;
    } integers[] = {{&e->k, "k"}, {&e->draw, "draw"}, {&e->order, "order"}, {&e->seed, "seed"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        PL_TRY(need_text(texts[i].out, unit, texts[i].key, index));
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        PL_TRY(get_integer(integers[i].out, unit, integers[i].key, index));
    PL_TRY(pl_json_get_text(&e->role, unit, "role", where));
    PL_TRY(pl_json_get_size(&e->n_labels, unit, "n_labels", where));
    if (e->n_labels > 0) e->chance = 1.0 / (double)e->n_labels;
    PL_TRY(pl_json_get_real(&e->chance, unit, "chance", where));
    return pl_json_get_bool(&e->random_weights, unit, "random_weights", where);
}

pl_status pl_unit_entries(pl_unit_entry **out, size_t *n, const json_t *plan, const pl_run_folder *run, pl_arena *arena)
{
    json_t *units = json_object_get(plan, "units"), *unit;
    size_t i;
    *out = NULL;
    *n = 0;
    if (!json_is_array(units)) return pl_fail(PL_E_INPUT, "%s/plan.json: expected a list \"units\"", run->path);
    PL_TRY(pl_arena_new(arena, out, json_array_size(units)));
    json_array_foreach(units, i, unit)
    {
        pl_unit_entry *e = &(*out)[i];
        PL_TRY(read_entry(e, unit, i));
        e->random_weights = e->random_weights || model_is_random(plan, e->model);
        e->done = pl_run_folder_has(run, e->id);
    }
    *n = json_array_size(units);
    return PL_OK;
}

bool pl_unit_entry_same_family(const pl_unit_entry *a, const pl_unit_entry *b)
{
    return a->k == b->k && !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->arm, b->arm) &&
           !strcmp(a->readout, b->readout);
}

bool pl_unit_entry_same_member(const pl_unit_entry *a, const pl_unit_entry *b)
{
    return pl_unit_entry_same_family(a, b) && a->draw == b->draw && a->order == b->order && a->seed == b->seed;
}
