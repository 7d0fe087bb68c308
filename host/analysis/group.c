/* Reading a family: frames and label scores of its units, then the items they share (family.h). */
#include "analysis/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/entropy.h"

/* A column of this kind, or an error that names the file. CATEGORY and TEXT are the same to a reader. */
static pl_status need_column(const pl_column **out, const pl__cell *cell, const char *name, pl_column_kind kind)
{
    const pl_column *c = pl_frame_column(cell->obs, name);
    bool texts = c && (c->kind == PL_COLUMN_TEXT || c->kind == PL_COLUMN_CATEGORY);
    *out = c;
    if (c && (c->kind == kind || (kind == PL_COLUMN_TEXT && texts))) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: /obs/%s: expected a column of %s, found %s", cell->path, name,
                   kind == PL_COLUMN_TEXT ? "texts" : "true and false", c ? "another type" : "none");
}

/* doc_id of each row as text, whether it is stored as text or as integer. */
static pl_status doc_ids(const char ***out, const pl__cell *cell, pl_arena *arena)
{
    const pl_column *c = pl_frame_column(cell->obs, "doc_id");
    size_t n = cell->obs->n_rows;
    if (!c || c->kind != PL_COLUMN_INTEGER) {
        PL_TRY(need_column(&c, cell, "doc_id", PL_COLUMN_TEXT));
        *out = c->values.text;
        for (size_t i = 0; i < n; i++)
            if (!c->values.text[i]) return pl_fail(PL_E_INPUT, "%s: /obs/doc_id: row %zu has none", cell->path, i);
        return PL_OK;
    }
    PL_TRY(pl_arena_new(arena, out, n));
    for (size_t i = 0; i < n; i++)
        PL_TRY(pl_arena_format(arena, (char **)&(*out)[i], "%lld", (long long)c->values.integer[i]));
    return PL_OK;
}

/* A text with its place, for look-ups by text. */
typedef struct place {
    const char *text;
    size_t at;
} place;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const place *)a)->text, ((const place *)b)->text);
}

/* The rows of a cell sorted by doc_id; one that stands twice is an error. */
static pl_status index_rows(place **out, const pl__cell *cell, const char *const *ids, pl_arena *arena)
{
    size_t n = cell->obs->n_rows;
    PL_TRY(pl_arena_new(arena, out, n));
    for (size_t i = 0; i < n; i++) (*out)[i] = (place){ids[i], i};
    if (n > 1) qsort(*out, n, sizeof **out, by_text);
    for (size_t i = 1; i < n; i++)
        if (!strcmp((*out)[i - 1].text, (*out)[i].text))
            return pl_fail(PL_E_INPUT, "%s: /obs: doc_id '%s' stands in rows %zu and %zu, expected one row an item",
                           cell->path, ids[(*out)[i].at], (*out)[i - 1].at, (*out)[i].at);
    return PL_OK;
}

static pl_status read_cell(pl__group *f, pl__cell *cell)
{
    pl_unit_reader *reader = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_unit_open(&reader, cell->path));
    PL_GOTO(status, done, pl_unit_get_obs(reader, &cell->obs));
    if (!strcmp(cell->entry->readout, "loglikelihood"))
        PL_GOTO(status, done, pl_unit_get_loglik(reader, f->arena, &cell->loglik));
    f->random_weights = cell->entry->random_weights;
    if (cell->obs->n_rows > f->n_largest) f->n_largest = cell->obs->n_rows;
done:
    pl_unit_close(reader);
    return status;
}

static pl_status check_templates(const pl__member *member)
{
    for (size_t a = 0; a < member->t; a++)
        for (size_t b = a + 1; b < member->t; b++)
            if (!strcmp(member->cells[a].entry->template_name, member->cells[b].entry->template_name))
                return pl_fail(PL_E_INPUT, "plan.json: units %s and %s are the same cell (template '%s'): plan again",
                               member->cells[a].entry->id, member->cells[b].entry->id,
                               member->cells[a].entry->template_name);
    return PL_OK;
}

/* The members in plan order, with the units that are there. */
static pl_status collect(pl__group *f, const pl_run_folder *run, const pl_unit_entry *entries, size_t n, size_t first)
{
    PL_TRY(pl_arena_new(f->arena, &f->members, n - first + 1)); /* one more: pl__group_free */
    for (size_t i = first; i < n; i++) {
        bool known = !pl_unit_entry_same_family(&entries[first], &entries[i]);
        for (size_t j = first; j < i && !known; j++) known = pl_unit_entry_same_member(&entries[i], &entries[j]);
        if (known) continue;
        pl__member *member = &f->members[f->n_members];
        *member = (pl__member){.draw = entries[i].draw, .order = entries[i].order, .seed = entries[i].seed};
        size_t planned = 0;
        for (size_t j = i; j < n; j++) planned += pl_unit_entry_same_member(&entries[i], &entries[j]);
        PL_TRY(pl_arena_new(f->arena, &member->cells, planned));
        for (size_t j = i; j < n; j++) {
            if (!entries[j].done || !pl_unit_entry_same_member(&entries[i], &entries[j])) continue;
            pl__cell *cell = &member->cells[member->t];
            cell->entry = &entries[j];
            PL_TRY(pl_run_folder_unit(cell->path, run, entries[j].id));
            member->t++; /* before the frame is there, so that the clean-up sees it */
            PL_TRY(read_cell(f, cell));
        }
        PL_TRY(check_templates(member));
        if (planned > f->n_planned) f->n_planned = planned;
        if (member->t > 0) f->n_members++;
    }
    for (size_t s = 0; s < f->n_members; s++) f->members[s].whole = f->members[s].t == f->n_planned;
    return PL_OK;
}

/* Calls `visit` for each cell of the family, in order. */
typedef pl_status (*cell_visitor)(pl__group *f, pl__cell *cell, void *context);

static pl_status each_cell(pl__group *f, cell_visitor visit, void *context)
{
    for (size_t s = 0; s < f->n_members; s++)
        for (size_t k = 0; k < f->members[s].t; k++) PL_TRY(visit(f, &f->members[s].cells[k], context));
    return PL_OK;
}

/* The items that are left after a cell was looked at; ids are those of the first cell. */
struct items {
    const char **ids, **hashes; /* [n]; hashes NULL when the first cell has none */
    size_t n;
};

/* Keeps the items that this cell has too. An item with two hashes means that the units did not see the same data. */
static pl_status intersect(pl__group *f, pl__cell *cell, void *context)
{
    struct items *items = context;
    const char **ids;
    place *index;
    PL_TRY(doc_ids(&ids, cell, f->arena));
    PL_TRY(index_rows(&index, cell, ids, f->arena));
    const pl_column *hash = pl_frame_column(cell->obs, "doc_hash");
    const char **hashes =
        hash && (hash->kind == PL_COLUMN_TEXT || hash->kind == PL_COLUMN_CATEGORY) ? hash->values.text : NULL;
    size_t kept = 0;
    for (size_t i = 0; i < items->n; i++) {
        const place wanted = {items->ids[i], 0};
        const place *found = bsearch(&wanted, index, cell->obs->n_rows, sizeof *index, by_text);
        if (!found) continue;
        const char *here = hashes ? hashes[found->at] : NULL, *first = items->hashes ? items->hashes[i] : NULL;
        if (here && first && strcmp(here, first))
            return pl_fail(PL_E_INPUT,
                           "%s: doc_id '%s' has doc_hash %s, another unit of the run has %s: the data changed between "
                           "units; run them again",
                           cell->path, items->ids[i], here, first);
        items->ids[kept] = items->ids[i];
        if (items->hashes) items->hashes[kept] = first;
        kept++;
    }
    items->n = kept;
    return PL_OK;
}

/* Where the shared items stand in a cell. */
static pl_status locate(pl__group *f, pl__cell *cell, void *context)
{
    const struct items *items = context;
    const char **ids;
    place *index;
    PL_TRY(doc_ids(&ids, cell, f->arena));
    PL_TRY(index_rows(&index, cell, ids, f->arena));
    PL_TRY(pl_arena_new(f->arena, &cell->row, items->n));
    for (size_t i = 0; i < items->n; i++) {
        const place wanted = {items->ids[i], 0};
        cell->row[i] = ((const place *)bsearch(&wanted, index, cell->obs->n_rows, sizeof *index, by_text))->at;
    }
    return PL_OK;
}

static pl_status share_items(pl__group *f)
{
    const pl__cell *first = &f->members[0].cells[0];
    size_t n = first->obs->n_rows;
    struct items items = {.n = n};
    const char **ids;
    PL_TRY(doc_ids(&ids, first, f->arena));
    PL_TRY(pl_arena_new(f->arena, &items.ids, n));
    for (size_t i = 0; i < n; i++) items.ids[i] = ids[i];
    const pl_column *hash = pl_frame_column(first->obs, "doc_hash");
    if (hash && (hash->kind == PL_COLUMN_TEXT || hash->kind == PL_COLUMN_CATEGORY)) {
        PL_TRY(pl_arena_new(f->arena, &items.hashes, n));
        for (size_t i = 0; i < n; i++) items.hashes[i] = hash->values.text[i];
    }
    PL_TRY(each_cell(f, intersect, &items));
    f->n = items.n;
    return each_cell(f, locate, &items);
}

/* The distinct texts of the family's predictions (or gold labels), sorted. */
struct dictionary {
    const char *column;
    place *texts;
    size_t n, capacity;
};

static pl_status collect_texts(pl__group *f, pl__cell *cell, void *context)
{
    struct dictionary *d = context;
    const pl_column *c;
    PL_TRY(need_column(&c, cell, d->column, PL_COLUMN_TEXT));
    PL_TRY(pl_grow(&d->texts, &d->capacity, d->n + f->n));
    for (size_t i = 0; i < f->n; i++) {
        const char *text = c->values.text[cell->row[i]];
        d->texts[d->n++] = (place){text ? text : "none", 0};
    }
    return PL_OK;
}

static void make_distinct(struct dictionary *d)
{
    size_t kept = 0;
    if (d->n > 1) qsort(d->texts, d->n, sizeof *d->texts, by_text);
    for (size_t i = 0; i < d->n; i++)
        if (kept == 0 || strcmp(d->texts[kept - 1].text, d->texts[i].text)) d->texts[kept++] = d->texts[i];
    d->n = kept;
}

static size_t place_of(const struct dictionary *d, const char *text)
{
    const place wanted = {text ? text : "none", 0};
    return (size_t)((const place *)bsearch(&wanted, d->texts, d->n, sizeof *d->texts, by_text) - d->texts);
}

/* Codes of the predictions over the family's categories. */
static pl_status code_predictions(pl__group *f)
{
    struct dictionary d = {.column = "prediction"};
    pl_status status;
    PL_GOTO(status, done, each_cell(f, collect_texts, &d));
    PL_GOTO(status, done, pl_grow(&d.texts, &d.capacity, d.n + f->entry->n_labels));
    for (size_t j = 0; j < f->entry->n_labels; j++) {
        char *name;
        PL_GOTO(status, done, pl_arena_format(f->arena, &name, "%zu", j));
        d.texts[d.n++] = (place){name, 0};
    }
    make_distinct(&d);
    f->n_categories = d.n;
    for (size_t s = 0; s < f->n_members; s++) {
        pl__member *member = &f->members[s];
        PL_GOTO(status, done, pl_arena_new(f->arena, &member->codes, f->n * member->t));
        for (size_t k = 0; k < member->t; k++) {
            const pl__cell *cell = &member->cells[k];
            const pl_column *c = pl_frame_column(cell->obs, "prediction");
            for (size_t i = 0; i < f->n; i++)
                member->codes[i * member->t + k] = (int)place_of(&d, c->values.text[cell->row[i]]);
        }
    }
done:
    free(d.texts);
    return status;
}

/* A label index written as text; -1 when it is none. */
static int label_index(const char *text)
{
    if (!text || text[0] < '0' || text[0] > '9') return -1;
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    return *end || value > INT32_MAX ? -1 : (int)value;
}

/* Gold labels of the items and the share of the commonest: from the first unit, they do not depend on the template. */
static pl_status read_gold(pl__group *f)
{
    struct dictionary d = {.column = "label"};
    pl__cell *first = &f->members[0].cells[0];
    size_t *counts = NULL, largest = 0;
    const pl_column *c;
    pl_status status;
    PL_GOTO(status, done, collect_texts(f, first, &d));
    make_distinct(&d);
    PL_GOTO(status, done, pl_new(&counts, d.n));
    PL_GOTO(status, done, pl_arena_new(f->arena, &f->gold, f->n));
    c = pl_frame_column(first->obs, "label");
    for (size_t i = 0; i < f->n; i++) {
        const char *text = c->values.text[first->row[i]];
        size_t count = ++counts[place_of(&d, text)];
        if (count > largest) largest = count;
        f->gold[i] = label_index(text);
    }
    f->majority = f->n ? (double)largest / (double)f->n : NAN;
done:
    free(counts);
    free(d.texts);
    return status;
}

/* A [n, t] matrix of a true/false column; NULL when a cell lacks it and it may be absent. */
static pl_status gather_bool(uint8_t **out, pl__group *f, const pl__member *member, const char *name, bool may_lack)
{
    for (size_t k = 0; k < member->t; k++)
        if (may_lack && !pl_frame_column(member->cells[k].obs, name)) return PL_OK;
    PL_TRY(pl_arena_new(f->arena, out, f->n * member->t));
    for (size_t k = 0; k < member->t; k++) {
        const pl__cell *cell = &member->cells[k];
        const pl_column *c;
        PL_TRY(need_column(&c, cell, name, PL_COLUMN_BOOL));
        for (size_t i = 0; i < f->n; i++) (*out)[i * member->t + k] = c->values.boolean[cell->row[i]] != 0;
    }
    return PL_OK;
}

/* Generated answers: which are no label. */
static pl_status gather_failed(pl__group *f, pl__member *member)
{
    if (strcmp(f->entry->readout, "generate")) return PL_OK;
    PL_TRY(pl_arena_new(f->arena, &member->failed, f->n * member->t));
    for (size_t k = 0; k < member->t; k++) {
        const pl__cell *cell = &member->cells[k];
        const pl_column *c;
        PL_TRY(need_column(&c, cell, "outcome", PL_COLUMN_TEXT));
        for (size_t i = 0; i < f->n; i++) {
            const char *outcome = c->values.text[cell->row[i]];
            member->failed[i * member->t + k] = !outcome || strcmp(outcome, "label");
        }
    }
    return PL_OK;
}

/* The largest number of scored labels of an item; 0 when some unit has an item without any. */
static size_t n_choices(const pl__group *f)
{
    size_t most = 0;
    for (size_t s = 0; s < f->n_members; s++) {
        for (size_t k = 0; k < f->members[s].t; k++) {
            const pl__cell *cell = &f->members[s].cells[k];
            if (cell->loglik.n_rows != cell->obs->n_rows) return 0;
            for (size_t i = 0; i < f->n; i++) {
                const uint64_t *at = cell->loglik.choice_indptr + cell->row[i];
                if (at[1] - at[0] < 1) return 0;
                if (at[1] - at[0] > most) most = (size_t)(at[1] - at[0]);
            }
        }
    }
    return most;
}

/* q: softmax over an item's labels of their summed log-likelihoods. Items with fewer labels than m keep zeros. */
static pl_status gather_labels(pl__group *f, pl__member *member)
{
    double *scores;
    size_t doubles;
    if (f->m == 0) return PL_OK;
    PL_TRY(pl_mul_size(&doubles, f->n * member->t, f->m, "label distributions"));
    PL_TRY(pl_arena_new(f->arena, &member->q, doubles));
    PL_TRY(pl_arena_new(f->arena, &scores, f->m));
    for (size_t k = 0; k < member->t; k++) {
        const pl_loglik *l = &member->cells[k].loglik;
        for (size_t i = 0; i < f->n; i++) {
            uint64_t from = l->choice_indptr[member->cells[k].row[i]],
                     to = l->choice_indptr[member->cells[k].row[i] + 1];
            for (uint64_t c = from; c < to; c++) {
                scores[c - from] = 0.0;
                for (uint64_t v = l->token_indptr[c]; v < l->token_indptr[c + 1]; v++)
                    scores[c - from] += (double)l->values[v];
            }
            pl_softmax(member->q + (i * member->t + k) * f->m, scores, (size_t)(to - from));
        }
    }
    return PL_OK;
}

pl_status pl__group_read(pl__group *out, const pl_run_folder *run, const pl_unit_entry *entries, size_t n_entries,
                         size_t first)
{
    pl_status status;
    *out = (pl__group){.entry = &entries[first], .majority = NAN};
    PL_GOTO(status, failed, pl_arena_create(&out->arena));
    PL_GOTO(status, failed, collect(out, run, entries, n_entries, first));
    if (out->n_members == 0) return PL_OK;
    PL_GOTO(status, failed, share_items(out));
    if (out->n == 0) {
        status = pl_fail(PL_E_INPUT, "%s: model %s, task %s, k %lld: the finished units share no item (doc_id)",
                         run->path, out->entry->model, out->entry->task, out->entry->k);
        goto failed;
    }
    PL_GOTO(status, failed, code_predictions(out));
    PL_GOTO(status, failed, read_gold(out));
    out->m = n_choices(out);
    for (size_t s = 0; s < out->n_members; s++) {
        pl__member *member = &out->members[s];
        PL_GOTO(status, failed, gather_bool(&member->correct, out, member, "correct", false));
        PL_GOTO(status, failed, gather_bool(&member->correct_norm, out, member, "acc_norm", true));
        PL_GOTO(status, failed, gather_failed(out, member));
        PL_GOTO(status, failed, gather_labels(out, member));
    }
    return PL_OK;
failed:
    pl__group_free(out);
    return status;
}

void pl__group_free(pl__group *family)
{
    /* One more than the members: a unit that failed to read belongs to a member that is not counted yet. */
    for (size_t s = 0; family->members && s <= family->n_members; s++)
        for (size_t k = 0; k < family->members[s].t; k++) pl_frame_free(family->members[s].cells[k].obs);
    pl_arena_free(family->arena);
    *family = (pl__group){0};
}
