#include "experiment/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "engine/engine.h"
#include "experiment/draw.h"
#include "experiment/states.h"
#include "store/plan_file.h"

/* ---- models ---- */

static pl_status open_model(pl_plan *plan, pl_plan_model *model, const pl_spec_model *spec)
{
    model->spec = spec;
    PL_TRY(pl_model_find(model->folder, spec->path));
    PL_TRY(pl_checkpoint_open(&model->checkpoint, model->folder));
    PL_TRY(pl_tokenizer_open(&model->tokenizer, model->folder));
    if (pl_tokenizer_size(model->tokenizer) > model->checkpoint->config.V)
        return pl_fail(PL_E_INPUT,
                       "%s: the tokenizer has ids up to %zu, the model's vocabulary %zu: they do not belong together",
                       model->folder, pl_tokenizer_size(model->tokenizer) - 1, model->checkpoint->config.V);
    PL_TRY(pl_safetensors_digest(model->checkpoint->tensors, model->digest));
    char where[PL_PATH_MAX];
    PL_TRY(pl_path(where, "%s: capture.layers of model %s", plan->spec->path, spec->name));
    return pl_layers_resolve(&model->layers, &model->n_layers, plan->spec->layers, plan->spec->n_layers,
                             model->checkpoint->config.L, where, plan->arena);
}

/* ---- tasks ---- */

static pl_status choose_templates(const pl_spec *spec, pl_plan_task *task, pl_arena *arena)
{
    size_t n = spec->n_templates ? spec->n_templates : task->task->n_templates;
    PL_TRY(pl_arena_new(arena, &task->templates, n));
    PL_TRY(pl_arena_new(arena, &task->roles, n));
    for (size_t i = 0; i < n; i++) {
        const char *name = spec->n_templates ? spec->templates[i].name : task->task->templates[i].name;
        task->templates[i] = pl_task_template(task->task, name);
        if (!task->templates[i])
            return pl_fail(PL_E_INPUT, "%s: template '%s' is not in task %s (%s), whose first is '%s'", spec->path,
                           name, task->task->name, task->task->path, task->task->templates[0].name);
        task->roles[i] = spec->n_templates ? spec->templates[i].role : task->templates[i]->role;
    }
    task->n_templates = n;
    return PL_OK;
}

/* Do all evaluated items have as many choices, and the same ones? */
static pl_status compare_choices(pl_plan_task *task, const pl_template *template, pl_arena *scratch)
{
    const pl_task *t = task->task;
    const char **first, **choices;
    size_t n_first, n;
    PL_TRY(pl_task_choices(t, template, t->test->items[task->items[0]], scratch, &first, &n_first));
    task->n_choices = n_first;
    task->fixed_labels = true;
    for (size_t i = 1; i < task->n_items; i++) {
        PL_TRY(pl_task_choices(t, template, t->test->items[task->items[i]], scratch, &choices, &n));
        if (n != n_first) task->n_choices = 0;
        task->fixed_labels &= n == n_first;
        for (size_t c = 0; task->fixed_labels && c < n; c++) task->fixed_labels = strcmp(first[c], choices[c]) == 0;
    }
    return PL_OK;
}

/* The label set, and the classes of the shot pool (without a label set shots are not balanced). */
static pl_status find_classes(pl_plan_task *task, pl_arena *arena)
{
    const pl_task *t = task->task;
    const pl_template *template = task->templates[0];
    if (!template->doc_to_choice) return PL_OK;
    pl_arena *scratch;
    const char *text;
    PL_TRY(pl_arena_create(&scratch));
    pl_status status;
    PL_GOTO(status, done, compare_choices(task, template, scratch));
    if (!task->fixed_labels || !t->fewshot) goto done;
    PL_GOTO(status, done, pl_arena_new(arena, &task->classes, t->fewshot->n));
    for (size_t i = 0; i < t->fewshot->n; i++)
        PL_GOTO(status, done, pl_task_target(t, template, t->fewshot->items[i], scratch, &text, &task->classes[i]));
done:
    pl_arena_free(scratch);
    return status;
}

static pl_status open_task(pl_plan *plan, pl_plan_task *task, const char *path)
{
    PL_TRY(pl_task_open(&task->task, path));
    size_t n = task->task->test->n;
    PL_TRY(pl_arena_new(plan->arena, &task->items, n));
    PL_TRY(pl_draw_items(task->items, &task->n_items, n, plan->spec->items, plan->spec->seed));
    uint64_t *wide;
    PL_TRY(pl_arena_new(plan->arena, &wide, n));
    for (size_t i = 0; i < task->n_items; i++) wide[i] = task->items[i];
    pl_hash128(task->items_digest, wide, task->n_items * sizeof *wide);
    PL_TRY(choose_templates(plan->spec, task, plan->arena));
    return find_classes(task, plan->arena);
}

/* ---- units ---- */

static json_t *capture_json(const pl_spec *spec, const pl_plan_model *model)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < model->n_layers; i++)
        json_array_append_new(layers, json_integer((json_int_t)model->layers[i]));
    json_t *items =
        spec->capture_items == SIZE_MAX ? json_string("all") : json_integer((json_int_t)spec->capture_items);
    return json_pack("{s:o,s:i,s:s,s:o}", "layers", layers, "positions", (int)spec->positions, "dtype",
                     pl_storage_name(spec->storage), "items", items);
}

/* What decides a unit's numbers, and nothing else: no paths, no model name, no batch size, no dates. */
static pl_status identify(const pl_plan *plan, pl_plan_unit *unit, const char *device_class)
{
    const pl_plan_model *model = &plan->models[unit->model];
    const pl_plan_task *task = &plan->tasks[unit->task];
    const pl_task *t = task->task;
    json_t *generation = NULL;
    if (unit->readout == PL_READOUT_GENERATE) PL_TRY(pl_task_generation_json(&generation, t));
    json_t *config = json_pack(
        "{s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:s,s:{s:s,s:I,s:I,s:I,s:b},s:I,s:s,s:s,s:o,s:o,s:s}", "numerics",
        (int)PL_NUMERICS_VERSION, "format", (int)PL_UNIT_FORMAT_VERSION, "weights", model->digest, "tokenizer",
        pl_tokenizer_digest(model->tokenizer), "task", t->name, "template", unit->template->name, "template_digest",
        unit->template->digest, "role", pl_role_name(unit->role), "test_sha256", t->test->sha256, "items",
        task->items_digest, "fewshot_sha256", unit->k > 0 ? json_string(t->fewshot->sha256) : json_null(), "readout",
        pl_readout_name(unit->readout), "arm", "kind", "prompt", "k", (json_int_t)unit->k, "draw",
        (json_int_t)unit->draw, "order", (json_int_t)unit->order, "balance", (int)(unit->arm->balance && task->classes),
        "seed", (json_int_t)plan->spec->seed, "truncation", pl_truncation_name(plan->spec->truncation), "compute",
        pl_dtype_name(model->spec->compute), "capture", unit->captures ? capture_json(plan->spec, model) : json_null(),
        "generation", generation ? generation : json_null(), "device_class", device_class);
    if (!config) return pl_fail(PL_E_MEMORY, "out of memory while planning");
    pl_bytes text = {0};
    char *copy = NULL;
    pl_status status = pl_json_canonical(&text, config);
    if (status == PL_OK) status = pl_arena_text(plan->arena, &copy, text.data, text.size);
    if (status == PL_OK) {
        pl_hash128(unit->id, text.data, text.size);
        unit->config = copy;
    }
    pl_bytes_free(&text);
    json_decref(config);
    return status;
}

/* A readout that a task cannot have is an error, not an empty column. */
static pl_status check_readout(const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_task *t = plan->tasks[unit->task].task;
    if (unit->readout == PL_READOUT_LOGLIKELIHOOD && !unit->template->doc_to_choice)
        return pl_fail(PL_E_INPUT,
                       "%s: template '%s' of task %s has no doc_to_choice: readout loglikelihood needs choices; use "
                       "readout: generate",
                       t->path, unit->template->name, t->name);
    if (unit->k == 0) return PL_OK;
    if (!t->fewshot)
        return pl_fail(PL_E_INPUT, "%s: task %s has no training_split or fewshot_split: %zu shots cannot be drawn",
                       t->path, t->name, unit->k);
    if (t->fewshot->n < unit->k + (t->fewshot_is_test ? 1 : 0))
        return pl_fail(PL_E_INPUT, "%s: task %s has %zu items to draw shots from, the experiment asks for %zu", t->path,
                       t->name, t->fewshot->n, unit->k);
    return PL_OK;
}

static pl_status add_unit(pl_plan *plan, size_t *capacity, pl_plan_unit unit, const char *device_class)
{
    const pl_plan_task *task = &plan->tasks[unit.task];
    PL_TRY(check_readout(plan, &unit));
    unit.captures = plan->spec->positions != 0 &&
                    (unit.readout == PL_READOUT_LOGLIKELIHOOD || !unit.arm->readouts[PL_READOUT_LOGLIKELIHOOD]);
    const pl_config *c = &plan->models[unit.model].checkpoint->config;
    unit.cost = (double)(c->L * c->C) * (double)c->C * (double)task->n_items * (double)(unit.k + 2);
    PL_TRY(identify(plan, &unit, device_class));
    for (size_t i = 0; i < plan->n_units; i++)
        if (strcmp(plan->units[i].id, unit.id) == 0) return PL_OK; /* two arms may share a cell */
    PL_TRY(pl_grow(&plan->units, capacity, plan->n_units + 1));
    plan->units[plan->n_units++] = unit;
    return PL_OK;
}

static pl_status add_arm(pl_plan *plan, size_t *capacity, pl_plan_unit unit, const char *device_class)
{
    const pl_spec_arm *arm = unit.arm;
    const pl_plan_task *task = &plan->tasks[unit.task];
    const size_t *shots = arm->n_shots ? arm->shots : &task->task->num_fewshot;
    const size_t n_shots = arm->n_shots ? arm->n_shots : 1;
    for (size_t r = 0; r < PL_READOUTS; r++)
        for (size_t s = 0; s < n_shots; s++)
            for (size_t d = 0; d < (shots[s] ? arm->draws : 1); d++)
                for (size_t o = 0; o < (shots[s] > 1 ? arm->orders : 1); o++)
                    for (size_t t = 0; arm->readouts[r] && t < task->n_templates; t++) {
                        unit.readout = (pl_readout)r;
                        unit.k = shots[s];
                        unit.draw = (uint32_t)d;
                        unit.order = (uint32_t)o;
                        unit.template = task->templates[t];
                        unit.role = task->roles[t];
                        PL_TRY(add_unit(plan, capacity, unit, device_class));
                    }
    return PL_OK;
}

/* ---- plan.json ---- */

/* What plan.json says; borrowed from the plan but for the arrays, which are the arena's. */
static pl_status make_models_and_tasks(pl_plan_file *file, const pl_plan *plan)
{
    PL_TRY(pl_arena_new(plan->arena, &file->models, plan->n_models));
    PL_TRY(pl_arena_new(plan->arena, &file->tasks, plan->n_tasks));
    for (; file->n_models < plan->n_models; file->n_models++) {
        const pl_plan_model *m = &plan->models[file->n_models];
        file->models[file->n_models] = (pl_planned_model){.name = m->spec->name,
                                                          .weights = m->digest,
                                                          .tokenizer = pl_tokenizer_digest(m->tokenizer),
                                                          .model_type = m->checkpoint->config.model_type,
                                                          .parameters = m->checkpoint->n_parameters,
                                                          .random_weights = m->checkpoint->config.random_weights};
    }
    for (; file->n_tasks < plan->n_tasks; file->n_tasks++) {
        const pl_plan_task *t = &plan->tasks[file->n_tasks];
        pl_planned_task *out = &file->tasks[file->n_tasks];
        *out = (pl_planned_task){.name = t->task->name,
                                 .version = t->task->version ? t->task->version : "",
                                 .task_hash = t->task->digest,
                                 .filter = pl_filter_name(t->task->filter),
                                 .items = t->n_items,
                                 .test_items = t->task->test->n,
                                 .n_labels = t->n_choices};
        PL_TRY(pl_arena_new(plan->arena, &out->templates, t->n_templates));
        for (; out->n_templates < t->n_templates; out->n_templates++)
            out->templates[out->n_templates] = (pl_planned_template){.name = t->templates[out->n_templates]->name,
                                                                     .role = pl_role_name(t->roles[out->n_templates]),
                                                                     .config = t->templates[out->n_templates]->config};
    }
    return PL_OK;
}

static pl_status make_json(pl_plan *plan)
{
    pl_bytes ids = {0};
    pl_plan_file file = {.name = plan->spec->name, .hash = plan->hash};
    pl_status status;
    PL_GOTO(status, done, make_models_and_tasks(&file, plan));
    PL_GOTO(status, done, pl_arena_new(plan->arena, &file.units, plan->n_units));
    for (; file.n_units < plan->n_units; file.n_units++) {
        const pl_plan_unit *u = &plan->units[file.n_units];
        PL_GOTO(status, done, pl_bytes_text(&ids, u->id));
        file.units[file.n_units] = (pl_planned_unit){.id = u->id,
                                                     .model = u->model,
                                                     .task = u->task,
                                                     .arm = "prompt",
                                                     .readout = pl_readout_name(u->readout),
                                                     .template_name = u->template->name,
                                                     .role = pl_role_name(u->role),
                                                     .k = u->k,
                                                     .draw = u->draw,
                                                     .order = u->order,
                                                     .seed = plan->spec->seed};
    }
    PL_GOTO(status, done, pl_bytes_text(&ids, plan->spec->name));
    pl_hash128(plan->hash, ids.data, ids.size);
    status = pl_plan_file_json(&plan->json, &file);
done:
    pl_bytes_free(&ids);
    return status;
}

pl_status pl_plan_create(pl_plan **out, const pl_spec *spec, const char *device_class)
{
    pl_plan *plan = NULL;
    size_t capacity = 0;
    pl_status status;
    *out = NULL;
    PL_GOTO(status, done, pl_new(&plan, 1));
    plan->spec = spec;
    PL_GOTO(status, done, pl_arena_create(&plan->arena));
    PL_GOTO(status, done, pl_arena_new(plan->arena, &plan->tasks, spec->n_tasks));
    PL_GOTO(status, done, pl_arena_new(plan->arena, &plan->models, spec->n_models));
    for (; plan->n_tasks < spec->n_tasks;) {
        plan->n_tasks++;
        PL_GOTO(status, done, open_task(plan, &plan->tasks[plan->n_tasks - 1], spec->tasks[plan->n_tasks - 1]));
        for (size_t j = 0; j + 1 < plan->n_tasks; j++)
            if (strcmp(plan->tasks[j].task->name, plan->tasks[plan->n_tasks - 1].task->name) == 0) {
                status = pl_fail(PL_E_INPUT, "%s: two tasks are called '%s'", spec->path, plan->tasks[j].task->name);
                goto done;
            }
    }
    for (; plan->n_models < spec->n_models;) {
        plan->n_models++;
        PL_GOTO(status, done, open_model(plan, &plan->models[plan->n_models - 1], &spec->models[plan->n_models - 1]));
    }
    for (size_t m = 0; m < plan->n_models; m++)
        for (size_t t = 0; t < plan->n_tasks; t++)
            for (size_t a = 0; a < spec->n_arms; a++) {
                pl_plan_unit unit = {.model = m, .task = t, .arm = &spec->arms[a]};
                PL_GOTO(status, done, add_arm(plan, &capacity, unit, device_class));
            }
    PL_GOTO(status, done, make_json(plan));
    *out = plan;
    plan = NULL;
done:
    pl_plan_free(plan);
    return status;
}

void pl_plan_free(pl_plan *plan)
{
    if (!plan) return;
    for (size_t i = 0; i < plan->n_models; i++) {
        pl_checkpoint_close(plan->models[i].checkpoint);
        pl_tokenizer_free(plan->models[i].tokenizer);
    }
    for (size_t i = 0; i < plan->n_tasks; i++) pl_task_free(plan->tasks[i].task);
    free(plan->units);
    json_decref(plan->json);
    pl_arena_free(plan->arena);
    free(plan);
}
