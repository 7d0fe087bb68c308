/* Similarity of two templates' states, calibrated by permutations (measure/calibrated.h): where probes are made. */
#include <stdlib.h>

#include "analysis/scope.h"
#include "base/random.h"
#include "measure/calibrated.h"

enum { ITEMS_MAX = 256 }; /* a permutation takes n^2 steps */

/* The same permutations in all layers of a run, so that layers can be held against one another. */
static pl_status make_orders(size_t **out, size_t n)
{
    PL_TRY(pl_new(out, PL_CALIBRATED_PERMUTATIONS * n));
    for (size_t k = 0; k < PL_CALIBRATED_PERMUTATIONS; k++)
        pl_random_permutation(*out + k * n, n, 1, PL_RANDOM_PERMUTE, (uint32_t)k);
    return PL_OK;
}

static pl_status calibrate(pl__measured *out, const pl__scope *scope,
                           pl_status (*similarity)(pl_calibrated *, const pl_permuted *))
{
    const pl__subject *s = scope->subject;
    size_t *orders, n = s->n < ITEMS_MAX ? s->n : ITEMS_MAX;
    pl_calibrated c;
    if (!s->layer->probed || n < 4) return PL_OK;
    PL_TRY(make_orders(&orders, n));
    const pl_permuted of = {.states = (const float *const *)s->layer->states,
                            .n = n,
                            .t = s->t,
                            .width = s->layer->width,
                            .orders = orders,
                            .n_orders = PL_CALIBRATED_PERMUTATIONS};
    pl_status status = similarity(&c, &of);
    free(orders);
    PL_TRY(status);
    out->kind = PL__FIXED;
    out->n = n;
    out->estimate = pl__only_value(c.score);
    out->null_mean = c.null_mean;
    out->null_sd = c.null_sd;
    out->null_q95 = c.tau;
    out->p = c.p;
    out->why_empty = isnan(c.score) ? "no variance" : "calibrated by permutations: its test is in p";
    if (n < s->n) PL_TRY(pl__measured_note(out, scope, "%zu of %zu items, by chance", n, s->n));
    return isnan(c.score) ? PL_OK : pl__measured_note(out, scope, "before calibration %.4f", c.observed);
}

pl_status pl__metric_cka_cal(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, pl_cka_calibrated);
}

pl_status pl__metric_mknn_cal(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, pl_mknn_calibrated);
}
