/* Data files: what they give, the hash of an item against Python's (tests/golden/task/make_data.py), and every way in
 * which a file can be wrong. */
#include "tests.h"

#include "base/digest.h"
#include "base/real_text.h"
#include "task/data.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/task/"

static void test_hashes_as_lm_eval_does(void **state)
{
    (void)state;
    pl_data *data;
    json_t *golden;
    assert_int_equal(pl_data_read(&data, GOLDEN "data.jsonl", NULL), PL_OK);
    assert_int_equal(pl_json_read(&golden, GOLDEN "data_hashes.json", 1 << 20), PL_OK);
    const json_t *hashes = json_object_get(golden, "doc_hash");
    assert_int_equal(data->n, json_array_size(hashes));
    for (size_t i = 0; i < data->n; i++)
        assert_string_equal(data->doc_hash[i], json_string_value(json_array_get(hashes, i)));
    /* What a template prints of an integer beyond 64 bits is its digits. */
    const json_t *wide = data->items[data->n - 2];
    assert_string_equal(json_string_value(json_object_get(wide, "unsigned")), "18446744073709551615");
    assert_string_equal(json_string_value(json_array_get(json_object_get(wide, "limit"), 0)),
                        "1000000000000000019884624838656");
    const json_t *reals = json_object_get(data->items[data->n - 1], "floats"), *texts = json_object_get(golden, "repr");
    assert_int_equal(json_array_size(reals), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(reals); i++) {
        char text[PL_REAL_TEXT];
        pl_real_text(text, json_real_value(json_array_get(reals, i)));
        assert_string_equal(text, json_string_value(json_array_get(texts, i)));
    }
    json_decref(golden);
    pl_data_free(data);
}

/* A format, a text, and either the items as JSON or what the message must hold. */
typedef struct {
    const char *format, *text, *items, *message;
} parse_case;

static void check(const parse_case *c)
{
    pl_data *data;
    pl_status status = pl_data_parse(&data, c->text, strlen(c->text), c->format, "file");
    if (c->message) {
        assert_null(data);
        if (status == PL_OK || !strstr(pl_error_text(), c->message))
            fail_msg("'%s' gives: %s", c->text, status == PL_OK ? "success" : pl_error_text());
        return;
    }
    if (status != PL_OK) fail_msg("'%s' gives: %s", c->text, pl_error_text());
    json_t *expected = json_loads(c->items, 0, NULL);
    assert_int_equal(data->n, json_array_size(expected));
    for (size_t i = 0; i < data->n; i++)
        if (!json_equal(data->items[i], json_array_get(expected, i))) fail_msg("'%s': item %zu", c->text, i);
    json_decref(expected);
    pl_data_free(data);
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
        {"jsonl", "[{\"a\": 1},\n{\"a\": 2}]", NULL, "file: a JSON array; expected JSON lines"},
        {"jsonl", "\n [\n{\"a\": 2}]", NULL, "file: a JSON array; expected JSON lines"},
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
    assert_int_equal(pl_data_parse(&data, nul, sizeof nul - 1, "csv", "file"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "U+0000"));
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
        OK(pl_data_parse(&a, same[i].csv, strlen(same[i].csv), "csv", "file"));
        OK(pl_data_parse(&b, same[i].jsonl, strlen(same[i].jsonl), "jsonl", "file"));
        assert_int_equal(a->n, b->n);
        for (size_t k = 0; k < a->n; k++) {
            assert_string_equal(a->doc_hash[k], b->doc_hash[k]);
            assert_true(json_equal(a->items[k], b->items[k]));
        }
        pl_data_free(a);
        pl_data_free(b);
    }
}

static void test_files(void **state)
{
    (void)state;
    pl_data *data;
    char folder[PL_PATH_MAX], path[PL_PATH_MAX + 64];
    make_folder(folder);
    assert_int_equal(pl_data_read(&data, "/tmp/none.parquet", NULL), PL_E_UNSUPPORTED);
    assert_non_null(strstr(pl_error_text(), "read_parquet"));
    assert_int_equal(pl_data_read(&data, "/tmp/none.xls", NULL), PL_E_UNSUPPORTED);
    assert_int_equal(pl_data_read(&data, "/tmp/plumb/none/none.csv", NULL), PL_E_INPUT);
    snprintf(path, sizeof path, "%s/x.TSV", folder);
    assert_int_equal(pl_file_replace(path, "a\n1\n", 4), PL_OK);
    /* Some other digest, then the right one in upper case. */
    static const char other[] = "5D2FE1C2B8CA3E8E7EEBAD5A1E63BB5E6A7C9D4DD1F9B6E6E9BDF4E6A0D9A4B1";
    assert_int_equal(pl_data_read(&data, path, other), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "expected SHA-256"));
    char right[PL_SHA256_TEXT];
    pl_sha256(right, "a\n1\n", 4);
    for (char *c = right; *c; c++) *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
    assert_int_equal(pl_data_read(&data, path, right), PL_OK);
    assert_int_equal(data->n, 1);
    pl_data_free(data);
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n";
    OK(pl_file_replace(path, pointer, strlen(pointer)));
    REFUSED(pl_data_read(&data, path, NULL), PL_E_INPUT, "x.TSV: a Git LFS pointer");
    assert_int_equal(pl_file_replace(path, "", 0), PL_OK);
    assert_int_equal(pl_data_read(&data, path, NULL), PL_E_INPUT);
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
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
