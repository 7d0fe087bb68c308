/* Who computes a model's units in a run: the first process that does leaves its numerics key, and others of another key
 * take none of them. */
#include <stdio.h>
#include <string.h>

#include "experiment/run_parts.h"
#include "store/run_key.h"

/* What the run keeps a model's key under. */
static void key_name(char name[PL_HASH_TEXT + 16], const pl_plan_model *model)
{
    snprintf(name, PL_HASH_TEXT + 16, "%s-%s", model->digest, pl_dtype_name(model->spec->compute));
}

/* The key of the model's first finished unit; "" when none is finished. */
static pl_status found_key(const pl__runner *r, size_t model, char key[PL_RUN_KEY_MAX])
{
    char path[PL_PATH_MAX];
    key[0] = 0;
    for (size_t u = 0; u < r->plan->n_units && !key[0]; u++) {
        const pl_plan_unit *unit = &r->plan->units[u];
        if (unit->model != model || !pl_run_folder_has(&r->summary->folder, unit->id)) continue;
        PL_TRY(pl_run_folder_unit(path, &r->summary->folder, unit->id));
        pl_status status = pl_unit_key(key, path);
        if (status == PL_E_MEMORY) return status;
        if (status != PL_OK) key[0] = 0; /* a damaged unit says nothing */
    }
    return PL_OK;
}

/* Whether products of a model's units are made in bfloat16 by an arm, whatever the model's own type. */
static bool trains_in_bf16(const pl__runner *r, size_t model)
{
    for (size_t u = 0; u < r->plan->n_units; u++) {
        const pl_plan_unit *unit = &r->plan->units[u];
        if (unit->model == model && unit->learns && unit->arm->recipe.bf16) return true;
    }
    return false;
}

/* This process's own key for the model. Where libraries make the products it is known once the weights are loaded; of
 * an exact device any weight of the type says it. */
static pl_status own_key(pl__runner *r, size_t model)
{
    const pl_backend *ops = r->processor.ops;
    const pl_dtype types[] = {r->plan->models[model].spec->compute, trains_in_bf16(r, model) ? PL_BF16 : PL_F32};
    pl_device_facts facts = r->opened;
    if (!ops->exact) {
        PL_TRY(pl__load_model(r, model));
        facts = r->device;
    } else if (types[0] != PL_F32 || types[1] != PL_F32) {
        pl_weight *weights[2] = {NULL, NULL};
        pl_status status = ops->weight_create(r->processor.device, &weights[0], 1, 1, types[0]);
        if (status == PL_OK) status = ops->weight_create(r->processor.device, &weights[1], 1, 1, types[1]);
        if (status == PL_OK) status = ops->facts(r->processor.device, &facts);
        ops->weight_free(weights[0]);
        ops->weight_free(weights[1]);
        PL_TRY(status);
    }
    pl_numerics_key(r->keys[model].own, &facts);
    return PL_OK;
}

pl_status pl__agree(pl__runner *r, size_t model)
{
    pl__model_key *k = &r->keys[model];
    const pl_plan_model *m = &r->plan->models[model];
    char name[PL_HASH_TEXT + 16], run_key[PL_RUN_KEY_MAX], path[PL_PATH_MAX];
    if (k->decided) return PL_OK;
    key_name(name, m);
    PL_TRY(pl_run_key_get(run_key, &r->summary->folder, name));
    if (!run_key[0]) PL_TRY(found_key(r, model, run_key));
    PL_TRY(own_key(r, model));
    PL_TRY(pl_run_key_agree(run_key, &r->summary->folder, name, run_key[0] ? run_key : k->own));
    k->decided = true;
    k->refused = strcmp(run_key, k->own) != 0;
    if (!k->refused) return PL_OK;
    char line[sizeof r->summary->first_refused];
    PL_TRY(pl_run_key_path(path, &r->summary->folder, name));
    snprintf(line, sizeof line,
             "model %s: this run's units are computed by '%.200s', this process computes by '%.200s', whose bits may "
             "differ: it takes none of them; go on where the first are, or use another --results folder (kept in "
             "%.400s)",
             m->spec->name, run_key, k->own, path);
    if (!r->summary->first_refused[0]) snprintf(r->summary->first_refused, sizeof line, "%s", line);
    pl__say(r, line);
    return pl_run_folder_log(&r->summary->folder, "%s", line);
}
