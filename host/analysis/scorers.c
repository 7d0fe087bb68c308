#include "analysis/scorers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/contrast.h"
#include "analysis/group.h"
#include "analysis/scope.h"
#include "measure/calibration.h"
#include "statistics/three_way.h"

static const pl_scorer claimed[] = {PL_SCORER_RAW, PL_SCORER_CALIBRATED, PL_SCORER_GENERATED};
enum { CLAIMED = sizeof claimed / sizeof *claimed };

const char *pl_scorer_name(pl_scorer scorer)
{
    static const char *const names[PL_SCORERS] = {"raw", "token", "character", "calibrated", "pmi", "generated"};
    return names[scorer];
}

static size_t count(const bool *marks)
{
    size_t n = 0;
    for (size_t i = 0; i < CLAIMED; i++) n += marks[claimed[i]];
    return n;
}

size_t pl_scorer_claim_known(const pl_scorer_claim *claim)
{
    return count(claim->known);
}

size_t pl_scorer_claim_sensitive(const pl_scorer_claim *claim)
{
    return count(claim->sensitive);
}

/* ---- outcomes ---- */

/* Whether the scorer can be asked of this unit. */
static bool has_scorer(const pl__group *g, const pl__cell *cell, pl_scorer scorer)
{
    const pl_run_unit *u = cell->unit;
    if (scorer == PL_SCORER_GENERATED || u->generates) return scorer == PL_SCORER_GENERATED && u->generates;
    if (g->m == 0 || (g->several_right && scorer != PL_SCORER_RAW)) return false;
    if (scorer == PL_SCORER_CALIBRATED) return u->bias;
    return scorer != PL_SCORER_PMI || u->unconditional;
}

/* The item's labels [n] as the scorer sees them; larger is likelier. */
static void score(double *out, const pl__cell *cell, size_t i, pl_scorer scorer)
{
    const pl_loglik *l = &cell->unit->loglik;
    size_t n, first = l->choice_indptr[cell->row[i]];
    const double *sums = pl__cell_scores(cell, i, &n);
    for (size_t c = 0; c < n; c++) {
        double tokens = (double)(l->token_indptr[first + c + 1] - l->token_indptr[first + c]),
               characters = (double)l->choice_characters[first + c];
        switch (scorer) {
        case PL_SCORER_TOKEN:
            out[c] = sums[c] / tokens;
            break;
        case PL_SCORER_CHARACTER:
            out[c] = sums[c] / characters;
            break;
        case PL_SCORER_CALIBRATED:
            out[c] = sums[c] - pl__cell_bias(cell, i)[c];
            break;
        case PL_SCORER_PMI:
            out[c] = sums[c] - pl__cell_unconditional(cell, i)[c];
            break;
        default:
            out[c] = sums[c];
        }
    }
}

/* Right answers [n, t] of a member; *out NULL: some template cannot be scored so. */
static pl_status member_outcomes(const uint8_t **out, const pl__group *g, const pl__member *member, pl_scorer scorer,
                                 pl_arena *arena)
{
    uint8_t *right;
    double *scores;
    *out = NULL;
    for (size_t k = 0; k < member->t; k++)
        if (!has_scorer(g, &member->cells[k], scorer)) return PL_OK;
    *out = member->correct;
    if (scorer == PL_SCORER_RAW || scorer == PL_SCORER_GENERATED) return PL_OK;
    PL_TRY(pl_arena_new(arena, &right, g->n * member->t));
    PL_TRY(pl_arena_new(arena, &scores, g->m));
    for (size_t k = 0; k < member->t; k++)
        for (size_t i = 0; i < g->n; i++) {
            size_t n;
            (void)pl__cell_scores(&member->cells[k], i, &n);
            score(scores, &member->cells[k], i, scorer);
            right[i * member->t + k] = g->gold[i] >= 0 && pl_best_label(scores, NULL, n) == (size_t)g->gold[i];
        }
    *out = right;
    return PL_OK;
}

/* ---- rows ---- */

typedef struct making {
    pl_scorers_table *table;
    size_t capacity, claim_capacity;
    /* Of one group: */
    pl_arena *arena;
    pl__condition list[PL_SCORERS];
    pl_scorer scorers[PL_SCORERS];
    pl__conditions of;
} making;

static pl_status add_conditions(making *m, const pl__group *g)
{
    pl_arena *arena = m->arena;
    const uint8_t **outcomes;
    PL_TRY(pl_arena_new(arena, &outcomes, g->n_members));
    for (pl_scorer scorer = 0; scorer < PL_SCORERS; scorer++) {
        bool all = g->n_members > 0 && g->n > 0;
        for (size_t s = 0; s < g->n_members; s++) {
            outcomes[s] = NULL;
            if (!g->members[s].whole) continue;
            PL_TRY(member_outcomes(&outcomes[s], g, &g->members[s], scorer, arena));
            all = all && outcomes[s];
        }
        if (!all) continue;
        PL_TRY(pl__condition_of(&m->list[m->of.n], g, outcomes, arena));
        m->scorers[m->of.n] = scorer;
        m->of.n += m->list[m->of.n].n_draws > 0;
    }
    return PL_OK;
}

/* Over all wordings and draws, of the means of clusters. */
static pl_status sd_of(pl_estimate *out, size_t *n_wordings, const pl__condition *c, pl_arena *arena)
{
    pl_clusters clusters;
    pl_mean_squares squares;
    double *values = NULL, *variants, mean = 0;
    size_t *wording;
    *out = (pl_estimate){NAN, NAN, NAN, NAN};
    PL_TRY(pl__condition_clusters(&clusters, c, arena));
    PL_TRY(pl_arena_new(arena, &wording, c->t));
    PL_TRY(pl_arena_new(arena, &variants, c->t));
    *n_wordings = pl__wordings(wording, variants, c->same, c->t);
    size_t n = clusters.start ? clusters.n : c->n_kept, rows = c->n_draws * *n_wordings;
    if (n < 2 || *n_wordings < 2) return PL_OK;
    pl_status status;
    PL_GOTO(status, done, pl_new(&values, rows * n));
    for (size_t at = 0; at < c->n_draws * c->t * n; at++) {
        size_t cluster = at % n, k = at / n % c->t, d = at / n / c->t;
        size_t from = clusters.start ? clusters.start[cluster] : cluster,
               to = clusters.start ? clusters.start[cluster + 1] : cluster + 1;
        double sum = 0;
        for (size_t i = from; i < to; i++)
            sum += pl__condition_outcome(c, d, k, clusters.start ? clusters.items[i] : i) / variants[k];
        values[(d * *n_wordings + wording[k]) * n + cluster] += sum * (double)n / (double)c->n_kept;
        mean += sum / (double)(c->n_kept * rows);
    }
    PL_GOTO(status, done, pl_mean_squares_of(&squares, values, c->n_draws, *n_wordings, n));
    *out = pl_template_sd_of(&squares, mean);
    if (*n_wordings < PL_TEMPLATE_SD_MIN) out->lo = out->hi = NAN;
done:
    free(values);
    return status;
}

static pl_scorer_claim *claim_of(making *m, const pl_run_unit *u, pl_status *status)
{
    pl_scorers_table *t = m->table;
    for (size_t i = 0; i < t->n_claims; i++) {
        pl_scorer_claim *c = &t->claims[i];
        if (!strcmp(c->model, u->model) && !strcmp(c->task, u->task) && !strcmp(c->arm, u->arm) && c->k == u->k)
            return c;
    }
    *status = pl_grow(&t->claims, &m->claim_capacity, t->n_claims + 1);
    if (*status != PL_OK) return NULL;
    t->claims[t->n_claims] = (pl_scorer_claim){.model = u->model, .task = u->task, .arm = u->arm, .k = u->k};
    return &t->claims[t->n_claims++];
}

static pl_status note_claim(making *m, const pl__condition *c, pl_scorer scorer, const pl_estimate *sd,
                            size_t n_wordings)
{
    pl_status status = PL_OK;
    bool is_claimed = false;
    for (size_t i = 0; i < CLAIMED; i++) is_claimed = is_claimed || claimed[i] == scorer;
    if (!is_claimed || isnan(sd->value) || n_wordings < PL_TEMPLATE_SD_MIN)
        return PL_OK; /* no interval: nothing is known */
    pl_scorer_claim *claim = claim_of(m, c->unit, &status);
    if (!claim) return status;
    claim->known[scorer] = true;
    claim->sensitive[scorer] = sd->lo > 0;
    return PL_OK;
}

static pl_status add_rows(making *m, size_t at)
{
    pl_scorers_table *t = m->table;
    const pl__condition *c = &m->list[at], *raw = m->scorers[0] == PL_SCORER_RAW ? &m->list[0] : NULL;
    pl_estimate sd;
    size_t n_wordings;
    PL_TRY(sd_of(&sd, &n_wordings, c, m->arena));
    PL_TRY(note_claim(m, c, m->scorers[at], &sd, n_wordings));
    for (int role = PL_ROLE_ID; role <= PL_ROLE_OOD; role++) {
        size_t n_templates = pl__condition_n_templates(c, (pl_role)role);
        if (!n_templates) continue;
        PL_TRY(pl_grow(&t->rows, &m->capacity, t->n + 1));
        pl_scorer_row *row = &t->rows[t->n++];
        *row = (pl_scorer_row){.model = c->unit->model,
                               .task = c->unit->task,
                               .arm = c->unit->arm,
                               .k = c->unit->k,
                               .scorer = m->scorers[at],
                               .role = pl_role_name((pl_role)role),
                               .n_items = c->n_kept,
                               .n_templates = n_templates,
                               .n_draws = c->n_draws,
                               .difference = pl__only_value(NAN),
                               .n_all_templates = n_wordings,
                               .template_sd = sd};
        PL_TRY(pl__contrast(&row->accuracy, c, NULL, (pl_role)role, m->arena));
        if (raw && c != raw) PL_TRY(pl__contrast(&row->difference, c, raw, (pl_role)role, m->arena));
    }
    return PL_OK;
}

static bool scores_texts(const pl_run_unit *u)
{
    return strcmp(u->kind, "linear") != 0 && strcmp(u->head, "classifier") != 0;
}

static pl_status add_group(making *m, pl_run_view *view, size_t first)
{
    pl__group g = {0};
    pl_status status;
    if (!scores_texts(pl_run_view_unit(view, first)) || pl_run_view_unit(view, first)->rolls) return PL_OK;
    PL_TRY(pl_arena_create(&m->arena));
    m->of = (pl__conditions){.view = view, .arena = m->arena, .list = m->list};
    PL_GOTO(status, done, pl__group_read(&g, view, first));
    PL_GOTO(status, done, add_conditions(m, &g));
    if (m->of.n) PL_GOTO(status, done, pl__conditions_share(&m->of));
    for (size_t c = 0; c < m->of.n; c++) PL_GOTO(status, done, add_rows(m, c));
done:
    pl__group_free(&g);
    pl_arena_free(m->arena);
    return status;
}

pl_status pl_scorers_of_run(pl_scorers_table **out, pl_run_view *view)
{
    making m = {0};
    pl_status status;
    *out = NULL;
    PL_TRY(pl_new(&m.table, 1));
    for (size_t i = 0; i < pl_run_view_n_units(view); i++)
        if (pl_run_view_unit(view, i)->group == i) PL_GOTO(status, done, add_group(&m, view, i));
    *out = m.table;
    m.table = NULL;
    status = PL_OK;
done:
    pl_scorers_free(m.table);
    return status;
}

void pl_scorers_free(pl_scorers_table *table)
{
    if (!table) return;
    free(table->rows);
    free(table->claims);
    free(table);
}
