/* The gradients of causal grouped-query attention over whole sequences.
 *
 * A work item is one sequence and key/value head: for each query head of its group, for each block of BLOCK queries,
 * for each block of BLOCK keys that any of them sees, ascending. With S = scale q k^T (softcap, ALiBi), P = exp(S -
 * lse) and M the dropout mask: dv += (P M)^T dy; dP = M (dy v^T); dS = P (dP - rowsum(dy y)), times softcap's slope; dq
 * += dS k; dk += dS^T q Every element of dq, dk and dv is one chain of fused multiply-adds (product.h) over keys or
 * queries ascending, and heads ascending, whatever the blocks. Scores are the forward op's bits. Blocks are held keys
 * first, [keys, queries]: what belongs to a query (lse, rowsum) is then a vector. */
#include <math.h>
#include <string.h>

#include "device/cpu/alibi.h"
#include "device/cpu/cpu.h"
#include "device/cpu/dropout.h"
#include "device/cpu/norm.h"
#include "device/cpu/product.h"
#include "device/cpu/transpose.h"
#include "device/cpu/vmath.h"

enum { BLOCK = 32 };

/* One sequence and key/value head. Keys, dk and dv stand in rows of `width` columns, D rounded up to whole panels: in
 * the batch's own rows where D is that, else in the workspace. */
typedef struct item {
    const pl_attention_backward_args *a;
    const pl__mask *mask; /* or NULL */
    size_t first, n, kv_head, width;
    const float *k, *v;
    float *dk, *dv;
    size_t k_stride, v_stride, d_stride;
} item;

/* A block of queries of one head, on its thread's stack: about 350 KiB. */
typedef struct queries {
    _Alignas(64) float q_columns[PL__MAX_HEAD_WIDTH * BLOCK]; /* [width, BLOCK], scaled; past the last query 0 */
    _Alignas(64) float dy_columns[PL__MAX_HEAD_WIDTH * BLOCK];
    _Alignas(64) float q[BLOCK * PL__MAX_HEAD_WIDTH]; /* [BLOCK, width], scaled */
    _Alignas(64) float dy[BLOCK * PL__MAX_HEAD_WIDTH];
    _Alignas(64) float dq[BLOCK * PL__MAX_HEAD_WIDTH];
    _Alignas(64) float p[BLOCK * BLOCK], dp[BLOCK * BLOCK], ds[BLOCK * BLOCK]; /* [keys, queries] */
    _Alignas(64) float ds_rows[BLOCK * BLOCK];                                 /* [queries, keys] */
    float lse[BLOCK], inner[BLOCK], slope;
    size_t head, start, n; /* queries start .. start + n of the sequence */
} queries;

static double inner_product(const float *x, const float *y, size_t n)
{
    double lane[16] = {0};
    size_t whole = n / 16 * 16;
    for (size_t i = 0; i < whole; i += 16) {
        for (size_t j = 0; j < 16; j++) lane[j] += (double)x[i + j] * (double)y[i + j];
    }
    for (size_t i = whole; i < n; i++) lane[i - whole] += (double)x[i] * (double)y[i];
    return pl__tree_sum(lane);
}

static void load_queries(queries *w, const item *t, size_t head, size_t start)
{
    const pl_attention_backward_args *a = t->a;
    const size_t D = a->head_width, width = t->width;
    w->head = head;
    w->start = start;
    w->n = t->n - start < BLOCK ? t->n - start : BLOCK;
    w->slope = a->alibi.buffer ? pl__f32(a->alibi, 0)[head] : 0.0f;
    memset(w->dq, 0, w->n * width * sizeof *w->dq);
    for (size_t i = 0; i < w->n; i++) {
        const size_t row = t->first + start + i;
        const float *q = pl__f32(a->qkv, row) + head * D, *dy = pl__f32(a->dy, row) + head * D;
        for (size_t d = 0; d < D; d++) w->q[i * width + d] = q[d] * a->scale;
        memcpy(w->dy + i * width, dy, D * sizeof *dy);
        for (size_t d = D; d < width; d++) w->q[i * width + d] = w->dy[i * width + d] = 0.0f;
        w->lse[i] = pl__f32(a->lse, row)[head];
        w->inner[i] = (float)inner_product(dy, pl__f32(a->y, row) + head * D, D);
    }
    for (size_t i = w->n; i < BLOCK; i++) w->lse[i] = w->inner[i] = 0.0f;
    memset(w->q + w->n * width, 0, (BLOCK - w->n) * width * sizeof *w->q);
    memset(w->dy + w->n * width, 0, (BLOCK - w->n) * width * sizeof *w->dy);
    pl__transpose(w->q_columns, BLOCK, w->q, width, BLOCK, width);
    pl__transpose(w->dy_columns, BLOCK, w->dy, width, BLOCK, width);
}

/* c[rows, columns] (+)= x[rows, k] b[k, columns], all in rows; columns in whole panels. */
static void multiply(float *c, size_t c_stride, const float *x, size_t x_stride, const float *b, size_t b_stride,
                     size_t rows, size_t k, size_t columns, bool fresh)
{
    pl__product product = {.x = x,
                           .x_stride = x_stride,
                           .b = b,
                           .row_floats = b_stride,
                           .panel_floats = PL__PANEL,
                           .k = k,
                           .c = c,
                           .c_stride = c_stride,
                           .fresh = fresh};
    PL__WIDE(product)(&product, rows, columns / PL__PANEL);
}

/* Scores of one key become weights, 0 where it is not seen; `bend` gets softcap's slopes. `key` is its position. */
static void weigh(const queries *w, const item *t, float *s, float *bend, size_t key)
{
    const pl_attention_backward_args *a = t->a;
    if (a->softcap > 0.0f) {
        for (size_t i = 0; i < BLOCK; i++) {
            float bent = pl__tanh(s[i] / a->softcap);
            bend[i] = 1.0f - bent * bent;
            s[i] = a->softcap * bent;
        }
    }
    if (a->alibi.buffer) {
        for (size_t i = 0; i < BLOCK; i++)
            s[i] += pl__alibi(w->slope, a->alibi_scale, (int32_t)key, (int32_t)(w->start + i));
    }
    for (size_t i = 0; i < BLOCK; i++) s[i] = pl__exp(s[i] - w->lse[i]);
    const size_t from = key > w->start ? key - w->start : 0;
    size_t to = w->n;
    if (a->window && key + a->window < w->start + to) to = key + a->window > w->start ? key + a->window - w->start : 0;
    for (size_t i = 0; i < pl__least(from, BLOCK); i++) s[i] = 0.0f;
    for (size_t i = to; i < BLOCK; i++) s[i] = 0.0f;
}

/* The factors of BLOCK keys from `key` on, [keys, queries]. */
static void draw_mask(float *restrict factors, const queries *w, const item *t, size_t key)
{
    const pl__mask mask = *t->mask;
    const int32_t start = (int32_t)w->start;
    int32_t example[BLOCK] = {0};
    const int32_t *examples = t->mask->examples + t->first + w->start;
    const uint32_t quad = ((uint32_t)w->head << 20 | (uint32_t)key) / 4;
    memcpy(example, examples, w->n * sizeof *example);
    for (uint32_t k = 0; k < BLOCK / 4; k++) {
        float *f = factors + 4 * k * BLOCK;
        for (size_t i = 0; i < BLOCK; i++) {
            const pl__words word = pl__mask_words(&mask, example[i], start + (int32_t)i, quad + k);
            f[i] = pl__mask_factor(&mask, word.a);
            f[BLOCK + i] = pl__mask_factor(&mask, word.b);
            f[2 * BLOCK + i] = pl__mask_factor(&mask, word.c);
            f[3 * BLOCK + i] = pl__mask_factor(&mask, word.d);
        }
    }
}

/* Keys start .. start + n of the sequence for a block of queries. */
static void take_keys(queries *w, const item *t, size_t start)
{
    const size_t D = t->a->head_width, n = t->n - start < BLOCK ? t->n - start : BLOCK;
    const float *k = t->k + start * t->k_stride, *v = t->v + start * t->v_stride;
    _Alignas(64) float factors[BLOCK * BLOCK];
    multiply(w->p, BLOCK, k, t->k_stride, w->q_columns, BLOCK, n, D, BLOCK, true);
    multiply(w->dp, BLOCK, v, t->v_stride, w->dy_columns, BLOCK, n, D, BLOCK, true);
    if (t->mask) draw_mask(factors, w, t, start);
    for (size_t j = 0; j < n; j++) {
        float *p = w->p + j * BLOCK, *dp = w->dp + j * BLOCK, *ds = w->ds + j * BLOCK, bend[BLOCK];
        const float *factor = factors + j * BLOCK;
        weigh(w, t, p, bend, start + j);
        if (t->mask) {
            for (size_t i = 0; i < BLOCK; i++) {
                ds[i] = p[i] * (dp[i] * factor[i] - w->inner[i]);
                p[i] *= factor[i];
            }
        } else {
            for (size_t i = 0; i < BLOCK; i++) ds[i] = p[i] * (dp[i] - w->inner[i]);
        }
        if (t->a->softcap > 0.0f) {
            for (size_t i = 0; i < BLOCK; i++) ds[i] *= bend[i];
        }
    }
    memset(w->ds + n * BLOCK, 0, (BLOCK - n) * BLOCK * sizeof *w->ds);
    pl__transpose(w->ds_rows, BLOCK, w->ds, BLOCK, BLOCK, BLOCK);
    multiply(t->dv + start * t->d_stride, t->d_stride, w->p, BLOCK, w->dy, t->width, n, w->n, t->width, false);
    multiply(t->dk + start * t->d_stride, t->d_stride, w->ds, BLOCK, w->q, t->width, n, w->n, t->width, false);
    multiply(w->dq, t->width, w->ds_rows, BLOCK, k, t->k_stride, w->n, n, t->width, false);
}

/* Keys come from the batch, dk and dv go there, as they are; or by the workspace: [3 G, N, width] floats. */
static item place(const pl_attention_backward_args *a, const pl__mask *mask, size_t sequence, size_t kv_head)
{
    const size_t D = a->head_width, H = a->n_heads, G = a->n_kv_heads;
    const size_t width = (D + PL__VALUE_COLUMNS - 1) / PL__VALUE_COLUMNS * PL__VALUE_COLUMNS;
    const int32_t *extent = pl__i32(a->sequences, sequence);
    item t = {.a = a, .mask = mask, .first = (size_t)extent[0], .n = (size_t)extent[1], .kv_head = kv_head};
    t.width = width;
    t.k = pl__f32(a->qkv, t.first) + (H + kv_head) * D;
    t.v = t.k + G * D;
    t.k_stride = t.v_stride = a->qkv.stride;
    t.dk = pl__f32(a->dqkv, t.first) + (H + kv_head) * D;
    t.dv = t.dk + G * D;
    t.d_stride = a->dqkv.stride;
    if (width == D) return t;
    const size_t N = a->workspace.columns / (3 * G * width * sizeof(float));
    float *k = (float *)pl__at(a->workspace, 0) + (3 * kv_head * N + t.first) * width;
    for (size_t i = 0; i < t.n; i++) {
        memcpy(k + i * width, t.k + i * t.k_stride, D * sizeof *k);
        memset(k + i * width + D, 0, (width - D) * sizeof *k);
    }
    t.k = k;
    t.dk = k + N * width;
    t.dv = t.dk + N * width;
    t.k_stride = t.d_stride = width;
    return t;
}

static void go_back(const pl_attention_backward_args *a, const pl__mask *mask, size_t sequence, size_t kv_head)
{
    const item t = place(a, mask, sequence, kv_head);
    const size_t D = a->head_width, group = a->n_heads / a->n_kv_heads;
    queries w;
    for (size_t i = 0; i < t.n; i++) {
        memset(t.dk + i * t.d_stride, 0, t.width * sizeof *t.dk);
        memset(t.dv + i * t.d_stride, 0, t.width * sizeof *t.dv);
    }
    for (size_t h = kv_head * group; h < (kv_head + 1) * group; h++) {
        for (size_t start = 0; start < t.n; start += BLOCK) {
            load_queries(&w, &t, h, start);
            size_t key = a->window && start + 1 > a->window ? (start + 1 - a->window) / BLOCK * BLOCK : 0;
            for (; key < start + w.n; key += BLOCK) take_keys(&w, &t, key);
            for (size_t i = 0; i < w.n; i++) {
                float *dq = pl__f32(a->dqkv, t.first + start + i) + h * D;
                for (size_t d = 0; d < D; d++) dq[d] = w.dq[i * t.width + d] * a->scale;
            }
        }
    }
    if (t.width == D) return;
    for (size_t i = 0; i < t.n; i++) {
        float *dk = pl__f32(a->dqkv, t.first + i) + (a->n_heads + kv_head) * D, *dv = dk + a->n_kv_heads * D;
        memcpy(dk, t.dk + i * t.d_stride, D * sizeof *dk);
        memcpy(dv, t.dv + i * t.d_stride, D * sizeof *dv);
    }
}

/* Sequences follow one another and hold all rows; their positions are 0, 1, ... */
static pl_status check_sequences(size_t *n_sequences, const pl_attention_backward_args *a, size_t rows)
{
    const int32_t n = pl__i32(a->n_sequences, 0)[0], *positions = pl__i32(a->batch->positions, 0);
    size_t next = 0;
    if (n < 0 || (size_t)n > a->sequences.rows)
        return pl_fail(PL_E_INTERNAL, "attention_backward: %d sequences, expected 0 to %zu", (int)n, a->sequences.rows);
    for (size_t s = 0; s < (size_t)n; s++) {
        const int32_t *extent = pl__i32(a->sequences, s);
        if (extent[0] < 0 || (size_t)extent[0] != next || extent[1] < 0 || (size_t)extent[1] > rows - next)
            return pl_fail(PL_E_INTERNAL,
                           "attention_backward: sequence %zu is rows %d..+%d, expected from row %zu on "
                           "within %zu rows",
                           s, (int)extent[0], (int)extent[1], next, rows);
        for (size_t i = 0; i < (size_t)extent[1]; i++) {
            if ((size_t)positions[next + i] != i)
                return pl_fail(PL_E_INTERNAL, "attention_backward: row %zu of sequence %zu has position %d", i, s,
                               (int)positions[next + i]);
        }
        next += (size_t)extent[1];
    }
    *n_sequences = (size_t)n;
    if (next == rows) return PL_OK;
    return pl_fail(PL_E_INTERNAL, "attention_backward: the sequences hold %zu of %zu rows", next, rows);
}

pl_status PL__WIDE(attention_backward)(pl_stream *stream, const pl_attention_backward_args *args)
{
    size_t rows, n_sequences;
    const size_t limit = pl__least(pl__least(args->qkv.rows, args->dqkv.rows), pl__least(args->y.rows, args->dy.rows));
    if (!args->head_width || args->head_width > PL__MAX_HEAD_WIDTH)
        return pl_fail(PL_E_UNSUPPORTED, "heads of width %zu: the CPU has 1 to %d", args->head_width,
                       (int)PL__MAX_HEAD_WIDTH);
    PL_TRY(pl__read_count("attention_backward", &rows, args->batch->counts, PL_COUNT_TOKENS,
                          pl__least(limit, args->batch->positions.columns)));
    PL_TRY(check_sequences(&n_sequences, args, rows));
    const pl__mask mask = pl__mask_of(&args->dropout), *drops = mask.examples ? &mask : NULL;
#pragma omp parallel for num_threads(stream->device->n_threads) schedule(dynamic)
    for (size_t i = 0; i < n_sequences * args->n_kv_heads; i++)
        go_back(args, drops, i / args->n_kv_heads, i % args->n_kv_heads);
    return PL_OK;
}
