/* The ops that go row by row give the same bits wherever rows stand and however much room there is: at even places,
 * where a backend may read many elements at a time, and at odd ones; with capacities at the count and above it. What
 * the bits should be is for each op's own test. */
#include "cases.h"

enum { ROWS = 3, SPARE = 9, VOCABULARY = 11, POSITIONS = 6 };

typedef struct room {
    size_t spare;   /* rows above the count */
    pl_batch batch; /* tokens and positions of ROWS rows, room for `spare` more */
    pl_view result; /* the op's; everything above the count is untouched */
} room;

static void open_room(const world *w, room *r, size_t spare)
{
    static const int32_t tokens[ROWS] = {7, 0, VOCABULARY - 1}, positions[ROWS] = {POSITIONS - 1, 3, 0};
    int32_t ids[ROWS + SPARE], places[ROWS + SPARE];
    for (size_t i = 0; i < ROWS + spare; i++) {
        ids[i] = i < ROWS ? tokens[i] : -1;
        places[i] = i < ROWS ? positions[i] : -1;
    }
    *r = (room){.spare = spare,
                .batch = {.counts = counts_of(w, ROWS),
                          .tokens = ints(w, ROWS + spare, ids),
                          .positions = ints(w, ROWS + spare, places)}};
}

static void run_norm(const world *w, room *r, size_t C)
{
    float *x = normals(ROWS * C, 1, 2.0), *weight = normals(C, 2, 1.0), *bias = normals(C, 3, 1.0);
    for (size_t i = 0; i < ROWS * C; i++) x[i] += 100.0f;
    pl_view xv = guarded_rows(w, ROWS, r->spare, C, PL_F32, x), wv = guarded(w, 1, C, PL_F32, weight);
    pl_view bv = guarded(w, 1, C, PL_F32, bias);
    r->result = guarded(w, ROWS + r->spare, C, w->type, NULL);
    pl_norm_args args = {r->batch.counts, PL_COUNT_TOKENS, PL_NORM_LAYER, 1e-5f, xv, wv, bv, r->result, false, 0};
    must(pl_op_norm(&w->processor, w->stream, &args));
    settle(w);
    RELEASE(w, &xv, &wv, &bv);
    free(x);
    free(weight);
    free(bias);
}

static void run_head_norm(const world *w, room *r, size_t D)
{
    enum { HEADS = 3 };
    float *x = normals(ROWS * HEADS * D, 1, 2.0), *weight = normals(D, 2, 1.0);
    representable(x, ROWS * HEADS * D, w->type);
    pl_view wv = guarded(w, 1, D, PL_F32, weight);
    r->result = numbers(w, ROWS, r->spare, HEADS * D, w->type, x);
    pl_head_norm_args args = {&r->batch, PL_NORM_RMS_PLUS_ONE, 1e-6f, HEADS, D, 0, wv, r->result, {0}};
    must(pl_op_head_norm(&w->processor, w->stream, &args));
    settle(w);
    RELEASE(w, &wv);
    free(x);
    free(weight);
}

static void run_gate(const world *w, room *r, size_t F)
{
    float *x = normals(ROWS * 2 * F, 1, 2.0);
    representable(x, ROWS * 2 * F, w->type);
    pl_view xv = numbers(w, ROWS, r->spare, 2 * F, w->type, x);
    r->result = guarded(w, ROWS + r->spare, F, w->type, NULL);
    pl_gate_args args = {&r->batch, F % 2 ? PL_ACT_SILU : PL_ACT_GELU_TANH, xv, r->result};
    must(pl_op_gate(&w->processor, w->stream, &args));
    settle(w);
    RELEASE(w, &xv);
    free(x);
}

static void rotate(const world *w, room *r, size_t half, bool interleaved)
{
    enum { H = 2, G = 1 };
    size_t D = 2 * half, columns = (H + 2 * G) * D;
    float *x = normals(ROWS * columns, 1, 2.0), *c = normals(POSITIONS * half, 2, 1.0),
          *s = normals(POSITIONS * half, 3, 1.0);
    representable(x, ROWS * columns, w->type);
    pl_view cv = guarded(w, POSITIONS, half, PL_F32, c), sv = guarded(w, POSITIONS, half, PL_F32, s);
    r->result = numbers(w, ROWS, r->spare, columns, w->type, x);
    pl_rotary_args args = {&r->batch, H, G, D, D, interleaved, cv, sv, r->result};
    must(pl_op_rotary(&w->processor, w->stream, &args));
    settle(w);
    RELEASE(w, &cv, &sv);
    free(x);
    free(c);
    free(s);
}

static void run_rotary(const world *w, room *r, size_t half)
{
    rotate(w, r, half, false);
}

static void run_interleaved(const world *w, room *r, size_t half)
{
    rotate(w, r, half, true);
}

static void run_embed(const world *w, room *r, size_t C)
{
    float *table = normals(VOCABULARY * C, 1, 1.0), *places = normals(POSITIONS * C, 2, 0.1);
    representable(table, VOCABULARY * C, w->type);
    pl_view tv = numbers(w, VOCABULARY, 0, C, w->type, table), pv = guarded(w, POSITIONS, C, PL_F32, places);
    r->result = guarded(w, ROWS + r->spare, C, PL_F32, NULL);
    pl_embed_args args = {&r->batch, tv, pv, 0, 1.7f, r->result};
    must(pl_op_embed(&w->processor, w->stream, &args));
    settle(w);
    RELEASE(w, &tv, &pv);
    free(table);
    free(places);
}

/* ---- The cases ---- */

typedef struct row_op {
    const char *name;
    size_t widest; /* a head's width has a limit */
    void (*run)(const world *w, room *r, size_t width);
} row_op;

static const row_op row_ops[] = {
    {"norm", SIZE_MAX, run_norm},
    {"head_norm", 256, run_head_norm},
    {"gate", 2052, run_gate},
    {"rotary", 128, run_rotary},
    {"rotary interleaved", 128, run_interleaved},
    {"embed", 2052, run_embed},
};
enum { ROW_OPS = sizeof row_ops / sizeof *row_ops };

/* Around the widths of vectors; at each change of how many threads or registers a long row gets. */
static const size_t widths[] = {1,  2,   3,   4,   7,   8,    9,    12,   15,   16,   17,   20,    32,
                                33, 128, 130, 256, 260, 1000, 1024, 1028, 2052, 8192, 8196, 16388, 20000};
enum { WIDTHS = sizeof widths / sizeof *widths };

static case_use describe(size_t i, char text[128])
{
    snprintf(text, 128, "%s of %zu", row_ops[i / WIDTHS].name, widths[i % WIDTHS]);
    return widths[i % WIDTHS] <= row_ops[i / WIDTHS].widest ? EVERY : BENCH;
}

/* The bits of the rows below the count. */
static void *bits_of(const world *w, const row_op *op, size_t width, bool aligned, size_t spare, size_t *bytes)
{
    world here = *w;
    room r;
    here.aligned = aligned;
    open_room(&here, &r, spare);
    op->run(&here, &r, width);
    *bytes = ROWS * r.result.columns * pl_dtype_bytes(r.result.dtype);
    void *bits = fetch(&here, pl_view_rows(r.result, 0, ROWS));
    check_guards(&here, r.result);
    check_untouched(&here, r.result, ROWS);
    RELEASE(&here, &r.batch.counts, &r.batch.tokens, &r.batch.positions, &r.result);
    return bits;
}

static void run(const world *w, size_t i)
{
    const row_op *op = &row_ops[i / WIDTHS];
    size_t width = widths[i % WIDTHS], bytes;
    if (w->timing) return;
    unsigned char *plain = (unsigned char *)bits_of(w, op, width, true, 0, &bytes);
    for (size_t k = 1; k < 4; k++) {
        unsigned char *other = (unsigned char *)bits_of(w, op, width, k % 2 == 0, k < 2 ? 0 : SPARE, &bytes);
        if (memcmp(plain, other, bytes) != 0)
            fail_case("the bits are others %s, with room for %d rows more", k % 2 ? "at odd places" : "at even places",
                      k < 2 ? 0 : SPARE);
        other[bytes - 1] ^= 1; /* a planted fault */
        assert_true(memcmp(plain, other, bytes) != 0);
        free(other);
    }
    free(plain);
}

static const case_table table = {.op = "layout", .n = ROW_OPS * WIDTHS, .once = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
