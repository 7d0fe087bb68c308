#include "experiment/item.h"

#include <stdlib.h>
#include <string.h>

#include "experiment/chat.h"
#include "experiment/draw.h"
#include "experiment/shots.h"

enum { MIN_KEPT_PERCENT = 95 };

/* What building the prompts of one unit takes along. */
typedef struct builder {
    const pl_plan *plan;
    const pl_plan_unit *unit;
    pl_encoder encoder;
    pl_capture capture; /* of the unit: some states need a position more */
    size_t room;        /* tokens that are generated behind each prompt */
    size_t limit;       /* the model's positions */
    const char *input;  /* what stands in the item's place; NULL: the item */
    size_t n_options;   /* then, where items have choices of their own: all of them */
    const char **options;
    pl_chat_front *front;
    pl_ids suffix; /* of position `suffix`, where the unit keeps it */
} builder;

/* Builds one prompt with k shots and encodes it. */
static pl_status build(builder *b, pl__item *item, const size_t *shots, size_t k)
{
    const pl_task *t = b->plan->tasks[b->unit->task].task;
    pl_chat_use use;
    const pl_chat_use *chat = pl_unit_chat(&use, b->plan, b->unit);
    use.front = b->front;
    if (b->input) {
        PL_TRY(pl_prompt_build_content_free(&item->prompt, t, b->unit->template, item->index, b->input, shots, k, chat,
                                            b->encoder.arena));
        if (b->options) item->prompt.n_choices = b->n_options;
        if (b->options) item->prompt.choices = b->options;
    } else
        PL_TRY(
            pl_prompt_build_chat(&item->prompt, t, b->unit->template, item->index, shots, k, chat, b->encoder.arena));
    if (pl_unit_has_head(b->unit)) item->prompt.unconditional = NULL; /* its labels are no texts */
    pl_prompt prompt = item->prompt;
    if (b->unit->readout == PL_READOUT_GENERATE) prompt.n_choices = 0; /* read out of the answer, not scored */
    PL_TRY(pl_encode(&b->encoder, &prompt, &item->encoded));
    if (b->suffix.n && !b->input) PL_TRY(pl_encoded_suffix(&b->encoder, &item->encoded, &b->suffix));
    return pl_unit_has_head(b->unit) ? pl_encoded_label_paths(&item->encoded, b->encoder.arena) : PL_OK;
}

static pl_status fit(builder *b, pl__item *item, const size_t *shots)
{
    size_t k = b->unit->k, length = pl_encoded_positions(&item->encoded, b->room, &b->capture);
    if (length <= b->limit) return PL_OK;
    switch (b->plan->spec->truncation) {
    case PL_TRUNCATION_SKIP:
        item->encoded.skipped = true;
        return PL_OK;
    case PL_TRUNCATION_TRUNCATE_LEFT:
        return pl_encoded_cut(&b->encoder, &item->encoded, b->room, &b->capture, b->limit);
    case PL_TRUNCATION_DROP_SHOTS:
        while (k > 0 && length > b->limit) {
            k--;
            PL_TRY(build(b, item, shots + (b->unit->k - k), k));
            length = pl_encoded_positions(&item->encoded, b->room, &b->capture);
        }
        item->encoded.shots_dropped = b->unit->k - k;
        if (length <= b->limit) return PL_OK;
        break;
    default:
        break;
    }
    return pl_fail(
        PL_E_INPUT,
        "%s: item %zu with template '%s' and %zu shots needs %zu positions, model %s has %zu; shorten the template or "
        "set truncation: skip, drop_shots or truncate_left",
        b->plan->tasks[b->unit->task].task->path, item->index, b->unit->template->name, k, length,
        b->plan->models[b->unit->model].spec->name, b->limit);
}

static pl_status open_builder(builder *b, const pl_plan *plan, const pl_plan_unit *unit, pl_arena *arena)
{
    const pl_plan_model *model = &plan->models[unit->model];
    *b = (builder){.plan = plan, .unit = unit, .limit = model->checkpoint->config.max_positions};
    if (unit->captures)
        b->capture =
            (pl_capture){.n_layers = model->n_layers, .layers = model->layers, .positions = plan->spec->positions};
    if (unit->captures && plan->spec->suffix)
        PL_TRY(pl_encode_suffix(&b->suffix, model->tokenizer, plan->spec->suffix));
    const pl_task *task = plan->tasks[unit->task].task;
    if (unit->readout == PL_READOUT_GENERATE) b->room = task->max_gen_toks;
    PL_TRY(pl_encoder_create(&b->encoder, model->tokenizer, arena));
    PL_TRY(pl_chat_front_create(&b->front));
    b->encoder.window = task->max_length && task->max_length < b->limit ? task->max_length : b->limit;
    return PL_OK;
}

static pl_status refuse_many_skipped(const pl__items *items, const builder *b)
{
    const pl_plan_task *task = &b->plan->tasks[b->unit->task];
    if (items->n * 100 >= task->n_items * MIN_KEPT_PERCENT) return PL_OK;
    return pl_fail(
        PL_E_INPUT,
        "%s: truncation: skip leaves %zu of %zu items with template '%s' and %zu shots: expected at least %d %%",
        task->task->path, items->n, task->n_items, b->unit->template->name, b->unit->k, MIN_KEPT_PERCENT);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The choices that the items have of their own, each once, and where each item's are among them. */
static pl_status gather_options(pl__items *out, builder *b)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < out->n; i++) n += out->items[i].prompt.n_choices;
    PL_TRY(pl_arena_new(out->arena, &b->options, n));
    PL_TRY(pl_arena_new(out->arena, &out->free_choice, n));
    n = 0;
    for (size_t i = 0; i < out->n; i++)
        for (size_t c = 0; c < out->items[i].prompt.n_choices; c++) b->options[n++] = out->items[i].prompt.choices[c];
    if (n) qsort(b->options, n, sizeof *b->options, by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(b->options[i], b->options[i - 1])) b->options[kept++] = b->options[i];
    b->n_options = kept;
    n = 0;
    for (size_t i = 0; i < out->n; i++)
        for (size_t c = 0; c < out->items[i].prompt.n_choices; c++) {
            const char *const *found =
                bsearch(&out->items[i].prompt.choices[c], b->options, kept, sizeof *b->options, by_text);
            out->free_choice[n++] = (size_t)(found - (const char *const *)b->options);
        }
    return PL_OK;
}

/* The draw's own first shots stand before the inputs. What a template cannot show, or a model not hold, leaves the unit
 * without. */
static pl_status build_content_free(pl__items *out, builder *b, const size_t *permutation, size_t *shots, uint64_t seed)
{
    const pl_plan_task *task = &b->plan->tasks[b->unit->task];
    size_t n = task->task->n_calibration, k = b->unit->k;
    pl_status status = PL_OK;
    PL_TRY(pl_arena_new(out->arena, &out->content_free, n));
    if (!task->fixed_labels) PL_TRY(gather_options(out, b));
    if (k > 0) memcpy(shots, permutation, k * sizeof *shots);
    PL_TRY(pl_draw_order(shots, k, seed, b->unit->draw, b->unit->order));
    for (size_t i = 0; i < n && status == PL_OK; i++) {
        pl__item *item = &out->content_free[i];
        *item = (pl__item){.index = task->items[0]};
        b->input = task->task->calibration[i];
        status = build(b, item, shots, k);
        if (status == PL_OK) status = fit(b, item, shots);
        if (item->encoded.skipped) status = PL_E_INPUT;
    }
    b->input = NULL;
    if (status == PL_OK) out->n_content_free = n;
    return status == PL_E_INPUT ? PL_OK : status;
}

/* The pool in the order in which the unit's draw takes shots from it. */
static pl_status shot_order(size_t *out, const pl_plan_task *task, const pl_plan_unit *unit, uint64_t seed)
{
    size_t n = task->task->fewshot->n;
    for (size_t i = 0; task->task->first_shots && i < n; i++) out[i] = i;
    if (task->task->first_shots) return PL_OK;
    return pl_draw_permutation(out, unit->arm->balance ? task->classes : NULL, n, seed, unit->draw);
}

static int by_index(const void *a, const void *b)
{
    const size_t x = ((const pl__item *)a)->index, y = ((const pl__item *)b)->index;
    return (x > y) - (x < y);
}

/* The first of the drawn items that were kept have states: they stand first, ascending, then the others. */
static void sort_rows(pl__items *out, size_t n_captured)
{
    const size_t n = n_captured < out->n ? n_captured : out->n;
    qsort(out->items, n, sizeof *out->items, by_index);
    qsort(out->items + n, out->n - n, sizeof *out->items, by_index);
}

pl_status pl__items_build(pl__items *out, const pl_plan *plan, const pl_plan_unit *unit, pl_arena *arena)
{
    const pl_plan_task *task = &plan->tasks[unit->task];
    *out = (pl__items){.arena = arena};
    builder b = {0};
    size_t *permutation = NULL, *shots = NULL, *order = NULL;
    uint64_t seed = pl_draw_seed(plan->spec->seed, task->task->name);
    pl_status status;
    PL_GOTO(status, done, open_builder(&b, plan, unit, arena));
    PL_GOTO(status, done, pl_arena_new(arena, &out->items, task->n_items));
    PL_GOTO(status, done, pl_new(&shots, unit->k));
    PL_GOTO(status, done, pl_new(&order, task->n_items));
    PL_GOTO(status, done,
            pl_draw_captured(order, task->items, task->n_items, plan->spec->capture_items, plan->spec->seed));
    if (unit->k > 0) {
        PL_GOTO(status, done, pl_new(&permutation, task->task->fewshot->n));
        PL_GOTO(status, done, shot_order(permutation, task, unit, seed));
    }
    for (size_t i = 0; i < task->n_items; i++) {
        pl__item *item = &out->items[out->n];
        *item = (pl__item){.index = order[i]};
        size_t set_aside = 0;
        if (unit->k > 0)
            PL_GOTO(status, done, pl_shots_choose(shots, &set_aside, task, unit, seed, permutation, item->index));
        PL_GOTO(status, done, build(&b, item, shots, unit->k));
        PL_GOTO(status, done, fit(&b, item, shots));
        if (item->encoded.skipped)
            out->n_skipped++;
        else {
            out->n++;
            out->n_set_aside += set_aside > 0;
        }
    }
    PL_GOTO(status, done, refuse_many_skipped(out, &b));
    sort_rows(out, plan->spec->capture_items);
    if (pl_plan_calibrates(plan, unit)) status = build_content_free(out, &b, permutation, shots, seed);
done:
    pl_chat_front_free(b.front);
    pl_ids_free(&b.suffix);
    free(order);
    free(shots);
    free(permutation);
    return status;
}

int64_t pl__label_index(const pl_prompt *prompt)
{
    return prompt->n_choices && prompt->gold != SIZE_MAX && prompt->n_right < 2 ? (int64_t)prompt->gold : -1;
}

void pl__items_count_not_finite(pl__items *items, size_t i)
{
    if (items->n_not_finite++ == 0) items->first_not_finite = items->items[i].index;
}

/* With choices: the label that the answer names. */
static pl_status read_label(pl__item *item)
{
    const pl_prompt *p = &item->prompt;
    size_t found = SIZE_MAX;
    PL_TRY(
        pl_answer_label(&item->outcome, &found, item->filtered, strlen(item->filtered), p->choice_texts, p->n_choices));
    item->label = p->choice_texts[p->gold];
    item->answer_match = item->outcome == PL_OUTCOME_LABEL && pl_prompt_is_right(p, found);
    if (item->outcome != PL_OUTCOME_LABEL) return PL_OK;
    item->prediction_index = (int64_t)found;
    item->prediction = p->choice_texts[found];
    return PL_OK;
}

/* Without: the answer itself is the prediction, and the target when one of the two readings takes it for that. */
static pl_status read_text(pl__item *item)
{
    const pl_prompt *p = &item->prompt;
    const char *text = item->filtered;
    size_t ignored;
    PL_TRY(pl_answer_label(&item->outcome, &ignored, text, strlen(text), NULL, 0));
    PL_TRY(pl_answer_match(&item->answer_match, text, strlen(text), p->target));
    for (size_t i = 1; i < p->n_targets && !item->answer_match; i++)
        PL_TRY(pl_answer_match(&item->answer_match, text, strlen(text), p->targets[i]));
    item->label = p->target;
    bool is_target = item->answer_match || item->exact_match;
    item->prediction = is_target ? p->target : item->outcome == PL_OUTCOME_NONE ? NULL : text;
    if (is_target) item->outcome = PL_OUTCOME_LABEL;
    return PL_OK;
}

static pl_status filter_answer(pl__item *item, const pl_task *task, pl_arena *arena)
{
    pl_bytes text = {0};
    char *copy = NULL;
    pl_status status = pl_filter_apply(task->filter, &text, item->response, strlen(item->response));
    if (status == PL_OK) status = pl_arena_text(arena, &copy, text.data, text.size);
    item->filtered = copy;
    pl_bytes_free(&text);
    return status;
}

pl_status pl__items_answer(pl__items *items, const pl_task *task, const pl_generation *generations)
{
    for (size_t i = 0; i < items->n; i++) {
        pl__item *item = &items->items[i];
        const pl_generation *g = &generations[i];
        char *text;
        PL_TRY(pl_arena_text(items->arena, &text, g->text ? g->text : "", g->size));
        item->response = text;
        item->finite = g->finite;
        item->label_index = pl__label_index(&item->prompt);
        item->prediction_index = -1;
        PL_TRY(filter_answer(item, task, items->arena));
        if (!item->finite) {
            pl__items_count_not_finite(items, i);
            item->outcome = PL_OUTCOME_NOT_FINITE;
            item->label = item->prompt.target;
            continue;
        }
        size_t filtered = strlen(item->filtered), n_targets = item->prompt.n_targets;
        PL_TRY(pl_exact_match_is(task->exact_match, &item->exact_match, item->filtered, filtered, item->prompt.target));
        for (size_t k = 1; k < n_targets && !item->exact_match; k++) /* several right answers: any of them */
            PL_TRY(pl_exact_match_is(task->exact_match, &item->exact_match, item->filtered, filtered,
                                     item->prompt.targets[k]));
        for (size_t k = 1; k < item->prompt.n_right && !item->exact_match; k++)
            PL_TRY(pl_exact_match_is(task->exact_match, &item->exact_match, item->filtered, filtered,
                                     item->prompt.choice_texts[item->prompt.right[k]]));
        PL_TRY(item->prompt.n_choices > 0 ? read_label(item) : read_text(item));
        /* The task's own metric: lm-evaluation-harness scores labels by log-likelihood, so reading one is ours. */
        item->correct = task->output_type == PL_OUTPUT_MULTIPLE_CHOICE ? item->answer_match : item->exact_match;
        item->correct_norm = item->correct;
    }
    return PL_OK;
}
