/* attention_backward over packed sequences, with attention itself giving y and lse (its dropout is tested here, too).
 *
 * Bound: scores carry a few 2^-24 sqrt(D) |s|, so weights p are off by 2^-24 (1 + |s|) times a small number; dp - inner
 * is a difference of sums of |dy v|. So dq is off by 64 2^-24 (1 + |s|max) of scale * sum p (|dy||v| + its mean) |k|,
 * dk and dv likewise.
 *
 * In a 16-bit type inputs are representable, and half a last bit, u, is lost where a number is stored: of y twice (its
 * weights, itself), so that inner is off by 2 u of the mean of |dy||v|; of weights and of ds before they are
 * multiplied; and of the result. float16 has a smallest number, too: half of it is lost of each weight and each ds. */
#include "alibi.h"
#include "golden.h"
#include "gradient.h"

typedef struct shape {
    size_t H, G, D;
    float softcap;
    size_t window;
    alibi_kind alibi;
    float dropout;
    case_use use;
    int32_t lengths[6];
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, 0, ALIBI_NONE, 0, EVERY, {1}},
    {2, 1, 8, 0, 0, ALIBI_PLAIN, 0, EVERY, {1, 33, 2, 31, 32}},
    {3, 3, 64, 0, 0, ALIBI_NONE, 0, EVERY, {70, 1, 29}},
    {6, 2, 80, 0, 0, ALIBI_NONE, 0, EVERY, {34, 40}},
    {4, 2, 33, 5.0f, 0, ALIBI_PLAIN, 0, EVERY, {20, 45}},
    {3, 1, 128, 0, 40, ALIBI_NONE, 0, EVERY, {100, 3}},
    {2, 2, 16, 0, 1, ALIBI_NONE, 0, EVERY, {5, 66}},
    {4, 1, 32, 30.0f, 7, ALIBI_NONE, 0, EVERY, {97}},
    {2, 2, 96, 0, 33, ALIBI_PLAIN, 0, EVERY, {65, 64, 63}},
    {3, 3, 20, 0, 0, ALIBI_ROUNDED, 0, EVERY, {300, 5}},
    {4, 2, 64, 0, 0, ALIBI_ROUNDED, 0.1f, EVERY, {70, 33}},
    {2, 1, 17, 0, 32, ALIBI_NONE, 0.25f, EVERY, {40, 65}},
    {2, 2, 64, 10.0f, 0, ALIBI_PLAIN, 0.1f, EVERY, {7, 50, 33}},
    {6, 3, 32, 0, 0, ALIBI_NONE, 0.5f, EVERY, {64, 12}},
    {1, 1, 512, 0, 0, ALIBI_NONE, 0, EVERY, {35}},
    {12, 12, 64, 0, 0, ALIBI_NONE, 0, BENCH, {1024}},
    {12, 12, 64, 0, 0, ALIBI_NONE, 0.1f, BENCH, {1024}},
    {9, 3, 64, 0, 0, ALIBI_NONE, 0, BENCH, {29, 29, 29, 29, 29, 29}},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, LONGEST = 1024 };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "H %zu, G %zu, D %zu, softcap %g, window %zu%s, dropout %g, %d tokens first", s->H, s->G, s->D,
             (double)s->softcap, s->window,
             s->alibi == ALIBI_ROUNDED ? ", rounded alibi"
             : s->alibi                ? ", alibi"
                                       : "",
             (double)s->dropout, (int)s->lengths[0]);
    return s->use;
}

/* All sequences in double precision: inputs, y, gradients of qkv, and what their errors are measured by. */
typedef struct problem {
    const shape *s;
    size_t n_sequences, n_rows, width;
    pl_dtype type; /* of activations */
    float scale, *qkv, *dy, *slopes;
    double *x, *y, *y_size, *dx, *size;
    pl_dropout dropout;
    int32_t *examples;
} problem;

static problem problem_create(const shape *s, pl_dtype type)
{
    problem p = {.s = s, .width = (s->H + 2 * s->G) * s->D, .type = type, .scale = (float)(1.5 / sqrt((double)s->D))};
    while (p.n_sequences < 6 && s->lengths[p.n_sequences]) p.n_rows += (size_t)s->lengths[p.n_sequences++];
    p.qkv = normals(p.n_rows * p.width, 1, 1.0);
    p.dy = normals(p.n_rows * s->H * s->D, 2, 1.0);
    representable(p.qkv, p.n_rows * p.width, type);
    representable(p.dy, p.n_rows * s->H * s->D, type);
    p.slopes = (float *)malloc(s->H * sizeof(float));
    for (size_t h = 0; h < s->H; h++) p.slopes[h] = (float)exp2(-(double)(h + 1));
    round_slopes(p.slopes, s->H, s->alibi);
    p.x = (double *)malloc(p.n_rows * p.width * sizeof(double));
    for (size_t i = 0; i < p.n_rows * p.width; i++) p.x[i] = (double)p.qkv[i];
    p.y = (double *)calloc(p.n_rows * s->H * s->D, sizeof(double));
    p.y_size = (double *)calloc(p.n_rows * s->H * s->D, sizeof(double));
    p.dx = (double *)calloc(p.n_rows * p.width, sizeof(double));
    p.size = (double *)malloc(p.n_rows * p.width * sizeof(double));
    for (size_t i = 0; i < p.n_rows * p.width; i++) p.size[i] = 1e-12; /* a row whose weights were all dropped is 0 */
    p.examples = (int32_t *)malloc(p.n_rows * 4);
    size_t row = 0;
    for (size_t q = 0; q < p.n_sequences; q++) {
        for (int32_t i = 0; i < s->lengths[q]; i++) p.examples[row++] = (int32_t)(q * 7919 + 3);
    }
    return p;
}

static void problem_free(problem *p)
{
    void *all[] = {p->qkv, p->dy, p->slopes, p->x, p->y, p->y_size, p->dx, p->size, p->examples};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* What one query sees: weights, masks and softcap's slopes of keys from..i. */
typedef struct seen {
    size_t from;
    double p[LONGEST], mask[LONGEST], bend[LONGEST], largest;
} seen;

static void look(const problem *p, seen *w, size_t first, size_t i, size_t h)
{
    const shape *s = p->s;
    const size_t kv = s->H + h / (s->H / s->G);
    const double *q = p->x + (first + i) * p->width + h * s->D;
    double most = -INFINITY, sum = 0;
    w->from = s->window && i + 1 > s->window ? i + 1 - s->window : 0;
    w->largest = 0;
    for (size_t j = w->from; j <= i; j++) {
        const double *k = p->x + (first + j) * p->width + kv * s->D;
        double z = 0;
        for (size_t d = 0; d < s->D; d++) z += q[d] * k[d];
        z *= (double)p->scale;
        w->bend[j] = 1.0;
        if (s->softcap > 0) {
            const double bent = tanh(z / (double)s->softcap);
            w->bend[j] = 1.0 - bent * bent;
            z = (double)s->softcap * bent;
        }
        z += alibi_of(s->alibi, p->slopes[h], p->scale, j, i);
        w->p[j] = z;
        w->mask[j] = mask_factor(&p->dropout, p->examples[first + i], (int32_t)i, (uint32_t)(h << 20 | j));
        w->largest = fabs(z) > w->largest ? fabs(z) : w->largest;
        most = z > most ? z : most;
    }
    for (size_t j = w->from; j <= i; j++) sum += w->p[j] = exp(w->p[j] - most);
    for (size_t j = w->from; j <= i; j++) w->p[j] /= sum;
}

/* u, and half of the smallest number, of the 16-bit types. */
static double unit_of(pl_dtype type)
{
    return pl_dtype_bytes(type) == 2 ? ldexp(1.0, -fraction_bits(type)) : 0.0;
}
static double least_of(pl_dtype type)
{
    return type == PL_F16 ? ldexp(1.0, -25) : 0.0;
}

static void attend(problem *p, size_t first, size_t i, size_t h)
{
    const shape *s = p->s;
    const size_t group = s->H / s->G, k_column = (s->H + h / group) * s->D, v_column = k_column + s->G * s->D;
    double *y = p->y + ((first + i) * s->H + h) * s->D, *size = p->y_size + ((first + i) * s->H + h) * s->D;
    seen w;
    look(p, &w, first, i, h);
    for (size_t d = 0; d < s->D; d++) y[d] = size[d] = 0;
    for (size_t j = w.from; j <= i; j++) {
        const double *v = p->x + (first + j) * p->width + v_column, weight = w.p[j] * w.mask[j];
        for (size_t d = 0; d < s->D; d++) {
            y[d] += weight * v[d];
            size[d] += (unit_of(p->type) * weight + least_of(p->type)) * fabs(v[d]);
        }
    }
    /* |s| below 9, |v| below 5 */
    for (size_t d = 0; d < s->D; d++) size[d] += ldexp(64.0 * 10.0 * 5.0, -24) + stored(y[d], p->type);
}

static void go_back(problem *p, size_t first, size_t i, size_t h)
{
    const shape *s = p->s;
    const size_t D = s->D, group = s->H / s->G, k_column = (s->H + h / group) * D, v_column = k_column + s->G * D;
    const size_t own = (first + i) * p->width + h * D;
    const float *dy = p->dy + ((first + i) * s->H + h) * D;
    const double half = unit_of(p->type), least = least_of(p->type);
    double dp[LONGEST], big[LONGEST], inner = 0, mean = 0;
    seen w;
    look(p, &w, first, i, h);
    for (size_t j = w.from; j <= i; j++) {
        const double *v = p->x + (first + j) * p->width + v_column;
        dp[j] = big[j] = 0;
        for (size_t d = 0; d < D; d++) {
            dp[j] += w.mask[j] * (double)dy[d] * v[d];
            big[j] += w.mask[j] * fabs((double)dy[d] * v[d]);
        }
        inner += w.p[j] * dp[j];
        mean += w.p[j] * big[j];
    }
    for (size_t j = w.from; j <= i; j++) {
        const size_t key = (first + j) * p->width + k_column, value = (first + j) * p->width + v_column;
        const double unit = ldexp(64.0 * (1.0 + w.largest), -24) * w.p[j], scale = (double)p->scale;
        const double ds = w.p[j] * (dp[j] - inner) * w.bend[j] * scale;
        const double size =
            unit * (big[j] + mean) * scale + half * fabs(ds) + 2.0 * half * w.p[j] * mean * scale + least * scale;
        for (size_t d = 0; d < D; d++) {
            p->dx[own + d] += ds * p->x[key + d];
            p->size[own + d] += size * fabs(p->x[key + d]);
            p->dx[key + d] += ds * p->x[own + d];
            p->size[key + d] += size * fabs(p->x[own + d]);
            p->dx[value + d] += w.p[j] * w.mask[j] * (double)dy[d];
            p->size[value + d] +=
                ((unit + half * w.p[j]) * w.mask[j] + (w.mask[j] > 0 ? least : 0.0)) * fabs((double)dy[d]);
        }
    }
}

static void over_queries(problem *p, void (*what)(problem *, size_t, size_t, size_t))
{
    size_t first = 0;
    for (size_t q = 0; q < p->n_sequences; q++) {
        for (size_t i = 0; i < (size_t)p->s->lengths[q]; i++) {
            for (size_t h = 0; h < p->s->H; h++) what(p, first, i, h);
        }
        first += (size_t)p->s->lengths[q];
    }
}

static double loss(void *context)
{
    problem *p = (problem *)context;
    double sum = 0;
    over_queries(p, attend);
    for (size_t i = 0; i < p->n_rows * p->s->H * p->s->D; i++) sum += (double)p->dy[i] * p->y[i];
    return sum;
}

/* The views of both ops over some sequences, rows from `first` on. */
typedef struct run_of {
    packed_sequences sequences;
    pl_kv *kv;
    pl_view qkv, y, lse, dy, dqkv, alibi, workspace;
    pl_attention_args forward;
    pl_attention_backward_args backward;
    pl_dropout dropout;
} run_of;

static void run_create(run_of *r, const world *w, const problem *p, size_t from, size_t n, size_t first)
{
    enum { SPARE = 2 };
    const shape *s = p->s;
    *r = (run_of){.sequences = sequences_create(w, s->lengths + from, n)};
    const size_t rows = r->sequences.b.n_tokens, HD = s->H * s->D;
    const pl_view none = {0};
    r->qkv = numbers(w, rows, SPARE, p->width, w->type, p->qkv + first * p->width);
    r->dy = numbers(w, rows, SPARE, HD, w->type, p->dy + first * HD);
    r->y = guarded(w, rows + SPARE, HD, w->type, NULL);
    r->lse = guarded(w, rows + SPARE, s->H, PL_F32, NULL);
    r->dqkv = guarded(w, rows + SPARE, p->width, w->type, NULL);
    r->alibi = guarded(w, 1, s->H, PL_F32, p->slopes);
    r->workspace =
        workspace_of(w, w->processor.ops->attention_backward_workspace_bytes(rows + SPARE, s->H, s->G, s->D));
    r->dropout = dropout_create(w, s->dropout, 5, PL_DROPOUT_ATTENTION, rows, p->examples + first);
    must(w->processor.ops->kv_create(w->processor.device, &r->kv, 1, s->G, s->D, n * r->sequences.pages, w->type));
    r->forward = (pl_attention_args){.batch = &r->sequences.b.batch,
                                     .kv = r->kv,
                                     .n_heads = s->H,
                                     .scale = p->scale,
                                     .softcap = s->softcap,
                                     .window = s->window,
                                     .alibi = s->alibi ? r->alibi : none,
                                     .alibi_scale = s->alibi == ALIBI_ROUNDED ? p->scale : 0,
                                     .qkv = pl_view_rows(r->qkv, 0, rows),
                                     .y = r->y,
                                     .lse = r->lse,
                                     .dropout = r->dropout};
    r->backward = (pl_attention_backward_args){.batch = &r->sequences.b.batch,
                                               .n_sequences = r->sequences.n_sequences,
                                               .sequences = r->sequences.sequences,
                                               .n_heads = s->H,
                                               .n_kv_heads = s->G,
                                               .head_width = s->D,
                                               .scale = p->scale,
                                               .softcap = s->softcap,
                                               .window = s->window,
                                               .alibi = r->forward.alibi,
                                               .alibi_scale = r->forward.alibi_scale,
                                               .dropout = r->dropout,
                                               .qkv = pl_view_rows(r->qkv, 0, rows),
                                               .y = r->y,
                                               .lse = r->lse,
                                               .dy = r->dy,
                                               .dqkv = r->dqkv,
                                               .workspace = r->workspace};
    const pl_kv_write_args write = {r->forward.batch, r->kv, 0, r->forward.qkv};
    must(pl_op_kv_write(&w->processor, w->stream, &write));
    must(pl_op_attention(&w->processor, w->stream, &r->forward));
}

static void run_free(const world *w, run_of *r)
{
    w->processor.ops->kv_free(r->kv);
    RELEASE(w, &r->qkv, &r->y, &r->lse, &r->dy, &r->dqkv, &r->alibi, &r->workspace);
    dropout_free(w, &r->dropout);
    sequences_free(w, &r->sequences);
}

/* The formula against finite differences, at some elements of queries, keys and values; once a case. */
static void check_formula(problem *p)
{
    static bool done[SHAPES];
    if (done[p->s - shapes]) return;
    done[p->s - shapes] = true;
    for (size_t k = 0; k < 8; k++) {
        const size_t at = pl_random_below(11, PL_RANDOM_TEST, 0, k, (uint32_t)(p->n_rows * p->width));
        check_slope("dqkv", loss, p, &p->x[at], p->dx[at]);
    }
}

/* Every sequence by itself gives the bits that it has among others. */
static void check_alone(const world *w, const problem *p, const float *together)
{
    for (size_t q = 0, first = 0; q < p->n_sequences; first += (size_t)p->s->lengths[q++]) {
        run_of r;
        run_create(&r, w, p, q, 1, first);
        must(pl_op_attention_backward(&w->processor, w->stream, &r.backward));
        float *got = fetch_numbers(w, pl_view_rows(r.dqkv, 0, r.sequences.b.n_tokens));
        assert_memory_equal(got, together + first * p->width, (size_t)p->s->lengths[q] * p->width * sizeof *got);
        free(got);
        run_free(w, &r);
    }
}

/* attention's y with dropout; without it test_attention looks closer */
static void check_forward(const world *w, const problem *p, pl_view y)
{
    float *got = fetch_numbers(w, pl_view_rows(y, 0, p->n_rows));
    check_close("attention's y", got, p->y, p->y_size, p->n_rows * p->s->H * p->s->D);
    free(got);
}

static void run(const world *w, size_t k)
{
    if (w->cuda && shapes[k].D > 256) return; /* test_wide_heads */
    problem p = problem_create(&shapes[k], w->type);
    run_of r;
    run_create(&r, w, &p, 0, p.n_sequences, 0);
    double pairs = 0;
    for (size_t q = 0; q < p.n_sequences; q++) pairs += 0.5 * p.s->lengths[q] * (p.s->lengths[q] + 1.0);
    RUN_OP(w, attention_backward, &r.backward, 0, 10.0 * pairs * (double)(p.s->H * p.s->D));
    if (!w->timing) {
        float *got = fetch_numbers(w, pl_view_rows(r.dqkv, 0, p.n_rows));
        p.dropout = r.dropout;
        over_queries(&p, attend);
        over_queries(&p, go_back);
        for (size_t i = 0; i < p.n_rows * p.width; i++) p.size[i] += stored(p.dx[i], p.type);
        check_forward(w, &p, r.y);
        check_close("dqkv", got, p.dx, p.size, p.n_rows * p.width);
        check_guards(w, r.dqkv);
        check_guards(w, r.workspace);
        check_untouched(w, r.dqkv, p.n_rows);
        same_bits("dqkv", got, p.n_rows * p.width * sizeof *got);
        check_alone(w, &p, got);
        check_formula(&p);
        free(got);
    }
    run_free(w, &r);
    problem_free(&p);
}

static const case_table table = {
    .op = "attention_backward", .n = SHAPES, .tf32 = true, .describe = describe, .run = run};

/* CUDA has no heads wider than 256, and says so. */
static void test_wide_heads(void **state)
{
    (void)state;
    world w = world_open(1);
    w.compute = w.type = PL_F32;
    const shape s = {.H = 1, .G = 1, .D = 8, .lengths = {3}};
    problem p = problem_create(&s, PL_F32);
    run_of r;
    run_create(&r, &w, &p, 0, 1, 0);
    pl_view wide = guarded(&w, 3, 3 * 257, PL_F32, NULL), narrow = guarded(&w, 3, 257, PL_F32, NULL);
    pl_attention_backward_args args = r.backward;
    args.head_width = 257;
    args.qkv = args.dqkv = wide;
    args.y = args.dy = narrow;
    if (w.cuda) {
        assert_int_equal(pl_op_attention_backward(&w.processor, w.stream, &args), PL_E_UNSUPPORTED);
        assert_string_equal(pl_error_text(), "attention_backward: heads of width 257: CUDA has 1 to 256");
    }
    RELEASE(&w, &wide, &narrow);
    run_free(&w, &r);
    problem_free(&p);
    world_close(&w);
}

/* PyTorch's gradients (tests/golden/device/gradients.py). Two sums of a few dozen products of numbers of order 1. */
static void test_golden(void **state)
{
    (void)state;
    golden g = golden_open("tests/golden/device/attention.txt");
    world w = world_open(2);
    w.compute = w.type = PL_F32;
    const float *sizes = golden_get(&g, "sizes", 5); /* H, G, D, then the lengths of two sequences */
    shape s = {.H = (size_t)sizes[0], .G = (size_t)sizes[1], .D = (size_t)sizes[2]};
    s.lengths[0] = (int32_t)sizes[3];
    s.lengths[1] = (int32_t)sizes[4];
    problem p = problem_create(&s, PL_F32);
    const size_t n = p.n_rows * p.width, n_y = p.n_rows * s.H * s.D;
    memcpy(p.qkv, golden_get(&g, "qkv", n), n * sizeof(float));
    memcpy(p.dy, golden_get(&g, "dy", n_y), n_y * sizeof(float));
    p.scale = golden_get(&g, "scale", 1)[0];
    run_of r;
    run_create(&r, &w, &p, 0, 2, 0);
    must(pl_op_attention_backward(&w.processor, w.stream, &r.backward));
    golden_check(&w, &g, "y", pl_view_rows(r.y, 0, p.n_rows), 2e-6);
    golden_check(&w, &g, "dqkv", pl_view_rows(r.dqkv, 0, p.n_rows), 1e-5);
    run_free(&w, &r);
    problem_free(&p);
    world_close(&w);
    golden_close(&g);
}

static void test_refusals(void **state)
{
    (void)state;
    world w = world_open(1);
    w.compute = w.type = PL_F32;
    const shape s = {.H = 2, .G = 1, .D = 8, .lengths = {3, 4}};
    problem p = problem_create(&s, PL_F32);
    run_of r;
    run_create(&r, &w, &p, 0, 2, 0);
    const int32_t wrong[][4] = {{0, 3, 4, 3}, {0, 3, 3, 5}, {0, 3, 3, 3}, {1, 2, 3, 4}, {0, 4, 4, 3}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong && !w.cuda; i++) {
        send(&w, pl_view_rows(r.sequences.sequences, 0, 2), wrong[i]);
        assert_int_equal(pl_op_attention_backward(&w.processor, w.stream, &r.backward), PL_E_INTERNAL);
    }
    run_free(&w, &r);
    problem_free(&p);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table), cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_refusals), cmocka_unit_test(test_wide_heads)};
    return CASES_MAIN(argc, argv, &table, tests);
}
