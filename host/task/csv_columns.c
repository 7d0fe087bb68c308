/* The columns of a CSV or TSV file: their names, their kinds by all of their values, and rows as objects.
 *
 * By RFC 4180 a column becomes integers only when every one of its values is a plain decimal integer (no sign but '-',
 * no leading zeros) and all fit 64 bits, signed or unsigned: a column of codes such as 007 stays text. As pandas reads
 * it (csv_value.h) it becomes integers, reals or truths, a missing value is null, and integers beside one are reals
 * (beside one and beyond 63 bits, texts). */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/csv_parts.h"
#include "task/csv_value.h"

/* ---- names ---- */

static pl_status set_names(pl__csv_row *header, const char *const *names, size_t n)
{
    header->n = 0;
    pl_bytes_clear(&header->text);
    PL_TRY(pl_grow(&header->fields, &header->capacity, n));
    for (size_t i = 0; i < n; i++) {
        char number[24];
        if (!names) snprintf(number, sizeof number, "%zu", i);
        const char *name = names ? names[i] : number;
        header->fields[header->n++] = (pl__field){header->text.size, strlen(name)};
        PL_TRY(pl_bytes_text(&header->text, name));
    }
    return PL_OK;
}

/* pandas calls a column without a name by its place. */
static pl_status name_unnamed(pl__csv_row *header)
{
    for (size_t i = 0; i < header->n; i++) {
        size_t at = header->text.size;
        if (header->fields[i].size > 0) continue;
        PL_TRY(pl_bytes_format(&header->text, "Unnamed: %zu", i));
        header->fields[i] = (pl__field){at, header->text.size - at};
    }
    return PL_OK;
}

static pl_status check_names(const pl__csv_row *header, const char *where, size_t line)
{
    json_t *seen = json_object();
    pl_status status = seen ? PL_OK : pl_fail(PL_E_MEMORY, "%s: out of memory", where);
    for (size_t i = 0; i < header->n && status == PL_OK; i++) {
        size_t size;
        const char *name = pl__csv_text(header, i, &size);
        if (size == 0)
            status = pl_fail(PL_E_INPUT, "%s:%zu: column %zu has no name; expected a header line", where, line, i + 1);
        else if (json_object_getn(seen, name, size))
            status = pl_fail(PL_E_INPUT, "%s:%zu: two columns are called '%.*s'", where, line,
                             (int)(size > 80 ? 80 : size), name);
        else if (json_object_setn_new(seen, name, size, json_true()) != 0)
            status = pl_fail(PL_E_MEMORY, "%s: out of memory", where);
    }
    json_decref(seen);
    return status;
}

pl_status pl__columns_name(pl__columns *columns, const pl_data_form *form, const char *where, size_t line,
                           size_t n_fields)
{
    if (form->n_names || form->no_header)
        PL_TRY(set_names(&columns->header, form->names, form->n_names ? form->n_names : n_fields));
    if (columns->pandas) PL_TRY(name_unnamed(&columns->header));
    PL_TRY(check_names(&columns->header, where, line));
    return pl_new(&columns->kinds, columns->header.n);
}

/* ---- kinds ---- */

/* A plain decimal integer of 64 bits, signed or unsigned. */
static bool is_plain_integer(const char *text, size_t size, bool *negative, unsigned long long *magnitude)
{
    bool beyond;
    size_t sign = size > 0 && text[0] == '-', digits = size - sign;
    if (digits == 0 || digits > 20 || (digits > 1 && text[sign] == '0') || (sign && text[sign] == '0')) return false;
    for (size_t i = sign; i < size; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return pl__csv_integer(text, size, negative, magnitude, &beyond) && !beyond;
}

static void note_sign(pl__kind *k, bool negative, unsigned long long magnitude)
{
    k->negative |= negative;
    k->large |= !negative && magnitude > INT64_MAX;
}

static void note_plain(pl__kind *k, const char *text, size_t size)
{
    bool negative;
    unsigned long long magnitude;
    k->texts = k->texts || !is_plain_integer(text, size, &negative, &magnitude);
    if (!k->texts) note_sign(k, negative, magnitude);
}

static void note_as_pandas(pl__kind *k, const char *text, size_t size, size_t line)
{
    bool negative, beyond, truth;
    unsigned long long magnitude;
    double real;
    if (pl__csv_missing(text, size)) {
        k->absent = true;
        return;
    }
    if (!k->no_integer) {
        if (!pl__csv_integer(text, size, &negative, &magnitude, &beyond))
            k->no_integer = true;
        else if (beyond)
            k->texts = true; /* integers so far, and one that no integer type holds */
        else
            note_sign(k, negative, magnitude);
    }
    if (!k->no_real) k->no_real = !pl__csv_real(text, size, &real);
    if (!k->no_truth) k->no_truth = !pl__csv_truth(text, size, &truth);
    if (!k->no_real && !isfinite(real) && !k->infinite) k->infinite = line;
}

pl_status pl__columns_note(pl__columns *columns, const pl__csv_row *row, const char *where, size_t line)
{
    const pl__csv_row *header = &columns->header;
    if (columns->pandas ? row->n > header->n : row->n != header->n)
        return pl_fail(PL_E_INPUT, "%s:%zu: expected %zu fields as in the header line, found %zu", where, line,
                       header->n, row->n);
    for (size_t i = 0; i < header->n; i++) {
        size_t size = 0;
        const char *text = i < row->n ? pl__csv_text(row, i, &size) : "";
        if (!columns->pandas)
            note_plain(&columns->kinds[i], text, size);
        else
            note_as_pandas(&columns->kinds[i], text, size, line);
    }
    return PL_OK;
}

pl_status pl__columns_end(const pl__columns *columns, const char *where)
{
    for (size_t i = 0; columns->kinds && i < columns->header.n; i++) {
        const pl__kind *k = &columns->kinds[i];
        if (k->infinite && !k->no_real && !k->texts)
            return pl_fail(PL_E_INPUT, "%s:%zu: field %zu is no finite number, as those of its column must be", where,
                           k->infinite, i + 1);
    }
    return PL_OK;
}

/* ---- values ---- */

static json_t *integer(bool negative, unsigned long long magnitude)
{
    char digits[24];
    if (!negative && magnitude > INT64_MAX) {
        int n = snprintf(digits, sizeof digits, "%llu", magnitude);
        return pl_json_wide(digits, (size_t)n);
    }
    return json_integer(negative ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude);
}

static json_t *value_of(const pl__kind *k, bool pandas, const char *text, size_t size)
{
    bool negative = false, beyond, truth = false;
    unsigned long long magnitude = 0;
    double real = 0.0;
    bool mixed = k->large && (k->negative || k->absent) && !k->no_integer, texts = k->texts || mixed;
    if (pandas && !mixed && pl__csv_missing(text, size)) return json_null();
    if (!texts && !k->no_integer && !k->absent) {
        pl__csv_integer(text, size, &negative, &magnitude, &beyond);
        return integer(negative, magnitude);
    }
    if (pandas && !texts && !k->no_real) {
        pl__csv_real(text, size, &real);
        return json_real(real);
    }
    if (pandas && !texts && !k->no_truth) {
        pl__csv_truth(text, size, &truth);
        return json_boolean(truth);
    }
    return json_stringn(text, size);
}

pl_status pl__columns_item(const pl__columns *columns, const pl__csv_row *row, json_t **out)
{
    const pl__csv_row *header = &columns->header;
    *out = json_object();
    bool whole = *out && row->n <= header->n;
    for (size_t i = 0; i < header->n && whole; i++) {
        size_t name_size, size = 0;
        const char *name = pl__csv_text(header, i, &name_size), *text = i < row->n ? pl__csv_text(row, i, &size) : "";
        json_t *made = value_of(&columns->kinds[i], columns->pandas, text, size);
        whole = json_object_setn_new(*out, name, name_size, made) == 0; /* takes NULL as a failure */
    }
    if (whole) return PL_OK;
    json_decref(*out);
    return pl_fail(PL_E_MEMORY, "out of memory while reading data");
}
