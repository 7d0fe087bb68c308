/* JSON from outside: whatever parses has canonical bytes, and these parse back to an equal value. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "jinja/python.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value, *again;
    pl_bytes first = {0}, second = {0}, python = {0};
    if (pl_json_parse(&value, (const char *)data, size, "fuzz") != PL_OK) return 0;
    if (pl_json_canonical(&first, value) != PL_OK || pl_python_json(&python, value) != PL_OK) abort();
    if (pl_json_parse(&again, first.data, first.size, "fuzz") != PL_OK) abort();
    if (pl_json_canonical(&second, again) != PL_OK || strcmp(first.data, second.data) != 0) abort();
    json_decref(again);
    /* What Python would write is JSON too, and says the same. */
    if (pl_json_parse(&again, python.data, python.size, "fuzz") != PL_OK) abort();
    pl_bytes_clear(&second);
    if (pl_json_canonical(&second, again) != PL_OK || strcmp(first.data, second.data) != 0) abort();
    json_decref(again);
    json_decref(value);
    pl_bytes_free(&first);
    pl_bytes_free(&second);
    pl_bytes_free(&python);
    return 0;
}
