/* Promise 1, as a certificate: a row's bits are the same for any number of rows, place in the batch, packing, cut of
 * its sequence (also inside a page), capacity, thread count and vector width, in every compute type of the device.
 * Linear at GPT-2's widths up to 8192 rows; then a whole block of a GPT-2-like model with its vocabulary head. The
 * emulator runs narrower ones. */
#include "world.h"

/* ---- Linear ---- */

static const size_t row_counts[] = {1, 2, 3, 5, 6, 7, 8, 13, 47, 48, 49, 64, 97, 511, 1024};

/* Rows picked[0..n) of x through the op; the result is [n, n_out]. */
static float *product(const world *w, const pl_weight *weight, pl_view bias, const float *x, const size_t *picked,
                      size_t n, size_t n_in, size_t n_out)
{
    float *rows = (float *)malloc(n * n_in * sizeof(float));
    for (size_t i = 0; i < n; i++) memcpy(rows + i * n_in, x + picked[i] * n_in, n_in * sizeof(float));
    size_t spare = n % 5; /* capacity above the count */
    pl_view xv = numbers(w, n, spare, n_in, w->type, rows), yv = guarded(w, n + spare, n_out, w->type, NULL);
    pl_view counts = counts_of(w, n);
    pl_linear_args args = {.counts = counts,
                           .count = PL_COUNT_TOKENS,
                           .x = xv,
                           .weight = weight,
                           .bias = bias,
                           .activation = PL_ACT_GELU_TANH,
                           .y = yv};
    must(pl_op_linear(&w->processor, w->stream, &args));
    float *y = fetch_numbers(w, pl_view_rows(yv, 0, n));
    free(rows);
    RELEASE(w, &xv, &yv, &counts);
    return y;
}

/* n rows, scattered over all of x, against the same rows of the large product. */
static void check_rows(const world *w, const pl_weight *weight, pl_view bias, const float *x, const float *all,
                       size_t n, size_t total, size_t n_in, size_t n_out)
{
    size_t *picked = (size_t *)malloc(total * sizeof(size_t));
    pl_random_permutation(picked, total, n, PL_RANDOM_TEST, 5);
    float *y = product(w, weight, bias, x, picked, n, n_in, n_out);
    for (size_t i = 0; i < n; i++) {
        if (memcmp(y + i * n_out, all + picked[i] * n_out, n_out * sizeof(float)) != 0) {
            fail_msg("%s, %zu -> %zu: row %zu of %zu differs from the product of %zu rows", pl_dtype_name(w->compute),
                     n_in, n_out, i, n, total);
        }
    }
    free(y);
    free(picked);
}

/* One product of all rows, then the counts below it, whose rows stand anywhere. The CPU's variants and thread counts
 * are compared with the first one's bits. */
static void check_linear(pl_dtype compute, bool aligned, size_t n_in, size_t n_out, size_t total)
{
    float *x = normals(total * n_in, 1, 1.0), *values = normals(n_in * n_out, 2, 0.1), *bias = normals(n_out, 3, 1.0);
    float *all = NULL;
    size_t *picked = (size_t *)malloc(total * sizeof(size_t));
    representable(x, total * n_in, pl_dtype_storage(compute));
    for (size_t i = 0; i < total; i++) picked[i] = i;
    /* Of bfloat16 each way to multiply has bits of its own. */
    const char *variants[] = {NULL, "portable", "avx2", "avx512"};
    for (size_t v = 0; v < (on_cuda() || compute != PL_F32 ? 1 : 4); v++) {
        if (v) setenv("PLUMB_CPU", variants[v], 1);
        for (int threads = 1; threads <= (on_cuda() ? 1 : 2); threads++) {
            pl_processor probe;
            if (v && pl_processor_open(&probe, "cpu", 1) != PL_OK) continue; /* a CPU without AVX2 */
            if (v) pl_processor_close(&probe);
            world w = world_open(threads);
            w.compute = compute;
            w.type = pl_activation_type(w.processor.ops, compute);
            w.aligned = aligned;
            pl_weight *weight;
            must(w.processor.ops->weight_create(w.processor.device, &weight, n_out, n_in, compute));
            must(pl_weight_set(&w.processor, w.stream, weight, 0, n_out, values, PL_F32, PL_LAYOUT_OUT_IN));
            pl_view biasv = guarded(&w, 1, n_out, PL_F32, bias);
            if (!all) all = product(&w, weight, biasv, x, picked, total, n_in, n_out);
            for (size_t i = 0; i < sizeof row_counts / sizeof *row_counts; i++) {
                size_t n = row_counts[i];
                if (n < total && (v == 0 || n < 8)) check_rows(&w, weight, biasv, x, all, n, total, n_in, n_out);
            }
            release(&w, &biasv);
            w.processor.ops->weight_free(weight);
            world_close(&w);
        }
        unsetenv("PLUMB_CPU");
    }
    free(picked);
    free(all);
    free(x);
    free(values);
    free(bias);
}

static const pl_dtype compute_types[] = {PL_F32, PL_BF16, PL_F16, PL_TF32};

/* All views at even places, or all at odd ones: a GPU's product may be another one there, and a model's views never
 * change their places. */
static void test_linear(void **state)
{
    (void)state;
    for (size_t i = 0; i < (on_cuda() ? 8 : cpu_has_bf16() ? 3 : 1); i += on_cuda() ? 1 : 2) {
        pl_dtype compute = compute_types[i / 2];
        bool aligned = i % 2 == 0;
        if (on_emulator()) {
            check_linear(compute, aligned, 48, 40, 140);
            check_linear(compute, aligned, 130, 24, 70);
            continue;
        }
        check_linear(compute, aligned, 768, 3072, SMALL ? 600 : 8192);
        check_linear(compute, aligned, 3072, 768, SMALL ? 200 : 2048);
        check_linear(compute, aligned, 768, 770, 300); /* a last panel that is not full */
    }
    if (!on_cuda() && cpu_has(PL_BF16X3)) {
        check_linear(PL_BF16X3, true, 768, 3072, SMALL ? 600 : 8192);
        check_linear(PL_BF16X3, true, 768, 770, 300);
    }
    if (on_cuda() || !cpu_has_bf16()) return;
    setenv("PLUMB_CPU", "avx512", 1); /* without AMX */
    check_linear(PL_BF16, true, 768, 770, 300);
    unsetenv("PLUMB_CPU");
}

/* ---- A block ---- */

enum { PATHS = 5, PAGES = 9, LAYER = 0 };

typedef struct block {
    size_t C, F, H, D, V;
    int32_t lengths[PATHS];
    pl_dtype compute;
    bool aligned;
    size_t widths[5][2];          /* [in, out] of qkv, proj, fc, fc2, head */
    float *x, *weights[5], *bias; /* [n_rows, C] of all sequences; [F] */
    size_t n_rows, first[PATHS];
} block;

typedef struct outcome {
    float *x, *log_probability; /* [n_rows, C], [n_rows] */
    int32_t *greedy;
} outcome;

static outcome outcome_create(const block *m)
{
    size_t n = m->n_rows;
    return (outcome){(float *)calloc(n * m->C, 4), (float *)calloc(n, 4), (int32_t *)calloc(n, 4)};
}

static void outcome_free(outcome *o)
{
    free(o->x);
    free(o->log_probability);
    free(o->greedy);
}

/* The block on one batch; x is changed in place. */
static void forward(const world *w, const block *m, pl_weight *const weights[5], pl_kv *kv, batch_of *b, pl_view x,
                    pl_view log_probability, pl_view greedy)
{
    const pl_backend *ops = w->processor.ops;
    size_t N = b->n_tokens, capacity = x.rows, C = m->C, F = m->F, V = m->V;
    int32_t *ids = (int32_t *)malloc(N * sizeof(int32_t)), *rows = (int32_t *)malloc(N * sizeof(int32_t));
    int32_t counts[PL_COUNTS];
    for (size_t i = 0; i < PL_COUNTS; i++) counts[i] = (int32_t)N;
    for (size_t r = 0; r < N; r++) {
        ids[r] = (int32_t)((m->first[b->paths[r]] + (size_t)b->positions[r]) * 7919 % V);
        rows[r] = (int32_t)r;
    }
    pl_view none = {0}, h = guarded(w, capacity, C, w->type, NULL), qkv = guarded(w, capacity, 3 * C, w->type, NULL);
    pl_view y = guarded(w, capacity, C, w->type, NULL), f = guarded(w, capacity, F, w->type, NULL),
            bias = guarded(w, 1, F, PL_F32, m->bias);
    pl_view cv = ints(w, PL_COUNTS, counts), iv = ints(w, N, ids), rv = ints(w, N, rows), workspace;
    must(pl_view_create(&w->processor, &workspace, 1, ops->score_workspace_bytes(capacity, V), PL_U8));
    pl_norm_args norm = {cv, PL_COUNT_TOKENS, PL_NORM_LAYER, 1e-5f, x, none, none, h, false, 0};
    must(pl_op_norm(&w->processor, w->stream, &norm));
    pl_linear_args linear = {.counts = cv, .count = PL_COUNT_TOKENS, .x = h, .weight = weights[0], .y = qkv};
    must(pl_op_linear(&w->processor, w->stream, &linear));
    pl_kv_write_args write = {&b->batch, kv, LAYER, qkv};
    must(pl_op_kv_write(&w->processor, w->stream, &write));
    pl_attention_args attention = {
        .batch = &b->batch, .kv = kv, .layer = LAYER, .n_heads = m->H, .scale = 0.125f, .qkv = qkv, .y = y};
    must(pl_op_attention(&w->processor, w->stream, &attention));
    linear = (pl_linear_args){
        .counts = cv, .count = PL_COUNT_TOKENS, .x = y, .weight = weights[1], .accumulate = true, .y = x};
    must(pl_op_linear(&w->processor, w->stream, &linear));
    must(pl_op_norm(&w->processor, w->stream, &norm));
    linear = (pl_linear_args){.counts = cv,
                              .count = PL_COUNT_TOKENS,
                              .x = h,
                              .weight = weights[2],
                              .bias = bias,
                              .activation = PL_ACT_GELU_TANH,
                              .y = f};
    must(pl_op_linear(&w->processor, w->stream, &linear));
    linear = (pl_linear_args){
        .counts = cv, .count = PL_COUNT_TOKENS, .x = f, .weight = weights[3], .accumulate = true, .y = x};
    must(pl_op_linear(&w->processor, w->stream, &linear));
    must(pl_op_norm(&w->processor, w->stream, &norm));
    pl_score_args score = {.counts = cv,
                           .x = h,
                           .weight = weights[4],
                           .target_rows = rv,
                           .target_tokens = iv,
                           .log_probability = log_probability,
                           .greedy = greedy,
                           .workspace = workspace};
    must(pl_op_score(&w->processor, w->stream, &score));
    settle(w);
    RELEASE(w, &h, &qkv, &y, &f, &bias, &cv, &iv, &rv, &workspace);
    free(ids);
    free(rows);
}

static void run_batch(const world *w, const block *m, pl_weight *const weights[5], pl_kv *kv, const span *spans,
                      size_t n, const int32_t *table, outcome *out)
{
    batch_of b = batch_create(w, spans, n, table, PATHS, PAGES);
    size_t C = m->C, spare = b.n_tokens % 3;
    float *x = (float *)malloc(b.n_tokens * C * sizeof(float));
    for (size_t r = 0; r < b.n_tokens; r++) {
        memcpy(x + r * C, m->x + (m->first[b.paths[r]] + (size_t)b.positions[r]) * C, C * sizeof(float));
    }
    pl_view xv = guarded_rows(w, b.n_tokens, spare, C, PL_F32, x), lpv = guarded(w, 1, b.n_tokens, PL_F32, NULL);
    pl_view gv = ints(w, b.n_tokens + spare, NULL);
    forward(w, m, weights, kv, &b, xv, lpv, gv);
    float *got = (float *)fetch(w, xv), *lp = (float *)fetch(w, lpv);
    int32_t *greedy = (int32_t *)fetch(w, gv);
    for (size_t r = 0; r < b.n_tokens; r++) {
        size_t row = m->first[b.paths[r]] + (size_t)b.positions[r];
        memcpy(out->x + row * C, got + r * C, C * sizeof(float));
        out->log_probability[row] = lp[r];
        out->greedy[row] = greedy[r];
    }
    free(x);
    free(got);
    free(lp);
    free(greedy);
    RELEASE(w, &xv, &lpv, &gv);
    batch_free(w, &b);
}

/* Random batches until every sequence is done: from each of some sequences, in random order, a random piece. `most` =
 * 0: each sequence alone and whole. */
static outcome run_plan(const block *m, int threads, uint32_t seed, uint32_t most, size_t n_paths)
{
    world w = world_open(threads);
    w.compute = m->compute;
    w.type = pl_activation_type(w.processor.ops, m->compute);
    w.aligned = m->aligned;
    pl_weight *weights[5];
    pl_kv *kv;
    int32_t table[PATHS * PAGES], done[PATHS] = {0};
    size_t pages[PATHS * PAGES], order[PATHS];
    uint32_t draws = 0;
    for (size_t i = 0; i < 5; i++) {
        size_t n_in = m->widths[i][0], n_out = m->widths[i][1];
        must(w.processor.ops->weight_create(w.processor.device, &weights[i], n_out, n_in, m->compute));
        must(pl_weight_set(&w.processor, w.stream, weights[i], 0, n_out, m->weights[i], PL_F32, PL_LAYOUT_IN_OUT));
    }
    must(w.processor.ops->kv_create(w.processor.device, &kv, 1, m->H, m->D, PATHS * PAGES, w.type));
    pl_random_permutation(pages, PATHS * PAGES, seed, PL_RANDOM_TEST, 1);
    for (size_t i = 0; i < PATHS * PAGES; i++) table[i] = (int32_t)pages[i];
    outcome out = outcome_create(m);
    for (size_t round = 0;; round++) {
        span spans[PATHS];
        size_t n = 0;
        pl_random_permutation(order, n_paths, seed, PL_RANDOM_TEST, 100 + (uint32_t)round);
        for (size_t i = 0; i < n_paths; i++) {
            int32_t left = m->lengths[order[i]] - done[order[i]], take = left;
            if (!left || (!most && n)) continue;
            if (most) take = (int32_t)pl_random_below(seed, PL_RANDOM_TEST, 2, draws++, most);
            if (take > left) take = left;
            if (!take) continue;
            spans[n++] = (span){(int32_t)order[i], done[order[i]], take};
            done[order[i]] += take;
        }
        if (n) run_batch(&w, m, weights, kv, spans, n, table, &out);
        size_t left = 0;
        for (size_t i = 0; i < n_paths; i++) left += (size_t)(m->lengths[i] - done[i]);
        if (!left) break;
    }
    for (size_t i = 0; i < 5; i++) w.processor.ops->weight_free(weights[i]);
    w.processor.ops->kv_free(kv);
    world_close(&w);
    return out;
}

static block block_create(pl_dtype compute, bool aligned)
{
    block m = {768, 3072, 12, 64, 2100, {1, 31, 33, 70, SMALL ? 90 : 257}, .compute = compute, .aligned = aligned};
    if (on_emulator()) m = (block){32, 48, 2, 16, 70, {1, 31, 33, 40, 70}, .compute = compute, .aligned = aligned};
    const size_t widths[5][2] = {{m.C, 3 * m.C}, {m.C, m.C}, {m.C, m.F}, {m.F, m.C}, {m.C, m.V}};
    memcpy(m.widths, widths, sizeof widths);
    for (size_t i = 0; i < PATHS; i++) {
        m.first[i] = m.n_rows;
        m.n_rows += (size_t)m.lengths[i];
    }
    m.x = normals(m.n_rows * m.C, 1, 1.0);
    m.bias = normals(m.F, 2, 0.5);
    for (size_t i = 0; i < 5; i++) m.weights[i] = normals(widths[i][0] * widths[i][1], 10 + (uint32_t)i, 0.05);
    return m;
}

static void check_block(pl_dtype compute, bool aligned)
{
    block m = block_create(compute, aligned);
    outcome alone = run_plan(&m, 1, 1, 0, PATHS);
    for (size_t i = 0; i < m.n_rows; i++)
        assert_true(isfinite(alone.log_probability[i]) && alone.log_probability[i] < 0);
    const struct {
        int threads;
        uint32_t seed, most;
        size_t n_paths; /* the slow portable variant: the first few sequences */
        const char *variant;
    } plans[] = {
        {2, 2, 0, PATHS, NULL},  {1, 3, 1000, PATHS, NULL}, {2, 4, 60, PATHS, NULL},
        {1, 5, 17, PATHS, NULL}, {2, 6, 20, 3, "portable"},
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans - (on_cuda() || compute != PL_F32); i++) {
        if (plans[i].variant) setenv("PLUMB_CPU", plans[i].variant, 1);
        outcome other = run_plan(&m, plans[i].threads, plans[i].seed, plans[i].most, plans[i].n_paths);
        size_t n = plans[i].n_paths == PATHS ? m.n_rows : m.first[plans[i].n_paths];
        assert_memory_equal(other.x, alone.x, n * m.C * sizeof(float));
        assert_memory_equal(other.log_probability, alone.log_probability, n * sizeof(float));
        assert_memory_equal(other.greedy, alone.greedy, n * sizeof(int32_t));
        outcome_free(&other);
        unsetenv("PLUMB_CPU");
    }
    outcome_free(&alone);
    free(m.x);
    free(m.bias);
    for (size_t i = 0; i < 5; i++) free(m.weights[i]);
}

static void test_block(void **state)
{
    (void)state;
    for (size_t i = 0; i < (on_cuda() ? 4 : cpu_has_bf16() ? 2 : 1); i++) check_block(compute_types[i], i % 2 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_block),
    };
    int missing = device_missing();
    if (missing) return missing;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
