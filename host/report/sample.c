/* As lm-evaluation-harness writes a logged sample: arguments as {"gen_args_0": {"arg_0": ..}}, responses as nested
 * lists of Python's str(), the target as text with its sha256. Beside that the cell of the sweep and the prediction. */
#include "report/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"

const char *const *pl__sample_metrics(const pl_unit_entry *entry)
{
    static const char *const scored[] = {"acc", "acc_norm", NULL}, *const generated[] = {"exact_match", "answer_match",
                                                                                         NULL};
    return strcmp(entry->readout, "generate") ? scored : generated;
}

const char *pl__metric_column(const char *metric)
{
    return strcmp(metric, "acc") ? metric : "correct";
}

/* Python's repr of a float: the shortest text that reads back, with ".0" where it looks like an integer. */
static void real_text(char text[40], double value)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 40, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    if (!strpbrk(text, ".en")) strcat(text, ".0");
}

/* str() of a scalar; lists keep their shape. A new reference. */
static json_t *as_texts(const json_t *value)
{
    char text[40];
    switch (json_typeof(value)) {
    case JSON_ARRAY: {
        json_t *list = json_array(), *item;
        size_t i;
        json_array_foreach(value, i, item) json_array_append_new(list, as_texts(item));
        return list;
    }
    case JSON_REAL:
        real_text(text, json_real_value(value));
        return json_string(text);
    case JSON_INTEGER:
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        return json_string(text);
    case JSON_TRUE:
        return json_string("True");
    case JSON_FALSE:
        return json_string("False");
    case JSON_NULL:
        return json_string("None");
    default:
        return json_deep_copy(value);
    }
}

/* [[context, continuation], ..] -> {"gen_args_0": {"arg_0": context, "arg_1": continuation}, ..}. A new reference. */
static json_t *arguments_json(json_t *arguments)
{
    json_t *out = json_object(), *call, *argument;
    char name[48];
    size_t i, a;
    json_array_foreach(arguments, i, call)
    {
        json_t *object = json_object();
        json_array_foreach(call, a, argument)
        {
            snprintf(name, sizeof name, "arg_%zu", a);
            json_object_set(object, name, argument);
        }
        snprintf(name, sizeof name, "gen_args_%zu", i);
        json_object_set_new(out, name, object);
    }
    return out;
}

static const char *text_at(const pl_frame *obs, const char *name, size_t row)
{
    const pl_column *c = pl_frame_column(obs, name);
    return c && (c->kind == PL_COLUMN_TEXT || c->kind == PL_COLUMN_CATEGORY) ? c->values.text[row] : NULL;
}

/* 1.0 or 0.0 of a true/false column, under the name that lm-eval gives it; nothing when the unit has no such column. */
static void put_outcome(json_t *sample, json_t *metrics, const pl_frame *obs, const char *column, size_t row,
                        const char *name)
{
    const pl_column *c = pl_frame_column(obs, column);
    if (!c || c->kind != PL_COLUMN_BOOL) return;
    json_object_set_new(sample, name, json_real(c->values.boolean[row] ? 1.0 : 0.0));
    json_array_append_new(metrics, json_string(name));
}

static void put_text(json_t *sample, const char *key, const char *text)
{
    json_object_set_new(sample, key, text ? json_string(text) : json_null());
}

static void put_hashes(json_t *sample, const pl_frame *obs, size_t row)
{
    char hash[PL_SHA256_TEXT];
    const char *target = json_string_value(json_object_get(sample, "target"));
    put_text(sample, "doc_hash", text_at(obs, "doc_hash", row));
    put_text(sample, "prompt_hash", text_at(obs, "prompt_hash", row));
    pl_sha256(hash, target ? target : "", target ? strlen(target) : 0);
    put_text(sample, "target_hash", hash);
}

/* The cell of the sweep: what lm-eval has no fields for. */
static void put_cell(json_t *sample, const pl_unit_entry *e, const char *task, const pl_frame *obs, size_t row)
{
    put_text(sample, "task", task);
    put_text(sample, "model", e->model);
    put_text(sample, "arm", e->arm);
    put_text(sample, "readout", e->readout);
    put_text(sample, "template", e->template_name);
    put_text(sample, "role", e->role);
    json_object_set_new(sample, "k", json_integer(e->k));
    json_object_set_new(sample, "draw", json_integer(e->draw));
    json_object_set_new(sample, "order", json_integer(e->order));
    json_object_set_new(sample, "seed", json_integer(e->seed));
    put_text(sample, "prediction", text_at(obs, "prediction", row));
    put_text(sample, "outcome", text_at(obs, "outcome", row));
}

pl_status pl__sample(json_t **out, const pl_unit_entry *entry, const char *task, const pl_frame *obs, size_t row,
                     const char *stored, const char *where)
{
    static const char *const lists[] = {"resps", "filtered_resps"};
    json_t *in = NULL, *sample, *metrics;
    *out = NULL;
    PL_TRY(pl_json_parse(&in, stored, strlen(stored), where));
    if (!json_is_object(in)) {
        json_decref(in);
        return pl_fail(PL_E_INPUT, "%s: samples: row %zu is no JSON object", where, row);
    }
    sample = json_object();
    metrics = json_array();
    const pl_column *id = pl_frame_column(obs, "doc_id");
    if (id && id->kind == PL_COLUMN_INTEGER)
        json_object_set_new(sample, "doc_id", json_integer(id->values.integer[row]));
    else
        put_text(sample, "doc_id", text_at(obs, "doc_id", row));
    json_object_set(sample, "doc", json_object_get(in, "doc"));
    json_t *target = json_object_get(in, "target");
    json_object_set_new(sample, "target", target ? as_texts(target) : json_null());
    json_object_set_new(sample, "arguments", arguments_json(json_object_get(in, "arguments")));
    for (size_t i = 0; i < 2; i++) {
        json_t *list = json_object_get(in, lists[i]);
        json_object_set_new(sample, lists[i], list ? as_texts(list) : json_array());
    }
    put_text(sample, "filter", "none");
    json_object_set(sample, "metrics", metrics);
    put_hashes(sample, obs, row);
    for (const char *const *m = pl__sample_metrics(entry); *m; m++)
        put_outcome(sample, metrics, obs, pl__metric_column(*m), row, *m);
    put_cell(sample, entry, task, obs, row);
    json_decref(metrics);
    json_decref(in);
    *out = sample;
    return PL_OK;
}
