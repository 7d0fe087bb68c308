#include "analysis/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/metric.h"

static void pool_clear(pl__rows *rows)
{
    for (size_t i = 0; i < rows->n_pool; i++) free(rows->pool[i].left_out);
    rows->n_pool = 0;
}

void pl__rows_free(pl__rows *rows)
{
    pool_clear(rows);
    free(rows->pool);
    free(rows->rows);
}

pl_stability_row pl__row(const pl__rows *rows, const char *metric, const char *contrast)
{
    pl_stability_row row = rows->base;
    row.metric = metric;
    row.contrast = contrast;
    row.unit = pl_metric_find(metric)->unit;
    return row;
}

void pl__row_null(pl_stability_row *row, const char *name, double mean, double sd)
{
    if (isnan(mean)) return;
    row->null_name = name;
    row->null_mean = mean;
    row->null_sd = sd;
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

pl_status pl__rows_add(pl__rows *rows, const pl_stability_row *row, pl_estimate e, const char *ci_method)
{
    const pl_metric *metric = pl_metric_find(row->metric);
    PL_TRY(pl_grow(&rows->rows, &rows->capacity, rows->n + 1));
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
static bool is_share_of_items(const pl_stability_row *row)
{
    static const char *const metrics[] = {"acc", "acc_norm", "flip_rate", "parse_fail"};
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (!strcmp(row->metric, metrics[i])) return true;
    return false;
}

static pl_status add_item_jackknife(pl__rows *rows, const pl_stability_row *row, double value, const double *left_out,
                                    size_t n)
{
    if ((value == 0.0 || value == 1.0) && is_share_of_items(row))
        return pl__rows_add(rows, row, pl_wilson(value == 0.0 ? 0 : n, n), "wilson, all items alike");
    return pl__rows_add(rows, row, pl_jackknife(value, left_out, n),
                        row->n_seeds > 1 ? "item jackknife of the mean" : "item jackknife");
}

static bool same_subject(const pl_stability_row *a, const pl_stability_row *b)
{
    return !strcmp(a->metric, b->metric) && !strcmp(a->contrast, b->contrast) &&
           !strcmp(a->template_name, b->template_name) && !strcmp(a->layer, b->layer) &&
           !strcmp(a->position, b->position) && !strcmp(a->preproc, b->preproc);
}

static pl_status pool_entry(pl__pool_entry **out, pl__rows *rows, const pl_stability_row *row, size_t n)
{
    for (size_t i = 0; i < rows->n_pool; i++) {
        *out = &rows->pool[i];
        if (same_subject(&(*out)->row, row) && (*out)->n == n) return PL_OK;
    }
    PL_TRY(pl_grow(&rows->pool, &rows->pool_capacity, rows->n_pool + 1));
    pl__pool_entry *entry = &rows->pool[rows->n_pool];
    *entry = (pl__pool_entry){.row = *row, .n = n};
    PL_TRY(pl_new(&entry->left_out, n));
    rows->n_pool++;
    *out = entry;
    return PL_OK;
}

static pl_status pool_add(pl__rows *rows, const pl_stability_row *row, double value, const double *left_out, size_t n)
{
    pl__pool_entry *entry;
    if (!rows->pooling) return PL_OK;
    PL_TRY(pool_entry(&entry, rows, row, n));
    entry->n_members++;
    entry->value += value;
    entry->null_mean += row->null_mean;
    entry->null_variance += row->null_sd * row->null_sd;
    for (size_t i = 0; i < n; i++) entry->left_out[i] += left_out[i];
    return PL_OK;
}

pl_status pl__rows_jackknife(pl__rows *rows, const pl_stability_row *row, double value, const double *left_out,
                             size_t n)
{
    PL_TRY(add_item_jackknife(rows, row, value, left_out, n));
    return pool_add(rows, row, value, left_out, n);
}

/* The mean without item i is mean + (mean - x_i)/(n - 1): exactly the mean when all are equal. */
static pl_status leave_out_means(double **left_out, double *mean, const double *values, size_t n)
{
    PL_TRY(pl_new(left_out, n));
    *mean = pl_mean(values, n);
    for (size_t i = 0; i < n; i++) (*left_out)[i] = n < 2 ? NAN : *mean + (*mean - values[i]) / ((double)n - 1.0);
    return PL_OK;
}

pl_status pl__rows_mean(pl__rows *rows, const pl_stability_row *row, const double *values, size_t n)
{
    double *left_out, mean;
    PL_TRY(leave_out_means(&left_out, &mean, values, n));
    pl_status status = pl__rows_jackknife(rows, row, mean, left_out, n);
    free(left_out);
    return status;
}

pl_status pl__rows_pool_mean(pl__rows *rows, const pl_stability_row *row, const double *values, size_t n)
{
    double *left_out, mean;
    PL_TRY(leave_out_means(&left_out, &mean, values, n));
    pl_status status = pool_add(rows, row, mean, left_out, n);
    free(left_out);
    return status;
}

/* What every member had is pooled; a metric that some could not give is left out. */
pl_status pl__rows_pooled(pl__rows *rows, size_t n_members)
{
    rows->pooling = false;
    double m = (double)n_members;
    for (size_t e = 0; e < rows->n_pool; e++) {
        pl__pool_entry *entry = &rows->pool[e];
        if (entry->n_members != n_members) continue;
        pl_stability_row row = entry->row;
        row.draw = rows->base.draw;
        row.order = rows->base.order;
        row.seed = rows->base.seed;
        row.n_seeds = n_members;
        row.note = rows->base.note;
        /* Nulls of members are independent of one another: their variances add up. */
        row.null_mean = entry->null_mean / m;
        row.null_sd = sqrt(entry->null_variance) / m;
        for (size_t i = 0; i < entry->n; i++) entry->left_out[i] /= m;
        PL_TRY(add_item_jackknife(rows, &row, entry->value / m, entry->left_out, entry->n));
    }
    pool_clear(rows);
    return PL_OK;
}
