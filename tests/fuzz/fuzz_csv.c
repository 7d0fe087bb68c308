/* Data files from outside, read as CSV, TSV and JSON lines: what is read has items, all of them objects. */
#include <stdint.h>
#include <stdlib.h>

#include "task/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"csv", "tsv", "jsonl"};
    for (size_t f = 0; f < 3; f++) {
        pl_data *read;
        if (pl_data_parse(&read, (const char *)data, size, formats[f], "fuzz") != PL_OK) continue;
        if (read->n == 0) abort();
        for (size_t i = 0; i < read->n; i++)
            if (!json_is_object(read->items[i]) || json_object_size(read->items[i]) != json_object_size(read->items[0]))
                if (f < 2) abort();
        pl_data_free(read);
    }
    return 0;
}
