/* Do the intervals of ratios of variance components hold what they say (wobble, wobble_margin, shift, icc)? Simulated
 * studies of items in clusters of two, templates and draws, all effects normal and equal in all dimensions, so that the
 * true ratios are known.
 *
 * Quick: some designs, 200 studies each. `--long`: every design of the tables, 2,000 studies each (a number: so many),
 * printed. At most 5 % of an interval's designs may be under 93 %, none under 90 %: wobble in all, shift and icc where
 * several of WIDTH dimensions carry something. Where one does they hold less and rows have no interval
 * (analysis/representation.c): they are shown. */
#include "statistics/golden.h"

#include <math.h>

#include "statistics/crossed.h"
#include "statistics/interval.h"
#include "statistics/stream.h"
#include "statistics/variance_components.h"

enum { CLUSTER = 2, WIDTH = 8, ITEMS_MAX = 800, TEMPLATES_MAX = 16, DRAWS_MAX = 10 };

typedef enum ratio { WOBBLE, SHIFT, ICC, RATIOS } ratio;
static const char *const names[RATIOS] = {"wobble", "shift", "icc"};

/* Variances of what is the same in all draws; a draw adds DRAWN_* of its own. */
typedef struct components {
    double cluster, item, template, cluster_template, item_template, rest;
} components;
static const double DRAWN = 0.05, DRAWN_ITEM = 0.05, DRAWN_TEMPLATE = 0.02;
static const components planted[] = {
    {.25, .20, .04, .08, .10, .21}, /* wobble .44 */
    {.25, .25, .04, .01, .01, .02}, /* .07 */
    {.01, .01, .04, .20, .20, .40}, /* .92 */
    {.00, .00, .04, .20, .20, .40}, /* .94 */
    {.25, .20, 1.0, .08, .10, .20}, /* templates move everything: shift .54 */
};
enum { PLANTED = sizeof planted / sizeof *planted };

/* Dimension d has decay^d of the first one's variance. */
typedef struct design {
    size_t n, t, s, width, planted;
    double decay;
} design;

/* By the participation ratio (measure/cka.h) 1.02, 3.0 and 8 dimensions of WIDTH. */
#define DOMINATED 0.01
#define FEW       0.5
#define EVEN      1.0

static void truth_of(double out[RATIOS], const components *c)
{
    double item = c->cluster + c->item + DRAWN_ITEM, template = c->template + DRAWN_TEMPLATE,
           rest = c->cluster_template + c->item_template + c->rest;
    out[WOBBLE] = rest / (item + rest);
    out[SHIFT] = template / (item + template + rest);
    out[ICC] = item / (item + template + rest);
}

/* out[n * width] += effects of variance v, each for `repeat` items in a row. */
static void add_effects(float *out, const design *of, size_t repeat, double v, stream *r)
{
    size_t n = of->n, width = of->width;
    double effect[WIDTH];
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < width && i % repeat == 0; d++)
            effect[d] = sqrt(v * pow(of->decay, (double)d)) * normal(r);
        for (size_t d = 0; d < width; d++) out[i * width + d] += (float)effect[d];
    }
}

static void add_all(float *out, const float *what, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] += what[i];
}

static float *zeros(size_t n)
{
    float *out = calloc(n, sizeof *out);
    assert_non_null(out);
    return out;
}

static void values_of(double out[RATIOS], const pl_variance_components *v)
{
    out[WOBBLE] = v->wobble;
    out[SHIFT] = v->shift;
    out[ICC] = v->icc;
}

/* What a study measures: means over draws of the ratios, as they are and without each item and each template. */
typedef struct measured {
    double value[RATIOS], draw[RATIOS][DRAWS_MAX], item[RATIOS][ITEMS_MAX], template[RATIOS][TEMPLATES_MAX];
} measured;

static void measure(measured *m, size_t draw, const design *d, const float *const *states)
{
    pl_variance_sums sums;
    double one[RATIOS], weight = 1.0 / (double)d->s;
    OK(pl_variance_sums_of(&sums, states, d->n, d->t, d->width, NULL));
    pl_variance_components v = pl_variance_of(&sums);
    values_of(one, &v);
    for (size_t q = 0; q < RATIOS; q++) {
        m->draw[q][draw] = one[q];
        m->value[q] += weight * one[q];
    }
    for (size_t i = 0; i < d->n; i++) {
        v = pl_variance_without_item(&sums, i);
        values_of(one, &v);
        for (size_t q = 0; q < RATIOS; q++) m->item[q][i] += weight * one[q];
    }
    for (size_t k = 0; k < d->t; k++) {
        v = pl_variance_without_template(&sums, k);
        values_of(one, &v);
        for (size_t q = 0; q < RATIOS; q++) m->template[q][k] += weight * one[q];
    }
    pl_variance_sums_free(&sums);
}

static void simulate(measured *m, const design *d, uint64_t seed)
{
    const components *c = &planted[d->planted];
    stream r = {.at = seed * 0xd1342543de82ef95u + 1};
    size_t size = d->n * d->width;
    float *items = zeros(size), *fixed = zeros(d->t * size), *all = zeros(d->t * size), *drawn = zeros(size);
    const float *states[TEMPLATES_MAX];
    memset(m, 0, sizeof *m);
    add_effects(items, d, CLUSTER, c->cluster, &r);
    add_effects(items, d, 1, c->item, &r);
    for (size_t k = 0; k < d->t; k++) {
        float *own = fixed + k * size;
        states[k] = all + k * size;
        add_all(own, items, size);
        add_effects(own, d, d->n, c->template, &r);
        add_effects(own, d, CLUSTER, c->cluster_template, &r);
        add_effects(own, d, 1, c->item_template, &r);
    }
    for (size_t s = 0; s < d->s; s++) {
        memset(drawn, 0, size * sizeof *drawn);
        add_effects(drawn, d, d->n, DRAWN, &r);
        add_effects(drawn, d, 1, DRAWN_ITEM, &r);
        memcpy(all, fixed, d->t * size * sizeof *all);
        for (size_t k = 0; k < d->t; k++) {
            add_all(all + k * size, drawn, size);
            add_effects(all + k * size, d, d->n, DRAWN_TEMPLATE, &r);
            add_effects(all + k * size, d, 1, c->rest, &r);
        }
        measure(m, s, d, states);
    }
    free(items);
    free(fixed);
    free(all);
    free(drawn);
}

/* Whether the interval of a ratio holds; the intervals are inside [0, 1] but for values that are not. */
static bool holds(measured *m, ratio q, const design *d, const pl_clusters *clusters, double truth)
{
    static void (*const reach[RATIOS])(double[2], size_t, size_t) = {pl_wobble_reach, pl_shift_reach, pl_icc_reach};
    pl_crossed out;
    double value = m->value[q];
    pl_pseudo_values(m->item[q], d->n, value);
    pl_pseudo_values(m->template[q], d -> t, value);
    pl_crossed_design of = {.value = value,
                            .n = d->n,
                            .items = m->item[q],
                            .clusters = *clusters,
                            .templates = pl_component_of_mean(m->template[q], d -> t, PL_JACKKNIFE_MIN),
                            .draws = pl_component_of_mean(m->draw[q], d->s, PL_DRAWS_MIN),
                            .low = 0.0,
                            .high = 1.0};
    reach[q](of.reach, d->n, d->t);
    pl_crossed_of(&out, &of);
    assert_true(out.lo < out.hi && out.lo <= value && out.hi >= value);
    assert_true(out.lo >= fmin(0.0, value) && out.hi <= fmax(1.0, value));
    return out.lo <= truth && truth <= out.hi;
}

static void cover(double share[RATIOS], design d, size_t studies)
{
    size_t start[ITEMS_MAX / CLUSTER + 1], items[ITEMS_MAX], held[RATIOS] = {0};
    double truth[RATIOS];
    for (size_t c = 0; c <= d.n / CLUSTER; c++) start[c] = c * CLUSTER;
    for (size_t i = 0; i < d.n; i++) items[i] = i;
    const pl_clusters clusters = {d.n / CLUSTER, start, items};
    truth_of(truth, &planted[d.planted]);
#pragma omp parallel for schedule(dynamic)
    for (size_t r = 0; r < studies; r++) {
        measured *m = malloc(sizeof *m);
        assert_non_null(m);
        simulate(m, &d, r + 1 + 1000003 * (uint64_t)(d.n * 31 + d.t * 7 + d.s * 3 + d.width) + 7919 * d.planted);
        bool ok[RATIOS];
        for (ratio q = 0; q < RATIOS; q++) ok[q] = holds(m, q, &d, &clusters, truth[q]);
#pragma omp critical
        for (ratio q = 0; q < RATIOS; q++) held[q] += ok[q];
        free(m);
    }
    for (ratio q = 0; q < RATIOS; q++) share[q] = (double)held[q] / (double)studies;
}

/* One table: the designs of a width and decay. judged: how many of the ratios must hold. */
static int table(size_t width, double decay, const size_t *draws, size_t n_draws, size_t judged, size_t studies)
{
    static const size_t ns[] = {40, 200, 800}, ts[] = {4, 8, 16};
    size_t below93[RATIOS] = {0}, below90[RATIOS] = {0}, total = 0;
    double least[RATIOS] = {2.0, 2.0, 2.0}, sum[RATIOS] = {0};
    int bad = 0;
    printf("width %zu, decay %.2f\n   n  T  S planted | wobble shift icc\n", width, decay);
    for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++)
            for (size_t c = 0; c < n_draws; c++)
                for (size_t p = 0; p < PLANTED; p++) {
                    double share[RATIOS];
                    cover(share, (design){ns[a], ts[b], draws[c], width, p, decay}, studies);
                    total++;
                    printf("%4zu %2zu %2zu %zu", ns[a], ts[b], draws[c], p);
                    for (ratio q = 0; q < RATIOS; q++) {
                        printf(" %.3f", share[q]);
                        below93[q] += share[q] < 0.93;
                        below90[q] += share[q] < 0.90;
                        least[q] = fmin(least[q], share[q]);
                        sum[q] += share[q];
                    }
                    printf("\n");
                    fflush(stdout);
                }
    for (ratio q = 0; q < RATIOS; q++) {
        printf("%-6s width %zu, decay %.2f: mean %.3f, least %.3f; under .93: %zu, under .90: %zu of %zu designs\n",
               names[q], width, decay, sum[q] / (double)total, least[q], below93[q], below90[q], total);
        bad += q < judged && (below93[q] * 20 > total || below90[q] > 0);
    }
    return bad;
}

/* 200 studies have a standard error of .015 at .95. */
static void test_some_designs(void **state)
{
    (void)state;
    static const design designs[] = {{40, 4, 3, 1, 3, EVEN},
                                     {40, 8, 1, 1, 0, EVEN},
                                     {40, 8, 3, WIDTH, 4, EVEN},
                                     {40, 4, 10, WIDTH, 0, DOMINATED},
                                     {40, 8, 3, WIDTH, 4, FEW}};
    for (size_t i = 0; i < sizeof designs / sizeof *designs; i++) {
        double share[RATIOS];
        cover(share, designs[i], 200);
        for (ratio q = 0; q < (designs[i].width == 1 || designs[i].decay < FEW ? 1 : RATIOS); q++)
            if (share[q] < 0.95 - 4.0 * 0.0155)
                fail_msg("%s: %.3f of the intervals hold in design %zu", names[q], share[q], i);
    }
}

/* The whole reach of a ratio is open to its interval, and no more: of exact extremes of a table. */
static void test_reach(void **state)
{
    (void)state;
    static const float same[] = {1.0f, -1.0f}, turned[] = {-1.0f, 1.0f};
    const float *const opposite[] = {same, turned};
    pl_variance_sums sums;
    double reach[2];
    OK(pl_variance_sums_of(&sums, opposite, 2, 2, 1, NULL)); /* MS_I = MS_T = 0 */
    pl_variance_components v = pl_variance_of(&sums);
    pl_wobble_reach(reach, 2, 2);
    assert_float_equal(v.wobble, reach[1], 1e-12);
    pl_variance_sums_free(&sums);
    /* Shift and icc from s2_I, s2_T, s2_R of all MS in one place: n = 10, T = 4. */
    pl_shift_reach(reach, 10, 4);
    assert_float_equal(reach[0], -0.1 / (1.0 - 0.25 - 0.1), 1e-12); /* MS_R alone */
    assert_float_equal(reach[1], 1.0, 0.0);
    pl_icc_reach(reach, 10, 4);
    assert_float_equal(reach[0], -0.25 / (1.0 - 0.25 - 0.1), 1e-12);
}

int main(int argc, char **argv)
{
    static const size_t all[] = {1, 3, 10}, one[] = {1}, several[] = {3, 10};
    if (argc > 1 && !strcmp(argv[1], "--long")) {
        size_t studies = argc > 2 ? (size_t)atoi(argv[2]) : 2000;
        return table(1, EVEN, all, 3, 1, studies) + table(WIDTH, EVEN, one, 1, RATIOS, studies) +
               table(WIDTH, FEW, several, 2, RATIOS, studies) + table(WIDTH, DOMINATED, several, 2, 1, studies);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_some_designs), cmocka_unit_test(test_reach)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
