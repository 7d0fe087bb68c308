#include "tokenizer/postprocessor.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 8, SPECIALS_MAX = 256 };

struct reader {
    pl__postprocessor *out;
    bool done; /* one component with special tokens was read */
};

static pl_status add_id(pl_ids *ids, const json_t *value, const char *where)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > PL__ID_MAX)
        return pl_fail(PL_E_INPUT, "%s: a special token's id: expected an integer of 0 to %d", where, PL__ID_MAX);
    if (ids->n >= SPECIALS_MAX) return pl_fail(PL_E_INPUT, "%s: more than %d special tokens", where, SPECIALS_MAX);
    int32_t id = (int32_t)json_integer_value(value);
    return pl_ids_append(ids, &id, 1);
}

static pl_status read_template(const struct reader *r, const json_t *spec, const char *where)
{
    const json_t *single = json_object_get(spec, "single");
    const json_t *special = json_object_get(spec, "special_tokens");
    if (!json_is_array(single)) return pl_fail(PL_E_INPUT, "%s.single: expected a list", where);
    size_t n_texts = 0;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *piece = json_array_get(single, i);
        const json_t *sequence = json_object_get(piece, "Sequence"), *token = json_object_get(piece, "SpecialToken");
        const char *id = "";
        PL_TRY(pl_json_get_text(&id, sequence ? sequence : token, "id", where));
        if (sequence) {
            n_texts++;
            if (strcmp(id, "A") != 0)
                return pl_fail(PL_E_INPUT, "%s.single[%zu]: expected sequence A, found '%.80s'", where, i, id);
            continue;
        }
        const json_t *ids = json_object_get(json_object_get(special, id), "ids");
        if (!json_is_array(ids))
            return pl_fail(PL_E_INPUT, "%s.single[%zu]: special token '%.80s' has no ids in special_tokens", where, i,
                           id);
        for (size_t k = 0; k < json_array_size(ids); k++)
            PL_TRY(add_id(n_texts ? &r->out->after : &r->out->before, json_array_get(ids, k), where));
    }
    if (n_texts != 1)
        return pl_fail(PL_E_UNSUPPORTED, "%s.single: the text stands %zu times, only once is supported", where,
                       n_texts);
    return PL_OK;
}

/* RobertaProcessing and BertProcessing: ["text", id] for cls and sep. */
static pl_status read_pair(const struct reader *r, const json_t *spec, const char *where)
{
    PL_TRY(add_id(&r->out->before, json_array_get(json_object_get(spec, "cls"), 1), where));
    return add_id(&r->out->after, json_array_get(json_object_get(spec, "sep"), 1), where);
}

static pl_status read_any(struct reader *r, const json_t *spec, const char *where, size_t depth)
{
    const char *type = "";
    if (!json_is_object(spec)) return pl_fail(PL_E_INPUT, "%s: expected an object", where);
    PL_TRY(pl_json_get_text(&type, spec, "type", where));
    /* ByteLevel only trims the offsets of tokens in the text; ids do not change. */
    if (strcmp(type, "ByteLevel") == 0) return PL_OK;
    bool template = strcmp(type, "TemplateProcessing") == 0;
    if (template || strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
        if (r->done) return pl_fail(PL_E_UNSUPPORTED, "%s: a second %s is not supported", where, type);
        r->done = true;
        return template ? read_template(r, spec, where) : read_pair(r, spec, where);
    }
    if (strcmp(type, "Sequence") != 0)
        return pl_fail(PL_E_UNSUPPORTED, "%s: the post-processor '%.80s' is not supported", where, type);
    const json_t *list = json_object_get(spec, "processors");
    if (!json_is_array(list)) return pl_fail(PL_E_INPUT, "%s.processors: expected a list", where);
    if (depth >= DEPTH_MAX) return pl_fail(PL_E_INPUT, "%s: more than %d nested sequences", where, DEPTH_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[320];
        snprintf(inner, sizeof inner, "%s.processors[%zu]", where, i);
        PL_TRY(read_any(r, json_array_get(list, i), inner, depth + 1));
    }
    return PL_OK;
}

pl_status pl__postprocessor_create(pl__postprocessor *out, const json_t *spec, const char *where)
{
    *out = (pl__postprocessor){0};
    if (!spec || json_is_null(spec)) return PL_OK;
    struct reader reader = {out, false};
    pl_status status = read_any(&reader, spec, where, 0);
    if (status != PL_OK) pl__postprocessor_free(out);
    return status;
}

void pl__postprocessor_free(pl__postprocessor *p)
{
    pl_ids_free(&p->before);
    pl_ids_free(&p->after);
}
