/* Data files from outside, in every form: what is opened has rows. Rows of CSV and TSV were looked at whole: each gives
 * an object with the fields of the first. Rows of JSON may be refused, but as often as asked. */
#include <stdint.h>
#include <stdlib.h>

#include "task/data.h"

static void check_row(const pl_data *data, size_t index, bool lines, size_t *n_fields)
{
    pl_row row;
    char hash[PL_SHA256_TEXT];
    pl_status status = pl_row_open(&row, data, index);
    if ((pl_row_hash(hash, data, index) == PL_OK) != (status == PL_OK)) abort();
    if (status != PL_OK && n_fields) abort();
    if (status == PL_OK && !json_is_object(row.item)) abort();
    if (n_fields && index == 0) *n_fields = json_object_size(row.item);
    if (n_fields && json_object_size(row.item) != *n_fields) abort();
    if (pl_row_line(data, index) <= (lines ? index : 0)) abort();
    pl_row_close(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"x", "y", "z"};
    static const struct {
        const char *format;
        bool columns, lines;
        pl_data_form form;
    } cases[] = {
        {"csv", true, true, {0}},
        {"tsv", true, true, {0}},
        {"jsonl", false, false, {0}},
        {"jsonl", false, false, {.field = "a"}},
        {"csv", true, true, {.format = "csv"}},
        {"csv", true, true, {.format = "csv", .separator = ";", .quote = "'", .skip_rows = 1, .header = 1}},
        {"csv", true, true, {.format = "csv", .quote = "", .no_header = true}},
        {"csv", true, true, {.no_header = true, .names = names, .n_names = 3}},
        {"text", false, false, {.format = "text"}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        pl_data *read;
        size_t n_fields;
        if (pl_data_parse(&read, (const char *)data, size, cases[c].format, &cases[c].form, "fuzz") != PL_OK) continue;
        if (read->n == 0) abort();
        for (size_t i = 0; i < read->n; i++) check_row(read, i, cases[c].lines, cases[c].columns ? &n_fields : NULL);
        pl_data_free(read);
    }
    return 0;
}
