#include "statistics/max_t.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "statistics/interval.h"

enum { WILSON_HILFERTY_MIN = 30 }; /* degrees of freedom from which one normal number gives chi^2 */

typedef struct replicates {
    const pl_max_t *of;
    double *deviation[PL_MAX_T_FACTORS]; /* [n, levels], over sqrt(m (m - 1)) */
    double *variance[PL_MAX_T_FACTORS];  /* [n] of the mean */
    double *multiplier, *sum, *squares;  /* [levels of the largest factor], [n], [n] */
    size_t *order;                       /* [n] of estimates that are tested, |T| descending */
    size_t n_tested, *count;             /* [n] replicates that reach T */
    uint64_t seed;
} replicates;

static void set_deviations(replicates *r, size_t factor)
{
    const pl_max_t *of = r->of;
    size_t m = of->levels[factor];
    double scale = 1.0 / sqrt((double)m * ((double)m - 1.0));
    for (size_t e = 0; e < of->n; e++) {
        const double *values = of->values[factor] + e * m;
        double mean = pl_mean(values, m);
        for (size_t j = 0; j < m; j++) {
            double deviation = (values[j] - mean) * scale;
            r->deviation[factor][e * m + j] = deviation;
            r->variance[factor][e] += deviation * deviation;
        }
    }
}

static pl_status open_replicates(replicates *r)
{
    const pl_max_t *of = r->of;
    size_t most = 0;
    for (size_t f = 0; f < PL_MAX_T_FACTORS; f++) {
        if (of->levels[f] < 2) continue;
        most = of->levels[f] > most ? of->levels[f] : most;
        PL_TRY(pl_new(&r->deviation[f], of->n * of->levels[f]));
        PL_TRY(pl_new(&r->variance[f], of->n));
        set_deviations(r, f);
    }
    PL_TRY(pl_new(&r->multiplier, most));
    PL_TRY(pl_new(&r->sum, of->n));
    PL_TRY(pl_new(&r->squares, of->n));
    PL_TRY(pl_new(&r->count, of->n));
    return pl_new(&r->order, of->n);
}

static void close_replicates(replicates *r)
{
    for (size_t f = 0; f < PL_MAX_T_FACTORS; f++) {
        free(r->deviation[f]);
        free(r->variance[f]);
    }
    free(r->multiplier);
    free(r->sum);
    free(r->squares);
    free(r->count);
    free(r->order);
}

/* chi^2/df of what the factor's multipliers say of their own variance, independent of their weighted sums. */
static double variance_factor(const replicates *r, size_t factor, size_t replicate)
{
    size_t df = r->of->levels[factor] - 1;
    uint32_t stream = (uint32_t)(PL_MAX_T_FACTORS + factor);
    double sum = 0.0, spread = 2.0 / (9.0 * (double)df);
    if (df > WILSON_HILFERTY_MIN)
        return pow(1.0 - spread + sqrt(spread) * pl_random_normal(r->seed, PL_RANDOM_PERMUTE, stream, replicate), 3.0);
    for (size_t j = 0; j < df; j++) {
        double x = pl_random_normal(r->seed, PL_RANDOM_PERMUTE, stream, replicate * df + j);
        sum += x * x;
    }
    return sum / (double)df;
}

/* T* of every estimate into r->sum. */
static void replicate(replicates *r, size_t which)
{
    const pl_max_t *of = r->of;
    for (size_t e = 0; e < of->n; e++) r->sum[e] = r->squares[e] = 0.0;
    for (size_t f = 0; f < PL_MAX_T_FACTORS; f++) {
        size_t m = of->levels[f];
        if (m < 2) continue;
        for (size_t j = 0; j < m; j++)
            r->multiplier[j] = pl_random_normal(r->seed, PL_RANDOM_PERMUTE, (uint32_t)f, which * m + j);
        double factor = variance_factor(r, f, which);
        for (size_t e = 0; e < of->n; e++) {
            const double *deviation = r->deviation[f] + e * m;
            double sum = 0.0;
            for (size_t j = 0; j < m; j++) sum += deviation[j] * r->multiplier[j];
            r->sum[e] += sum;
            r->squares[e] += r->variance[f][e] * factor;
        }
    }
    for (size_t e = 0; e < of->n; e++) r->sum[e] = r->squares[e] > 0.0 ? fabs(r->sum[e]) / sqrt(r->squares[e]) : 0.0;
}

/* By insertion: there are as many as layers. */
static void set_order(replicates *r)
{
    const double *t = r->of->t;
    for (size_t e = 0; e < r->of->n; e++) {
        if (isnan(t[e])) continue;
        size_t at = r->n_tested++;
        for (; at > 0 && fabs(t[r->order[at - 1]]) < fabs(t[e]); at--) r->order[at] = r->order[at - 1];
        r->order[at] = e;
    }
}

pl_status pl_max_t_p(double *p, const pl_max_t *of, uint64_t seed)
{
    replicates r = {.of = of, .seed = seed};
    pl_status status;
    for (size_t e = 0; e < of->n; e++) p[e] = NAN;
    PL_GOTO(status, done, open_replicates(&r));
    set_order(&r);
    for (size_t b = 0; b < PL_MAX_T_REPLICATES && r.n_tested; b++) {
        double largest = 0.0;
        replicate(&r, b);
        for (size_t at = r.n_tested; at-- > 0;) { /* the largest of those that are not above */
            largest = fmax(largest, r.sum[r.order[at]]);
            r.count[at] += largest >= fabs(of->t[r.order[at]]);
        }
    }
    double least = 0.0;
    for (size_t at = 0; at < r.n_tested; at++) {
        least = fmax(least, (1.0 + (double)r.count[at]) / (1.0 + PL_MAX_T_REPLICATES));
        p[r.order[at]] = least;
    }
done:
    close_replicates(&r);
    return status;
}
