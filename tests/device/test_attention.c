/* attention over pages, with kv_write filling them: values against double precision, and promise 1: a row's bits are
 * the same however its sequence is cut into batches, packed with others, mapped to pages, or spread over threads.
 *
 * Bound: scores are sums of D products of numbers of order 1, off by a few 2^-24 sqrt(D) |s|; weights carry that error,
 * and the result is a weighted mean of values: 64 2^-24 (1 + |s|max) max|v| covers it with room. */
#include "world.h"

typedef struct shape {
    size_t H, G, D;
    float softcap;
    size_t window;
    bool alibi;
} shape;

static const shape shapes[] = {
    {1, 1, 1, 0, 0, false},    {2, 1, 8, 0, 0, true},       {4, 4, 64, 0, 0, false}, {6, 2, 80, 0, 0, false},
    {4, 2, 33, 5.0f, 0, true}, {3, 1, 128, 0, 40, false},   {2, 2, 16, 0, 1, false}, {100, 1, 4, 0, 0, false},
    {2, 1, 256, 0, 0, false},  {4, 1, 32, 30.0f, 7, false}, {2, 2, 64, 0, 33, true},
};

enum { PATHS = 4, PAGES = 8 };
static const int32_t lengths[PATHS] = {1, 33, 100, 230}; /* of the sequences */

/* The inputs of all sequences and what attention makes of them. */
typedef struct problem {
    const shape *s;
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
    if (s->alibi) sum += (double)p->slopes[h] * ((double)j - (double)i);
    return sum;
}

static void attend(problem *p, size_t sequence, size_t i, size_t h)
{
    const shape *s = p->s;
    size_t row = p->first[sequence] + i, from = s->window && i + 1 > s->window ? i + 1 - s->window : 0;
    double scores[PAGES * PL_PAGE], most = -INFINITY, sum = 0, largest = 0, top = 0;
    double *y = p->y + (row * s->H + h) * s->D;
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
            top = fabs((double)v[d]) > top ? fabs((double)v[d]) : top;
        }
    }
    for (size_t d = 0; d < s->D; d++) {
        y[d] /= sum;
        p->y_bound[(row * s->H + h) * s->D + d] = ldexp(64.0 * (1.0 + largest) * top, -24);
    }
    p->lse[row * s->H + h] = most + log(sum);
}

static problem problem_create(const shape *s)
{
    problem p = {.s = s, .width = (s->H + 2 * s->G) * s->D, .scale = (float)(1.5 / sqrt((double)s->D))};
    for (size_t i = 0; i < PATHS; i++) {
        p.first[i] = p.n_rows;
        p.n_rows += (size_t)lengths[i];
    }
    p.qkv = normals(p.n_rows * p.width, 1, 1.0);
    p.slopes = (float *)malloc(s->H * sizeof(float));
    for (size_t h = 0; h < s->H; h++) p.slopes[h] = (float)exp2(-(double)(h + 1));
    p.y = (double *)calloc(p.n_rows * s->H * s->D, sizeof(double));
    p.y_bound = (double *)calloc(p.n_rows * s->H * s->D, sizeof(double));
    p.lse = (double *)calloc(p.n_rows * s->H, sizeof(double));
    for (size_t q = 0; q < PATHS; q++) {
        for (size_t i = 0; i < (size_t)lengths[q]; i++) {
            for (size_t h = 0; h < s->H; h++) attend(&p, q, i, h);
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
    const shape *s = p->s;
    size_t layer = 1, HD = s->H * s->D;
    batch_of b = batch_create(w, spans, n, table, PATHS, PAGES);
    float *qkv = (float *)malloc(b.n_tokens * p->width * sizeof(float));
    for (size_t r = 0; r < b.n_tokens; r++) {
        size_t row = p->first[b.paths[r]] + (size_t)b.positions[r];
        memcpy(qkv + r * p->width, p->qkv + row * p->width, p->width * sizeof(float));
    }
    pl_view qkvv = guarded(w, b.n_tokens, p->width, PL_F32, qkv), yv = guarded(w, b.n_tokens, HD, PL_F32, NULL);
    pl_view lsev = guarded(w, b.n_tokens, s->H, PL_F32, NULL), alibi = guarded(w, 1, s->H, PL_F32, p->slopes),
            none = {0};
    pl_kv_write_args write = {&b.batch, kv, layer, qkvv};
    must(w->gear.ops->kv_write(w->stream, &write));
    pl_attention_args args = {&b.batch, kv, layer, s->H, p->scale, s->softcap, s->window, s->alibi ? alibi : none,
                              qkvv,     yv, lsev};
    must(w->gear.ops->attention(w->stream, &args));
    float *got = fetch(w, yv), *got_lse = fetch(w, lsev);
    check_guards(w, yv);
    check_guards(w, lsev);
    for (size_t r = 0; r < b.n_tokens; r++) {
        size_t row = p->first[b.paths[r]] + (size_t)b.positions[r];
        memcpy(y + row * HD, got + r * HD, HD * sizeof(float));
        memcpy(lse + row * s->H, got_lse + r * s->H, s->H * sizeof(float));
    }
    free(got);
    free(got_lse);
    free(qkv);
    release(w, &qkvv);
    release(w, &yv);
    release(w, &lsev);
    release(w, &alibi);
    batch_free(w, &b);
}

/* Spans of one batch each end with a path of -1. */
static const span plans[][12] = {
    /* every sequence by itself */
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
     {-1, 0, 0}},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        problem p = problem_create(s);
        size_t n = p.n_rows * s->H * s->D, n_lse = p.n_rows * s->H;
        float *y = (float *)malloc(n * sizeof(float)), *lse = (float *)malloc(n_lse * sizeof(float));
        float *first = (float *)malloc(n * sizeof(float)), *first_lse = (float *)malloc(n_lse * sizeof(float));
        for (size_t plan = 0; plan < 6; plan++) {
            world w = world_open(plan < 3 ? 1 : 2);
            pl_kv *kv;
            int32_t table[PATHS * PAGES];
            for (size_t j = 0; j < PATHS * PAGES; j++) table[j] = (int32_t)((j * 13 + plan * 5) % (PATHS * PAGES));
            must(w.gear.ops->kv_create(w.gear.device, &kv, 2, s->G, s->D, PATHS * PAGES, PL_F32));
            for (const span *at = plans[plan % 3], *begin = at; at < plans[plan % 3] + 12 && (at->n || at->path < 0);
                 at++) {
                if (at->path >= 0) continue;
                run_batch(&w, &p, kv, begin, (size_t)(at - begin), table, y, lse);
                begin = at + 1;
            }
            if (plan == 0) {
                memcpy(first, y, n * sizeof(float));
                memcpy(first_lse, lse, n_lse * sizeof(float));
                check_close("attention", y, p.y, p.y_bound, n);
                double *bound = (double *)malloc(n_lse * sizeof(double));
                for (size_t j = 0; j < n_lse; j++) bound[j] = ldexp(32.0 * (1.0 + fabs(p.lse[j])), -24);
                check_close("attention's lse", lse, p.lse, bound, n_lse);
                free(bound);
            }
            assert_memory_equal(y, first, n * sizeof(float));
            assert_memory_equal(lse, first_lse, n_lse * sizeof(float));
            memset(y, 0, n * sizeof(float));
            w.gear.ops->kv_free(kv);
            world_close(&w);
        }
        free(y);
        free(lse);
        free(first);
        free(first_lse);
        problem_free(&p);
    }
}

/* What stands in a page after a row's position never reaches the row, NaN included: a poisoned later token of the same
 * path, in an earlier use of the page. */
static void test_later_positions(void **state)
{
    (void)state;
    const shape s = {2, 1, 16, 0, 0, false};
    problem p = problem_create(&s);
    size_t HD = s.H * s.D, n = p.n_rows * HD;
    float *clean = (float *)calloc(n, sizeof(float)), *y = (float *)calloc(n, sizeof(float));
    float *lse = (float *)calloc(p.n_rows * s.H, sizeof(float));
    int32_t table[PATHS * PAGES];
    for (size_t j = 0; j < PATHS * PAGES; j++) table[j] = (int32_t)j;
    world w = world_open(1);
    for (int poisoned = 0; poisoned < 2; poisoned++) {
        pl_kv *kv;
        span whole = {2, 0, 100}, head = {2, 0, 75};
        must(w.gear.ops->kv_create(w.gear.device, &kv, 2, s.G, s.D, PATHS * PAGES, PL_F32));
        if (poisoned) {
            float keep = p.qkv[(p.first[2] + 76) * p.width + (s.H + s.G) * s.D];
            p.qkv[(p.first[2] + 76) * p.width + (s.H + s.G) * s.D] = NAN;
            run_batch(&w, &p, kv, &whole, 1, table, y, lse);
            p.qkv[(p.first[2] + 76) * p.width + (s.H + s.G) * s.D] = keep;
            assert_true(isnan(y[(p.first[2] + 80) * HD]));
        }
        run_batch(&w, &p, kv, &head, 1, table, poisoned ? y : clean, lse);
        w.gear.ops->kv_free(kv);
    }
    assert_memory_equal(y + p.first[2] * HD, clean + p.first[2] * HD, 75 * HD * sizeof(float));
    world_close(&w);
    free(clean);
    free(y);
    free(lse);
    problem_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_later_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
