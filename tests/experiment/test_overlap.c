/* Near-duplicates against counting every pair with sets of 5-grams as texts; the bound itself; the time of many rows.
 */
#include "tests.h"

#include "base/random.h"
#include "base/utf8.h"
#include "experiment/overlap.h"

enum { MOST = 400 };

/* The distinct 5-grams of a text as pieces of it. */
static size_t pieces(char out[MOST][32], const char *text)
{
    size_t starts[MOST], n = 0, n_out = 0, at = 0;
    for (uint32_t c; text[at]; at += pl_utf8_get(&c, text + at)) starts[n++] = at;
    starts[n] = at;
    size_t size = n < 5 ? n : 5;
    for (size_t i = 0; n && i + size <= n; i++) {
        snprintf(out[n_out], sizeof out[0], "%.*s", (int)(starts[i + size] - starts[i]), text + starts[i]);
        bool old = false;
        for (size_t j = 0; j < n_out; j++) old |= strcmp(out[j], out[n_out]) == 0;
        n_out += !old;
    }
    return n_out;
}

static bool near_by_hand(const char *a, const char *b)
{
    static char x[MOST][32], y[MOST][32];
    size_t n = pieces(x, a), m = pieces(y, b), common = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) common += strcmp(x[i], y[j]) == 0;
    return n && m && (double)common / (double)(n + m - common) >= 0.8 - 1e-12;
}

static uint32_t below(uint64_t *at, uint32_t bound)
{
    return pl_random_below(7, PL_RANDOM_TEST, 1, (*at)++, bound);
}

/* Words at random from few; some texts are another's with letters changed. */
static void write_texts(char texts[][MOST], size_t n, uint64_t *at)
{
    static const char *const words[] = {"film", "the", "gut", "schön", "映画", "a", "of", "really", "x", "not", "bad"};
    for (size_t i = 0; i < n; i++) {
        texts[i][0] = 0;
        size_t n_words = below(at, 14);
        for (size_t w = 0; w < n_words; w++) {
            strcat(texts[i], words[below(at, 11)]);
            if (below(at, 4)) strcat(texts[i], " ");
        }
        if (i && below(at, 2)) strcpy(texts[i], texts[below(at, (uint32_t)i)]);
        for (size_t c = below(at, 4); c > 0 && texts[i][0]; c--) {
            size_t place = below(at, (uint32_t)strlen(texts[i]));
            if ((unsigned char)texts[i][place] < 0x80) texts[i][place] = (char)('a' + below(at, 26));
        }
    }
}

static void test_against_all_pairs(void **state)
{
    (void)state;
    enum { N = 120, M = 150 };
    static char texts[N + M][MOST];
    const char *list[N + M];
    size_t own[N];
    for (size_t i = 0; i < N; i++) own[i] = i;
    uint64_t at = 0;
    size_t n_near = 0;
    for (int round = 0; round < 6; round++) {
        write_texts(texts, N + M, &at);
        for (size_t i = 0; i < N + M; i++) list[i] = texts[i];
        for (int same = 0; same < 2; same++) {
            const char *const *pool = same ? list : list + N;
            size_t n_pool = same ? N : M, wanted = 0, first = SIZE_MAX;
            pl_overlap found;
            for (size_t i = 0; i < N; i++) {
                bool near = false;
                for (size_t j = 0; j < n_pool; j++) near |= !(same && i == j) && near_by_hand(list[i], pool[j]);
                if (near && wanted++ == 0) first = i;
            }
            OK(pl_overlap_count(&found, list, N, pool, n_pool, same ? own : NULL));
            assert_int_equal(found.n, wanted);
            assert_true(found.first_item == first);
            if (wanted) assert_true(near_by_hand(list[first], pool[found.first_row]));
            n_near += wanted;
        }
    }
    assert_in_range(n_near, 300, 1200);
}

/* 16 of 20 grams in common is near (J = 0.8), 15 of 20 is not; short and empty texts. */
static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool near;
    } cases[] = {{"abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrst", true}, /* 16 of 20 */
                 {"abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrs", false}, /* 15 of 20 */
                 {"abcd", "abcd", true},
                 {"abcd", "abce", false},
                 {"abcd", "abcde", false},
                 {"", "", false},
                 {"ab", "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_overlap found;
        OK(pl_overlap_count(&found, &cases[i].a, 1, &cases[i].b, 1, NULL));
        assert_int_equal(found.n, cases[i].near);
    }
    pl_overlap none;
    OK(pl_overlap_count(&none, NULL, 0, NULL, 0, NULL));
    assert_int_equal(none.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_all_pairs), cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
