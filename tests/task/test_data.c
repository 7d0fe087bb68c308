/* Data files: what they give, the hash of an item against Python's (tests/golden/task/make_data.py), and every way in
 * which a file can be wrong. */
#include "tests.h"

#include <fcntl.h>
#include <pthread.h>

#include "base/digest.h"
#include "base/lines.h"
#include "base/real_text.h"
#include "task/data.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/task/"

/* A row's item, borrowed: rows that a test looks at are not closed before the end. */
static pl_row held[16];
static json_t *item(const pl_data *data, size_t index)
{
    static size_t n;
    pl_row *row = &held[n++ % (sizeof held / sizeof *held)];
    pl_row_close(row);
    OK(pl_row_open(row, data, index));
    return row->item;
}

static void close_data(pl_data *data)
{
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) pl_row_close(&held[i]);
    pl_data_free(data);
}

static void test_hashes_as_lm_eval_does(void **state)
{
    (void)state;
    pl_data *data;
    json_t *golden;
    assert_int_equal(pl_data_read(&data, GOLDEN "data.jsonl", NULL, NULL), PL_OK);
    assert_int_equal(pl_json_read(&golden, GOLDEN "data_hashes.json", 1 << 20), PL_OK);
    const json_t *hashes = json_object_get(golden, "doc_hash");
    assert_int_equal(data->n, json_array_size(hashes));
    for (size_t i = 0; i < data->n; i++) {
        char hash[PL_SHA256_TEXT];
        OK(pl_row_hash(hash, data, i));
        assert_string_equal(hash, json_string_value(json_array_get(hashes, i)));
    }
    /* What a template prints of an integer beyond 64 bits is its digits. */
    const json_t *wide = item(data, data->n - 2);
    assert_string_equal(json_string_value(json_object_get(wide, "unsigned")), "18446744073709551615");
    assert_string_equal(json_string_value(json_array_get(json_object_get(wide, "limit"), 0)),
                        "1000000000000000019884624838656");
    const json_t *reals = json_object_get(item(data, data->n - 1), "floats"), *texts = json_object_get(golden, "repr");
    assert_int_equal(json_array_size(reals), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(reals); i++) {
        char text[PL_REAL_TEXT];
        pl_real_text(text, json_real_value(json_array_get(reals, i)));
        assert_string_equal(text, json_string_value(json_array_get(texts, i)));
    }
    json_decref(golden);
    close_data(data);
}

/* A format, a text, and either the items as JSON or what the message must hold. */
typedef struct {
    const char *format, *text, *items, *message;
} parse_case;

static void check(const parse_case *c)
{
    pl_data *data;
    pl_status status = pl_data_parse(&data, c->text, strlen(c->text), c->format, NULL, "file");
    if (c->message) {
        /* What is wrong with a row may be said when it is asked for. */
        if (status == PL_OK && strcmp(c->format, "jsonl") == 0)
            for (size_t i = 0; i < data->n && status == PL_OK; i++) {
                pl_row row;
                status = pl_row_open(&row, data, i);
                pl_row_close(&row);
            }
        pl_data_free(data);
        if (status == PL_OK || !strstr(pl_error_text(), c->message))
            fail_msg("'%s' gives: %s", c->text, status == PL_OK ? "success" : pl_error_text());
        return;
    }
    if (status != PL_OK) fail_msg("'%s' gives: %s", c->text, pl_error_text());
    json_t *expected = json_loads(c->items, 0, NULL);
    assert_int_equal(data->n, json_array_size(expected));
    for (size_t i = 0; i < data->n; i++)
        if (!json_equal(item(data, i), json_array_get(expected, i))) fail_msg("'%s': item %zu", c->text, i);
    json_decref(expected);
    close_data(data);
}

static void test_json_lines(void **state)
{
    (void)state;
    static const parse_case cases[] = {
        {"jsonl", "{\"a\": 1}\n{\"a\": 2}", "[{\"a\":1},{\"a\":2}]", NULL},
        {"jsonl", "\xEF\xBB\xBF{\"a\": 1}\r\n{\"a\": 2}\r\n \n\n", "[{\"a\":1},{\"a\":2}]", NULL},
        {"jsonl", "{\"a\": \"\xc3\xa9\"}\n", "[{\"a\":\"\xc3\xa9\"}]", NULL},
        {"jsonl", "", NULL, "file: no items"},
        {"jsonl", "\n\n", NULL, "file: no items"},
        {"jsonl", "{\"a\": 1}\n\n{\"a\": 2}\n", NULL, "file:2: a blank line before the end"},
        {"jsonl", "{\"a\": 1}\n[1]\n", NULL, "file:2: expected a JSON object"},
        {"jsonl", "{\"a\": 1}\n{\"a\": }\n", NULL, "file:2:7: not valid JSON"},
        {"jsonl", "{\"a\": 1, \"a\": 2}\n", NULL, "duplicate"},
        {"jsonl", "{\"a\": \"\xff\"}\n", NULL, "file:1:"},
        {"jsonl", "{\"a\": [\"x\\u0000y\"]}\n", NULL, "file:1: a text holds the character U+0000"},
        {"jsonl", "{\"a\": 1} {\"a\": 2}\n", NULL, "file:1:"},
        {"jsonl", "{\"a\": 1e999}\n", NULL, "file:1:"},
        {"jsonl", "[{\"a\": 1},\n{\"a\": 2}]", "[{\"a\":1},{\"a\":2}]", NULL},
        {"jsonl", "\n [\n{\"a\": 2}]", "[{\"a\":2}]", NULL},
        {"jsonl", "{\n  \"a\": 1\n}\n", NULL, "file: JSON that is spread over several lines"},
        {"jsonl", "{\"a\": 1},\n{\"a\": 2}\n", NULL, "file:1: a comma behind the object"},
        {"jsonl", "{\"a\": 1}\r{\"a\": 2}\r", NULL, "file: its lines end with CR alone; convert them: tr"},
        {"csv", "a,b\r1,2\r", NULL, "file: its lines end with CR alone"},
        {"jsonl", "<!DOCTYPE html><html>\n", NULL, "file: a web page"},
        {"csv", "\n <HTML>\n<body>", NULL, "file: a web page"},
        {"csv", "\x1f\x8b\x08", NULL, "file: compressed (gzip)"},
        {"jsonl", "PK\x03\x04", NULL, "file: a zip archive"},
        {"jsonl", "PAR1\x15", NULL, "file: a Parquet file"},
        {"tsv",
         "\xff\xfe"
         "a",
         NULL, "file: UTF-16 text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
}

static void test_csv(void **state)
{
    (void)state;
    static const parse_case cases[] = {
        {"csv", "a,b\n1,x\n-2,y\n", "[{\"a\":1,\"b\":\"x\"},{\"a\":-2,\"b\":\"y\"}]", NULL},
        {"csv", "a,b\r\n01,x\r\n2,\"\"\r\n\r\n", "[{\"a\":\"01\",\"b\":\"x\"},{\"a\":\"2\",\"b\":\"\"}]", NULL},
        {"csv", "a\n\"x, \"\"y\"\"\nz\"\n", "[{\"a\":\"x, \\\"y\\\"\\nz\"}]", NULL},
        {"csv", "a,b\n1,\n2,", "[{\"a\":1,\"b\":\"\"},{\"a\":2,\"b\":\"\"}]", NULL},
        {"csv", "a\n9223372036854775807\n", "[{\"a\":9223372036854775807}]", NULL},
        {"csv", "a\n9223372036854775808\n", "[{\"a\":\"9223372036854775808\"}]", NULL},
        {"csv", "a\n1\n-0\n", "[{\"a\":\"1\"},{\"a\":\"-0\"}]", NULL},
        {"csv", "a\n1\n1.5\n", "[{\"a\":\"1\"},{\"a\":\"1.5\"}]", NULL},
        {"csv", "\xEF\xBB\xBF\"a\"\n x \n", "[{\"a\":\" x \"}]", NULL},
        {"tsv", "a\tb\n\"x\t1\ny\"z\t2\n", "[{\"a\":\"\\\"x\",\"b\":1},{\"a\":\"y\\\"z\",\"b\":2}]", NULL},
        {"csv", "", NULL, "file: no items"},
        {"csv", "a,b\n", NULL, "file: no items"},
        {"csv", "a,b\n1\n", NULL, "file:2: expected 2 fields as in the header line, found 1"},
        {"csv", "a,b\n1,2,3\n", NULL, "found 3"},
        {"csv", "a\n\"x\n\ny\"\n\nz\n", NULL, "file:5: a blank line before the end"},
        {"csv", "a\n\"x\n", NULL, "file:2: a field in quotes does not end"},
        {"csv", "a\n\"x\"y\n", NULL, "file:2: letters behind the closing quote"},
        {"csv", "a\nx\"y\n", NULL, "file:2: a quote inside a field without quotes"},
        {"csv", "a,a\n1,2\n", NULL, "two columns are called 'a'"},
        {"csv", "a,\n1,2\n", NULL, "column 2 has no name"},
        {"csv", "a\n\xff\n", NULL, "file:2: byte 0 of a field is not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
    pl_data *data;
    static const char nul[] = "a\nx\0y\n";
    assert_int_equal(pl_data_parse(&data, nul, sizeof nul - 1, "csv", NULL, "file"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "U+0000"));
}

static void same_row(const pl_data *a, const pl_data *b, size_t index)
{
    char x[PL_SHA256_TEXT], y[PL_SHA256_TEXT];
    pl_row row_a, row_b;
    OK(pl_row_open(&row_a, a, index));
    OK(pl_row_open(&row_b, b, index));
    OK(pl_row_hash(x, a, index));
    OK(pl_row_hash(y, b, index));
    if (!json_equal(row_a.item, row_b.item)) fail_msg("row %zu differs", index);
    assert_string_equal(x, y);
    pl_row_close(&row_a);
    pl_row_close(&row_b);
}

/* A column of 64 bits without a sign is made of integers, as pandas has it; beyond that, or with a sign, of texts. */
static void test_csv_integers_beyond_64_bits(void **state)
{
    (void)state;
    static const struct {
        const char *csv, *jsonl;
    } same[] = {
        {"a\n18446744073709551615\n1\n", "{\"a\":18446744073709551615}\n{\"a\":1}\n"},
        {"a\n-9223372036854775808\n", "{\"a\":-9223372036854775808}\n"},
        {"a\n18446744073709551615\n-1\n", "{\"a\":\"18446744073709551615\"}\n{\"a\":\"-1\"}\n"},
        {"a\n18446744073709551616\n", "{\"a\":\"18446744073709551616\"}\n"},
        {"a\n-9223372036854775809\n", "{\"a\":\"-9223372036854775809\"}\n"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        pl_data *a, *b;
        OK(pl_data_parse(&a, same[i].csv, strlen(same[i].csv), "csv", NULL, "file"));
        OK(pl_data_parse(&b, same[i].jsonl, strlen(same[i].jsonl), "jsonl", NULL, "file"));
        assert_int_equal(a->n, b->n);
        for (size_t k = 0; k < a->n; k++) {
            same_row(a, b, k);
        }
        pl_data_free(a);
        pl_data_free(b);
    }
}

/* A row of JSON lines that nothing asks for may be broken inside; a file that was cut off is seen at once. */
static void test_rows_that_are_used(void **state)
{
    (void)state;
    pl_data *data;
    pl_row row;
    static const char broken[] = "{\"a\": 1}\n{\"a\": 2 3}\n{\"a\": \"\xff\"}\r\n{\"a\": 4}";
    OK(pl_data_parse(&data, broken, strlen(broken), "jsonl", NULL, "file"));
    assert_int_equal(data->n, 4);
    REFUSED(pl_row_open(&row, data, 1), PL_E_INPUT, "file:2:9: not valid JSON");
    assert_null(row.item);
    REFUSED(pl_row_open(&row, data, 2), PL_E_INPUT, "file:3:");
    char hash[PL_SHA256_TEXT];
    REFUSED(pl_row_hash(hash, data, 1), PL_E_INPUT, "file:2:9: not valid JSON");
    assert_int_equal(json_integer_value(json_object_get(item(data, 3), "a")), 4);
    close_data(data);
    static const char cut[] = "{\"a\": 1}\n{\"a\": 2}\n{\"a\":";
    REFUSED(pl_data_parse(&data, cut, strlen(cut), "jsonl", NULL, "file"), PL_E_INPUT, "file:3:");
    assert_null(data);
}

static void test_lines_of_rows(void **state)
{
    (void)state;
    pl_data *data;
    static const char csv[] = "a,b\r\n\"x\n\r\ny\",1\r\nz,2\n\"\n\",3";
    static const size_t wanted[] = {2, 5, 6};
    OK(pl_data_parse(&data, csv, strlen(csv), "csv", NULL, "file"));
    assert_int_equal(data->n, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(pl_row_line(data, i), wanted[i]);
    assert_string_equal(json_string_value(json_object_get(item(data, 2), "a")), "\n");
    close_data(data);
}

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Rows of all lengths, with letters that mean something at every place: wherever the parts in which a file is read end,
 * CSV and JSON lines give the same rows. */
static void test_parts(void **state)
{
    (void)state;
    static const char *const letters[][2] = {{"a", "a"},       {"\n", "\\n"}, {"\r\n", "\\r\\n"},
                                             {"\"\"", "\\\""}, {",", ","},    {"\xc3\xa9", "\xc3\xa9"},
                                             {"\t", "\\t"},    {"{}", "{}"}};
    pl_bytes csv = {0}, jsonl = {0};
    uint64_t random = 1;
    OK(pl_bytes_text(&csv, "text,n\r\n"));
    for (size_t i = 0; csv.size < 5 * 1024 * 1024; i++) {
        size_t n = i % 1000 == 999 ? 700000 : next(&random) % 200;
        OK(pl_bytes_text(&csv, "\""));
        OK(pl_bytes_text(&jsonl, "{\"text\": \""));
        for (size_t k = 0; k < n; k++) {
            const char *const *letter = letters[next(&random) % 8];
            OK(pl_bytes_text(&csv, letter[0]));
            OK(pl_bytes_text(&jsonl, letter[1]));
        }
        OK(pl_bytes_format(&csv, "\",%zu%s", i, i % 2 ? "\r\n" : "\n"));
        OK(pl_bytes_format(&jsonl, "\", \"n\": %zu}%s", i, i % 2 ? "\r\n" : "\n"));
    }
    pl_data *a, *b;
    char sha256[PL_SHA256_TEXT];
    OK(pl_data_parse(&a, csv.data, csv.size, "csv", NULL, "a"));
    OK(pl_data_parse(&b, jsonl.data, jsonl.size, "jsonl", NULL, "b"));
    pl_sha256(sha256, csv.data, csv.size);
    assert_string_equal(sha256, a->sha256);
    assert_true(a->n > 3000);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) same_row(a, b, i);
    pl_data_free(a);
    pl_data_free(b);
    pl_bytes_free(&csv);
    pl_bytes_free(&jsonl);
}

/* The first part of a file, 1 MiB, ends at every letter of a row and of the one behind it. */
static void test_part_ends(void **state)
{
    (void)state;
    static const struct {
        const char *format, *head, *foot, *row;
    } cases[] = {{"csv", "a,b\r\n", ",x\r\n", "\"y\"\",\r\n\xc3\xa9\",\"z\"\r\n"},
                 {"tsv", "a\tb\r\n", "\tx\r\n", "y\xc3\xa9\t\"z\r\n"},
                 {"jsonl", "{\"a\":\"", "\"}\r\n", "{\"a\":\"\xc3\xa9\"}\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n_head = strlen(cases[i].head), n_foot = strlen(cases[i].foot), n = strlen(cases[i].row);
        pl_bytes text = {0}, tail = {0};
        pl_data *wanted, *data;
        OK(pl_bytes_format(&tail, "%s%s%s", cases[i].foot, cases[i].row, cases[i].row));
        OK(pl_bytes_format(&text, "%sx%s", cases[i].head, tail.data));
        OK(pl_data_parse(&wanted, text.data, text.size, cases[i].format, NULL, "file"));
        for (size_t before = 0; before <= 2 * n; before++) {
            pl_bytes_clear(&text);
            OK(pl_bytes_text(&text, cases[i].head));
            OK(pl_grow(&text.data, &text.capacity, (2u << 20)));
            memset(text.data + n_head, 'x', (1u << 20) - n_head - n_foot - before);
            text.size = (1u << 20) - n_foot - before;
            OK(pl_bytes_text(&text, tail.data));
            OK(pl_data_parse(&data, text.data, text.size, cases[i].format, NULL, "file"));
            assert_int_equal(data->n, 3);
            same_row(data, wanted, 1);
            same_row(data, wanted, 2);
            pl_data_free(data);
        }
        pl_data_free(wanted);
        pl_bytes_free(&text);
        pl_bytes_free(&tail);
    }
}

/* One line, of any format, as long as it may be and a byte longer. */
static void test_limit(void **state)
{
    (void)state;
    static const struct {
        const char *format, *head, *foot, *place;
    } cases[] = {{"jsonl", "{\"a\": 1}\n{\"a\": \"", "\"}", "file:2: "},
                 {"jsonl", "", "", "file:1: "},
                 {"csv", "a,b\n\"\n", "\",1", "file:2: "},
                 {"tsv", "a\n", "\n", "file:2: "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *head = cases[i].head, *newline = strchr(head, '\n');
        size_t before = newline ? (size_t)(newline + 1 - head) : 0, n_foot = strlen(cases[i].foot);
        size_t size = before + PL_LINE_MAX + 1 + (n_foot && cases[i].foot[n_foot - 1] == '\n');
        char *text = malloc(size);
        assert_non_null(text);
        memset(text, 'x', size);
        memcpy(text, head, strlen(head));
        memcpy(text + size - n_foot, cases[i].foot, n_foot);
        pl_data *data;
        REFUSED(pl_data_parse(&data, text, size, cases[i].format, NULL, "file"), PL_E_INPUT, cases[i].place);
        assert_non_null(
            strstr(pl_error_text(), "a line of 16777217 bytes or more, expected at most 16777216 (16 MiB)"));
        if (n_foot > 1) {
            memmove(text + size - n_foot - 1, text + size - n_foot, n_foot);
            OK(pl_data_parse(&data, text, size - 1, cases[i].format, NULL, "file"));
            item(data, data->n - 1);
            close_data(data);
        }
        free(text);
    }
}

/* A file that is written to while it is in use: its unchanged rows are what they were, the others are refused. */
static void test_changed_file(void **state)
{
    (void)state;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX + 64];
    pl_data *data;
    pl_row row;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/x.jsonl", folder);
    OK(pl_file_replace(path, "{\"a\": 1}\n{\"a\": 2}\n{\"a\": 3}\n", 27));
    OK(pl_data_read(&data, path, NULL, NULL));
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "7", 1, 15), 1);
    close(fd);
    assert_int_equal(json_integer_value(json_object_get(item(data, 2), "a")), 3);
    REFUSED(pl_row_open(&row, data, 1), PL_E_INPUT, "x.jsonl: row doc_id 1 is not what it was");
    close_data(data);
    remove_folder(folder);
}

enum { ROWS = 5000 };
static void *read_all(void *data)
{
    for (uint64_t i = 0, random = (uint64_t)pthread_self(); i < 4 * ROWS; i++) {
        pl_row row;
        size_t index = next(&random) % ROWS;
        if (pl_row_open(&row, data, index) != PL_OK) return "cannot read";
        if ((size_t)json_integer_value(json_object_get(row.item, "n")) != index) return "another row";
        pl_row_close(&row);
    }
    return NULL;
}

/* Several threads, and more rows than are kept. */
static void test_threads(void **state)
{
    (void)state;
    pl_bytes text = {0};
    pl_data *data;
    pthread_t threads[4];
    for (size_t i = 0; i < ROWS; i++) OK(pl_bytes_format(&text, "{\"n\": %zu}\n", i));
    OK(pl_data_parse(&data, text.data, text.size, "jsonl", NULL, "file"));
    for (size_t i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_all, data), 0);
    for (size_t i = 0; i < 4; i++) {
        void *message;
        pthread_join(threads[i], &message);
        if (message) fail_msg("%s", (const char *)message);
    }
    pl_data_free(data);
    pl_bytes_free(&text);
}

static void test_files(void **state)
{
    (void)state;
    pl_data *data;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX + 64];
    make_folder(folder);
    assert_int_equal(pl_data_read(&data, "/tmp/none.parquet", NULL, NULL), PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "read_parquet"));
    assert_int_equal(pl_data_read(&data, "/tmp/none.xls", NULL, NULL), PL_E_UNSUPPORTED);
    assert_int_equal(pl_data_read(&data, "/tmp/plumb/none/none.csv", NULL, NULL), PL_E_INPUT);
    snprintf(path, sizeof path, "%s/x.TSV", folder);
    assert_int_equal(pl_file_replace(path, "a\n1\n", 4), PL_OK);
    /* Some other digest, then the right one in upper case. */
    static const char other[] = "5D2FE1C2B8CA3E8E7EEBAD5A1E63BB5E6A7C9D4DD1F9B6E6E9BDF4E6A0D9A4B1";
    assert_int_equal(pl_data_read(&data, path, other, NULL), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "expected SHA-256"));
    char right[PL_SHA256_TEXT];
    pl_sha256(right, "a\n1\n", 4);
    for (char *c = right; *c; c++) *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
    assert_int_equal(pl_data_read(&data, path, right, NULL), PL_OK);
    assert_int_equal(data->n, 1);
    pl_data_free(data);
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n";
    OK(pl_file_replace(path, pointer, strlen(pointer)));
    REFUSED(pl_data_read(&data, path, NULL, NULL), PL_E_INPUT, "x.TSV: a Git LFS pointer");
    assert_int_equal(pl_file_replace(path, "", 0), PL_OK);
    assert_int_equal(pl_data_read(&data, path, NULL, NULL), PL_E_INPUT);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes_as_lm_eval_does),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_integers_beyond_64_bits),
        cmocka_unit_test(test_rows_that_are_used),
        cmocka_unit_test(test_lines_of_rows),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_part_ends),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_changed_file),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
