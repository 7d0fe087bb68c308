/* From a run folder to the stability table: families, their members, then means over members (stability.h). */
#include "analysis/stability.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/behaviour.h"
#include "analysis/group.h"
#include "analysis/representation.h"
#include "analysis/rows.h"
#include "analysis/run_view.h"

/* A text of the plan, kept with the table. */
static pl_status keep(const char **out, pl_arena *arena, const char *text)
{
    char *copy;
    PL_TRY(pl_arena_text(arena, &copy, text, strlen(text)));
    *out = copy;
    return PL_OK;
}

/* Template names are borrowed from the plan while rows are made; the table keeps its own. */
static pl_status keep_templates(pl__rows *rows, size_t from)
{
    for (size_t i = from; i < rows->n; i++)
        if (*rows->rows[i].template_name)
            PL_TRY(keep(&rows->rows[i].template_name, rows->arena, rows->rows[i].template_name));
    return PL_OK;
}

static pl_status family_base(pl_stability_row *base, pl_arena *arena, const pl_unit_entry *entry)
{
    *base = (pl_stability_row){.k = entry->k,
                               .template_name = "",
                               .layer = "",
                               .position = "",
                               .preproc = "",
                               .ci_method = "none",
                               .n_seeds = 1,
                               .null_mean = NAN,
                               .null_sd = NAN,
                               .null_name = "",
                               .unit = "",
                               .note = ""};
    PL_TRY(keep(&base->model, arena, entry->model));
    PL_TRY(keep(&base->task, arena, entry->task));
    PL_TRY(keep(&base->arm, arena, entry->arm));
    return keep(&base->readout, arena, entry->readout);
}

static pl_status member_base(pl__rows *rows, const pl__group *f, const pl__member *member, const char *family_note)
{
    rows->base.draw = member->draw;
    rows->base.order = member->order;
    rows->base.seed = member->seed;
    rows->base.note = family_note;
    if (member->t == f->n_planned) return PL_OK;
    return pl__row_note(rows, &rows->base, "%zu of %zu templates are there", member->t, f->n_planned);
}

/* -1 where members differ. */
static void pooled_base(pl__rows *rows, const pl__group *f, const char *family_note)
{
    rows->base.draw = f->members[0].draw;
    rows->base.order = f->members[0].order;
    rows->base.seed = f->members[0].seed;
    rows->base.note = family_note;
    for (size_t s = 1; s < f->n_members; s++) {
        if (f->members[s].draw != f->members[0].draw) rows->base.draw = -1;
        if (f->members[s].order != f->members[0].order) rows->base.order = -1;
        if (f->members[s].seed != f->members[0].seed) rows->base.seed = -1;
    }
}

/* Members that lack templates have rows of their own but no part in the means. */
static pl_status family_rows(pl__rows *rows, const pl__group *f)
{
    pl__variance_pool pool = {0};
    pl_status status = PL_OK;
    size_t n_whole = 0;
    const char *note;
    if (f->n < f->n_largest)
        PL_TRY(pl__row_note(rows, &rows->base, "%zu of %zu items are in all units", f->n, f->n_largest));
    note = rows->base.note;
    for (size_t s = 0; s < f->n_members; s++) n_whole += f->members[s].whole;
    for (size_t s = 0; s < f->n_members; s++) {
        rows->pooling = n_whole > 1 && f->members[s].whole;
        PL_GOTO(status, done, member_base(rows, f, &f->members[s], note));
        PL_GOTO(status, done, pl__behaviour_rows(rows, f, &f->members[s], &pool));
        PL_GOTO(status, done, pl__representation_rows(rows, f, &f->members[s]));
    }
    if (n_whole > 1) {
        pooled_base(rows, f, note);
        if (n_whole < f->n_members)
            PL_GOTO(status, done, pl__row_note(rows, &rows->base, "%zu of %zu draws are whole", n_whole, f->n_members));
        PL_GOTO(status, done, pl__behaviour_pooled(rows, f, &pool));
        PL_GOTO(status, done, pl__rows_pooled(rows, n_whole));
    }
done:
    pl__variance_pool_free(&pool);
    return status;
}

static bool is_first_of_family(const pl_unit_entry *entries, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (pl_unit_entry_same_family(&entries[i], &entries[at])) return false;
    return true;
}

static pl_status note_random(pl_stability_table *table, const char *model)
{
    for (size_t i = 0; i < table->n_random_models; i++)
        if (!strcmp(table->random_models[i], model)) return PL_OK;
    table->random_models[table->n_random_models++] = model;
    return PL_OK;
}

static pl_status all_rows(pl_stability_table *table, pl__rows *rows, const pl_run_folder *run,
                          const pl_unit_entry *entries, size_t n)
{
    PL_TRY(pl_arena_new(table->arena, &table->random_models, n));
    for (size_t i = 0; i < n; i++) {
        pl__group family;
        size_t from = rows->n;
        if (!is_first_of_family(entries, i)) continue;
        PL_TRY(family_base(&rows->base, table->arena, &entries[i]));
        PL_TRY(pl__group_read(&family, run, entries, n, i));
        pl_status status = PL_OK;
        if (family.n_members > 0) status = family_rows(rows, &family);
        if (status == PL_OK && family.random_weights) status = note_random(table, rows->base.model);
        if (status == PL_OK) status = keep_templates(rows, from);
        pl__group_free(&family);
        PL_TRY(status);
    }
    return PL_OK;
}

pl_status pl_stability_of_run(pl_stability_table **out, const pl_run_folder *run, size_t *n_missing)
{
    pl_status status;
    pl_stability_table *table = NULL;
    pl_unit_entry *entries;
    pl__rows rows = {0};
    pl_plan_file *plan = NULL;
    size_t n;
    *out = NULL;
    *n_missing = 0;
    PL_TRY(pl_new(&table, 1));
    PL_GOTO(status, done, pl_arena_create(&table->arena));
    rows.arena = table->arena;
    PL_GOTO(status, done, pl_plan_file_read(&plan, run));
    PL_GOTO(status, done, pl_unit_entries(&entries, &n, plan, run, table->arena));
    for (size_t i = 0; i < n; i++) *n_missing += !entries[i].done;
    PL_GOTO(status, done, all_rows(table, &rows, run, entries, n));
    table->rows = rows.rows;
    table->n = rows.n;
    rows.rows = NULL;
    *out = table;
    table = NULL;
done:
    pl__rows_free(&rows);
    pl_plan_file_free(plan);
    pl_stability_free(table);
    return status;
}

void pl_stability_free(pl_stability_table *table)
{
    if (!table) return;
    free(table->rows);
    pl_arena_free(table->arena);
    free(table);
}
