#include "analysis/run_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t BUDGET_BYTES = (size_t)256 << 20;

/* A unit and its rows, when they are in memory. */
typedef struct held {
    pl_run_unit unit; /* first: a unit that is lent is found again by its address */
    size_t model;
    size_t n_taken;
    pl_frame *obs; /* owned */
    pl_arena *arena;
    size_t bytes, used; /* used: when it was last released */
} held;

typedef struct model {
    char *numerics_key, *first_unit; /* of the model's first unit that was read; NULL before */
} model;

struct pl_run_view {
    pl_run_folder run;
    pl_plan_file *plan;
    held *units;   /* [n_units], of the plan */
    model *models; /* of the plan */
    size_t n_units, n_missing;
    size_t bytes, budget, clock, n_reads;
    pl_arena *arena;
};

static pl_status describe(pl_run_unit *u, const pl_run_view *v, const pl_planned_unit *planned)
{
    const pl_planned_task *task = &v->plan->tasks[planned->task];
    *u = (pl_run_unit){.id = planned->id,
                       .model = v->plan->models[planned->model].name,
                       .task = task->name,
                       .arm = planned->arm,
                       .readout = planned->readout,
                       .template_name = planned->template_name,
                       .model_facts = &v->plan->models[planned->model],
                       .task_facts = task,
                       .k = (long long)planned->k,
                       .draw = (long long)planned->draw,
                       .order = (long long)planned->order,
                       .seed = (long long)planned->seed,
                       .chance = task->n_labels ? 1.0 / (double)task->n_labels : NAN,
                       .generates = !strcmp(planned->readout, "generate"),
                       .done = pl_run_folder_has(&v->run, planned->id)};
    if (!pl_role_parse(&u->role, planned->role))
        return pl_fail(PL_E_INPUT, "%s/plan.json: unit %s: role '%s', expected id, dev or ood", v->run.path, u->id,
                       planned->role);
    return pl_run_folder_unit(u->path, &v->run, u->id);
}

static pl_status read_plan(pl_run_view *v)
{
    PL_TRY(pl_plan_file_read(&v->plan, &v->run));
    PL_TRY(pl_arena_new(v->arena, &v->models, v->plan->n_models));
    PL_TRY(pl_arena_new(v->arena, &v->units, v->plan->n_units));
    for (; v->n_units < v->plan->n_units; v->n_units++) {
        held *h = &v->units[v->n_units];
        PL_TRY(describe(&h->unit, v, &v->plan->units[v->n_units]));
        h->model = v->plan->units[v->n_units].model;
        v->n_missing += !h->unit.done;
    }
    return PL_OK;
}

pl_status pl_run_view_open(pl_run_view **out, const pl_run_folder *run)
{
    pl_run_view *v;
    pl_status status;
    *out = NULL;
    PL_TRY(pl_new(&v, 1));
    v->run = *run;
    v->budget = BUDGET_BYTES;
    PL_GOTO(status, failed, pl_arena_create(&v->arena));
    PL_GOTO(status, failed, read_plan(v));
    *out = v;
    return PL_OK;
failed:
    pl_run_view_close(v);
    return status;
}

static void drop(pl_run_view *v, held *h)
{
    pl_frame_free(h->obs);
    pl_arena_free(h->arena);
    v->bytes -= h->bytes;
    h->obs = NULL;
    h->arena = NULL;
    h->bytes = 0;
    h->unit.obs = NULL;
    h->unit.loglik = (pl_loglik){0};
}

void pl_run_view_close(pl_run_view *v)
{
    if (!v) return;
    for (size_t i = 0; i < v->n_units; i++) drop(v, &v->units[i]);
    for (size_t i = 0; v->models && i < v->plan->n_models; i++) {
        free(v->models[i].numerics_key);
        free(v->models[i].first_unit);
    }
    pl_plan_file_free(v->plan);
    pl_arena_free(v->arena);
    free(v);
}

const pl_run_folder *pl_run_view_folder(const pl_run_view *view)
{
    return &view->run;
}

const pl_plan_file *pl_run_view_plan(const pl_run_view *view)
{
    return view->plan;
}

size_t pl_run_view_n_units(const pl_run_view *view)
{
    return view->n_units;
}

const pl_run_unit *pl_run_view_unit(const pl_run_view *view, size_t index)
{
    return &view->units[index].unit;
}

size_t pl_run_view_n_missing(const pl_run_view *view)
{
    return view->n_missing;
}

void pl_run_view_set_budget(pl_run_view *view, size_t bytes)
{
    view->budget = bytes;
}

size_t pl_run_view_n_reads(const pl_run_view *view)
{
    return view->n_reads;
}

bool pl_run_unit_same_group(const pl_run_unit *a, const pl_run_unit *b)
{
    return a->k == b->k && !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->arm, b->arm) &&
           !strcmp(a->readout, b->readout);
}

bool pl_run_unit_same_member(const pl_run_unit *a, const pl_run_unit *b)
{
    return pl_run_unit_same_group(a, b) && a->draw == b->draw && a->order == b->order && a->seed == b->seed;
}

/* ---- rows of units ---- */

/* Units of one model are comparable when what made their products is the same. */
static pl_status check_numerics(pl_run_view *v, const held *h, const pl_unit_reader *reader)
{
    model *m = &v->models[h->model];
    json_t *json = NULL;
    /* A unit that does not say is like others that do not. */
    const char *key = pl_unit_get_attribute(reader, "numerics_key", &json) == PL_OK ? json_string_value(json) : NULL;
    pl_status status = PL_OK;
    if (!key) key = "unknown";
    if (m->numerics_key && strcmp(m->numerics_key, key))
        status = pl_fail(PL_E_INPUT,
                         "%s: its numbers were made by '%s', those of unit %s of the same model by '%s': they are not "
                         "comparable; compute one of them again on the other's kind of device",
                         h->unit.path, key, m->first_unit, m->numerics_key);
    else if (!m->numerics_key) {
        status = pl_copy_text(&m->numerics_key, key);
        if (status == PL_OK) status = pl_copy_text(&m->first_unit, h->unit.id);
    }
    json_decref(json);
    return status;
}

/* capture.items of what decided the unit's numbers: the first so many rows have states. */
static pl_status read_captured(pl_run_unit *u, const pl_unit_reader *reader)
{
    json_t *config;
    PL_TRY(pl_unit_get_config(reader, &config));
    const json_t *items = json_object_get(json_object_get(config, "capture"), "items");
    u->n_captured =
        json_is_integer(items) && json_integer_value(items) >= 0 ? (size_t)json_integer_value(items) : u->obs->n_rows;
    json_decref(config);
    return PL_OK;
}

/* A number of /uns/plumb that the writer counted. */
static pl_status read_count(size_t *out, const pl_unit_reader *reader, const char *name)
{
    json_t *json;
    PL_TRY(pl_unit_get_attribute(reader, name, &json));
    *out = json_integer_value(json) > 0 ? (size_t)json_integer_value(json) : 0;
    json_decref(json);
    return PL_OK;
}

/* What the table and the samples are made of. */
static const char *const columns[] = {"doc_id",   "doc_hash",    "prompt_hash",      "label",  "prediction",
                                      "outcome",  "label_index", "prediction_index", "finite", "correct",
                                      "acc_norm", "exact_match", "answer_match",     "merged"};

static size_t bytes_of(const held *h)
{
    const pl_loglik *l = &h->unit.loglik;
    return h->obs->n_rows * h->obs->n_columns * 16 + l->n_rows * 8 + l->n_choices * 24 + l->n_tokens * 9;
}

static pl_status read_rows(pl_run_view *v, held *h)
{
    pl_unit_reader *reader = NULL;
    pl_status status;
    v->n_reads++;
    PL_GOTO(status, done, pl_arena_create(&h->arena));
    PL_GOTO(status, done, pl_unit_open(&reader, h->unit.path));
    PL_GOTO(status, done, check_numerics(v, h, reader));
    PL_GOTO(status, done, pl_unit_get_obs(reader, columns, sizeof columns / sizeof *columns, &h->obs));
    h->unit.obs = h->obs;
    if (!h->unit.generates) PL_GOTO(status, done, pl_unit_get_loglik(reader, h->arena, &h->unit.loglik));
    PL_GOTO(status, done, read_captured(&h->unit, reader));
    PL_GOTO(status, done, read_count(&h->unit.n_beyond, reader, "out_of_range"));
    PL_GOTO(status, done, read_count(&h->unit.n_broken, reader, "not_finite"));
    h->bytes = bytes_of(h);
    v->bytes += h->bytes;
done:
    pl_unit_close(reader);
    if (status != PL_OK) drop(v, h);
    return status;
}

pl_status pl_run_view_take(pl_run_view *view, const pl_run_unit *unit)
{
    held *h = &view->units[(const held *)unit - view->units];
    if (!h->obs) PL_TRY(read_rows(view, h));
    h->n_taken++;
    return PL_OK;
}

/* The unit that nobody has held for the longest time; NULL when all are held. */
static held *oldest(pl_run_view *v)
{
    held *found = NULL;
    for (size_t i = 0; i < v->n_units; i++) {
        held *h = &v->units[i];
        if (h->obs && h->n_taken == 0 && (!found || h->used < found->used)) found = h;
    }
    return found;
}

void pl_run_view_release(pl_run_view *view, const pl_run_unit *unit)
{
    held *h = &view->units[(const held *)unit - view->units], *old;
    if (h->n_taken == 0) return;
    h->n_taken--;
    h->used = ++view->clock;
    while (view->bytes > view->budget && (old = oldest(view)) != NULL) drop(view, old);
}

static pl_status wrong_column(const pl_run_unit *unit, const char *name, const char *kind, const pl_column *found)
{
    return pl_fail(PL_E_INPUT, "%s: /obs/%s: expected a column of %s, found %s", unit->path, name, kind,
                   found ? "another type" : "none");
}

pl_status pl_run_unit_texts(const char *const **out, const pl_run_unit *unit, const char *name)
{
    const pl_column *c = pl_frame_column(unit->obs, name);
    *out = NULL;
    if (!c || (c->kind != PL_COLUMN_TEXT && c->kind != PL_COLUMN_CATEGORY)) return wrong_column(unit, name, "texts", c);
    *out = c->values.text;
    return PL_OK;
}

pl_status pl_run_unit_integers(const int64_t **out, const pl_run_unit *unit, const char *name)
{
    const pl_column *c = pl_frame_column(unit->obs, name);
    *out = NULL;
    if (!c || c->kind != PL_COLUMN_INTEGER) return wrong_column(unit, name, "integers", c);
    *out = c->values.integer;
    return PL_OK;
}

pl_status pl_run_unit_bools(const uint8_t **out, const pl_run_unit *unit, const char *name)
{
    const pl_column *c = pl_frame_column(unit->obs, name);
    *out = NULL;
    if (!c || c->kind != PL_COLUMN_BOOL) return wrong_column(unit, name, "true and false", c);
    *out = c->values.boolean;
    return PL_OK;
}
