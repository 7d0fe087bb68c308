/* The splitters cut by hand against the regular expressions they stand for, span by span: over the hard texts, and over
 * random strings of the characters that matter to them. And what the regular expressions take for white space, digits.
 */
#include "golden_tokenizer.h"

#include "tokenizer/pattern.h"

#define R1 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define R2(number)                                                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" number                                               \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const char *const patterns[] = {R1, R2("\\p{N}"), R2("\\p{N}{1,3}")};

static void compile(pl__pattern *out, const char *pattern)
{
    if (pl__pattern_regex(out, pattern, strlen(pattern), "here") != PL_OK) fail_msg("%s", pl_error_text());
}

static void compare(const pl__pattern *by_hand, const pl__pattern *regex, const char *text, size_t size)
{
    pl__spans a = {0}, b = {0};
    assert_int_equal(pl__pattern_find(by_hand, text, size, &a), PL_OK);
    assert_int_equal(pl__pattern_find(regex, text, size, &b), PL_OK);
    for (size_t i = 0; i < a.n && i < b.n; i++)
        if (a.items[i].start != b.items[i].start || a.items[i].end != b.items[i].end || !a.items[i].match)
            fail_msg("'%s': span %zu is [%zu, %zu), expected [%zu, %zu)", text, i, a.items[i].start, a.items[i].end,
                     b.items[i].start, b.items[i].end);
    assert_int_equal(a.n, b.n);
    pl__spans_free(&a);
    pl__spans_free(&b);
}

static void test_by_hand(void **state)
{
    (void)state;
    static const char *const alphabet[] = {" ",
                                           " ",
                                           "\n",
                                           "\r",
                                           "\t",
                                           "'",
                                           "'",
                                           "s",
                                           "S",
                                           "t",
                                           "r",
                                           "E",
                                           "v",
                                           "l",
                                           "L",
                                           "m",
                                           "d",
                                           "x",
                                           "1",
                                           "22",
                                           ".",
                                           "!?",
                                           "-",
                                           "\xC3\xA9",
                                           "\xC5\xBF",
                                           "\xC2\xA0",
                                           "\xE3\x80\x80",
                                           "\xCC\x81",
                                           "\xE2\x85\xA7",
                                           "\xE1\xA0\x8E",
                                           "\xC2\x85",
                                           "\xF0\x9F\x98\x80"};
    json_t *texts = golden_json(GOLDEN "/texts.json");
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        pl__pattern by_hand, regex;
        char wrapped[512];
        snprintf(wrapped, sizeof wrapped, "(?:%s)", patterns[p]);
        compile(&by_hand, patterns[p]);
        compile(&regex, wrapped);
        assert_int_not_equal(by_hand.kind, PL__PATTERN_REGEX);
        assert_int_equal(regex.kind, PL__PATTERN_REGEX);
        for (size_t i = 0; i < json_array_size(texts); i++)
            compare(&by_hand, &regex, json_string_value(json_array_get(texts, i)),
                    json_string_length(json_array_get(texts, i)));
        uint32_t random = 1;
        for (size_t i = 0; i < 20000; i++) {
            char text[128] = "";
            for (size_t k = 0; k < 1 + i % 12; k++) {
                random = random * 1664525u + 1013904223u;
                strcat(text, alphabet[(random >> 16) % (sizeof alphabet / sizeof *alphabet)]);
            }
            compare(&by_hand, &regex, text, strlen(text));
        }
        pl__pattern_free(&by_hand);
        pl__pattern_free(&regex);
    }
    json_decref(texts);
}

/* How many bytes of `text` the pattern's matches cover. */
static size_t covered(const char *pattern, const char *text)
{
    pl__pattern p;
    pl__spans spans = {0};
    size_t n = 0;
    compile(&p, pattern);
    assert_int_equal(pl__pattern_find(&p, text, strlen(text), &spans), PL_OK);
    for (size_t i = 0; i < spans.n; i++) n += spans.items[i].match ? spans.items[i].end - spans.items[i].start : 0;
    pl__spans_free(&spans);
    pl__pattern_free(&p);
    return n;
}

static void test_classes(void **state)
{
    (void)state;
    /* U+180E is no white space, U+0085 and U+3000 are. */
    assert_int_equal(covered("\\s", "\xE1\xA0\x8E"), 0);
    assert_int_equal(covered("\\s", "\xC2\x85\xE3\x80\x80 \v"), 7);
    assert_int_equal(covered("\\S", "\xE1\xA0\x8E \xE3\x80\x80"), 3);
    /* Arabic-Indic digits; a Roman numeral is a number and no digit. */
    assert_int_equal(covered("\\d", "1\xD9\xA3\xE2\x85\xA7"), 3);
    assert_int_equal(covered("\\p{N}", "1\xD9\xA3\xE2\x85\xA7"), 6);
    /* A mark is part of a word. */
    assert_int_equal(covered("\\w", "e\xCC\x81_-"), 4);
    /* Line anchors hold at every line, without being asked to. */
    assert_int_equal(covered("^a$", "a\na\nba"), 2);
    /* Without case, k is the Kelvin sign too. */
    assert_int_equal(covered("(?i:k)", "K\xE2\x84\xAA"), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_classes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
