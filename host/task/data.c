#include "task/data.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/content.h"
#include "jinja/python.h"
#include "task/data_rows.h"

void pl_data_free(pl_data *data)
{
    if (!data) return;
    for (size_t i = 0; i < data->n; i++) json_decref(data->items[i]);
    free(data->items);
    free(data->lines);
    free(data->where);
    free(data->doc_hash);
    free(data);
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

pl_status pl__data_add(pl_data *data, size_t *capacity, json_t *item, bool wide, const char *where, size_t line)
{
    pl_status status;
    if (!wide && holds_nul(item)) {
        status = pl_fail(PL_E_INPUT, "%s:%zu: a text holds the character U+0000; remove it", where, line);
        goto failed;
    }
    size_t line_capacity = *capacity; /* both lists grow alike */
    PL_GOTO(status, failed, pl_grow(&data->lines, &line_capacity, data->n + 1));
    PL_GOTO(status, failed, pl_grow(&data->items, capacity, data->n + 1));
    data->lines[data->n] = line;
    data->items[data->n++] = item;
    return PL_OK;
failed:
    json_decref(item);
    return status;
}

/* ---- JSON lines ---- */

static bool is_blank(const char *line, size_t size)
{
    size_t i = 0;
    while (i < size && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r')) i++;
    return i == size;
}

#define ONE_A_LINE "expected JSON lines, an object {\"field\": value, ...} on each line"
#define CONVERT                                                                                                        \
    "convert it once: python3 -c 'import json, sys; [print(json.dumps(x)) for x in json.load(sys.stdin)]' < IN > "     \
    "OUT.jsonl"

/* Why the first line is no object: other ways of writing JSON that are met under the same name. */
static pl_status refuse_other_json(const char *text, size_t size, const char *where)
{
    size_t at = 0;
    while (at < size && text[at] && strchr(" \t\r\n", text[at])) at++;
    if (at < size && text[at] == '[') return pl_fail(PL_E_INPUT, "%s: a JSON array; " ONE_A_LINE "; " CONVERT, where);
    const char *newline = memchr(text + at, '\n', size - at);
    size_t rest = newline ? (size_t)(newline - text) : size;
    if (at < size && text[at] == '{' && is_blank(text + at + 1, rest - at - 1))
        return pl_fail(
            PL_E_INPUT,
            "%s: JSON that is spread over several lines; " ONE_A_LINE " (jq -c . IN > OUT.jsonl writes it so)", where);
    return PL_OK;
}

/* Old line ends would make one line of the whole file. */
static pl_status refuse_cr_alone(const char *text, size_t size, const char *where)
{
    const char *cr = memchr(text, '\r', size);
    if (!cr || cr + 1 == text + size || memchr(text, '\n', size)) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: its lines end with CR alone; convert them: tr '\\r' '\\n' < IN > OUT", where);
}

static pl_status parse_line(pl_data *data, size_t *capacity, const char *text, size_t size, const char *where,
                            size_t line)
{
    json_t *item;
    bool wide;
    if (size > PL__DATA_MAX_LINE)
        return pl_fail(PL_E_INPUT, "%s:%zu: a line of %zu bytes, expected at most %d", where, line, size,
                       PL__DATA_MAX_LINE);
    pl_status status = pl_json_parse_wide(&item, &wide, text, size, where, line);
    if (status == PL_E_INPUT) {
        while (size > 0 && is_blank(text + size - 1, 1)) size--;
        if (size > 1 && text[size - 1] == ',' && text[size - 2] == '}')
            return pl_fail(PL_E_INPUT, "%s:%zu: a comma behind the object; " ONE_A_LINE ", with nothing between them",
                           where, line);
    }
    PL_TRY(status);
    if (!json_is_object(item)) {
        json_decref(item);
        return pl_fail(PL_E_INPUT, "%s:%zu: expected a JSON object {\"field\": value, ...} on each line", where, line);
    }
    return pl__data_add(data, capacity, item, wide, where, line);
}

static pl_status parse_lines(pl_data *data, const char *text, size_t size, const char *where)
{
    size_t capacity = 0, line = 0, blank_line = 0;
    PL_TRY(refuse_other_json(text, size, where));
    for (size_t i = 0; i < size;) {
        const char *newline = memchr(text + i, '\n', size - i);
        size_t end = newline ? (size_t)(newline - text) : size, n = end - i;
        line++;
        if (is_blank(text + i, n)) {
            if (!blank_line) blank_line = line;
        } else if (blank_line)
            return pl_fail(PL_E_INPUT, "%s:%zu: a blank line before the end; expected an item on each line", where,
                           blank_line);
        else
            PL_TRY(parse_line(data, &capacity, text + i, n, where, line));
        i = newline ? end + 1 : size;
    }
    return PL_OK;
}

/* ---- all formats ---- */

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

static pl_status hash_items(pl_data *data)
{
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, pl_new(&data->doc_hash, data->n));
    for (size_t i = 0; i < data->n; i++) {
        pl_bytes_clear(&text);
        PL_GOTO(status, done, pl_python_json(&text, data->items[i]));
        pl_sha256(data->doc_hash[i], text.data, text.size);
        PL_GOTO(status, done, narrow(data->items[i]));
    }
done:
    pl_bytes_free(&text);
    return status;
}

static pl_status parse_format(pl_data *data, const char *text, size_t size, const char *format, const char *where)
{
    PL_TRY(pl_content_check(text, size, where));
    PL_TRY(refuse_cr_alone(text, size, where));
    if (strcmp(format, "jsonl") == 0) return parse_lines(data, text, size, where);
    if (strcmp(format, "csv") == 0) return pl__data_parse_csv(data, text, size, ',', where);
    if (strcmp(format, "tsv") == 0) return pl__data_parse_csv(data, text, size, '\t', where);
    return pl_fail(PL_E_INTERNAL, "%s: unknown data format '%s'", where, format);
}

pl_status pl_data_parse(pl_data **out, const char *text, size_t size, const char *format, const char *where)
{
    *out = NULL;
    pl_data *data = NULL;
    pl_status status;
    PL_TRY(pl_new(&data, 1));
    PL_GOTO(status, failed, pl_copy_text(&data->where, where));
    pl_sha256(data->sha256, text, size);
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* a byte-order mark */
        text += 3;
        size -= 3;
    }
    status = parse_format(data, text, size, format, where);
    if (status == PL_OK && data->n == 0) status = pl_fail(PL_E_INPUT, "%s: no items; expected at least one", where);
    PL_GOTO(status, failed, status);
    PL_GOTO(status, failed, hash_items(data));
    *out = data;
    return PL_OK;
failed:
    pl_data_free(data);
    return status;
}

static pl_status format_of(const char **out, const char *path)
{
    static const struct {
        const char *extension, *format;
    } table[] = {{".jsonl", "jsonl"}, {".json", "jsonl"}, {".csv", "csv"}, {".tsv", "tsv"}};
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    if (!dot) dot = "";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcasecmp(dot, table[i].extension) == 0) {
            *out = table[i].format;
            return PL_OK;
        }
    if (strcasecmp(dot, ".parquet") == 0)
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: Parquet is not read; convert it once: python3 -c 'import sys, pandas; "
                       "pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient=\"records\", lines=True, "
                       "force_ascii=False)' IN.parquet OUT.jsonl (experiments/data/README.md)",
                       path);
    return pl_fail(
        PL_E_UNSUPPORTED,
        "%s: unknown kind of data file '%s'; expected .jsonl, .csv or .tsv (experiments/data/README.md says how "
        "to convert)",
        path, dot);
}

pl_status pl_data_read(pl_data **out, const char *path, const char *sha256)
{
    *out = NULL;
    const char *format = "";
    pl_map map;
    PL_TRY(format_of(&format, path));
    PL_TRY(pl_file_map(&map, path));
    pl_status status = PL_OK;
    if (sha256) {
        char found[PL_SHA256_TEXT];
        pl_sha256(found, map.data, map.size);
        if (strcasecmp(found, sha256) != 0)
            status = pl_fail(PL_E_INPUT, "%s: expected SHA-256 %s, found %s; the file is another version", path, sha256,
                             found);
    }
    if (status == PL_OK) status = pl_data_parse(out, map.size ? (const char *)map.data : "", map.size, format, path);
    pl_file_unmap(&map);
    if (status != PL_OK) return status;
    char *whole = realpath(path, NULL);
    status = pl_path((*out)->path, "%s", whole ? whole : path);
    free(whole);
    return status;
}
