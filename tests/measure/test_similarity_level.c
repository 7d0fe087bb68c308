/* How often calibrated similarity finds what is not there, and what is: p at most .05, over pairs of layers, whose
 * largest and mean are calibrated as such. Designs: two sides with nothing in common; with the label in common,
 * permuted within labels; with the items in common, faintly; with items in groups, of which one is taken, and all:
 * these find what is not there.
 *
 * Quick: 60 runs a design. `--long`: 300, printed; a level of .05 gives at most .083 of 300 runs, by two and a half
 * standard errors and a little. */
#include "statistics/golden.h"

#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "measure/calibrated.h"
#include "measure/similarity.h"

enum { N = 60, LAYERS = 4, WIDTH = 8, K = PL_CALIBRATED_PERMUTATIONS, RUNS_MAX = 300 };

typedef struct design {
    const char *name;
    double label, item; /* how far the label, and the item, moves the states of both sides */
    bool within_labels, planted;
    size_t group; /* so many items in a row are alike but for a little; 0: none */
    bool apart;   /* one of each is taken */
} design;

static size_t items_of(const design *d)
{
    return d->apart ? N / d->group : N;
}

static bool is_long;

/* Layers of a side are alike: each is the one before, and something new. */
static void make_side(pl_side *out, pl_similarity similarity, const design *d, uint64_t run, uint32_t side)
{
    float x[N * WIDTH] = {0}, taken[N * WIDTH];
    size_t group = d->group ? d->group : 1, n = items_of(d), step = N / n;
    OK(pl_side_open(out, similarity, n, LAYERS, NULL));
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        for (size_t i = 0; i < N * WIDTH; i++) {
            size_t first = i / WIDTH / group * group * WIDTH + i % WIDTH;
            double own = pl_random_normal(run, PL_RANDOM_TEST, 2 + side * LAYERS + layer, i),
                   new = first == i
                             ? own
                             : pl_random_normal(run, PL_RANDOM_TEST, 2 + side * LAYERS + layer, first) + 0.3 * own;
            double label =
                d->label * (i / WIDTH % 2 ? 1.0 : -1.0) * pl_random_normal(run, PL_RANDOM_TEST, 0, i % WIDTH);
            double item = d->item * pl_random_normal(run, PL_RANDOM_TEST, 1, i);
            x[i] = (float)(layer ? 0.7 * (double)x[i] + 0.7 * (new + item) : new + item) + (float)label;
        }
        for (size_t i = 0; i < n; i++) memcpy(taken + i * WIDTH, x + i * step * WIDTH, WIDTH * sizeof *x);
        OK(pl_side_add(out, taken, WIDTH));
    }
}

/* Adds to found[part] whether p is at most .05. */
static void one_run(size_t found[PL_GRID_LARGEST + 1], pl_similarity similarity, const design *d, uint64_t run)
{
    static double grids[(1 + K) * LAYERS * LAYERS];
    size_t *orders, classes[N];
    pl_side x, y;
    OK(pl_new(&orders, K * N));
    for (size_t i = 0; i < N; i++) classes[i] = i % 2;
    OK(pl_calibrated_orders(orders, K, items_of(d), d->within_labels ? classes : NULL));
    make_side(&x, similarity, d, run, 0);
    make_side(&y, similarity, d, run, 1);
    OK(pl_similar_grids(grids, &x, &y, orders, K));
    for (pl_grid_part part = PL_GRID_MEAN; part <= PL_GRID_LARGEST; part++) {
        double series[1 + K];
        pl_calibrated c;
        for (size_t k = 0; k <= K; k++) series[k] = pl_grid_value(grids + k * LAYERS * LAYERS, LAYERS, LAYERS, part);
        OK(pl_calibrated_of(&c, series[0], series + 1, K));
        assert_true((c.score > 0.0) == (c.observed > c.tau));
        found[part] += c.p <= 0.05;
    }
    pl_side_free(&x);
    pl_side_free(&y);
    free(orders);
}

static void test_level(void **state)
{
    (void)state;
    static const design designs[] = {{.name = "nothing in common"},
                                     {.name = "the label, within labels", .label = 1.0, .within_labels = true},
                                     {.name = "the items, faintly", .item = 0.5, .planted = true},
                                     {.name = "nothing, one of a group", .group = 3, .apart = true},
                                     {.name = "nothing, groups taken apart", .group = 3, .planted = true}};
    static const char *const kinds[PL_SIMILARITIES] = {"cka", "mknn", "procrustes"};
    static const char *const parts[] = {"", "mean", "largest"};
    size_t runs = is_long ? RUNS_MAX : 60;
    for (size_t d = 0; d < sizeof designs / sizeof *designs; d++)
        for (pl_similarity k = 0; k < PL_SIMILARITIES; k++) {
            size_t found[PL_GRID_LARGEST + 1] = {0};
            for (size_t run = 0; run < runs; run++) one_run(found, k, &designs[d], 100 + run);
            for (pl_grid_part part = PL_GRID_MEAN; part <= PL_GRID_LARGEST; part++) {
                double share = (double)found[part] / (double)runs, most = is_long ? 0.083 : 0.15;
                if (is_long) printf("%-26s %-10s %-8s found in %.3f\n", designs[d].name, kinds[k], parts[part], share);
                if (designs[d].planted ? share < 0.8 : share > most)
                    fail_msg("%s, %s, %s: found in %.3f", designs[d].name, kinds[k], parts[part], share);
            }
        }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_level)};
    is_long = argc > 1 && !strcmp(argv[1], "--long");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
