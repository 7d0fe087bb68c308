/* Draws: permutations, balance in every prefix, distinct beginnings, places shared fairly among classes, orders, item
 * selection; the same for the same seed, another for another. */
#include "tests.h"

#include "experiment/draw.h"

enum { N = 103 };

static void assert_permutation(const size_t *p, size_t n)
{
    char seen[N] = {0};
    for (size_t i = 0; i < n; i++) {
        assert_true(p[i] < n);
        assert_false(seen[p[i]]);
        seen[p[i]] = 1;
    }
}

static void test_permutation(void **state)
{
    (void)state;
    size_t a[N], b[N], c[N];
    OK(pl_draw_permutation(a, NULL, N, 1, 0));
    OK(pl_draw_permutation(b, NULL, N, 1, 0));
    OK(pl_draw_permutation(c, NULL, N, 1, 1));
    assert_permutation(a, N);
    assert_permutation(c, N);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    OK(pl_draw_permutation(c, NULL, N, 2, 0));
    assert_memory_not_equal(a, c, sizeof a);
    OK(pl_draw_permutation(c, NULL, N, 1, 4000000000u));
    assert_permutation(c, N);
}

/* 40 : 33 : 30 items of three classes: while all classes last, any prefix holds each class equally often within one. */
static void test_balance(void **state)
{
    (void)state;
    size_t classes[N], p[N];
    for (size_t i = 0; i < N; i++) classes[i] = i < 40 ? 0 : i < 73 ? 1 : 2;
    for (uint32_t draw = 0; draw < 20; draw++) {
        OK(pl_draw_permutation(p, classes, N, 7, draw));
        assert_permutation(p, N);
        size_t count[3] = {0};
        for (size_t i = 0; i < 90; i++) {
            count[classes[p[i]]]++;
            for (int x = 0; x < 3; x++)
                for (int y = 0; y < 3; y++) assert_true(count[x] <= count[y] + 1);
        }
    }
}

/* Over each block of three draws every class stands once at every place; which is first is a matter of the seed. */
static void test_places_are_shared(void **state)
{
    (void)state;
    size_t classes[N], p[N], first[3] = {0};
    for (size_t i = 0; i < N; i++) classes[i] = i % 3;
    for (uint64_t seed = 0; seed < 60; seed++) {
        for (uint32_t block = 0; block < 4; block++) {
            size_t count[60][3] = {{0}};
            for (uint32_t draw = 3 * block; draw < 3 * block + 3; draw++) {
                OK(pl_draw_permutation(p, classes, N, seed, draw));
                for (size_t i = 0; i < 60; i++) count[i][classes[p[i]]]++;
            }
            for (size_t i = 0; i < 60; i++)
                for (size_t c = 0; c < 3; c++) assert_int_equal(count[i][c], 1);
        }
        OK(pl_draw_permutation(p, classes, N, seed, 0));
        first[classes[p[0]]]++;
    }
    for (size_t c = 0; c < 3; c++) assert_true(first[c] > 8);
}

/* Two tasks' draws: with two classes their label orders agree in about half of the seeds, not in all or none. */
static void test_tasks_are_independent(void **state)
{
    (void)state;
    size_t classes[N], a[N], b[N], agree = 0;
    for (size_t i = 0; i < N; i++) classes[i] = i % 2;
    for (uint64_t seed = 0; seed < 200; seed++) {
        OK(pl_draw_permutation(a, classes, N, pl_draw_seed(seed, "one"), 0));
        OK(pl_draw_permutation(b, classes, N, pl_draw_seed(seed, "two"), 0));
        agree += classes[a[0]] == classes[b[0]];
    }
    assert_in_range(agree, 65, 135);
    assert_true(pl_draw_seed(1, "one") == pl_draw_seed(1, "one"));
}

/* Items k of n in turn, every class as often as any other within one: by trying all. */
static size_t count_sequences(const size_t *classes, size_t n, size_t k, size_t at, size_t *chosen)
{
    if (at == k) return 1;
    size_t total = 0, left[4] = {0}, taken[4] = {0};
    for (size_t i = 0; i < n; i++) left[classes[i]]++;
    for (size_t i = 0; i < at; i++) taken[classes[chosen[i]]]++;
    size_t least = SIZE_MAX; /* among classes with items left: they are dealt before the next round begins */
    for (size_t c = 0; c < 4; c++)
        if (left[c] > taken[c] && taken[c] < least) least = taken[c];
    for (size_t i = 0; i < n; i++) {
        bool used = taken[classes[i]] != least;
        for (size_t j = 0; j < at; j++) used |= chosen[j] == i;
        if (used) continue;
        chosen[at] = i;
        total += count_sequences(classes, n, k, at + 1, chosen);
    }
    return total;
}

/* Every balanced beginning comes exactly once before any comes again. */
static void test_draws_are_distinct(void **state)
{
    (void)state;
    static const size_t pools[][7] = {{6, 0, 0, 0, 1, 1, 1}, {4, 0, 1, 0, 1}, {3, 0, 1, 2},
                                      {5, 0, 0, 0, 0, 0},    {2, 0, 1},       {6, 0, 1, 2, 0, 1, 2}};
    for (size_t p = 0; p < sizeof pools / sizeof *pools; p++)
        for (size_t k = 1; k <= 4 && k <= pools[p][0]; k++) {
            size_t n = pools[p][0], chosen[7], n_kept, all = count_sequences(pools[p] + 1, n, k, 0, chosen);
            bool *keep = calloc(all + 9, sizeof *keep);
            assert_non_null(keep);
            OK(pl_draws_distinct(keep, &n_kept, pools[p] + 1, NULL, n, k, all + 9, 1, 3));
            assert_int_equal(n_kept, all);
            for (size_t d = 0; d < all + 9; d++) assert_int_equal(keep[d], d < all);
            free(keep);
        }
}

/* With classes of different sizes the first shots differ as long as there are items. */
static void test_unequal_classes(void **state)
{
    (void)state;
    size_t classes[20], p[20];
    bool seen[20] = {false};
    for (size_t i = 0; i < 20; i++) classes[i] = i < 2 ? 0 : 1;
    for (uint32_t draw = 0; draw < 20; draw++) {
        OK(pl_draw_permutation(p, classes, 20, 5, draw));
        assert_permutation(p, 20);
        assert_false(seen[p[0]]);
        seen[p[0]] = true;
        if (draw < 4) assert_int_equal(classes[p[0]] != classes[p[1]], 1);
    }
}

static void test_order(void **state)
{
    (void)state;
    size_t shots[8], again[8], sorted[8] = {0};
    for (size_t i = 0; i < 8; i++) shots[i] = again[i] = i;
    OK(pl_draw_order(shots, 8, 5, 2, 0));
    assert_memory_equal(shots, again, sizeof shots);
    OK(pl_draw_order(shots, 8, 5, 2, 1));
    assert_memory_not_equal(shots, again, sizeof shots);
    for (size_t i = 0; i < 8; i++) sorted[shots[i]]++;
    for (size_t i = 0; i < 8; i++) assert_int_equal(sorted[i], 1);
    OK(pl_draw_order(again, 8, 5, 2, 1));
    assert_memory_equal(shots, again, sizeof shots);
}

/* All 24 orders of four shots, each once. */
static void test_orders_are_distinct(void **state)
{
    (void)state;
    bool seen[256] = {false};
    for (uint32_t order = 0; order < 24; order++) {
        size_t s[4] = {0, 1, 2, 3};
        OK(pl_draw_order(s, 4, 11, 3, order));
        size_t code = s[0] * 64 + s[1] * 16 + s[2] * 4 + s[3];
        assert_false(seen[code]);
        seen[code] = true;
    }
}

/* A pool of two has two prompts of two shots, whoever asks for more; items that read alike make one prompt. */
static void test_few_prompts(void **state)
{
    (void)state;
    const size_t classes[2] = {0, 1}, same[4] = {0, 0, 2, 3};
    bool keep[30];
    size_t n_kept;
    OK(pl_draws_distinct(keep, &n_kept, classes, NULL, 2, 2, 5, 1, 1234));
    assert_int_equal(n_kept, 2);
    assert_true(keep[0] && keep[1]);
    OK(pl_draws_distinct(keep, &n_kept, classes, NULL, 2, 2, 2, 3, 1234));
    assert_int_equal(n_kept, 2); /* the other order of draw 0 is draw 1 */
    assert_true(keep[0] && keep[1]);
    OK(pl_draws_distinct(keep, &n_kept, classes, NULL, 2, 2, 1, 3, 1234));
    assert_int_equal(n_kept, 2);
    OK(pl_draws_distinct(keep, &n_kept, NULL, NULL, 3, 3, 10, 3, 1));
    assert_int_equal(n_kept, 6);
    OK(pl_draws_distinct(keep, &n_kept, NULL, same, 4, 1, 4, 1, 1));
    assert_int_equal(n_kept, 3);
}

/* Draws and orders beyond those that can differ repeat them. */
static void test_differing(void **state)
{
    (void)state;
    static const struct {
        size_t n, k, draws, orders, differ, ordered;
    } cases[] = {{5, 2, 100, 100, 20, 2}, {5, 2, 7, 1, 7, 1},        {3, 3, 10000, 10000, 6, 6},
                 {8, 1, 100, 100, 8, 1},  {100, 50, 99, 77, 99, 77}, {4, 0, 9, 9, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t draws = cases[i].draws, orders = cases[i].orders;
        pl_draws_differing(&draws, &orders, cases[i].n, cases[i].k);
        assert_int_equal(draws, cases[i].differ);
        assert_int_equal(orders, cases[i].ordered);
    }
    bool keep[400];
    size_t n_few, n_many;
    OK(pl_draws_distinct(keep, &n_few, NULL, NULL, 5, 2, 20, 2, 7));
    OK(pl_draws_distinct(keep, &n_many, NULL, NULL, 5, 2, 100, 4, 7));
    assert_int_equal(n_few, 20);
    assert_int_equal(n_many, 20);
}

static void test_items(void **state)
{
    (void)state;
    size_t items[N], n;
    OK(pl_draw_items(items, &n, N, SIZE_MAX, 1));
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++) assert_int_equal(items[i], i);
    OK(pl_draw_items(items, &n, N, 20, 1));
    assert_int_equal(n, 20);
    for (size_t i = 1; i < n; i++) assert_true(items[i - 1] < items[i] && items[i] < N);
}

/* By chance: no more of the file's beginning than of its end comes first, and the same ones whoever else is evaluated.
 */
static void test_captured(void **state)
{
    (void)state;
    enum { MANY = 2000, KEPT = 200 };
    static size_t items[MANY], out[MANY], fewer[MANY], more[MANY];
    bool kept[MANY] = {false};
    for (size_t i = 0; i < MANY; i++) items[i] = i;
    OK(pl_draw_captured(out, items, MANY, KEPT, 1));
    size_t beginning = 0;
    for (size_t i = 0; i < MANY; i++) {
        assert_false(kept[out[i]]);
        kept[out[i]] = true;
        beginning += i < KEPT && out[i] < MANY / 2;
    }
    assert_in_range(beginning, KEPT / 2 - 28, KEPT / 2 + 28); /* 4 standard errors */
    OK(pl_draw_captured(more, items, MANY, 2 * KEPT, 1));
    assert_memory_equal(more, out, sizeof out);
    OK(pl_draw_captured(fewer, items, MANY / 2, beginning, 1)); /* of the first half the same come first */
    for (size_t i = 0, at = 0; i < KEPT; i++)
        if (out[i] < MANY / 2) assert_int_equal(fewer[at++], out[i]);
    OK(pl_draw_captured(more, items, MANY, KEPT, 2));
    assert_memory_not_equal(more, out, KEPT * sizeof *out);
    OK(pl_draw_captured(out, items, MANY, SIZE_MAX, 1));
    assert_memory_equal(out, items, sizeof items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_permutation),
                                       cmocka_unit_test(test_balance),
                                       cmocka_unit_test(test_places_are_shared),
                                       cmocka_unit_test(test_tasks_are_independent),
                                       cmocka_unit_test(test_draws_are_distinct),
                                       cmocka_unit_test(test_unequal_classes),
                                       cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_orders_are_distinct),
                                       cmocka_unit_test(test_few_prompts),
                                       cmocka_unit_test(test_differing),
                                       cmocka_unit_test(test_items),
                                       cmocka_unit_test(test_captured)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
