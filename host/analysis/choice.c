#include "analysis/choice.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { FOLDS = 5 };

/* How a candidate did, by draw and fold: sums over the fold's items, which count size[fold]. */
typedef struct candidate {
    const pl__condition *c;
    double *sums; /* [n_draws, FOLDS] */
} candidate;

typedef struct choosing {
    candidate *list; /* [n] */
    size_t n;
    long long *draws; /* [n_draws] that any sampled candidate has; a name that none has, alone, where none is sampled */
    size_t n_draws;
    size_t *fold; /* [items] */
    double size[FOLDS];
    bool by_dev_items;
    pl_role role;
} choosing;

static const long long NO_DRAW = LLONG_MIN;

/* ---- how candidates did ---- */

/* A cluster's items are in one fold. */
static pl_status make_folds(choosing *x, const pl__condition *any, pl_arena *arena)
{
    pl_clusters clusters;
    PL_TRY(pl__condition_clusters(&clusters, any, arena));
    PL_TRY(pl_arena_new(arena, &x->fold, any->n_kept));
    for (size_t i = 0; i < any->n_kept; i++) x->fold[i] = i % FOLDS;
    for (size_t c = 0; clusters.start && c < clusters.n; c++)
        for (size_t at = clusters.start[c]; at < clusters.start[c + 1]; at++) x->fold[clusters.items[at]] = c % FOLDS;
    for (size_t i = 0; i < any->n_kept; i++) x->size[x->fold[i]] += 1;
    return PL_OK;
}

/* Templates that are one weigh as one. */
static void add_items(choosing *x, candidate *a)
{
    const pl__condition *c = a->c;
    double wordings = (double)pl__condition_n_templates(c, x->role);
    for (size_t k = 0; k < c->t; k++) {
        double size = 0;
        if (c->roles[k] != x->role) continue;
        for (size_t j = 0; j < c->t; j++) size += c->same[j] == c->same[k];
        for (size_t d = 0; d < c->n_draws; d++)
            for (size_t i = 0; i < c->n_kept; i++)
                a->sums[d * FOLDS + x->fold[i]] += pl__condition_outcome(c, d, k, i) / (size * wordings);
    }
}

/* What dev items say is the same for every fold. */
static void add_dev_items(const choosing *x, candidate *a, const double *accuracy)
{
    for (size_t d = 0; d < a->c->n_draws; d++)
        for (size_t f = 0; f < FOLDS; f++) a->sums[d * FOLDS + f] = accuracy[d] * x->size[f];
}

static bool has_draw(const pl__condition *c, long long draw)
{
    size_t d = 0;
    while (d < c->n_draws && c->draws[d] != draw) d++;
    return c->sampled && d < c->n_draws;
}

/* The draws of all, once each, in order. */
static pl_status list_draws(choosing *x, pl_arena *arena)
{
    size_t most = 1;
    for (size_t a = 0; a < x->n; a++) most += x->list[a].c->n_draws;
    PL_TRY(pl_arena_new(arena, &x->draws, most));
    for (size_t a = 0; a < x->n; a++)
        for (size_t d = 0; x->list[a].c->sampled && d < x->list[a].c->n_draws; d++) {
            long long draw = x->list[a].c->draws[d];
            size_t at = 0;
            while (at < x->n_draws && x->draws[at] < draw) at++;
            if (at < x->n_draws && x->draws[at] == draw) continue;
            memmove(x->draws + at + 1, x->draws + at, (x->n_draws++ - at) * sizeof *x->draws);
            x->draws[at] = draw;
        }
    if (!x->n_draws) x->draws[x->n_draws++] = NO_DRAW;
    return PL_OK;
}

/* ---- the choice ---- */

/* Without a draw, where there are others, and a fold; NO_DRAW, FOLDS: with all. */
static double score(const choosing *x, const candidate *a, long long draw, size_t fold)
{
    double sum = 0, n = 0;
    bool without = a->c->n_draws > 1 && has_draw(a->c, draw);
    for (size_t d = 0; d < a->c->n_draws; d++) {
        if (without && a->c->draws[d] == draw) continue;
        for (size_t f = 0; f < FOLDS; f++) {
            if (f == fold && !x->by_dev_items) continue;
            sum += a->sums[d * FOLDS + f];
            n += x->size[f];
        }
    }
    return n > 0 ? sum / n : 0;
}

static const pl__condition *best_of(const choosing *x, long long draw, size_t fold)
{
    const candidate *best = NULL;
    double top = -1;
    for (size_t a = 0; a < x->n; a++) {
        double accuracy = score(x, &x->list[a], draw, fold);
        if (best && accuracy < top) continue;
        if (best && accuracy == top && x->list[a].c->unit->k >= best->c->unit->k) continue;
        best = &x->list[a];
        top = accuracy;
    }
    return best->c;
}

/* ---- what is judged ---- */

/* One draw's answers of the arm, over its draws where it has none for this one. */
static double answer(const pl__condition *c, long long draw, size_t k, size_t item)
{
    double sum = 0;
    bool has = has_draw(c, draw);
    for (size_t d = 0; d < c->n_draws; d++)
        if (!has || c->draws[d] == draw) sum += pl__condition_outcome(c, d, k, item);
    return has ? sum : sum / (double)c->n_draws;
}

/* Keeps the draws that all of the chosen [n] have that are sampled; where none is, or there is no such draw, one of no
 * name. */
static pl_status keep_draws(pl__condition *judged, const choosing *x, const pl__condition *const *chosen, size_t n,
                            pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, &judged->draws, x->n_draws));
    judged->n_draws = 0;
    judged->sampled = false;
    for (size_t i = 0; i < n; i++) judged->sampled = judged->sampled || chosen[i]->sampled;
    for (size_t d = 0; judged->sampled && d < x->n_draws; d++) {
        bool all = true;
        for (size_t i = 0; i < n; i++) all = all && (!chosen[i]->sampled || has_draw(chosen[i], x->draws[d]));
        if (all) judged->draws[judged->n_draws++] = x->draws[d];
    }
    if (!judged->n_draws) judged->draws[judged->n_draws++] = NO_DRAW;
    return PL_OK;
}

static pl_status copy_items(pl__condition *judged, const pl__condition *best, pl_arena *arena)
{
    size_t n = best->n_kept;
    judged->n = n;
    PL_TRY(pl_arena_new(arena, &judged->kept, n));
    if (judged->group_of) PL_TRY(pl_arena_new(arena, &judged->group_of, n));
    for (size_t i = 0; i < n; i++) {
        judged->kept[i] = i;
        if (judged->group_of) judged->group_of[i] = best->group_of[best->kept[i]];
    }
    return PL_OK;
}

static pl_status judge(pl__choice *out, const choosing *x, pl_arena *arena)
{
    const pl__condition **chosen; /* [n_draws, FOLDS] */
    pl__condition *j = &out->judged;
    size_t n_chosen = x->n_draws * FOLDS, own = 0;
    PL_TRY(pl_arena_new(arena, &chosen, n_chosen));
    for (size_t i = 0; i < n_chosen; i++) {
        chosen[i] = best_of(x, x->draws[i / FOLDS], i % FOLDS);
        own += chosen[i] == out->best;
    }
    out->share = (double)own / (double)n_chosen;
    *j = *out->best;
    if (own == n_chosen) return PL_OK;
    PL_TRY(copy_items(j, out->best, arena));
    PL_TRY(keep_draws(j, x, chosen, n_chosen, arena));
    PL_TRY(pl_arena_new(arena, &j->correct, j->n_draws * j->t * j->n));
    for (size_t d = 0; d < j->n_draws; d++) {
        size_t at = 0;
        while (at < x->n_draws && x->draws[at] != j->draws[d]) at++;
        if (at == x->n_draws) at = 0; /* of no name: as the first was chosen */
        for (size_t k = 0; k < j->t; k++)
            for (size_t i = 0; i < j->n; i++)
                j->correct[(d * j->t + k) * j->n + i] = answer(chosen[at * FOLDS + x->fold[i]], j->draws[d], k, i);
    }
    return PL_OK;
}

/* All candidates say how they did on dev items. */
static bool all_told(const pl__conditions *of, pl__is_candidate *is_candidate, const double *const *dev_accuracy)
{
    for (size_t c = 0; c < of->n; c++)
        if (is_candidate(&of->list[c]) && !dev_accuracy[c]) return false;
    return true;
}

pl_status pl__choose(pl__choice *out, const pl__conditions *of, pl__is_candidate *is_candidate,
                     const double *const *dev_accuracy)
{
    choosing x = {.by_dev_items = all_told(of, is_candidate, dev_accuracy), .role = PL_ROLE_ID};
    *out = (pl__choice){.share = NAN};
    PL_TRY(pl_arena_new(of->arena, &x.list, of->n));
    PL_TRY(make_folds(&x, &of->list[0], of->arena));
    for (size_t c = 0; c < of->n; c++) {
        const pl__condition *one = &of->list[c];
        if (!is_candidate(one)) continue;
        if (pl__condition_n_templates(one, PL_ROLE_DEV)) x.role = PL_ROLE_DEV;
        x.list[x.n++].c = one;
    }
    if (!x.n) return PL_OK;
    for (size_t c = 0, a = 0; c < of->n; c++) {
        if (!is_candidate(&of->list[c])) continue;
        PL_TRY(pl_arena_new(of->arena, &x.list[a].sums, of->list[c].n_draws * FOLDS));
        if (x.by_dev_items)
            add_dev_items(&x, &x.list[a], dev_accuracy[c]);
        else
            add_items(&x, &x.list[a]);
        a++;
    }
    PL_TRY(list_draws(&x, of->arena));
    out->best = best_of(&x, NO_DRAW, FOLDS);
    out->n_candidates = x.n;
    out->by_dev_items = x.by_dev_items;
    out->role = x.role;
    return judge(out, &x, of->arena);
}
