/* Data files by their builder's name are what Hugging Face's datasets reads (tests/golden/task/make_data_files.py);
 * lists in JSON piece by piece, gzip files, several files as one set; and what is wrong with each, with its place. */
#include "tests.h"

#include <zlib.h>

#include "base/gunzip.h"
#include "base/lines.h"
#include "jinja/python.h"
#include "task/task_parts.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/task/data_files.json"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The case's arguments as a task file has them. */
static void read_form(pl_data_form *out, pl_yaml **doc, pl_arena *arena, const json_t *c)
{
    char *arguments = json_dumps(json_object_get(c, "arguments"), 0);
    OK(pl_yaml_parse(doc, arguments, strlen(arguments), "arguments"));
    OK(pl__task_form_read(out, pl_yaml_root(*doc), text_of(c, "builder"), arena));
    free(arguments);
}

/* A row's hash is over its text as Python writes it: the order of the fields and every digit count. */
static bool same_row(const pl_data *data, size_t index, const json_t *expected)
{
    char found[PL_SHA256_TEXT], wanted[PL_SHA256_TEXT];
    pl_bytes text = {0};
    OK(pl_row_hash(found, data, index));
    OK(pl_python_json(&text, expected));
    pl_sha256(wanted, text.data, text.size);
    pl_bytes_free(&text);
    return strcmp(found, wanted) == 0;
}

static pl_status open_every_row(const pl_data *data)
{
    pl_status status = PL_OK;
    for (size_t i = 0; i < data->n && status == PL_OK; i++) {
        pl_row row;
        status = pl_row_open(&row, data, i);
        pl_row_close(&row);
    }
    return status;
}

static void check(const json_t *c)
{
    const json_t *rows = json_object_get(c, "rows");
    const char *text = text_of(c, "text");
    pl_data_form form;
    pl_yaml *doc;
    pl_arena *arena;
    pl_data *data;
    OK(pl_arena_create(&arena));
    read_form(&form, &doc, arena, c);
    pl_status status = pl_data_parse(&data, text, strlen(text), "text", &form, "file");
    if (status == PL_OK) status = open_every_row(data);
    bool wanted = json_array_size(rows) > 0 && !json_object_get(c, "refused"); /* no rows are an error here */
    if ((status == PL_OK) != wanted) fail_msg("'%s' gives: %s", text, status == PL_OK ? "success" : pl_error_text());
    if (wanted && data->n != json_array_size(rows)) fail_msg("'%s': %zu rows", text, data->n);
    for (size_t i = 0; wanted && i < data->n; i++)
        if (!same_row(data, i, json_array_get(rows, i))) {
            pl_row row;
            OK(pl_row_open(&row, data, i));
            fail_msg("'%s': row %zu is %s, expected %s", text, i, json_dumps(row.item, 0),
                     json_dumps(json_array_get(rows, i), 0));
        }
    pl_data_free(data);
    pl_yaml_free(doc);
    pl_arena_free(arena);
}

static void test_as_datasets_reads_them(void **state)
{
    (void)state;
    pl_bytes text;
    json_t *cases;
    bool wide;
    OK(pl_file_read(&text, GOLDEN, 1 << 24));
    OK(pl_json_parse_wide(&cases, &wide, text.data, text.size, GOLDEN, 1));
    assert_true(json_array_size(cases) > 200);
    for (size_t i = 0; i < json_array_size(cases); i++) check(json_array_get(cases, i));
    json_decref(cases);
    pl_bytes_free(&text);
}

/* What is wrong, and where. */
static void test_mistakes_have_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        pl_data_form form;
    } cases[] = {
        {"[{\"a\": 1},\n{\"a\": 2]\n", "file:3: the file ends within its list", {0}},
        {"[{\"a\": 1},\n\n{\"a\": 2 3}]\n", "file:3:9: not valid JSON", {0}},
        {"[{\"a\": 1},\n {\"a\": \"x\\u0000\"}]\n", "file:2: a text holds the character U+0000", {0}},
        {"[{\"a\": 1},\n7]\n", "file:2: byte 0 of the row: expected an object {\"field\": value, ...}, or a text", {0}},
        {"[{\"a\": 1}\n{\"a\": 2}]\n", "file:2: byte 9 of the row: expected ',' or ']'", {0}},
        {"[{\"a\": 1},\n]\n", "file:2: byte 0 of the row: expected an element behind the comma", {0}},
        {"[{\"a\": 1}]\n\n{", "file:3: byte 0 of the row: expected nothing behind the end", {0}},
        {"[{\"a\": 1},", "file: the file ends within its list", {0}},
        {"[", "file: the file ends within its list", {0}},
        {"\n\n", "file: no items", {0}},
        {"\n{\"a\": 1}\n", "file:1: a blank line before the end", {0}},
        {"[1]", "expected an object, of which the field", {.field = "data"}},
        {"{\"x\": [1]}", "file: the object has no member 'data'", {.field = "data"}},
        {"{\"x\": [1],\n \"data\": 5}", "file:2: byte", {.field = "data"}},
        {"{\"data\": [{\"a\": 1}]", "file: the file ends within its list", {.field = "data"}},
        {"{\"data\" [{\"a\": 1}]}", "expected ':' behind a member's name", {.field = "data"}},
        {"{data: [{\"a\": 1}]}", "expected a member's name in quotes", {.field = "data"}},
        {"{\"a\": 1}\n",
         "file: sep, quotechar, quoting, skiprows, header and names are arguments of CSV",
         {.header = 1}},
        {"a,b\n1,2,3\n", "file:2: expected 2 fields as in the header line, found 3", {.format = "csv"}},
        {"a,b\n1,inf\n2,3\n4,-inf\n", "file:2: field 2 is no finite number", {.format = "csv"}},
        {"a,b\n\n1,x\ry\n", "file:3: a carriage return alone", {.format = "csv"}},
        {"a,b\n\"1\n\n,2\n", "file:2: a field in quotes does not end", {.format = "csv"}},
        {"n\na,a\n1,2\n", "file:2: two columns are called 'a'", {.format = "csv", .skip_rows = 1}},
        {"a\nx\n", "file: field is an argument of JSON", {.format = "csv", .field = "a"}},
        {"a\n\nx\xff\n", "file:3: byte 1 of a field is not valid UTF-8", {.format = "csv"}},
        {"a\r\rx\xff\n", "byte 1 of the line is not valid UTF-8", {.format = "text"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_data *data;
        pl_status status = pl_data_parse(&data, cases[i].text, strlen(cases[i].text), "jsonl", &cases[i].form, "file");
        if (status == PL_OK) status = open_every_row(data);
        if (status != PL_E_INPUT || !strstr(pl_error_text(), cases[i].message))
            fail_msg("'%s' gives: %s", cases[i].text, status == PL_OK ? "success" : pl_error_text());
        pl_data_free(data);
    }
}

/* Lists whose elements, and what stands between them, cross the ends of the parts in which a file is read. */
static void test_lists_in_parts(void **state)
{
    (void)state;
    pl_bytes text = {0};
    pl_data_form form = {.field = "data"};
    pl_data *list, *object;
    OK(pl_bytes_text(&text, "{\"skipped\": {\"data\": [\"}\", "));
    for (size_t i = 0; text.size < 3 << 20; i++) OK(pl_bytes_format(&text, "%zu, ", i));
    OK(pl_bytes_text(&text, "null]},\n\"data\": "));
    size_t from = text.size, n = 0;
    for (; text.size < 8 << 20; n++) {
        OK(pl_bytes_format(&text, "%s{\"n\": %zu, \"t\": \"", n ? "\n , " : "[ ", n));
        for (size_t k = 0; k < n % 1000 * 7; k++) OK(pl_bytes_text(&text, k % 3 ? "}" : "\\\"]"));
        OK(pl_bytes_text(&text, "\"}"));
    }
    OK(pl_bytes_text(&text, "\n]"));
    OK(pl_data_parse(&list, text.data + from, text.size - from, "jsonl", NULL, "list"));
    OK(pl_bytes_text(&text, ", \"more\": [[1], {}] }\n"));
    OK(pl_data_parse(&object, text.data, text.size, "jsonl", &form, "object"));
    assert_int_equal(list->n, n);
    assert_int_equal(object->n, n);
    for (size_t i = 0; i < n; i += 97) {
        pl_row a, b;
        OK(pl_row_open(&a, list, i));
        OK(pl_row_open(&b, object, i));
        assert_int_equal(json_integer_value(json_object_get(a.item, "n")), i);
        assert_true(json_equal(a.item, b.item));
        assert_int_equal(pl_row_line(list, i), i + 1);
        assert_int_equal(pl_row_line(object, i), i + 2);
        pl_row_close(&a);
        pl_row_close(&b);
    }
    assert_string_not_equal(list->sha256, object->sha256);
    pl_data_free(list);
    pl_data_free(object);
    pl_bytes_free(&text);
}

/* ---- gzip ---- */

static void pack(pl_bytes *out, const void *text, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t most = deflateBound(&z, size);
    char *made = malloc(most);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)made;
    z.avail_out = (uInt)most;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    OK(pl_bytes_append(out, made, most - z.avail_out));
    deflateEnd(&z);
    free(made);
}

static void test_gunzip(void **state)
{
    (void)state;
    pl_bytes packed = {0}, damaged = {0};
    pl_map map;
    static const char text[] = "{\"a\": 1}\n{\"a\": 2}\n";
    pack(&packed, text, 9);
    pack(&packed, text + 9, 9); /* a second member */
    OK(pl_gunzip(&map, packed.data, packed.size, "x.gz"));
    assert_int_equal(map.size, 18);
    assert_memory_equal(map.data, text, 18);
    pl_file_unmap(&map);
    OK(pl_bytes_append(&packed, "\0\0\0", 3));
    OK(pl_gunzip(&map, packed.data, packed.size, "x.gz"));
    assert_int_equal(map.size, 18);
    pl_file_unmap(&map);
    for (size_t size = 2; size < packed.size - 3; size++) { /* whole members are whole files */
        pl_status status = pl_gunzip(&map, packed.data, size, "x.gz");
        if (status != PL_OK && strstr(pl_error_text(), "x.gz: ends within its gzip data")) continue;
        if (status != PL_OK && strstr(pl_error_text(), "other bytes behind the gzip data")) continue;
        assert_int_equal(status, PL_OK);
        assert_int_equal(map.size, 9);
        pl_file_unmap(&map);
    }
    OK(pl_bytes_append(&packed, "x", 1));
    REFUSED(pl_gunzip(&map, packed.data, packed.size, "x.gz"), PL_E_INPUT, "other bytes behind the gzip data");
    pack(&damaged, text, 18);
    damaged.data[damaged.size - 6] ^= 1; /* its check */
    REFUSED(pl_gunzip(&map, damaged.data, damaged.size, "x.gz"), PL_E_INPUT, "damaged gzip data");
    pl_bytes_free(&packed);
    pl_bytes_free(&damaged);
}

/* A hundred kilobytes that unpack to more than they may: it is stopped at the bound, not at the end. */
static void test_gunzip_is_bounded(void **state)
{
    (void)state;
    enum { SIZE = PL_GUNZIP_FREE_BYTES + 1 };
    pl_bytes packed = {0};
    pl_map map;
    char *zeros = calloc(SIZE, 1);
    pack(&packed, zeros, SIZE - 1);
    assert_true(packed.size < 1 << 18);
    OK(pl_gunzip(&map, packed.data, packed.size, "x.gz"));
    pl_file_unmap(&map);
    pl_bytes_clear(&packed);
    pack(&packed, zeros, SIZE);
    REFUSED(pl_gunzip(&map, packed.data, packed.size, "x.gz"), PL_E_INPUT, "x.gz: unpacks to more than 67108864 bytes");
    assert_null(map.data);
    free(zeros);
    pl_bytes_free(&packed);
}

/* A packed file has the rows, the lines and the digest of what it holds; its own digest is right too. */
static void test_packed_files(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": 1}\n{\"a\": }\n";
    char folder[PL_PATH_MAX], path[PL_PATH_MAX + 16], own[PL_SHA256_TEXT], content[PL_SHA256_TEXT];
    pl_bytes packed = {0};
    pl_data *data;
    pl_row row;
    make_folder(folder);
    pack(&packed, text, sizeof text - 1);
    pl_sha256(own, packed.data, packed.size);
    pl_sha256(content, text, sizeof text - 1);
    static const char *const names[] = {"x.jsonl.gz", "x.json.GZ", "x.jsonl"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        OK(pl_file_replace(path, packed.data, packed.size));
        OK(pl_data_read(&data, path, i ? own : content, NULL));
        assert_int_equal(data->n, 2);
        assert_string_equal(data->file_sha256, content);
        OK(pl_row_open(&row, data, 0));
        pl_row_close(&row);
        REFUSED(pl_row_open(&row, data, 1), PL_E_INPUT, ":2:7: not valid JSON");
        pl_data_free(data);
    }
    own[0] ^= 1;
    REFUSED(pl_data_read(&data, path, own, NULL), PL_E_INPUT, "expected SHA-256");
    OK(pl_file_replace(path, packed.data, packed.size - 9));
    REFUSED(pl_data_read(&data, path, NULL, NULL), PL_E_INPUT, "x.jsonl: ends within its gzip data");
    pl_bytes_free(&packed);
    remove_folder(folder);
}

/* A column's kind is known by all its values: beside a text, inf is a text, whichever comes first. */
static void test_infinite_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"a\ninf\nabc\n", "a\nabc\ninf\n"};
    const pl_data_form form = {.format = "csv"};
    for (size_t i = 0; i < 2; i++) {
        pl_data *data;
        pl_row row;
        OK(pl_data_parse(&data, texts[i], strlen(texts[i]), "csv", &form, "file"));
        OK(pl_row_open(&row, data, i));
        assert_string_equal(json_string_value(json_object_get(row.item, "a")), "inf");
        pl_row_close(&row);
        pl_data_free(data);
    }
}

static void test_several_files(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"n\": 0}\n{\"n\": 1}\n", "{\"n\": 2}\n",
                                        "{\"n\": 3}\n{\"n\": 4}\n{\"n\": 5 6}\n"};
    char folder[PL_PATH_MAX], paths[3][PL_PATH_MAX + 16];
    const char *list[3];
    pl_data *data, *other;
    pl_row row;
    make_folder(folder);
    for (size_t i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%zu.jsonl", folder, i);
        OK(pl_file_replace(paths[i], texts[i], strlen(texts[i])));
        list[i] = paths[i];
    }
    OK(pl_data_read_all(&data, list, NULL, 3, NULL));
    assert_int_equal(data->n, 6);
    for (size_t i = 0; i < 5; i++) {
        OK(pl_row_open(&row, data, i));
        assert_int_equal(json_integer_value(json_object_get(row.item, "n")), i);
        assert_ptr_equal(row.data, data);
        assert_int_equal(row.index, i);
        pl_row_close(&row);
    }
    REFUSED(pl_row_open(&row, data, 5), PL_E_INPUT, "2.jsonl:3:9: not valid JSON");
    assert_string_equal(pl_row_file(data, 2), paths[1]);
    assert_int_equal(pl_row_line(data, 4), 2);
    OK(pl_data_read_all(&other, list, NULL, 2, NULL));
    assert_string_not_equal(other->sha256, data->sha256);
    pl_data_free(other);
    const char *digests[] = {NULL, data->parts[0]->file_sha256, NULL};
    REFUSED(pl_data_read_all(&other, list, digests, 3, NULL), PL_E_INPUT, "1.jsonl: expected SHA-256");
    pl_data_free(data);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_datasets_reads_them), cmocka_unit_test(test_mistakes_have_a_place),
        cmocka_unit_test(test_lists_in_parts),         cmocka_unit_test(test_gunzip),
        cmocka_unit_test(test_gunzip_is_bounded),      cmocka_unit_test(test_packed_files),
        cmocka_unit_test(test_infinite_texts),         cmocka_unit_test(test_several_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
