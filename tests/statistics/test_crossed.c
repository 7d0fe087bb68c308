/* Crossed intervals: against numpy's of the same design, and what they promise near the ends of a range. */
#include "statistics/golden.h"

#include "base/memory.h"
#include "statistics/crossed.h"
#include "statistics/interval.h"

static size_t size_at(const json_t *array, size_t i)
{
    return (size_t)element(array, i);
}

typedef struct table {
    size_t s, t, n;
    double *item, *template, *draw, value;
    size_t *start, *items;
    pl_clusters clusters;
} table;

/* Means, and clusters from a list of group numbers. */
static void read_table(table *x, const json_t *c)
{
    const json_t *shape = member(c, "shape"), *y = member(c, "y"), *groups = member(c, "groups");
    *x = (table){.s = size_at(shape, 0), .t = size_at(shape, 1), .n = size_at(shape, 2)};
    OK(pl_new(&x->item, x->n));
    OK(pl_new(&x->template, x->t));
    OK(pl_new(&x->draw, x->s));
    OK(pl_new(&x->start, x->n + 1));
    OK(pl_new(&x->items, x->n));
    for (size_t d = 0; d < x->s; d++)
        for (size_t k = 0; k < x->t; k++)
            for (size_t i = 0; i < x->n; i++) {
                double v = element(y, (d * x->t + k) * x->n + i);
                x->item[i] += v / (double)(x->s * x->t);
                x->template[k] += v / (double)(x->s * x->n);
                x->draw[d] += v / (double)(x->t * x->n);
                x->value += v / (double)(x->s * x->t * x->n);
            }
    size_t at = 0, n = 0;
    for (size_t g = 0; g < x->n; g++) {
        size_t before = at;
        for (size_t i = 0; i < x->n; i++)
            if (size_at(groups, i) == g) x->items[at++] = i;
        if (at == before) continue;
        x->start[n++] = before;
        x->start[n] = at;
    }
    assert_int_equal(at, x->n);
    x->clusters = (pl_clusters){n, x->start, x->items};
    if (n == x->n) x->clusters = (pl_clusters){0};
}

static void free_table(table *x)
{
    free(x->item);
    free(x->template);
    free(x->draw);
    free(x->start);
    free(x->items);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden(), *cases = member(root, "crossed");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        json_t *c = json_array_get(cases, i);
        table x;
        read_table(&x, c);
        int is_difference = i + 1 == json_array_size(cases);
        const pl_crossed_design d = {.value = x.value,
                                     .n = x.n,
                                     .items = x.item,
                                     .clusters = x.clusters,
                                     .templates = pl_component_of_mean(x.template, x.t, 2),
                                     .draws = pl_component_of_mean(x.draw, x.s, PL_DRAWS_MIN),
                                     .ends = is_difference ? 0.5 : 1.0,
                                     .low = is_difference ? -1.0 : 0.0,
                                     .high = 1.0};
        pl_crossed out;
        pl_crossed_of(&out, &d);
        assert_close(out.value, number(member(c, "value")), 1e-13);
        assert_close(out.centre, number(member(c, "centre")), 1e-13);
        assert_close(out.se, number(member(c, "se")), 1e-13);
        assert_close(out.df, number(member(c, "df")), 1e-11);
        assert_close(out.lo, number(member(c, "lo")), 1e-11);
        assert_close(out.hi, number(member(c, "hi")), 1e-11);
        assert_close(out.lo_these, number(member(c, "lo_these")), 1e-11);
        assert_close(out.hi_these, number(member(c, "hi_these")), 1e-11);
        assert_close(pl_crossed_p(&out, 0.5), number(member(c, "p_half")), 1e-11);
        assert_true(out.over_templates == (x.t > 1) && out.over_draws == (x.s > 2));
        free_table(&x);
    }
    json_decref(root);
}

/* Singletons and pseudo-values: the delete-one jackknife. */
static void test_pseudo_values(void **state)
{
    (void)state;
    double x[7] = {1, 4, 9, 2, 2, 7, 5}, left[7], theta = 0.0;
    for (size_t i = 0; i < 7; i++) theta += log(x[i]) / 7.0;
    theta = exp(theta);
    for (size_t i = 0; i < 7; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < 7; j++) sum += j == i ? 0.0 : log(x[j]) / 6.0;
        left[i] = exp(sum);
    }
    pl_estimate e = pl_jackknife(theta, left, 7);
    pl_pseudo_values(left, 7, theta);
    const pl_crossed_design d = {.value = theta, .n = 7, .items = left};
    pl_crossed out;
    pl_crossed_of(&out, &d);
    assert_close(out.se, e.se, 1e-14);
    assert_close(out.lo, e.lo, 1e-13);
    assert_close(out.lo_these, out.lo, 1e-14);
    assert_close(out.hi_these, out.hi, 1e-14);
}

/* One-sided p-values, and what a larger study may expect, of three plain components. */
static void test_larger(void **state)
{
    (void)state;
    double item[] = {0.1, 0.5, 0.2, 0.6, 0.1, 0.3}, template[] = {0.2, 0.4, 0.3}, draw[] = {0.25, 0.35, 0.3, 0.3};
    const double times[] = {2.0, 3.0, 1.0}, once[] = {1.0, 1.0, 1.0};
    const pl_crossed_design d = {.value = 0.3,
                                 .n = 6,
                                 .items = item,
                                 .templates = pl_component_of_mean(template, 3, 2),
                                 .draws = pl_component_of_mean(draw, 4, PL_DRAWS_MIN)};
    pl_crossed c, same, larger;
    pl_crossed_of(&c, &d);
    assert_close(pl_crossed_p_above(&c, 0.1), pl_crossed_p(&c, 0.1) / 2.0, 1e-15);
    assert_close(pl_crossed_p_above(&c, 0.5), 1.0 - pl_crossed_p(&c, 0.5) / 2.0, 1e-15);
    assert_close(pl_crossed_p_above(&c, pl_crossed_bound(&c, 0.025)), 0.025, 1e-9);
    same = pl_crossed_larger(&c, once);
    assert_close(same.se, c.se, 1e-15);
    assert_close(same.df, c.df, 1e-13);
    larger = pl_crossed_larger(&c, times);
    double v[3] = {pow(standard_error(item, 6), 2) / 2.0, pow(standard_error(template, 3), 2) / 3.0,
                   pow(standard_error(draw, 4), 2)};
    double df[3] = {11.0, 8.0, 3.0}, upper = 0.0, squares = 0.0;
    for (size_t f = 0; f < 3; f++) {
        double u = v[f] * pl_quartile_factor(df[f]);
        upper += u;
        squares += u * u / df[f];
    }
    assert_close(larger.se, sqrt(v[0] + v[1] + v[2]), 1e-14);
    assert_close(larger.df, upper * upper / squares, 1e-12);
}

/* More wrong items: both bounds go down, from none to all; none has width 0. */
static void test_monotone_at_the_ends(void **state)
{
    (void)state;
    enum { N = 40 };
    double items[N], lo = 2.0, hi = 2.0;
    for (size_t wrong = 0; wrong <= N; wrong++) {
        for (size_t i = 0; i < N; i++) items[i] = i >= wrong;
        const pl_crossed_design d = {.value = pl_mean(items, N), .n = N, .items = items, .ends = 1.0, .high = 1.0};
        pl_crossed out;
        pl_crossed_of(&out, &d);
        assert_true(out.lo <= lo && out.hi <= hi && out.lo + out.hi < lo + hi && out.hi > out.lo);
        assert_true(out.lo >= 0.0 && out.hi <= 1.0);
        lo = out.lo;
        hi = out.hi;
    }
    /* The review's fix at n = 40, T = 4: no flip, then one item with one dissenting template. */
    for (size_t i = 0; i < N; i++) items[i] = 0.0;
    pl_crossed none, one;
    pl_crossed_design d = {.n = N, .items = items, .ends = 1.0, .high = 4.0 / 6.0};
    pl_crossed_of(&none, &d);
    items[0] = 0.5;
    d.value = 0.0125;
    pl_crossed_of(&one, &d);
    assert_close(none.hi, 0.048, 0.0005);
    assert_close(one.hi, 0.067, 0.0005);
}

static void test_nothing_varies(void **state)
{
    (void)state;
    double items[5] = {1, 1, 1, 1, 1};
    pl_crossed out;
    pl_crossed_design d = {.value = 1.0, .n = 5, .items = items};
    pl_crossed_of(&out, &d);
    assert_true(out.value == 1.0 && isnan(out.lo) && isnan(out.se) && isnan(pl_crossed_p(&out, 0.5)));
    d.n = 0;
    pl_crossed_of(&out, &d);
    assert_true(isnan(out.lo));
    d.value = NAN;
    pl_crossed_of(&out, &d);
    assert_true(isnan(out.value) && isnan(out.hi));
    /* One cluster says nothing about others. */
    const size_t start[] = {0, 5}, all[] = {0, 1, 2, 3, 4};
    items[0] = 0.0;
    d = (pl_crossed_design){.value = 0.8, .n = 5, .items = items, .clusters = {1, start, all}};
    pl_crossed_of(&out, &d);
    assert_true(isnan(out.lo) && isnan(out.lo_these));
    assert_true(pl_component_of_mean(items, 1, 2).df == 0.0 && pl_component_of_mean(items, 2, 3).df == 0.0);
    assert_true(pl_component_of_difference(items, 1, items, 1).df == 0.0);
    assert_true(pl_component_of_difference(items, 1, items + 1, 2).df == 1.0);
}

/* Fisher's z of a correlation of variance .01 about .5 (reach -1 to 1): tanh(atanh .5 +- t .1/.75); a value beyond its
 * range stays in its interval; at the end of its reach there is no scale. */
static void test_reach(void **state)
{
    (void)state;
    enum { N = 4 };
    double items[N];
    for (size_t i = 0; i < N; i++) items[i] = 0.5 + (i % 2 ? 1.0 : -1.0) * sqrt(3.0) * 0.1;
    pl_crossed out;
    pl_crossed_design d = {.value = 0.5, .n = N, .items = items, .low = -1.0, .high = 1.0, .reach = {-1.0, 1.0}};
    pl_crossed_of(&out, &d);
    double half = pl_student_quantile(0.975, N - 1.0) * 0.1 / 0.75;
    assert_close(out.se, 0.1, 1e-12);
    assert_close(out.lo, tanh(atanh(0.5) - half), 1e-12);
    assert_close(out.hi, tanh(atanh(0.5) + half), 1e-12);
    assert_close(out.lo_these, out.lo, 1e-12);
    d.high = 0.4;
    pl_crossed_of(&out, &d);
    assert_true(out.hi == 0.5 && out.lo < 0.4);
    d.high = 2.0;
    d.value = 1.0;
    pl_crossed_of(&out, &d);
    assert_close(out.hi - 1.0, 1.0 - out.lo, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),         cmocka_unit_test(test_pseudo_values),
        cmocka_unit_test(test_larger),         cmocka_unit_test(test_monotone_at_the_ends),
        cmocka_unit_test(test_nothing_varies), cmocka_unit_test(test_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
