#include "train/batch.h"

#include <stdlib.h>
#include <string.h>

/* ---- Sizes ----------------------------------------------------------------------------------------------------- */

static size_t parts(size_t n, size_t part)
{
    return (n + part - 1) / part;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

double pl__loss_weight(const pl_train_example *example, size_t i)
{
    if (i < example->first) return 0;
    return example->loss_weights ? (double)example->loss_weights[i] : 1;
}

double pl__loss_weight_sum(const pl_train_example *example)
{
    double sum = 0;
    for (size_t i = example->first; i < example->n; i++) sum += pl__loss_weight(example, i);
    return sum;
}

size_t pl__loss_tokens(const pl_train_example *example)
{
    size_t n = 0;
    for (size_t i = example->first; i < example->n; i++) n += pl__loss_weight(example, i) > 0;
    return n;
}

pl__capacity pl__capacity_of(const pl_train_example *examples, const size_t *members, size_t n)
{
    pl__capacity c = {.sequences = n};
    for (size_t i = 0; i < n; i++) {
        const pl_train_example *e = &examples[members[i]];
        const size_t rows = e->n - 1;
        c.tokens += rows;
        c.rows += pl__loss_tokens(e);
        c.runs += parts(rows, PL_RUN_ROWS);
        c.pages += parts(rows, PL_PAGE);
        c.path_pages = larger(c.path_pages, parts(rows, PL_PAGE));
    }
    return c;
}

pl__capacity pl__capacity_largest(pl__capacity a, pl__capacity b)
{
    return (pl__capacity){larger(a.tokens, b.tokens),         larger(a.rows, b.rows),
                          larger(a.sequences, b.sequences),   larger(a.runs, b.runs),
                          larger(a.path_pages, b.path_pages), larger(a.pages, b.pages)};
}

void pl__lane_part(size_t *first, size_t *n, size_t size, size_t lanes, size_t lane)
{
    *first = size * lane / lanes;
    *n = size * (lane + 1) / lanes - *first;
}

size_t pl__micro_size(const pl_train_settings *settings)
{
    if (settings->micro_batch_size) return settings->micro_batch_size;
    return parts(settings->train_batch_size, settings->lanes);
}

pl_status pl__capacity_run(pl__capacity *out, const pl_train_settings *s, const pl_train_example *examples,
                           size_t n_examples)
{
    const size_t a_epoch = pl_train_steps_per_epoch(s, n_examples), total = pl_train_total_steps(s, n_examples);
    size_t *order;
    *out = (pl__capacity){0};
    PL_TRY(pl_new(&order, n_examples));
    for (size_t step = 0; step < total; step++) {
        if (step % a_epoch == 0) pl_train_order(order, n_examples, s->order_seed, step / a_epoch);
        const size_t begin = step % a_epoch * s->train_batch_size, left = n_examples - begin;
        const size_t size = left < s->train_batch_size ? left : s->train_batch_size;
        for (size_t lane = 0; lane < s->lanes; lane++) {
            size_t first, n, micro = pl__micro_size(s);
            pl__lane_part(&first, &n, size, s->lanes, lane);
            for (size_t at = 0; at < n; at += micro)
                *out = pl__capacity_largest(
                    *out, pl__capacity_of(examples, order + begin + first + at, n - at < micro ? n - at : micro));
        }
    }
    free(order);
    return PL_OK;
}

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

/* Where each list of integers lies in the one buffer. */
typedef struct places {
    size_t counts, tokens, positions, turns, paths, examples, order, starts, position_order, position_starts, head_rows,
        targets, sequences, n_sequences, page_table, runs, end;
} places;

static size_t take(size_t *end, size_t n)
{
    enum { ALIGNED = 16 };
    const size_t at = *end;
    *end += parts(n, ALIGNED) * ALIGNED;
    return at;
}

static places places_of(const pl__capacity *c)
{
    places p = {0};
    p.counts = take(&p.end, PL_COUNTS);
    size_t *const by_token[] = {&p.tokens, &p.positions, &p.turns, &p.paths, &p.examples, &p.order, &p.position_order};
    for (size_t i = 0; i < sizeof by_token / sizeof *by_token; i++) *by_token[i] = take(&p.end, c->tokens);
    p.starts = take(&p.end, c->tokens + 1);
    p.position_starts = take(&p.end, c->tokens + 1);
    p.head_rows = take(&p.end, c->rows);
    p.targets = take(&p.end, c->rows);
    p.sequences = take(&p.end, 2 * c->sequences);
    p.n_sequences = take(&p.end, 1);
    p.page_table = take(&p.end, c->sequences * c->path_pages);
    p.runs = take(&p.end, 2 * c->runs);
    return p;
}

size_t pl__batch_bytes(const pl_processor *processor, const pl_config *config, pl_dtype compute, pl__capacity c)
{
    const pl_dtype dtype = pl_activation_type(processor->ops, compute);
    return 2 * places_of(&c).end * sizeof(int32_t) + 4 * c.rows * sizeof(float) + c.tokens * sizeof(uint64_t) +
           c.pages * processor->ops->kv_page_bytes(1, config->G, config->D, dtype);
}

pl_status pl__batch_create(pl__batch *b, const pl_processor *processor, const pl_config *config, pl_dtype compute,
                           pl__capacity capacity)
{
    *b = (pl__batch){.processor = *processor, .border = config->border, .capacity = capacity};
    const size_t n = places_of(&capacity).end;
    pl_status status;
    PL_GOTO(status, fail, pl_view_create(processor, &b->i32, 1, n, PL_I32));
    PL_GOTO(status, fail, pl_view_create(processor, &b->f32, 1, capacity.rows, PL_F32));
    PL_GOTO(status, fail, pl_view_create(processor, &b->log_probability, 1, capacity.rows, PL_F32));
    PL_GOTO(status, fail, pl_new(&b->integers, n));
    PL_GOTO(status, fail, pl_new(&b->weights, capacity.rows));
    PL_GOTO(status, fail, pl_new(&b->log_probabilities, capacity.rows));
    PL_GOTO(status, fail, pl_new(&b->keys, capacity.tokens));
    PL_GOTO(status, fail,
            processor->ops->kv_create(processor->device, &b->kv, 1, config->G, config->D, capacity.pages,
                                      pl_activation_type(processor->ops, compute)));
    return PL_OK;
fail:
    pl__batch_free(b);
    return status;
}

void pl__batch_free(pl__batch *b)
{
    if (!b->processor.ops) return;
    if (b->kv) b->processor.ops->kv_free(b->kv);
    pl_view_free(&b->processor, &b->i32);
    pl_view_free(&b->processor, &b->f32);
    pl_view_free(&b->processor, &b->log_probability);
    free(b->integers);
    free(b->weights);
    free(b->log_probabilities);
    free(b->keys);
    *b = (pl__batch){0};
}

/* ---- Packing --------------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The next of sizes whose steps are an eighth of the power of two below (tokens), or powers of two (all else), and no
 * more than `most`: so that micro-batches of nearly one size share a recording. */
static size_t bucket(size_t n, size_t steps, size_t most)
{
    size_t power = 1;
    while (2 * power <= n) power *= 2;
    const size_t step = larger(power / steps, 1), size = parts(n, step) * step;
    return size < most ? size : most;
}

/* Counts are capacities where the device runs each step directly. */
static pl__capacity bucket_of(const pl__batch *b, const pl__capacity *c)
{
    const pl__capacity *most = &b->capacity;
    if (!b->processor.ops->record_begin) return *c;
    return (pl__capacity){.tokens = bucket(c->tokens, 8, most->tokens),
                          .rows = bucket(c->rows, 1, most->rows),
                          .sequences = bucket(c->sequences, 1, most->sequences),
                          .runs = bucket(c->runs, 1, most->runs),
                          .path_pages = c->path_pages,
                          .pages = c->pages};
}

/* Rows by value, equal ones in batch order, and where each value's rows begin; `starts` is filled up to `most`. */
static void segment(int32_t *order, int32_t *starts, uint64_t *keys, const int32_t *values, size_t n, size_t most)
{
    for (size_t i = 0; i < n; i++) keys[i] = (uint64_t)(uint32_t)values[i] << 32 | i;
    if (n) qsort(keys, n, sizeof *keys, by_key);
    size_t segments = 0;
    for (size_t i = 0; i < n; i++) {
        order[i] = (int32_t)(uint32_t)keys[i];
        if (i == 0 || keys[i] >> 32 != keys[i - 1] >> 32) starts[segments++] = (int32_t)i;
    }
    for (; segments <= most; segments++) starts[segments] = (int32_t)n;
}

/* How far the packing has come. */
typedef struct cursor {
    size_t row, target, run, page;
} cursor;

static void pack_example(pl__batch *b, const places *p, cursor *at, const pl_train_example *e, size_t sequence,
                         size_t number, double weight)
{
    int32_t *to = b->integers;
    const size_t n = e->n - 1, first_row = at->row, width = b->capacity.path_pages;
    const bool far = pl_is_far(b->border, n);
    to[p->sequences + 2 * sequence] = (int32_t)first_row;
    to[p->sequences + 2 * sequence + 1] = (int32_t)n;
    for (size_t i = 0; i < n; i++, at->row++) {
        to[p->tokens + at->row] = e->ids[i];
        to[p->positions + at->row] = (int32_t)i;
        to[p->turns + at->row] = (int32_t)pl_turn_row(b->border, far, i);
        to[p->paths + at->row] = (int32_t)sequence;
        to[p->examples + at->row] = (int32_t)number;
        const double token = pl__loss_weight(e, i + 1);
        if (!(token > 0)) continue;
        to[p->head_rows + at->target] = (int32_t)at->row;
        to[p->targets + at->target] = e->ids[i + 1];
        b->weights[at->target++] = (float)(weight * token);
    }
    for (size_t i = 0; i < width; i++) to[p->page_table + sequence * width + i] = 0;
    for (size_t i = 0; i < parts(n, PL_PAGE); i++) to[p->page_table + sequence * width + i] = (int32_t)at->page++;
    for (size_t i = 0; i < n; i += PL_RUN_ROWS, at->run++) {
        to[p->runs + 2 * at->run] = (int32_t)(first_row + i);
        to[p->runs + 2 * at->run + 1] = (int32_t)(n - i < PL_RUN_ROWS ? n - i : PL_RUN_ROWS);
    }
}

static pl_view part_of(const pl__batch *b, size_t at, size_t rows, size_t columns)
{
    return (pl_view){.buffer = b->i32.buffer,
                     .offset = b->i32.offset + at,
                     .rows = rows,
                     .columns = columns,
                     .stride = columns,
                     .dtype = PL_I32};
}

/* The views of what was packed, of these capacities. */
static void cut_views(pl__batch *b, const places *p, const pl__capacity *c)
{
    pl_view weights = b->f32, log_probability = b->log_probability;
    weights.columns = log_probability.columns = c->rows;
    b->pass.batch = (pl_batch){
        .counts = part_of(b, p->counts, 1, PL_COUNTS),
        .tokens = part_of(b, p->tokens, 1, c->tokens),
        .positions = part_of(b, p->positions, 1, c->tokens),
        .turns = b->border ? part_of(b, p->turns, 1, c->tokens) : (pl_view){0},
        .paths = part_of(b, p->paths, 1, c->tokens),
        .page_table = part_of(b, p->page_table, c->sequences, b->capacity.path_pages),
        .runs = part_of(b, p->runs, c->runs, 2),
    };
    b->pass.kv = b->kv;
    b->pass.head_rows = part_of(b, p->head_rows, 1, c->rows);
    b->pass.target_tokens = part_of(b, p->targets, 1, c->rows);
    b->pass.log_probability = log_probability;
    b->training.n_sequences = part_of(b, p->n_sequences, 1, 1);
    b->training.sequences = part_of(b, p->sequences, c->sequences, 2);
    b->training.order = part_of(b, p->order, 1, c->tokens);
    b->training.starts = part_of(b, p->starts, 1, c->tokens + 1);
    b->training.examples = part_of(b, p->examples, 1, c->tokens);
    b->training.loss_weights = weights;
    b->training.position_order = part_of(b, p->position_order, 1, c->tokens);
    b->training.position_starts = part_of(b, p->position_starts, 1, c->tokens + 1);
}

pl_status pl__batch_put(pl__batch *b, pl_stream *stream, const pl_train_example *examples, const size_t *members,
                        const double *weight, size_t n)
{
    const pl__capacity c = pl__capacity_of(examples, members, n);
    const places p = places_of(&b->capacity);
    const pl__capacity most = pl__capacity_largest(c, b->capacity);
    if (memcmp(&most, &b->capacity, sizeof most) != 0)
        return pl_fail(PL_E_INTERNAL, "train: a micro-batch of %zu tokens in memory for %zu", c.tokens,
                       b->capacity.tokens);
    cursor at = {0};
    for (size_t i = 0; i < n; i++) pack_example(b, &p, &at, &examples[members[i]], i, members[i], weight[i]);
    int32_t *to = b->integers;
    const pl__capacity room = bucket_of(b, &c);
    segment(to + p.order, to + p.starts, b->keys, to + p.tokens, c.tokens, room.tokens);
    segment(to + p.position_order, to + p.position_starts, b->keys, to + p.positions, c.tokens, room.tokens);
    to[p.n_sequences] = (int32_t)n;
    memset(to + p.counts, 0, PL_COUNTS * sizeof *to);
    to[p.counts + PL_COUNT_TOKENS] = (int32_t)c.tokens;
    to[p.counts + PL_COUNT_ROWS] = to[p.counts + PL_COUNT_TARGETS] = (int32_t)c.rows;
    to[p.counts + PL_COUNT_RUNS] = (int32_t)c.runs;
    b->n_rows = c.rows;
    cut_views(b, &p, &room);
    PL_TRY(pl_upload(&b->processor, stream, b->i32, to));
    return pl_upload(&b->processor, stream, b->training.loss_weights, b->weights);
}
