/* How a file is read, as its own copy: one block of memory with the texts behind the struct. */
#include <stdlib.h>
#include <string.h>

#include "task/data_rows.h"

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* The text behind what is there already, or NULL. */
static const char *put_text(char **at, const char *text)
{
    char *copy = *at;
    if (!text) return NULL;
    memcpy(copy, text, text_bytes(text));
    *at += text_bytes(text);
    return copy;
}

pl_status pl__form_copy(pl_data_form **out, const pl_data_form *form)
{
    static const pl_data_form by_ending;
    if (!form) form = &by_ending;
    size_t size = sizeof *form + form->n_names * sizeof *form->names + text_bytes(form->format) +
                  text_bytes(form->field) + text_bytes(form->separator) + text_bytes(form->quote);
    for (size_t i = 0; i < form->n_names; i++) size += text_bytes(form->names[i]);
    char *block;
    PL_TRY(pl_new(&block, size));
    pl_data_form *copy = (void *)block;
    const char **names = (void *)(copy + 1);
    char *at = (char *)(names + form->n_names);
    *copy = *form;
    copy->format = put_text(&at, form->format);
    copy->field = put_text(&at, form->field);
    copy->separator = put_text(&at, form->separator);
    copy->quote = put_text(&at, form->quote);
    for (size_t i = 0; i < form->n_names; i++) names[i] = put_text(&at, form->names[i]);
    copy->names = form->n_names ? names : NULL;
    *out = copy;
    return PL_OK;
}

const pl__format *pl__form_format(const pl_data_form *form)
{
    if (!form || !form->format) return NULL;
    return strcmp(form->format, "json") == 0  ? &pl__jsonl
           : strcmp(form->format, "csv") == 0 ? &pl__csv_pandas
                                              : &pl__text;
}

static bool has_csv(const pl_data_form *form)
{
    return form->separator || form->quote || form->skip_rows || form->header || form->no_header || form->n_names;
}

pl_status pl__form_check(const pl_data_form *form, const pl__format *format, const char *where)
{
    bool csv = format == &pl__csv || format == &pl__tsv || format == &pl__csv_pandas;
    if (form && form->field && format != &pl__jsonl)
        return pl_fail(PL_E_INPUT, "%s: field is an argument of JSON files (dataset_kwargs)", where);
    if (form && has_csv(form) && !csv)
        return pl_fail(PL_E_INPUT,
                       "%s: sep, quotechar, quoting, skiprows, header and names are arguments of CSV files "
                       "(dataset_kwargs)",
                       where);
    return PL_OK;
}

pl_status pl__form_digest(char out[PL_SHA256_TEXT], const char *sha256, const pl_data_form *form)
{
    pl_bytes all = {0};
    memcpy(out, sha256, PL_SHA256_TEXT);
    if (!form->format && !form->field && !has_csv(form)) return PL_OK;
    pl_status status = pl_bytes_format(
        &all, "%s\nformat %s\nfield %s\nseparator %s\nquote %s\nskip %zu\nheader %zu\nnone %d\nnames %zu\n", sha256,
        form->format ? form->format : "", form->field ? form->field : "", form->separator ? form->separator : "own",
        form->quote ? form->quote : "own", form->skip_rows, form->header, form->no_header, form->n_names);
    for (size_t i = 0; i < form->n_names && status == PL_OK; i++)
        status = pl_bytes_append(&all, form->names[i], text_bytes(form->names[i]));
    if (status == PL_OK) pl_sha256(out, all.data, all.size);
    pl_bytes_free(&all);
    return status;
}
