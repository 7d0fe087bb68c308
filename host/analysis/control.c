/* Metrics that are controls of others: how far predictions move with the draw alone, and what the labels' shares after
 * content-free inputs would get right. */
#include <math.h>
#include <stdlib.h>

#include "analysis/scope.h"

/* ---- the same template, another draw ---- */

/* The first member of each draw. */
static size_t draws_of(const pl__member **out, const pl__subject *s)
{
    size_t n = 0;
    for (size_t a = 0; a < s->n_members; a++) {
        size_t d = 0;
        while (d < n && out[d]->draw != s->members[a]->draw) d++;
        if (d == n) out[n++] = s->members[a];
    }
    return n;
}

/* The share of pairs of draws, but for `without`, that predict differently for an item under a template. */
static double differ(const pl__member *const *draws, size_t n, size_t without, size_t item, size_t t, size_t k)
{
    size_t pairs = 0, unlike = 0;
    for (size_t a = 0; a < n; a++)
        for (size_t b = a + 1; b < n; b++) {
            if (a == without || b == without) continue;
            pairs++;
            unlike += draws[a]->codes[item * t + k] != draws[b]->codes[item * t + k];
        }
    return (double)unlike / (double)pairs;
}

static pl_status flips(pl__measured *out, const pl__subject *s, const pl__member *const *draws, size_t n_draws)
{
    double *left_out, value = 0, cells = (double)(s->n * s->t);
    PL_TRY(pl_arena_new(s->arena, &left_out, n_draws));
    for (size_t k = 0; k < s->n_wordings; k++) s->templates[k] = 0;
    for (size_t i = 0; i < s->n; i++) {
        s->items[i] = 0;
        for (size_t k = 0; k < s->t; k++) {
            double all = differ(draws, n_draws, SIZE_MAX, i, s->t, k);
            s->items[i] += all / (double)s->t;
            s->templates[s->wording[k]] += all / s->variants[k] / (double)s->n;
            value += all / cells;
            for (size_t d = 0; n_draws >= PL_JACKKNIFE_MIN && d < n_draws; d++)
                left_out[d] += differ(draws, n_draws, d, i, s->t, k) / cells;
        }
    }
    pl_pseudo_values(left_out, n_draws, value);
    const pl_crossed_design design = {.value = value,
                                      .n = s->n,
                                      .items = s->items,
                                      .clusters = s->group->clusters,
                                      .templates = pl_component_of_mean(s->templates, s->n_wordings, 2),
                                      .draws = pl_component_of_mean(left_out, n_draws, PL_JACKKNIFE_MIN),
                                      .ends = 1,
                                      .low = 0,
                                      .high = pl__flips_most(n_draws, s->group->n_categories)};
    out->kind = PL__FIXED;
    out->ci_method = "crossed";
    pl_crossed_of(&out->estimate, &design);
    return PL_OK;
}

pl_status pl__metric_flip_draws(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    const pl__member **draws;
    PL_TRY(pl_arena_new(s->arena, &draws, s->n_members));
    size_t n = draws_of(draws, s);
    return n > 1 && s->n > 1 ? flips(out, s, draws, n) : PL_OK;
}

/* ---- content-free inputs ---- */

/* The labels' mean shares after content-free inputs, which calibration takes off as logarithms. */
static const double *log_shares(const pl__scope *scope, size_t k)
{
    const pl__subject *s = scope->subject;
    const pl_run_unit *u = s->member->cells[scope->templates[k]].unit;
    return s->group->m > 0 && u->n_free == s->group->m && !s->group->own_choices ? u->bias : NULL;
}

static bool all_have_shares(const pl__scope *scope)
{
    for (size_t k = 0; k < scope->t; k++)
        if (!log_shares(scope, k)) return false;
    return true;
}

pl_status pl__metric_free_acc(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    if (!all_have_shares(scope)) return PL_OK;
    for (size_t i = 0; i < s->n; i++) s->items[i] = 0;
    for (size_t k = 0; k < scope->t; k++) {
        const double *shares = log_shares(scope, k);
        size_t best = 0, right = 0;
        for (size_t l = 1; l < s->group->m; l++)
            if (shares[l] > shares[best]) best = l;
        for (size_t i = 0; i < s->n; i++) {
            bool is = s->group->gold[i] >= 0 && (size_t)s->group->gold[i] == best;
            s->items[i] += (double)is / (double)scope->t;
            right += is;
        }
        s->templates[k] = (double)right / (double)s->n;
    }
    out->kind = scope->t == 1 ? PL__SHARE : PL__ITEMS;
    out->templates = scope->t == 1 ? PL__NO_TEMPLATES : PL__TEMPLATE_MEANS;
    out->null_mean = s->group->chance;
    return PL_OK;
}

/* The items have no part in it. */
pl_status pl__metric_free_entropy(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    double mean = 0;
    if (!all_have_shares(scope)) return PL_OK;
    for (size_t k = 0; k < scope->t; k++) {
        const double *shares = log_shares(scope, k);
        s->templates[k] = 0;
        for (size_t l = 0; l < s->group->m; l++) s->templates[k] -= exp(shares[l]) * shares[l] / log(2.0);
        mean += s->templates[k] / (double)scope->t;
    }
    for (size_t i = 0; i < s->n; i++) s->items[i] = mean;
    out->kind = PL__ITEMS;
    out->templates = scope->t == 1 ? PL__NO_TEMPLATES : PL__TEMPLATE_MEANS;
    out->null_mean = log2((double)s->group->m);
    return PL_OK;
}
