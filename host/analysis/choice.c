#include "analysis/choice.h"

#include <math.h>
#include <string.h>

enum { FOLDS = 5 };

/* How a candidate did, by draw and fold: sums over the fold's items, which count size[fold]. */
typedef struct candidate {
    const pl__condition *c;
    double *sums; /* [n_draws, FOLDS] */
} candidate;

typedef struct choosing {
    candidate *list;   /* [n] */
    size_t n, n_draws; /* draws: the most of any candidate */
    size_t *fold;      /* [items] */
    double size[FOLDS];
    bool by_dev_items;
    pl_role role;
} choosing;

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

/* A candidate with fewer draws than others (no shots: one) has none of its own for a draw. */
static bool has_draw(const choosing *x, const pl__condition *c)
{
    return c->n_draws == x->n_draws && c->n_draws > 1;
}

/* Without a draw and a fold; SIZE_MAX: with all. */
static double score(const choosing *x, const candidate *a, size_t draw, size_t fold)
{
    double sum = 0, n = 0;
    for (size_t d = 0; d < a->c->n_draws; d++) {
        if (d == draw && has_draw(x, a->c)) continue;
        for (size_t f = 0; f < FOLDS; f++) {
            if (f == fold && !x->by_dev_items) continue;
            sum += a->sums[d * FOLDS + f];
            n += x->size[f];
        }
    }
    return n > 0 ? sum / n : 0;
}

static const candidate *best_of(const choosing *x, size_t draw, size_t fold)
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
    return best;
}

/* ---- what is judged ---- */

/* One draw's answers of the arm, over its draws where it has none for this one. */
static double answer(const choosing *x, const pl__condition *c, size_t draw, size_t k, size_t item)
{
    double sum = 0;
    if (has_draw(x, c)) return pl__condition_outcome(c, draw, k, item);
    for (size_t d = 0; d < c->n_draws; d++) sum += pl__condition_outcome(c, d, k, item);
    return sum / (double)c->n_draws;
}

static pl_status judge(pl__choice *out, const choosing *x, pl_arena *arena)
{
    const candidate *chosen[FOLDS];
    pl__condition *j = &out->judged;
    size_t n = out->best->n_kept, own = 0, several = 0;
    /* Where an arm without draws of its own is chosen throughout, there are none. */
    for (size_t d = 0; d < x->n_draws; d++)
        for (size_t f = 0; f < FOLDS; f++) {
            const candidate *one = best_of(x, d, f);
            own += one->c == out->best;
            several += has_draw(x, one->c);
        }
    out->share = (double)own / (double)(x->n_draws * FOLDS);
    *j = *out->best;
    if (own == x->n_draws * FOLDS) return PL_OK;
    j->n = n;
    j->n_draws = several ? x->n_draws : 1;
    PL_TRY(pl_arena_new(arena, &j->kept, n));
    PL_TRY(pl_arena_new(arena, &j->correct, j->n_draws * j->t * n));
    if (j->group_of) PL_TRY(pl_arena_new(arena, &j->group_of, n));
    for (size_t i = 0; i < n; i++) {
        j->kept[i] = i;
        if (j->group_of) j->group_of[i] = out->best->group_of[out->best->kept[i]];
    }
    for (size_t a = 0; a < x->n; a++)
        if (has_draw(x, x->list[a].c)) j->draws = x->list[a].c->draws;
    for (size_t d = 0; d < j->n_draws; d++) {
        for (size_t f = 0; f < FOLDS; f++) chosen[f] = best_of(x, d, f);
        for (size_t k = 0; k < j->t; k++)
            for (size_t i = 0; i < n; i++)
                j->correct[(d * j->t + k) * n + i] = answer(x, chosen[x->fold[i]]->c, d, k, i);
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
        if (one->n_draws > x.n_draws) x.n_draws = one->n_draws;
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
    out->best = best_of(&x, SIZE_MAX, SIZE_MAX)->c;
    out->n_candidates = x.n;
    out->by_dev_items = x.by_dev_items;
    out->role = x.role;
    return judge(out, &x, of->arena);
}
