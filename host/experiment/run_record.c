#include "experiment/run_record.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json_build.h"
#include "base/process.h"
#include "store/plan_file.h"

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
                                 .metrics = t->task->metrics,
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

static void describe_learning(pl_planned_unit *out, const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_adaptation *a = unit->adaptation;
    out->head = a->arm->kind == PL_ARM_FINETUNE ? pl_head_name(a->head) : "";
    out->train_template = a->train_template;
    out->n_train = a->n_train;
    out->labels = pl_labelling_name(a->labels);
    out->learned_by = unit->learns ? NULL : plan->units[a->unit].id;
}

pl_status pl_record_plan(json_t **out, const pl_plan *plan)
{
    pl_plan_file file = {.name = plan->spec->name,
                         .hash = plan->hash,
                         .primary = plan->spec->primary,
                         .verdict = plan->spec->verdict,
                         .analysis = plan->spec->analysis,
                         .staged = plan->spec->staged,
                         .maps = plan->spec->maps};
    pl_status status;
    *out = NULL;
    PL_TRY(make_models_and_tasks(&file, plan));
    PL_TRY(pl_new(&file.units, plan->n_units));
    for (; file.n_units < plan->n_units; file.n_units++) {
        const pl_plan_unit *u = &plan->units[file.n_units];
        file.units[file.n_units] = (pl_planned_unit){.id = u->id,
                                                     .model = u->model,
                                                     .task = u->task,
                                                     .arm = pl_arm_name(u->arm->kind),
                                                     .arm_name = u->arm->name,
                                                     .chat = u->chat ? u->chat->label : NULL,
                                                     .system = u->chat ? u->chat->system : NULL,
                                                     .readout = pl_readout_name(u->readout),
                                                     .template_name = u->template->name,
                                                     .role = pl_role_name(u->role),
                                                     .k = u->k,
                                                     .draw = u->draw,
                                                     .order = u->order,
                                                     .seed = plan->spec->seed};
        if (u->adaptation) describe_learning(&file.units[file.n_units], plan, u);
    }
    status = pl_plan_file_json(out, &file);
    free(file.units);
    return status;
}

/* ---- manifest.json ---- */

static void put_data(pl_json_builder *b, const char *key, const pl_data *data)
{
    if (!data) return;
    pl_json_open(b, key);
    pl_json_put_text(b, "path", data->n_parts ? data->where : data->path);
    if (data->n_parts) pl_json_put_size(b, "files", data->n_parts);
    pl_json_put_text(b, "sha256", data->file_sha256);
    pl_json_put_size(b, "items", data->n);
    pl_json_close(b);
}

/* What was read, from where: the one place of a run folder that holds paths of models. */
pl_status pl_record_manifest(json_t **out, const pl_plan *plan)
{
    pl_json_builder b;
    pl_json_begin(&b);
    pl_json_put_text(&b, "plumb", PLUMB_VERSION);
    pl_json_put_text(&b, "name", plan->spec->name);
    pl_json_put_text(&b, "plan_hash", plan->hash);
    pl_json_put_size(&b, "numerics_version", PL_NUMERICS_VERSION);
    pl_json_put_size(&b, "format_version", PL_UNIT_FORMAT_VERSION);
    pl_json_put_text(&b, "unicode", plan->unicode);
    pl_json_open_list(&b, "models");
    for (size_t i = 0; i < plan->n_models; i++) {
        const pl_plan_model *m = &plan->models[i];
        pl_json_open(&b, NULL);
        pl_json_put_text(&b, "name", m->spec->name);
        pl_json_put_text(&b, "folder", m->folder);
        pl_json_put_text(&b, "weights", m->digest);
        pl_json_put_size(&b, "max_positions", m->checkpoint->config.max_positions);
        pl_json_put_text(&b, "tokenizer", pl_tokenizer_digest(m->tokenizer));
        pl_json_close(&b);
    }
    pl_json_close(&b);
    pl_json_open_list(&b, "tasks");
    for (size_t i = 0; i < plan->n_tasks; i++) {
        const pl_task *t = plan->tasks[i].task;
        pl_json_open(&b, NULL);
        pl_json_put_text(&b, "name", t->name);
        pl_json_put_text(&b, "file", t->path);
        pl_json_put_text(&b, "task_hash", t->digest);
        put_data(&b, "test", t->test);
        put_data(&b, "fewshot", t->fewshot);
        pl_json_close(&b);
    }
    pl_json_close(&b);
    return pl_json_end(&b, out, "manifest.json");
}

/* ---- status.json ---- */

pl_status pl_record_state(json_t **out, const pl_run_state *state)
{
    char now[PL_TIME_TEXT];
    json_t *process;
    const pl_run_summary *s = state->summary;
    size_t done = s->n_found + s->n_adopted + s->n_computed;
    size_t left = s->n_share - done - s->n_failed - s->n_elsewhere - s->n_refused - s->n_not_needed;
    pl_json_builder b;
    pl_time_text(now);
    PL_TRY(pl_process_record(&process));
    pl_json_begin(&b);
    pl_json_put_text(&b, "state", state->state);
    pl_json_put_text(&b, "shard", state->shard);
    pl_json_put_size(&b, "units", s->n_share);
    pl_json_put_size(&b, "found", s->n_found);
    pl_json_put_size(&b, "adopted", s->n_adopted);
    pl_json_put_size(&b, "computed", s->n_computed);
    pl_json_put_size(&b, "failed", s->n_failed);
    pl_json_put_size(&b, "elsewhere", s->n_elsewhere);
    pl_json_put_size(&b, "refused", s->n_refused);
    pl_json_put_size(&b, "not_needed", s->n_not_needed);
    pl_json_put_size(&b, "left", left);
    if (state->unit) pl_json_put_text(&b, "running", state->unit);
    /* Units that were there or adopted took no time: they say nothing about those that are left. */
    pl_json_put_real(&b, "units_per_s", state->computing_s > 0 ? (double)s->n_computed / state->computing_s : 0.0);
    pl_json_put_real(&b, "seconds_left",
                     state->computed_cost > 0 ? state->computing_s * state->left_cost / state->computed_cost : 0.0);
    pl_json_put_text(&b, "updated", now);
    pl_json_put(&b, "process", process);
    return pl_json_end(&b, out, "status.json");
}

/* ---- units/<id>.json ---- */

static void put_counts(pl_json_builder *b, const pl_unit_cost *c)
{
    pl_json_put_size(b, "items", c->n_items);
    pl_json_put_size(b, "items_skipped", c->n_skipped);
    pl_json_put_size(b, "items_merged", c->n_merged);
    pl_json_put_size(b, "items_truncated", c->n_truncated);
    pl_json_put_size(b, "items_shots_set_aside", c->n_set_aside);
    pl_json_put_size(b, "items_not_finite", c->n_not_finite);
    pl_json_put_size(b, "items_states_not_finite", c->n_states_not_finite);
    pl_json_put_size(b, "values_not_finite", c->losses.n_not_finite);
    pl_json_put_size(b, "values_out_of_range", c->losses.n_over);
    pl_json_put_size(b, "tokens_in_requests", c->tokens_in_requests);
    pl_json_put_size(b, "tokens_computed", c->tokens_computed);
    pl_json_put_size(b, "tokens_content_free", c->free_tokens);
    pl_json_put_size(b, "tokens_generated", c->generated_tokens);
    pl_json_put_size(b, "batches", c->n_batches);
}

pl_status pl_record_unit(json_t **out, const pl_unit_record *record)
{
    char now[PL_TIME_TEXT], host[PL_HOST_NAME_MAX];
    const pl_unit_cost *c = record->cost;
    double tokens = (double)(c->tokens_computed + c->generated_tokens);
    pl_json_builder b;
    pl_time_text(now);
    pl_host_name(host);
    pl_json_begin(&b);
    pl_json_put_text(&b, "unit", record->unit->id);
    pl_json_put_text(&b, "finished", now);
    pl_json_put_text(&b, "host", host);
    pl_json_put_text(&b, "device", record->device->name);
    pl_json_put_integer(&b, "threads", record->device->n_threads);
    pl_json_put_text(&b, "plumb", PLUMB_VERSION);
    pl_json_put_text(&b, "numerics_key", record->numerics_key);
    pl_json_put_text(&b, "certificate",
                     record->certified ? "passed" : "not needed: products are exact by construction");
    pl_json_put_text(&b, "products", record->device->makers);
    put_counts(&b, c);
    pl_json_put_real(&b, "prompts_s", c->prompts_s);
    pl_json_put_real(&b, "engine_s", c->engine_s);
    pl_json_put_real(&b, "write_s", c->write_s);
    if (record->unit->learns) pl_json_put_real(&b, "learned_seconds", c->learned_s);
    pl_json_put_real(&b, "wall_s", record->wall_s);
    pl_json_put_real(&b, "tokens_per_s", c->engine_s > 0 ? tokens / c->engine_s : 0.0);
    return pl_json_end(&b, out, "a unit's sidecar");
}
