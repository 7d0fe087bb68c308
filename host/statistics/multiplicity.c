#include "statistics/multiplicity.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

typedef struct ranked {
    double p;
    size_t place;
} ranked;

static int by_p(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* The hypotheses in order of p; *m of them. NaN goes to `adjusted` as it is. */
static pl_status rank(ranked **out, size_t *m, double *adjusted, const double *p, size_t n)
{
    PL_TRY(pl_new(out, n));
    *m = 0;
    for (size_t i = 0; i < n; i++) {
        adjusted[i] = p[i];
        if (!isnan(p[i])) (*out)[(*m)++] = (ranked){p[i], i};
    }
    if (*m > 1) qsort(*out, *m, sizeof **out, by_p);
    return PL_OK;
}

pl_status pl_holm(double *adjusted, const double *p, size_t n)
{
    ranked *order;
    size_t m;
    double last = 0.0;
    PL_TRY(rank(&order, &m, adjusted, p, n));
    for (size_t i = 0; i < m; i++) {
        last = fmax(last, fmin(1.0, order[i].p * (double)(m - i)));
        adjusted[order[i].place] = last;
    }
    free(order);
    return PL_OK;
}

pl_status pl_benjamini_hochberg(double *adjusted, const double *p, size_t n)
{
    ranked *order;
    size_t m;
    double last = 1.0;
    PL_TRY(rank(&order, &m, adjusted, p, n));
    for (size_t i = m; i-- > 0;) {
        last = fmin(last, order[i].p * (double)m / (double)(i + 1));
        adjusted[order[i].place] = last;
    }
    free(order);
    return PL_OK;
}

/* Twice the smaller tail of Binomial(n, 1/2), at most 1. */
double pl_mcnemar(size_t first, size_t second)
{
    size_t n = first + second, least = first < second ? first : second;
    double sum = 0.0, all = lgamma((double)n + 1.0) - (double)n * log(2.0);
    for (size_t k = 0; k <= least; k++) sum += exp(all - lgamma((double)k + 1.0) - lgamma((double)(n - k) + 1.0));
    return fmin(1.0, 2.0 * sum);
}
