#include "experiment/draw.h"

#include <stdlib.h>

#include "base/random.h"

pl_status pl_draw_permutation(size_t *out, const size_t *classes, size_t n, uint64_t seed, uint32_t draw)
{
    if (!classes) {
        pl_random_permutation(out, n, seed, PL_RANDOM_DRAW, draw);
        return PL_OK;
    }
    size_t n_classes = 0;
    for (size_t i = 0; i < n; i++)
        if (classes[i] >= n_classes) n_classes = classes[i] + 1;
    size_t *shuffled = NULL, *next = NULL, *turn = NULL, n_out = 0;
    pl_status status;
    PL_GOTO(status, done, pl_new(&shuffled, n));
    PL_GOTO(status, done, pl_new(&next, n_classes));
    PL_GOTO(status, done, pl_new(&turn, n_classes));
    pl_random_permutation(shuffled, n, seed, PL_RANDOM_DRAW, draw);
    /* Each round deals one item of every class that has any left, the classes in a random order. */
    for (uint32_t round = 0; n_out < n; round++) {
        /* Streams 2^31.. are the rounds' own, so that they share no number with the draws' permutations. */
        uint64_t round_seed = seed ^ ((uint64_t)draw << 32);
        pl_random_permutation(turn, n_classes, round_seed, PL_RANDOM_DRAW, 0x80000000u | round);
        for (size_t t = 0; t < n_classes; t++) {
            size_t c = turn[t];
            while (next[c] < n && classes[shuffled[next[c]]] != c) next[c]++;
            if (next[c] < n) out[n_out++] = shuffled[next[c]++];
        }
    }
done:
    free(turn);
    free(next);
    free(shuffled);
    return status;
}

pl_status pl_draw_order(size_t *shots, size_t k, uint64_t seed, uint32_t draw, uint32_t order)
{
    if (order == 0 || k < 2) return PL_OK;
    size_t *permutation = NULL, *old = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&permutation, k));
    PL_GOTO(status, done, pl_new(&old, k));
    for (size_t i = 0; i < k; i++) old[i] = shots[i];
    pl_random_permutation(permutation, k, seed ^ ((uint64_t)draw << 32), PL_RANDOM_ORDER, order);
    for (size_t i = 0; i < k; i++) shots[i] = old[permutation[i]];
done:
    free(old);
    free(permutation);
    return status;
}

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

pl_status pl_draw_items(size_t *out, size_t *n_out, size_t n, size_t wanted, uint64_t seed)
{
    pl_random_permutation(out, n, seed, PL_RANDOM_ITEMS, 0);
    *n_out = wanted < n ? wanted : n;
    qsort(out, *n_out, sizeof *out, ascending);
    return PL_OK;
}
