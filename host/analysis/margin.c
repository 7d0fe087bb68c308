/* The variance of the readout margin, split over items, templates, draws and their interactions
 * (statistics/three_way.h).
 *
 * margin = l(gold) - max over the other labels of l, in nats, from the stored label scores; mean over the orders of a
 * draw, and over the templates of a wording, which are one. Measured on all draws together; intervals by leaving out
 * templates, draws, and clusters in at most CLUSTER_GROUPS groups, each in turn. */
#include <stdlib.h>
#include <string.h>

#include "analysis/scope.h"
#include "statistics/three_way.h"

enum { CLUSTER_GROUPS = 20, PARTS = PL__MARGIN_PARTS };

/* A table [s, t, n] and which of it is left out. */
typedef struct table {
    size_t s, t, n;
    double *values, *part;
    size_t *group; /* [n]: of the items' clusters */
    size_t n_groups;
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
    PL_TRY(pl_new(&x->part, x->s * x->t * x->n));
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

/* Clusters are dealt to groups in turn. */
static pl_status deal(table *x, const pl__subject *s)
{
    const pl_clusters *clusters = &s->group->clusters;
    size_t n = clusters->start ? clusters->n : s->n;
    x->n_groups = n < CLUSTER_GROUPS ? n : CLUSTER_GROUPS;
    PL_TRY(pl_new(&x->group, s->n));
    for (size_t i = 0; !clusters->start && i < s->n; i++) x->group[i] = i % x->n_groups;
    for (size_t c = 0; clusters->start && c < n; c++)
        for (size_t at = clusters->start[c]; at < clusters->start[c + 1]; at++)
            x->group[clusters->items[at]] = c % x->n_groups;
    return PL_OK;
}

/* The components without a draw, a template, a group of clusters; SIZE_MAX: with all. NaN where too little is left. */
static pl_status components(double out[PARTS], const table *x, size_t draw, size_t template, size_t group)
{
    size_t s = 0, t = 0, n = 0, at = 0;
    for (size_t d = 0; d < x->s; d++) {
        if (d == draw) continue;
        s++;
        t = 0;
        for (size_t k = 0; k < x->t; k++) {
            if (k == template) continue;
            t++;
            n = 0;
            for (size_t i = 0; i < x->n; i++) {
                if (x->group[i] == group) continue;
                n++;
                x->part[at++] = x->values[(d * x->t + k) * x->n + i];
            }
        }
    }
    for (size_t p = 0; p < PARTS; p++) out[p] = NAN;
    if (s < 1 || t < 2 || n < 2) return PL_OK;
    pl_mean_squares m;
    PL_TRY(pl_mean_squares_of(&m, x->part, s, t, n));
    pl_three_way v = pl_three_way_of(&m);
    const double parts[PARTS] = {v.item,      v.template_main, v.draw, v.item_template,
                                 v.item_draw, v.template_draw, v.rest};
    memcpy(out, parts, sizeof parts);
    return PL_OK;
}

/* Factors in the order in which components() leaves out. */
enum { DRAWS, TEMPLATES, ITEMS, FACTORS };

static pl_status split(pl_crossed out[PARTS], const table *x)
{
    const size_t levels[FACTORS] = {x->s, x->t, x->n_groups};
    double whole[PARTS], *left = NULL;
    pl_component variance[FACTORS][PARTS] = {{{0.0, 0.0}}};
    size_t most = x->s + x->t + x->n_groups;
    pl_status status;
    PL_GOTO(status, done, components(whole, x, SIZE_MAX, SIZE_MAX, SIZE_MAX));
    PL_GOTO(status, done, pl_new(&left, PARTS * most));
    for (size_t f = 0; f < FACTORS; f++) {
        for (size_t j = 0; j < levels[f] && levels[f] >= PL_JACKKNIFE_MIN; j++) {
            double one[PARTS];
            PL_GOTO(status, done,
                    components(one, x, f == DRAWS ? j : SIZE_MAX, f == TEMPLATES ? j : SIZE_MAX,
                               f == ITEMS ? j : SIZE_MAX));
            for (size_t p = 0; p < PARTS; p++) left[p * most + j] = one[p];
        }
        for (size_t p = 0; p < PARTS; p++) {
            pl_pseudo_values(left + p * most, levels[f], whole[p]);
            pl_component c = pl_component_of_mean(left + p * most, levels[f], PL_JACKKNIFE_MIN);
            if (isfinite(c.variance)) variance[f][p] = c;
            if (f == ITEMS) {
                const pl_crossed_design d = {.value = whole[p],
                                             .n = levels[f],
                                             .items = left + p * most,
                                             .templates = variance[TEMPLATES][p],
                                             .draws = variance[DRAWS][p]};
                pl_crossed_of(&out[p], &d);
            }
        }
    }
done:
    free(left);
    return status;
}

static pl_status make(pl__subject *s)
{
    table x = {0};
    bool ok;
    pl_status status;
    PL_GOTO(status, done, fill(&x, &ok, s));
    for (size_t p = 0; p < PARTS; p++) s->margin[p] = pl__only_value(NAN);
    if (!ok) goto done;
    PL_GOTO(status, done, deal(&x, s));
    PL_GOTO(status, done, split(s->margin, &x));
    for (size_t p = 0; p < PARTS; p++) s->margin[p].n_clusters = s->group->clusters.start ? s->group->clusters.n : s->n;
    s->has_margin = true;
done:
    free(x.values);
    free(x.part);
    free(x.group);
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

static pl_status part(pl__measured *out, const pl__scope *scope, size_t which)
{
    pl__subject *s = scope->subject;
    if (!s->member->q || s->n < 2 || pl__measured_one_wording(out, s)) return PL_OK;
    if (!s->has_margin) PL_TRY(make(s));
    if (!s->has_margin || isnan(s->margin[which].value)) return PL_OK; /* one draw: no part of it is the draws' */
    out->kind = PL__FIXED;
    out->estimate = s->margin[which];
    out->ci_method = "crossed";
    return PL_OK;
}

#define PART(name, which)                                                                                              \
    pl_status pl__metric_margin_##name(pl__measured *out, pl__scope *scope)                                            \
    {                                                                                                                  \
        return part(out, scope, which);                                                                                \
    }
PART(item, 0)
PART(template, 1)
PART(draw, 2)
PART(item_template, 3)
PART(item_draw, 4)
PART(template_draw, 5)
PART(rest, 6)
