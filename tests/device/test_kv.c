/* kv_copy and kv_write, seen through attention: a copied page is another sequence's beginning, and what is written to
 * the copy leaves the first page as it is. Layers and heads are separate. */
#include "world.h"

enum { H = 4, G = 2, D = 24, WIDTH = (H + 2 * G) * D, LAYERS = 3, PAGES = 5 };

/* One run of a path: kv_write with qkv rows from x, attention; returns y [n, H D]. */
static float *step(const world *w, pl_kv *kv, size_t layer, const int32_t *table, span s, const float *x)
{
    batch_of b = batch_create(w, &s, 1, table, 2, 2);
    pl_view qkv = guarded(w, b.n_tokens, WIDTH, PL_F32, x), y = guarded(w, b.n_tokens, H * D, PL_F32, NULL), none = {0};
    pl_kv_write_args write = {&b.batch, kv, layer, qkv};
    must(w->gear.ops->kv_write(w->stream, &write));
    pl_attention_args args = {&b.batch, kv, layer, H, 0.2f, 0, 0, none, qkv, y, none};
    must(w->gear.ops->attention(w->stream, &args));
    float *got = fetch(w, y);
    check_guards(w, qkv);
    release(w, &qkv);
    release(w, &y);
    batch_free(w, &b);
    return got;
}

static void copy(const world *w, pl_kv *kv, int32_t from, int32_t to)
{
    const int32_t pages[] = {from, to};
    pl_batch batch = {.counts = counts_of(w, 1), .copies = guarded(w, 1, 2, PL_I32, pages)};
    pl_kv_copy_args args = {&batch, kv};
    must(w->gear.ops->kv_copy(w->stream, &args));
    release(w, &batch.counts);
    release(w, &batch.copies);
}

static void test_copy_on_write(void **state)
{
    (void)state;
    const int32_t table[] = {3, 0, 1, 4}; /* path 0: pages 3, 0; path 1: pages 1, 4 */
    const size_t prefix = 10, tail = 9;
    float *x = normals((prefix + 2 * tail) * WIDTH, 1, 1.0);
    const float *tail_a = x + prefix * WIDTH, *tail_b = x + (prefix + tail) * WIDTH;
    for (int threads = 1; threads <= 2; threads++) {
        world w = world_open(threads);
        pl_kv *kv;
        must(w.gear.ops->kv_create(w.gear.device, &kv, LAYERS, G, D, PAGES, PL_F32));
        float *alone[LAYERS][2];
        for (size_t layer = 0; layer < LAYERS; layer++) { /* without sharing; layers differ by what they are given */
            const float *shift = x + layer * WIDTH;
            free(step(&w, kv, layer, table, (span){0, 0, (int32_t)prefix}, shift));
            alone[layer][0] = step(&w, kv, layer, table, (span){0, (int32_t)prefix, (int32_t)tail}, tail_a);
            free(step(&w, kv, layer, table, (span){1, 0, (int32_t)prefix}, shift));
            alone[layer][1] = step(&w, kv, layer, table, (span){1, (int32_t)prefix, (int32_t)tail}, tail_b);
        }
        w.gear.ops->kv_free(kv);
        must(w.gear.ops->kv_create(w.gear.device, &kv, LAYERS, G, D, PAGES, PL_F32));
        for (size_t layer = 0; layer < LAYERS; layer++) {
            free(step(&w, kv, layer, table, (span){0, 0, (int32_t)prefix}, x + layer * WIDTH));
        }
        copy(&w, kv, 3, 1);
        for (size_t layer = 0; layer < LAYERS; layer++) {
            float *b = step(&w, kv, layer, table, (span){1, (int32_t)prefix, (int32_t)tail}, tail_b);
            float *a = step(&w, kv, layer, table, (span){0, (int32_t)prefix, (int32_t)tail}, tail_a);
            assert_memory_equal(a, alone[layer][0], tail * H * D * sizeof(float));
            assert_memory_equal(b, alone[layer][1], tail * H * D * sizeof(float));
            assert_memory_not_equal(a, b, tail * H * D * sizeof(float));
            free(a);
            free(b);
            free(alone[layer][0]);
            free(alone[layer][1]);
        }
        w.gear.ops->kv_free(kv);
        world_close(&w);
    }
    free(x);
}

static void test_errors(void **state)
{
    (void)state;
    world w = world_open(1);
    const pl_backend *ops = w.gear.ops;
    pl_kv *kv;
    assert_int_equal(ops->kv_create(w.gear.device, &kv, 1, 1, 8, 4, PL_BF16), PL_E_UNSUPPORTED);
    assert_int_equal(ops->kv_create(w.gear.device, &kv, 1, 1, 4096, 4, PL_F32), PL_E_UNSUPPORTED);
    assert_int_equal(ops->kv_create(w.gear.device, &kv, SIZE_MAX / 2, 8, 8, 4, PL_F32), PL_E_INPUT);
    must(ops->kv_create(w.gear.device, &kv, LAYERS, G, D, PAGES, PL_F32));
    assert_true(ops->kv_page_bytes(LAYERS, G, D, PL_F32) >= LAYERS * G * D * 2 * PL_PAGE * sizeof(float));
    /* a page past the pool, a run past the page table, a layer past the last */
    const int32_t bad[] = {3, PAGES, 1, 4}, good[] = {3, 0, 1, 4};
    const span spans[] = {{0, 0, 40}, {0, 60, 10}, {0, 0, 4}};
    const size_t layers[] = {0, 0, LAYERS};
    for (size_t i = 0; i < 3; i++) {
        batch_of b = batch_create(&w, &spans[i], 1, i == 0 ? bad : good, 2, 2);
        pl_view qkv = guarded(&w, b.n_tokens, WIDTH, PL_F32, NULL);
        pl_kv_write_args args = {&b.batch, kv, layers[i], qkv};
        assert_int_equal(ops->kv_write(w.stream, &args), PL_E_INTERNAL);
        assert_non_null(strstr(pl_error_text(), "kv_write: "));
        release(&w, &qkv);
        batch_free(&w, &b);
    }
    ops->kv_free(kv);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_on_write),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
