/* Metrics of accuracy over templates that are measured on all draws together: worst template, and, of wordings (means
 * over those templates that differ in label words alone), SDs and spread. */
#include <stdlib.h>

#include "analysis/scope.h"
#include "statistics/permutation.h"

static const char *const LESS_THAN_NOISE = "no interval: they differ less than the noise of the items";

static void chance_null(pl__measured *out, const pl__scope *scope)
{
    if (scope->subject->group->unit->generates)
        out->null_why = "generated answers have no chance level";
    else
        out->null_mean = scope->subject->group->chance;
}

/* Right answers under a template: means of items over members, means of the draws (over their orders), and how many are
 * right. */
static size_t of_template(double *items, double *draws, size_t *n_draws, const pl__subject *s, size_t template)
{
    size_t total = 0;
    for (size_t i = 0; i < s->n; i++) items[i] = 0.0;
    for (size_t a = 0; a < s->n_members; a++) draws[a] = 0.0;
    for (size_t a = 0; a < s->n_members; a++) {
        size_t count = 0, n_orders, d = pl__subject_draw(n_draws, &n_orders, s, a);
        for (size_t i = 0; i < s->n; i++) {
            count += s->members[a]->correct[i * s->t + template];
            items[i] += (double)s->members[a]->correct[i * s->t + template] / (double)s->n_members;
        }
        draws[d] += (double)count / (double)(s->n * n_orders);
        total += count;
    }
    return total;
}

/* The interval of one template with `tail` above it, .025 below it. */
static pl_status template_bounds(double *lo, double *hi, bool *over_draws, const pl__scope *scope, size_t template,
                                 double *draws, double tail)
{
    const pl__subject *s = scope->subject;
    const pl_clusters *clusters = &s->group->clusters;
    size_t n_draws, count = of_template(s->items, draws, &n_draws, s, template);
    if (s->n_members == 1 && !clusters->start) {
        *lo = pl_wilson(count, s->n).lo;
        *hi = pl_wilson_at(count, s->n, tail).hi;
        return PL_OK;
    }
    pl_crossed c;
    const pl_crossed_design d = {.value = pl_mean(s->items, s->n),
                                 .n = s->n,
                                 .items = s->items,
                                 .clusters = *clusters,
                                 .draws = pl_component_of_mean(draws, n_draws, PL_DRAWS_MIN),
                                 .ends = 1.0,
                                 .high = 1.0};
    pl_crossed_of(&c, &d);
    *lo = fmax(0.0, c.lo);
    *hi = fmin(1.0, pl_crossed_bound(&c, 1.0 - tail));
    *over_draws = c.over_draws;
    return PL_OK;
}

/* [least lower bound, least upper bound], the upper ones at .025/T each: the least is below all of them. */
pl_status pl__metric_acc_worst(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    double lowest = INFINITY, *draws;
    size_t worst = 0;
    pl_crossed e = pl__only_value(NAN);
    PL_TRY(pl_new(&draws, s->n_members));
    e.lo = e.hi = INFINITY;
    e.n_clusters = s->group->clusters.n;
    for (size_t k = 0; k < scope->t; k++) {
        double lo, hi;
        PL_TRY(template_bounds(&lo, &hi, &e.over_draws, scope, scope->templates[k], draws, 0.025 / (double)scope->t));
        double value = pl_mean(s->items, s->n);
        e.lo = fmin(e.lo, lo);
        e.hi = fmin(e.hi, hi);
        if (value >= lowest) continue;
        lowest = value;
        worst = scope->templates[k];
    }
    free(draws);
    e.value = lowest;
    if (!e.over_draws) {
        e.lo_these = e.lo;
        e.hi_these = e.hi;
    }
    out->kind = PL__FIXED;
    out->estimate = e;
    out->ci_method = "least of wordings";
    chance_null(out, scope);
    return pl__measured_note(out, scope, "template '%s'", s->member->cells[worst].unit->template_name);
}

/* An SD with its F interval, which knows no upper end. */
static pl_crossed sd_row(const pl__subject *s, double value, pl_estimate interval, size_t levels, size_t least)
{
    pl_crossed e = pl__only_value(value);
    const double most = fmax(fmax(PL_SHARE_SD_MAX, value), interval.lo);
    if (levels < least) return e;
    e.lo = interval.lo;
    e.hi = interval.hi > most ? most : interval.hi;
    e.over_templates = true;
    e.over_draws = s->variance.mean_squares.s >= PL_DRAWS_MIN;
    e.n_clusters = s->variance.mean_squares.n;
    return e;
}

/* Mean squares of clusters' means in place of their sums: in shares of items. */
static pl_mean_squares share_squares(const pl__subject *s)
{
    pl_mean_squares m = s->variance.mean_squares;
    double scale = 1.0 / (s->variance_scale * s->variance_scale);
    m.item *= scale;
    m.template_main *= scale;
    m.draw *= scale;
    m.item_template *= scale;
    m.item_draw *= scale;
    m.template_draw *= scale;
    m.rest *= scale;
    return m;
}

static double mean_accuracy(const pl__subject *s)
{
    double sum = 0.0;
    for (size_t a = 0; a < s->n_members; a++)
        for (size_t i = 0; i < s->n * s->t; i++) sum += (double)s->members[a]->correct[i] / s->variants[i % s->t];
    return sum / (double)(s->n * s->n_wordings * s->n_members);
}

static bool is_too_small(pl__measured *out, const pl__subject *s)
{
    if (pl__measured_one_wording(out, s)) return true;
    if (s->n >= 2 && (!s->group->clusters.start || s->group->clusters.n >= 2)) return false;
    out->kind = PL__FIXED;
    out->estimate = pl__only_value(NAN);
    out->why_empty = "fewer than two items or clusters of items";
    return true;
}

pl_status pl__metric_template_sd(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    const pl_template_variance *v;
    double roots[PL_PERMUTATIONS];
    pl_null null;
    if (is_too_small(out, s)) return PL_OK;
    PL_TRY(pl__subject_variance(&v, s));
    double value = pl_template_sd(v->tau2) / s->variance_scale;
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) roots[r] = pl_template_sd(v->null_tau2[r]) / s->variance_scale;
    PL_TRY(pl_null_of(&null, roots, PL_PERMUTATIONS, value));
    out->kind = PL__FIXED;
    pl_mean_squares m = share_squares(s);
    out->estimate = sd_row(s, value, pl_template_sd_of(&m, mean_accuracy(s)), s->n_wordings, PL_TEMPLATE_SD_MIN);
    out->ci_method = "F";
    out->null_mean = null.mean;
    out->null_sd = null.sd;
    out->null_q95 = null.quantile95;
    out->p = null.p;
    if (s->n_wordings < PL_TEMPLATE_SD_MIN)
        out->why_empty = "no interval below 4 wordings";
    else if (isnan(out->estimate.lo))
        out->why_empty = LESS_THAN_NOISE;
    return PL_OK;
}

pl_status pl__metric_spread(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    const pl_template_variance *v;
    double spreads[PL_PERMUTATIONS];
    pl_null null;
    if (is_too_small(out, s)) return PL_OK;
    PL_TRY(pl__subject_variance(&v, s));
    double value = v->spread / s->variance_scale;
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) spreads[r] = v->null_spread[r] / s->variance_scale;
    PL_TRY(pl_null_of(&null, spreads, PL_PERMUTATIONS, value));
    out->kind = PL__FIXED;
    out->estimate = pl__only_value(value);
    out->null_mean = null.mean;
    out->null_sd = null.sd;
    out->null_q95 = null.quantile95;
    out->p = null.p;
    out->why_empty = "largest minus smallest grows with the number of wordings: see template_sd";
    return PL_OK;
}

/* Where there are several draws. */
pl_status pl__metric_draw_sd(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    const pl_template_variance *v;
    bool several = false;
    for (size_t a = 1; a < s->n_members; a++) several = several || s->members[a]->draw != s->members[0]->draw;
    if (!several || is_too_small(out, s)) return PL_OK;
    PL_TRY(pl__subject_variance(&v, s));
    pl_mean_squares m = share_squares(s);
    pl_estimate e = pl_draw_sd_of(&m, mean_accuracy(s));
    out->kind = PL__FIXED;
    out->estimate = sd_row(s, e.value, e, m.s, PL_DRAW_SD_MIN);
    out->ci_method = "F";
    if (v->mean_squares.s < PL_DRAW_SD_MIN)
        out->why_empty = "no interval below 4 draws";
    else if (isnan(out->estimate.lo))
        out->why_empty = LESS_THAN_NOISE;
    return PL_OK;
}
