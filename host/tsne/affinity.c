#include "tsne/affinity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lanes.h"
#include "base/memory.h"

static const double ENTROPY_TOLERANCE = 1e-10;
enum { MAX_STEPS = 200 };

/* A neighbour of a point, with what one gives the other. */
typedef struct entry {
    int32_t column;
    double value;
} entry;

/* p[k] of squared distances (the least one taken off), and their entropy in nats. */
static double distribution(double *p, const double *squared, size_t k, double beta)
{
    double sum = 0.0, weighted = 0.0;
    for (size_t j = 0; j < k; j++) {
        p[j] = exp(-beta * squared[j]);
        sum += p[j];
        weighted += p[j] * squared[j];
    }
    for (size_t j = 0; j < k; j++) p[j] /= sum;
    return log(sum) + beta * weighted / sum;
}

/* Bisection, by doubling or halving as long as one side is open. The entropy falls in beta, from ln k to ln(number of
 * nearest ones): where even the latter is above ln(perplexity), beta grows until nothing changes any more. */
static double calibrate(double *p, double *squared, size_t k, double perplexity)
{
    double low = 0.0, high = INFINITY, least = squared[0], mean = 0.0, beta;
    for (size_t j = 1; j < k; j++) least = fmin(least, squared[j]);
    for (size_t j = 0; j < k; j++) {
        squared[j] -= least;
        mean += squared[j] / (double)k;
    }
    beta = mean > 0.0 ? 1.0 / mean : 1.0;
    for (int step = 0; step < MAX_STEPS && mean > 0.0; step++) {
        const double excess = distribution(p, squared, k, beta) - log(perplexity);
        if (fabs(excess) <= ENTROPY_TOLERANCE) return beta;
        if (excess > 0.0)
            low = beta;
        else
            high = beta;
        const double next = isinf(high) ? 2.0 * beta : 0.5 * (low + high);
        if (next == beta || isinf(next)) break;
        beta = next;
    }
    (void)distribution(p, squared, k, beta);
    return beta;
}

static void conditional(double *p, double *beta, const pl_points *points, const int32_t *near, size_t k,
                        double perplexity, double *squared, size_t i)
{
    const float *x = points->x + i * points->width;
    for (size_t j = 0; j < k; j++) {
        const float *other = points->x + (size_t)near[j] * points->width;
        squared[j] = 0.0;
        for (size_t d = 0; d < points->width; d++) {
            const double apart = (double)x[d] - (double)other[d];
            squared[j] += apart * apart;
        }
    }
    beta[i] = calibrate(p, squared, k, perplexity);
}

static int by_column(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->column > y->column) - (x->column < y->column);
}

/* One row of the sum of p and its transpose: what it gives and what it gets, merged. The number of different columns.
 */
static size_t merge(entry *row, size_t n)
{
    size_t kept = 0;
    qsort(row, n, sizeof *row, by_column);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && row[kept - 1].column == row[i].column)
            row[kept - 1].value += row[i].value;
        else
            row[kept++] = row[i];
    }
    return kept;
}

/* first[i]: where the row of i begins when each of its neighbours, and each point that has it as one, takes a place. */
static pl_status lay_out(size_t **first, const int32_t *near, size_t n, size_t k)
{
    PL_TRY(pl_new(first, n + 1));
    for (size_t i = 0; i < n * k; i++) (*first)[(size_t)near[i] + 1]++;
    for (size_t i = 0; i < n; i++) (*first)[i + 1] += (*first)[i] + k;
    return PL_OK;
}

/* The merged rows into padded ones. */
static pl_status put_rows(pl_affinity *out, const entry *entries, const size_t *first, const size_t *sizes)
{
    const size_t n = out->n;
    PL_TRY(pl_new(&out->start, n + 1));
    for (size_t i = 0; i < n; i++) out->start[i + 1] = out->start[i] + pl__whole_lanes(sizes[i]);
    out->n_values = out->start[n];
    PL_TRY(pl_new(&out->column, out->n_values));
    PL_TRY(pl_new(&out->value, out->n_values));
    for (size_t i = 0; i < n; i++) {
        for (size_t at = out->start[i], j = 0; at < out->start[i + 1]; at++, j++) {
            const entry *e = &entries[first[i] + j];
            out->column[at] = j < sizes[i] ? e->column : (int32_t)i;
            out->value[at] = j < sizes[i] ? (float)(e->value / (2.0 * (double)n)) : 0.0f;
        }
    }
    return PL_OK;
}

static pl_status symmetrise(pl_affinity *out, const double *p, const int32_t *near, size_t k)
{
    const size_t n = out->n;
    size_t *first = NULL, *sizes = NULL;
    entry *entries = NULL;
    pl_status status;
    PL_GOTO(status, done, lay_out(&first, near, n, k));
    PL_GOTO(status, done, pl_new(&sizes, n));
    PL_GOTO(status, done, pl_new(&entries, first[n]));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < k; j++) {
            const size_t other = (size_t)near[i * k + j];
            entries[first[i] + sizes[i]++] = (entry){near[i * k + j], p[i * k + j]};
            entries[first[other] + sizes[other]++] = (entry){(int32_t)i, p[i * k + j]};
        }
    }
#pragma omp parallel for schedule(dynamic, 64)
    for (size_t i = 0; i < n; i++) sizes[i] = merge(entries + first[i], sizes[i]);
    status = put_rows(out, entries, first, sizes);
done:
    free(entries);
    free(sizes);
    free(first);
    return status;
}

pl_status pl_affinity_of(pl_affinity *out, const pl_points *points, const int32_t *near, size_t k, double perplexity)
{
    double *p = NULL, *squared = NULL;
    size_t size = 0;
    pl_status status;
    *out = (pl_affinity){.n = points->n};
    PL_GOTO(status, done, pl_mul_size(&size, points->n, k, "affinities"));
    PL_GOTO(status, done, pl_new(&p, size));
    PL_GOTO(status, done, pl_new(&squared, size));
    PL_GOTO(status, done, pl_new(&out->beta, points->n));
#pragma omp parallel for schedule(dynamic, 64)
    for (size_t i = 0; i < points->n; i++)
        conditional(p + i * k, out->beta, points, near + i * k, k, perplexity, squared + i * k, i);
    status = symmetrise(out, p, near, k);
done:
    free(squared);
    free(p);
    if (status != PL_OK) pl_affinity_free(out);
    return status;
}

void pl_affinity_free(pl_affinity *affinity)
{
    free(affinity->start);
    free(affinity->column);
    free(affinity->value);
    free(affinity->beta);
    *affinity = (pl_affinity){0};
}
