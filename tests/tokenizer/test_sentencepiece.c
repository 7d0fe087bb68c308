/* tokenizer.model against PyPI `sentencepiece` (tests/golden/tokenizers/make_pieces.py), files that are broken or
 * hostile, and what the files beside it add. */
#include "golden_tokenizer.h"

#include <dirent.h>

#include "tokenizer/open.h"

#define PIECES GOLDEN "/pieces"

static void same_text(const pl_tokenizer *t, const json_t *ids, const json_t *want, const char *name, size_t i)
{
    pl_ids given = {0};
    pl_bytes text = {0};
    golden_ids(&given, ids);
    OK(pl_tokenizer_decode(t, given.data, given.n, false, &text));
    golden_same_text(&text, want, name, i);
    pl_ids_free(&given);
    pl_bytes_free(&text);
}

static void check_style(const char *folder, const char *name, const json_t *texts)
{
    char path[PL_PATH_MAX];
    pl_tokenizer *t;
    OK(pl_path(path, "%s/expected.json", folder));
    json_t *expected = golden_json(path);
    const json_t *ids = json_object_get(expected, "ids"), *back = json_object_get(expected, "text"),
                 *drawn = json_object_get(expected, "drawn");
    OK(pl_tokenizer_open(&t, folder));
    assert_int_equal(json_array_size(ids), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);
        pl_ids got = {0}, want = {0};
        golden_ids(&want, json_array_get(ids, i));
        OK(pl_tokenizer_encode(t, json_string_value(text), json_string_length(text), true, &got));
        golden_same_ids(&got, &want, name, i);
        same_text(t, json_array_get(ids, i), json_array_get(back, i), name, i);
        pl_ids_free(&got);
        pl_ids_free(&want);
    }
    assert_true(json_array_size(drawn) > 50);
    for (size_t i = 0; i < json_array_size(drawn); i++) {
        const json_t *pair = json_array_get(drawn, i);
        same_text(t, json_array_get(pair, 0), json_array_get(pair, 1), name, i);
    }
    pl_tokenizer_free(t);
    json_decref(expected);
}

static void test_styles(void **state)
{
    (void)state;
    json_t *texts = golden_json(PIECES "/texts.json");
    DIR *folder = opendir(PIECES);
    size_t n = 0;
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        char style[PL_PATH_MAX];
        OK(pl_path(style, "%s/%s", PIECES, e->d_name));
        if (e->d_name[0] == '.' || !pl_folder_exists(style)) continue;
        check_style(style, e->d_name, texts);
        n++;
    }
    closedir(folder);
    json_decref(texts);
    assert_true(n >= 9);
}

static pl_status parse(pl_tokenizer **t, const char *data, size_t size, const char *config)
{
    pl__sources sources = {.sentencepiece = {"tokenizer.model", data, size},
                           .config = {"tokenizer_config.json", config, config ? strlen(config) : 0}};
    return pl__tokenizer_parse(t, &sources);
}

/* Every beginning of a file: most are refused, and what is not is a smaller model that works. */
static void test_truncated(void **state)
{
    (void)state;
    pl_bytes file = {0};
    OK(pl_file_read(&file, PIECES "/bpe/tokenizer.model", 1 << 24));
    size_t refused = 0;
    for (size_t size = 0; size < file.size; size += size < 600 ? 1 : 37) {
        pl_tokenizer *t;
        pl_bytes exact = {0};
        OK(pl_bytes_append(&exact, file.data, size));
        pl_status status = parse(&t, exact.data, exact.size, NULL);
        refused += status != PL_OK;
        assert_true(status == PL_OK || status == PL_E_INPUT);
        if (status == PL_OK) {
            pl_ids ids = {0};
            OK(pl_tokenizer_encode(t, "the night", 9, false, &ids));
            pl_ids_free(&ids);
        }
        pl_tokenizer_free(t);
        pl_bytes_free(&exact);
    }
    assert_true(refused > 500);
    pl_bytes_free(&file);
}

#define UNKNOWN "\x0A\x09\x0A\x05<unk>\x18\x02"
#define PIECE                                                                                                          \
    "\x0A\x08\x0A\x01"                                                                                                 \
    "a\x15\x00\x00\x80\xBF"
#define BPE        "\x12\x02\x18\x02"
#define WITH(text) text, sizeof text - 1

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t size;
        pl_status status;
        const char *message;
    } cases[] = {
        {WITH("\x0A"), PL_E_INPUT, "byte 1: a number that does not end"},
        {WITH("\x0A\x05"
              "ab"),
         PL_E_INPUT, "byte 0: a field that is longer than what is left"},
        {WITH("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), PL_E_INPUT, "longer than what is left"},
        {WITH("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"), PL_E_INPUT, "a number of more than 64 bits"},
        {WITH("\x0B"), PL_E_INPUT, "byte 0: a wire type that is not supported"},
        {WITH("\x02\x00"), PL_E_INPUT, "byte 0: a field number out of range"},
        {WITH("\x08\x01"), PL_E_INPUT, "field 1 before byte 2 has wire type 0, expected 2"},
        {WITH("\x0A\x03\x15\x00\x00"), PL_E_INPUT, "the end is inside a number"},
        {WITH("\x0A\x02\x18\x07"), PL_E_INPUT, "piece 0: type 7, expected 1 to 6"},
        {WITH("\x0A\x00"), PL_E_INPUT, "piece 0: expected a text, found an empty one"},
        {WITH("\x0A\x03\x0A\x01\xFF"), PL_E_INPUT, "piece 0: expected UTF-8 without a NUL"},
        {WITH("\x0A\x08\x0A\x01"
              "a\x15\x00\x00\xC0\x7F"),
         PL_E_INPUT, "piece 0: expected a finite score"},
        {WITH(PIECE PIECE UNKNOWN), PL_E_INPUT, "token 'a' is there twice"},
        {WITH(PIECE), PL_E_INPUT, "no piece is the unknown one"},
        {WITH(UNKNOWN "\x0A\x05\x0A\x01u\x18\x02"), PL_E_INPUT, "pieces 0 and 1 are both the unknown one"},
        {WITH(UNKNOWN PIECE "\x12\x02\x18\x04"), PL_E_UNSUPPORTED, "a model of characters (4) is not supported"},
        {WITH(UNKNOWN PIECE "\x12\x03\x98\x02\x01"), PL_E_INPUT, "0 pieces of type 6 (bytes) with byte_fallback true"},
        {WITH(UNKNOWN "\x0A\x0A\x0A\x06<0x41>\x18\x06"), PL_E_INPUT,
         "1 pieces of type 6 (bytes) with byte_fallback false"},
        {WITH(UNKNOWN PIECE "\x1A\x03\x12\x01x"), PL_E_INPUT, "a map of 1 bytes"},
        {WITH(UNKNOWN PIECE "\x2A\x03\x12\x01x"), PL_E_UNSUPPORTED, "a map in denormalizer_spec"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_tokenizer *t;
        REFUSED(parse(&t, cases[i].data, cases[i].size, NULL), cases[i].status, cases[i].message);
        assert_null(t);
    }
}

/* A trie whose offsets lead out of it, and values behind the texts: the walk ends there. */
static void test_hostile_map(void **state)
{
    (void)state;
    static const char maps[][17] = {"\x08\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFto", "\x04\0\0\0\0\0\0\0to to to",
                                    "\x08\0\0\0\x61\x01\0\0\x61\x01\0\0to"};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        pl__charsmap map;
        pl_bytes out = {0};
        const char *to;
        OK(pl__charsmap_read(&map, maps[i], 16, "here"));
        (void)pl__charsmap_longest(&map, "aaaa", 4, &to);
        OK(pl__charsmap_graphemes(&map, &out, "aaaa\xC3\xA9", 6, SIZE_MAX));
        pl_bytes_free(&out);
        pl__charsmap_free(&map);
    }
}

/* A map of one byte to the text at `value` of texts[0..size). */
static void make_map(pl_bytes *out, char byte, size_t value, const char *texts, size_t size)
{
    enum { UNITS = 512, VALUES = 256 }; /* a unit of a byte, and of its value */
    uint32_t units[1 + UNITS] = {4 * UNITS};
    units[1 + (uint8_t)byte] = (uint32_t)VALUES << 10 | 0x100 | (uint8_t)byte;
    units[1 + ((uint8_t)byte ^ VALUES)] = (uint32_t)value;
    OK(pl_bytes_append(out, units, sizeof units));
    OK(pl_bytes_append(out, texts, size));
}

/* The field of a message that holds `data`. */
static void put_field(pl_bytes *out, char tag, const pl_bytes *data)
{
    const char head[] = {tag, (char)(data->size | 0x80), (char)(data->size >> 7)};
    assert_true(data->size < 1 << 14);
    OK(pl_bytes_append(out, head, sizeof head));
    OK(pl_bytes_append(out, data->data, data->size));
}

static pl_status encode_with(const pl_bytes *map, const char *text, pl_ids *ids)
{
    pl_bytes spec = {0}, file = {0};
    pl_tokenizer *t;
    put_field(&spec, 0x12, map);
    OK(pl_bytes_append(&file, WITH(UNKNOWN PIECE)));
    put_field(&file, 0x1A, &spec);
    pl_status status = parse(&t, file.data, file.size, NULL);
    if (status == PL_OK) status = pl_tokenizer_encode(t, text, strlen(text), false, ids);
    pl_tokenizer_free(t);
    pl_bytes_free(&spec);
    pl_bytes_free(&file);
    return status;
}

/* Texts that are no UTF-8, values and keys inside a character: what comes out would be walked past its end. */
static void test_broken_characters(void **state)
{
    (void)state;
    static const struct {
        char byte;
        size_t value;
        const char *texts, *input;
        bool refused;
        int32_t id; /* of the last piece: 0 is the unknown one, 1 is "a" */
    } cases[] = {
        {'z', 0, "\xF0", "z", true, 0},         {'z', 0, "a\0\xC3", "z", true, 0},
        {'z', 2, "\xC3\xA9", "z", false, 0},    {'z', 1, "\xC3\xA9", "z", false, 0},
        {'\xC3', 0, "a", "\xC3\xA9", false, 0}, {'z', 0, "a", "z", false, 1},
    };
    const size_t sizes[] = {1, 3, 2, 2, 1, 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_bytes map = {0};
        pl_ids ids = {0};
        make_map(&map, cases[i].byte, cases[i].value, cases[i].texts, sizes[i]);
        if (cases[i].refused) {
            REFUSED(encode_with(&map, cases[i].input, &ids), PL_E_INPUT, "of its texts is not UTF-8");
        } else {
            OK(encode_with(&map, cases[i].input, &ids));
            assert_true(ids.n > 0);
            assert_int_equal(ids.data[ids.n - 1], cases[i].id);
        }
        pl_ids_free(&ids);
        pl_bytes_free(&map);
    }
}

static void check_unmapped(const pl_bytes *bytes, const char *text)
{
    pl__charsmap map;
    pl_bytes out = {0};
    const char *to;
    OK(pl__charsmap_read(&map, bytes->data, bytes->size, "here"));
    assert_int_equal(pl__charsmap_longest(&map, text, strlen(text), &to), 0);
    OK(pl__charsmap_graphemes(&map, &out, text, strlen(text), SIZE_MAX));
    assert_int_equal(out.size, strlen(text));
    assert_memory_equal(out.data, text, out.size);
    pl_bytes_free(&out);
    pl__charsmap_free(&map);
}

/* Such a key or value is as good as none, and a map that makes much of little ends at the limit. */
static void test_map_limits(void **state)
{
    (void)state;
    enum { LONG = 1000, MOST = 5000 };
    static char texts[LONG + 1], text[LONG + 1];
    pl_bytes bytes = {0}, out = {0};
    make_map(&bytes, '\xC3', 0, "a", 1);
    check_unmapped(&bytes, "\xC3\xA9");
    pl_bytes_clear(&bytes);
    make_map(&bytes, 'z', 1, "\xC3\xA9", 2);
    check_unmapped(&bytes, "z");
    pl_bytes_clear(&bytes);
    memset(texts, 'a', LONG);
    memset(text, 'z', LONG);
    make_map(&bytes, 'z', 0, texts, LONG);
    pl__charsmap map;
    OK(pl__charsmap_read(&map, bytes.data, bytes.size, "here"));
    OK(pl__charsmap_graphemes(&map, &out, text, LONG, MOST));
    assert_int_equal(out.size, MOST + LONG);
    pl_bytes_clear(&out);
    for (size_t at = 1; at + 1 < LONG; at += 2) memcpy(text + at, "\xCC\x81", 2); /* z and marks: one long grapheme */
    OK(pl__charsmap_graphemes(&map, &out, text, LONG - 1, 0));
    assert_int_equal(out.size, LONG);
    pl_bytes_free(&out);
    pl_bytes_free(&bytes);
    pl__charsmap_free(&map);
}

static void expect_ids(const char *config, const char *text, bool special, const int32_t *want, size_t n)
{
    pl_tokenizer *t;
    pl_ids ids = {0}, wanted = {0};
    OK(parse(&t, WITH(UNKNOWN PIECE BPE), config));
    OK(pl_tokenizer_encode(t, text, strlen(text), special, &ids));
    OK(pl_ids_append(&wanted, want, n));
    golden_same_ids(&ids, &wanted, text, 0);
    pl_ids_free(&ids);
    pl_ids_free(&wanted);
    pl_tokenizer_free(t);
}

/* bos in front where tokenizer_config.json says so, and added tokens that the pieces lack: of a lone file, none. */
static void test_beside(void **state)
{
    (void)state;
    static const char config[] = "{\"bos_token\": \"<x>\", \"add_bos_token\": true, \"added_tokens_decoder\": "
                                 "{\"2\": {\"content\": \"<x>\", \"special\": true}}}";
    const int32_t plain[] = {0, 1}, with[] = {2, 0, 1, 2, 0, 1}, without[] = {0, 1, 2, 0, 1};
    expect_ids(NULL, "a", true, plain, 2);
    expect_ids(config, "a<x>a", true, with, 6);
    expect_ids(config, "a<x>a", false, without, 5);
    pl_tokenizer *t;
    pl_bytes text = {0};
    const int32_t ids[] = {1, 2, 1};
    OK(parse(&t, WITH(UNKNOWN PIECE BPE), config));
    assert_string_equal(pl_tokenizer_kind(t), "SentencePiece BPE, 3 tokens");
    OK(pl_tokenizer_decode(t, ids, 3, false, &text));
    assert_string_equal(text.data, "a<x>a");
    pl_bytes_clear(&text);
    OK(pl_tokenizer_decode(t, ids, 3, true, &text));
    assert_string_equal(text.data, "aa");
    pl_bytes_free(&text);
    pl_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_styles),      cmocka_unit_test(test_truncated),         cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_hostile_map), cmocka_unit_test(test_broken_characters), cmocka_unit_test(test_map_limits),
        cmocka_unit_test(test_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
