/* A task of the plan: its evaluated items, templates and label set, and what its rows have in common. */
#include <string.h>

#include "experiment/draw.h"
#include "experiment/plan_parts.h"

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

pl_status pl__plan_choices(const char ***out, size_t *n, const pl_plan_task *task, size_t i, pl_arena *arena)
{
    const pl_task *t = task->task;
    pl_row row;
    PL_TRY(pl_row_open(&row, t->test, task->items[i]));
    pl_status status = pl_task_choices(t, task->templates[0], &row, arena, out, n);
    pl_row_close(&row);
    return status;
}

/* Do all evaluated items have as many choices, and the same ones? */
static pl_status compare_choices(pl_plan_task *task)
{
    enum { AN_ARENA = 1000 }; /* items whose choices are held at once, beside the first one's */
    const char **first, **choices;
    size_t n_first, n;
    pl_arena *of_first = NULL, *scratch = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&of_first));
    PL_GOTO(status, done, pl__plan_choices(&first, &n_first, task, 0, of_first));
    task->n_choices = n_first;
    task->fixed_labels = true;
    for (size_t i = 1; i < task->n_items && (task->n_choices || task->fixed_labels); i++) {
        if (i % AN_ARENA == 1) {
            pl_arena_free(scratch);
            scratch = NULL;
            PL_GOTO(status, done, pl_arena_create(&scratch));
        }
        PL_GOTO(status, done, pl__plan_choices(&choices, &n, task, i, scratch));
        if (n != n_first) task->n_choices = 0;
        task->fixed_labels &= n == n_first;
        for (size_t c = 0; task->fixed_labels && c < n; c++) task->fixed_labels = strcmp(first[c], choices[c]) == 0;
    }
done:
    pl_arena_free(of_first);
    pl_arena_free(scratch);
    return status;
}

/* An arm that names no shots takes the task's own number; one that learns needs to know the pool. */
static size_t most_shots(const pl_spec *spec, const pl_task *task)
{
    size_t most = 0;
    for (size_t a = 0; a < spec->n_arms; a++) {
        size_t own = spec->arms[a].kind == PL_ARM_PROMPT ? task->num_fewshot : 1;
        if (!spec->arms[a].n_shots && own > most) most = own;
    }
    for (size_t a = 0; a < spec->n_arms; a++)
        for (size_t s = 0; s < spec->arms[a].n_shots; s++)
            if (spec->arms[a].shots[s] > most) most = spec->arms[a].shots[s];
    return most;
}

pl_status pl__plan_note_rows(pl_plan *plan, const pl_plan_task *task)
{
    const pl_rows *rows = &task->rows;
    char *line;
    if (*task->task->unused_filters) {
        PL_TRY(
            pl_arena_format(plan->arena, &line,
                            "note: task %s: of its filters '%s' reads the answers; plumb: {filter: NAME} in the task "
                            "file chooses another (%s)",
                            task->task->name, pl_filter_name(task->task->filter), task->task->unused_filters));
        PL_TRY(pl__plan_note(plan, line));
    }
    if (rows->n_twins) {
        PL_TRY(pl_arena_format(
            plan->arena, &line,
            "note: task %s: %zu of %zu items stand in the pool of shots too, question and answer (first: "
            "doc_id %zu); such rows are set aside for their item",
            task->task->name, rows->n_twins, task->n_items, rows->first_twin));
        PL_TRY(pl__plan_note(plan, line));
    }
    if (!rows->near.n) return PL_OK;
    PL_TRY(pl_arena_format(
        plan->arena, &line,
        "note: task %s: %zu of %zu items%s have a near-duplicate in the pool of shots (Jaccard of character "
        "5-grams at least 0.8; first: doc_id %zu and pool row %zu)",
        task->task->name, rows->near.n, rows->near.n_items,
        rows->near.n_items < task->n_items ? " that were looked at" : "", task->items[rows->near.first_item],
        rows->near.first_row));
    return pl__plan_note(plan, line);
}

/* The label set, and the classes of the shot pool (without a label set shots are not balanced). */
static pl_status find_classes(pl_plan_task *task)
{
    if (!task->templates[0]->doc_to_choice) return PL_OK;
    PL_TRY(compare_choices(task));
    task->has_classes = task->fixed_labels && task->task->fewshot;
    if (task->has_classes) task->classes = task->rows.labels;
    return PL_OK;
}

static const json_t *text_of(const pl_plan_task *task, size_t template)
{
    return json_object_get(task->templates[template]->config, "doc_to_text");
}

size_t pl__plan_count_wordings(const pl_plan_task *task, pl_role role)
{
    size_t n = 0;
    for (size_t k = 0; k < task->n_templates; k++) {
        bool new = task->roles[k] == role;
        for (size_t j = 0; j < k && new; j++)
            new = task->roles[j] != role || !text_of(task, k) || !json_equal(text_of(task, j), text_of(task, k));
        n += new;
    }
    return n;
}

pl_status pl__plan_open_task(pl_plan *plan, pl_plan_task *task, const char *path)
{
    PL_TRY(pl_task_open(&task->task, path));
    size_t n = task->task->test->n;
    PL_TRY(pl_arena_new(plan->arena, &task->items, n));
    PL_TRY(pl_draw_items(task->items, &task->n_items, n, plan->spec->items, plan->spec->seed));
    uint64_t *wide;
    PL_TRY(pl_arena_new(plan->arena, &wide, n));
    for (size_t i = 0; i < task->n_items; i++) wide[i] = task->items[i];
    pl_hash128(task->items_digest, wide, task->n_items * sizeof *wide);
    PL_TRY(pl_task_generation_json(&task->generation, task->task));
    PL_TRY(choose_templates(plan->spec, task, plan->arena));
    PL_TRY(pl_rows_check(&task->rows, task->task, task->templates, task->n_templates, task->items, task->n_items,
                         most_shots(plan->spec, task->task), plan->arena));
    return find_classes(task);
}

/* Several of something, under any template. */
static const pl_template *with_several(const pl_plan_task *task, bool contexts)
{
    for (size_t i = 0; i < task->n_templates; i++)
        if (contexts ? task->templates[i]->several_contexts : task->templates[i]->several_right)
            return task->templates[i];
    return NULL;
}

pl_status pl__plan_check_kind(const pl_plan *plan, const pl_plan_unit *unit)
{
    const pl_plan_task *task = &plan->tasks[unit->task];
    const pl_spec_arm *arm = unit->arm;
    const char *where = plan->spec->path, *name = task->task->name;
    const size_t place = (size_t)(arm - plan->spec->arms);
    const pl_template *contexts = with_several(task, true), *right = with_several(task, false);
    size_t most = arm->n_shots ? 0 : task->task->num_fewshot;
    for (size_t s = 0; s < arm->n_shots; s++) most = arm->shots[s] > most ? arm->shots[s] : most;
    if (task->task->output_type == PL_OUTPUT_LOGLIKELIHOOD_ROLLING) {
        if (arm->kind != PL_ARM_PROMPT || arm->readouts[PL_READOUT_GENERATE] || most)
            return pl_fail(PL_E_INPUT,
                           "%s: arms.%zu: task %s is loglikelihood_rolling, texts that are scored by themselves: "
                           "expected kind: prompt, shots: [0], readout: [loglikelihood]",
                           where, place, name);
        if (unit->chat)
            return pl_fail(
                PL_E_INPUT,
                "%s: chat: task %s is loglikelihood_rolling, texts that are scored by themselves: expected no "
                "chat",
                where, name);
        return PL_OK;
    }
    if (contexts && (arm->kind != PL_ARM_PROMPT || arm->readouts[PL_READOUT_GENERATE]))
        return pl_fail(PL_E_INPUT,
                       "%s: arms.%zu: task %s, template '%s': each choice is a context of its own, so there is no "
                       "prompt to answer: expected kind: prompt, readout: [loglikelihood]",
                       where, place, name, contexts->name);
    if (right && arm->kind != PL_ARM_PROMPT)
        return pl_fail(PL_E_INPUT,
                       "%s: arms.%zu: task %s, template '%s' has several right choices an item: an arm that learns "
                       "needs one; expected kind: prompt",
                       where, place, name, right->name);
    return PL_OK;
}
