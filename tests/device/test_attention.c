/* attention over pages, with kv_write filling them: values against double precision, and promise 1: a row's bits are
 * the same however its sequence is cut into batches, packed with others, mapped to pages, or spread over threads.
 *
 * Bound: scores are sums of D products of numbers of order 1, off by a few 2^-24 sqrt(D) |s|; weights carry that error,
 * and the result is a weighted mean of values: 64 2^-24 (1 + |s|max) max|v| covers it with room. In a 16-bit type the
 * inputs are representable, so scores and lse have the same bounds; weights may be rounded to the type for the second
 * product (half a last bit of each weight: that much of the mean of |v|; float16's smallest number for each key), and
 * so is the result. */
#include "alibi.h"
#include "cases.h"

typedef struct shape {
    size_t H, G, D;
    float softcap;
    size_t window;
    alibi_kind alibi;
    case_use use;
    size_t n_sequences, prefix, length; /* when timed: sequences after a shared prefix */
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, 0, ALIBI_NONE, EVERY, 2, 0, 32},        {2, 1, 8, 0, 0, ALIBI_PLAIN, EVERY, 2, 0, 32},
    {4, 4, 64, 0, 0, ALIBI_NONE, EVERY, 2, 0, 32},       {6, 2, 80, 0, 0, ALIBI_NONE, EVERY, 2, 0, 32},
    {4, 2, 33, 5.0f, 0, ALIBI_PLAIN, EVERY, 2, 0, 32},   {3, 1, 128, 0, 40, ALIBI_NONE, EVERY, 2, 0, 32},
    {2, 2, 16, 0, 1, ALIBI_NONE, EVERY, 2, 0, 32},       {100, 1, 4, 0, 0, ALIBI_NONE, LARGE, 2, 0, 32},
    {2, 1, 256, 0, 0, ALIBI_NONE, EVERY, 2, 0, 32},      {4, 1, 32, 30.0f, 7, ALIBI_NONE, EVERY, 2, 0, 32},
    {2, 2, 64, 0, 33, ALIBI_PLAIN, EVERY, 2, 0, 32},     {3, 3, 20, 0, 0, ALIBI_ROUNDED, EVERY, 2, 0, 32},
    {4, 2, 64, 0, 0, ALIBI_ROUNDED, EVERY, 2, 0, 32},    {3, 3, 17, 0, 32, ALIBI_NONE, EVERY, 2, 0, 32},
    {7, 1, 24, 0, 0, ALIBI_NONE, EVERY, 2, 40, 32},      {2, 1, 96, 0, 0, ALIBI_NONE, LARGE, 2, 0, 32},
    {12, 12, 64, 0, 0, ALIBI_NONE, BENCH, 16, 0, 512},   {32, 8, 128, 0, 0, ALIBI_NONE, BENCH, 4, 0, 2048},
    {12, 12, 64, 0, 0, ALIBI_NONE, BENCH, 256, 1000, 8}, {32, 8, 128, 0, 0, ALIBI_NONE, BENCH, 64, 1000, 32},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "H %zu, G %zu, D %zu, softcap %g, window %zu%s; timed: %zu * %zu tokens after %zu", s->H, s->G,
             s->D, (double)s->softcap, s->window,
             s->alibi == ALIBI_ROUNDED ? ", rounded alibi"
             : s->alibi                ? ", alibi"
                                       : "",
             s->n_sequences, s->length, s->prefix);
    return s->use;
}

enum { PATHS = 4, PAGES = 8 };

/* Lengths of the sequences, and plans of batches: spans of one batch each end with a path of -1. */
typedef struct plan_set {
    int32_t lengths[PATHS];
    span plans[3][12];
} plan_set;

static const plan_set plan_sets[2] = {
    {{1, 33, 100, 230},
     {/* every sequence by itself */
      {{0, 0, 1}, {-1, 0, 0}, {1, 0, 33}, {-1, 0, 0}, {2, 0, 100}, {-1, 0, 0}, {3, 0, 230}, {-1, 0, 0}},
      /* all together, in another order */
      {{3, 0, 230}, {0, 0, 1}, {2, 0, 100}, {1, 0, 33}, {-1, 0, 0}},
      /* prefixes that end inside a page, at its end, and single tokens */
      {{3, 0, 45},
       {2, 0, 64},
       {-1, 0, 0},
       {2, 64, 1},
       {3, 45, 100},
       {1, 0, 32},
       {-1, 0, 0},
       {1, 32, 1},
       {3, 145, 85},
       {2, 65, 35},
       {0, 0, 1},
       {-1, 0, 0}}}},
    /* the same for slow devices */
    {{1, 33, 65, 97},
     {{{0, 0, 1}, {-1, 0, 0}, {1, 0, 33}, {-1, 0, 0}, {2, 0, 65}, {-1, 0, 0}, {3, 0, 97}, {-1, 0, 0}},
      {{3, 0, 97}, {0, 0, 1}, {2, 0, 65}, {1, 0, 33}, {-1, 0, 0}},
      {{3, 0, 45},
       {2, 0, 64},
       {-1, 0, 0},
       {2, 64, 1},
       {3, 45, 30},
       {1, 0, 32},
       {-1, 0, 0},
       {1, 32, 1},
       {3, 75, 22},
       {0, 0, 1},
       {-1, 0, 0}}}},
};

static const plan_set *plan_set_of_device(void)
{
    return &plan_sets[on_emulator()];
}

/* The inputs of all sequences and what attention makes of them. */
typedef struct problem {
    const shape *s;
    const int32_t *lengths;
    size_t width, n_rows, first[PATHS]; /* columns of qkv; rows of all sequences; a sequence's first row */
    float scale, *qkv, *slopes;         /* [n_rows, width], [H] */
    double *y, *y_bound, *lse;          /* [n_rows, H D], [n_rows, H] */
} problem;

static double score_of(const problem *p, size_t sequence, size_t i, size_t j, size_t h)
{
    const shape *s = p->s;
    const float *q = p->qkv + (p->first[sequence] + i) * p->width + h * s->D;
    const float *k = p->qkv + (p->first[sequence] + j) * p->width + (s->H + h / (s->H / s->G)) * s->D;
    double sum = 0;
    for (size_t d = 0; d < s->D; d++) sum += (double)q[d] * (double)k[d];
    sum *= (double)p->scale;
    if (s->softcap > 0) sum = (double)s->softcap * tanh(sum / (double)s->softcap);
    return sum + alibi_of(s->alibi, p->slopes[h], p->scale, j, i);
}

static void attend(problem *p, pl_dtype type, size_t sequence, size_t i, size_t h)
{
    const shape *s = p->s;
    size_t row = p->first[sequence] + i, from = s->window && i + 1 > s->window ? i + 1 - s->window : 0;
    double scores[PAGES * PL_PAGE], most = -INFINITY, sum = 0, largest = 0, top = 0;
    double *y = p->y + (row * s->H + h) * s->D, *bound = p->y_bound + (row * s->H + h) * s->D;
    for (size_t j = from; j <= i; j++) {
        scores[j] = score_of(p, sequence, i, j, h);
        most = scores[j] > most ? scores[j] : most;
        largest = fabs(scores[j]) > largest ? fabs(scores[j]) : largest;
    }
    for (size_t j = from; j <= i; j++) {
        double weight = exp(scores[j] - most);
        const float *v = p->qkv + (p->first[sequence] + j) * p->width + (s->H + s->G + h / (s->H / s->G)) * s->D;
        sum += weight;
        for (size_t d = 0; d < s->D; d++) {
            y[d] += weight * (double)v[d];
            bound[d] += weight * fabs((double)v[d]); /* of which weights in 16 bits lose half a last bit */
            top = fabs((double)v[d]) > top ? fabs((double)v[d]) : top;
        }
    }
    for (size_t d = 0; d < s->D; d++) {
        y[d] /= sum;
        bound[d] = pl_dtype_bytes(type) == 2 ? ldexp(bound[d] / sum, -fraction_bits(type)) : 0.0;
        if (type == PL_F16) bound[d] += ldexp((double)(i + 1 - from) * top, -25);
        bound[d] += ldexp(64.0 * (1.0 + largest) * top, -24) + stored(y[d], type);
    }
    p->lse[row * s->H + h] = most + log(sum);
}

static problem problem_create(const shape *s, pl_dtype type)
{
    problem p = {.s = s,
                 .lengths = plan_set_of_device()->lengths,
                 .width = (s->H + 2 * s->G) * s->D,
                 .scale = (float)(1.5 / sqrt((double)s->D))};
    for (size_t i = 0; i < PATHS; i++) {
        p.first[i] = p.n_rows;
        p.n_rows += (size_t)p.lengths[i];
    }
    p.qkv = normals(p.n_rows * p.width, 1, 1.0);
    representable(p.qkv, p.n_rows * p.width, type);
    p.slopes = (float *)malloc(s->H * sizeof(float));
    for (size_t h = 0; h < s->H; h++) p.slopes[h] = (float)exp2(-(double)(h + 1));
    round_slopes(p.slopes, s->H, s->alibi);
    p.y = (double *)calloc(p.n_rows * s->H * s->D, sizeof(double));
    p.y_bound = (double *)calloc(p.n_rows * s->H * s->D, sizeof(double));
    p.lse = (double *)calloc(p.n_rows * s->H, sizeof(double));
    for (size_t q = 0; q < PATHS; q++) {
        for (size_t i = 0; i < (size_t)p.lengths[q]; i++) {
            for (size_t h = 0; h < s->H; h++) attend(&p, type, q, i, h);
        }
    }
    return p;
}

static void problem_free(problem *p)
{
    free(p->qkv);
    free(p->slopes);
    free(p->y);
    free(p->y_bound);
    free(p->lse);
}

/* One batch of some spans: kv_write, then attention; rows go to y and lse where they belong. */
static void run_batch(const world *w, const problem *p, pl_kv *kv, const span *spans, size_t n, const int32_t *table,
                      float *y, float *lse)
{
    enum { SPARE = 2 };
    const shape *s = p->s;
    size_t layer = 1, HD = s->H * s->D;
    batch_of b = batch_create(w, spans, n, table, PATHS, PAGES);
    float *qkv = (float *)malloc(b.n_tokens * p->width * sizeof(float));
    for (size_t r = 0; r < b.n_tokens; r++) {
        size_t row = p->first[b.paths[r]] + (size_t)b.positions[r];
        memcpy(qkv + r * p->width, p->qkv + row * p->width, p->width * sizeof(float));
    }
    pl_view qkvv = numbers(w, b.n_tokens, SPARE, p->width, w->type, qkv);
    pl_view yv = guarded(w, b.n_tokens + SPARE, HD, w->type, NULL);
    pl_view lsev = guarded(w, b.n_tokens + SPARE, s->H, PL_F32, NULL), alibi = guarded(w, 1, s->H, PL_F32, p->slopes),
            none = {0};
    pl_kv_write_args write = {&b.batch, kv, layer, qkvv};
    must(pl_op_kv_write(&w->processor, w->stream, &write));
    pl_attention_args args = {.batch = &b.batch,
                              .kv = kv,
                              .layer = layer,
                              .n_heads = s->H,
                              .scale = p->scale,
                              .softcap = s->softcap,
                              .window = s->window,
                              .alibi = s->alibi ? alibi : none,
                              .alibi_scale = s->alibi == ALIBI_ROUNDED ? p->scale : 0,
                              .qkv = qkvv,
                              .y = yv,
                              .lse = lsev};
    must(pl_op_attention(&w->processor, w->stream, &args));
    float *got = fetch_numbers(w, yv), *got_lse = (float *)fetch(w, lsev);
    check_guards(w, yv);
    check_guards(w, lsev);
    check_untouched(w, yv, b.n_tokens);
    check_untouched(w, lsev, b.n_tokens);
    for (size_t r = 0; r < b.n_tokens; r++) {
        size_t row = p->first[b.paths[r]] + (size_t)b.positions[r];
        memcpy(y + row * HD, got + r * HD, HD * sizeof(float));
        memcpy(lse + row * s->H, got_lse + r * s->H, s->H * sizeof(float));
    }
    free(got);
    free(got_lse);
    free(qkv);
    RELEASE(w, &qkvv, &yv, &lsev, &alibi);
    batch_free(w, &b);
}

static void run_plan(const world *w, const problem *p, size_t plan, float *y, float *lse)
{
    const span *spans = plan_set_of_device()->plans[plan % 3], *begin = spans;
    pl_kv *kv;
    int32_t table[PATHS * PAGES];
    for (size_t j = 0; j < PATHS * PAGES; j++) table[j] = (int32_t)((j * 13 + plan * 5) % (PATHS * PAGES));
    must(w->processor.ops->kv_create(w->processor.device, &kv, 2, p->s->G, p->s->D, PATHS * PAGES, w->type));
    for (const span *at = spans; at < spans + 12 && (at->n || at->path < 0); at++) {
        if (at->path >= 0) continue;
        run_batch(w, p, kv, begin, (size_t)(at - begin), table, y, lse);
        begin = at + 1;
    }
    w->processor.ops->kv_free(kv);
}

static void check_values(const problem *p, float *y, float *lse)
{
    size_t n = p->n_rows * p->s->H * p->s->D, n_lse = p->n_rows * p->s->H;
    check_close("attention", y, p->y, p->y_bound, n);
    double *bound = (double *)malloc(n_lse * sizeof(double));
    for (size_t j = 0; j < n_lse; j++) bound[j] = ldexp(32.0 * (1.0 + fabs(p->lse[j])), -24);
    check_close("attention's lse", lse, p->lse, bound, n_lse);
    free(bound);
}

/* The three plans at odd and even places in turn; on the CPU again on two threads, the places exchanged. */
static void check_case(const world *w, const shape *s)
{
    problem p = problem_create(s, w->type);
    size_t n = p.n_rows * s->H * s->D, n_lse = p.n_rows * s->H;
    float *y = (float *)malloc(n * sizeof(float)), *lse = (float *)malloc(n_lse * sizeof(float));
    float *first = (float *)malloc(n * sizeof(float)), *first_lse = (float *)malloc(n_lse * sizeof(float));
    world two = w->cuda ? *w : world_open(2);
    for (size_t plan = 0; plan < (on_emulator() ? 3 : 6); plan++) {
        world v = plan < 3 ? *w : two;
        v.aligned = plan % 2;
        run_plan(&v, &p, plan, y, lse);
        if (plan == 0) {
            memcpy(first, y, n * sizeof(float));
            memcpy(first_lse, lse, n_lse * sizeof(float));
            check_values(&p, y, lse);
        }
        if (memcmp(y, first, n * sizeof(float)) || memcmp(lse, first_lse, n_lse * sizeof(float))) {
            fail_case("plan %zu gives other bits than every sequence by itself", plan);
        }
        memset(y, 0, n * sizeof(float));
    }
    if (!w->cuda) world_close(&two);
    free(y);
    free(lse);
    free(first);
    free(first_lse);
    problem_free(&p);
}

/* Sequences of equal length after a prefix they share. */
static void time_case(const world *w, const shape *s)
{
    size_t pages = (s->prefix + s->length + PL_PAGE - 1) / PL_PAGE, shared = s->prefix / PL_PAGE, n = s->n_sequences;
    size_t n_tokens = n * s->length, width = (s->H + 2 * s->G) * s->D, n_pages = n * pages;
    int32_t *table = (int32_t *)malloc(n_pages * 4);
    span *spans = (span *)malloc(n * sizeof *spans), prefix = {0, 0, (int32_t)s->prefix};
    for (size_t i = 0; i < n_pages; i++) table[i] = (int32_t)(i % pages < shared ? i % pages : i);
    for (size_t i = 0; i < n; i++) spans[i] = (span){(int32_t)i, (int32_t)s->prefix, (int32_t)s->length};
    size_t most = n_tokens > s->prefix ? n_tokens : s->prefix;
    float *x = normals(most * width, 1, 1.0);
    representable(x, most * width, w->type);
    pl_view qkv = numbers(w, most, 0, width, w->type, x), y = guarded(w, n_tokens, s->H * s->D, w->type, NULL);
    pl_kv *kv;
    must(w->processor.ops->kv_create(w->processor.device, &kv, 1, s->G, s->D, n_pages, w->type));
    batch_of before = batch_create(w, &prefix, s->prefix > 0, table, n, pages);
    batch_of b = batch_create(w, spans, n, table, n, pages);
    pl_kv_write_args write = {&before.batch, kv, 0, qkv};
    if (s->prefix) must(pl_op_kv_write(&w->processor, w->stream, &write));
    write.batch = &b.batch;
    must(pl_op_kv_write(&w->processor, w->stream, &write));
    pl_attention_args args = {.batch = &b.batch,
                              .kv = kv,
                              .n_heads = s->H,
                              .scale = 0.1f,
                              .softcap = s->softcap,
                              .window = s->window,
                              .qkv = qkv,
                              .y = y};
    size_t keys =
        s->length * s->prefix + s->length * (s->length + 1) / 2; /* seen, of a sequence; windows not counted */
    RUN_OP(w, attention, &args, 2 * n_tokens * s->H * s->D * pl_dtype_bytes(w->type), 4 * n * keys * s->H * s->D);
    w->processor.ops->kv_free(kv);
    RELEASE(w, &qkv, &y);
    batch_free(w, &before);
    batch_free(w, &b);
    free(table);
    free(spans);
    free(x);
}

static void run(const world *w, size_t i)
{
    if (w->timing)
        time_case(w, &shapes[i]);
    else
        check_case(w, &shapes[i]);
}

/* A key or value that is not finite reaches the rows that see it and no others: neither earlier rows of its own run,
 * nor rows whose window has left it behind, nor a later use of the page that ends before it. */
static void check_unseen(const world *w, size_t window)
{
    const shape s = {3, 1, 24, 0, window, false, EVERY, 0, 0, 0};
    problem p = problem_create(&s, w->type);
    size_t HD = s.H * s.D, n = p.n_rows * HD;
    int32_t length = p.lengths[2], bad = length - 24;
    float *clean = (float *)calloc(n, sizeof(float)), *y = (float *)calloc(n, sizeof(float));
    float *lse = (float *)calloc(p.n_rows * s.H, sizeof(float));
    float *key = p.qkv + (p.first[2] + (size_t)bad) * p.width + s.H * s.D, *value = key + s.G * s.D + 5;
    const float bads[] = {NAN, INFINITY};
    const span whole = {2, 0, length}, head = {2, 0, bad};
    int32_t table[PATHS * PAGES];
    for (size_t j = 0; j < PATHS * PAGES; j++) table[j] = (int32_t)j;
    for (int round = 0; round < 5; round++) { /* clean, then a key and a value, NaN and inf */
        pl_kv *kv;
        must(w->processor.ops->kv_create(w->processor.device, &kv, 2, s.G, s.D, PATHS * PAGES, w->type));
        float *at = round % 2 ? key : value, keep = *at;
        if (round) *at = bads[(round - 1) / 2];
        run_batch(w, &p, kv, &whole, 1, table, round ? y : clean, lse);
        *at = keep;
        for (int32_t i = 0; round && i < length; i++) {
            const float *row = y + (p.first[2] + (size_t)i) * HD, *clean_row = clean + (p.first[2] + (size_t)i) * HD;
            bool sees = i >= bad && (!window || i < bad + (int32_t)window);
            if (sees && round != 3) /* a key of inf may have weight 0 */
                assert_false(isfinite(row[HD - s.D + 5]));
            else if (!sees)
                assert_memory_equal(row, clean_row, HD * sizeof(float));
        }
        run_batch(w, &p, kv, &head, 1, table, y, lse);
        assert_memory_equal(y + p.first[2] * HD, clean + p.first[2] * HD, (size_t)bad * HD * sizeof(float));
        w->processor.ops->kv_free(kv);
    }
    free(clean);
    free(y);
    free(lse);
    problem_free(&p);
}

static void test_unseen(void **state)
{
    (void)state;
    const pl_dtype types[] = {PL_F32, PL_BF16, PL_F16};
    world w = world_open(1);
    for (size_t i = 0; i < (w.cuda ? 3 : 1); i++) {
        w.compute = w.type = types[i];
        check_unseen(&w, 0);
        check_unseen(&w, 7);
    }
    world_close(&w);
}

/* Two paths that share their first page, written once: the same bits as each by itself. */
static void check_shared_page(const world *w)
{
    const shape s = {5, 1, 20, 0, 0, false, EVERY, 0, 0, 0};
    problem p = problem_create(&s, w->type);
    size_t HD = s.H * s.D, n = p.n_rows * HD;
    int32_t two = p.lengths[2], three = p.lengths[3], table[PATHS * PAGES];
    const span alone[2] = {{2, 0, two}, {3, 0, three}}, prefix = {3, 0, PL_PAGE};
    const span rest[2] = {{3, PL_PAGE, three - PL_PAGE}, {2, PL_PAGE, two - PL_PAGE - 1}}, last = {2, two - 1, 1};
    float *y = (float *)calloc(n, sizeof(float)), *shared = (float *)calloc(n, sizeof(float));
    float *lse = (float *)calloc(p.n_rows * s.H, sizeof(float));
    memcpy(p.qkv + p.first[2] * p.width, p.qkv + p.first[3] * p.width, PL_PAGE * p.width * sizeof(float));
    for (size_t j = 0; j < PATHS * PAGES; j++) table[j] = (int32_t)j;
    for (int sharing = 0; sharing < 2; sharing++) {
        pl_kv *kv;
        must(w->processor.ops->kv_create(w->processor.device, &kv, 2, s.G, s.D, PATHS * PAGES, w->type));
        if (sharing) {
            table[2 * PAGES] = table[3 * PAGES];
            run_batch(w, &p, kv, &prefix, 1, table, shared, lse);
            memcpy(shared + p.first[2] * HD, shared + p.first[3] * HD, PL_PAGE * HD * sizeof(float));
            run_batch(w, &p, kv, rest, 2, table, shared, lse);
            run_batch(w, &p, kv, &last, 1, table, shared, lse);
        } else {
            run_batch(w, &p, kv, alone, 2, table, y, lse);
        }
        w->processor.ops->kv_free(kv);
    }
    assert_memory_equal(shared + p.first[2] * HD, y + p.first[2] * HD, (size_t)(two + three) * HD * sizeof(float));
    free(y);
    free(shared);
    free(lse);
    problem_free(&p);
}

static void test_shared_page(void **state)
{
    (void)state;
    const pl_dtype types[] = {PL_F32, PL_BF16, PL_F16};
    world w = world_open(1);
    for (size_t i = 0; i < (w.cuda ? 3 : 1); i++) {
        w.compute = w.type = types[i];
        check_shared_page(&w);
    }
    world_close(&w);
}

static const case_table table_of_cases = {
    .op = "attention", .n = SHAPES, .once = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table_of_cases), cmocka_unit_test(test_unseen),
                                       cmocka_unit_test(test_shared_page)};
    return CASES_MAIN(argc, argv, &table_of_cases, tests);
}
