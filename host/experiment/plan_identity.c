/* What decides the numbers of a plan's units, taken from the plan: their ids. */
#include "experiment/examples.h"
#include "experiment/plan_parts.h"

bool pl_plan_calibrates(const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_plan_task *task = &plan->tasks[unit->task];
    return !unit->adaptation && unit->readout == PL_READOUT_LOGLIKELIHOOD && task->templates[0]->doc_to_choice &&
           !unit->template->several_contexts && !unit->template->several_right && task->task->n_calibration > 0;
}

/* *out is what the result points at. */
static const pl_identity_chat *chat_of(pl_identity_chat *out, const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_chat *chat = unit->chat && unit->chat->apply ? plan->models[unit->model].chat : NULL;
    if (!unit->chat) return NULL;
    *out = (pl_identity_chat){.system = unit->chat->system,
                              .template = chat ? pl_chat_digest(chat) : NULL,
                              .date = chat && pl_chat_has_date(chat) ? plan->spec->chat_date : NULL,
                              .multiturn = unit->chat->multiturn};
    return out;
}

/* What decides the unit's numbers; borrowed from the plan and `chat`. */
static pl_identity identity_of(const pl_plan *plan, const pl_plan_unit *unit, pl_identity_chat *chat)
{
    const pl_plan_model *model = &plan->models[unit->model];
    const pl_plan_task *task = &plan->tasks[unit->task];
    const pl_task *t = task->task;
    return (pl_identity){.model = model->spec->name,
                         .weights = model->digest,
                         .config = model->config_digest,
                         .tokenizer = pl_tokenizer_digest(model->tokenizer),
                         .unicode = plan->unicode,
                         .task = t->name,
                         .template_name = unit->template->name,
                         .template_digest = unit->template->digest,
                         .role = pl_role_name(unit->role),
                         .test_sha256 = t->test->sha256,
                         .items_digest = task->items_digest,
                         .fewshot_sha256 = unit->k > 0 ? t->fewshot->sha256 : NULL,
                         .chat = chat_of(chat, plan, unit),
                         .readout = unit->readout,
                         .k = unit->k,
                         .draw = unit->draw,
                         .order = unit->order,
                         .balance = unit->arm->balance && task->has_classes,
                         .first_shots = task->task->first_shots,
                         .n_content_free = pl_plan_calibrates(plan, unit) ? t->n_calibration : 0,
                         .content_free = t->calibration,
                         .seed = plan->spec->seed,
                         .truncation = plan->spec->truncation,
                         .compute = model->spec->compute,
                         .captures = unit->captures,
                         .n_layers = model->n_layers,
                         .layers = model->layers,
                         .positions = plan->spec->positions,
                         .suffix = plan->spec->suffix,
                         .storage = plan->spec->storage,
                         .capture_items = plan->spec->capture_items,
                         .generation = unit->readout == PL_READOUT_GENERATE ? task->generation : NULL,
                         .n_stops = model->stops.n,
                         .stops = model->stops.data,
                         .learned_by = unit->adaptation ? plan->units[unit->adaptation->unit].id : NULL,
                         .kind = unit->arm->kind};
}

/* The text that ends the open answers that a model learns to write; NULL: it learns choices alone. */
static const char *learned_end(const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_adaptation *a = unit->adaptation;
    const pl_task *t = plan->tasks[unit->task].task;
    bool open = false;
    for (size_t i = 0; i < a->examples->n_templates; i++) open |= !a->examples->templates[i]->doc_to_choice;
    for (size_t i = 0; i < a->n_dev_templates; i++) open |= !a->dev_templates[i]->doc_to_choice;
    return open && t->n_until ? t->until[0] : NULL;
}

static pl_learning learning_of(const pl_plan *plan, const pl_plan_unit *unit, pl_identity_chat *chat)
{
    const pl_plan_model *model = &plan->models[unit->model];
    const pl_plan_task *task = &plan->tasks[unit->task];
    const pl_adaptation *a = unit->adaptation;
    return (pl_learning){.model = model->spec->name,
                         .weights = model->digest,
                         .config = model->config_digest,
                         .tokenizer = pl_tokenizer_digest(model->tokenizer),
                         .unicode = plan->unicode,
                         .task = task->task->name,
                         .fewshot_sha256 = task->task->fewshot->sha256,
                         .examples = a->examples->digest,
                         .kind = a->arm->kind,
                         .labels = a->labels,
                         .n_train = a->n_train,
                         .draw = a->draw,
                         .balance = a->arm->balance && task->has_classes,
                         .seed = plan->spec->seed,
                         .n_templates = a->examples->n_templates,
                         .n_dev_templates = a->n_dev_templates,
                         .templates = a->examples->templates,
                         .dev_templates = a->dev_templates,
                         .truncation = plan->spec->truncation,
                         .compute = model->spec->compute,
                         .head = a->head,
                         .recipe = a->arm->kind == PL_ARM_FINETUNE ? &a->arm->recipe : NULL,
                         .n_layers = a->n_layers,
                         .layers = a->layers,
                         .facts = &model->checkpoint->config,
                         .chat = chat_of(chat, plan, unit),
                         .until = learned_end(plan, unit),
                         .group = task->task->group};
}

pl_status pl_plan_identity(pl_bytes *out, const pl_plan *plan, const pl_plan_unit *unit)
{
    pl_identity_chat chat;
    if (unit->learns) {
        pl_learning learning = learning_of(plan, unit, &chat);
        return pl_learning_text(out, &learning);
    }
    pl_identity identity = identity_of(plan, unit, &chat);
    return pl_identity_text(out, &identity);
}

pl_status pl__plan_id(char id[PL_HASH_TEXT], const pl_plan *plan, const pl_plan_unit *unit)
{
    pl_identity identity;
    pl_identity_chat chat;
    if (!unit->learns) {
        identity = identity_of(plan, unit, &chat);
        return pl_identity_id(id, &identity);
    }
    pl_bytes text = {0};
    pl_status status = pl_plan_identity(&text, plan, unit);
    if (status == PL_OK) pl_hash128(id, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}
