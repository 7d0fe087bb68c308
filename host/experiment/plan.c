#include "experiment/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "experiment/chat.h"
#include "experiment/draw.h"
#include "experiment/plan_parts.h"
#include "experiment/states.h"
#include "statistics/template_variance.h"
#include "store/result_files.h"

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
    PL_TRY(pl_config_digest(&model->checkpoint->config, model->config_digest));
    PL_TRY(pl_stop_ids(&model->stops, &model->checkpoint->config, model->tokenizer));
    PL_TRY(pl_chat_prepare(plan, model));
    char where[PL_PATH_MAX];
    PL_TRY(pl_path(where, "%s: capture.layers of model %s", plan->spec->path, spec->name));
    return pl_layers_resolve(&model->layers, &model->n_layers, plan->spec->layers, plan->spec->n_layers,
                             model->checkpoint->config.L, where, plan->arena);
}

pl_status pl__plan_note(pl_plan *plan, const char *line)
{
    PL_TRY(pl_grow(&plan->notes, &plan->notes_capacity, plan->n_notes + 1));
    plan->notes[plan->n_notes++] = line;
    return PL_OK;
}

/* ---- the units that are there already, by id ---- */

/* The slot of an id: its own, or the empty one where it belongs. */
static size_t *slot_of(const pl__id_set *set, const pl_plan *plan, const char *id)
{
    char digits[16] = {0};
    memcpy(digits, id, sizeof digits - 1);
    size_t at = (size_t)strtoull(digits, NULL, 16) & (set->capacity - 1);
    while (set->slots[at] && strcmp(plan->units[set->slots[at] - 1].id, id) != 0) at = (at + 1) & (set->capacity - 1);
    return &set->slots[at];
}

/* Room for one more, at most half full. */
static pl_status grow_set(pl__id_set *set, const pl_plan *plan)
{
    pl__id_set larger = {.capacity = set->capacity ? 2 * set->capacity : 1024};
    if (2 * (plan->n_units + 1) <= set->capacity) return PL_OK;
    PL_TRY(pl_new(&larger.slots, larger.capacity));
    for (size_t u = 0; u < plan->n_units; u++) *slot_of(&larger, plan, plan->units[u].id) = u + 1;
    free(set->slots);
    *set = larger;
    return PL_OK;
}

/* ---- units ---- */

/* A readout that a task cannot have is an error, not an empty column. */
static pl_status check_readout(const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_task *t = plan->tasks[unit->task].task;
    if (unit->readout == PL_READOUT_LOGLIKELIHOOD && !unit->template->doc_to_choice &&
        t->output_type != PL_OUTPUT_LOGLIKELIHOOD && t->output_type != PL_OUTPUT_LOGLIKELIHOOD_ROLLING)
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

/* Relative: weights x tokens, roughly. */
static double cost_of(const pl_plan *plan, const pl_plan_unit *unit)
{
    enum { BACKWARD = 3 }; /* a step costs three forward passes */
    const pl_config *c = &plan->models[unit->model].checkpoint->config;
    double token = (double)(c->L * c->C) * (double)c->C;
    if (!unit->learns) return token * (double)plan->tasks[unit->task].n_items * (double)(unit->k + 2);
    double passes = 1, n = (double)unit->adaptation->n_train;
    if (unit->arm->kind == PL_ARM_FINETUNE)
        passes = BACKWARD * unit->arm->recipe.settings.num_train_epochs * (double)unit->arm->recipe.n_rates;
    return 2 * token * n * passes;
}

pl_status pl__plan_add(pl__maker *m, pl_plan_unit unit, size_t *index)
{
    pl_plan *plan = m->plan;
    if (!unit.learns) PL_TRY(check_readout(plan, &unit));
    const bool rolls = plan->tasks[unit.task].task->output_type == PL_OUTPUT_LOGLIKELIHOOD_ROLLING; /* no prompt */
    unit.captures = !rolls && !unit.learns && unit.arm->kind != PL_ARM_LINEAR && plan->spec->positions != 0 &&
                    (unit.readout == PL_READOUT_LOGLIKELIHOOD || !unit.arm->readouts[PL_READOUT_LOGLIKELIHOOD]);
    unit.cost = cost_of(plan, &unit);
    PL_TRY(pl__plan_id(unit.id, plan, &unit));
    PL_TRY(grow_set(&m->ids, plan));
    size_t *slot = slot_of(&m->ids, plan, unit.id);
    *index = *slot ? *slot - 1 : plan->n_units;
    if (*slot) return pl__plan_check_shared(plan, &plan->units[*index], &unit); /* two arms may share a cell */
    PL_TRY(pl_grow(&plan->units, &m->capacity, plan->n_units + 1));
    plan->units[plan->n_units++] = unit;
    *slot = plan->n_units;
    return PL_OK;
}

/* Says that the pool has fewer different prompts than the experiment asks for. Once a task, arm and k: models and
 * readouts share them. */
static pl_status note_fewer(pl_plan *plan, const pl_plan_unit *unit, size_t n, size_t asked)
{
    char *line;
    if (unit->model > 0) return PL_OK;
    PL_TRY(pl_arena_format(plan->arena, &line,
                           "note: task %s, %zu shots: the pool has %zu different prompts for draws x orders = %zu: %zu "
                           "are planned",
                           plan->tasks[unit->task].task->name, unit->k, n, asked, n));
    return pl__plan_note(plan, line);
}

/* Draws and orders of k shots that can differ. */
static void count_draws(size_t *draws, size_t *orders, const pl_spec_arm *arm, const pl_plan_task *task, size_t k)
{
    const pl_data *pool = task->task->fewshot;
    *draws = k ? arm->draws : 1;
    *orders = k ? arm->orders : 1;
    if (task->task->first_shots) *draws = *orders = 1;
    if (pool) pl_draws_differing(draws, orders, pool->n, k);
}

/* The cells of an arm with so many shots: those draws and orders that make prompts of their own. */
static pl_status add_cells(pl__maker *m, pl_plan_unit unit)
{
    const pl_spec_arm *arm = unit.arm;
    const pl_plan_task *task = &m->plan->tasks[unit.task];
    const pl_task *t = task->task;
    size_t ignored, draws, orders, n_kept = 1, asked = unit.k ? arm->draws * (unit.k > 1 ? arm->orders : 1) : 1;
    bool *keep = NULL;
    pl_status status = PL_OK;
    count_draws(&draws, &orders, arm, task, unit.k);
    PL_TRY(pl_new(&keep, draws * orders));
    keep[0] = true;
    if (unit.k && t->first_shots && asked > 1) PL_GOTO(status, done, note_fewer(m->plan, &unit, 1, asked));
    if (unit.k && !t->first_shots && t->fewshot && unit.k <= t->fewshot->n) {
        PL_GOTO(status, done,
                pl_draws_distinct(keep, &n_kept, arm->balance ? task->classes : NULL, task->rows.same, t->fewshot->n,
                                  unit.k, draws, orders, pl_draw_seed(m->plan->spec->seed, t->name)));
        if (n_kept < asked) PL_GOTO(status, done, note_fewer(m->plan, &unit, n_kept, asked));
    }
    for (size_t r = 0; r < PL_READOUTS; r++)
        for (size_t c = 0; arm->readouts[r] && c < draws * orders; c++)
            for (size_t i = 0; keep[c] && i < task->n_templates; i++) {
                unit.readout = (pl_readout)r;
                unit.draw = (uint32_t)(c % draws);
                unit.order = (uint32_t)(c / draws);
                unit.template = task->templates[i];
                unit.template_place = i;
                unit.role = task->roles[i];
                PL_GOTO(status, done, pl__plan_add(m, unit, &ignored));
            }
done:
    free(keep);
    return status;
}

/* A checkpoint whose head has a row a label has no words to answer with. */
static pl_status check_head(const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_plan_model *model = &plan->models[unit->model];
    const pl_spec_arm *arm = unit->arm;
    bool words = arm->kind == PL_ARM_PROMPT || (arm->kind == PL_ARM_FINETUNE && arm->heads[PL_HEAD_LM]);
    if (!words || !model->checkpoint->config.n_labels) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: arms.%zu: model %s (%s) is a sequence classifier of %zu labels, without a vocabulary head to "
                   "answer with: expected kind: finetune with head: classifier, or kind: linear; or name the "
                   "checkpoint that it was made of",
                   plan->spec->path, (size_t)(arm - plan->spec->arms), model->spec->name, model->folder,
                   model->checkpoint->config.n_labels);
}

/* An arm that names no shots takes the task's own number. */
static pl_status add_arm(pl__maker *m, pl_plan_unit unit)
{
    const pl_spec_arm *arm = unit.arm;
    PL_TRY(check_head(m->plan, &unit));
    PL_TRY(pl__plan_check_kind(m->plan, &unit));
    const bool no_bare = unit.chat && pl_spec_chat_needs_shots(m->plan->spec, unit.chat);
    if (arm->kind != PL_ARM_PROMPT) return no_bare ? PL_OK : pl__plan_learning(m, unit);
    unit.k = m->plan->tasks[unit.task].task->num_fewshot;
    if (!arm->n_shots) return no_bare && !unit.k ? PL_OK : add_cells(m, unit);
    for (size_t s = 0; s < arm->n_shots; s++) {
        unit.k = arm->shots[s];
        if (!no_bare || unit.k) PL_TRY(add_cells(m, unit));
    }
    return PL_OK;
}

/* Of a staged experiment: what a look will lack. */
static pl_status note_looks(pl_plan *plan, const pl_plan_task *task)
{
    char *line;
    size_t n = pl__plan_count_wordings(task, PL_ROLE_OOD);
    if (!plan->spec->staged || n >= PL_TEMPLATE_SD_MIN) return PL_OK;
    PL_TRY(
        pl_arena_format(plan->arena, &line,
                        "note: task %s: staged, with %zu ood wordings: below %d the template SD has no bound, and no "
                        "stage is enough",
                        task->task->name, n, (int)PL_TEMPLATE_SD_MIN));
    return pl__plan_note(plan, line);
}

static pl_status make_units(pl_plan *plan)
{
    pl__maker m = {.plan = plan};
    pl_bytes ids = {0};
    pl_status status = PL_OK;
    for (size_t t = 0; t < plan->n_tasks; t++) PL_GOTO(status, done, pl__plan_note_rows(plan, &plan->tasks[t]));
    for (size_t t = 0; t < plan->n_tasks; t++) PL_GOTO(status, done, note_looks(plan, &plan->tasks[t]));
    for (size_t i = 0; i < plan->n_models; i++)
        for (size_t t = 0; t < plan->n_tasks; t++)
            for (size_t a = 0; a < plan->spec->n_arms * plan->spec->n_chats; a++) {
                const pl_spec_chat *chat = &plan->spec->chats[a % plan->spec->n_chats];
                pl_plan_unit unit = {.model = i, .task = t, .arm = &plan->spec->arms[a / plan->spec->n_chats]};
                if (*chat->label) unit.chat = chat;
                PL_GOTO(status, done, add_arm(&m, unit));
            }
    PL_GOTO(status, done, pl__plan_check_conditions(plan));
    for (size_t u = 0; u < plan->n_units; u++) {
        const char *arm = plan->units[u].arm->name; /* decides no number, but what plan.json says */
        PL_GOTO(status, done, pl_bytes_text(&ids, plan->units[u].id));
        if (arm) PL_GOTO(status, done, pl_bytes_format(&ids, " %s ", arm));
    }
    PL_GOTO(status, done, pl_bytes_text(&ids, plan->spec->name));
    if (plan->spec->primary) PL_GOTO(status, done, pl_json_canonical(&ids, plan->spec->primary));
    if (plan->spec->verdict) PL_GOTO(status, done, pl_json_canonical(&ids, plan->spec->verdict));
    if (plan->spec->analysis) PL_GOTO(status, done, pl_json_canonical(&ids, plan->spec->analysis));
    if (plan->spec->staged) PL_GOTO(status, done, pl_bytes_text(&ids, " staged"));
    if (plan->spec->maps) PL_GOTO(status, done, pl_json_canonical(&ids, plan->spec->maps));
    pl_hash128(plan->hash, ids.data, ids.size);
done:
    pl_bytes_free(&ids);
    free(m.ids.slots);
    return status;
}

/* ---- what can be refused before a model is opened ---- */

static pl_status check_primary(const pl_plan *plan)
{
    const json_t *contrast;
    size_t i;
    json_array_foreach(plan->spec->primary, i, contrast)
    {
        const char *task = json_string_value(json_object_get(contrast, "task"));
        size_t t = 0;
        while (t < plan->n_tasks && strcmp(plan->tasks[t].task->name, task)) t++;
        if (t == plan->n_tasks)
            return pl_fail(PL_E_INPUT, "%s: primary: task '%s': the experiment has no task of this name",
                           plan->spec->path, task);
        if (plan->tasks[t].task->output_type == PL_OUTPUT_LOGLIKELIHOOD_ROLLING)
            return pl_fail(PL_E_INPUT,
                           "%s: primary: task '%s' is loglikelihood_rolling and has no accuracy: expected another task",
                           plan->spec->path, task);
    }
    return PL_OK;
}

static pl_status check_names(const pl_plan *plan)
{
    const char **models, **tasks;
    PL_TRY(pl_arena_new(plan->arena, &models, plan->spec->n_models));
    PL_TRY(pl_arena_new(plan->arena, &tasks, plan->n_tasks));
    for (size_t m = 0; m < plan->spec->n_models; m++) models[m] = plan->spec->models[m].name;
    for (size_t t = 0; t < plan->n_tasks; t++) tasks[t] = plan->tasks[t].task->name;
    PL_TRY(check_primary(plan));
    return pl_result_files_check(models, plan->spec->n_models, tasks, plan->n_tasks, plan->spec->path);
}

static size_t count_cells(const pl_spec_arm *arm, const pl_plan_task *task, size_t k)
{
    size_t draws, orders;
    count_draws(&draws, &orders, arm, task, k);
    return draws * orders;
}

/* Before any is made: an experiment beyond the limit is refused with its count, in no time and no memory. */
static pl_status check_count(const pl_plan *plan)
{
    const pl_spec *spec = plan->spec;
    double n = 0; /* a count that no integer need hold */
    for (size_t t = 0; t < plan->n_tasks; t++)
        for (size_t a = 0; a < spec->n_arms; a++) {
            const pl_spec_arm *arm = &spec->arms[a];
            const pl_plan_task *task = &plan->tasks[t];
            if (arm->kind != PL_ARM_PROMPT) {
                n += pl__plan_count_learning(arm, task);
                continue;
            }
            double cells = arm->n_shots ? 0 : (double)count_cells(arm, task, task->task->num_fewshot), readouts = 0;
            for (size_t s = 0; s < arm->n_shots; s++) cells += (double)count_cells(arm, task, arm->shots[s]);
            for (size_t r = 0; r < PL_READOUTS; r++) readouts += arm->readouts[r];
            n += cells * readouts * (double)task->n_templates;
        }
    n *= (double)spec->n_models * (double)spec->n_chats;
    if (n <= PL_UNITS_MAX) return PL_OK;
    return pl_fail(PL_E_INPUT,
                   "%s: up to %.0f units (models x tasks x templates x readouts x shots x draws x orders), expected at "
                   "most %d; lower draws or orders, or make several experiments of it",
                   spec->path, n, PL_UNITS_MAX);
}

/* ---- the plan ---- */

static pl_status open_tasks(pl_plan *plan)
{
    const pl_spec *spec = plan->spec;
    PL_TRY(pl_arena_new(plan->arena, &plan->tasks, spec->n_tasks));
    while (plan->n_tasks < spec->n_tasks) {
        pl_plan_task *task = &plan->tasks[plan->n_tasks++]; /* counted first: it is freed when it is half open */
        PL_TRY(pl__plan_open_task(plan, task, spec->tasks[plan->n_tasks - 1]));
        for (size_t j = 0; j + 1 < plan->n_tasks; j++)
            if (strcmp(plan->tasks[j].task->name, task->task->name) == 0)
                return pl_fail(PL_E_INPUT, "%s: two tasks are called '%s'", spec->path, task->task->name);
    }
    return PL_OK;
}

static pl_status open_models(pl_plan *plan)
{
    PL_TRY(pl_arena_new(plan->arena, &plan->models, plan->spec->n_models));
    while (plan->n_models < plan->spec->n_models) {
        pl_plan_model *model = &plan->models[plan->n_models++];
        PL_TRY(open_model(plan, model, &plan->spec->models[plan->n_models - 1]));
    }
    return PL_OK;
}

pl_status pl_plan_create(pl_plan **out, const pl_spec *spec)
{
    pl_plan *plan = NULL;
    pl_status status;
    *out = NULL;
    PL_GOTO(status, done, pl_new(&plan, 1));
    plan->spec = spec;
    pl_tokenizer_unicode(plan->unicode);
    PL_GOTO(status, done, pl_arena_create(&plan->arena));
    PL_GOTO(status, done, open_tasks(plan));
    PL_GOTO(status, done, check_names(plan));
    PL_GOTO(status, done, check_count(plan));
    PL_GOTO(status, done, open_models(plan));
    PL_GOTO(status, done, make_units(plan));
    *out = plan;
    plan = NULL;
done:
    pl_plan_free(plan);
    return status;
}

void pl_plan_notes(const pl_plan *plan, void (*say)(void *listener, const char *line), void *listener)
{
    for (size_t i = 0; i < plan->n_notes; i++) say(listener, plan->notes[i]);
    for (size_t a = 0; a < plan->spec->n_arms; a++) {
        const pl_spec_arm *arm = &plan->spec->arms[a];
        char line[400], ks[120] = "";
        for (size_t s = 0; s < arm->n_shots; s++)
            if (arm->shots[s] && strlen(ks) < 100)
                snprintf(ks + strlen(ks), sizeof ks - strlen(ks), "%s%zu", *ks ? ", " : "", arm->shots[s]);
        if (arm->draws > 1 || !*ks) continue;
        snprintf(line, sizeof line,
                 "note: arms.%zu: draws: 1, so each shot count (%s) is one set of shots, and what it shows may be that "
                 "set's doing; draws: 5 tells the two apart",
                 a, ks);
        say(listener, line);
    }
}

void pl_plan_free(pl_plan *plan)
{
    if (!plan) return;
    for (size_t i = 0; i < plan->n_models; i++) {
        pl_checkpoint_close(plan->models[i].checkpoint);
        pl_tokenizer_free(plan->models[i].tokenizer);
        pl_chat_free(plan->models[i].chat);
        pl_ids_free(&plan->models[i].stops);
    }
    for (size_t i = 0; i < plan->n_tasks; i++) {
        json_decref(plan->tasks[i].generation);
        pl_task_free(plan->tasks[i].task);
    }
    free(plan->units);
    free(plan->notes);
    pl_arena_free(plan->arena);
    free(plan);
}
