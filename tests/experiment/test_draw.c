/* Draws: permutations, balance in every prefix, orders, item selection; the same for the same seed, another for
 * another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
    assert_int_equal(pl_draw_permutation(a, NULL, N, 1, 0), PL_OK);
    assert_int_equal(pl_draw_permutation(b, NULL, N, 1, 0), PL_OK);
    assert_int_equal(pl_draw_permutation(c, NULL, N, 1, 1), PL_OK);
    assert_permutation(a, N);
    assert_permutation(c, N);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    assert_int_equal(pl_draw_permutation(c, NULL, N, 2, 0), PL_OK);
    assert_memory_not_equal(a, c, sizeof a);
}

/* 40 : 33 : 30 items of three classes: while all classes last, any prefix holds each class equally often within one. */
static void test_balance(void **state)
{
    (void)state;
    size_t classes[N], p[N];
    for (size_t i = 0; i < N; i++) classes[i] = i < 40 ? 0 : i < 73 ? 1 : 2;
    for (uint32_t draw = 0; draw < 20; draw++) {
        assert_int_equal(pl_draw_permutation(p, classes, N, 7, draw), PL_OK);
        assert_permutation(p, N);
        size_t count[3] = {0};
        for (size_t i = 0; i < 90; i++) {
            count[classes[p[i]]]++;
            for (int x = 0; x < 3; x++)
                for (int y = 0; y < 3; y++) assert_true(count[x] <= count[y] + 1);
        }
    }
}

/* Which class comes first is a matter of the draw, not of the class's number. */
static void test_first_class_varies(void **state)
{
    (void)state;
    size_t classes[N], p[N], first[2] = {0};
    for (size_t i = 0; i < N; i++) classes[i] = i % 2;
    for (uint32_t draw = 0; draw < 200; draw++) {
        assert_int_equal(pl_draw_permutation(p, classes, N, 3, draw), PL_OK);
        first[classes[p[0]]]++;
    }
    assert_true(first[0] > 60 && first[1] > 60);
}

static void test_order(void **state)
{
    (void)state;
    size_t shots[8], again[8], sorted[8] = {0};
    for (size_t i = 0; i < 8; i++) shots[i] = again[i] = i;
    assert_int_equal(pl_draw_order(shots, 8, 5, 2, 0), PL_OK);
    assert_memory_equal(shots, again, sizeof shots);
    assert_int_equal(pl_draw_order(shots, 8, 5, 2, 1), PL_OK);
    assert_memory_not_equal(shots, again, sizeof shots);
    for (size_t i = 0; i < 8; i++) sorted[shots[i]]++;
    for (size_t i = 0; i < 8; i++) assert_int_equal(sorted[i], 1);
    assert_int_equal(pl_draw_order(again, 8, 5, 2, 1), PL_OK);
    assert_memory_equal(shots, again, sizeof shots);
}

static void test_items(void **state)
{
    (void)state;
    size_t items[N], n;
    assert_int_equal(pl_draw_items(items, &n, N, SIZE_MAX, 1), PL_OK);
    assert_int_equal(n, N);
    for (size_t i = 0; i < N; i++) assert_int_equal(items[i], i);
    assert_int_equal(pl_draw_items(items, &n, N, 20, 1), PL_OK);
    assert_int_equal(n, 20);
    for (size_t i = 1; i < n; i++) assert_true(items[i - 1] < items[i] && items[i] < N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_permutation), cmocka_unit_test(test_balance),
                                       cmocka_unit_test(test_first_class_varies), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_items)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
