#include "store/look.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_build.h"
#include "base/temporary.h"

enum { LOOK_BYTES_MAX = 1 << 16 };

static pl_status path_of(char path[PL_PATH_MAX], const pl_run_folder *run, const pl_look_place *at)
{
    return pl_path(path, "%s/looks/%zu.%zu.%s.%s.json", run->path, at->model, at->task, at->readout, at->stage);
}

static pl_status read_text(char *out, size_t size, const json_t *json, const char *key, const char *path)
{
    const char *text = NULL;
    PL_TRY(pl_json_get_text(&text, json, key, path));
    snprintf(out, size, "%s", text ? text : "");
    return PL_OK;
}

/* Null: not known. */
static pl_status read_real(double *out, const json_t *json, const char *key, const char *path)
{
    *out = NAN;
    return json_is_null(json_object_get(json, key)) ? PL_OK : pl_json_get_real(out, json, key, path);
}

static pl_status parse(pl_look *out, const json_t *json, const char *path)
{
    if (!json_is_boolean(json_object_get(json, "enough")))
        return pl_fail(PL_E_INPUT,
                       "%s: enough: expected true or false: remove the file, and run the same command again", path);
    PL_TRY(pl_json_get_bool(&out->enough, json, "enough", path));
    PL_TRY(read_text(out->why, sizeof out->why, json, "why", path));
    PL_TRY(read_text(out->arm, sizeof out->arm, json, "arm", path));
    PL_TRY(pl_json_get_size(&out->k, json, "k", path));
    PL_TRY(read_real(&out->accuracy, json, "accuracy", path));
    PL_TRY(read_real(&out->accuracy_lo, json, "accuracy_lo", path));
    PL_TRY(read_real(&out->template_sd, json, "template_sd", path));
    PL_TRY(read_real(&out->template_sd_hi, json, "template_sd_hi", path));
    PL_TRY(read_real(&out->require, json, "require", path));
    PL_TRY(read_real(&out->template_sd_max, json, "template_sd_max", path));
    return read_real(&out->tail, json, "tail", path);
}

pl_status pl_look_get(pl_look *out, bool *there, const pl_run_folder *run, const pl_look_place *place)
{
    char path[PL_PATH_MAX];
    json_t *json;
    *out = (pl_look){0};
    PL_TRY(path_of(path, run, place));
    *there = pl_file_exists(path);
    if (!*there) return PL_OK;
    PL_TRY(pl_json_read(&json, path, LOOK_BYTES_MAX));
    pl_status status = parse(out, json, path);
    json_decref(json);
    return status;
}

static pl_status make(json_t **out, const pl_look *look, const pl_plan_file *plan, const pl_look_place *at)
{
    pl_json_builder b;
    pl_json_begin(&b);
    pl_json_put_text(&b, "model", plan->models[at->model].name);
    pl_json_put_text(&b, "task", plan->tasks[at->task].name);
    pl_json_put_text(&b, "readout", at->readout);
    pl_json_put_text(&b, "stage", at->stage);
    pl_json_put_size(&b, "looks", at->n_looks);
    pl_json_put_size(&b, "rows", at->n_rows);
    pl_json_put_bool(&b, "enough", look->enough);
    pl_json_put_text(&b, "why", look->why);
    pl_json_put_text(&b, "arm", look->arm);
    pl_json_put_size(&b, "k", look->k);
    pl_json_put_real(&b, "accuracy", look->accuracy);
    pl_json_put_real(&b, "accuracy_lo", look->accuracy_lo);
    pl_json_put_real(&b, "template_sd", look->template_sd);
    pl_json_put_real(&b, "template_sd_hi", look->template_sd_hi);
    pl_json_put_real(&b, "require", look->require);
    pl_json_put_real(&b, "template_sd_max", look->template_sd_max);
    pl_json_put_real(&b, "tail", look->tail);
    return pl_json_end(&b, out, "a look");
}

pl_status pl_look_agree(pl_look *look, const pl_run_folder *run, const pl_plan_file *plan, const pl_look_place *place)
{
    char path[PL_PATH_MAX], folder[PL_PATH_MAX];
    pl_bytes text = {0};
    json_t *json;
    bool there;
    PL_TRY(path_of(path, run, place));
    PL_TRY(pl_path_folder(folder, path));
    PL_TRY(pl_folder_make(folder));
    PL_TRY(make(&json, look, plan, place));
    pl_status status = pl_json_canonical(&text, json);
    json_decref(json);
    if (status == PL_OK) status = pl_bytes_text(&text, "\n");
    if (status == PL_OK) status = pl_temporary_put_first(path, text.data, text.size);
    pl_bytes_free(&text);
    PL_TRY(status);
    PL_TRY(pl_look_get(look, &there, run, place));
    return there ? PL_OK : pl_fail(PL_E_IO, "%s: was written and is gone", path);
}

void pl_look_text(char out[PL_LOOK_TEXT], const pl_look *look, const char *stage)
{
    int n = snprintf(out, PL_LOOK_TEXT, "after %s: ", stage);
    size_t at = (size_t)n, left = PL_LOOK_TEXT - at;
    if (*look->why) {
        snprintf(out + at, left, "no bounds: %s", look->why);
        return;
    }
    snprintf(out + at, left,
             "accuracy %.3f, at least %.3f of %.3f required; template SD %.3f, at most %.3f of %.3f allowed (bounds of "
             "%.4g %%)",
             look->accuracy, look->accuracy_lo, look->require, look->template_sd, look->template_sd_hi,
             look->template_sd_max, 100.0 * (1.0 - look->tail));
}
