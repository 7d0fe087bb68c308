/* Similarity of two templates' states, calibrated by permutations (measure/calibrated.h): where probes are made. Items
 * that are permuted must be independent: one of each group (plumb.group) is taken. */
#include <stdlib.h>

#include "analysis/scope.h"
#include "measure/calibrated.h"
#include "measure/similarity.h"

enum { ITEMS_MAX = 256 }; /* a permutation takes n^2 steps */

/* What of a layer's items is compared. */
typedef enum compared { STATES, TOKENS } compared;

static pl_status add_bags(pl_side *side, const pl__subject *s, size_t template)
{
    float *bags;
    size_t width;
    pl_status status = pl__layer_bags(&bags, &width, s->layer, s->member, template, side->n);
    if (bags) status = pl_side_add(side, bags, width);
    free(bags);
    return status;
}

/* Tables of the first n items under each template. */
static pl_status fill(pl_side *side, const pl__subject *s, pl_similarity similarity, compared what, size_t n)
{
    PL_TRY(pl_side_open(side, similarity, n, s->t, s->on));
    for (size_t k = 0; k < s->t; k++)
        PL_TRY(what == TOKENS ? add_bags(side, s, k) : pl_side_add(side, s->layer->states[k], s->layer->width));
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

/* Of states the tables are made once, for permutations of both kinds; n is the same for both. NULL: there are too many
 * tokens. */
static pl_status grids_of(double **grids, pl__subject *s, pl_similarity similarity, compared what, size_t n,
                          const size_t *classes)
{
    pl_side bags = {0}, *side = what == TOKENS ? &bags : &s->sides[similarity];
    pl_status status = side->n ? PL_OK : fill(side, s, similarity, what, n);
    if (status == PL_OK && side->m == s->t) status = make_grids(grids, side, classes);
    pl_side_free(&bags);
    return status;
}

static pl_status leave_empty(pl__measured *out, const char *why)
{
    out->kind = PL__FIXED;
    out->estimate = pl__only_value(NAN);
    out->why_empty = why;
    return PL_OK;
}

static pl_status calibrate(pl__measured *out, const pl__scope *scope, pl_similarity similarity, compared what,
                           bool within_labels)
{
    pl__subject *s = scope->subject;
    double *grids = NULL, series[1 + PL_CALIBRATED_PERMUTATIONS];
    size_t apart = s->layer->n_apart, n = apart < ITEMS_MAX ? apart : ITEMS_MAX, *classes = NULL;
    pl_calibrated c;
    if (!s->layer->probed || n < 4) return PL_OK;
    if (what == TOKENS && !s->layer->prompts)
        return leave_empty(out, "a unit holds no tokens: an earlier version computed it");
    if (within_labels) PL_TRY(pl__subject_classes(&classes, s, n));
    if (within_labels && !classes) return PL_OK;
    pl_status status = grids_of(&grids, s, similarity, what, n, classes);
    free(classes);
    if (status == PL_OK && !grids) return leave_empty(out, "too many different tokens");
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
    return calibrate(out, scope, PL_SIMILAR_CKA, STATES, false);
}

pl_status pl__metric_mknn_cal(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_MKNN, STATES, false);
}

pl_status pl__metric_cka_cal_class(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_CKA, STATES, true);
}

pl_status pl__metric_mknn_cal_class(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_MKNN, STATES, true);
}

pl_status pl__metric_procrustes_cal(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_PROCRUSTES, STATES, false);
}

pl_status pl__metric_procrustes_cal_class(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_PROCRUSTES, STATES, true);
}

/* Floors: what the prompts' words alone make similar. */
pl_status pl__metric_cka_cal_tokens(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_CKA, TOKENS, false);
}

pl_status pl__metric_mknn_cal_tokens(pl__measured *out, pl__scope *scope)
{
    return calibrate(out, scope, PL_SIMILAR_MKNN, TOKENS, false);
}
