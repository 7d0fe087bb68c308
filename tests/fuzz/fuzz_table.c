/* Tables of a run, which anybody may have edited: what is read has fields in every place, and written again it reads as
 * the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv_table.h"

/* False: the bytes are no table. */
static bool parse(pl_csv_table *out, const void *data, size_t size)
{
    pl_bytes bytes = {0};
    if (pl_bytes_append(&bytes, data, size) != PL_OK || pl_bytes_text(&bytes, "") != PL_OK) abort();
    if (pl_csv_parse(out, &bytes, "fuzz") == PL_OK) return true;
    if (out->fields || out->bytes.data || bytes.data) abort();
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_csv_table read, again;
    pl_bytes text = {0};
    if (!parse(&read, data, size)) return 0;
    if (!read.n_columns) abort();
    for (size_t i = 0; i < (read.n + 1) * read.n_columns; i++) {
        bool last = (i + 1) % read.n_columns == 0;
        if (pl_csv_text(&text, read.fields[i]) != PL_OK || pl_bytes_text(&text, last ? "\n" : ",") != PL_OK) abort();
        if (i >= read.n_columns) (void)pl_csv_number_at(&read, i / read.n_columns - 1, i % read.n_columns);
    }
    if (!parse(&again, text.data, text.size) || again.n_columns != read.n_columns || again.n != read.n) abort();
    pl_csv_free(&read);
    pl_csv_free(&again);
    pl_bytes_free(&text);
    return 0;
}
