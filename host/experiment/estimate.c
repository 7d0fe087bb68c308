#include "experiment/estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interned.h"
#include "experiment/chat.h"
#include "experiment/item.h"
#include "experiment/plan_parts.h"

/* Items that are looked at, of each cell. */
enum { SAMPLE = 8 };

/* Bytes of a unit file beside its arrays, as measured: groups and attributes; a matrix of states; a row of /obs; the
 * collections in which HDF5 keeps texts, and what it adds to each text. */
enum { FILE_BYTES = 28300, MATRIX_BYTES = 850, ROW_BYTES = 405, HEAP_BYTES = 4096, HEAP_HEADER = 32, TEXT_BYTES = 20 };

/* Means over the sampled items of a cell. */
typedef struct sample {
    bool known;
    bool applied;   /* a linear readout was applied to its states */
    double shared;  /* tokens of the prefix that items share */
    double own;     /* tokens of an item behind it, choices included */
    double length;  /* tokens of a whole prompt */
    double scored;  /* tokens whose log-probability is taken */
    double choices; /* of an item */
    double text;    /* bytes of the row of samples, answers left out */
    /* Content-free inputs: how many, their tokens behind what items share, and those of a choice behind all of them. */
    size_t n_free;
    double free_own, free_choice;
} sample;

/* Bytes of a text inside JSON. */
static size_t json_bytes(const char *text, size_t size)
{
    size_t n = size + 2;
    for (size_t i = 0; i < size; i++) n += text[i] == '\n' || text[i] == '"' || text[i] == '\\';
    return n;
}

static pl_status sample_text(size_t *out, const pl__item *item, const pl_task *t)
{
    enum { FRAME = 75, NUMBERS = 75 }; /* keys and brackets; what stands beside a choice */
    pl_row row;
    PL_TRY(pl_row_open(&row, t->test, item->index));
    char *doc = json_dumps(row.item, JSON_COMPACT);
    pl_row_close(&row);
    if (!doc) return pl_fail(PL_E_MEMORY, "out of memory while estimating");
    size_t context = json_bytes(item->prompt.context, item->prompt.context_size);
    *out = FRAME + strlen(doc) + (item->encoded.n_choices ? 0 : context + NUMBERS);
    for (size_t c = 0; c < item->encoded.n_choices; c++) *out += context + strlen(item->prompt.choices[c]) + NUMBERS;
    free(doc);
    return PL_OK;
}

/* Of all choices; the last token of each needs no position. */
static double choice_tokens(const pl_request *r)
{
    size_t sum = 0;
    for (size_t c = 0; c < r->n_choices; c++) {
        size_t n = r->choices[c].n - r->choices[c].first;
        sum += n > 1 ? n - 1 : 0;
    }
    return (double)sum;
}

static void add_content_free(sample *s, const pl__items *items)
{
    s->n_free = items->n_content_free;
    for (size_t i = 0; i < items->n_content_free; i++) {
        const pl_request *r = &items->content_free[i].encoded.request;
        s->free_own += (double)(r->n - r->own_first);
        s->free_choice += r->n_choices ? choice_tokens(r) / (double)r->n_choices : 0;
    }
}

static pl_status add_item(sample *s, const pl__item *item, const pl_task *t)
{
    const pl_request *r = &item->encoded.request;
    size_t text = 0;
    PL_TRY(sample_text(&text, item, t));
    s->shared += (double)r->own_first;
    s->own += (double)(r->n - r->own_first);
    s->own += r->n_suffixed ? (double)(r->n_suffixed - r->n) : 0;
    s->own += choice_tokens(r);
    s->length += (double)r->n;
    s->choices += (double)item->encoded.n_choices;
    s->text += (double)text;
    for (size_t c = 0; c < r->n_choices; c++) s->scored += (double)(r->choices[c].n - r->choices[c].first);
    return PL_OK;
}

/* A few items of the unit's cell, evenly spread over the evaluated ones. Prompts that are too long are cut here,
 * whatever the policy: running the unit says it. */
static pl_status take_sample(sample *s, const pl_plan *plan, const pl_plan_unit *unit)
{
    size_t chosen[SAMPLE];
    pl_plan part = *plan;
    pl_spec spec = *plan->spec;
    pl_plan_task task = plan->tasks[unit->task];
    pl_plan_unit one = *unit;
    pl__items items;
    pl_arena *arena;
    size_t n = task.n_items < SAMPLE ? task.n_items : SAMPLE;
    for (size_t i = 0; i < n; i++) chosen[i] = task.items[i * task.n_items / n];
    task.items = chosen;
    task.n_items = n;
    spec.truncation = PL_TRUNCATION_TRUNCATE_LEFT;
    part.spec = &spec;
    part.tasks = &task;
    one.task = 0;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = pl__items_build(&items, &part, &one, arena);
    *s = (sample){.known = true};
    for (size_t i = 0; status == PL_OK && i < items.n; i++) status = add_item(s, &items.items[i], task.task);
    double *const sums[] = {&s->shared, &s->own, &s->length, &s->scored, &s->choices, &s->text};
    if (status == PL_OK) add_content_free(s, &items);
    for (size_t i = 0; status == PL_OK && i < sizeof sums / sizeof *sums; i++) *sums[i] /= (double)items.n;
    pl_arena_free(arena);
    return status;
}

/* Operations of one token in all blocks, at a context of so many tokens. */
static double token_operations(const pl_config *c, double context)
{
    double C = (double)c->C, F = (double)c->F, D = (double)c->D, H = (double)c->H, G = (double)c->G;
    double gates = c->activation == PL_ACT_SILU ? 3 : 2;
    return (double)c->L * 2 * (2 * C * H * D + 2 * C * G * D + gates * C * F + 2 * H * D * context / 2);
}

/* Texts of so many bytes each, as HDF5 keeps them. */
static double heap_bytes(double rows, double bytes)
{
    double room = HEAP_BYTES - HEAP_HEADER, one = bytes + TEXT_BYTES;
    return one > room ? rows * one : rows * HEAP_BYTES / (double)(size_t)(room / one);
}

static double states_bytes(const pl_plan *plan, const pl_plan_unit *unit, const sample *s, double rows, double tokens)
{
    const pl_plan_model *m = &plan->models[unit->model];
    double width = 0, bytes = 0; /* of a row, over all layers */
    if (!unit->captures) return 0;
    for (size_t l = 0; l < m->n_layers; l++)
        width += (double)pl_config_state_width(&m->checkpoint->config, m->layers[l]) *
                 (plan->spec->storage == PL_F32 ? 4 : 2);
    for (size_t p = 0; p < PL_POSITIONS; p++) {
        if (!(plan->spec->positions & pl_positions[p].bit)) continue;
        /* A generated answer has no label; `all` keeps each token of the prompts once. */
        if (pl_positions[p].bit == PL_POSITION_LABEL && s->choices < 1) continue;
        double n = pl_positions[p].bit == PL_POSITION_ALL ? tokens : rows;
        bytes += n * width + (double)m->n_layers * MATRIX_BYTES;
    }
    return bytes;
}

static double loglik_bytes(const pl_plan *plan, const pl_plan_unit *unit, const sample *s, double rows)
{
    double E = (double)plan->models[unit->model].checkpoint->config.E;
    double bytes = rows * (8 + s->choices * 24 + s->scored * 9);
    return plan->tasks[unit->task].fixed_labels ? bytes + s->choices * (E * 4 + 16) : bytes;
}

/* Different choices of all evaluated items: content-free inputs are scored with each. */
static pl_status count_options(size_t *out, const pl_plan_task *task)
{
    enum { AN_ARENA = 1000 }; /* items whose choices are held at once, beside the different ones */
    pl_arena *scratch = NULL, *different;
    const char **choices, *ignored;
    size_t n, n_items = task->fixed_labels ? 1 : task->n_items;
    pl_status status;
    PL_TRY(pl_arena_create(&different));
    pl_interned texts = {.arena = different};
    for (size_t i = 0; i < n_items; i++) {
        if (i % AN_ARENA == 0) {
            pl_arena_free(scratch);
            scratch = NULL;
            PL_GOTO(status, done, pl_arena_create(&scratch));
        }
        PL_GOTO(status, done, pl__plan_choices(&choices, &n, task, i, scratch));
        for (size_t c = 0; c < n; c++) PL_GOTO(status, done, pl_intern(&texts, &ignored, choices[c]));
    }
    status = PL_OK;
    *out = texts.n;
done:
    pl_arena_free(scratch);
    pl_interned_free(&texts);
    pl_arena_free(different);
    return status;
}

/* n_options: of count_options, where content-free inputs are scored. */
static void estimate(pl_estimate *e, const pl_plan *plan, const pl_plan_unit *unit, const sample *s, size_t n_options)
{
    enum { TOKEN_TEXT = 4 }; /* bytes of a generated token, stored raw and filtered */
    const pl_config *c = &plan->models[unit->model].checkpoint->config;
    const pl_plan_task *task = &plan->tasks[unit->task];
    bool generates = unit->readout == PL_READOUT_GENERATE;
    double rows = (double)task->n_items, generated = generates ? (double)task->task->max_gen_toks : 0;
    double content_free = s->free_own + (double)n_options * s->free_choice; /* tokens; logits are made for each */
    double prompts = s->shared + rows * s->own + content_free,
           heads = rows * (generates ? generated : s->scored) + content_free;
    *e = (pl_estimate){.n_units = 1, .n_prompts = task->n_items};
    e->tokens = prompts + rows * generated;
    e->operations = prompts * token_operations(c, s->length) + rows * generated * token_operations(c, 2 * s->length) +
                    heads * 2 * (double)c->E * (double)c->V;
    e->disk_bytes = FILE_BYTES + rows * ROW_BYTES + states_bytes(plan, unit, s, rows, prompts) +
                    heap_bytes(rows, s->text + (generates ? 2 * TOKEN_TEXT * generated : 0));
    if (!generates) e->disk_bytes += loglik_bytes(plan, unit, s, rows);
    if (unit->captures) e->disk_bytes += rows * (8 + 4 * s->own); /* its tokens */
    e->disk_bytes += (double)s->n_free * 8 * s->choices * (task->fixed_labels ? 1 : rows);
}

/* Units of the same model, task, template, k, chat and readout cost the same, whatever their draw, and so do those of
 * adapted models, which no content-free inputs are put to: looked up here. */
static size_t cell_of(const pl_plan *plan, const pl_plan_unit *unit, size_t template_index, size_t k_index,
                      size_t n_templates, size_t n_k)
{
    size_t cell = ((unit->model * plan->n_tasks + unit->task) * n_templates + template_index) * n_k + k_index;
    cell = cell * (plan->spec->n_chats + 1) + pl_unit_chat_index(plan, unit);
    return (cell * PL_READOUTS + unit->readout) * 2 + (unit->adaptation != NULL);
}

static size_t index_of_template(const pl_plan_task *task, const pl_template *template)
{
    size_t i = 0;
    while (task->templates[i] != template) i++;
    return i;
}

/* The index of k among ks, added when it is new. */
static size_t index_of_k(size_t *ks, size_t *n, size_t k)
{
    size_t i = 0;
    while (i < *n && ks[i] != k) i++;
    if (i == *n) ks[(*n)++] = k;
    return i;
}

/* What a unit that learns costs: its examples have the length of a few evaluated items under its first template. */
static pl_status estimate_learning(pl_estimate *e, const pl_plan *plan, const pl_plan_unit *unit)
{
    enum { BACKWARD = 3 }; /* a step costs three forward passes */
    const pl_checkpoint *checkpoint = plan->models[unit->model].checkpoint;
    const pl_config *c = &checkpoint->config;
    const pl_adaptation *a = unit->adaptation;
    const pl_train_settings *r = &a->arm->recipe.settings;
    bool tunes = a->arm->kind == PL_ARM_FINETUNE;
    pl_plan_unit like = *unit;
    sample s;
    like.adaptation = NULL;
    like.learns = false;
    PL_TRY(take_sample(&s, plan, &like));
    double n_dev = tunes ? (double)(a->n_train / 4) : 0, n = (double)a->n_train - n_dev, epochs = r->num_train_epochs;
    double evaluations =
        r->eval_steps ? ceil(epochs * n / (double)r->train_batch_size / (double)r->eval_steps) : epochs;
    double rows = tunes ? BACKWARD * n * epochs : n;
    if (tunes) rows += n_dev * (double)a->n_dev_templates * evaluations;
    if (tunes) rows *= (double)a->arm->recipe.n_rates;
    *e = (pl_estimate){.n_units = 1, .n_prompts = a->n_train};
    e->tokens = rows * s.length;
    e->operations = e->tokens * token_operations(c, s.length) + rows * s.scored * 2 * (double)c->E * (double)c->V;
    e->disk_bytes = FILE_BYTES + (double)a->n_train * ROW_BYTES;
    double weights = tunes ? (double)checkpoint->n_parameters * sizeof(float) : 0;
    if (tunes && a->arm->recipe.save)
        e->disk_bytes += weights;
    else
        e->open_bytes = weights;
    return PL_OK;
}

pl_status pl_estimate_units(pl_estimate *estimates, const pl_plan *plan)
{
    size_t n_templates = 0, n_k = 0, n_shots = 0;
    size_t *ks = NULL, *n_options = NULL;
    sample *samples = NULL;
    pl_status status;
    for (size_t t = 0; t < plan->n_tasks; t++)
        if (plan->tasks[t].n_templates > n_templates) n_templates = plan->tasks[t].n_templates;
    for (size_t a = 0; a < plan->spec->n_arms; a++) /* an arm without shots takes each task's own */
        n_shots += plan->spec->arms[a].n_shots ? plan->spec->arms[a].n_shots : plan->n_tasks;
    PL_GOTO(status, done, pl_new(&ks, n_shots));
    PL_GOTO(status, done, pl_new(&n_options, plan->n_tasks));
    PL_GOTO(status, done,
            pl_new(&samples, plan->n_models * plan->n_tasks * n_templates * n_shots * (plan->spec->n_chats + 1) *
                                 (size_t)PL_READOUTS * 2));
    for (size_t u = 0; u < plan->n_units; u++) {
        const pl_plan_unit *unit = &plan->units[u];
        if (unit->learns) {
            PL_GOTO(status, done, estimate_learning(&estimates[u], plan, unit));
            continue;
        }
        size_t t = index_of_template(&plan->tasks[unit->task], unit->template), k = index_of_k(ks, &n_k, unit->k);
        sample *s = &samples[cell_of(plan, unit, t, k, n_templates, n_shots)];
        if (!s->known) PL_GOTO(status, done, take_sample(s, plan, unit));
        size_t *options = &n_options[unit->task];
        if (s->n_free && !*options) PL_GOTO(status, done, count_options(options, &plan->tasks[unit->task]));
        estimate(&estimates[u], plan, unit, s, *options);
        if (unit->arm->kind != PL_ARM_LINEAR) continue;
        if (s->applied) estimates[u].tokens = estimates[u].operations = 0; /* another draw has its states */
        s->applied = true;
    }
done:
    free(samples);
    free(n_options);
    free(ks);
    return status;
}

void pl_estimate_add(pl_estimate *sum, const pl_estimate *one)
{
    sum->n_units += one->n_units;
    sum->n_prompts += one->n_prompts;
    sum->tokens += one->tokens;
    sum->operations += one->operations;
    sum->disk_bytes += one->disk_bytes;
    if (one->open_bytes > sum->open_bytes) sum->open_bytes = one->open_bytes;
}

double pl_estimate_seconds(const pl_estimate *e, double per_second)
{
    /* What a whole pass makes of the products' rate, and what a unit takes besides (its prompts, its file). */
    static const double EFFICIENCY = 0.6, UNIT_S = 0.02;
    return (per_second > 0 ? e->operations / (per_second * EFFICIENCY) : 0) + (double)e->n_units * UNIT_S;
}

/* ---- what the device does in a second ---- */

static pl_status time_products(double *per_second, const pl_processor *p, pl_stream *stream, const pl_linear_args *args,
                               double operations)
{
    /* The best of several: on a busy machine a short product is mostly waiting. */
    enum { TRIES = 5 };
    static const double TRYING_S = 0.1;
    double best = 0, begin = pl_clock_s(), start = begin;
    for (int i = 0; i < TRIES || start - begin < TRYING_S; i++) {
        start = pl_clock_s();
        PL_TRY(pl_op_linear(p, stream, args));
        PL_TRY(p->ops->stream_wait(stream));
        double seconds = pl_clock_s() - start;
        if (i > 0 && (best == 0 || seconds < best)) best = seconds; /* the first one warms up */
    }
    *per_second = best > 0 ? operations / best : 0;
    return PL_OK;
}

pl_status pl_estimate_rate(double *per_second, const pl_processor *p, const pl_plan_model *model)
{
    enum { ROWS = 512 };
    const pl_config *c = &model->checkpoint->config;
    pl_dtype type = pl_activation_type(p->ops, model->spec->compute);
    int32_t counts[PL_COUNTS] = {[PL_COUNT_TOKENS] = ROWS};
    pl_linear_args args = {.count = PL_COUNT_TOKENS};
    pl_stream *stream = NULL;
    pl_weight *weight = NULL;
    pl_status status;
    PL_GOTO(status, done, p->ops->stream_create(p->device, &stream));
    PL_GOTO(status, done, p->ops->weight_create(p->device, &weight, c->F, c->C, model->spec->compute));
    PL_GOTO(status, done, pl_view_create(p, &args.counts, 1, PL_COUNTS, PL_I32));
    PL_GOTO(status, done, pl_view_create(p, &args.x, ROWS, c->C, type));
    PL_GOTO(status, done, pl_view_create(p, &args.y, ROWS, c->F, type));
    PL_GOTO(status, done, pl_upload(p, stream, args.counts, counts));
    args.weight = weight;
    status = time_products(per_second, p, stream, &args, 2.0 * ROWS * (double)c->F * (double)c->C);
done:
    pl_view_free(p, &args.y);
    pl_view_free(p, &args.x);
    pl_view_free(p, &args.counts);
    if (weight) p->ops->weight_free(weight);
    if (stream) p->ops->stream_free(stream);
    return status;
}
