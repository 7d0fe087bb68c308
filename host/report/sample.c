/* As lm-evaluation-harness writes a logged sample: arguments as {"gen_args_0": {"arg_0": ..}}, responses as nested
 * lists of Python's str(), the target as text with its sha256. Beside that the cell of the sweep and the prediction. */
#include "report/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/pooled.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json_build.h"
#include "base/real_text.h"

/* Python's str() of a scalar; a text is itself. `text` is scratch. */
static const char *scalar_text(char text[40], const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_REAL:
        pl_real_text(text, json_real_value(value));
        return text;
    case JSON_INTEGER:
        snprintf(text, 40, "%lld", (long long)json_integer_value(value));
        return text;
    case JSON_TRUE:
        return "True";
    case JSON_FALSE:
        return "False";
    case JSON_STRING:
        return json_string_value(value);
    default:
        return "None";
    }
}

/* str() of scalars; lists keep their shape, an object is itself. */
static void put_texts(pl_json_builder *b, const char *key, json_t *value)
{
    char scratch[40];
    json_t *item;
    size_t i;
    if (json_is_array(value)) {
        pl_json_open_list(b, key);
        json_array_foreach(value, i, item) put_texts(b, NULL, item);
        pl_json_close(b);
    } else if (json_is_object(value)) {
        pl_json_put_shared(b, key, value);
    } else if (json_is_string(value)) {
        pl_json_put_bytes(b, key, json_string_value(value), json_string_length(value));
    } else {
        pl_json_put_text(b, key, scalar_text(scratch, value));
    }
}

/* [[context, continuation], ..] -> {"gen_args_0": {"arg_0": context, "arg_1": continuation}, ..}. */
static void put_arguments(pl_json_builder *b, json_t *arguments)
{
    json_t *call, *argument;
    char name[48];
    size_t i, a;
    pl_json_open(b, "arguments");
    json_array_foreach(arguments, i, call)
    {
        snprintf(name, sizeof name, "gen_args_%zu", i);
        pl_json_open(b, name);
        json_array_foreach(call, a, argument)
        {
            snprintf(name, sizeof name, "arg_%zu", a);
            pl_json_put_shared(b, name, argument);
        }
        pl_json_close(b);
    }
    pl_json_close(b);
}

/* 1.0 or 0.0 under the names that lm-eval gives them; null where the item has no prediction. */
static pl_status put_outcomes(pl_json_builder *b, const pl__report_cell *cell, size_t row)
{
    const uint8_t *finite, *right;
    PL_TRY(pl_run_unit_bools(&finite, cell->unit, "finite"));
    pl_json_open_list(b, "metrics");
    for (size_t m = 0; m < PL__CELL_METRICS; m++)
        if (cell->metrics[m].name) pl_json_put_text(b, NULL, cell->metrics[m].name);
    for (size_t v = 0; cell->plain && v < PL__CELL_VALUES; v++)
        if (cell->values[v].name) pl_json_put_text(b, NULL, cell->values[v].name);
    pl_json_close(b);
    for (size_t v = 0; cell->plain && v < PL__CELL_VALUES; v++)
        if (cell->values[v].name) PL_TRY(pl_pooled_row(b, cell->unit, pl_pooled_find(cell->values[v].name), row));
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        if (!cell->metrics[m].name) continue;
        PL_TRY(pl_run_unit_bools(&right, cell->unit, cell->metrics[m].column));
        if (finite[row])
            pl_json_put_real(b, cell->metrics[m].name, right[row] ? 1.0 : 0.0);
        else
            pl_json_put_null(b, cell->metrics[m].name);
    }
    return PL_OK;
}

static pl_status put_column(pl_json_builder *b, const pl_run_unit *unit, const char *name, size_t row)
{
    const char *const *texts;
    PL_TRY(pl_run_unit_texts(&texts, unit, name));
    pl_json_put_text(b, name, texts[row]);
    return PL_OK;
}

/* The target as Python's str() has it: of several right answers the list. `text` is scratch. */
static const char *target_text(char text[40], const json_t *in)
{
    const char *whole = json_string_value(json_object_get(in, "target_text"));
    const json_t *target = json_object_get(in, "target");
    return whole ? whole : target ? scalar_text(text, target) : "";
}

static pl_status put_hashes(pl_json_builder *b, const pl_run_unit *unit, size_t row, const json_t *in,
                            const pl_run_samples *samples)
{
    char hash[PL_SHA256_TEXT], scratch[40];
    const char *text = target_text(scratch, in);
    PL_TRY(put_column(b, unit, "doc_hash", row));
    pl_json_put_text(b, "prompt_hash", samples->prompt_hash[row]);
    pl_sha256(hash, text, strlen(text));
    pl_json_put_text(b, "target_hash", hash);
    return PL_OK;
}

/* The cell of the sweep: what lm-eval has no fields for. */
static pl_status put_cell(pl_json_builder *b, const pl__report_cell *cell, size_t row)
{
    const pl_run_unit *u = cell->unit;
    pl_json_put_text(b, "task", cell->key);
    pl_json_put_text(b, "model", u->model);
    pl_json_put_text(b, "arm", u->arm);
    pl_json_put_text(b, "readout", u->readout);
    pl_json_put_text(b, "template", u->template_name);
    pl_json_put_text(b, "role", pl_role_name(u->role));
    pl_json_put_integer(b, "k", u->k);
    pl_json_put_integer(b, "draw", u->draw);
    pl_json_put_integer(b, "order", u->order);
    pl_json_put_integer(b, "seed", u->seed);
    PL_TRY(put_column(b, u, "prediction", row));
    return put_column(b, u, "outcome", row);
}

static pl_status put_sample(pl_json_builder *b, const pl__report_cell *cell, size_t row, json_t *in,
                            const pl_run_samples *samples)
{
    static const char *const lists[] = {"resps", "filtered_resps"};
    const int64_t *doc_id;
    char scratch[40];
    json_t *target = json_object_get(in, "target");
    PL_TRY(pl_run_unit_integers(&doc_id, cell->unit, "doc_id"));
    pl_json_put_integer(b, "doc_id", doc_id[row]);
    pl_json_put_shared(b, "doc", json_object_get(in, "doc"));
    if (target && cell->plain) /* lm-eval logs str() of it */
        pl_json_put_text(b, "target", target_text(scratch, in));
    else if (target)
        put_texts(b, "target", target);
    else
        pl_json_put_null(b, "target");
    put_arguments(b, json_object_get(in, "arguments"));
    for (size_t i = 0; i < 2; i++) {
        json_t *list = json_object_get(in, lists[i]);
        pl_json_open_list(b, lists[i]);
        json_t *item;
        size_t at;
        json_array_foreach(list, at, item) put_texts(b, NULL, item);
        pl_json_close(b);
    }
    pl_json_put_text(b, "filter", cell->unit->generates ? cell->unit->task_facts->filter : "none");
    PL_TRY(put_hashes(b, cell->unit, row, in, samples));
    PL_TRY(put_outcomes(b, cell, row));
    return cell->plain ? PL_OK : put_cell(b, cell, row);
}

pl_status pl__sample(json_t **out, const pl__report_cell *cell, size_t row, const pl_run_samples *samples)
{
    json_t *in = NULL;
    pl_json_builder b;
    *out = NULL;
    const char *stored = samples->json[row];
    PL_TRY(pl_json_parse(&in, stored, strlen(stored), cell->unit->path));
    if (!json_is_object(in)) {
        json_decref(in);
        return pl_fail(PL_E_INPUT, "%s: samples: row %zu is no JSON object", cell->unit->path, row);
    }
    pl_json_begin(&b);
    pl_status status = put_sample(&b, cell, row, in, samples);
    if (status == PL_OK)
        status = pl_json_end(&b, out, "a sample");
    else
        pl_json_discard(&b);
    json_decref(in);
    return status;
}
