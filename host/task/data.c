#include "task/data.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/content.h"
#include "base/gunzip.h"
#include "task/data_rows.h"

enum { PART = 1024 * 1024 }; /* bytes of a file that are looked at together, and more where a row is longer */

/* ---- where the rows are ---- */

static pl_status add_place(pl_data *data, size_t at, const char *bytes, size_t size)
{
    pl__source *source = data->source;
    uint64_t hash[2];
    pl_hash128_words(hash, bytes, size);
    if (at >> PL__PLACE_BITS || size >> PL__ROW_BITS)
        return pl_fail(PL_E_UNSUPPORTED, "%s: a file of more than 512 GiB; split it", data->where);
    PL_TRY(pl_grow(&source->places, &source->capacity, data->n + 1));
    pl__place *place = &source->places[data->n++];
    place->at = at & (((uint64_t)1 << PL__PLACE_BITS) - 1);
    place->size = size & ((1u << PL__ROW_BITS) - 1);
    place->hash = hash[0];
    return PL_OK;
}

/* A pass through the file: what was read of it and not yet looked at. The bytes are copied before they count for the
 * digest and for the rows, so that both have seen the same ones. */
typedef struct pass {
    pl_data *data;
    pl_sha256_run *digest;
    char *buffer;
    size_t capacity, from, size; /* the next row begins at buffer[from] */
    size_t at;                   /* where buffer[0] stands in the file */
    size_t line, blank_line;     /* of the next row; the first blank one, 0: none */
    bool begun;                  /* a row was taken */
} pass;

static pl_status read_part(pass *p)
{
    pl__source *source = p->data->source;
    size_t rest = p->size - p->from, done = p->at + p->size, more = rest > PART ? rest : PART;
    if (more > source->size - done) more = source->size - done;
    if (rest) memmove(p->buffer, p->buffer + p->from, rest);
    p->at += p->from;
    p->from = 0;
    PL_TRY(pl_grow(&p->buffer, &p->capacity, rest + more + 1));
    memcpy(p->buffer + rest, source->text + done, more);
    p->size = rest + more;
    if (!source->copy) pl_file_map_drop(&source->map, done, done + more);
    return pl_sha256_add(p->digest, p->buffer + rest, more);
}

/* Old line ends would make one line of the whole file. */
static pl_status refuse_cr_alone(const pl__piece *piece)
{
    const char *cr = memchr(piece->text, '\r', piece->size);
    if (!piece->first || !cr || cr + 1 == piece->text + piece->size || memchr(piece->text, '\n', piece->size))
        return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: its lines end with CR alone; convert them: tr '\\r' '\\n' < IN > OUT",
                   piece->where);
}

static size_t blank_bytes(const pl__piece *piece, const char *blanks)
{
    size_t i = 0;
    while (i < piece->size && piece->text[i] && strchr(blanks, piece->text[i])) i++;
    return i < piece->size ? piece->text[i] == '\n' ? i + 1 : 0 : piece->last ? i : 0;
}

size_t pl__own_bytes(const char *text, size_t size)
{
    size -= size > 0 && text[size - 1] == '\n';
    return size - (size > 0 && text[size - 1] == '\r');
}

/* Takes the next row or blank line; *bytes is 0 when more of the file is needed for it. */
static pl_status take_row(pass *p, const pl__piece *piece, size_t *bytes)
{
    pl__layout *layout = &p->data->source->layout;
    const pl__format *format = p->data->source->format;
    bool is_item, blanks = format->blanks && (format != &pl__jsonl || layout->json == PL__JSON_LINES);
    *bytes = blanks ? blank_bytes(piece, format->blanks) : 0;
    if (*bytes) {
        if (!p->blank_line) p->blank_line = piece->line;
        return PL_OK;
    }
    if (piece->first && piece->last && !format->cr_ends) PL_TRY(refuse_cr_alone(piece));
    if (p->blank_line)
        return pl_fail(PL_E_INPUT, "%s:%zu: a blank line before the end; expected %s on each line", piece->where,
                       p->blank_line, format == &pl__jsonl ? "an item" : "a row");
    PL_TRY(format->look(layout, piece, bytes, &is_item));
    size_t own = pl__own_bytes(piece->text, *bytes ? *bytes : piece->size);
    if (own > PL_LINE_MAX) {
        if (!format->cr_ends) PL_TRY(refuse_cr_alone(piece));
        return pl_line_too_long(piece->where, piece->line, own);
    }
    if (*bytes == 0) return PL_OK;
    p->begun = true;
    return is_item ? add_place(p->data, p->at + p->from, piece->text, *bytes) : PL_OK;
}

static pl_status take_rows(pass *p)
{
    const pl__source *source = p->data->source;
    size_t bytes = 0;
    PL_TRY(read_part(p));
    PL_TRY(pl_content_check(p->buffer, p->size, p->data->where));
    if (p->size >= 3 && memcmp(p->buffer, "\xEF\xBB\xBF", 3) == 0) p->from = 3; /* a byte-order mark */
    for (;;) {
        pl__piece piece = {.text = p->buffer + p->from,
                           .size = p->size - p->from,
                           .line = p->line,
                           .first = !p->begun,
                           .last = p->at + p->size == source->size,
                           .where = p->data->where};
        if (piece.size == 0 && piece.last)
            return source->format->end ? source->format->end(&source->layout, p->data->where) : PL_OK;
        PL_TRY(take_row(p, &piece, &bytes));
        if (bytes == 0) {
            PL_TRY(read_part(p));
            continue;
        }
        p->line += pl_lines_count(piece.text, bytes);
        p->from += bytes;
    }
}

static pl_status index_rows(pl_data *data)
{
    pass p = {.data = data, .line = 1};
    pl_status status;
    PL_GOTO(status, done, pl_sha256_begin(&p.digest));
    PL_GOTO(status, done, take_rows(&p));
    PL_GOTO(status, done, pl_sha256_end(p.digest, data->file_sha256));
    if (data->n == 0) status = pl_fail(PL_E_INPUT, "%s: no items; expected at least one", data->where);
done:
    pl_sha256_free(p.digest);
    free(p.buffer);
    return status;
}

/* ---- opening ---- */

void pl_data_free(pl_data *data)
{
    if (!data) return;
    for (size_t i = 0; i < data->n_parts; i++) pl_data_free(data->parts[i]);
    if (data->source) pl__source_free(data->source);
    free(data->form);
    free(data->parts);
    free(data->where);
    free(data);
}

/* otherwise: the format where the form names none. One that it names all the same says nothing and is left out, so that
 * rows have one digest and a frozen task one text however the file was asked for. */
static pl_status create(pl_data **out, const pl__format *otherwise, const pl_data_form *form, const char *where)
{
    const pl__format *format = pl__form_format(form) ? pl__form_format(form) : otherwise;
    PL_TRY(pl__form_check(form, format, where));
    PL_TRY(pl_new(out, 1));
    pl_status status;
    PL_GOTO(status, failed, pl__form_copy(&(*out)->form, form));
    if (format == otherwise) (*out)->form->format = NULL;
    PL_GOTO(status, failed, pl_copy_text(&(*out)->where, where));
    PL_GOTO(status, failed, pl__source_create(&(*out)->source, format, (*out)->form));
    return PL_OK;
failed:
    pl_data_free(*out);
    *out = NULL;
    return status;
}

static pl_status index_source(pl_data *data)
{
    PL_TRY(index_rows(data));
    return pl__form_digest(data->sha256, data->file_sha256, data->form);
}

static const pl__format *const formats[] = {&pl__jsonl, &pl__csv, &pl__tsv, &pl__text};

pl_status pl_data_parse(pl_data **out, const char *text, size_t size, const char *format, const pl_data_form *form,
                        const char *where)
{
    pl_data *data = NULL;
    pl_status status;
    size_t f = 0;
    *out = NULL;
    while (f < sizeof formats / sizeof *formats && strcmp(formats[f]->name, format) != 0) f++;
    if (f == sizeof formats / sizeof *formats)
        return pl_fail(PL_E_INTERNAL, "%s: unknown data format '%s'", where, format);
    PL_GOTO(status, done, create(&data, formats[f], form, where));
    pl__source *source = data->source;
    PL_GOTO(status, done, pl_new(&source->copy, size + 1));
    if (size) memcpy(source->copy, text, size);
    source->text = source->copy;
    source->size = size;
    PL_GOTO(status, done, index_source(data));
    *out = data;
    data = NULL;
done:
    pl_data_free(data);
    return status;
}

/* The ending of a path, without a .gz behind it; "" where there is none. */
static void ending_of(char out[16], const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t size = strlen(name);
    if (size > 3 && strcasecmp(name + size - 3, ".gz") == 0) size -= 3;
    size_t at = size;
    while (at > 0 && name[at - 1] != '.') at--;
    *out = 0;
    if (at > 0 && size - at < 15) snprintf(out, 16, ".%.*s", (int)(size - at), name + at);
}

/* The format by the path's ending; NULL of another, which the form names then. */
static pl_status format_of(const pl__format **out, const char *path, const pl_data_form *form)
{
    static const struct {
        const char *extension;
        const pl__format *format;
    } table[] = {
        {".jsonl", &pl__jsonl}, {".json", &pl__jsonl}, {".csv", &pl__csv}, {".tsv", &pl__tsv}, {".txt", &pl__text}};
    char ending[16];
    ending_of(ending, path);
    if (strcasecmp(ending, ".parquet") == 0)
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: Parquet is not read (Debian 12 has no C library for it); convert it once: python3 -c "
                       "'import sys, pandas; pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient=\"records\", "
                       "lines=True, force_ascii=False)' IN.parquet OUT.jsonl (experiments/data/README.md)",
                       path);
    *out = NULL;
    for (size_t i = 0; i < sizeof table / sizeof *table && !*out; i++)
        if (strcasecmp(ending, table[i].extension) == 0) *out = table[i].format;
    if (*out || pl__form_format(form)) return PL_OK;
    return pl_fail(PL_E_UNSUPPORTED,
                   "%s: unknown kind of data file '%s'; expected .jsonl, .json, .csv, .tsv or .txt, or one of them "
                   "with .gz behind "
                   "it (experiments/data/README.md says how to convert)",
                   path, ending);
}

/* A file of another version is that first of all, whatever is wrong with its rows. The digest is of the file as it lies
 * or, of a gzip file, of what it holds. */
static pl_status check_digest(const pl_data *data, const pl_map *file, pl_status status, const char *expected)
{
    char found[PL_SHA256_TEXT];
    if (!expected || (status != PL_OK && status != PL_E_INPUT)) return status;
    if (status == PL_OK && strcasecmp(data->file_sha256, expected) == 0) return status;
    pl_sha256(found, file->size ? (const void *)file->data : "", file->size);
    if (strcasecmp(found, expected) == 0) return status;
    return pl_fail(PL_E_INPUT, "%s: expected SHA-256 %s, found %s; the file is another version", data->where, expected,
                   found);
}

/* Absolute, its folder without links. The file's own name stays where it is a link: its ending says how it is read. */
static pl_status set_path(pl_data *data, const char *path)
{
    char folder[PL_PATH_MAX], real[PL_PATH_MAX];
    const char *slash = strrchr(path, '/');
    PL_TRY(pl_path_folder(folder, path));
    PL_TRY(pl_path_real(real, folder));
    return pl_path(data->path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, slash ? slash + 1 : path);
}

/* The source takes the map of the file, but of a gzip file that of what it holds. */
static pl_status open_source(pl_data *data, const pl_map *file, bool packed)
{
    pl__source *source = data->source;
    if (packed)
        PL_TRY(pl_gunzip(&source->map, file->data, file->size, data->where));
    else
        source->map = *file;
    source->text = source->map.size ? (const char *)source->map.data : "";
    source->size = source->map.size;
    return index_source(data);
}

pl_status pl_data_read(pl_data **out, const char *path, const char *sha256, const pl_data_form *form)
{
    const pl__format *format = NULL;
    pl_data *data = NULL;
    pl_map file = {0};
    bool packed = false;
    pl_status status;
    *out = NULL;
    PL_TRY(format_of(&format, path, form));
    PL_GOTO(status, done, create(&data, format, form, path));
    PL_GOTO(status, done, pl_file_map(&file, path));
    packed = pl_is_gzip(file.data, file.size);
    PL_GOTO(status, done, check_digest(data, &file, open_source(data, &file, packed), sha256));
    PL_GOTO(status, done, set_path(data, path));
    *out = data;
    data = NULL;
done:
    if (packed) pl_file_unmap(&file);
    pl_data_free(data);
    return status;
}
