/* Reading a group: its units, then the items that they share and that are finite in all of them (group.h). */
#include "analysis/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- units ---- */

static pl_status check_templates(const pl__member *member)
{
    for (size_t a = 0; a < member->t; a++)
        for (size_t b = a + 1; b < member->t; b++)
            if (!strcmp(member->cells[a].unit->template_name, member->cells[b].unit->template_name))
                return pl_fail(PL_E_INPUT, "plan.json: units %s and %s are the same cell (template '%s'): plan again",
                               member->cells[a].unit->id, member->cells[b].unit->id,
                               member->cells[a].unit->template_name);
    return PL_OK;
}

/* The text of a template as the task file has it; NULL: not told. */
static const json_t *text_of(const pl_run_unit *unit)
{
    const pl_planned_task *task = unit->task_facts;
    for (size_t t = 0; t < task->n_templates; t++)
        if (!strcmp(task->templates[t].name, unit->template_name))
            return json_object_get(task->templates[t].config, "doc_to_text");
    return NULL;
}

static pl_status find_wordings(pl__group *g, pl__member *member)
{
    PL_TRY(pl_arena_new(g->arena, &member->wording, member->t));
    for (size_t k = 0; k < member->t; k++) {
        const json_t *own = text_of(member->cells[k].unit);
        size_t first = 0;
        while (first < k && !(own && json_equal(own, text_of(member->cells[first].unit)))) first++;
        member->wording[k] = first;
    }
    return PL_OK;
}

size_t pl__wordings(size_t *of, double *size, const size_t *wording, size_t t)
{
    size_t n = 0;
    for (size_t k = 0; k < t; k++) {
        of[k] = wording[k] == k ? n++ : of[wording[k]];
        size[k] = 0.0;
        for (size_t j = 0; j < t; j++) size[k] += wording[j] == wording[k];
    }
    return n;
}

static pl_status count_largest(pl__group *g, const pl_run_unit *unit)
{
    const int64_t *ids;
    size_t n = 0;
    PL_TRY(pl_run_unit_integers(&ids, unit, "doc_id"));
    for (size_t r = 0; r < unit->obs->n_rows; r++) n += pl_run_view_sees(g->view, unit, ids[r]);
    if (n > g->n_largest) g->n_largest = n;
    return PL_OK;
}

/* The member that the unit `at` is the first of; *planned templates. */
static pl_status take_member(pl__group *g, pl__member *member, size_t *planned, size_t at)
{
    const pl_run_unit *first = pl_run_view_unit(g->view, at);
    *member = (pl__member){.draw = first->draw, .order = first->order, .seed = first->seed};
    for (size_t j = at; j != SIZE_MAX; j = pl_run_view_unit(g->view, j)->next) ++*planned;
    PL_TRY(pl_arena_new(g->arena, &member->cells, *planned));
    for (size_t j = at; j != SIZE_MAX; j = pl_run_view_unit(g->view, j)->next) {
        const pl_run_unit *unit = pl_run_view_unit(g->view, j);
        if (!unit->done) continue;
        PL_TRY(pl_run_view_take(g->view, unit));
        member->cells[member->t++].unit = unit;
        PL_TRY(count_largest(g, unit));
    }
    PL_TRY(find_wordings(g, member));
    return check_templates(member);
}

static bool is_first_of_member(const pl__group *g, size_t first, size_t at)
{
    const pl_run_unit *unit = pl_run_view_unit(g->view, at);
    return unit->group == first && unit->member == at;
}

/* The members in plan order, with the units that are there. */
static pl_status take_members(pl__group *g, size_t first)
{
    size_t n = pl_run_view_n_units(g->view), n_members = 0;
    for (size_t i = first; i < n; i++) n_members += is_first_of_member(g, first, i);
    PL_TRY(pl_arena_new(g->arena, &g->members, n_members + 1)); /* one more: pl__group_free */
    for (size_t i = first; i < n; i++) {
        if (!is_first_of_member(g, first, i)) continue;
        size_t planned = 0;
        PL_TRY(take_member(g, &g->members[g->n_members], &planned, i));
        if (planned > g->n_planned) g->n_planned = planned;
        if (g->members[g->n_members].t > 0) g->n_members++;
    }
    for (size_t s = 0; s < g->n_members; s++) g->members[s].whole = g->members[s].t == g->n_planned;
    return PL_OK;
}

/* Calls `visit` for each cell of the group, in order. */
typedef pl_status (*cell_visitor)(pl__group *g, pl__cell *cell, void *context);

static pl_status each_cell(pl__group *g, cell_visitor visit, void *context)
{
    for (size_t s = 0; s < g->n_members; s++)
        for (size_t k = 0; k < g->members[s].t; k++) PL_TRY(visit(g, &g->members[s].cells[k], context));
    return PL_OK;
}

/* ---- items ---- */

/* A doc_id with its row, for look-ups. */
typedef struct place {
    int64_t id;
    size_t row;
} place;

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const place *)a)->id, y = ((const place *)b)->id;
    return (x > y) - (x < y);
}

/* The rows of a unit sorted by doc_id; one that stands twice is an error. The caller frees *out. */
static pl_status index_rows(place **out, const pl_run_unit *unit)
{
    size_t n = unit->obs->n_rows;
    const int64_t *ids;
    PL_TRY(pl_run_unit_integers(&ids, unit, "doc_id"));
    PL_TRY(pl_new(out, n));
    for (size_t i = 0; i < n; i++) (*out)[i] = (place){ids[i], i};
    if (n > 1) qsort(*out, n, sizeof **out, by_id);
    for (size_t i = 1; i < n; i++) {
        const place *a = &(*out)[i - 1], *b = &(*out)[i];
        if (a->id < b->id) continue;
        pl_status status = pl_fail(PL_E_INPUT, "%s: /obs: doc_id %lld is in rows %zu and %zu, expected one row an item",
                                   unit->path, (long long)b->id, a->row, b->row);
        free(*out);
        *out = NULL;
        return status;
    }
    return PL_OK;
}

/* The rows of the first unit, and which of them are still items. */
struct items {
    size_t n;
    const int64_t *ids;
    const char *const *hashes;
    bool *kept;
};

/* An item with two hashes means that the units did not see the same data. */
static pl_status check_hash(const struct items *items, size_t i, const pl_run_unit *unit, const char *here)
{
    const char *first = items->hashes[i];
    if (!here || !first || !strcmp(here, first)) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: doc_id %lld has doc_hash %s, another unit of the run has %s: the data changed between units; "
                   "run them again",
                   unit->path, (long long)items->ids[i], here, first);
}

/* Finds the first unit's items in this one. cell->row is [rows of the first unit] from here on, until it is packed. */
static pl_status find_items(pl__group *g, pl__cell *cell, void *context)
{
    struct items *items = context;
    const char *const *hashes;
    place *index;
    PL_TRY(pl_run_unit_texts(&hashes, cell->unit, "doc_hash"));
    PL_TRY(pl_arena_new(g->arena, &cell->row, items->n));
    PL_TRY(index_rows(&index, cell->unit));
    pl_status status = PL_OK;
    for (size_t i = 0; i < items->n && status == PL_OK; i++) {
        const place wanted = {items->ids[i], 0},
                    *found = bsearch(&wanted, index, cell->unit->obs->n_rows, sizeof *index, by_id);
        items->kept[i] = items->kept[i] && found;
        if (!found) continue;
        cell->row[i] = found->row;
        status = check_hash(items, i, cell->unit, hashes[found->row]);
    }
    free(index);
    return status;
}

static pl_status count_not_finite(pl__group *g, pl__cell *cell, void *context)
{
    struct items *items = context;
    const uint8_t *finite, *merged;
    (void)g;
    PL_TRY(pl_run_unit_bools(&finite, cell->unit, "finite"));
    PL_TRY(pl_run_unit_bools(&merged, cell->unit, "merged"));
    for (size_t r = 0; r < cell->unit->obs->n_rows; r++) cell->n_merged += merged[r] != 0;
    for (size_t i = 0; i < items->n; i++)
        if (items->kept[i] && !finite[cell->row[i]] && cell->n_not_finite++ == 0)
            cell->first_not_finite = items->ids[i];
    return PL_OK;
}

static pl_status drop_not_finite(pl__group *g, pl__cell *cell, void *context)
{
    struct items *items = context;
    const uint8_t *finite;
    (void)g;
    PL_TRY(pl_run_unit_bools(&finite, cell->unit, "finite"));
    for (size_t i = 0; i < items->n; i++) items->kept[i] = items->kept[i] && finite[cell->row[i]];
    return PL_OK;
}

static pl_status pack_rows(pl__group *g, pl__cell *cell, void *context)
{
    const struct items *items = context;
    size_t n = 0;
    (void)g;
    for (size_t i = 0; i < items->n; i++)
        if (items->kept[i]) cell->row[n++] = cell->row[i];
    return PL_OK;
}

static size_t count_kept(const struct items *items)
{
    size_t n = 0;
    for (size_t i = 0; i < items->n; i++) n += items->kept[i];
    return n;
}

static pl_status share_items(pl__group *g)
{
    const pl_run_unit *first = g->members[0].cells[0].unit;
    struct items items = {.n = first->obs->n_rows};
    PL_TRY(pl_run_unit_integers(&items.ids, first, "doc_id"));
    PL_TRY(pl_run_unit_texts(&items.hashes, first, "doc_hash"));
    PL_TRY(pl_arena_new(g->arena, &items.kept, items.n));
    for (size_t i = 0; i < items.n; i++) items.kept[i] = pl_run_view_sees(g->view, first, items.ids[i]);
    PL_TRY(each_cell(g, find_items, &items));
    g->n_shared = count_kept(&items);
    if (g->n_shared == 0)
        return pl_fail(PL_E_INPUT, "%s: model %s, task %s, k %lld: the finished units share no item (doc_id)",
                       pl_run_view_folder(g->view)->path, g->unit->model, g->unit->task, g->unit->k);
    PL_TRY(each_cell(g, count_not_finite, &items));
    PL_TRY(each_cell(g, drop_not_finite, &items));
    g->n = count_kept(&items);
    g->n_not_finite = g->n_shared - g->n;
    PL_TRY(pl_arena_new(g->arena, &g->doc_id, g->n));
    for (size_t i = 0, at = 0; i < items.n; i++)
        if (items.kept[i]) g->doc_id[at++] = items.ids[i];
    PL_TRY(pl_arena_new(g->arena, &g->group_of, g->n));
    if (!pl_run_view_groups(g->view, first, g->doc_id, g->n, g->group_of)) g->group_of = NULL;
    PL_TRY(pl__clusters_make(&g->clusters, g->group_of, g->n, g->arena));
    return each_cell(g, pack_rows, &items);
}

pl_status pl__group_read(pl__group *out, pl_run_view *view, size_t first)
{
    pl_status status;
    const pl_run_unit *unit = pl_run_view_unit(view, first);
    *out = (pl__group){
        .view = view, .unit = unit, .n_labels = unit->task_facts->n_labels, .chance = unit->chance, .majority = NAN};
    PL_GOTO(status, failed, pl_arena_create(&out->arena));
    PL_GOTO(status, failed, take_members(out, first));
    if (out->n_members == 0) return PL_OK;
    PL_GOTO(status, failed, share_items(out));
    PL_GOTO(status, failed, pl__group_predictions(out));
    return PL_OK;
failed:
    pl__group_free(out);
    return status;
}

size_t pl__member_beyond(const pl__member *member)
{
    size_t n = 0;
    for (size_t k = 0; k < member->t; k++) n += member->cells[k].unit->n_beyond;
    return n;
}

void pl__group_free(pl__group *g)
{
    /* One more than the members: a unit that failed to read belongs to a member that is not counted yet. */
    for (size_t s = 0; g->members && s <= g->n_members; s++)
        for (size_t k = 0; k < g->members[s].t; k++) pl_run_view_release(g->view, g->members[s].cells[k].unit);
    pl_arena_free(g->arena);
    *g = (pl__group){0};
}
