/* Mutual nearest neighbours of all pairs under a permutation: a count over tables (similarity.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "measure/gram.h"
#include "measure/similarity_parts.h"

enum { WORD_BITS = 64 };

static size_t neighbours_of(size_t n)
{
    return n - 1 < PL_MUTUAL_NEIGHBOURS ? n - 1 : PL_MUTUAL_NEIGHBOURS;
}

static size_t words_of(size_t conditions)
{
    return (conditions + WORD_BITS - 1) / WORD_BITS;
}

static size_t bytes(size_t n, size_t capacity)
{
    return pl_size_sum(pl_size_product(pl_size_product(n, n), words_of(capacity) * sizeof(uint64_t)),
                       pl_size_product(pl_size_product(n, capacity), neighbours_of(n) * sizeof(uint32_t)));
}

static pl_status open(pl_side *side)
{
    size_t square, near, list;
    side->k = neighbours_of(side->n);
    side->words = words_of(side->capacity);
    PL_TRY(pl_mul_size(&square, side->n, side->n, "a table of neighbours"));
    PL_TRY(pl_mul_size(&near, square, side->words, "a table of neighbours"));
    PL_TRY(pl_mul_size(&list, side->n * side->k, side->capacity, "neighbours"));
    PL_TRY(pl_new(&side->neighbours, list));
    return pl_new(&side->near, near);
}

/* |x_i - mean|^2 */
static void squared_norms(double *norm, double *mean, const float *x, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++) mean[d] += (double)x[i * width + d] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++) {
            double deviation = (double)x[i * width + d] - mean[d];
            norm[i] += deviation * deviation;
        }
}

/* The k nearest of item i by cosine, of which i's own norm is common to all; cosine [k]: scratch. */
static void nearest(uint32_t *out, double *cosine, const double *row, const double *norm, size_t i, size_t n, size_t k)
{
    size_t found = 0;
    for (size_t j = 0; j < n; j++) {
        if (j == i) continue;
        double own = norm[j] > 0.0 ? row[j] / sqrt(norm[j]) : 0.0;
        size_t at = found < k ? found : k;
        while (at > 0 && cosine[at - 1] < own) at--;
        if (at == k) continue;
        found += found < k;
        memmove(cosine + at + 1, cosine + at, (found - 1 - at) * sizeof *cosine);
        memmove(out + at + 1, out + at, (found - 1 - at) * sizeof *out);
        cosine[at] = own;
        out[at] = (uint32_t)j;
    }
}

static pl_status add(pl_side *side, const float *states, size_t width)
{
    size_t n = side->n, k = side->k, word = side->m / WORD_BITS;
    double *gram = NULL, *mean = NULL, *norm = NULL, cosine[PL_MUTUAL_NEIGHBOURS], all = 0.0;
    uint32_t *own = side->neighbours + side->m * n * k;
    pl_status status;
    PL_GOTO(status, done, pl_new(&gram, n * n));
    PL_GOTO(status, done, pl_new(&mean, width));
    PL_GOTO(status, done, pl_new(&norm, n));
    PL_GOTO(status, done, pl_gram(gram, states, n, width, side->on)); /* its diagonal is 0 */
    squared_norms(norm, mean, states, n, width);
    for (size_t i = 0; i < n * n; i++) all += fabs(gram[i]);
    side->varies[side->m] = all > 0.0; /* by the Gram matrix, where constant states are exactly 0 */
    for (size_t i = 0; i < n; i++) {
        nearest(own + i * k, cosine, gram + i * n, norm, i, n, k);
        for (size_t m = 0; m < k; m++)
            side->near[(i * n + own[i * k + m]) * side->words + word] |= UINT64_C(1) << side->m % WORD_BITS;
    }
done:
    free(norm);
    free(mean);
    free(gram);
    return status;
}

/* Where each item went: [n]. */
static size_t work_size(const pl_side *x, const pl_side *y)
{
    (void)x;
    return y->n;
}

/* Adds 1 to the grid's column b for each condition of x that has j among i's neighbours. */
static void count(double *grid, const pl_side *x, size_t i, size_t j, size_t columns, size_t b)
{
    const uint64_t *near = x->near + (i * x->n + j) * x->words;
    for (size_t w = 0; w < x->words; w++)
        for (uint64_t left = near[w]; left; left &= left - 1)
            grid[(w * WORD_BITS + (size_t)__builtin_ctzll(left)) * columns + b] += 1.0;
}

/* Item i of y is the one that stood at order[i]: its neighbours are where theirs went. */
static void grid_of(double *grid, const pl_side *x, const pl_side *y, const size_t *order, void *work)
{
    size_t n = x->n, k = y->k, *place = work;
    for (size_t i = 0; i < x->m * y->m; i++) grid[i] = 0.0;
    for (size_t i = 0; i < n; i++) place[order[i]] = i;
    for (size_t b = 0; b < y->m; b++)
        for (size_t i = 0; i < n; i++) {
            const uint32_t *own = y->neighbours + (b * n + order[i]) * k;
            for (size_t m = 0; m < k; m++) count(grid, x, i, place[own[m]], y->m, b);
        }
    for (size_t i = 0; i < x->m * y->m; i++) grid[i] /= (double)(n * k);
}

const pl__similar_kind pl__similar_mknn = {bytes, open, add, work_size, grid_of};
