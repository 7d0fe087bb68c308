/* Do the intervals of probes between templates hold what they say? Planted runs whose templates write the label in
 * directions of their own, items in clusters of two; the truth is the mean of the estimates over all runs.
 *
 * Quick: one design, 60 runs. `--long`: three designs, 300 runs each, printed; none under 90 %, where four standard
 * errors of 300 runs are 5 %. */
#include "analysis/planted_run.h"

#include <math.h>
#include <string.h>

#include "analysis/stability.h"

typedef struct design {
    size_t n, t;
    double common, own; /* of the label's direction: the same in all templates, each template's */
} design;

enum { METRICS = 3, RUNS_MAX = 300 };
static const pl_metric_id metrics[METRICS] = {PL_METRIC_PROBE_ACC, PL_METRIC_PROBE_TRANSFER, PL_METRIC_PROBE_GAP};

static design now;
static uint64_t run_seed;
static bool is_long;

static int right(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return planted_gold(item);
}

static double normal(uint32_t stream, uint64_t at)
{
    return pl_random_normal(run_seed, PL_RANDOM_TEST, stream, at);
}

static float state_of(size_t item, size_t template, size_t draw, size_t d)
{
    (void)draw;
    double label = planted_gold(item) ? 1.0 : -1.0;
    double direction = now.common * (d == 0) + now.own * normal(1, template * PLANTED_WIDTH + d);
    double cluster = normal(2, item / 2 * PLANTED_WIDTH + d), own = normal(3, item * PLANTED_WIDTH + d),
           rest = normal(4, (item * 64 + template) * PLANTED_WIDTH + d);
    return (float)(label * direction + 0.6 * cluster + 0.6 * own + 0.6 * rest);
}

typedef struct interval {
    double value, lo, hi;
} interval;

static void one_run(interval out[METRICS])
{
    planted p = {.n = now.n, .t = now.t, .draws = 1, .prediction = right, .state = state_of, .cluster = 2};
    pl_stability_table *t = planted_table(&p);
    for (size_t m = 0; m < METRICS; m++) out[m] = (interval){NAN, NAN, NAN};
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (strcmp(r->layer, "final_norm") || strcmp(r->contrast, "templates")) continue;
        for (size_t m = 0; m < METRICS; m++)
            if (r->metric == metrics[m]) out[m] = (interval){r->value, r->lo, r->hi};
    }
    pl_stability_free(t);
    uproot(&p);
}

static void check_design(design d, size_t runs, double least)
{
    interval all[RUNS_MAX][METRICS];
    double truth[METRICS] = {0};
    now = d;
    for (size_t r = 0; r < runs; r++) {
        run_seed = 1000 + r;
        one_run(all[r]);
        for (size_t m = 0; m < METRICS; m++) truth[m] += all[r][m].value / (double)runs;
    }
    for (size_t m = 0; m < METRICS; m++) {
        size_t held = 0;
        for (size_t r = 0; r < runs; r++) held += all[r][m].lo <= truth[m] && truth[m] <= all[r][m].hi;
        double share = (double)held / (double)runs;
        if (is_long)
            printf("%-14s n %3zu, T %2zu: truth %6.3f, held %.3f\n", pl_metric_of(metrics[m])->name, d.n, d.t, truth[m],
                   share);
        fflush(stdout);
        if (share < least) fail_msg("%s at n %zu, T %zu: held %.3f", pl_metric_of(metrics[m])->name, d.n, d.t, share);
    }
}

static void test_coverage(void **state)
{
    (void)state;
    static const design designs[] = {{60, 4, 0.8, 0.4}, {120, 8, 0.8, 0.3}, {200, 8, 0.4, 0.5}};
    if (!is_long) check_design(designs[0], 60, 0.85); /* four standard errors below .95 */
    for (size_t d = 0; is_long && d < sizeof designs / sizeof *designs; d++) check_design(designs[d], RUNS_MAX, 0.90);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_coverage)};
    is_long = argc > 1 && !strcmp(argv[1], "--long");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
