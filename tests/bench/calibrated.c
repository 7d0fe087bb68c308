/* Calibrated similarity of all pairs of layers (measure/similarity.h, calibrated.h) with 200 permutations: processor
 * time, states to scores, beside which calibrated.py puts the package's.
 *
 *   bench-calibrated [ITEMS [WIDTH [LAYERS]]]     800 items of width 768, 13 layers, unless said */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "measure/calibrated.h"
#include "measure/similarity.h"

static void need(pl_status status)
{
    if (status == PL_OK) return;
    fprintf(stderr, "bench-calibrated: %s\n", pl_error_text());
    exit(1);
}

/* Every layer of the items, of one side: what the items are, and noise of its own. */
static void make_states(float *x, size_t n, size_t width, uint32_t layer)
{
    for (size_t i = 0; i < n * width; i++)
        x[i] = (float)(pl_random_normal(1, PL_RANDOM_TEST, 0, i) + pl_random_normal(1, PL_RANDOM_TEST, 1 + layer, i));
}

static void print_score(const char *name, double *series, const double *grids, size_t m, pl_grid_part part)
{
    pl_calibrated c;
    for (size_t k = 0; k <= PL_CALIBRATED_PERMUTATIONS; k++) series[k] = pl_grid_value(grids + k * m * m, m, m, part);
    need(pl_calibrated_of(&c, series[0], series + 1, PL_CALIBRATED_PERMUTATIONS));
    printf(" %s %.6f", name, c.score);
}

static void measure(const char *name, pl_similarity similarity, float *const *x, size_t n, size_t width, size_t m)
{
    pl_side a, b;
    pl_calibrated c;
    size_t *orders;
    double *grids, *series;
    need(pl_new(&orders, PL_CALIBRATED_PERMUTATIONS * n));
    need(pl_new(&grids, (1 + PL_CALIBRATED_PERMUTATIONS) * m * m));
    need(pl_new(&series, 1 + PL_CALIBRATED_PERMUTATIONS));
    clock_t start = clock(); /* of all threads */
    need(pl_calibrated_orders(orders, PL_CALIBRATED_PERMUTATIONS, n, NULL));
    need(pl_side_open(&a, similarity, n, m, NULL));
    need(pl_side_open(&b, similarity, n, m, NULL));
    for (size_t k = 0; k < m; k++) need(pl_side_add(&a, x[k], width));
    for (size_t k = 0; k < m; k++) need(pl_side_add(&b, x[m + k], width));
    need(pl_similar_grids(grids, &a, &b, orders, PL_CALIBRATED_PERMUTATIONS));
    for (size_t pair = 0; pair < m * m; pair++) {
        for (size_t k = 0; k <= PL_CALIBRATED_PERMUTATIONS; k++) series[k] = grids[k * m * m + pair];
        need(pl_calibrated_of(&c, series[0], series + 1, PL_CALIBRATED_PERMUTATIONS));
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("%s: %zu items of width %zu, %zu x %zu layers, %d permutations: %.3f s of processor time, %zu MiB; scores:",
           name, n, width, m, m, PL_CALIBRATED_PERMUTATIONS, seconds, 2 * pl_side_bytes(similarity, n, m) >> 20);
    print_score("mean", series, grids, m, PL_GRID_MEAN);
    print_score("largest", series, grids, m, PL_GRID_LARGEST);
    printf("\n");
    pl_side_free(&a);
    pl_side_free(&b);
    free(series);
    free(grids);
    free(orders);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 800, width = argc > 2 ? strtoul(argv[2], NULL, 10) : 768;
    size_t m = argc > 3 ? strtoul(argv[3], NULL, 10) : 13;
    float **x;
    need(pl_new(&x, 2 * m));
    for (size_t k = 0; k < 2 * m; k++) {
        need(pl_new(&x[k], n * width));
        make_states(x[k], n, width, (uint32_t)k);
    }
    measure("cka", PL_SIMILAR_CKA, x, n, width, m);
    measure("mknn", PL_SIMILAR_MKNN, x, n, width, m);
    measure("procrustes", PL_SIMILAR_PROCRUSTES, x, n, width, m);
    for (size_t k = 0; k < 2 * m; k++) free(x[k]);
    free(x);
    return 0;
}
