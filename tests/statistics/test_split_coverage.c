/* Do the intervals of the parts of a variance split hold what they say, as the readout margin's? Simulated studies of
 * items in clusters of two, templates and draws, all effects normal, so that the true parts are known.
 *
 * Quick: two designs, 200 studies each. `--long`: every design, 500 studies each (a number: so many), printed. None may
 * hold in less than 90 %, and at most 5 % of a part's designs in less than 92 %: 500 studies have a standard error of
 * .01. */
#include "statistics/golden.h"

#include <math.h>

#include "statistics/stream.h"
#include "statistics/variance_split.h"

enum { CLUSTER = 2, ITEMS_MAX = 200, TEMPLATES_MAX = 16, DRAWS_MAX = 10 };
static const char *const names[PL_SPLIT_PARTS] = {"item",      "template",      "draw", "item_template",
                                                  "item_draw", "template_draw", "rest"};

/* Variances; half of the items' and of item x template's are their clusters'. */
static const double planted[][PL_SPLIT_PARTS] = {
    {.45, .04, .05, .18, .05, .02, .20}, /* as the margins of real runs are */
    {.45, 1.0, .50, .18, .20, .30, .20}, /* templates and draws move everything */
    {.02, .01, .01, .10, .02, .01, .80}, /* noise: estimates are often below 0 */
};
enum { PLANTED = sizeof planted / sizeof *planted };

typedef struct design {
    size_t n, t, s, planted;
} design;

/* Adds an effect of variance v: of each draw, of each template, or of all; the same for `repeat` items in a row. */
static void add_effect(double *y, const design *d, double v, size_t of_draw, size_t of_template, size_t repeat,
                       stream *r)
{
    double sd = sqrt(v), effect[ITEMS_MAX];
    for (size_t s = 0; s < (of_draw ? d->s : 1); s++)
        for (size_t k = 0; k < (of_template ? d->t : 1); k++) {
            for (size_t i = 0; i < d->n; i++) effect[i] = i % repeat ? effect[i - 1] : sd * normal(r);
            for (size_t a = of_draw ? s : 0; a < (of_draw ? s + 1 : d->s); a++)
                for (size_t b = of_template ? k : 0; b < (of_template ? k + 1 : d->t); b++)
                    for (size_t i = 0; i < d->n; i++) y[(a * d->t + b) * d->n + i] += effect[i];
        }
}

static void simulate(double *y, const design *d, uint64_t seed)
{
    const double *v = planted[d->planted];
    stream r = {.at = seed * 0xd1342543de82ef95u + 1};
    memset(y, 0, d->s * d->t * d->n * sizeof *y);
    for (size_t repeat = 1; repeat <= CLUSTER; repeat++) {
        add_effect(y, d, 0.5 * v[PL_SPLIT_ITEM], 0, 0, repeat, &r);
        add_effect(y, d, 0.5 * v[PL_SPLIT_ITEM_TEMPLATE], 0, 1, repeat, &r);
    }
    add_effect(y, d, v[PL_SPLIT_ITEM_DRAW], 1, 0, 1, &r);
    add_effect(y, d, v[PL_SPLIT_TEMPLATE], 0, 1, d->n, &r);
    add_effect(y, d, v[PL_SPLIT_DRAW], 1, 0, d->n, &r);
    add_effect(y, d, v[PL_SPLIT_TEMPLATE_DRAW], 1, 1, d->n, &r);
    add_effect(y, d, v[PL_SPLIT_REST], 1, 1, 1, &r);
}

/* With one draw what it adds is not told from the rest. */
static void truth_of(double out[PL_SPLIT_PARTS], const design *d)
{
    const double *v = planted[d->planted];
    memcpy(out, v, PL_SPLIT_PARTS * sizeof *out);
    if (d->s > 1) return;
    out[PL_SPLIT_ITEM] += v[PL_SPLIT_ITEM_DRAW];
    out[PL_SPLIT_TEMPLATE] += v[PL_SPLIT_TEMPLATE_DRAW];
    out[PL_SPLIT_REST] += v[PL_SPLIT_ITEM_TEMPLATE];
    out[PL_SPLIT_DRAW] = out[PL_SPLIT_ITEM_TEMPLATE] = out[PL_SPLIT_ITEM_DRAW] = out[PL_SPLIT_TEMPLATE_DRAW] = NAN;
}

/* share: NaN where the part does not exist. */
static void cover(double share[PL_SPLIT_PARTS], design d, size_t studies)
{
    static double y[DRAWS_MAX * TEMPLATES_MAX * ITEMS_MAX];
    size_t start[ITEMS_MAX / CLUSTER + 1], items[ITEMS_MAX];
    for (size_t c = 0; c <= d.n / CLUSTER; c++) start[c] = c * CLUSTER;
    for (size_t i = 0; i < d.n; i++) items[i] = i;
    const pl_clusters clusters = {d.n / CLUSTER, start, items};
    double truth[PL_SPLIT_PARTS];
    truth_of(truth, &d);
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) share[p] = isnan(truth[p]) ? NAN : 0.0;
    for (size_t r = 0; r < studies; r++) {
        pl_crossed parts[PL_SPLIT_PARTS];
        simulate(y, &d, r + 1 + 1000003 * (uint64_t)(d.n * 31 + d.t * 7 + d.s * 3 + d.planted));
        OK(pl_variance_split_of(parts, y, d.s, d.t, d.n, &clusters));
        for (size_t p = 0; p < PL_SPLIT_PARTS; p++) {
            assert_true(isnan(truth[p]) ? isnan(parts[p].value)
                                        : parts[p].lo < parts[p].value && parts[p].value < parts[p].hi);
            share[p] += (double)(parts[p].lo <= truth[p] && truth[p] <= parts[p].hi) / (double)studies;
        }
    }
}

static int all_designs(size_t studies)
{
    static const size_t ns[] = {40, 200}, ts[] = {4, 8, 16}, ss[] = {1, 3, 10};
    size_t below92[PL_SPLIT_PARTS] = {0}, total[PL_SPLIT_PARTS] = {0};
    double least[PL_SPLIT_PARTS], sum[PL_SPLIT_PARTS] = {0}, share[PL_SPLIT_PARTS];
    int bad = 0;
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) least[p] = 2.0;
    printf("  n  T  S planted | item template draw i x t i x d t x d rest\n");
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 0; b < 3; b++)
            for (size_t c = 0; c < 3; c++)
                for (size_t k = 0; k < PLANTED; k++) {
                    cover(share, (design){ns[a], ts[b], ss[c], k}, studies);
                    printf("%3zu %2zu %2zu %zu", ns[a], ts[b], ss[c], k);
                    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) {
                        printf(" %.3f", share[p]);
                        if (isnan(share[p])) continue;
                        total[p]++;
                        below92[p] += share[p] < 0.92;
                        least[p] = fmin(least[p], share[p]);
                        sum[p] += share[p];
                    }
                    printf("\n");
                    fflush(stdout);
                }
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) {
        printf("%-13s mean %.3f, least %.3f; under .92: %zu of %zu designs\n", names[p], sum[p] / (double)total[p],
               least[p], below92[p], total[p]);
        bad += below92[p] * 20 > total[p] || least[p] < 0.90;
    }
    return bad;
}

/* 200 studies have a standard error of .015 at .95. */
static void test_some_designs(void **state)
{
    (void)state;
    static const design designs[] = {{40, 4, 3, 0}, {40, 8, 3, 1}};
    for (size_t i = 0; i < 2; i++) {
        double share[PL_SPLIT_PARTS];
        cover(share, designs[i], 200);
        for (size_t p = 0; p < PL_SPLIT_PARTS; p++)
            if (share[p] < 0.95 - 4.0 * 0.0155)
                fail_msg("%s: %.3f of the intervals hold in design %zu", names[p], share[p], i);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--long")) return all_designs(argc > 2 ? (size_t)atoi(argv[2]) : 500);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_some_designs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
