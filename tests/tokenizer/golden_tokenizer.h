/* Golden values of tokenizers (tests/golden/tokenizers, see generate.py there): reading them and checking a tokenizer.
 */
#ifndef PLUMB_TESTS_GOLDEN_TOKENIZER_H
#define PLUMB_TESTS_GOLDEN_TOKENIZER_H

#include "tests.h"

#include "base/json.h"
#include "tokenizer/tokenizer.h"

#define GOLDEN PLUMB_SOURCE_DIR "/tests/golden/tokenizers"

static inline json_t *golden_json(const char *path)
{
    json_t *value;
    if (pl_json_read(&value, path, 1 << 24) != PL_OK) fail_msg("%s", pl_error_text());
    return value;
}

/* Appends a list of integers. */
static inline void golden_ids(pl_ids *ids, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        int32_t id = (int32_t)json_integer_value(json_array_get(list, i));
        assert_int_equal(pl_ids_append(ids, &id, 1), PL_OK);
    }
}

static inline void golden_same_ids(const pl_ids *got, const pl_ids *want, const char *name, size_t text)
{
    size_t n = got->n < want->n ? got->n : want->n;
    for (size_t i = 0; i < n; i++)
        if (got->data[i] != want->data[i])
            fail_msg("%s, text %zu: id %zu is %d, expected %d", name, text, i, got->data[i], want->data[i]);
    if (got->n != want->n) fail_msg("%s, text %zu: %zu ids, expected %zu", name, text, got->n, want->n);
}

static inline void golden_same_text(const pl_bytes *got, const json_t *want, const char *name, size_t text)
{
    size_t size = json_string_length(want);
    if (got->size != size || (size && memcmp(got->data, json_string_value(want), size) != 0))
        fail_msg("%s, text %zu: decoded '%s', expected '%s'", name, text, got->data, json_string_value(want));
}

/* Ids with and without special tokens, and both decodings, of one text. */
static inline void golden_text(const pl_tokenizer *t, const json_t *texts, const json_t *expected, size_t i,
                               const char *name)
{
    const json_t *text = json_array_get(texts, i), *ends = json_object_get(expected, "special");
    char key[32];
    snprintf(key, sizeof key, "%zu", i);
    pl_ids want = {0}, want_special = {0}, got = {0}, special = {0};
    pl_bytes decoded = {0}, skipped = {0};
    golden_ids(&want, json_array_get(json_object_get(expected, "ids"), i));
    golden_ids(&want_special, json_array_get(ends, 0));
    golden_ids(&want_special, json_array_get(json_object_get(expected, "ids"), i));
    golden_ids(&want_special, json_array_get(ends, 1));
    const char *bytes = json_string_value(text);
    size_t size = json_string_length(text);
    if (pl_tokenizer_encode(t, bytes, size, false, &got) != PL_OK) fail_msg("%s: %s", name, pl_error_text());
    if (pl_tokenizer_encode(t, bytes, size, true, &special) != PL_OK) fail_msg("%s: %s", name, pl_error_text());
    golden_same_ids(&got, &want, name, i);
    golden_same_ids(&special, &want_special, name, i);
    const json_t *back = json_object_get(json_object_get(expected, "text"), key);
    const json_t *skip = json_object_get(json_object_get(expected, "skip"), key);
    back = back ? back : text;
    if (pl_tokenizer_decode(t, want.data, want.n, false, &decoded) != PL_OK) fail_msg("%s: %s", name, pl_error_text());
    if (pl_tokenizer_decode(t, special.data, special.n, true, &skipped) != PL_OK)
        fail_msg("%s: %s", name, pl_error_text());
    golden_same_text(&decoded, back, name, i);
    golden_same_text(&skipped, skip ? skip : back, name, i);
    pl_ids_free(&want);
    pl_ids_free(&want_special);
    pl_ids_free(&got);
    pl_ids_free(&special);
    pl_bytes_free(&decoded);
    pl_bytes_free(&skipped);
}

/* Every hard text through one tokenizer. */
static inline void golden_check_open(const pl_tokenizer *t, const char *expected_path, const char *name)
{
    json_t *texts = golden_json(GOLDEN "/texts.json"), *expected = golden_json(expected_path);
    assert_true(json_array_size(texts) > 30);
    assert_int_equal(json_array_size(json_object_get(expected, "ids")), json_array_size(texts));
    for (size_t i = 0; i < json_array_size(texts); i++) golden_text(t, texts, expected, i, name);
    json_decref(texts);
    json_decref(expected);
}

static inline void golden_check(const char *folder, const char *expected_path, const char *name)
{
    pl_tokenizer *t;
    if (pl_tokenizer_open(&t, folder) != PL_OK) fail_msg("%s", pl_error_text());
    golden_check_open(t, expected_path, name);
    pl_tokenizer_free(t);
}

#endif
