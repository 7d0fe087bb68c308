/* Calibrated similarity of two conditions (measure/calibrated.h): processor time of debiased CKA and of mutual
 * neighbours with 200 permutations, beside which calibrated.py puts the package's.
 *
 *   bench-calibrated [ITEMS [WIDTH]]     800 items of width 768 unless said */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "measure/calibrated.h"

static void need(pl_status status)
{
    if (status == PL_OK) return;
    fprintf(stderr, "bench-calibrated: %s\n", pl_error_text());
    exit(1);
}

static void measure(const char *name, pl_status (*similarity)(pl_calibrated *, const pl_permuted *),
                    const pl_permuted *of)
{
    pl_calibrated c;
    clock_t start = clock(); /* of all threads */
    need(similarity(&c, of));
    printf("%s: %zu items of width %zu, %zu permutations: %.3f s of processor time, score %.6f\n", name, of->n,
           of->width, of->n_orders, (double)(clock() - start) / CLOCKS_PER_SEC, c.score);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 800, width = argc > 2 ? strtoul(argv[2], NULL, 10) : 768;
    float *x;
    size_t *orders;
    need(pl_new(&x, 2 * n * width));
    need(pl_new(&orders, PL_CALIBRATED_PERMUTATIONS * n));
    for (size_t i = 0; i < 2 * n * width; i++)
        x[i] = (float)(pl_random_normal(1, PL_RANDOM_TEST, 0, i % (n * width)) +
                       pl_random_normal(1, PL_RANDOM_TEST, 1, i));
    for (size_t k = 0; k < PL_CALIBRATED_PERMUTATIONS; k++)
        pl_random_permutation(orders + k * n, n, 1, PL_RANDOM_PERMUTE, (uint32_t)k);
    const float *const states[] = {x, x + n * width};
    const pl_permuted of = {states, n, 2, width, orders, PL_CALIBRATED_PERMUTATIONS};
    measure("cka", pl_cka_calibrated, &of);
    measure("mknn", pl_mknn_calibrated, &of);
    free(orders);
    free(x);
    return 0;
}
