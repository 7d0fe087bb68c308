/* The variance of the readout margin, split over items, templates, draws and their interactions
 * (statistics/variance_split.h).
 *
 * margin = l(gold) - max over the other labels of l, in nats, from the stored label scores; mean over the orders of a
 * draw, and over the templates of a wording, which are one. Measured on all draws together. */
#include <stdlib.h>

#include "analysis/scope.h"

/* [s, t, n] */
typedef struct table {
    size_t s, t, n;
    double *values;
} table;

static void margins_of(double *out, bool *ok, const pl__subject *s, const pl__member *member, size_t k)
{
    const pl__group *g = s->group;
    for (size_t i = 0; i < s->n && *ok; i++) {
        size_t n;
        const double *scores = pl__cell_scores(&member->cells[k], i, &n);
        double best = -INFINITY;
        *ok = g->gold[i] >= 0 && (size_t)g->gold[i] < n && n > 1;
        for (size_t l = 0; l < n && *ok; l++)
            if (l != (size_t)g->gold[i]) best = fmax(best, scores[l]);
        out[i] = *ok ? scores[g->gold[i]] - best : NAN;
        *ok = *ok && isfinite(out[i]);
    }
}

static pl_status fill(table *x, bool *ok, const pl__subject *s)
{
    double *margins;
    size_t n_orders;
    *ok = true;
    pl__subject_draw(&x->s, &n_orders, s, 0);
    x->t = s->n_wordings;
    x->n = s->n;
    PL_TRY(pl_new(&x->values, x->s * x->t * x->n));
    PL_TRY(pl_new(&margins, s->n));
    pl_status status = PL_OK;
    for (size_t a = 0; a < s->n_members && *ok && status == PL_OK; a++) {
        size_t n_draws, d = pl__subject_draw(&n_draws, &n_orders, s, a);
        for (size_t k = 0; k < s->t && *ok && status == PL_OK; k++) {
            margins_of(margins, ok, s, s->members[a], k);
            for (size_t i = 0; i < s->n; i++)
                x->values[(d * x->t + s->wording[k]) * x->n + i] += margins[i] / s->variants[k] / (double)n_orders;
        }
    }
    free(margins);
    return status;
}

static pl_status make(pl__subject *s)
{
    table x = {0};
    bool ok;
    pl_status status;
    PL_GOTO(status, done, fill(&x, &ok, s));
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) s->margin[p] = pl__only_value(NAN);
    if (!ok) goto done;
    PL_GOTO(status, done, pl_variance_split_of(s->margin, x.values, x.s, x.t, x.n, &s->group->clusters));
    s->has_margin = true;
done:
    free(x.values);
    return status;
}

/* Of one draw: margins are states of width 1. */
pl_status pl__metric_wobble_margin(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    double *margins = NULL;
    float *values = NULL, **states = NULL;
    pl_variance_sums sums = {0};
    bool ok = s->member->q && s->n >= 2;
    pl_status status = PL_OK;
    if (!ok || pl__measured_one_wording(out, s)) return PL_OK;
    PL_GOTO(status, done, pl_new(&margins, s->n));
    PL_GOTO(status, done, pl_new(&values, s->n * s->n_wordings));
    PL_GOTO(status, done, pl_new(&states, s->n_wordings));
    for (size_t k = 0; k < s->t && ok; k++) {
        float *to = states[s->wording[k]] = values + s->wording[k] * s->n;
        margins_of(margins, &ok, s, s->member, k);
        for (size_t i = 0; i < s->n; i++) to[i] += (float)(margins[i] / s->variants[k]);
    }
    if (!ok) goto done;
    PL_GOTO(status, done, pl_variance_sums_of(&sums, (const float *const *)states, s->n, s->n_wordings, 1, NULL));
    pl__measured_wobble(out, s, &sums);
done:
    pl_variance_sums_free(&sums);
    free(states);
    free(values);
    free(margins);
    return status;
}

static pl_status part(pl__measured *out, const pl__scope *scope, pl_split_part which)
{
    pl__subject *s = scope->subject;
    if (!s->member->q || s->n < 2 || pl__measured_one_wording(out, s)) return PL_OK;
    if (!s->has_margin) PL_TRY(make(s));
    if (!s->has_margin || isnan(s->margin[which].value)) return PL_OK; /* one draw: no part of it is the draws' */
    out->kind = PL__FIXED;
    out->estimate = s->margin[which];
    out->ci_method = "mover";
    if (isnan(out->estimate.lo)) out->why_empty = "no interval: two wordings, draws or groups of items, or no variance";
    return PL_OK;
}

#define PART(name, which)                                                                                              \
    pl_status pl__metric_margin_##name(pl__measured *out, pl__scope *scope)                                            \
    {                                                                                                                  \
        return part(out, scope, which);                                                                                \
    }
PART(item, PL_SPLIT_ITEM)
PART(template, PL_SPLIT_TEMPLATE)
PART(draw, PL_SPLIT_DRAW)
PART(item_template, PL_SPLIT_ITEM_TEMPLATE)
PART(item_draw, PL_SPLIT_ITEM_DRAW)
PART(template_draw, PL_SPLIT_TEMPLATE_DRAW)
PART(rest, PL_SPLIT_REST)
