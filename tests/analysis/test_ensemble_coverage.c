/* Do intervals of ensembles (ensemble.h) hold? Simulated studies: a margin for each item, wording and draw, normal,
 * whose sum over the wordings decides; the wordings that the ensemble is made of are a sample, and the truth is its
 * mean over such samples, new items and new draws.
 *
 * Quick: two designs, 200 studies each. `--long`: every design, 2,000 studies each, printed; at most 5 % of them may be
 * under 93 %, none under 90 %. Printed beside: what intervals of items and draws alone would hold, and the mean width.
 */
#include "statistics/golden.h"

#include <math.h>

#include "statistics/crossed.h"
#include "statistics/stream.h"

enum { N_MAX = 600, W_MAX = 16, S_MAX = 10 };

typedef struct design {
    size_t n, w, s;
    double mean, wording, draw; /* of the margin of the right label; SDs of the labels' bias by wording and by draw */
} design;
static const double ITEM = 0.8, ITEM_WORDING = 0.5, ITEM_DRAW = 0.3, WORDING_DRAW = 0.3, REST = 0.5; /* SDs */

/* The sum over wordings is normal: of variance sum V_f / (levels that it is the mean of). */
static double truth_of(const design *d)
{
    double w = (double)d->w, v = ITEM * ITEM + d->wording * d->wording / w + d->draw * d->draw +
                                 ITEM_WORDING * ITEM_WORDING / w + ITEM_DRAW * ITEM_DRAW +
                                 WORDING_DRAW * WORDING_DRAW / w + REST * REST / w;
    return phi(d->mean / sqrt(v));
}

typedef struct study {
    double item[N_MAX], draw[S_MAX], left_out[W_MAX], value;
    double margin[S_MAX][W_MAX]; /* of one item: for the right label */
} study;

static void simulate(study *y, const design *d, stream *r)
{
    double wording[W_MAX], draw[S_MAX], both[S_MAX][W_MAX], share = 1.0 / (double)(d->n * d->s);
    memset(y, 0, sizeof *y);
    for (size_t w = 0; w < d->w; w++) wording[w] = d->wording * normal(r);
    for (size_t s = 0; s < d->s; s++) {
        draw[s] = d->draw * normal(r);
        for (size_t w = 0; w < d->w; w++) both[s][w] = WORDING_DRAW * normal(r);
    }
    for (size_t i = 0; i < d->n; i++) {
        double sign = uniform(r) < 0.5 ? 1.0 : -1.0, own = d->mean + ITEM * normal(r), by_wording[W_MAX];
        for (size_t w = 0; w < d->w; w++) by_wording[w] = ITEM_WORDING * normal(r);
        for (size_t s = 0; s < d->s; s++) {
            double by_draw = ITEM_DRAW * normal(r), sum = 0.0;
            for (size_t w = 0; w < d->w; w++) {
                double bias = wording[w] + draw[s] + both[s][w];
                y->margin[s][w] = own + sign * bias + by_wording[w] + by_draw + REST * normal(r);
                sum += y->margin[s][w];
            }
            y->item[i] += (sum > 0.0) / (double)d->s;
            y->draw[s] += (sum > 0.0) / (double)d->n;
            y->value += (sum > 0.0) * share;
            for (size_t w = 0; w < d->w; w++) y->left_out[w] += (sum - y->margin[s][w] > 0.0) * share;
        }
    }
    pl_pseudo_values(y->left_out, d->w, y->value);
}

static pl_crossed interval(const study *y, const design *d, bool of_wordings)
{
    pl_crossed out;
    pl_crossed_design of = {.value = y->value,
                            .n = d->n,
                            .items = y->item,
                            .draws = pl_component_of_mean(y->draw, d->s, PL_DRAWS_MIN),
                            .ends = 1.0,
                            .low = 0.0,
                            .high = 1.0};
    if (of_wordings) of.templates = pl_component_of_mean(y->left_out, d->w, PL_JACKKNIFE_MIN);
    pl_crossed_of(&out, &of);
    return out;
}

/* Shares of studies whose interval holds: with the wordings, without; their mean width. */
static void cover(double *with, double *without, double *width, const design *d, size_t studies)
{
    double truth = truth_of(d), sum = 0.0;
    size_t held = 0, held_without = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : held, held_without, sum)
    for (size_t i = 0; i < studies; i++) {
        stream r = {.at = (i + 1) * 0xd1342543de82ef95u + d->n * 31 + d->w * 7 + d->s + (uint64_t)(d->wording * 1e6)};
        study *y = malloc(sizeof *y);
        assert_non_null(y);
        simulate(y, d, &r);
        pl_crossed c = interval(y, d, true), of_items = interval(y, d, false);
        held += c.lo <= truth && truth <= c.hi;
        held_without += of_items.lo <= truth && truth <= of_items.hi;
        sum += c.hi - c.lo;
        free(y);
    }
    *with = (double)held / (double)studies;
    *without = (double)held_without / (double)studies;
    *width = sum / (double)studies;
}

static int run_long(size_t studies)
{
    static const size_t ns[] = {200, 600}, ws[] = {4, 8, 16}, ss[] = {3, 5, 10};
    static const double kinds[][3] = {{.3, .4, .2}, {1.2, .4, .2}, {.3, 1.5, .4}, {.9, 1.5, .4}};
    size_t below93 = 0, total = 0;
    int bad = 0;
    printf("   n  W  S truth | SD of wordings, draws | holds, without wordings, width\n");
    for (size_t k = 0; k < 4; k++)
        for (size_t a = 0; a < 2; a++)
            for (size_t b = 0; b < 3; b++)
                for (size_t c = 0; c < 3; c++) {
                    const design d = {ns[a], ws[b], ss[c], kinds[k][0], kinds[k][1], kinds[k][2]};
                    double with, without, width;
                    cover(&with, &without, &width, &d, studies);
                    printf("%4zu %2zu %2zu %.3f | %.1f %.1f | %.3f %.3f %.3f\n", d.n, d.w, d.s, truth_of(&d), d.wording,
                           d.draw, with, without, width);
                    fflush(stdout);
                    total++;
                    below93 += with < 0.93;
                    bad += with < 0.90;
                }
    return bad > 0 || below93 * 20 > total;
}

/* 200 studies have a standard error of .015 at .95. */
static void test_some_designs(void **state)
{
    (void)state;
    static const design designs[] = {{200, 8, 5, .3, .4, .2}, {200, 8, 3, .9, 1.5, .4}};
    for (size_t i = 0; i < 2; i++) {
        double with, without, width;
        cover(&with, &without, &width, &designs[i], 200);
        if (with < 0.95 - 4.0 * 0.0155) fail_msg("%.3f of the intervals hold in design %zu", with, i);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--long")) return run_long(argc > 2 ? (size_t)atoi(argv[2]) : 2000);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_some_designs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
