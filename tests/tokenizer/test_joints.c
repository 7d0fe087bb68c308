/* Words that come apart between characters that no merge joins: the ids of drawn texts under drawn vocabularies are
 * those of the whole word, and the places are the right ones. */
#include "golden_tokenizer.h"

#include "tokenizer/open.h"

/* Of one, two, three and four bytes; the last two are in no vocabulary. U+0468 is of the class of U+00E9. */
static const char *const letters[] = {
    "a", "b", "c", "\xE2\x96\x81", "\xC3\xA9", "\xD1\xA8", "\xF0\x90\x8D\x88", "\xE6\xB0\xB4"};
enum { N_LETTERS = 8, KNOWN_LETTERS = 6, PIECE_MAX = 64 };

static uint32_t drawn(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(*state >> 8) * n >> 24);
}

static void add_token(pl__bpe *bpe, const char *text)
{
    OK(pl__vocabulary_add(&bpe->vocabulary, text, strlen(text), (int64_t)bpe->vocabulary.n_ids, "test"));
}

/* Bytes, letters, and n merges of pairs of what is there. `parts`: two bytes' tokens are merged, too. */
static void make_model(pl__bpe *bpe, uint32_t *state, size_t n, bool parts)
{
    char pieces[PIECE_MAX][160], byte[8];
    size_t n_pieces = 0;
    pl__merges merges = {.where = "test"};
    *bpe = (pl__bpe){.byte_fallback = true};
    OK(pl__joints_create(&bpe->joints));
    for (unsigned b = 0; b < 256; b++) {
        snprintf(byte, sizeof byte, "<0x%02X>", b);
        add_token(bpe, byte);
    }
    for (size_t i = 0; i < KNOWN_LETTERS; i++) {
        add_token(bpe, letters[i]);
        snprintf(pieces[n_pieces++], sizeof *pieces, "%s", letters[i]);
    }
    if (parts) {
        add_token(bpe, "<0xF0><0x90>");
        OK(pl__bpe_add_merge(bpe, &merges, "<0xF0>", 6, "<0x90>", 6));
    }
    while (n-- > 0 && n_pieces < PIECE_MAX) {
        const char *left = pieces[drawn(state, (uint32_t)n_pieces)], *right = pieces[drawn(state, (uint32_t)n_pieces)];
        char made[sizeof *pieces];
        if (strlen(left) + strlen(right) >= 40) continue;
        snprintf(made, sizeof made, "%.79s%.79s", left, right);
        if (pl__vocabulary_find(&bpe->vocabulary, made, strlen(made)) < 0) {
            add_token(bpe, made);
            memcpy(pieces[n_pieces++], made, sizeof made);
        }
        OK(pl__bpe_add_merge(bpe, &merges, left, strlen(left), right, strlen(right)));
    }
    OK(pl__bpe_end_merges(bpe, &merges));
    OK(pl__bpe_finish(bpe));
    pl__merges_free(&merges);
}

static void test_drawn(void **state)
{
    (void)state;
    enum { MODELS = 60, TEXTS = 60 };
    uint32_t seed = 1;
    size_t n_apart = 0, n_texts = 0;
    pl_ids ids = {0}, whole = {0};
    pl__bpe_work work = {0};
    for (size_t m = 0; m < MODELS; m++) {
        pl__bpe bpe;
        make_model(&bpe, &seed, 1 + drawn(&seed, 20), m % 8 == 7);
        assert_int_equal(bpe.joints.bits == NULL, m % 8 == 7);
        pl__bpe plain = bpe;
        plain.joints = (pl__joints){0};
        plain.words = (pl__word_cache){0};
        for (size_t k = 0; k < TEXTS; k++) {
            char text[1024];
            size_t size = 0;
            for (size_t n = 1 + drawn(&seed, 200); n > 0; n--)
                size += (size_t)snprintf(text + size, sizeof text - size, "%s", letters[drawn(&seed, N_LETTERS)]);
            ids.n = whole.n = 0;
            OK(pl__bpe_encode(&bpe, text, size, false, &work, &ids));
            OK(pl__bpe_encode(&plain, text, size, false, &work, &whole));
            assert_int_equal(ids.n, whole.n);
            assert_memory_equal(ids.data, whole.data, ids.n * sizeof *ids.data);
            n_apart += bpe.joints.bits && pl__joints_end(&bpe.joints, text, size, 0) < size;
            n_texts++;
        }
        pl__bpe_free(&bpe);
    }
    assert_true(n_apart > n_texts / 2);
    pl_ids_free(&ids);
    pl_ids_free(&whole);
    pl__bpe_work_free(&work);
}

static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t ends[6];
    } cases[] = {{"ab", {2}},
                 {"ba", {1, 2}},
                 {"abab", {2, 4}},
                 {"\xE2\x96\x81"
                  "ab\xE2\x96\x81"
                  "b",
                  {5, 8, 9}},
                 {"b\xC3\xA9", {3}},
                 {"b\xD1\xA8", {3}}, /* shares the class of the letter above: taken for joined */
                 {"a\xC3\xA9", {1, 3}},
                 {"\xF0\x90\x8D\x88\xF0\x90\x8D\x88", {4, 8}}};
    pl__joints joints = {0};
    pl__joints_add(&joints, "a", 1, "b", 1); /* nothing is created: nothing happens */
    assert_null(joints.bits);
    OK(pl__joints_create(&joints));
    pl__joints_add(&joints, "xa", 2, "bx", 2);
    pl__joints_add(&joints, "\xE2\x96\x81", 3, "a", 1);
    pl__joints_add(&joints, "b", 1, "\xC3\xA9", 2);
    pl__joints_add(&joints, "", 0, "a", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text), at = 0;
        for (size_t k = 0; at < size; k++) {
            at = pl__joints_end(&joints, cases[i].text, size, at);
            assert_int_equal(at, cases[i].ends[k]);
        }
    }
    pl__joints_add(&joints, "<0x41>", 6, "a", 1);
    assert_null(joints.bits);
}

/* What a word is by its place or as a whole keeps it in one. */
static void test_whole(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool apart;
    } cases[] = {{"\"byte_fallback\": true", true},
                 {"\"byte_fallback\": false", false},
                 {"\"byte_fallback\": true, \"ignore_merges\": true", false},
                 {"\"byte_fallback\": true, \"end_of_word_suffix\": \"x\"", false},
                 {"\"byte_fallback\": true, \"continuing_subword_prefix\": \"x\"", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int bytes = 255; bytes <= 256; bytes++) {
            pl_bytes json = {0};
            char entry[32];
            pl_tokenizer *t;
            OK(pl_bytes_text(&json, "{\"model\": {\"type\": \"BPE\", \"merges\": [], "));
            OK(pl_bytes_text(&json, cases[i].options));
            OK(pl_bytes_text(&json, ", \"vocab\": {\"a\": 256"));
            for (int b = 0; b < bytes; b++) {
                snprintf(entry, sizeof entry, ", \"<0x%02X>\": %d", (unsigned)b, b);
                OK(pl_bytes_text(&json, entry));
            }
            OK(pl_bytes_text(&json, "}}}"));
            const pl__sources sources = {.tokenizer = {"test", json.data, json.size}};
            OK(pl__tokenizer_parse(&t, &sources));
            assert_int_equal(t->model.bpe.joints.bits != NULL, cases[i].apart && bytes == 256);
            pl_tokenizer_free(t);
            pl_bytes_free(&json);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
