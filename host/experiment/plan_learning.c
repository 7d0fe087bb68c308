/* The part of the plan that learns: for each head, templates, size, labels and draw one unit that adapts the model, and
 * behind it one unit for each template that what it learned is evaluated on. */
#include <stdio.h>
#include <string.h>

#include "experiment/examples.h"
#include "experiment/plan_parts.h"
#include "experiment/states.h"

static size_t count_marks(const bool *marks, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += marks[i];
    return sum;
}

double pl__plan_count_learning(const pl_spec_arm *arm, const pl_plan_task *task)
{
    double heads = arm->kind == PL_ARM_FINETUNE ? (double)count_marks(arm->heads, PL_HEAD_KINDS) : 1;
    double learned = heads * (double)arm->n_mixtures * (double)arm->n_sizes * (double)arm->seeds *
                     (double)count_marks(arm->labels, PL_LABELLINGS);
    return learned * (1 + (double)count_marks(arm->readouts, PL_READOUTS) * (double)task->n_templates);
}

/* A head with a row a label needs a label set that every template writes. */
static pl_status check_label_set(const pl_plan_task *task, const char *arm)
{
    const pl_task *t = task->task;
    if (!t->fewshot) return PL_OK; /* said where examples are chosen */
    if (!task->has_classes)
        return pl_fail(PL_E_INPUT,
                       "%s: arm %s needs a label set: expected doc_to_choice with the same choices for "
                       "every item of task %s",
                       t->path, arm, t->name);
    pl_arena *arena;
    pl_row row;
    PL_TRY(pl_arena_create(&arena));
    pl_status status;
    PL_GOTO(status, done, pl_row_open(&row, t->test, task->items[0]));
    for (size_t i = 0; i < task->n_templates && status == PL_OK; i++) {
        const char **choices;
        size_t n = 0;
        if (task->templates[i]->doc_to_choice)
            status = pl_task_choices(t, task->templates[i], &row, arena, &choices, &n);
        if (status == PL_OK && n != task->n_choices)
            status =
                pl_fail(PL_E_INPUT, "%s: arm %s: template '%s' has %zu choices, template '%s' %zu: expected as many",
                        t->path, arm, task->templates[i]->name, n, task->templates[0]->name, task->n_choices);
    }
    pl_row_close(&row);
done:
    pl_arena_free(arena);
    return status;
}

/* Templates of role dev; where there is none, those that are trained on. */
static pl_status find_dev_templates(pl_adaptation *a, const pl_plan_task *task, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, &a->dev_templates, task->n_templates + a->examples->n_templates));
    for (size_t i = 0; i < task->n_templates; i++)
        if (task->roles[i] == PL_ROLE_DEV) a->dev_templates[a->n_dev_templates++] = task->templates[i];
    for (size_t i = 0, none = a->n_dev_templates == 0; none && i < a->examples->n_templates; i++)
        a->dev_templates[a->n_dev_templates++] = a->examples->templates[i];
    return PL_OK;
}

static pl_status name_templates(pl_adaptation *a, pl_arena *arena)
{
    char *text;
    PL_TRY(pl_arena_format(arena, &text, "%s", a->examples->templates[0]->name));
    for (size_t i = 1; i < a->examples->n_templates; i++)
        PL_TRY(pl_arena_format(arena, &text, "%s+%s", text, a->examples->templates[i]->name));
    a->train_template = text;
    return PL_OK;
}

static pl_status prepare(pl_adaptation *a, pl_plan *plan, const pl_plan_unit *unit, const pl_mixture *mixture)
{
    const pl_plan_task *task = &plan->tasks[unit->task];
    const pl_plan_model *model = &plan->models[unit->model];
    pl_examples *examples;
    char where[PL_PATH_MAX];
    const pl_examples_wanted wanted = {.n = a->n_train,
                                       .draw = a->draw,
                                       .balance = a->arm->balance,
                                       .shuffled = a->labels == PL_LABELS_SHUFFLED,
                                       .seed = plan->spec->seed};
    PL_TRY(pl_arena_new(plan->arena, &examples, 1));
    PL_TRY(pl_examples_choose(examples, task, &wanted, mixture, plan->arena));
    a->examples = examples;
    PL_TRY(find_dev_templates(a, task, plan->arena));
    PL_TRY(name_templates(a, plan->arena));
    if (a->arm->kind != PL_ARM_LINEAR) return PL_OK;
    PL_TRY(pl_path(where, "%s: layers of arm linear, model %s", plan->spec->path, model->spec->name));
    return pl_layers_resolve(&a->layers, &a->n_layers, a->arm->layers, a->arm->n_layers, model->checkpoint->config.L,
                             where, plan->arena);
}

/* One adaptation: the unit that learns, then its evaluations. */
static pl_status add_adaptation(pl__maker *m, pl_plan_unit unit, pl_adaptation *a, const pl_mixture *mixture)
{
    pl_plan *plan = m->plan;
    const pl_plan_task *task = &plan->tasks[unit.task];
    size_t ignored;
    PL_TRY(prepare(a, plan, &unit, mixture));
    unit.adaptation = a;
    unit.draw = a->draw;
    unit.learns = true;
    unit.template = a->examples->templates[0];
    unit.template_place = SIZE_MAX;
    unit.role = unit.template->role;
    unit.readout = PL_READOUT_LOGLIKELIHOOD;
    PL_TRY(pl__plan_add(m, unit, &a->unit));
    unit.learns = false;
    for (size_t r = 0; r < PL_READOUTS; r++)
        for (size_t i = 0; a->arm->readouts[r] && i < task->n_templates; i++) {
            unit.readout = (pl_readout)r;
            unit.template = task->templates[i];
            unit.template_place = i;
            unit.role = task->roles[i];
            PL_TRY(pl__plan_add(m, unit, &ignored));
        }
    return PL_OK;
}

static pl_status add_draws(pl__maker *m, pl_plan_unit unit, const pl_adaptation *like, const pl_mixture *mixture)
{
    for (uint32_t draw = 0; draw < unit.arm->seeds; draw++) {
        pl_adaptation *a;
        PL_TRY(pl_arena_new(m->plan->arena, &a, 1));
        *a = *like;
        a->draw = draw;
        PL_TRY(add_adaptation(m, unit, a, mixture));
    }
    return PL_OK;
}

pl_status pl__plan_learning(pl__maker *m, pl_plan_unit unit)
{
    const pl_spec_arm *arm = unit.arm;
    const pl_plan_task *task = &m->plan->tasks[unit.task];
    bool tunes = arm->kind == PL_ARM_FINETUNE;
    if (!tunes || arm->heads[PL_HEAD_CLASSIFIER])
        PL_TRY(check_label_set(task, tunes ? "finetune with head classifier" : "linear"));
    for (size_t head = 0; head < (tunes ? PL_HEAD_KINDS : 1); head++)
        for (size_t t = 0; (!tunes || arm->heads[head]) && t < arm->n_mixtures; t++)
            for (size_t s = 0; s < arm->n_sizes; s++)
                for (size_t l = 0; l < PL_LABELLINGS; l++) {
                    const pl_adaptation like = {
                        .arm = arm, .head = (pl_head_kind)head, .labels = (pl_labelling)l, .n_train = arm->n_train[s]};
                    if (arm->labels[l]) PL_TRY(add_draws(m, unit, &like, &arm->mixtures[t]));
                }
    return PL_OK;
}

bool pl_unit_has_head(const pl_plan_unit *unit)
{
    const pl_adaptation *a = unit->adaptation;
    return a && (a->arm->kind == PL_ARM_LINEAR || a->head == PL_HEAD_CLASSIFIER);
}

void pl_plan_unit_name(char out[PL_UNIT_NAME], const pl_plan_unit *unit)
{
    const pl_adaptation *a = unit->adaptation;
    const pl_spec_chat *chat = unit->chat;
    const char *colon = unit->arm->name ? ":" : "", *name = unit->arm->name ? unit->arm->name : "";
    if (!a) {
        snprintf(out, PL_UNIT_NAME, "%s%s%stemplate %s, k = %zu, draw %u%s%s", *name ? "prompt:" : "", name,
                 *name ? ", " : "", unit->template->name, unit->k, unit->draw, chat ? ", " : "",
                 chat ? chat->label : "");
        return;
    }
    int n = snprintf(out, PL_UNIT_NAME, "%s%s%s%s%s%s%s on %.100s, n = %zu, draw %u%s", pl_arm_name(a->arm->kind),
                     colon, name, chat ? "+" : "", chat ? chat->label : "", a->arm->kind == PL_ARM_FINETUNE ? " " : "",
                     a->arm->kind == PL_ARM_FINETUNE ? pl_head_name(a->head) : "", a->train_template, a->n_train,
                     a->draw, a->labels == PL_LABELS_SHUFFLED ? ", labels shuffled" : "");
    if (!unit->learns && n > 0 && n < PL_UNIT_NAME)
        snprintf(out + n, (size_t)(PL_UNIT_NAME - n), ", template %s", unit->template->name);
}
