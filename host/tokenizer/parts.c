#include "tokenizer/parts.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

static pl_status read_part(const json_t *spec, const char *list, const char *where, pl__part_reader read, void *context,
                           size_t depth)
{
    const char *type = "";
    if (!json_is_object(spec)) return pl_fail(PL_E_INPUT, "%s: expected an object", where);
    PL_TRY(pl_json_get_text(&type, spec, "type", where));
    if (strcmp(type, "Sequence") != 0) return read(context, type, spec, where);
    const json_t *parts = json_object_get(spec, list);
    if (!json_is_array(parts)) return pl_fail(PL_E_INPUT, "%s.%s: expected a list", where, list);
    if (depth >= DEPTH_MAX) return pl_fail(PL_E_INPUT, "%s: more than %d nested sequences", where, DEPTH_MAX);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        char inner[320];
        snprintf(inner, sizeof inner, "%s.%s[%zu]", where, list, i);
        PL_TRY(read_part(json_array_get(parts, i), list, inner, read, context, depth + 1));
    }
    return PL_OK;
}

pl_status pl__parts_read(const json_t *spec, const char *list, const char *where, pl__part_reader read, void *context)
{
    return read_part(spec, list, where, read, context, 0);
}

pl_status pl__part_text(char **out, size_t *size, const json_t *spec, const char *key, const char *where)
{
    const json_t *text = json_object_get(spec, key);
    if (!json_is_string(text)) return pl_fail(PL_E_INPUT, "%s.%s: expected a text", where, key);
    *size = json_string_length(text);
    PL_TRY(pl_new(out, *size + 1));
    memcpy(*out, json_string_value(text), *size);
    return PL_OK;
}
