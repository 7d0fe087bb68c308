/* What a call refuses, once an op, in the same words on every device: a wrong call is an error with the names of op and
 * argument, and the backend is not called. Each case spoils one thing of arguments that are right. */
#include "cases.h"
#include "tests.h"

enum { N = 3, C = 8, H = 2, D = 4, VOCABULARY = 5, PAGES = 2, LAYERS = 2 };

/* Arguments that are right, on the device of the test. */
typedef struct setting {
    world w;
    pl_batch batch;
    pl_kv *kv;
    pl_weight *weight, *head; /* [C, C], [VOCABULARY, C] */
    pl_view x, y, row, qkv, table, ids, angles, workspace, none;
} setting;

static void open_setting(setting *s)
{
    *s = (setting){.w = world_open(1)};
    world *w = &s->w;
    w->type = w->compute = PL_F32;
    static const int32_t zeros[2 * N] = {0};
    const pl_backend *ops = w->processor.ops;
    s->batch = (pl_batch){.counts = counts_of(w, 0),
                          .tokens = ints(w, N, zeros),
                          .positions = ints(w, N, zeros),
                          .paths = ints(w, N, zeros),
                          .runs = guarded(w, N, 2, PL_I32, zeros),
                          .page_table = guarded(w, 1, PAGES, PL_I32, zeros),
                          .copies = guarded(w, N, 2, PL_I32, zeros)};
    s->x = guarded(w, N, C, PL_F32, NULL);
    s->y = guarded(w, N, C, PL_F32, NULL);
    s->row = guarded(w, 1, C, PL_F32, NULL);
    s->qkv = guarded(w, N, 3 * C, PL_F32, NULL);
    s->table = guarded(w, VOCABULARY, C, PL_F32, NULL);
    s->angles = guarded(w, N, D / 2, PL_F32, NULL);
    s->ids = ints(w, N, zeros);
    must(ops->kv_create(w->processor.device, &s->kv, LAYERS, H, D, PAGES, PL_F32));
    must(ops->weight_create(w->processor.device, &s->weight, C, C, PL_F32));
    must(ops->weight_create(w->processor.device, &s->head, VOCABULARY, C, PL_F32));
    must(pl_view_create(&w->processor, &s->workspace, 1, ops->score_workspace_bytes(N, VOCABULARY), PL_U8));
}

static void close_setting(setting *s)
{
    const pl_backend *ops = s->w.processor.ops;
    RELEASE(&s->w, &s->batch.counts, &s->batch.tokens, &s->batch.positions, &s->batch.paths, &s->batch.runs,
            &s->batch.page_table, &s->batch.copies, &s->x, &s->y, &s->row, &s->qkv, &s->table, &s->angles, &s->ids,
            &s->workspace);
    ops->weight_free(s->head);
    ops->weight_free(s->weight);
    ops->kv_free(s->kv);
    world_close(&s->w);
}

/* The call with one thing changed is refused with this text; the next case starts from right arguments again. */
#define SPOILT(op, args, change, text)                                                                                 \
    do {                                                                                                               \
        pl_##op##_args a = (args);                                                                                     \
        change;                                                                                                        \
        REFUSED(pl_op_##op(&s->w.processor, s->w.stream, &a), PL_E_INTERNAL, text);                                    \
    } while (0)
#define RIGHT(op, args)                                                                                                \
    do {                                                                                                               \
        pl_##op##_args a = (args);                                                                                     \
        OK(pl_op_##op(&s->w.processor, s->w.stream, &a));                                                              \
    } while (0)

static void check_rows(setting *s)
{
    pl_batch outside = s->batch;
    outside.counts = s->none;
    const pl_embed_args embed = {
        .batch = &s->batch, .table = s->table, .position_table = s->table, .scale = 1, .x = s->x};
    RIGHT(embed, embed);
    SPOILT(embed, embed, a.batch = NULL, "embed: no batch is given");
    SPOILT(embed, embed, a.batch = &outside, "embed: counts is missing");
    SPOILT(embed, embed, a.table.dtype = PL_I32, "embed: table is int32, expected float32");
    SPOILT(embed, embed, a.position_offset = VOCABULARY + 1, "embed: position_offset 6 is past the table's 5 rows");

    const pl_norm_args norm = {
        .counts = s->batch.counts, .count = PL_COUNT_TOKENS, .x = s->x, .weight = s->row, .y = s->y};
    RIGHT(norm, norm);
    SPOILT(norm, norm, a.count = PL_COUNTS, "norm: count 5 does not exist");
    SPOILT(norm, norm, a.weight.columns = C - 1, "norm: weight is [1, 7] with rows");
    SPOILT(norm, norm, a.y.offset = (size_t)1 << 40, "norm: y ends outside its buffer of");
    SPOILT(norm, norm, a.x.stride = C - 1, "norm: x is [3, 8] with rows 7 apart, expected at least [3, 8]");

    const pl_head_norm_args head_norm = {
        .batch = &s->batch, .n_heads = H, .head_width = D, .weight = s->row, .x = s->qkv};
    RIGHT(head_norm, head_norm);
    SPOILT(head_norm, head_norm, a.n_heads = 7, "head_norm: x is [3, 24]");

    const pl_gate_args gate = {.batch = &s->batch, .x = s->qkv, .y = s->y};
    RIGHT(gate, gate);
    SPOILT(gate, gate, a.x = s->x, "gate: x is [3, 8]");
    SPOILT(gate, gate, a.y.dtype = PL_I32, "gate: y is int32, expected float32");

    const pl_rotary_args rotary = {.batch = &s->batch,
                                   .n_heads = H,
                                   .n_kv_heads = H,
                                   .head_width = D,
                                   .width = D,
                                   .cosine = s->angles,
                                   .sine = s->angles,
                                   .qkv = s->qkv};
    RIGHT(rotary, rotary);
    SPOILT(rotary, rotary, a.width = 3, "rotary: width 3, expected an even number up to the head width 4");
    SPOILT(rotary, rotary, a.sine = s->none, "rotary: sine is missing");
}

static void check_products(setting *s)
{
    const pl_linear_args linear = {
        .counts = s->batch.counts, .count = PL_COUNT_TOKENS, .x = s->x, .weight = s->weight, .bias = s->row, .y = s->y};
    RIGHT(linear, linear);
    SPOILT(linear, linear, a.weight = NULL, "linear: no weight is given");
    SPOILT(linear, linear, a.y.dtype = PL_BF16, "linear: y is bfloat16, expected float32");
    SPOILT(linear, linear, a.x.columns = C - 1, "linear: x is [3, 7]");
    SPOILT(linear, linear, (a.accumulate = true, a.activation = PL_ACT_RELU),
           "linear: an activation cannot be added to the residual stream");

    const pl_score_args score = {.counts = s->batch.counts,
                                 .x = s->x,
                                 .weight = s->head,
                                 .target_rows = s->ids,
                                 .target_tokens = s->ids,
                                 .log_probability = s->row,
                                 .workspace = s->workspace};
    RIGHT(score, score);
    SPOILT(score, score, a.weight = NULL, "score: no weight is given");
    SPOILT(score, score, a.target_tokens = s->none, "score: target_tokens is missing");
    SPOILT(score, score, (a.logits = s->x, a.logits.rows = 1), "score: logits is [1, 8]");
    SPOILT(score, score, a.workspace.columns = 15, "score: workspace is [1, 15]");
    SPOILT(score, score, a.workspace = pl_view_columns(a.workspace, 1, a.workspace.columns),
           "score: workspace ends outside its buffer");
}

static void check_pages(setting *s)
{
    pl_batch spoilt = s->batch;
    spoilt.paths = s->none;
    const pl_kv_copy_args kv_copy = {.batch = &s->batch, .kv = s->kv};
    RIGHT(kv_copy, kv_copy);
    SPOILT(kv_copy, kv_copy, a.kv = NULL, "kv_copy: no pages are given");
    SPOILT(kv_copy, kv_copy, a.batch = NULL, "kv_copy: no batch is given");

    const pl_kv_write_args kv_write = {.batch = &s->batch, .kv = s->kv, .layer = 0, .qkv = s->qkv};
    RIGHT(kv_write, kv_write);
    SPOILT(kv_write, kv_write, a.layer = LAYERS, "kv_write: layer 2 of 2");
    SPOILT(kv_write, kv_write, a.qkv = s->x, "kv_write: qkv has 8 columns, expected queries before 16");
    SPOILT(kv_write, kv_write, a.batch = &spoilt, "kv_write: paths is missing");

    const pl_attention_args attention = {
        .batch = &s->batch, .kv = s->kv, .layer = 1, .n_heads = H, .scale = 1, .qkv = s->qkv, .y = s->y};
    RIGHT(attention, attention);
    SPOILT(attention, attention, a.kv = NULL, "attention: no pages are given");
    SPOILT(attention, attention, a.n_heads = 3, "attention: 3 heads for 2 key/value heads, expected a multiple");
    SPOILT(attention, attention, a.lse = s->row, "attention: lse is [1, 8]");
    SPOILT(attention, attention, a.batch = &spoilt, "attention: paths is missing");
}

static void check_moves(setting *s)
{
    const pl_gather_args gather = {
        .counts = s->batch.counts, .count = PL_COUNT_ROWS, .rows = s->ids, .x = s->x, .y = s->y};
    RIGHT(gather, gather);
    SPOILT(gather, gather, a.rows.dtype = PL_F32, "gather: rows is float32, expected int32");
    SPOILT(gather, gather, a.y.rows = 1, "gather: y is [1, 8]");

    const pl_pool_args pool = {.n_slots = pl_view_columns(s->batch.counts, 0, 1),
                               .indptr = s->ids,
                               .slots = pl_view_columns(s->ids, 0, N - 1),
                               .x = s->x,
                               .y = s->y};
    RIGHT(pool, pool);
    SPOILT(pool, pool, a.indptr.columns = N - 1, "pool: indptr is [1, 2]");
    SPOILT(pool, pool, a.x.dtype = PL_BF16, "pool: x is bfloat16, expected float32");

    const pl_copy_args copy = {.from = s->x, .to = s->y};
    RIGHT(copy, copy);
    SPOILT(copy, copy, a.to.rows = N - 1, "copy: to is [2, 8]");
    SPOILT(copy, copy, a.from.rows = N - 1, "copy: from is [2, 8]");

    const pl_convert_args convert = {.x = s->x, .y = s->y};
    RIGHT(convert, convert);
    SPOILT(convert, convert, a.x.dtype = PL_I32, "convert: int32 to float32, expected float types");
    SPOILT(convert, convert, a.overflow = s->row, "convert: overflow is float32, expected int32");
}

static void check_analysis(setting *s)
{
    const pl_processor *p = &s->w.processor;
    pl_pairwise_args pairwise = {.x = s->x, .y = s->y};
    OK(pl_view_create(p, &pairwise.mean, 1, C, PL_F64));
    OK(pl_view_create(p, &pairwise.products, N, N, PL_F64));
    OK(pl_view_create(p, &pairwise.workspace, 1, p->ops->pairwise_workspace_bytes(1, N, N, C), PL_U8));
    RIGHT(pairwise, pairwise);
    SPOILT(pairwise, pairwise, a.mean.dtype = PL_F32, "pairwise: mean is float32, expected float64");
    SPOILT(pairwise, pairwise, a.x.rows = N - 1, "pairwise: x is [2, 8]");
    SPOILT(pairwise, pairwise, a.y.columns = C - 1, "pairwise: y is [3, 7]");
    SPOILT(pairwise, pairwise, a.products.columns = N + 1, "pairwise: y is [3, 8]");
    SPOILT(pairwise, pairwise, a.products = s->none, "pairwise: ");
    SPOILT(pairwise, pairwise, a.mean.rows = 2, "pairwise: 3 rows of products for 2 sets");
    SPOILT(pairwise, pairwise, a.columns = true, "pairwise: of columns");
    if (pairwise.workspace.columns) SPOILT(pairwise, pairwise, a.workspace.columns -= 1, "pairwise: workspace is [1, ");
    pl_view *views[] = {&pairwise.mean, &pairwise.products, &pairwise.workspace};
    for (size_t i = 0; i < 3; i++) pl_view_free(p, views[i]);
}

/* The calls that are no ops. */
static void check_transfers(setting *s)
{
    const pl_processor *p = &s->w.processor;
    float data[N * C];
    pl_view past = pl_view_rows(s->x, 1, N + 1);
    REFUSED(pl_upload(p, s->w.stream, past, data), PL_E_INTERNAL, "upload: to ends outside its buffer");
    REFUSED(pl_download(p, s->w.stream, data, past), PL_E_INTERNAL, "download: from ends outside its buffer");
    REFUSED(pl_fill_zero(p, s->w.stream, s->none), PL_E_INTERNAL, "fill_zero: view is missing");
    REFUSED(pl_weight_set(p, s->w.stream, s->weight, 1, C, data, PL_F32, PL_LAYOUT_OUT_IN), PL_E_INTERNAL,
            "weight_set: outputs 1..+8 of 8");
    REFUSED(pl_weight_set(p, s->w.stream, NULL, 0, 1, data, PL_F32, PL_LAYOUT_OUT_IN), PL_E_INTERNAL,
            "weight_set: outputs 0..+1 of 0");
    REFUSED(pl_weight_set(p, s->w.stream, s->weight, 0, 1, data, PL_I32, PL_LAYOUT_OUT_IN), PL_E_UNSUPPORTED,
            "a weight of type int32: expected float32, bfloat16 or float16");
    REFUSED(pl_weight_refresh(p, s->w.stream, NULL, s->x), PL_E_INTERNAL, "weight_refresh: no weight is given");
    REFUSED(pl_weight_refresh(p, s->w.stream, s->weight, s->x), PL_E_INTERNAL, "weight_refresh: from is [3, 8]");
}

/* An op that a backend lacks is said to be, and is not called. */
static void check_lacking(setting *s)
{
    pl_backend lacking = *s->w.processor.ops;
    const pl_processor processor = {.ops = &lacking, .device = s->w.processor.device};
#define X(op)                                                                                                          \
    lacking.unchecked.op = NULL;                                                                                       \
    REFUSED(pl_op_##op(&processor, s->w.stream, &(pl_##op##_args){0}), PL_E_UNSUPPORTED,                               \
            ": op '" #op "' is not supported");
    PL_OPS(X)
#undef X
}

static void test_refusals(void **state)
{
    (void)state;
    setting s;
    open_setting(&s);
    check_rows(&s);
    check_products(&s);
    check_pages(&s);
    check_moves(&s);
    check_analysis(&s);
    check_transfers(&s);
    check_lacking(&s);
    close_setting(&s);
}

int main(void)
{
    int missing = device_missing();
    if (missing) return missing;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
