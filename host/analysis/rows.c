#include "analysis/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statistics/permutation.h"

static void pool_clear(pl__rows *rows)
{
    for (size_t i = 0; i < rows->n_pool; i++) {
        free(rows->pool[i].left_out);
        free(rows->pool[i].null_draws);
    }
    rows->n_pool = 0;
}

void pl__rows_free(pl__rows *rows)
{
    pool_clear(rows);
    free(rows->pool);
    free(rows->rows);
}

pl_status pl__row_note(const pl__rows *rows, pl_stability_row *row, const char *format, ...)
{
    char text[256], *joined = NULL;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    PL_TRY(pl_arena_format(rows->arena, &joined, "%s%s%s", row->note, *row->note ? "; " : "", text));
    row->note = joined;
    return PL_OK;
}

pl_status pl__rows_put(pl__rows *rows, const pl_stability_row *row, pl_estimate e, const char *ci_method)
{
    const pl_metric *metric = pl_metric_of(row->metric);
    PL_TRY(pl_grow(&rows->rows, &rows->capacity, rows->n + 1));
    if (!isfinite(e.value)) e = (pl_estimate){NAN, NAN, NAN, NAN};
    e = pl_estimate_clip(e, metric->low, metric->high);
    pl_stability_row *new = &rows->rows[rows->n];
    *new = *row;
    new->value = e.value;
    new->se = e.se;
    new->lo = e.lo;
    new->hi = e.hi;
    new->ci_method = isnan(e.lo) ? "none" : ci_method;
    rows->n++;
    if (isnan(e.value) && !*new->note) return pl__row_note(rows, new, "not defined");
    if (!isnan(e.value) && isnan(e.lo) && strcmp(ci_method, "none") && !*new->note)
        return pl__row_note(rows, new, "interval not defined");
    return PL_OK;
}

/* When every item has the same 0 (or 1), a jackknife says [0, 0], but n items alike do not mean that the next one is
 * too. The limit is Wilson's for the share of items that differ, taken as if such an item were at the other end. */
static pl_status add_item_jackknife(pl__rows *rows, const pl_stability_row *row, double value, const double *left_out,
                                    size_t n)
{
    if ((value == 0.0 || value == 1.0) && pl_metric_of(row->metric)->is_share)
        return pl__rows_put(rows, row, pl_wilson(value == 0.0 ? 0 : n, n), "wilson, all items alike");
    return pl__rows_put(rows, row, pl_jackknife_next(&rows->quantile, value, left_out, n),
                        row->n_seeds > 1 ? "item jackknife of the mean" : "item jackknife");
}

/* The root of a variance component, with those without each template and under the null. */
static pl_status add_component(pl__rows *rows, pl_stability_row *row, double component, const double *without,
                               const double *null_draws)
{
    double null_roots[PL_PERMUTATIONS], *left;
    pl_null null;
    pl_estimate e = {pl_template_sd(component), NAN, NAN, NAN};
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) null_roots[r] = pl_template_sd(null_draws[r]);
    PL_TRY(pl_null_of(&null, null_roots, PL_PERMUTATIONS, e.value));
    row->null_mean = null.mean;
    row->null_sd = null.sd;
    PL_TRY(pl__row_note(rows, row, "p %.3g of the null", null.p));
    if (row->n_templates < PL_TEMPLATE_JACKKNIFE_MIN) {
        PL_TRY(pl__row_note(rows, row, "no interval below %d templates", PL_TEMPLATE_JACKKNIFE_MIN));
        return pl__rows_put(rows, row, e, "none");
    }
    PL_TRY(pl_new(&left, row->n_templates));
    for (size_t k = 0; k < row->n_templates; k++) left[k] = pl_template_sd(without[k]);
    e = pl_jackknife_next(&rows->quantile, e.value, left, row->n_templates);
    free(left);
    return pl__rows_put(rows, row, e, "template jackknife");
}

/* ---- pooling ---- */

static bool same_subject(const pl_stability_row *a, const pl_stability_row *b)
{
    return a->metric == b->metric && !strcmp(a->contrast, b->contrast) && !strcmp(a->template_name, b->template_name) &&
           !strcmp(a->layer, b->layer) && !strcmp(a->position, b->position) && !strcmp(a->preproc, b->preproc);
}

static pl_status pool_entry(pl__pool_entry **out, pl__rows *rows, const pl_stability_row *row, const pl__measured *m,
                            size_t t, uint64_t items)
{
    for (size_t i = 0; i < rows->n_pool; i++) {
        *out = &rows->pool[i];
        if (!same_subject(&(*out)->row, row)) continue;
        (*out)->unequal = (*out)->unequal || (*out)->n != m->n || (*out)->items != items;
        return PL_OK;
    }
    PL_TRY(pl_grow(&rows->pool, &rows->pool_capacity, rows->n_pool + 1));
    pl__pool_entry *entry = &rows->pool[rows->n_pool];
    bool component = m->kind == PL__COMPONENT;
    *entry = (pl__pool_entry){.row = *row, .kind = m->kind, .n = m->n, .t = t, .items = items};
    PL_TRY(pl_new(&entry->left_out, component ? t : m->n));
    rows->n_pool++; /* before the next one, so that the clean-up sees it */
    if (component) PL_TRY(pl_new(&entry->null_draws, PL_PERMUTATIONS));
    *out = entry;
    return PL_OK;
}

static pl_status pool_add(pl__rows *rows, const pl_stability_row *row, const pl__measured *m, const pl__subject *s,
                          const double *left_out)
{
    pl__pool_entry *entry;
    if (!rows->pooling || m->unpooled || m->kind == PL__NOTHING || m->kind == PL__FIXED) return PL_OK;
    bool component = m->kind == PL__COMPONENT;
    PL_TRY(pool_entry(&entry, rows, row, m, s->t, s->layer ? s->layer->items : 0));
    entry->n_members++;
    if (entry->unequal) return PL_OK;
    entry->value += m->kind == PL__CONSTANT ? m->estimate.value : m->value;
    entry->null_mean += m->null_mean;
    entry->null_variance += m->null_sd * m->null_sd;
    for (size_t i = 0; m->kind != PL__CONSTANT && i < (component ? entry->t : entry->n); i++)
        entry->left_out[i] += left_out[i];
    for (size_t r = 0; component && r < PL_PERMUTATIONS; r++) entry->null_draws[r] += s->null_draws[r];
    return PL_OK;
}

static pl_status pooled_row(pl__rows *rows, pl__pool_entry *entry)
{
    double m = (double)entry->n_members;
    pl_stability_row row = entry->row;
    row.draw = rows->base.draw;
    row.order = rows->base.order;
    row.seed = rows->base.seed;
    row.n_seeds = entry->n_members;
    row.note = rows->base.note;
    if (entry->unequal) {
        row.null_mean = row.null_sd = NAN;
        PL_TRY(pl__row_note(rows, &row, "no mean over draws: they do not have the same items"));
        return pl__rows_put(rows, &row, (pl_estimate){NAN, NAN, NAN, NAN}, "none");
    }
    /* Nulls of members are independent of one another: their variances add up. */
    row.null_mean = entry->null_mean / m;
    row.null_sd = sqrt(entry->null_variance) / m;
    if (entry->kind == PL__CONSTANT)
        return pl__rows_put(rows, &row, (pl_estimate){entry->value / m, NAN, NAN, NAN}, "none");
    bool component = entry->kind == PL__COMPONENT;
    for (size_t i = 0; i < (component ? entry->t : entry->n); i++) entry->left_out[i] /= m;
    if (!component) return add_item_jackknife(rows, &row, entry->value / m, entry->left_out, entry->n);
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) entry->null_draws[r] /= m;
    PL_TRY(pl__row_note(rows, &row, "root of the mean variance component"));
    return add_component(rows, &row, entry->value / m, entry->left_out, entry->null_draws);
}

/* What every member had is pooled; a metric that some could not give is left out. */
pl_status pl__rows_pooled(pl__rows *rows, size_t n_members)
{
    rows->pooling = false;
    for (size_t e = 0; e < rows->n_pool; e++)
        if (rows->pool[e].n_members == n_members) PL_TRY(pooled_row(rows, &rows->pool[e]));
    pool_clear(rows);
    return PL_OK;
}

/* ---- from a metric's answer ---- */

static pl_stability_row new_row(const pl__rows *rows, pl_metric_id id, const pl__scope *scope, const pl__measured *m)
{
    const pl_metric *metric = pl_metric_of(id);
    const pl__layer *layer = scope->subject->layer;
    pl_stability_row row = rows->base;
    row.metric = id;
    row.unit = metric->unit;
    row.contrast = m->contrast ? m->contrast : scope->contrast;
    row.template_name = scope->template_name;
    row.n = m->n;
    row.n_templates = scope->t + scope->n_against;
    if (layer) {
        row.position = layer->position;
        row.layer = layer->name;
        row.preproc = scope->preprocessing == 'z' ? "z" : "c";
    }
    row.null_mean = m->null_mean;
    row.null_sd = m->null_sd;
    if (!isnan(m->null_mean) || m->kind == PL__COMPONENT) row.null_name = metric->null_name;
    return row;
}

/* The mean without item i is mean + (mean - x_i)/(n - 1): exactly the mean when all are equal. */
static pl_status leave_out_means(double **left_out, double *mean, const double *values, size_t n)
{
    PL_TRY(pl_new(left_out, n));
    *mean = pl_mean(values, n);
    for (size_t i = 0; i < n; i++) (*left_out)[i] = n < 2 ? NAN : *mean + (*mean - values[i]) / ((double)n - 1.0);
    return PL_OK;
}

static size_t count_ones(const double *values, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += values[i] != 0.0;
    return count;
}

static pl_status add_mean(pl__rows *rows, const pl_stability_row *row, pl__measured m, const pl__subject *s)
{
    double *left_out;
    PL_TRY(leave_out_means(&left_out, &m.value, s->items, m.n));
    pl_status status = m.kind == PL__SHARE
                           ? pl__rows_put(rows, row, pl_wilson(count_ones(s->items, m.n), m.n), "wilson")
                           : add_item_jackknife(rows, row, m.value, left_out, m.n);
    if (status == PL_OK) status = pool_add(rows, row, &m, s, left_out);
    free(left_out);
    return status;
}

pl_status pl__rows_add(pl__rows *rows, pl_metric_id metric, pl__scope *scope, const pl__measured *m)
{
    const pl__subject *s = scope->subject;
    pl_stability_row row = new_row(rows, metric, scope, m);
    if (m->kind == PL__NOTHING) return PL_OK;
    if (*m->note) PL_TRY(pl__row_note(rows, &row, "%s", m->note));
    switch (m->kind) {
    case PL__ITEMS:
    case PL__SHARE:
        PL_TRY(add_mean(rows, &row, *m, s));
        break;
    case PL__LEFT_OUT:
        PL_TRY(add_item_jackknife(rows, &row, m->value, s->items, m->n));
        PL_TRY(pool_add(rows, &row, m, s, s->items));
        break;
    case PL__COMPONENT: {
        pl_stability_row shown = row;
        PL_TRY(add_component(rows, &shown, m->value, s->templates, s->null_draws));
        PL_TRY(pool_add(rows, &row, m, s, s->templates));
        break;
    }
    default:
        PL_TRY(pl__rows_put(rows, &row, m->estimate, m->ci_method));
        PL_TRY(pool_add(rows, &row, m, s, NULL));
    }
    if (!m->by_template) return PL_OK;
    return pl__rows_put(rows, &row, pl_jackknife_next(&rows->quantile, m->value, s->templates, s->t),
                        "template jackknife");
}
