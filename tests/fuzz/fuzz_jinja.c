/* Templates from outside, rendered on one fixed item: what compiles renders or fails, and twice gives the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char item_text[] =
        "{\"text\": \"A fine, \\u00e9t\\u00e9 film \\ud83d\\ude00 \", \"label\": 1, \"yes\": true, "
        "\"none\": null, \"real\": 0.5, \"words\": [\"bad\", \"good\"], \"x\": {\"y\": [1, \"z\"]}}";
    pl_jinja *jinja;
    json_t *item, *value;
    pl_bytes source = {0}, first = {0}, second = {0};
    if (pl_bytes_append(&source, data, size) != PL_OK) return 0;
    if (pl_jinja_compile(&jinja, source.data, "fuzz") == PL_OK) {
        if (pl_json_parse(&item, item_text, strlen(item_text), "item") != PL_OK) abort();
        pl_status status = pl_jinja_render(jinja, item, &first);
        if (pl_jinja_render(jinja, item, &second) != status || first.size != second.size) abort();
        if (first.size && memcmp(first.data, second.data, first.size) != 0) abort();
        if (first.size && pl_utf8_check(first.data, first.size) != first.size) abort();
        if (pl_jinja_value(jinja, item, &value) == PL_OK)
            json_decref(value);
        else if (value)
            abort();
        json_decref(item);
        pl_jinja_free(jinja);
    }
    pl_bytes_free(&source);
    pl_bytes_free(&first);
    pl_bytes_free(&second);
    return 0;
}
