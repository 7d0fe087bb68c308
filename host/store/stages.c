#include "store/stages.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const char *const pl_stage_names[PL_STAGES] = {"prompt", "linear", "finetune"};

size_t pl_stage_of(const char *arm)
{
    size_t s = 0;
    while (s < PL_STAGES && strcmp(pl_stage_names[s], arm)) s++;
    return s;
}

static pl_stage_row *find(const pl_stages *s, size_t model, size_t task, const char *readout)
{
    for (size_t j = s->n; j-- > 0;) { /* of the unit before, most often */
        pl_stage_row *one = &s->rows[j];
        if (one->model == model && one->task == task && !strcmp(one->readout, readout)) return one;
    }
    return NULL;
}

/* The unit that adapted the model of unit u: mostly the last one that learned. */
static size_t find_learner(const pl_plan_file *plan, size_t u)
{
    const char *id = plan->units[u].learned_by;
    if (!id) return SIZE_MAX;
    for (size_t at = u; at-- > 0;)
        if (pl_planned_learns(&plan->units[at]) && !strcmp(plan->units[at].id, id)) return at;
    return SIZE_MAX;
}

static pl_status add_unit(pl_stages *s, size_t *capacity, size_t u)
{
    const pl_planned_unit *unit = &s->plan->units[u];
    size_t stage = pl_stage_of(unit->arm);
    if (stage == PL_STAGES)
        return pl_fail(PL_E_INPUT, "plan.json: unit %s: arm '%s', expected prompt, linear or finetune", unit->id,
                       unit->arm);
    s->learner_of[u] = find_learner(s->plan, u);
    if (pl_planned_learns(unit)) return PL_OK;
    pl_stage_row *row = find(s, unit->model, unit->task, unit->readout);
    if (!row) {
        PL_TRY(pl_grow(&s->rows, capacity, s->n + 1));
        row = &s->rows[s->n++];
        *row = (pl_stage_row){.model = unit->model, .task = unit->task, .readout = unit->readout};
    }
    row->n_stages += !row->has[stage];
    s->n_looked_at += !row->has[stage] && row->n_stages == 2;
    row->has[stage] = true;
    s->row_of[u] = (size_t)(row - s->rows);
    return PL_OK;
}

/* The first stage from `from` on that the row has; PL_STAGES: none. */
static size_t stage_from(const pl_stage_row *row, size_t from)
{
    while (from < PL_STAGES && !row->has[from]) from++;
    return from;
}

bool pl_stages_next_look(pl_look_place *out, const pl_stages *s, const pl_stage_row *row)
{
    *out = (pl_look_place){.model = row->model,
                           .task = row->task,
                           .readout = row->readout,
                           .stage = pl_stage_names[row->open],
                           .n_looks = row->n_stages,
                           .n_rows = s->n_looked_at};
    return !row->stopped && stage_from(row, row->open + 1) < PL_STAGES;
}

static pl_status read_row(const pl_stages *s, pl_stage_row *row, const pl_run_folder *run)
{
    pl_look_place place;
    while (pl_stages_next_look(&place, s, row)) {
        pl_look look;
        bool there;
        PL_TRY(pl_look_get(&look, &there, run, &place));
        if (!there) return PL_OK;
        row->stopped = look.enough;
        if (look.enough) return PL_OK;
        row->open = stage_from(row, row->open + 1);
        row->done_to = 0;
    }
    return PL_OK;
}

static pl_need need_of(const pl_stages *s, size_t u)
{
    const pl_stage_row *row = &s->rows[s->row_of[u]];
    if (pl_stage_of(s->plan->units[u].arm) <= row->open) return PL_NEEDED;
    return row->stopped ? PL_NOT_NEEDED : PL_WAITING;
}

pl_status pl_stages_read(pl_stages *s, const pl_run_folder *run)
{
    if (!s->n) return PL_OK;
    for (size_t j = 0; j < s->n; j++) PL_TRY(read_row(s, &s->rows[j], run));
    for (size_t u = 0; u < s->plan->n_units; u++)
        s->need[u] = pl_planned_learns(&s->plan->units[u]) ? PL_NOT_NEEDED : need_of(s, u);
    for (size_t u = 0; u < s->plan->n_units; u++) {
        size_t learner = s->learner_of[u];
        if (learner != SIZE_MAX && s->need[u] < s->need[learner]) s->need[learner] = s->need[u];
    }
    return PL_OK;
}

pl_status pl_stages_open(pl_stages *out, const pl_plan_file *plan, const pl_run_folder *run)
{
    size_t capacity = 0;
    pl_status status;
    *out = (pl_stages){.plan = plan};
    PL_GOTO(status, failed, pl_new(&out->need, plan->n_units));
    if (!plan->staged) return PL_OK;
    PL_GOTO(status, failed, pl_new(&out->row_of, plan->n_units));
    PL_GOTO(status, failed, pl_new(&out->learner_of, plan->n_units));
    for (size_t u = 0; u < plan->n_units; u++) PL_GOTO(status, failed, add_unit(out, &capacity, u));
    for (size_t j = 0; j < out->n; j++) out->rows[j].open = stage_from(&out->rows[j], 0);
    PL_GOTO(status, failed, pl_stages_read(out, run));
    return PL_OK;
failed:
    pl_stages_free(out);
    return status;
}

void pl_stages_free(pl_stages *s)
{
    free(s->rows);
    free(s->row_of);
    free(s->learner_of);
    free(s->need);
    *s = (pl_stages){0};
}

const pl_stage_row *pl_stages_row(const pl_stages *s, size_t model, size_t task, const char *readout)
{
    return find(s, model, task, readout);
}

bool pl_stages_is_finished(const pl_stages *s, pl_stage_row *row, const pl_run_folder *run)
{
    for (; row->done_to < s->plan->n_units; row->done_to++) {
        const pl_planned_unit *unit = &s->plan->units[row->done_to];
        if (pl_planned_learns(unit) || &s->rows[s->row_of[row->done_to]] != row) continue;
        if (pl_stage_of(unit->arm) == row->open && !pl_run_folder_has(run, unit->id)) return false;
    }
    return true;
}
