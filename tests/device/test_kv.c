/* kv_copy and kv_write, seen through attention: a copied page is another sequence's beginning, and what is written to
 * the copy leaves the first page as it is. Layers and heads are separate. */
#include "cases.h"

enum { H = 4, G = 2, D = 24, WIDTH = (H + 2 * G) * D, LAYERS = 3, PAGES = 5 };

/* One run of a path: kv_write with qkv rows from x, attention; returns y [n, H D]. */
static float *step(const world *w, pl_kv *kv, size_t layer, const int32_t *table, span s, const float *x)
{
    batch_of b = batch_create(w, &s, 1, table, 2, 2);
    pl_view qkv = numbers(w, b.n_tokens, 1, WIDTH, w->type, x);
    pl_view y = guarded(w, b.n_tokens + 1, H * D, w->type, NULL);
    pl_kv_write_args write = {&b.batch, kv, layer, qkv};
    must(pl_op_kv_write(&w->processor, w->stream, &write));
    pl_attention_args args = {
        .batch = &b.batch, .kv = kv, .layer = layer, .n_heads = H, .scale = 0.2f, .qkv = qkv, .y = y};
    must(pl_op_attention(&w->processor, w->stream, &args));
    float *got = fetch_numbers(w, pl_view_rows(y, 0, b.n_tokens));
    check_guards(w, qkv);
    RELEASE(w, &qkv, &y);
    batch_free(w, &b);
    return got;
}

/* The list has room for one copy more. */
static void copy(const world *w, pl_kv *kv, int32_t from, int32_t to)
{
    const int32_t pages[] = {from, to};
    pl_batch batch = {.counts = counts_of(w, 1), .copies = guarded_rows(w, 1, 1, 2, PL_I32, pages)};
    pl_kv_copy_args args = {&batch, kv};
    must(pl_op_kv_copy(&w->processor, w->stream, &args));
    settle(w);
    RELEASE(w, &batch.counts, &batch.copies);
}

/* The first token sees itself alone: what attention gives is its value, bit by bit. */
static void check_first(const float *y, const float *x)
{
    for (size_t h = 0; h < H; h++) assert_memory_equal(y + h * D, x + (H + G + h / (H / G)) * D, D * sizeof(float));
}

/* Two paths share a prefix of at most one page; their tails go over the page's end. */
static void copy_on_write(const world *w, size_t prefix)
{
    const int32_t table[] = {3, 0, 1, 4}; /* path 0: pages 3, 0; path 1: pages 1, 4 */
    const size_t tail = 29;
    float *x = normals((prefix + 2 * tail) * WIDTH, 1, 1.0);
    representable(x, (prefix + 2 * tail) * WIDTH, w->type);
    const float *tail_a = x + prefix * WIDTH, *tail_b = x + (prefix + tail) * WIDTH;
    pl_kv *kv;
    must(w->processor.ops->kv_create(w->processor.device, &kv, LAYERS, G, D, PAGES, w->type));
    float *alone[LAYERS][2];
    for (size_t layer = 0; layer < LAYERS; layer++) { /* without sharing; layers differ by what they are given */
        const float *shift = x + layer * WIDTH;
        float *first = step(w, kv, layer, table, (span){0, 0, (int32_t)prefix}, shift);
        check_first(first, shift);
        free(first);
        alone[layer][0] = step(w, kv, layer, table, (span){0, (int32_t)prefix, (int32_t)tail}, tail_a);
        free(step(w, kv, layer, table, (span){1, 0, (int32_t)prefix}, shift));
        alone[layer][1] = step(w, kv, layer, table, (span){1, (int32_t)prefix, (int32_t)tail}, tail_b);
    }
    w->processor.ops->kv_free(kv);
    must(w->processor.ops->kv_create(w->processor.device, &kv, LAYERS, G, D, PAGES, w->type));
    for (size_t layer = 0; layer < LAYERS; layer++) {
        free(step(w, kv, layer, table, (span){0, 0, (int32_t)prefix}, x + layer * WIDTH));
    }
    copy(w, kv, 3, 1);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        float *b = step(w, kv, layer, table, (span){1, (int32_t)prefix, (int32_t)tail}, tail_b);
        float *a = step(w, kv, layer, table, (span){0, (int32_t)prefix, (int32_t)tail}, tail_a);
        assert_memory_equal(a, alone[layer][0], tail * H * D * sizeof(float));
        assert_memory_equal(b, alone[layer][1], tail * H * D * sizeof(float));
        assert_memory_not_equal(a, b, tail * H * D * sizeof(float));
        free(a);
        free(b);
        free(alone[layer][0]);
        free(alone[layer][1]);
    }
    w->processor.ops->kv_free(kv);
    free(x);
}

/* Case 0 is a check; the others time kv_write of one long batch, and kv_copy of as many pages. */
typedef struct shape {
    size_t n_tokens, H, G, D;
    bool copies;
    case_use use;
} shape;

static const shape shapes[] = {
    {0, H, G, D, false, EVERY},       {128, 12, 12, 64, false, LARGE}, {128, 12, 12, 64, true, LARGE},
    {8192, 32, 8, 128, false, BENCH}, {8192, 32, 8, 128, true, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    if (s->n_tokens)
        snprintf(text, 128, "%s %zu tokens, G %zu, D %zu", s->copies ? "copy" : "write", s->n_tokens, s->G, s->D);
    else
        snprintf(text, 128, "copy on write, H %d, G %d, D %d, %d layers", H, G, D, LAYERS);
    return s->use;
}

static void run(const world *w, size_t k)
{
    const shape *s = &shapes[k];
    if (!s->n_tokens) {
        if (w->timing) return;
        copy_on_write(w, 10);
        copy_on_write(w, PL_PAGE); /* all of a page is copied */
        return;
    }
    size_t n_pages = s->n_tokens / PL_PAGE, width = (s->H + 2 * s->G) * s->D;
    int32_t *table = (int32_t *)malloc(2 * n_pages * 4), *copies = (int32_t *)malloc(2 * n_pages * 4);
    for (size_t i = 0; i < 2 * n_pages; i++) table[i] = copies[i] = (int32_t)(i % 2 * n_pages + i / 2);
    const span all = {0, 0, (int32_t)s->n_tokens};
    batch_of b = batch_create(w, &all, 1, table, 1, n_pages);
    pl_view qkv = guarded(w, s->n_tokens, width, w->type, NULL), counts = counts_of(w, n_pages);
    pl_batch pages = {.counts = counts, .copies = guarded(w, n_pages, 2, PL_I32, copies)};
    pl_kv *kv;
    must(w->processor.ops->kv_create(w->processor.device, &kv, 1, s->G, s->D, 2 * n_pages, w->type));
    size_t bytes = 4 * s->n_tokens * s->G * s->D * pl_dtype_bytes(w->type);
    pl_kv_write_args write = {&b.batch, kv, 0, qkv};
    pl_kv_copy_args copy_pages = {&pages, kv};
    if (s->copies)
        RUN_OP(w, kv_copy, &copy_pages, bytes, 0);
    else
        RUN_OP(w, kv_write, &write, bytes, 0);
    settle(w);
    w->processor.ops->kv_free(kv);
    RELEASE(w, &qkv, &counts, &pages.copies);
    batch_free(w, &b);
    free(table);
    free(copies);
}

static void test_errors(void **state)
{
    (void)state;
    world w = world_open(1);
    const pl_backend *ops = w.processor.ops;
    pl_kv *kv;
    if (!w.cuda) assert_int_equal(ops->kv_create(w.processor.device, &kv, 1, 1, 8, 4, PL_BF16), PL_E_UNSUPPORTED);
    assert_int_equal(ops->kv_create(w.processor.device, &kv, 1, 1, 8, 4, PL_I32), PL_E_UNSUPPORTED);
    assert_int_equal(ops->kv_create(w.processor.device, &kv, 1, 1, 4096, 4, PL_F32), PL_E_UNSUPPORTED);
    assert_int_equal(ops->kv_create(w.processor.device, &kv, SIZE_MAX / 2, 8, 8, 4, PL_F32), PL_E_INPUT);
    must(ops->kv_create(w.processor.device, &kv, LAYERS, G, D, PAGES, PL_F32));
    assert_true(ops->kv_page_bytes(LAYERS, G, D, PL_F32) >= LAYERS * G * D * 2 * PL_PAGE * sizeof(float));
    /* A layer past the last; where ids are seen: a page past the pool, a run past the page table. */
    const int32_t bad[] = {3, PAGES, 1, 4}, good[] = {3, 0, 1, 4};
    const span spans[] = {{0, 0, 4}, {0, 0, 40}, {0, 60, 10}};
    const size_t layers[] = {LAYERS, 0, 0};
    for (size_t i = 0; i < (w.cuda ? 1 : 3); i++) {
        batch_of b = batch_create(&w, &spans[i], 1, i == 1 ? bad : good, 2, 2);
        pl_view qkv = guarded(&w, b.n_tokens, WIDTH, PL_F32, NULL);
        pl_kv_write_args args = {&b.batch, kv, layers[i], qkv};
        assert_int_equal(pl_op_kv_write(&w.processor, w.stream, &args), PL_E_INTERNAL);
        assert_non_null(strstr(pl_error_text(), "kv_write: "));
        release(&w, &qkv);
        batch_free(&w, &b);
    }
    ops->kv_free(kv);
    world_close(&w);
}

static const case_table table_of_cases = {.op = "kv", .n = SHAPES, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table_of_cases), cmocka_unit_test(test_errors)};
    return CASES_MAIN(argc, argv, &table_of_cases, tests);
}
