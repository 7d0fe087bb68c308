#include "analysis/ensemble.h"

#include <string.h>

#include "measure/calibration.h"

/* An item's scores, calibrated, added up over the role's templates, but for those of one wording; SIZE_MAX: over all.
 */
static bool is_right(double *sums, const pl__condition *c, const pl__group *g, const pl__member *member, size_t item,
                     pl_role role, size_t without)
{
    size_t n = 0;
    for (size_t l = 0; l < g->m; l++) sums[l] = 0;
    for (size_t k = 0; k < c->t; k++) {
        if (c->roles[k] != role || c->same[k] == without) continue;
        const double *scores = pl__cell_scores(&member->cells[k], item, &n),
                     *bias = pl__cell_bias(&member->cells[k], item);
        for (size_t l = 0; l < n; l++) sums[l] += scores[l] - bias[l];
    }
    return g->gold[item] >= 0 && n > 0 && pl_best_label(sums, NULL, n) == (size_t)g->gold[item];
}

/* left_out[k]: without the wording whose first template k is. */
static void add_item(pl__condition *c, double *left_out, double *sums, const pl__group *g, const pl__member *member,
                     size_t item, pl_role role, size_t draw, double weight)
{
    double n = (double)pl__condition_n_templates(c, role), mean = 0;
    double all = is_right(sums, c, g, member, item, role, SIZE_MAX);
    for (size_t k = 0; k < c->t; k++) {
        if (c->roles[k] != role || c->same[k] != k) continue;
        left_out[k] = n > 1 ? is_right(sums, c, g, member, item, role, k) : all;
        mean += left_out[k] / n;
    }
    for (size_t k = 0; k < c->t; k++)
        if (c->roles[k] == role)
            c->correct[(draw * c->t + k) * c->n + item] += weight * (all + (n - 1) * (mean - left_out[c->same[k]]));
}

pl_status pl__ensemble_of(pl__condition *out, const pl__condition *base, const pl__group *g, pl_arena *arena)
{
    double *left_out, *sums;
    *out = *base;
    out->ensembled = true;
    PL_TRY(pl_arena_new(arena, &out->correct, out->n_draws * out->t * out->n));
    PL_TRY(pl_arena_new(arena, &left_out, out->t));
    PL_TRY(pl_arena_new(arena, &sums, g->m));
    for (size_t d = 0; d < out->n_draws; d++) {
        double n = 0;
        for (size_t s = 0; s < g->n_members; s++) n += g->members[s].whole && g->members[s].draw == out->draws[d];
        for (size_t s = 0; s < g->n_members; s++) {
            if (!g->members[s].whole || g->members[s].draw != out->draws[d]) continue;
            for (pl_role role = 0; role < PL_ROLES; role++)
                for (size_t i = 0; i < g->n; i++) add_item(out, left_out, sums, g, &g->members[s], i, role, d, 1 / n);
        }
    }
    return PL_OK;
}
