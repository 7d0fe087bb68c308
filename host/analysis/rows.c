#include "analysis/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NOTHING_VARIES = "no interval: nothing varies, which does not say how sure the number is";

static void pool_clear(pl__rows *rows)
{
    for (size_t i = 0; i < rows->n_pool; i++) {
        free(rows->pool[i].values);
        free(rows->pool[i].templates.values);
        free(rows->pool[i].of_member);
        free(rows->pool[i].draw);
    }
    rows->n_pool = 0;
}

void pl__rows_free(pl__rows *rows)
{
    pool_clear(rows);
    pl__curves_free(&rows->curves);
    free(rows->pool);
    free(rows->rows);
}

static pl_status join(const pl__rows *rows, const char **to, const char *format, va_list list)
{
    char text[256], *joined = NULL;
    vsnprintf(text, sizeof text, format, list);
    PL_TRY(pl_arena_format(rows->arena, &joined, "%s%s%s", *to, **to ? "; " : "", text));
    *to = joined;
    return PL_OK;
}

pl_status pl__row_note(const pl__rows *rows, pl_stability_row *row, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    pl_status status = join(rows, &row->note, format, list);
    va_end(list);
    return status;
}

pl_status pl__row_why(const pl__rows *rows, pl_stability_row *row, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    pl_status status = join(rows, &row->why_empty, format, list);
    va_end(list);
    return status;
}

pl_status pl__rows_put(pl__rows *rows, const pl_stability_row *row, const pl_crossed *c, const char *ci_method)
{
    const pl_crossed none = pl__only_value(NAN);
    PL_TRY(pl_grow(&rows->rows, &rows->capacity, rows->n + 1));
    if (!isfinite(c->value)) c = &none;
    pl_stability_row *new = &rows->rows[rows->n];
    *new = *row;
    new->value = c->value;
    new->se = c->se;
    new->df = c->df;
    new->lo = c->lo;
    new->hi = c->hi;
    new->lo_these = c->lo_these;
    new->hi_these = c->hi_these;
    new->n_clusters = c->n_clusters ? c->n_clusters : row->n;
    new->generalises = pl__generalises(c);
    new->ci_method = isnan(c->lo) ? "none" : ci_method;
    rows->n++;
    if (isnan(c->value) && !*new->why_empty) return pl__row_why(rows, new, "not defined");
    if (!isnan(c->value) && isnan(c->lo) && strcmp(ci_method, "none") && !*new->why_empty)
        return pl__row_why(rows, new, "%s", NOTHING_VARIES);
    return PL_OK;
}

/* ---- intervals ---- */

/* The mean over the templates of each wording among n; returns how many wordings. */
static size_t by_wording(double *out, const double *values, const size_t *wording, size_t n)
{
    size_t n_out = 0;
    for (size_t k = 0; k < n; k++) {
        double sum = 0.0, count = 0.0;
        bool first = true;
        for (size_t j = 0; j < n; j++) {
            if (wording[j] != wording[k]) continue;
            first = first && j >= k;
            sum += values[j];
            count++;
        }
        if (first) out[n_out++] = sum / count;
    }
    return n_out;
}

/* The components of templates and draws, with the values that they are of; 0 values: no sample. */
typedef struct factors {
    pl_component templates, draws;
    size_t n_templates, n_draws;
    double *of_template, *of_draw;
} factors;

static void factors_free(factors *f)
{
    free(f->of_template);
    free(f->of_draw);
}

static pl_status template_component(factors *f, const pl__levels *l, double value)
{
    double *own;
    size_t n = l->n + l->n_against;
    if (!l->values) return PL_OK;
    PL_TRY(pl_new(&f->of_template, n));
    PL_TRY(pl_new(&own, n));
    memcpy(own, l->values, n * sizeof *own);
    if (l->left_out) pl_pseudo_values(own, n, value);
    size_t m = by_wording(f->of_template, own, l->wording, l->n);
    size_t against = by_wording(f->of_template + l->n, own + l->n, l->wording + l->n, l->n_against);
    free(own);
    if (l->n_against)
        f->templates = pl_component_of_difference(f->of_template, m, f->of_template + l->n, against);
    else
        f->templates = pl_component_of_mean(f->of_template, m, l->left_out ? PL_JACKKNIFE_MIN : 2);
    if (!isfinite(f->templates.variance)) f->templates = (pl_component){0.0, 0.0}; /* not defined without some */
    f->n_templates = f->templates.df > 0.0 ? m : 0;
    return PL_OK;
}

/* The component of draws from the members' values: orders and starts of one draw are brought to their mean. */
static pl_status draw_component(factors *f, size_t *n_draws, const double *values, const long long *draw, size_t n)
{
    *n_draws = 0;
    PL_TRY(pl_new(&f->of_draw, n));
    for (size_t a = 0; a < n; a++) {
        double sum = 0.0, count = 0.0;
        bool first = true;
        for (size_t b = 0; b < n; b++) {
            if (draw[b] != draw[a]) continue;
            first = first && b >= a;
            sum += values[b];
            count++;
        }
        if (first) f->of_draw[(*n_draws)++] = sum / count;
    }
    f->draws = pl_component_of_mean(f->of_draw, *n_draws, PL_DRAWS_MIN);
    f->n_draws = f->draws.df > 0.0 ? *n_draws : 0;
    return PL_OK;
}

/* Two-sided, of a share against its null: the test that Wilson's interval inverts. */
static double share_p(double share, double null, size_t n)
{
    double sd = sqrt(null * (1.0 - null) / (double)n);
    return sd > 0.0 ? erfc(fabs(share - null) / sd / sqrt(2.0)) : NAN;
}

static bool all_ones(const double *values, size_t n, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (values[i] != 0.0 && values[i] != 1.0) return false;
        *count += values[i] == 1.0;
    }
    return true;
}

/* One share of items that are no clusters: Wilson. */
static pl_crossed wilson(const double *values, size_t n, bool *is_share)
{
    size_t count;
    pl_crossed out = pl__only_value(NAN);
    *is_share = all_ones(values, n, &count);
    if (!*is_share) return out;
    pl_estimate e = pl_wilson(count, n);
    out.value = e.value;
    out.se = e.se;
    out.lo = out.lo_these = e.lo;
    out.hi = out.hi_these = e.hi;
    out.n_clusters = n;
    return out;
}

/* ---- pooling ---- */

static bool same_subject(const pl_stability_row *a, const pl_stability_row *b)
{
    return a->metric == b->metric && !strcmp(a->contrast, b->contrast) && !strcmp(a->template_name, b->template_name) &&
           !strcmp(a->layer, b->layer) && !strcmp(a->position, b->position) && !strcmp(a->preproc, b->preproc);
}

static pl_status new_entry(pl__rows *rows, pl__pool_entry *entry, const pl_stability_row *row, const pl__measured *m,
                           const pl__levels *levels)
{
    *entry = (pl__pool_entry){.row = *row,
                              .kind = m->kind,
                              .n = m->n,
                              .tested = m->tested,
                              .high = m->high,
                              .reach = {m->reach[0], m->reach[1]}};
    entry->templates = (pl__levels){
        .n = levels->n, .n_against = levels->n_against, .left_out = levels->left_out, .wording = levels->wording};
    rows->n_pool++; /* before what follows, so that the clean-up sees it */
    PL_TRY(pl_new(&entry->of_member, rows->pooling));
    PL_TRY(pl_new(&entry->draw, rows->pooling));
    if (m->kind == PL__CONSTANT) return PL_OK;
    PL_TRY(pl_new(&entry->values, m->n));
    return levels->values ? pl_new(&entry->templates.values, levels->n + levels->n_against) : PL_OK;
}

static pl_status pool_entry(pl__pool_entry **out, pl__rows *rows, const pl_stability_row *row, const pl__measured *m,
                            const pl__levels *levels, uint64_t items)
{
    for (size_t i = 0; i < rows->n_pool; i++) {
        *out = &rows->pool[i];
        if (!same_subject(&(*out)->row, row)) continue;
        (*out)->unequal = (*out)->unequal || (*out)->n != m->n || (*out)->items != items;
        return PL_OK;
    }
    PL_TRY(pl_grow(&rows->pool, &rows->pool_capacity, rows->n_pool + 1));
    *out = &rows->pool[rows->n_pool];
    PL_TRY(new_entry(rows, *out, row, m, levels));
    (*out)->items = items;
    return PL_OK;
}

/* values[n] of the items. */
static pl_status pool_add(pl__rows *rows, const pl_stability_row *row, const pl__measured *m, const pl__subject *s,
                          const double *values, const pl_clusters *clusters, const pl__levels *levels)
{
    pl__pool_entry *entry;
    if (!rows->pooling || m->unpooled) return PL_OK;
    PL_TRY(pool_entry(&entry, rows, row, m, levels, s->layer ? s->layer->items : 0));
    double value = m->kind == PL__CONSTANT ? m->estimate.value : m->value;
    entry->of_member[entry->n_members] = value;
    entry->draw[entry->n_members++] = row->draw;
    if (m->withheld) entry->withheld = m->withheld;
    if (entry->unequal) return PL_OK;
    if (clusters) entry->clusters = *clusters;
    entry->value += value;
    entry->null_mean += m->null_mean;
    entry->null_variance += m->null_sd * m->null_sd;
    for (size_t i = 0; values && i < entry->n; i++) entry->values[i] += values[i];
    for (size_t k = 0; entry->templates.values && k < levels->n + levels->n_against; k++)
        entry->templates.values[k] += levels->values ? levels->values[k] : NAN;
    return PL_OK;
}

/* Why draws are not among what an interval generalises over, where they matter. */
static pl_status note_draws(pl__rows *rows, pl_stability_row *row, size_t n_draws)
{
    if (!rows->sampled || n_draws >= PL_DRAWS_MIN) return PL_OK;
    return pl__row_why(rows, row, n_draws == 1 ? "not over draws: %zu draw" : "not over draws: %zu draws", n_draws);
}

/* Numbers of the layer that stand for the group: means over its members, or those of its only one. */
static bool is_on_curve(const pl__rows *rows, const pl_stability_row *row)
{
    return !rows->pooling && pl_metric_of(row->metric)->screen == PL_SCREEN_LAYERS &&
           !strcmp(row->contrast, "templates");
}

/* items: tells sets of items apart. withheld: why there is no interval, or NULL. */
static pl_status put_crossed(pl__rows *rows, pl_stability_row *row, pl_crossed_design *d, const factors *f, bool tested,
                             uint64_t items, const char *withheld)
{
    pl_crossed c;
    d->templates = f->templates;
    d->draws = f->draws;
    pl_crossed_of(&c, d);
    if (is_on_curve(rows, row)) {
        const pl__curve_point point = {.row = *row,
                                       .same_items = items,
                                       .value = d->value,
                                       .levels = {d->n, f->n_templates, f->n_draws},
                                       .values = {(double *)(uintptr_t)d->items, f->of_template, f->of_draw},
                                       .clusters = d->clusters};
        PL_TRY(pl__curve_add(&rows->curves, &point));
    }
    if (withheld) {
        c = pl__only_value(d->value);
        PL_TRY(pl__row_why(rows, row, "%s", withheld));
        return pl__rows_put(rows, row, &c, "none");
    }
    if (tested) row->p = pl_crossed_p(&c, row->null_mean);
    if (!isnan(c.value) && isnan(c.lo)) PL_TRY(pl__row_why(rows, row, "%s", NOTHING_VARIES));
    return pl__rows_put(rows, row, &c, "crossed");
}

static pl_status pooled_row(pl__rows *rows, pl__pool_entry *entry)
{
    double m = (double)entry->n_members;
    factors f = {0};
    size_t n_draws;
    pl_stability_row row = entry->row;
    row.draw = rows->base.draw;
    row.order = rows->base.order;
    row.seed = rows->base.seed;
    row.n_seeds = entry->n_members;
    row.note = rows->base.note;
    row.why_empty = isnan(entry->value) ? row.why_empty : row.null_why;
    if (entry->unequal) {
        const pl_crossed none = pl__only_value(NAN);
        row.null_mean = row.null_sd = NAN;
        PL_TRY(pl__row_why(rows, &row, "no mean over draws: they do not have the same items"));
        return pl__rows_put(rows, &row, &none, "none");
    }
    /* Nulls of members are independent of one another: their variances add up. */
    row.null_mean = entry->null_mean / m;
    row.null_sd = sqrt(entry->null_variance) / m;
    double value = entry->value / m;
    if (entry->kind == PL__CONSTANT) {
        const pl_crossed only = pl__only_value(value);
        return pl__rows_put(rows, &row, &only, "none");
    }
    for (size_t i = 0; i < entry->n; i++) entry->values[i] /= m;
    for (size_t k = 0; entry->templates.values && k < entry->templates.n + entry->templates.n_against; k++)
        entry->templates.values[k] /= m;
    const pl_metric *metric = pl_metric_of(row.metric);
    pl_crossed_design d = {.value = value,
                           .n = entry->n,
                           .items = entry->values,
                           .clusters = entry->clusters,
                           .ends = metric->ends,
                           .low = metric->low,
                           .high = entry->high,
                           .reach = {entry->reach[0], entry->reach[1]}};
    pl_status status;
    PL_GOTO(status, done, template_component(&f, &entry->templates, value));
    PL_GOTO(status, done, draw_component(&f, &n_draws, entry->of_member, entry->draw, entry->n_members));
    if (!isnan(value) && !entry->withheld) PL_GOTO(status, done, note_draws(rows, &row, n_draws));
    status = put_crossed(rows, &row, &d, &f, entry->tested, entry->items, entry->withheld);
done:
    factors_free(&f);
    return status;
}

/* What every member had is pooled; a metric that some could not give is left out. */
pl_status pl__rows_pooled(pl__rows *rows)
{
    size_t n_members = rows->pooling;
    rows->pooling = 0;
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
        row.preproc = pl__preprocessing_name(scope->preprocessing);
    }
    row.null_mean = m->null_mean;
    row.null_sd = m->null_sd;
    row.null_q95 = m->null_q95;
    row.p = m->p;
    row.why_empty = m->why_empty;
    row.null_why = m->null_why;
    if (!isnan(m->null_mean)) row.null_name = metric->null_name;
    return row;
}

/* The wordings of a scope's templates, in its order. */
static pl_status scope_levels(pl__levels *out, const pl__rows *rows, const pl__scope *scope, const pl__measured *m)
{
    const pl__member *member = scope->subject->member;
    size_t n = scope->t + scope->n_against, *wording;
    *out = (pl__levels){.n = scope->t, .n_against = scope->n_against};
    if (m->templates == PL__NO_TEMPLATES) return PL_OK;
    out->left_out = m->templates == PL__TEMPLATES_LEFT_OUT || m->templates == PL__WORDINGS_LEFT_OUT;
    out->values = scope->subject->templates;
    if (m->templates == PL__WORDINGS_LEFT_OUT) out->n = n = scope->subject->n_wordings;
    PL_TRY(pl_arena_new(rows->arena, &wording, n));
    for (size_t k = 0; k < n && m->templates == PL__WORDINGS_LEFT_OUT; k++) wording[k] = k;
    for (size_t k = 0; k < n && m->templates != PL__WORDINGS_LEFT_OUT; k++)
        wording[k] = member->wording[k < scope->t ? scope->templates[k] : scope->against[k - scope->t]];
    out->wording = wording;
    return PL_OK;
}

/* Items of a mean, or pseudo-values of items left out; clusters of the first m->n items. */
static pl_status add_items(pl__rows *rows, pl_stability_row *row, pl__measured m, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    const pl_metric *metric = pl_metric_of(row->metric);
    pl_clusters clusters;
    pl__levels levels;
    bool is_share = false;
    if (m.kind == PL__LEFT_OUT)
        pl_pseudo_values(s->items, m.n, m.value);
    else
        m.value = pl_mean(s->items, m.n);
    PL_TRY(pl__subject_clusters(&clusters, s, m.n, rows->arena));
    PL_TRY(scope_levels(&levels, rows, scope, &m));
    PL_TRY(pool_add(rows, row, &m, s, s->items, &clusters, &levels));
    if (scope->over == PL_OVER_ORDERED && rows->pooling) return PL_OK; /* a matrix: the mean over draws alone */
    if (*m.null_why) PL_TRY(pl__row_why(rows, row, "%s", m.null_why));
    if (!m.no_interval && !m.withheld) PL_TRY(note_draws(rows, row, 1));
    if (m.kind == PL__SHARE && !clusters.start) {
        pl_crossed share = wilson(s->items, m.n, &is_share);
        if (is_share && m.tested) row->p = share_p(share.value, row->null_mean, m.n);
        if (is_share) return pl__rows_put(rows, row, &share, "wilson");
    }
    pl_crossed_design d = {.value = m.value,
                           .n = m.n,
                           .items = s->items,
                           .clusters = clusters,
                           .ends = metric->ends,
                           .low = metric->low,
                           .high = m.high,
                           .reach = {m.reach[0], m.reach[1]}};
    if (m.no_interval) {
        const pl_crossed only = pl__only_value(m.value);
        return pl__rows_put(rows, row, &only, "none");
    }
    factors f = {0};
    pl_status status = template_component(&f, &levels, m.value);
    if (status == PL_OK) status = put_crossed(rows, row, &d, &f, m.tested, s->layer ? s->layer->items : 0, m.withheld);
    factors_free(&f);
    return status;
}

pl_status pl__rows_add(pl__rows *rows, pl_metric_id metric, pl__scope *scope, const pl__measured *m)
{
    const pl__subject *s = scope->subject;
    const pl__levels none = {0};
    pl_stability_row row = new_row(rows, metric, scope, m);
    if (m->kind == PL__NOTHING) return PL_OK;
    if (*m->note) PL_TRY(pl__row_note(rows, &row, "%s", m->note));
    if (m->kind == PL__ITEMS || m->kind == PL__SHARE || m->kind == PL__LEFT_OUT)
        return add_items(rows, &row, *m, scope);
    if (m->kind == PL__CONSTANT) PL_TRY(pool_add(rows, &row, m, s, NULL, NULL, &none));
    if (*m->null_why) PL_TRY(pl__row_why(rows, &row, "%s", m->null_why));
    size_t n_draws, n_orders;
    pl__subject_draw(&n_draws, &n_orders, s, 0);
    if (strcmp(m->ci_method, "none") && !m->estimate.over_draws)
        PL_TRY(note_draws(rows, &row, n_draws < PL_DRAWS_MIN ? n_draws : PL_DRAWS_MIN - 1));
    return pl__rows_put(rows, &row, &m->estimate, m->ci_method);
}
