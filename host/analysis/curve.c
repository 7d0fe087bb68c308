#include "analysis/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/rows.h"
#include "statistics/max_t.h"

enum { FACTORS = PL_MAX_T_FACTORS };
static const uint64_t SEED = 1;

static void clear(pl__curves *c)
{
    for (size_t i = 0; i < c->n; i++)
        for (size_t f = 0; f < FACTORS; f++) free(c->points[i].values[f]);
    c->n = 0;
}

void pl__curves_free(pl__curves *c)
{
    clear(c);
    free(c->points);
    *c = (pl__curves){0};
}

pl_status pl__curve_add(pl__curves *c, const pl__curve_point *point)
{
    PL_TRY(pl_grow(&c->points, &c->capacity, c->n + 1));
    pl__curve_point *own = &c->points[c->n++];
    *own = *point;
    for (size_t f = 0; f < FACTORS; f++) own->values[f] = NULL;
    for (size_t f = 0; f < FACTORS; f++) {
        PL_TRY(pl_new(&own->values[f], own->levels[f]));
        if (own->levels[f]) memcpy(own->values[f], point->values[f], own->levels[f] * sizeof *own->values[f]);
    }
    return PL_OK;
}

static bool same_curve(const pl__curve_point *a, const pl__curve_point *b)
{
    const pl_stability_row *x = &a->row, *y = &b->row;
    return x->metric == y->metric && !strcmp(x->position, y->position) && !strcmp(x->preproc, y->preproc) &&
           x->draw == y->draw && x->order == y->order && x->seed == y->seed;
}

/* Whether values can be paired. */
static bool same_levels(const pl__curve_point *a, const pl__curve_point *b)
{
    return a->same_items == b->same_items && memcmp(a->levels, b->levels, sizeof a->levels) == 0;
}

/* The differences of one curve from its first layer. */
typedef struct curve {
    const pl__curve_point *first;
    const pl__curve_point **points; /* [n] those behind it */
    size_t n, m;                    /* m: clusters */
    pl_crossed *differences;        /* [n] */
    double *t, *p;                  /* [n] */
    double *values[FACTORS];        /* [n, levels]; of items: sums over clusters */
} curve;

static void free_curve(curve *x)
{
    free(x->points);
    free(x->differences);
    free(x->t);
    free(x->p);
    for (size_t f = 0; f < FACTORS; f++) free(x->values[f]);
}

/* The layers behind `at`, which is the first one with a value. */
static pl_status open_curve(curve *x, const pl__curves *all, size_t at)
{
    x->first = &all->points[at];
    x->m = x->first->clusters.start ? x->first->clusters.n : x->first->levels[0];
    PL_TRY(pl_new(&x->points, all->n));
    for (size_t i = at + 1; i < all->n; i++)
        if (same_curve(x->first, &all->points[i]) && same_levels(x->first, &all->points[i]) &&
            !isnan(all->points[i].value))
            x->points[x->n++] = &all->points[i];
    PL_TRY(pl_new(&x->differences, x->n));
    PL_TRY(pl_new(&x->t, x->n));
    PL_TRY(pl_new(&x->p, x->n));
    for (size_t f = 0; f < FACTORS; f++) PL_TRY(pl_new(&x->values[f], x->n * (f ? x->first->levels[f] : x->m)));
    return PL_OK;
}

/* Means of items, weighted by their cluster's share, so that the mean over clusters is that over items. */
static void cluster_values(double *out, const pl_clusters *clusters, const double *items, size_t n)
{
    double mean_size = clusters->start ? (double)n / (double)clusters->n : 1.0;
    for (size_t i = 0; !clusters->start && i < n; i++) out[i] = items[i];
    for (size_t c = 0; clusters->start && c < clusters->n; c++)
        for (size_t at = clusters->start[c]; at < clusters->start[c + 1]; at++)
            out[c] += items[clusters->items[at]] / mean_size;
}

static pl_status compare(curve *x, size_t which)
{
    const pl__curve_point *point = x->points[which], *first = x->first;
    size_t n = first->levels[0];
    double *items;
    PL_TRY(pl_new(&items, n));
    for (size_t i = 0; i < n; i++) items[i] = point->values[0][i] - first->values[0][i];
    for (size_t f = 1; f < FACTORS; f++)
        for (size_t j = 0; j < first->levels[f]; j++)
            x->values[f][which * first->levels[f] + j] = point->values[f][j] - first->values[f][j];
    cluster_values(x->values[0] + which * x->m, &first->clusters, items, n);
    const pl_crossed_design d = {
        .value = point->value - first->value,
        .n = n,
        .items = items,
        .clusters = first->clusters,
        .templates = pl_component_of_mean(x->values[1] + which * first->levels[1], first->levels[1], 2),
        .draws = pl_component_of_mean(x->values[2] + which * first->levels[2], first->levels[2], PL_DRAWS_MIN)};
    pl_crossed_of(&x->differences[which], &d);
    x->t[which] = x->differences[which].value / x->differences[which].se;
    free(items);
    return PL_OK;
}

static pl_status put_row(pl__rows *rows, const curve *x, size_t which)
{
    pl_stability_row row = x->points[which]->row;
    char *contrast;
    PL_TRY(pl_arena_format(rows->arena, &contrast, "%s|%s", row.layer, x->first->row.layer));
    row.contrast = contrast;
    row.null_mean = 0.0;
    row.null_sd = row.null_q95 = NAN;
    row.null_name = "no difference";
    row.p = pl_crossed_p(&x->differences[which], 0.0);
    row.p_adjusted = fmax(row.p, x->p[which]); /* replicates may say a little less */
    return pl__rows_put(rows, &row, &x->differences[which], "crossed");
}

static pl_status one_curve(pl__rows *rows, const pl__curves *all, size_t at)
{
    curve x = {0};
    pl_status status;
    PL_GOTO(status, done, open_curve(&x, all, at));
    for (size_t i = 0; i < x.n; i++) PL_GOTO(status, done, compare(&x, i));
    const pl_max_t of = {.n = x.n,
                         .t = x.t,
                         .levels = {x.m, x.first->levels[1], x.first->levels[2]},
                         .values = {x.values[0], x.values[1], x.values[2]}};
    PL_GOTO(status, done, pl_max_t_p(x.p, &of, SEED));
    for (size_t i = 0; i < x.n; i++) PL_GOTO(status, done, put_row(rows, &x, i));
done:
    free_curve(&x);
    return status;
}

pl_status pl__curve_rows(pl__rows *rows)
{
    pl__curves *all = &rows->curves;
    pl_status status = PL_OK;
    for (size_t i = 0; i < all->n && status == PL_OK; i++) {
        bool first = !isnan(all->points[i].value);
        for (size_t j = 0; j < i && first; j++)
            first = isnan(all->points[j].value) || !same_curve(&all->points[j], &all->points[i]);
        if (first) status = one_curve(rows, all, i);
    }
    clear(all);
    return status;
}
