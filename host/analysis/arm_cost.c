#include "analysis/arm_cost.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

enum { MAX_SIDECAR_BYTES = 1 << 20 };

pl_status pl_run_sidecar(json_t **out, const pl_run_view *view, const char *id)
{
    char path[PL_PATH_MAX];
    *out = NULL;
    PL_TRY(pl_path(path, "%s/units/%s.json", pl_run_view_folder(view)->path, id));
    if (!pl_file_exists(path)) return PL_OK;
    pl_status status = pl_json_read(out, path, MAX_SIDECAR_BYTES);
    return status == PL_E_MEMORY ? status : PL_OK;
}

static double number_of(const json_t *sidecar, const char *key)
{
    const json_t *value = json_object_get(sidecar, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Mean over what is told. */
typedef struct mean {
    double sum, n;
} mean;

static void add(mean *m, double value)
{
    if (isnan(value)) return;
    m->sum += value;
    m->n++;
}

static double mean_of(const mean *m)
{
    return m->n > 0 ? m->sum / m->n : NAN;
}

/* The unit that adapted the model, once for all units that evaluate it. learned_seconds are those of all attempts;
 * without them the last attempt is all that is known. */
static pl_status add_learning(mean *tokens, mean *dev, mean *seconds, pl_run_view *view, const pl_run_unit *u)
{
    json_t *sidecar;
    pl__learned learned = {NAN, NAN};
    if (!strcmp(u->kind, "finetune")) PL_TRY(pl_run_view_learned(view, u, &learned));
    add(dev, learned.dev_tokens);
    PL_TRY(pl_run_sidecar(&sidecar, view, u->learned_by));
    double all = number_of(sidecar, "learned_seconds");
    add(tokens, number_of(sidecar, "tokens_computed"));
    add(seconds, all > 0 ? all : number_of(sidecar, "wall_s"));
    json_decref(sidecar);
    return PL_OK;
}

/* Tokens that ran for each prompt of a unit, answers included; NaN: not told, or another unit had its states. */
static pl_status read_item(double *out, const pl_run_view *view, const pl_run_unit *u, bool calibrated)
{
    json_t *sidecar;
    PL_TRY(pl_run_sidecar(&sidecar, view, u->id));
    double computed = number_of(sidecar, "tokens_computed"), items = number_of(sidecar, "items"),
           generated = number_of(sidecar, "tokens_generated"), content_free = number_of(sidecar, "tokens_content_free");
    if (!calibrated && content_free > 0) computed -= content_free;
    *out = computed > 0 && items > 0 ? (computed + (generated > 0 ? generated : 0)) / items : NAN;
    json_decref(sidecar);
    return PL_OK;
}

/* States of the frozen model are computed once for all linear readouts of a template: each is told what that took. */
static pl_status read_shared_item(double *out, const pl_run_view *view, const pl_run_unit *u)
{
    for (size_t i = 0; isnan(*out) && i < pl_run_view_n_units(view); i++) {
        const pl_run_unit *other = pl_run_view_unit(view, i);
        if (other->done && !strcmp(other->kind, u->kind) && !strcmp(other->model, u->model) &&
            !strcmp(other->task, u->task) && !strcmp(other->template_name, u->template_name))
            PL_TRY(read_item(out, view, other, false));
    }
    return PL_OK;
}

static pl_status add_item(mean *tokens, const pl_run_view *view, const pl_run_unit *u, bool calibrated)
{
    double value;
    PL_TRY(read_item(&value, view, u, calibrated));
    if (isnan(value) && !strcmp(u->kind, "linear")) PL_TRY(read_shared_item(&value, view, u));
    add(tokens, value);
    return PL_OK;
}

pl_status pl__arm_cost(pl_arm_row *row, pl_run_view *view, const pl_run_unit *group, bool calibrated, pl_role role)
{
    mean tokens = {0}, dev = {0}, seconds = {0}, items = {0};
    const char *last = NULL;
    for (size_t i = 0; i < pl_run_view_n_units(view); i++) {
        const pl_run_unit *u = pl_run_view_unit(view, i);
        if (u->group != group->group || !u->done) continue;
        if (u->role == role) PL_TRY(add_item(&items, view, u, calibrated));
        if (!u->learned_by || (last && !strcmp(last, u->learned_by))) continue;
        PL_TRY(add_learning(&tokens, &dev, &seconds, view, u));
        last = u->learned_by;
    }
    row->learn_tokens = mean_of(&tokens);
    row->learn_dev_tokens = mean_of(&dev);
    row->learn_seconds = mean_of(&seconds);
    row->item_tokens = mean_of(&items);
    return PL_OK;
}
