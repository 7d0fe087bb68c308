/* Similarity of two templates' states, calibrated by permutations (measure/calibrated.h): where probes are made. Items
 * that are permuted must be independent: one of each group (plumb.group) is taken. */
#include <stdlib.h>

#include "analysis/scope.h"
#include "measure/calibrated.h"
#include "measure/similarity.h"

enum { ITEMS_MAX = 256 }; /* a permutation takes n^2 steps */

/* The tables of the first n items, which are made once; n is the same for all that ask. */
static pl_status side_of(const pl_side **out, pl__subject *s, pl_similarity similarity, size_t n)
{
    pl_side *side = &s->sides[similarity];
    *out = side;
    if (side->n) return PL_OK;
    PL_TRY(pl_side_open(side, similarity, n, s->t));
    for (size_t k = 0; k < s->t; k++) PL_TRY(pl_side_add(side, s->layer->states[k], s->layer->width));
    return PL_OK;
}

/* grids [1 + permutations][t, t]; classes [n]: permuted within them; NULL: freely. */
static pl_status make_grids(double **grids, const pl_side *side, const size_t *classes)
{
    size_t *orders;
    PL_TRY(pl_new(grids, (1 + PL_CALIBRATED_PERMUTATIONS) * side->m * side->m));
    PL_TRY(pl_new(&orders, PL_CALIBRATED_PERMUTATIONS * side->n));
    pl_status status = pl_calibrated_orders(orders, PL_CALIBRATED_PERMUTATIONS, side->n, classes);
    if (status == PL_OK) status = pl_similar_grids(*grids, side, side, orders, PL_CALIBRATED_PERMUTATIONS);
    free(orders);
    return status;
}

static pl_status calibrate(pl__measured *out, const pl__scope *scope, pl_similarity similarity, bool within_labels)
{
    pl__subject *s = scope->subject;
    const pl_side *side;
    double *grids = NULL, series[1 + PL_CALIBRATED_PERMUTATIONS];
    size_t apart = s->layer->n_apart, n = apart < ITEMS_MAX ? apart : ITEMS_MAX, *classes = NULL;
    pl_calibrated c;
    if (!s->layer->probed || n < 4) return PL_OK;
    if (within_labels) PL_TRY(pl__subject_classes(&classes, s, n));
    if (within_labels && !classes) return PL_OK;
    pl_status status = side_of(&side, s, similarity, n);
    if (status == PL_OK) status = make_grids(&grids, side, classes);
    free(classes);
    for (size_t k = 0; status == PL_OK && k <= PL_CALIBRATED_PERMUTATIONS; k++)
        series[k] = pl_grid_value(grids + k * s->t * s->t, s->t, s->t, PL_GRID_ABOVE);
    free(grids);
    PL_TRY(status);
    PL_TRY(pl_calibrated_of(&c, series[0], series + 1, PL_CALIBRATED_PERMUTATIONS));
    out->kind = PL__FIXED;
    out->n = n;
    out->estimate = pl__only_value(c.score);
    out->null_mean = c.null_mean;
    out->null_sd = c.null_sd;
    out->null_q95 = c.tau;
    out->p = c.p;
    out->why_empty = isnan(c.score) ? "no variance" : "calibrated by permutations: its test is in p";
    if (n < s->n)
        PL_TRY(pl__measured_note(out, scope, "%zu of %zu items, by chance%s", n, s->n,
                                 apart < s->n ? ", one of a group" : ""));
    return isnan(c.score) ? PL_OK : pl__measured_note(out, scope, "before calibration %.4f", c.observed);
}

pl_status pl__metric_cka_cal(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_CKA, false);
}

pl_status pl__metric_mknn_cal(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_MKNN, false);
}

pl_status pl__metric_cka_cal_class(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_CKA, true);
}

pl_status pl__metric_mknn_cal_class(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_MKNN, true);
}

pl_status pl__metric_procrustes_cal(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_PROCRUSTES, false);
}

pl_status pl__metric_procrustes_cal_class(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_PROCRUSTES, true);
}
