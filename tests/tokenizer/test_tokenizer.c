/* Tokenizers of every style against PyPI `tokenizers` and transformers (tests/golden/tokenizers), and the calls around
 * encoding: pieces, ends, digests, malformed text, threads. */
#include "golden_tokenizer.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>

static void test_styles(void **state)
{
    (void)state;
    size_t n = 0;
    DIR *folder = opendir(GOLDEN);
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        char style[PL_PATH_MAX], expected[PL_PATH_MAX];
        assert_int_equal(pl_path(style, "%s/%s", GOLDEN, e->d_name), PL_OK);
        assert_int_equal(pl_path(expected, "%s/expected.json", style), PL_OK);
        if (!pl_file_exists(expected)) continue;
        golden_check(style, expected, e->d_name);
        n++;
    }
    closedir(folder);
    assert_true(n >= 44);
}

static pl_tokenizer *open_style(const char *style)
{
    char path[PL_PATH_MAX];
    pl_tokenizer *t;
    assert_int_equal(pl_path(path, "%s/%s", GOLDEN, style), PL_OK);
    if (pl_tokenizer_open(&t, path) != PL_OK) fail_msg("%s", pl_error_text());
    return t;
}

static void test_facts(void **state)
{
    (void)state;
    pl_tokenizer *gpt2 = open_style("gpt2"), *files = open_style("gpt2-files"), *llama = open_style("llama2"),
                 *again = open_style("gpt2"), *opt = open_style("opt-files"), *config = open_style("config");
    assert_int_equal(pl_tokenizer_size(gpt2), 301);
    assert_string_equal(pl_tokenizer_kind(gpt2), "byte-level BPE, 301 tokens");
    assert_string_equal(pl_tokenizer_kind(llama), "BPE with byte fallback, 370 tokens");
    assert_string_equal(pl_tokenizer_piece(gpt2, 300), "<|endoftext|>");
    assert_string_equal(pl_tokenizer_piece(gpt2, 220), "\xC4\xA0");
    assert_string_equal(pl_tokenizer_piece(llama, 3), "<0x00>");
    assert_null(pl_tokenizer_piece(gpt2, 301));
    assert_null(pl_tokenizer_piece(gpt2, -1));
    assert_int_equal(pl_tokenizer_bos(gpt2), 300);
    assert_int_equal(pl_tokenizer_eos(files), 300);
    assert_int_equal(pl_tokenizer_bos(llama), 1);
    assert_int_equal(pl_tokenizer_eos(llama), 2);
    assert_int_equal(pl_tokenizer_bos(opt), 301);
    assert_int_equal(pl_tokenizer_eos(config), 303);
    assert_string_equal(pl_tokenizer_digest(gpt2), pl_tokenizer_digest(again));
    assert_string_not_equal(pl_tokenizer_digest(gpt2), pl_tokenizer_digest(files));
    assert_int_equal(strlen(pl_tokenizer_digest(gpt2)), 32);
    pl_tokenizer *all[] = {gpt2, files, llama, again, opt, config};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) pl_tokenizer_free(all[i]);
}

static void test_malformed_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {{"abc\xFF", 3},          {"\xC3", 0}, {"ab\xC0\xAF", 2}, {"\xED\xA0\x80", 0}, {"12345678\xE2\x96", 8},
                 {"\xF4\x90\x80\x80", 0}, {"x\x80", 1}};
    pl_tokenizer *t = open_style("gpt2");
    pl_ids ids = {0};
    int32_t before = 7;
    assert_int_equal(pl_ids_append(&ids, &before, 1), PL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char offset[32];
        snprintf(offset, sizeof offset, "offset %zu of", cases[i].offset);
        assert_int_equal(pl_tokenizer_encode(t, cases[i].text, strlen(cases[i].text), true, &ids), PL_E_INPUT);
        assert_non_null(strstr(pl_error_text(), offset));
        /* What was there stays, nothing is added. */
        assert_int_equal(ids.n, 1);
        assert_int_equal(ids.data[0], 7);
    }
    pl_ids_free(&ids);
    pl_tokenizer_free(t);
}

static void test_decode_bytes(void **state)
{
    (void)state;
    pl_tokenizer *t = open_style("llama2");
    pl_bytes text = {0};
    /* <0xE2> <0x96> are not a character: one U+FFFD each; <0xC3> <0xA9> are. */
    const int32_t broken[] = {3 + 0xE2, 3 + 0x96}, whole[] = {3 + 0xC3, 3 + 0xA9},
                  outside[] = {370, 3 + 0xC3, 3 + 0xA9, 1 << 30};
    assert_int_equal(pl_tokenizer_decode(t, broken, 2, false, &text), PL_OK);
    assert_string_equal(text.data, "\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_int_equal(pl_tokenizer_decode(t, whole, 2, false, &text), PL_OK);
    assert_string_equal(text.data, "\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9");
    /* Ids that only the model's padded vocabulary has leave nothing. */
    pl_bytes_clear(&text);
    assert_int_equal(pl_tokenizer_decode(t, outside, 4, false, &text), PL_OK);
    assert_string_equal(text.data, "\xC3\xA9");
    pl_tokenizer_free(t);

    t = open_style("gpt2");
    pl_bytes_clear(&text);
    /* A truncated character is one U+FFFD, a stray byte another: byte tokens E2 96, then FF. */
    const int32_t bytes[] = {158, 244, 187, 64};
    assert_int_equal(pl_tokenizer_decode(t, bytes, 4, false, &text), PL_OK);
    assert_string_equal(text.data, "\xEF\xBF\xBD\xEF\xBF\xBD"
                                   "a");
    pl_bytes_free(&text);
    pl_tokenizer_free(t);
}

/* A word of a million characters must not take quadratic time: it would be hours. */
static void test_long_word(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    pl_tokenizer *t = open_style("llama2");
    char *text = malloc(N + 1);
    pl_ids ids = {0};
    pl_bytes back = {0};
    assert_non_null(text);
    for (size_t i = 0; i < N; i++) text[i] = "the night is on"[i % 15];
    text[N] = 0;
    assert_int_equal(pl_tokenizer_encode(t, text, N, false, &ids), PL_OK);
    assert_true(ids.n < N);
    assert_int_equal(pl_tokenizer_decode(t, ids.data, ids.n, false, &back), PL_OK);
    assert_int_equal(back.size, N);
    assert_memory_equal(back.data, text, N);
    free(text);
    pl_ids_free(&ids);
    pl_bytes_free(&back);
    pl_tokenizer_free(t);
}

/* More words than are remembered, and some too long for that: a second time, in another order and by a tokenizer that
 * has met none of them, they have the ids that they had. */
static void test_words(void **state)
{
    (void)state;
    enum { WORDS = 150000, FRESH = 3000, BYTES_MAX = 60 };
    pl_tokenizer *t = open_style("gpt2"), *fresh = open_style("gpt2");
    static uint32_t sums[WORDS];
    pl_ids ids = {0}, other = {0};
    for (size_t round = 0; round < 2; round++)
        for (size_t k = 0; k < WORDS; k++) {
            size_t place = round ? WORDS - 1 - k : k;
            uint32_t seed = (uint32_t)place * 2654435761U + 1, sum = 2166136261U;
            char word[BYTES_MAX];
            size_t size = 1 + seed % BYTES_MAX;
            for (size_t i = 0; i < size; i++) {
                seed = seed * 1664525U + 1013904223U;
                word[i] = (char)('a' + (seed >> 16) % 20);
            }
            ids.n = other.n = 0;
            OK(pl_tokenizer_encode(t, word, size, false, &ids));
            for (size_t i = 0; i < ids.n; i++) sum = (sum ^ (uint32_t)ids.data[i]) * 16777619U;
            if (round == 0) sums[place] = sum;
            assert_int_equal(sum, sums[place]);
            if (round == 0 || k >= FRESH) continue;
            OK(pl_tokenizer_encode(fresh, word, size, false, &other));
            golden_same_ids(&ids, &other, "gpt2", place);
        }
    pl_ids_free(&ids);
    pl_ids_free(&other);
    pl_tokenizer_free(t);
    pl_tokenizer_free(fresh);
}

struct thread {
    const pl_tokenizer *t;
    const json_t *texts, *expected;
    size_t n_wrong;
};

/* No cmocka here: it is not made for threads. */
static void *encode_all(void *argument)
{
    struct thread *thread = argument;
    for (size_t round = 0; round < 5; round++)
        for (size_t i = 0; i < json_array_size(thread->texts); i++) {
            const json_t *text = json_array_get(thread->texts, i);
            const json_t *want = json_array_get(json_object_get(thread->expected, "ids"), i);
            pl_ids ids = {0};
            thread->n_wrong +=
                pl_tokenizer_encode(thread->t, json_string_value(text), json_string_length(text), false, &ids) != PL_OK;
            thread->n_wrong += ids.n != json_array_size(want);
            for (size_t k = 0; k < ids.n && k < json_array_size(want); k++)
                thread->n_wrong += ids.data[k] != (int32_t)json_integer_value(json_array_get(want, k));
            pl_ids_free(&ids);
        }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    static const char *const styles[] = {"gpt2", "o200k", "llama2"};
    enum { THREADS = 4 };
    json_t *texts = golden_json(GOLDEN "/texts.json");
    for (size_t s = 0; s < sizeof styles / sizeof *styles; s++) {
        char path[PL_PATH_MAX];
        assert_int_equal(pl_path(path, "%s/%s/expected.json", GOLDEN, styles[s]), PL_OK);
        json_t *expected = golden_json(path);
        pl_tokenizer *t = open_style(styles[s]);
        struct thread threads[THREADS];
        pthread_t handles[THREADS];
        for (size_t i = 0; i < THREADS; i++) {
            threads[i] = (struct thread){t, texts, expected, 0};
            assert_int_equal(pthread_create(&handles[i], NULL, encode_all, &threads[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(handles[i], NULL), 0);
            assert_int_equal(threads[i].n_wrong, 0);
        }
        pl_tokenizer_free(t);
        json_decref(expected);
    }
    json_decref(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_styles),       cmocka_unit_test(test_facts),     cmocka_unit_test(test_malformed_text),
        cmocka_unit_test(test_decode_bytes), cmocka_unit_test(test_long_word), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
