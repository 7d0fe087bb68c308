/* What the units of a group predicted, item by item: read as the codes and scores that they are stored as. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/group.h"
#include "measure/calibration.h"
#include "measure/entropy.h"

enum { LABELS_MAX = 1 << 20 }; /* choices of an item that a file may claim */

/* A [n, t] matrix of a true/false column. */
static pl_status gather_bools(uint8_t **out, pl__group *g, const pl__member *member, const char *name)
{
    PL_TRY(pl_arena_new(g->arena, out, g->n * member->t));
    for (size_t k = 0; k < member->t; k++) {
        const pl__cell *cell = &member->cells[k];
        const uint8_t *values;
        PL_TRY(pl_run_unit_bools(&values, cell->unit, name));
        for (size_t i = 0; i < g->n; i++) (*out)[i * member->t + k] = values[cell->row[i]] != 0;
    }
    return PL_OK;
}

/* acc_norm, where every unit of the member has it. */
static pl_status gather_norm(pl__group *g, pl__member *member)
{
    for (size_t k = 0; k < member->t; k++)
        if (!pl_frame_column(member->cells[k].unit->obs, "acc_norm")) return PL_OK;
    return gather_bools(&member->correct_norm, g, member, "acc_norm");
}

static bool is_text(const char *text, const char *expected)
{
    return text && !strcmp(text, expected);
}

/* Generated answers: which are no label. */
static pl_status gather_failed(pl__group *g, pl__member *member)
{
    if (!g->unit->generates) return PL_OK;
    PL_TRY(pl_arena_new(g->arena, &member->failed, g->n * member->t));
    for (size_t k = 0; k < member->t; k++) {
        const pl__cell *cell = &member->cells[k];
        const char *const *outcomes;
        PL_TRY(pl_run_unit_texts(&outcomes, cell->unit, "outcome"));
        for (size_t i = 0; i < g->n; i++) member->failed[i * member->t + k] = !is_text(outcomes[cell->row[i]], "label");
    }
    return PL_OK;
}

/* ---- gold labels ---- */

/* An answer and the item that it belongs to. */
typedef struct answer {
    const char *text;
    size_t item;
} answer;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const answer *)a)->text, ((const answer *)b)->text);
}

/* A number for each text that an item may have as its answer. */
static pl_status number_texts(pl__group *g, const char *const *texts, const size_t *row)
{
    answer *sorted;
    PL_TRY(pl_arena_new(g->arena, &sorted, g->n));
    for (size_t i = 0; i < g->n; i++) sorted[i] = (answer){texts[row[i]] ? texts[row[i]] : "", i};
    if (g->n > 1) qsort(sorted, g->n, sizeof *sorted, by_text);
    for (size_t i = 0, class = 0; i < g->n; i++) {
        class += i > 0 && strcmp(sorted[i].text, sorted[i - 1].text) != 0;
        g->classes[sorted[i].item] = (int)class;
    }
    return PL_OK;
}

pl_status pl__commonest(size_t *out, const int *classes, const size_t *places, size_t n)
{
    size_t n_classes = 0, *counts;
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        int class = classes[places ? places[i] : i];
        if (class >= 0 && (size_t) class + 1 > n_classes) n_classes = (size_t) class + 1;
    }
    PL_TRY(pl_new(&counts, n_classes));
    for (size_t i = 0; i < n; i++) {
        int class = classes[places ? places[i] : i];
        if (class >= 0 && ++counts[class] > *out) *out = counts[class];
    }
    free(counts);
    return PL_OK;
}

/* Whether one place among the choices has two texts: then the choices are the items' own. */
static pl_status see_choices(pl__group *g, const int64_t *index, const char *const *texts, const size_t *row)
{
    size_t most = 0;
    const char **of = NULL;
    for (size_t i = 0; i < g->n; i++)
        if (index[row[i]] >= 0 && (size_t)index[row[i]] + 1 > most) most = (size_t)index[row[i]] + 1;
    PL_TRY(pl_new(&of, most));
    for (size_t i = 0; i < g->n; i++) {
        int64_t at = index[row[i]];
        const char *text = texts[row[i]];
        if (at < 0 || !text) continue;
        g->own_choices = g->own_choices || (of[at] && strcmp(of[at], text));
        of[at] = text;
    }
    free(of);
    return PL_OK;
}

/* From the first unit: gold labels do not depend on the template. An open answer's are texts. */
static pl_status read_gold(pl__group *g, bool *open)
{
    const pl__cell *first = &g->members[0].cells[0];
    const int64_t *index;
    const char *const *texts;
    size_t most;
    PL_TRY(pl_run_unit_integers(&index, first->unit, "label_index"));
    PL_TRY(pl_run_unit_texts(&texts, first->unit, "label"));
    PL_TRY(pl_arena_new(g->arena, &g->gold, g->n));
    PL_TRY(pl_arena_new(g->arena, &g->classes, g->n));
    *open = true;
    for (size_t i = 0; i < g->n; i++) {
        int64_t label = index[first->row[i]];
        if (label < -1 || label > LABELS_MAX)
            return pl_fail(PL_E_INPUT, "%s: /obs/label_index: row %zu has %lld, expected -1 or the index of a choice",
                           first->unit->path, first->row[i], (long long)label);
        g->classes[i] = g->gold[i] = (int)label;
        *open = *open && label < 0;
    }
    if (*open) PL_TRY(number_texts(g, texts, first->row));
    PL_TRY(see_choices(g, index, texts, first->row));
    PL_TRY(pl__commonest(&most, g->classes, NULL, g->n));
    if (g->n > 0) g->majority = (double)most / (double)g->n;
    return PL_OK;
}

/* ---- predictions ---- */

struct predictions {
    const int64_t *index;
    const char *const *texts, *const *outcomes;
};

static pl_status columns_of(struct predictions *p, const pl__cell *cell)
{
    PL_TRY(pl_run_unit_integers(&p->index, cell->unit, "prediction_index"));
    PL_TRY(pl_run_unit_texts(&p->texts, cell->unit, "prediction"));
    return pl_run_unit_texts(&p->outcomes, cell->unit, "outcome");
}

/* What is no label: an answer that is another text, and no answer. */
enum { CODE_OTHER = -1, CODE_NONE = -2 };

/* Codes of one cell: labels are their own, counted in *labels; the rest as above. */
static pl_status code_cell(size_t *labels, const pl__group *g, const pl__member *member, size_t k)
{
    const pl__cell *cell = &member->cells[k];
    struct predictions p;
    PL_TRY(columns_of(&p, cell));
    for (size_t i = 0; i < g->n; i++) {
        int64_t index = p.index[cell->row[i]];
        if (index < -1 || index > LABELS_MAX)
            return pl_fail(PL_E_INPUT,
                           "%s: /obs/prediction_index: row %zu has %lld, expected -1 or the index of a choice",
                           cell->unit->path, cell->row[i], (long long)index);
        bool none = index < 0 && is_text(p.outcomes[cell->row[i]], "none");
        member->codes[i * member->t + k] = index >= 0 ? (int)index : none ? CODE_NONE : CODE_OTHER;
        if (index >= 0 && (size_t)index + 1 > *labels) *labels = (size_t)index + 1;
    }
    return PL_OK;
}

/* What is no label gets the codes after the labels, where it occurs. */
static pl_status code_labels(pl__group *g)
{
    size_t labels = g->n_labels;
    bool other = false, none = false;
    for (size_t s = 0; s < g->n_members; s++) {
        const pl__member *member = &g->members[s];
        for (size_t k = 0; k < member->t; k++) PL_TRY(code_cell(&labels, g, member, k));
        for (size_t i = 0; i < g->n * member->t; i++) {
            other = other || member->codes[i] == CODE_OTHER;
            none = none || member->codes[i] == CODE_NONE;
        }
    }
    for (size_t s = 0; s < g->n_members; s++) {
        int *codes = g->members[s].codes;
        for (size_t i = 0; i < g->n * g->members[s].t; i++) {
            if (codes[i] == CODE_OTHER) codes[i] = (int)labels;
            if (codes[i] == CODE_NONE) codes[i] = (int)(labels + other);
        }
    }
    g->n_categories = labels + other + none;
    return PL_OK;
}

static size_t sort_distinct(const char **texts, size_t n)
{
    size_t kept = 0;
    if (n > 1) qsort(texts, n, sizeof *texts, by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(texts[kept - 1], texts[i])) texts[kept++] = texts[i];
    return kept;
}

/* The answers [n, t] of a member; no answer is "". */
static pl_status answers_of(const char **out, const pl__group *g, const pl__member *member)
{
    for (size_t k = 0; k < member->t; k++) {
        struct predictions p;
        PL_TRY(columns_of(&p, &member->cells[k]));
        for (size_t i = 0; i < g->n; i++) {
            const char *text = p.texts[member->cells[k].row[i]];
            out[i * member->t + k] = text ? text : "";
        }
    }
    return PL_OK;
}

/* Open answers: the distinct texts of the group are the categories. */
static pl_status code_texts(pl__group *g)
{
    const char **all, **categories = NULL;
    size_t total = 0;
    for (size_t s = 0; s < g->n_members; s++) total += g->n * g->members[s].t;
    PL_TRY(pl_new(&all, total));
    pl_status status;
    PL_GOTO(status, done, pl_new(&categories, total));
    for (size_t s = 0, at = 0; s < g->n_members; at += g->n * g->members[s++].t)
        PL_GOTO(status, done, answers_of(all + at, g, &g->members[s]));
    if (total > 0) memcpy(categories, all, total * sizeof *all);
    g->n_categories = sort_distinct(categories, total);
    for (size_t s = 0, at = 0; s < g->n_members; at += g->n * g->members[s++].t)
        for (size_t i = 0; i < g->n * g->members[s].t; i++) {
            const char **found = bsearch(&all[at + i], categories, g->n_categories, sizeof *categories, by_text);
            g->members[s].codes[i] = (int)(found - categories);
        }
done:
    free(categories);
    free(all);
    return status;
}

/* ---- label distributions ---- */

/* The largest number of scored labels of an item; 0 when some unit has an item without any. */
static size_t n_choices(const pl__group *g)
{
    size_t most = 0;
    for (size_t s = 0; s < g->n_members; s++) {
        for (size_t k = 0; k < g->members[s].t; k++) {
            const pl__cell *cell = &g->members[s].cells[k];
            const pl_loglik *l = &cell->unit->loglik;
            if (l->n_rows != cell->unit->obs->n_rows) return 0;
            for (size_t i = 0; i < g->n; i++) {
                const uint64_t *at = l->choice_indptr + cell->row[i];
                if (at[1] - at[0] < 1) return 0;
                if (at[1] - at[0] > most) most = (size_t)(at[1] - at[0]);
            }
        }
    }
    return most;
}

/* q: softmax over an item's labels of their summed log-likelihoods. Items with fewer labels than m keep zeros. */
static pl_status gather_labels(pl__group *g, pl__member *member)
{
    size_t doubles;
    if (g->m == 0) return PL_OK;
    PL_TRY(pl_mul_size(&doubles, g->n * member->t, g->m, "label distributions"));
    PL_TRY(pl_arena_new(g->arena, &member->q, doubles));
    for (size_t k = 0; k < member->t; k++) {
        const pl_loglik *l = &member->cells[k].unit->loglik;
        for (size_t i = 0; i < g->n; i++) {
            const uint64_t *at = l->choice_indptr + member->cells[k].row[i];
            pl_softmax(member->q + (i * member->t + k) * g->m, l->score + at[0], (size_t)(at[1] - at[0]));
        }
    }
    return PL_OK;
}

const double *pl__cell_scores(const pl__cell *cell, size_t i, size_t *n)
{
    const pl_loglik *l = &cell->unit->loglik;
    const uint64_t *at = l->choice_indptr + cell->row[i];
    *n = (size_t)(at[1] - at[0]);
    return l->score + at[0];
}

/* Of the labels, or of the choices that every row has of its own: one of the two, or the record is refused. */
static const double *free_of(const pl__cell *cell, size_t i, const double *all)
{
    const pl_run_unit *u = cell->unit;
    return all && u->n_free == u->loglik.n_choices ? all + u->loglik.choice_indptr[cell->row[i]] : all;
}

const double *pl__cell_bias(const pl__cell *cell, size_t i)
{
    return free_of(cell, i, cell->unit->bias);
}

const double *pl__cell_unconditional(const pl__cell *cell, size_t i)
{
    return free_of(cell, i, cell->unit->unconditional);
}

/* Calibrated predictions of the templates whose units have the bias of their labels. */
static pl_status gather_calibrated(pl__group *g, pl__member *member)
{
    PL_TRY(pl_arena_new(g->arena, &member->calibrated, member->t));
    for (size_t k = 0; k < member->t; k++) {
        const pl__cell *cell = &member->cells[k];
        member->calibrated[k] = g->m > 0 && g->n > 0 && pl__cell_bias(cell, 0);
        if (!member->calibrated[k]) continue;
        if (!member->correct_cc) PL_TRY(pl_arena_new(g->arena, &member->correct_cc, g->n * member->t));
        for (size_t i = 0; i < g->n; i++) {
            size_t n;
            const double *scores = pl__cell_scores(cell, i, &n), *bias = pl__cell_bias(cell, i);
            bool right = g->gold[i] >= 0 && pl_best_label(scores, bias, n) == (size_t)g->gold[i];
            member->correct_cc[i * member->t + k] = right;
        }
    }
    return PL_OK;
}

pl_status pl__group_predictions(pl__group *g)
{
    bool open = false;
    PL_TRY(read_gold(g, &open));
    for (size_t s = 0; s < g->n_members; s++)
        PL_TRY(pl_arena_new(g->arena, &g->members[s].codes, g->n * g->members[s].t));
    PL_TRY(open ? code_texts(g) : code_labels(g));
    g->m = n_choices(g);
    for (size_t i = 0; i < g->n && !g->unit->alone && !g->unit->rolls && g->m; i++)
        g->several_right = g->several_right || g->gold[i] < 0;
    if (g->several_right) g->chance = NAN; /* as many as are right */
    for (size_t s = 0; s < g->n_members; s++) {
        pl__member *member = &g->members[s];
        PL_TRY(gather_bools(&member->correct, g, member, "correct"));
        PL_TRY(gather_norm(g, member));
        PL_TRY(gather_failed(g, member));
        PL_TRY(gather_labels(g, member));
        PL_TRY(gather_calibrated(g, member));
    }
    return PL_OK;
}
