#include "statistics/variance_split.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "statistics/interval.h"
#include "statistics/three_way.h"

enum { GROUPS_MAX = 20 };

/* ---- for these templates and draws: groups of clusters are left out ---- */

/* Clusters are dealt to groups in turn: the group of each item [n]. */
static pl_status deal(size_t **group, size_t *n_groups, size_t n, const pl_clusters *clusters)
{
    size_t m = clusters->start ? clusters->n : n;
    *n_groups = m < GROUPS_MAX ? m : GROUPS_MAX;
    PL_TRY(pl_new(group, n));
    for (size_t i = 0; !clusters->start && i < n; i++) (*group)[i] = i % *n_groups;
    for (size_t c = 0; clusters->start && c < m; c++)
        for (size_t at = clusters->start[c]; at < clusters->start[c + 1]; at++)
            (*group)[clusters->items[at]] = c % *n_groups;
    return PL_OK;
}

static void parts_of(double out[PL_SPLIT_PARTS], const pl_mean_squares *m)
{
    pl_three_way v = pl_three_way_of(m);
    out[PL_SPLIT_ITEM] = v.item;
    out[PL_SPLIT_TEMPLATE] = v.template_main;
    out[PL_SPLIT_DRAW] = v.draw;
    out[PL_SPLIT_ITEM_TEMPLATE] = v.item_template;
    out[PL_SPLIT_ITEM_DRAW] = v.item_draw;
    out[PL_SPLIT_TEMPLATE_DRAW] = v.template_draw;
    out[PL_SPLIT_REST] = v.rest;
}

/* The parts without a group; NaN where too few items are left. kept: scratch as large as the values. */
static pl_status parts_without(double out[PL_SPLIT_PARTS], double *kept, const double *values, size_t rows, size_t s,
                               size_t n, const size_t *group, size_t without)
{
    size_t at = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++)
            if (group[i] != without) kept[at++] = values[r * n + i];
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) out[p] = NAN;
    if (at / rows < 2) return PL_OK;
    pl_mean_squares m;
    PL_TRY(pl_mean_squares_of(&m, kept, s, rows / s, at / rows));
    parts_of(out, &m);
    return PL_OK;
}

static pl_status for_these(pl_crossed out[PL_SPLIT_PARTS], const double whole[PL_SPLIT_PARTS], const double *values,
                           size_t s, size_t t, size_t n, const pl_clusters *clusters)
{
    double left[PL_SPLIT_PARTS][GROUPS_MAX], one[PL_SPLIT_PARTS], *kept = NULL;
    size_t *group = NULL, n_groups;
    pl_status status;
    PL_GOTO(status, done, deal(&group, &n_groups, n, clusters));
    PL_GOTO(status, done, pl_new(&kept, s * t * n));
    for (size_t j = 0; j < n_groups; j++) {
        PL_GOTO(status, done, parts_without(one, kept, values, s * t, s, n, group, j));
        for (size_t p = 0; p < PL_SPLIT_PARTS; p++) left[p][j] = one[p];
    }
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) {
        pl_pseudo_values(left[p], n_groups, whole[p]);
        const pl_crossed_design d = {.value = whole[p], .n = n_groups, .items = left[p]};
        pl_crossed_of(&out[p], &d);
    }
done:
    free(kept);
    free(group);
    return status;
}

/* ---- for other items, templates and draws ---- */

typedef enum square { ITEM, TEMPLATE, DRAW, ITEM_TEMPLATE, ITEM_DRAW, TEMPLATE_DRAW, REST, SQUARES } square;

/* Which mean squares a part is made of, with what sign (three_way.h): of several draws, of one. */
static const int SIGNS[PL_SPLIT_PARTS][SQUARES] = {
    [PL_SPLIT_ITEM] = {[ITEM] = 1, [ITEM_TEMPLATE] = -1, [ITEM_DRAW] = -1, [REST] = 1},
    [PL_SPLIT_TEMPLATE] = {[TEMPLATE] = 1, [ITEM_TEMPLATE] = -1, [TEMPLATE_DRAW] = -1, [REST] = 1},
    [PL_SPLIT_DRAW] = {[DRAW] = 1, [ITEM_DRAW] = -1, [TEMPLATE_DRAW] = -1, [REST] = 1},
    [PL_SPLIT_ITEM_TEMPLATE] = {[ITEM_TEMPLATE] = 1, [REST] = -1},
    [PL_SPLIT_ITEM_DRAW] = {[ITEM_DRAW] = 1, [REST] = -1},
    [PL_SPLIT_TEMPLATE_DRAW] = {[TEMPLATE_DRAW] = 1, [REST] = -1},
    [PL_SPLIT_REST] = {[REST] = 1},
};
static const int SIGNS_OF_ONE[PL_SPLIT_PARTS][SQUARES] = {
    [PL_SPLIT_ITEM] = {[ITEM] = 1, [REST] = -1},
    [PL_SPLIT_TEMPLATE] = {[TEMPLATE] = 1, [REST] = -1},
    [PL_SPLIT_REST] = {[REST] = 1},
};

static double squared(double x)
{
    return x * x;
}

/* cells: what the sum of the mean squares is divided by. */
static void recover(pl_crossed *out, const int signs[SQUARES], const double ms[SQUARES], const double df[SQUARES],
                    double cells)
{
    double down = 0.0, up = 0.0;
    out->lo = out->hi = out->se = out->df = NAN;
    for (square q = 0; q < SQUARES; q++) {
        if (!signs[q]) continue;
        if (!(df[q] >= 2.0)) return;
        double g = squared(ms[q] / cells * (1.0 - df[q] / pl_chi_square_quantile(0.975, df[q]))),
               h = squared(ms[q] / cells * (df[q] / pl_chi_square_quantile(0.025, df[q]) - 1.0));
        down += signs[q] > 0 ? g : h;
        up += signs[q] > 0 ? h : g;
    }
    if (!(up > 0.0)) return;
    out->lo = out->value - sqrt(down);
    out->hi = out->value + sqrt(up);
}

pl_status pl_variance_split_of(pl_crossed out[PL_SPLIT_PARTS], const double *values, size_t s, size_t t, size_t n,
                               const pl_clusters *clusters)
{
    pl_mean_squares m;
    double whole[PL_SPLIT_PARTS], levels = (double)(clusters->start ? clusters->n : n), df_i = levels - 1.0,
                                  df_t = (double)t - 1.0, df_s = (double)s - 1.0;
    PL_TRY(pl_mean_squares_of(&m, values, s, t, n));
    parts_of(whole, &m);
    PL_TRY(for_these(out, whole, values, s, t, n, clusters));
    const double ms[SQUARES] = {m.item, m.template_main, m.draw, m.item_template, m.item_draw, m.template_draw, m.rest},
                 df[SQUARES] =
                     {df_i, df_t, df_s, df_i * df_t, df_i * df_s, df_t * df_s, df_i * df_t * (s > 1 ? df_s : 1.0)},
                 cells[PL_SPLIT_PARTS] = {
                     (double)(s * t), (double)(s * n), (double)(t * n), (double)s, (double)t, (double)n, 1.0};
    for (size_t p = 0; p < PL_SPLIT_PARTS; p++) {
        recover(&out[p], s > 1 ? SIGNS[p] : SIGNS_OF_ONE[p], ms, df, cells[p]);
        out[p].over_templates = t >= PL_JACKKNIFE_MIN;
        out[p].over_draws = s >= PL_DRAWS_MIN;
        out[p].n_clusters = (size_t)levels;
    }
    return PL_OK;
}
