/* Causal grouped-query attention over pages of keys and values.
 *
 * A work item is one key/value head and up to QUERIES queries: consecutive rows of one run times the query heads that
 * share the key/value head. It walks the run's pages from position 0 up. For each page: scores (a chain of fused
 * multiply-adds over d), mask, the running maximum, weights p = exp(s - max), their sum in a fixed tree, and the values
 * added as a chain over the visible keys. What a query gets depends on its own pages and position alone: never on the
 * item it is in, nor on what stands in a page after its position. */
#include <math.h>

#include "device/cpu/alibi.h"
#include "device/cpu/cpu.h"
#include "device/cpu/dropout.h"
#include "device/cpu/product.h"
#include "device/cpu/vmath.h"

enum { QUERIES = PL_RUN_ROWS }; /* a run of a model without grouped heads is one piece */

/* Scratch of one item, on its thread's stack: about 280 KiB. */
typedef struct scratch {
    _Alignas(64) float q[QUERIES * PL__MAX_HEAD_WIDTH];     /* [queries, D], scaled */
    _Alignas(64) float s[QUERIES * PL_PAGE];                /* scores, then weights */
    _Alignas(64) float value[QUERIES * PL__MAX_HEAD_WIDTH]; /* [queries, value_width] */
    float max[QUERIES], sum[QUERIES], slope[QUERIES];
    size_t position[QUERIES], from[QUERIES], to[QUERIES]; /* keys seen of the page at hand */
} scratch;

/* Rows first .. first + n of one run and query heads first_head .. first_head + n_heads, which share head kv_head.
 * Query r * n_heads + h is row r, head h. */
typedef struct piece {
    size_t first, n, first_head, n_heads, kv_head;
} piece;

static void load_queries(scratch *w, const pl_attention_args *a, const piece *p)
{
    size_t D = a->kv->head_width, width = a->kv->value_width;
    const int32_t *positions = pl__i32(a->batch->positions, 0);
    for (size_t i = 0; i < p->n * p->n_heads; i++) {
        size_t row = p->first + i / p->n_heads, head = p->first_head + i % p->n_heads;
        const float *q = pl__f32(a->qkv, row) + head * D;
        for (size_t d = 0; d < D; d++) w->q[i * D + d] = q[d] * a->scale;
        for (size_t d = 0; d < width; d++) w->value[i * width + d] = 0.0f;
        w->max[i] = -INFINITY;
        w->sum[i] = 0.0f;
        w->slope[i] = a->alibi.buffer ? pl__f32(a->alibi, 0)[head] : 0.0f;
        w->position[i] = (size_t)positions[row];
    }
}

static void score_page(scratch *w, const pl_attention_args *a, const float *keys, size_t first, size_t n)
{
    size_t D = a->kv->head_width;
    pl__product product = {.x = w->q + first * D,
                           .x_stride = D,
                           .b = keys,
                           .row_floats = PL_PAGE,
                           .panel_floats = PL__PANEL,
                           .k = D,
                           .c = w->s + first * PL_PAGE,
                           .c_stride = PL_PAGE,
                           .fresh = true};
    PL__WIDE(product)(&product, n, PL_PAGE / PL__PANEL);
}

/* Softcap, ALiBi and the mask on the scores of query i, for keys [from, to) of the page that starts at `start`. */
static void hide(scratch *w, const pl_attention_args *a, size_t i, size_t start, size_t from, size_t to)
{
    float *s = w->s + i * PL_PAGE;
    if (a->softcap > 0.0f) {
        for (size_t j = 0; j < PL_PAGE; j++) s[j] = a->softcap * pl__tanh(s[j] / a->softcap);
    }
    if (a->alibi.buffer) {
        for (size_t j = 0; j < PL_PAGE; j++)
            s[j] += pl__alibi(w->slope[i], a->alibi_scale, (int32_t)(start + j), (int32_t)w->position[i]);
    }
    for (size_t j = 0; j < from; j++) s[j] = -INFINITY;
    for (size_t j = to; j < PL_PAGE; j++) s[j] = -INFINITY;
}

/* Scores of queries first .. first + n become weights exp(s - max), 0 where masked. The running maximum and sum take
 * them in, and the values gathered so far are scaled to a maximum that has grown. */
static void weigh(scratch *w, size_t width, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        float *s = w->s + i * PL_PAGE, old = w->max[i], top = pl__max_page(s), max = top > old ? top : old;
        for (size_t j = 0; j < PL_PAGE; j++) s[j] = pl__exp(s[j] - max);
        if (max > old) {
            float scale = pl__exp(old - max), *value = w->value + i * width;
            for (size_t d = 0; d < width; d++) value[d] *= scale;
            w->sum[i] *= scale;
        }
        w->sum[i] += pl__sum_page(s);
        w->max[i] = max;
    }
}

/* value[first .. first + n] += weights of keys [from, to) times their values. */
static void add_values(scratch *w, const pl_kv *kv, const float *values, size_t first, size_t n, size_t from, size_t to)
{
    size_t width = kv->value_width;
    pl__product product = {.x = w->s + first * PL_PAGE + from,
                           .x_stride = PL_PAGE,
                           .b = values + from * width,
                           .row_floats = width,
                           .panel_floats = PL__PANEL,
                           .k = to - from,
                           .c = w->value + first * width,
                           .c_stride = width};
    PL__WIDE(product)(&product, n, width / PL__PANEL);
}

/* Dropout of the weights of query i, after their sum was taken. */
static void drop(scratch *w, const pl_attention_args *a, const pl__mask *mask, const piece *p, size_t i, size_t start)
{
    const size_t row = p->first + i / p->n_heads, head = p->first_head + i % p->n_heads;
    pl__mask_apply(mask, row, pl__i32(a->batch->positions, 0)[row], head << 20 | start, w->s + i * PL_PAGE, PL_PAGE);
}

/* The page at position `start` for the queries that see any of it. */
static void take_page(scratch *w, const pl_attention_args *a, const pl__mask *mask, const piece *p, const float *keys,
                      size_t start)
{
    size_t first = 0, end = p->n * p->n_heads;
    const float *values = keys + a->kv->head_width * PL_PAGE;
    while (first < end && w->position[first] < start) first++;
    /* Positions go up: queries whose window has left the page stand at the end. */
    while (a->window && end > first && start + PL_PAGE + a->window <= w->position[end - 1] + 1) end--;
    if (first == end) return;
    score_page(w, a, keys, first, end - first);
    for (size_t i = first; i < end; i++) {
        size_t position = w->position[i];
        w->to[i] = position - start + 1 < PL_PAGE ? position - start + 1 : PL_PAGE;
        w->from[i] = a->window && position + 1 > start + a->window ? position + 1 - a->window - start : 0;
        hide(w, a, i, start, w->from[i], w->to[i]);
    }
    weigh(w, a->kv->value_width, first, end - first);
    if (mask) {
        for (size_t i = first; i < end; i++) drop(w, a, mask, p, i, start);
    }
    /* Queries with the same keys are multiplied together: for whole pages that is nearly all of them. A key outside
     * [from, to) is left out, not multiplied by 0: it may hold NaN of an earlier use. */
    for (size_t i = first, n; i < end; i += n) {
        for (n = 1; i + n < end && w->from[i + n] == w->from[i] && w->to[i + n] == w->to[i];) n++;
        add_values(w, a->kv, values, i, n, w->from[i], w->to[i]);
    }
}

static void attend(const pl_attention_args *a, const pl__mask *mask, const piece *p)
{
    scratch w;
    size_t n = p->n * p->n_heads, D = a->kv->head_width;
    load_queries(&w, a, p);
    const int32_t *table = pl__i32(a->batch->page_table, (size_t)pl__i32(a->batch->paths, 0)[p->first]);
    size_t page = 0, last = w.position[n - 1] / PL_PAGE;
    if (a->window && w.position[0] + 1 > a->window) page = (w.position[0] + 1 - a->window) / PL_PAGE;
    for (; page <= last; page++) {
        const float *keys = pl__kv_keys(a->kv, a->layer, p->kv_head, (size_t)table[page]);
        take_page(&w, a, mask, p, keys, page * PL_PAGE);
    }
    for (size_t i = 0; i < n; i++) {
        size_t row = p->first + i / p->n_heads, head = p->first_head + i % p->n_heads;
        float *y = pl__f32(a->y, row) + head * D;
        for (size_t d = 0; d < D; d++) y[d] = w.value[i * a->kv->value_width + d] / w.sum[i];
        if (a->lse.buffer) pl__f32(a->lse, row)[head] = (float)((double)w.max[i] + pl__log((double)w.sum[i]));
    }
}

/* Rows [begin, end) of the batch and one key/value head: cut where a run ends. */
static void attend_rows(const pl_attention_args *a, const pl__mask *mask, size_t n_runs, size_t begin, size_t end,
                        size_t kv_head)
{
    size_t group = a->n_heads / a->kv->n_kv_heads, heads = group < QUERIES ? group : QUERIES;
    size_t rows = QUERIES / heads, low = 0, high = n_runs;
    while (low < high) { /* the first run that ends after `begin` */
        size_t middle = (low + high) / 2;
        const int32_t *run = pl__i32(a->batch->runs, middle);
        if ((size_t)run[0] + (size_t)run[1] <= begin)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n_runs; low++) {
        const int32_t *run = pl__i32(a->batch->runs, low);
        size_t first = (size_t)run[0], stop = first + (size_t)run[1];
        if (first >= end) return;
        if (first < begin) first = begin;
        if (stop > end) stop = end;
        for (size_t row = first; row < stop; row += rows) {
            for (size_t h = 0; h < group; h += heads) {
                piece p = {row, stop - row < rows ? stop - row : rows, kv_head * group + h,
                           group - h < heads ? group - h : heads, kv_head};
                attend(a, mask, &p);
            }
        }
    }
}

pl_status PL__WIDE(attention)(pl_stream *stream, const pl_attention_args *args)
{
    size_t rows, n_runs;
    const size_t limit = pl__least(pl__least(args->qkv.rows, args->y.rows), args->batch->positions.columns);
    PL_TRY(pl__read_count("attention", &rows, args->batch->counts, PL_COUNT_TOKENS, limit));
    PL_TRY(pl__check_runs("attention", &n_runs, args->batch, rows, args->kv->n_pages));
    size_t group = args->n_heads / args->kv->n_kv_heads, tile = group < QUERIES ? QUERIES / group : 1;
    size_t tiles = (rows + tile - 1) / tile;
    const pl__mask mask = pl__mask_of(&args->dropout), *drops = mask.examples ? &mask : NULL;
    /* All rows of a head follow one another, so that a shared prefix's keys and values stay in the cache. */
#pragma omp parallel for num_threads(stream->device->n_threads) schedule(dynamic)
    for (size_t item = 0; item < args->kv->n_kv_heads * tiles; item++) {
        size_t begin = item % tiles * tile, end = begin + tile < rows ? begin + tile : rows;
        attend_rows(args, drops, n_runs, begin, end, item / tiles);
    }
    return PL_OK;
}
