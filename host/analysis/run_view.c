#include "analysis/run_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/clusters.h"
#include "analysis/packed.h"
#include "analysis/readers.h"
#include "analysis/record.h"
#include "base/interned.h"

static const size_t BUDGET_BYTES = (size_t)256 << 20;

/* A unit and its rows, when they are in memory. */
typedef struct held {
    pl_run_unit unit; /* first: a unit that is lent is found again by its address */
    size_t model;
    size_t n_taken;
    pl__packed *rows;           /* owned */
    struct held *older, *newer; /* among those that nobody holds, by when they were released */
} held;

typedef struct model {
    char *numerics_key, *first_unit; /* of the model's first unit that was read; NULL before */
} model;

struct pl_run_view {
    pl_run_folder run;
    pl_plan_file *plan;
    pl_stages stages;
    pl_run_part part;
    held *units;             /* [n_units], of the plan */
    model *models;           /* of the plan */
    pl__item_groups *groups; /* [tasks of the plan]: which items are clusters */
    size_t n_units, n_missing;
    held *oldest, *newest; /* of the units that are in memory and that nobody holds */
    size_t bytes, budget, n_reads;
    pl_arena *arena;
    pl_interned texts; /* of all units */
    pl__readers readers;
    const char **damaged;
    size_t n_damaged, damaged_capacity;
};

/* The arm as tables name it: whatever tells its groups apart but model, task, readout and k. */
static pl_status name_arm(const char **out, const pl_run_view *v, const pl_planned_unit *u)
{
    *out = u->arm;
    if (u->arm_name) PL_TRY(pl_arena_format(v->arena, (char **)out, "%s:%s", u->arm, u->arm_name));
    if (u->chat) PL_TRY(pl_arena_format(v->arena, (char **)out, "%s+%s", *out, u->chat));
    if (!u->train_template) return PL_OK;
    return pl_arena_format(v->arena, (char **)out, "%s%s%s %s n=%zu%s", *out, *u->head ? " " : "", u->head,
                           u->train_template, u->n_train, strcmp(u->labels, "shuffled") ? "" : " shuffled");
}

static bool is_scored_as(const pl_planned_task *task, const pl_planned_unit *planned, const char *output_type)
{
    const char *type =
        task->n_templates ? json_string_value(json_object_get(task->templates[0].config, "output_type")) : NULL;
    return strcmp(planned->readout, "generate") != 0 && type && strcmp(type, output_type) == 0;
}

static pl_status describe(pl_run_unit *u, const pl_run_view *v, const pl_planned_unit *planned)
{
    const pl_planned_task *task = &v->plan->tasks[planned->task];
    *u = (pl_run_unit){.id = planned->id,
                       .model = v->plan->models[planned->model].name,
                       .task = task->name,
                       .kind = planned->arm,
                       .chat = planned->chat ? planned->chat : "plain",
                       .system = planned->system,
                       .head = planned->head ? planned->head : "",
                       .train_template = planned->train_template ? planned->train_template : "",
                       .labels = planned->labels ? planned->labels : "",
                       .learned_by = planned->learned_by,
                       .n_train = planned->n_train,
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
                       .alone = is_scored_as(task, planned, "loglikelihood"),
                       .rolls = is_scored_as(task, planned, "loglikelihood_rolling"),
                       .done = pl_run_folder_has(&v->run, planned->id)};
    if (!pl_role_parse(&u->role, planned->role))
        return pl_fail(PL_E_INPUT, "%s/plan.json: unit %s: role '%s', expected id, dev or ood", v->run.path, u->id,
                       planned->role);
    char path[PL_PATH_MAX];
    PL_TRY(name_arm(&u->arm, v, planned));
    PL_TRY(pl_run_folder_unit(path, &v->run, u->id));
    return pl_arena_text(v->arena, (char **)&u->path, path, strlen(path));
}

/* ---- groups and members ---- */

static int compare_numbers(long long a, long long b)
{
    return (a > b) - (a < b);
}

static int compare_groups(const pl_run_unit *a, const pl_run_unit *b)
{
    int order = compare_numbers(a->k, b->k);
    if (!order) order = strcmp(a->model, b->model);
    if (!order) order = strcmp(a->task, b->task);
    if (!order) order = strcmp(a->arm, b->arm);
    return order ? order : strcmp(a->readout, b->readout);
}

/* By group, member and place in the plan. */
static int by_member(const void *x, const void *y)
{
    const held *const *a = x, *const *b = y;
    int order = compare_groups(&(*a)->unit, &(*b)->unit);
    if (!order) order = compare_numbers((*a)->unit.draw, (*b)->unit.draw);
    if (!order) order = compare_numbers((*a)->unit.order, (*b)->unit.order);
    if (!order) order = compare_numbers((*a)->unit.seed, (*b)->unit.seed);
    return order ? order : (*a > *b) - (*a < *b);
}

static bool same_member(const pl_run_unit *a, const pl_run_unit *b)
{
    return a->draw == b->draw && a->order == b->order && a->seed == b->seed;
}

/* The group of units [n] that are one, sorted by member. */
static void link_group(held *const *sorted, size_t n, const held *units)
{
    const held *first = sorted[0];
    for (size_t i = 1; i < n; i++)
        if (sorted[i] < first) first = sorted[i];
    for (size_t i = 0; i < n; i++) {
        bool new = i == 0 || !same_member(&sorted[i]->unit, &sorted[i - 1]->unit),
             last = i + 1 == n || !same_member(&sorted[i]->unit, &sorted[i + 1]->unit);
        sorted[i]->unit.group = (size_t)(first - units);
        sorted[i]->unit.member = new ? (size_t)(sorted[i] - units) : sorted[i - 1]->unit.member;
        sorted[i]->unit.next = last ? SIZE_MAX : (size_t)(sorted[i + 1] - units);
    }
}

static pl_status link_units(pl_run_view *v)
{
    held **sorted;
    PL_TRY(pl_new(&sorted, v->n_units));
    for (size_t i = 0; i < v->n_units; i++) sorted[i] = &v->units[i];
    if (v->n_units > 1) qsort(sorted, v->n_units, sizeof *sorted, by_member);
    for (size_t i = 0, end; i < v->n_units; i = end) {
        for (end = i + 1; end < v->n_units && !compare_groups(&sorted[i]->unit, &sorted[end]->unit);) end++;
        link_group(sorted + i, end - i, v->units);
    }
    free(sorted);
    return PL_OK;
}

static pl_status read_plan(pl_run_view *v)
{
    PL_TRY(pl_plan_file_read(&v->plan, &v->run));
    PL_TRY(pl_stages_open(&v->stages, v->plan, &v->run));
    PL_TRY(pl_arena_new(v->arena, &v->models, v->plan->n_models));
    PL_TRY(pl_arena_new(v->arena, &v->groups, v->plan->n_tasks));
    PL_TRY(pl_arena_new(v->arena, &v->units, v->plan->n_units));
    for (size_t i = 0; i < v->plan->n_units; i++) {
        const pl_planned_unit *planned = &v->plan->units[i];
        held *h = &v->units[v->n_units];
        if (pl_planned_learns(planned)) { /* no item is evaluated there */
            v->n_missing += v->stages.need[i] != PL_NOT_NEEDED && !pl_run_folder_has(&v->run, planned->id);
            continue;
        }
        PL_TRY(describe(&h->unit, v, planned));
        h->model = planned->model;
        if (!pl__part_sees_template(v->part, h->unit.task_facts, h->unit.template_name, h->unit.role)) continue;
        v->n_missing += v->stages.need[i] != PL_NOT_NEEDED && !h->unit.done;
        v->n_units++;
    }
    return link_units(v);
}

pl_status pl_run_view_open_part(pl_run_view **out, const pl_run_folder *run, pl_run_part part)
{
    pl_run_view *v;
    pl_status status;
    *out = NULL;
    PL_TRY(pl_new(&v, 1));
    v->run = *run;
    v->part = part;
    v->budget = BUDGET_BYTES;
    pl__readers_open(&v->readers);
    PL_GOTO(status, failed, pl_arena_create(&v->arena));
    v->texts.arena = v->arena;
    PL_GOTO(status, failed, read_plan(v));
    *out = v;
    return PL_OK;
failed:
    pl_run_view_close(v);
    return status;
}

pl_status pl_run_view_open(pl_run_view **out, const pl_run_folder *run)
{
    return pl_run_view_open_part(out, run, (pl_run_part){PL_RUN_WHOLE, false});
}

/* Puts a unit that is released behind the others. */
static void enqueue(pl_run_view *v, held *h)
{
    h->older = v->newest;
    h->newer = NULL;
    *(v->newest ? &v->newest->newer : &v->oldest) = h;
    v->newest = h;
}

static void dequeue(pl_run_view *v, held *h)
{
    *(h->older ? &h->older->newer : &v->oldest) = h->newer;
    *(h->newer ? &h->newer->older : &v->newest) = h->older;
}

static void drop(pl_run_view *v, held *h)
{
    if (h->rows) v->bytes -= h->rows->bytes;
    free(h->rows);
    h->rows = NULL;
    h->unit.obs = NULL;
    h->unit.loglik = (pl_loglik){0};
    h->unit.n_free = 0;
    h->unit.bias = h->unit.unconditional = NULL;
}

void pl_run_view_close(pl_run_view *v)
{
    if (!v) return;
    pl__readers_close(&v->readers);
    free(v->damaged);
    for (size_t i = 0; i < v->n_units; i++) drop(v, &v->units[i]);
    for (size_t i = 0; v->models && i < v->plan->n_models; i++) {
        free(v->models[i].numerics_key);
        free(v->models[i].first_unit);
    }
    for (size_t i = 0; v->groups && i < v->plan->n_tasks; i++) pl__item_groups_free(&v->groups[i]);
    pl_stages_free(&v->stages);
    pl_plan_file_free(v->plan);
    pl_interned_free(&v->texts);
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

const pl_stages *pl_run_view_stages(const pl_run_view *view)
{
    return &view->stages;
}

bool pl_run_unit_same_subject(const pl_run_unit *a, const pl_run_unit *b)
{
    return !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->readout, b->readout);
}

void pl_run_view_set_budget(pl_run_view *view, size_t bytes)
{
    view->budget = bytes;
}

size_t pl_run_view_n_reads(const pl_run_view *view)
{
    return view->n_reads;
}

static pl_status wrong_column(const pl_run_unit *unit, const char *name, const char *kind, const pl_column *found)
{
    return pl_fail(PL_E_INPUT, "%s: /obs/%s: expected a column of %s, found %s", unit->path, name, kind,
                   found ? "another type" : "none");
}

static pl_status texts_of(const char *const **out, const pl_run_unit *unit, const pl_frame *obs, const char *name)
{
    const pl_column *c = pl_frame_column(obs, name);
    *out = NULL;
    if (!c || (c->kind != PL_COLUMN_TEXT && c->kind != PL_COLUMN_CATEGORY)) return wrong_column(unit, name, "texts", c);
    *out = c->values.text;
    return PL_OK;
}

static pl_status integers_of(const int64_t **out, const pl_run_unit *unit, const pl_frame *obs, const char *name)
{
    const pl_column *c = pl_frame_column(obs, name);
    *out = NULL;
    if (!c || c->kind != PL_COLUMN_INTEGER) return wrong_column(unit, name, "integers", c);
    *out = c->values.integer;
    return PL_OK;
}

/* ---- rows of units ---- */

/* Units of one model are comparable when what made their products is the same. */
static pl_status check_numerics(pl_run_view *v, const held *h, const char *key)
{
    model *m = &v->models[h->model];
    if (!m->numerics_key) {
        PL_TRY(pl_copy_text(&m->numerics_key, key));
        return pl_copy_text(&m->first_unit, h->unit.id);
    }
    if (!strcmp(m->numerics_key, key)) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: its numbers were made by '%s', those of unit %s of the same model by '%s': they are not "
                   "comparable; compute one of them again on the other's kind of device",
                   h->unit.path, key, m->first_unit, m->numerics_key);
}

/* PL_E_INPUT: the file is damaged. The units of `order` behind `at` are asked for before this one's bytes are looked
 * at.
 */
static pl_status fetch(pl_run_view *v, held *h, const pl_run_unit *const *order, size_t n, size_t at, pl__record *out)
{
    pl_bytes bytes = {0};
    *out = (pl__record){0};
    v->n_reads += !h->rows;
    for (size_t i = at; i < n && i < at + v->readers.n; i++) PL_TRY(pl__readers_ahead(&v->readers, order[i]));
    pl_status status = pl__readers_get(&v->readers, &h->unit, &bytes);
    if (status == PL_OK && at + v->readers.n < n) status = pl__readers_ahead(&v->readers, order[at + v->readers.n]);
    if (status == PL_OK) status = pl__record_parse(out, &bytes, h->unit.path);
    pl_bytes_free(&bytes);
    return status;
}

static uint64_t hash_on(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 1099511628211u; /* FNV-1a */
    return hash;
}

/* The same for the same items with the same prompts, in whatever order the rows stand. */
static pl_status hash_prompts(uint64_t *out, const held *h, const pl__record *record)
{
    const char *const *hashes;
    const int64_t *ids;
    PL_TRY(texts_of(&hashes, &h->unit, record->samples, "prompt_hash"));
    PL_TRY(integers_of(&ids, &h->unit, record->obs, "doc_id"));
    *out = record->samples->n_rows;
    for (size_t r = 0; r < record->samples->n_rows; r++) {
        uint64_t row = hash_on(14695981039346656037u, &ids[r], sizeof ids[r]);
        row = hash_on(row, hashes[r] ? hashes[r] : "", hashes[r] ? strlen(hashes[r]) : 0);
        row = (row ^ row >> 32) * 0x9e3779b97f4a7c15u; /* so that sums do not meet */
        *out += row ^ row >> 29;
    }
    return PL_OK;
}

/* What stays of a record is one piece. */
static pl_status keep_rows(pl_run_view *v, held *h, const pl__record *record)
{
    if (h->rows) return PL_OK;
    PL_TRY(check_numerics(v, h, record->numerics_key));
    PL_TRY(hash_prompts(&h->unit.prompts, h, record));
    const pl_planned_task *task = h->unit.task_facts;
    const char *field = pl__group_field(task);
    if (field) PL_TRY(pl__item_groups_add(&v->groups[task - v->plan->tasks], field, record, h->unit.path));
    PL_TRY(pl__pack(&h->rows, record, &v->texts));
    v->bytes += h->rows->bytes;
    h->unit.n_captured = record->n_captured;
    h->unit.n_beyond = record->n_beyond;
    h->unit.n_broken = record->n_broken;
    h->unit.obs = &h->rows->obs;
    h->unit.loglik = h->rows->loglik;
    h->unit.n_free = h->rows->n_free;
    h->unit.bias = h->rows->bias;
    h->unit.unconditional = h->rows->unconditional;
    return PL_OK;
}

static void hold(pl_run_view *v, held *h)
{
    if (h->n_taken++ == 0 && (h->older || h->newer || v->oldest == h)) dequeue(v, h);
    h->older = h->newer = NULL;
}

pl_status pl_run_view_take(pl_run_view *view, const pl_run_unit *unit)
{
    held *h = &view->units[(const held *)unit - view->units];
    pl__record record = {0};
    pl_status status = PL_OK;
    if (!h->rows) {
        status = fetch(view, h, NULL, 0, 0, &record);
        if (status == PL_OK) status = keep_rows(view, h, &record);
        pl__record_free(&record);
    }
    if (status == PL_OK) hold(view, h);
    return status;
}

/* The reason is what pl_error_text() says. */
static pl_status set_damaged(pl_run_view *v, held *h)
{
    const char *text = pl_error_text();
    PL_TRY(pl_grow(&v->damaged, &v->damaged_capacity, v->n_damaged + 1));
    PL_TRY(pl_arena_text(v->arena, (char **)&v->damaged[v->n_damaged], text, strlen(text)));
    v->n_damaged++;
    v->n_missing++;
    h->unit.done = false;
    return PL_OK;
}

pl_status pl_run_view_take_samples(pl_run_view *view, const pl_run_unit *const *order, size_t n, size_t at,
                                   pl_run_samples *out, bool *there)
{
    const pl_run_unit *unit = order[at];
    held *h = &view->units[(const held *)unit - view->units];
    pl__record record;
    *out = (pl_run_samples){0};
    pl_status status = fetch(view, h, order, n, at, &record);
    *there = status != PL_E_INPUT;
    if (!*there) return set_damaged(view, h);
    if (status == PL_OK) status = keep_rows(view, h, &record);
    if (status == PL_OK) status = texts_of(&out->prompt_hash, unit, record.samples, "prompt_hash");
    if (status == PL_OK) status = texts_of(&out->json, unit, record.samples, "samples");
    if (status == PL_OK) {
        hold(view, h);
        out->record = record;
    } else {
        pl__record_free(&record);
    }
    return status;
}

void pl_run_samples_free(pl_run_samples *samples)
{
    pl__record_free(&samples->record);
    *samples = (pl_run_samples){0};
}

size_t pl_run_view_damaged(const pl_run_view *view, const char *const **reasons)
{
    *reasons = view->damaged;
    return view->n_damaged;
}

void pl_run_view_release(pl_run_view *view, const pl_run_unit *unit)
{
    held *h = &view->units[(const held *)unit - view->units];
    if (h->n_taken == 0 || --h->n_taken > 0) return;
    enqueue(view, h);
    while (view->bytes > view->budget && view->oldest) {
        held *old = view->oldest;
        dequeue(view, old);
        old->older = old->newer = NULL;
        drop(view, old);
    }
}

bool pl_run_view_groups(const pl_run_view *view, const pl_run_unit *unit, const int64_t *doc_id, size_t n,
                        uint64_t *out)
{
    const pl_planned_task *task = unit->task_facts;
    if (!pl__group_field(task)) return false;
    for (size_t i = 0; i < n; i++) out[i] = pl__item_group_of(&view->groups[task - view->plan->tasks], doc_id[i]);
    return true;
}

bool pl_run_view_is_whole(const pl_run_view *view)
{
    return view->part.half == PL_RUN_WHOLE;
}

bool pl_run_view_sees(const pl_run_view *view, const pl_run_unit *unit, int64_t doc_id)
{
    uint64_t cluster = (uint64_t)doc_id;
    if (view->part.half == PL_RUN_WHOLE) return true;
    (void)pl_run_view_groups(view, unit, &doc_id, 1, &cluster);
    return pl__part_sees_item(view->part, cluster);
}

pl_status pl_run_view_learned(pl_run_view *view, const pl_run_unit *unit, pl__learned *out)
{
    char path[PL_PATH_MAX];
    *out = (pl__learned){NAN, NAN};
    if (!unit->learned_by || !pl_run_folder_has(&view->run, unit->learned_by)) return PL_OK;
    PL_TRY(pl_run_folder_unit(path, &view->run, unit->learned_by));
    return pl__readers_learned(&view->readers, path, out);
}

/* ---- columns ---- */

pl_status pl_run_unit_texts(const char *const **out, const pl_run_unit *unit, const char *name)
{
    return texts_of(out, unit, unit->obs, name);
}

pl_status pl_run_unit_integers(const int64_t **out, const pl_run_unit *unit, const char *name)
{
    return integers_of(out, unit, unit->obs, name);
}

pl_status pl_run_unit_bools(const uint8_t **out, const pl_run_unit *unit, const char *name)
{
    const pl_column *c = pl_frame_column(unit->obs, name);
    *out = NULL;
    if (!c || c->kind != PL_COLUMN_BOOL) return wrong_column(unit, name, "true and false", c);
    *out = c->values.boolean;
    return PL_OK;
}
