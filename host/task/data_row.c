/* Rows of a data file, parsed when they are asked for. */
#include <stdlib.h>
#include <string.h>

#include "jinja/python.h"
#include "task/data_rows.h"

pl_status pl__source_create(pl__source **out, const pl__format *format, const pl_data_form *form)
{
    PL_TRY(pl_new(out, 1));
    pl__source *source = *out;
    source->format = format;
    source->text = "";
    source->layout.form = form;
    pl_status status = pl__columns_create(&source->layout.columns);
    if (status == PL_OK && pthread_mutex_init(&source->lock, NULL) != 0)
        status = pl_fail(PL_E_MEMORY, "out of memory while opening data");
    if (status == PL_OK) return PL_OK;
    pl__columns_free(source->layout.columns);
    free(source);
    *out = NULL;
    return status;
}

void pl__source_free(pl__source *source)
{
    for (size_t i = 0; i < PL__KEPT_ROWS; i++) json_decref(source->kept[i].item);
    pthread_mutex_destroy(&source->lock);
    pl__columns_free(source->layout.columns);
    pl_file_unmap(&source->map);
    free(source->copy);
    free(source->places);
    free(source);
}

/* The file in which a row of several is; *index becomes its own there. */
static const pl_data *part_of(const pl_data *data, size_t *index)
{
    const pl_data *const *part = (const pl_data *const *)data->parts;
    if (data->n_parts == 0) return data;
    while (*index >= (*part)->n) *index -= (*part++)->n;
    return *part;
}

const char *pl_row_file(const pl_data *data, size_t index)
{
    return part_of(data, &index)->where;
}

size_t pl_row_line(const pl_data *data, size_t index)
{
    const pl__source *source = (data = part_of(data, &index))->source;
    if (source->layout.json == PL__JSON_LINES) return index + 1;
    return 1 + pl_lines_count(source->text, source->places[index].at);
}

/* A prompt is a C string: a NUL inside an item would cut it silently. */
static bool holds_nul(const json_t *value)
{
    if (json_is_string(value) && !pl_json_wide_digits(value))
        return strlen(json_string_value(value)) != json_string_length(value);
    bool found = false;
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value) && !found; i++)
        found = holds_nul(json_array_get(value, i));
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)(uintptr_t)value, key, child) found = found || holds_nul(child);
    return found;
}

/* A wide integer becomes the text of its digits, which is what a template prints of it. */
static pl_status narrow(json_t *value)
{
    const char *key, *digits = pl_json_wide_digits(value);
    json_t *child;
    pl_status status = PL_OK;
    if (digits && json_string_set(value, digits) != 0) return pl_fail(PL_E_MEMORY, "out of memory while reading data");
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value) && status == PL_OK; i++)
        status = narrow(json_array_get(value, i));
    if (!json_is_object(value)) return status;
    json_object_foreach(value, key, child) if (status == PL_OK) status = narrow(child);
    return status;
}

/* The row's bytes as they were when the file was opened. A copy: what is compared is what is parsed. */
static pl_status read_bytes(pl_bytes *out, const pl_data *data, size_t index)
{
    const pl__place *place = &data->source->places[index];
    uint64_t hash[2];
    PL_TRY(pl_bytes_append(out, data->source->text + place->at, place->size));
    pl_hash128_words(hash, out->data, out->size);
    if (hash[0] == place->hash) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: row doc_id %zu is not what it was when the file was opened: the file was changed; "
                   "run again, and leave it alone while it is in use",
                   data->where, index);
}

/* As it is hashed: an integer beyond 64 bits is wide (base/json.h). A new reference. */
static pl_status parse(json_t **out, const pl_data *data, size_t index)
{
    const pl__source *source = data->source;
    pl_bytes text = {0};
    bool wide = false;
    pl_status status;
    *out = NULL;
    PL_GOTO(status, done, read_bytes(&text, data, index));
    pl__piece piece = {.text = text.data, .size = text.size, .line = index + 1, .last = true, .where = data->where};
    status = source->format->parse(&source->layout, &piece, out, &wide);
    if (status == PL_E_INPUT) { /* which line that is takes a look at all before it */
        piece.line = pl_row_line(data, index);
        status = source->format->parse(&source->layout, &piece, out, &wide);
    }
    if (status != PL_OK) goto done;
    if (wide || !holds_nul(*out)) goto done;
    json_decref(*out);
    *out = NULL;
    status = pl_fail(PL_E_INPUT, "%s:%zu: a text holds the character U+0000; remove it", data->where,
                     pl_row_line(data, index));
done:
    pl_bytes_free(&text);
    return status;
}

pl_status pl_row_hash(char out[PL_SHA256_TEXT], const pl_data *data, size_t index)
{
    json_t *item;
    pl_bytes text = {0};
    data = part_of(data, &index);
    PL_TRY(parse(&item, data, index));
    pl_status status = pl_python_json(&text, item);
    if (status == PL_OK) pl_sha256(out, text.data, text.size);
    pl_bytes_free(&text);
    json_decref(item);
    return status;
}

/* ---- rows that are kept ---- */

static json_t *find_kept(pl__source *source, size_t index)
{
    const pl__kept *kept = &source->kept[index % PL__KEPT_ROWS];
    pthread_mutex_lock(&source->lock);
    json_t *item = kept->row == index ? json_incref(kept->item) : NULL;
    pthread_mutex_unlock(&source->lock);
    return item;
}

static void keep(pl__source *source, size_t index, json_t *item)
{
    pl__kept *kept = &source->kept[index % PL__KEPT_ROWS];
    pthread_mutex_lock(&source->lock);
    json_t *before = kept->item;
    *kept = (pl__kept){index, json_incref(item)};
    pthread_mutex_unlock(&source->lock);
    json_decref(before);
}

pl_status pl_row_open(pl_row *out, const pl_data *data, size_t index)
{
    *out = (pl_row){.data = data, .index = index};
    data = part_of(data, &index);
    pl__source *source = data->source;
    out->item = find_kept(source, index);
    if (out->item) return PL_OK;
    pl_status status = parse(&out->item, data, index);
    if (status == PL_OK) status = narrow(out->item);
    if (status != PL_OK) {
        pl_row_close(out);
        return status;
    }
    if (source->places[index].size <= PL__KEPT_BYTES) keep(source, index, out->item);
    return PL_OK;
}

void pl_row_close(pl_row *row)
{
    json_decref(row->item);
    *row = (pl_row){0};
}
