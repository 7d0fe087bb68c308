#include "experiment/example_prompts.h"

#include <stdio.h>
#include <string.h>

#include "experiment/chat.h"
#include "store/frame.h"

typedef struct maker {
    const pl_plan *plan;
    const pl_plan_unit *unit;
    const pl_examples *examples;
    pl_task pool; /* the task, whose items are the rows of the pool */
    pl_example_paths paths;
    pl_encoder encoder;
    size_t limit; /* the model's positions */
    pl_chat_use use;
    const pl_chat_use *chat; /* NULL: plain text */
} maker;

/* The right answer as the only choice: the choice of the label, or what stands behind a shot's text and then the first
 * stop text, so that a model that writes its answers learns where they end. */
static pl_status keep_answer(pl_prompt *p, const pl_task *task, const char *delimiter, pl_arena *arena)
{
    const char **choices;
    char *answer;
    PL_TRY(pl_arena_new(arena, &choices, 1));
    if (p->n_choices) {
        choices[0] = p->choices[p->gold];
    } else {
        PL_TRY(pl_arena_format(arena, &answer, "%s%s%s", delimiter, p->target, task->n_until ? task->until[0] : ""));
        choices[0] = answer;
    }
    p->choices = choices;
    p->n_choices = 1;
    p->gold = 0;
    return PL_OK;
}

static pl_status fit(maker *m, pl_encoded *encoded, const pl_template *t, size_t row)
{
    size_t length = pl_encoded_positions(encoded, 0, NULL);
    if (length <= m->limit) return PL_OK;
    if (m->plan->spec->truncation == PL_TRUNCATION_TRUNCATE_LEFT)
        return pl_encoded_cut(&m->encoder, encoded, 0, NULL, m->limit);
    return pl_fail(PL_E_INPUT,
                   "%s: row %zu, an example, needs %zu positions with template '%s', model %s has %zu; shorten the "
                   "template or set truncation: truncate_left",
                   m->pool.test->where, row, length, t->name, m->plan->models[m->unit->model].spec->name, m->limit);
}

static pl_status make(maker *m, pl_example_prompt *out, size_t i, const pl_template *t)
{
    const pl_examples *e = m->examples;
    const char *delimiter = m->chat && m->chat->chat ? "" : t->target_delimiter;
    PL_TRY(pl_prompt_build_chat(&out->prompt, &m->pool, t, e->rows[i], NULL, 0, m->chat, m->encoder.arena));
    if (e->classes && out->prompt.n_choices) out->prompt.gold = e->classes[i];
    out->prompt.unconditional = NULL;
    if (m->paths == PL_EXAMPLE_ANSWER) PL_TRY(keep_answer(&out->prompt, &m->pool, delimiter, m->encoder.arena));
    PL_TRY(pl_encode(&m->encoder, &out->prompt, &out->encoded));
    if (m->paths == PL_EXAMPLE_CHOICES && pl_unit_has_head(m->unit))
        PL_TRY(pl_encoded_label_paths(&out->encoded, m->encoder.arena));
    return fit(m, &out->encoded, t, e->rows[i]);
}

pl_status pl_example_prompts(pl_example_prompt *out, const pl_plan *plan, const pl_plan_unit *unit, size_t first,
                             size_t n, const pl_template *t, pl_example_paths paths, pl_arena *arena)
{
    const pl_plan_model *model = &plan->models[unit->model];
    const pl_examples *e = unit->adaptation->examples;
    maker m = {.plan = plan,
               .unit = unit,
               .examples = e,
               .pool = *plan->tasks[unit->task].task,
               .paths = paths,
               .limit = model->checkpoint->config.max_positions};
    m.pool.test = m.pool.fewshot;
    m.chat = pl_unit_chat(&m.use, plan, unit);
    PL_TRY(pl_encoder_create(&m.encoder, model->tokenizer, arena));
    PL_TRY(pl_chat_front_create(&m.use.front));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && status == PL_OK; i++)
        status = make(&m, &out[i], first + i, t ? t : e->templates[e->template_of[first + i]]);
    pl_chat_front_free(m.use.front);
    return status;
}

/* ---- /obs ---- */

static pl_status fill(pl_frame *f, const pl_plan *plan, const pl_plan_unit *unit)
{
    enum { INDEX, DOC_ID, DOC_HASH, MODEL, TASK, ARM, TEMPLATE, PURPOSE, LABEL, COLUMNS };
    static const struct {
        const char *name;
        pl_column_kind kind;
    } columns[COLUMNS] = {
        {"_index", PL_COLUMN_TEXT},       {"doc_id", PL_COLUMN_INTEGER},   {"doc_hash", PL_COLUMN_TEXT},
        {"model", PL_COLUMN_CATEGORY},    {"task", PL_COLUMN_CATEGORY},    {"arm", PL_COLUMN_CATEGORY},
        {"template", PL_COLUMN_CATEGORY}, {"purpose", PL_COLUMN_CATEGORY}, {"label_index", PL_COLUMN_INTEGER}};
    const pl_examples *e = unit->adaptation->examples;
    const pl_task *t = plan->tasks[unit->task].task;
    pl_column *c;
    for (size_t i = 0; i < COLUMNS; i++) PL_TRY(pl_frame_add(f, &c, columns[i].name, columns[i].kind));
    c = f->columns;
    for (size_t i = 0; i < e->n; i++) {
        char name[64], hash[PL_SHA256_TEXT];
        bool dev = unit->arm->kind == PL_ARM_FINETUNE && i >= e->n - e->n_dev;
        snprintf(name, sizeof name, "%zu-%.12s", e->rows[i], unit->id);
        PL_TRY(pl_row_hash(hash, t->fewshot, e->rows[i]));
        PL_TRY(pl_frame_set_text(f, &c[INDEX], i, name));
        PL_TRY(pl_frame_set_text(f, &c[DOC_HASH], i, hash));
        PL_TRY(pl_frame_set_text(f, &c[MODEL], i, plan->models[unit->model].spec->name));
        PL_TRY(pl_frame_set_text(f, &c[TASK], i, t->name));
        PL_TRY(pl_frame_set_text(f, &c[ARM], i, pl_arm_name(unit->arm->kind)));
        PL_TRY(pl_frame_set_text(f, &c[TEMPLATE], i, e->templates[e->template_of[i]]->name));
        PL_TRY(pl_frame_set_text(f, &c[PURPOSE], i, dev ? "dev" : "train"));
        c[DOC_ID].values.integer[i] = (int64_t)e->rows[i];
        c[LABEL].values.integer[i] = e->classes ? (int64_t)e->classes[i] : -1;
    }
    return PL_OK;
}

pl_status pl_examples_write(pl_unit_writer *writer, const pl_plan *plan, const pl_plan_unit *unit)
{
    pl_frame *frame;
    PL_TRY(pl_frame_create(&frame, unit->adaptation->examples->n));
    pl_status status = fill(frame, plan, unit);
    if (status == PL_OK) status = pl_unit_put_obs(writer, frame);
    pl_frame_free(frame);
    return status;
}
