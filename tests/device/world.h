/* What the tests of the device ops share: the chosen device opened, views whose surroundings are guarded, numbers in
 * the storage types, comparisons that are shown able to fail, and packed batches.
 *
 * A guarded view stands inside a larger buffer, its rows a few elements apart. Everything is filled with one NaN
 * pattern first: a result element that was never written is seen as NaN, and a write outside the view as a lost
 * pattern. */
#ifndef TESTS_DEVICE_WORLD_H
#define TESTS_DEVICE_WORLD_H

#include "tests.h"

#include <math.h>
#include <stdbool.h>

#include "base/random.h"
#include "device/chosen.h"
#include "device/device.h"

typedef struct world {
    pl_processor processor;
    pl_stream *stream;
    pl_dtype compute, type; /* of the case: the compute type, and what activations are stored in */
    bool cuda;              /* ids and counts stay on the device: the op cannot refuse them */
    bool aligned;           /* guarded views begin, and their rows stand, 16 bytes apart; otherwise at odd places */
    bool timing;            /* an op is timed, its results are not checked */
} world;

/* What failed, for messages. */
static char current_case[256];

#define fail_case(...)                                                                                                 \
    do {                                                                                                               \
        print_error("%s:\n", current_case);                                                                            \
        fail_msg(__VA_ARGS__);                                                                                         \
    } while (0)

static inline void must(pl_status status)
{
    if (status != PL_OK) fail_case("%s", pl_error_text());
}

static inline world world_open(int n_threads)
{
    world w = {.cuda = on_cuda()};
    must(pl_processor_open(&w.processor, chosen_device(), n_threads));
    must(w.processor.ops->stream_create(w.processor.device, &w.stream));
    return w;
}

static inline void world_close(world *w)
{
    w->processor.ops->stream_free(w->stream);
    pl_processor_close(&w->processor);
}

static inline void settle(const world *w)
{
    must(w->processor.ops->stream_wait(w->stream));
}

/* Whether the CPU multiplies in this type; its activations are float32 beside it. */
static inline bool cpu_has(pl_dtype compute)
{
    world w = world_open(1);
    pl_weight *weight = NULL;
    bool has = w.processor.ops->weight_create(w.processor.device, &weight, 1, 1, compute) == PL_OK;
    w.processor.ops->weight_free(weight);
    world_close(&w);
    return has;
}
static inline bool cpu_has_bf16(void)
{
    return cpu_has(PL_BF16);
}

/* ---- Guarded views ---- */

enum { GUARD = 7, ALIGNED_GUARD = 16, POISON_BYTE = 0xff }; /* 0xffffffff is a NaN, -1 as an integer */

static inline pl_view whole_buffer(pl_view v)
{
    size_t n = v.offset + v.rows * v.stride + GUARD;
    return (pl_view){.buffer = v.buffer, .rows = 1, .columns = n, .stride = n, .dtype = v.dtype};
}

/* The host's packed rows into the view; `data` may go at once. */
static inline void send(const world *w, pl_view v, const void *data)
{
    if (!v.rows || !v.columns) return;
    must(pl_upload(&w->processor, w->stream, v, data));
    settle(w);
}

static inline void poison(const world *w, pl_view v)
{
    pl_view all = whole_buffer(v);
    size_t bytes = all.columns * pl_dtype_bytes(v.dtype);
    void *pattern = malloc(bytes);
    memset(pattern, POISON_BYTE, bytes);
    send(w, all, pattern);
    free(pattern);
}

/* A guarded view; `data` (packed rows) may be NULL: then it holds the pattern. */
static inline pl_view guarded(const world *w, size_t rows, size_t columns, pl_dtype dtype, const void *data)
{
    pl_view v = {.offset = GUARD, .rows = rows, .columns = columns, .stride = columns + GUARD, .dtype = dtype};
    if (w->aligned) {
        size_t unit = 16 / pl_dtype_bytes(dtype);
        v.offset = ALIGNED_GUARD;
        v.stride = (columns + GUARD + unit - 1) / unit * unit;
    }
    size_t n = v.offset + rows * v.stride + GUARD;
    must(w->processor.ops->buffer_create(w->processor.device, &v.buffer, n * pl_dtype_bytes(dtype)));
    poison(w, v);
    if (data) send(w, v, data);
    return v;
}

/* The same with `spare` rows more than `data` has; they hold the pattern: capacity above the count. */
static inline pl_view guarded_rows(const world *w, size_t rows, size_t spare, size_t columns, pl_dtype dtype,
                                   const void *data)
{
    pl_view v = guarded(w, rows + spare, columns, dtype, NULL);
    if (data) send(w, pl_view_rows(v, 0, rows), data);
    return v;
}

static inline void release(const world *w, pl_view *v)
{
    pl_view_free(&w->processor, v);
}

#define RELEASE(w, ...)                                                                                                \
    do {                                                                                                               \
        pl_view *views_[] = {__VA_ARGS__};                                                                             \
        for (size_t i_ = 0; i_ < sizeof views_ / sizeof *views_; i_++) release((w), views_[i_]);                       \
    } while (0)

/* Packed rows of the view, as they are stored. */
static inline void *fetch(const world *w, pl_view v)
{
    void *out = malloc(v.rows * v.columns * pl_dtype_bytes(v.dtype) + 1);
    if (v.rows && v.columns) must(pl_download(&w->processor, w->stream, out, v));
    settle(w);
    return out;
}

/* Nothing outside the view was written. */
static inline void check_guards(const world *w, pl_view v)
{
    pl_view all = whole_buffer(v);
    size_t size = pl_dtype_bytes(v.dtype);
    unsigned char *got = (unsigned char *)fetch(w, all);
    for (size_t i = 0; i < all.columns; i++) {
        size_t at = i - v.offset;
        if (i >= v.offset && at / v.stride < v.rows && at % v.stride < v.columns) continue;
        for (size_t b = 0; b < size; b++) {
            if (got[i * size + b] != POISON_BYTE) fail_case("element %zu outside the view was written", i);
        }
    }
    free(got);
}

static inline pl_view ints(const world *w, size_t n, const int32_t *data)
{
    return guarded(w, 1, n, PL_I32, data);
}

/* counts whose every entry is n */
static inline pl_view counts_of(const world *w, size_t n)
{
    int32_t c[PL_COUNTS];
    for (size_t i = 0; i < PL_COUNTS; i++) c[i] = (int32_t)n;
    return ints(w, PL_COUNTS, c);
}

/* ---- Numbers ---- */

/* Normal numbers; the stream keeps arrays of one test apart. Past a million they come again: a prime number of them, so
 * that no row of a matrix is another one's. */
static inline float *normals(size_t n, uint32_t stream, double scale)
{
    const size_t period = 1048573;
    float *x = (float *)malloc(n * sizeof *x + 1);
    for (size_t i = 0; i < n; i++) {
        x[i] = i < period ? (float)(scale * pl_random_normal(7, PL_RANDOM_TEST, stream, i)) : x[i - period];
    }
    return x;
}

/* Bits of a 16-bit type's fraction, the hidden one included; 24 for float32, 11 for tf32. */
static inline int fraction_bits(pl_dtype dtype)
{
    return dtype == PL_BF16 ? 8 : dtype == PL_F16 || dtype == PL_TF32 ? 11 : 24;
}

/* Makes x exactly representable in dtype (towards zero), so that an op's input is what the reference computes from. */
static inline void representable(float *x, size_t n, pl_dtype dtype)
{
    const uint32_t mask = ~0u << (24 - fraction_bits(dtype));
    if (dtype == PL_F32) return;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        if (!isfinite(x[i])) continue;
        memcpy(&bits, &x[i], 4);
        bits &= mask;
        memcpy(&x[i], &bits, 4);
        if (dtype == PL_F16 && fabsf(x[i]) < 0x1p-14f) x[i] = truncf(x[i] * 0x1p24f) * 0x1p-24f; /* subnormal */
    }
}

/* The 16 bits of a number that is representable, by the definition of the type. */
static inline uint16_t half_of(float x, pl_dtype dtype)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if (dtype == PL_BF16) return (uint16_t)(bits >> 16);
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    if (!isfinite(x)) return (uint16_t)(sign | (isnan(x) ? 0x7e00 : 0x7c00));
    if (fabsf(x) < 0x1p-14f) return (uint16_t)(sign | (int)(fabsf(x) * 0x1p24f));
    return (uint16_t)(sign | (((bits & 0x7fffffff) >> 13) - ((127 - 15) << 10)));
}

static inline float float_of(uint16_t h, pl_dtype dtype)
{
    uint32_t bits = (uint32_t)h << 16;
    float x;
    if (dtype == PL_BF16) {
        memcpy(&x, &bits, 4);
        return x;
    }
    int e = (h >> 10) & 31, m = h & 0x3ff;
    double v = e == 31 ? (m ? (double)NAN : INFINITY) : e ? ldexp(m + 1024, e - 25) : ldexp(m, -24);
    return (float)(h & 0x8000 ? -v : v);
}

/* Values in a float type as a file or a device holds them; freed by the caller. */
static inline void *packed(const float *x, size_t n, pl_dtype dtype)
{
    size_t size = pl_dtype_bytes(dtype);
    unsigned char *out = (unsigned char *)malloc(n * size + 1);
    for (size_t i = 0; i < n; i++) {
        uint16_t h = size == 2 ? half_of(x[i], dtype) : 0;
        memcpy(out + i * size, size == 2 ? (const void *)&h : (const void *)&x[i], size);
    }
    return out;
}

/* A guarded view of representable numbers, with `spare` rows of the pattern after them. */
static inline pl_view numbers(const world *w, size_t rows, size_t spare, size_t columns, pl_dtype dtype, const float *x)
{
    void *data = packed(x, rows * columns, dtype);
    pl_view v = guarded_rows(w, rows, spare, columns, dtype, data);
    free(data);
    return v;
}

static inline float *fetch_numbers(const world *w, pl_view v)
{
    void *data = fetch(w, v);
    if (v.dtype == PL_F32) return (float *)data;
    size_t n = v.rows * v.columns;
    float *x = (float *)malloc(n * sizeof *x + 1);
    for (size_t i = 0; i < n; i++) x[i] = float_of(((uint16_t *)data)[i], v.dtype);
    free(data);
    return x;
}

/* What storing y in a 16-bit type may add to its error: half a last bit, at most |y| 2^-8 (bfloat16) or |y| 2^-11
 * (float16, and half of its smallest subnormal). The bounds of the float32 cases hold the float32 rounding already. */
static inline double stored(double y, pl_dtype dtype)
{
    if (pl_dtype_bytes(dtype) != 2) return 0.0;
    return ldexp(fabs(y), -fraction_bits(dtype)) + (dtype == PL_F16 ? ldexp(1.0, -25) : 0.0);
}

/* Rows from `first` on were never written. */
static inline void check_untouched(const world *w, pl_view v, size_t first)
{
    pl_view rest = pl_view_rows(v, first, v.rows - first);
    unsigned char *got = (unsigned char *)fetch(w, rest);
    for (size_t i = 0; i < rest.rows * rest.columns * pl_dtype_bytes(v.dtype); i++) {
        if (got[i] != POISON_BYTE) fail_case("a row past the count was written (byte %zu)", i);
    }
    free(got);
}

/* The largest |got - expected| / (bound of the element); NaN counts as infinite. */
static inline double worst(const float *got, const double *expected, const double *bound, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double e = fabs((double)got[i] - expected[i]) / bound[i];
        if (isnan(got[i]) && isnan(expected[i])) e = 0.0;
        if (!(e <= most)) most = isnan(e) ? INFINITY : e;
    }
    return most;
}

/* got is within its bounds, and would not be if any one of a few elements were off by four bounds or unwritten. */
static inline void check_close(const char *what, float *got, const double *expected, const double *bound, size_t n)
{
    double e = worst(got, expected, bound, n);
    if (!(e <= 1.0)) fail_case("%s: off by %g of the bound", what, e);
    for (size_t k = 0; k < 3 && n; k++) { /* planted faults */
        size_t i = pl_random_below(9, PL_RANDOM_TEST, 0, k, (uint32_t)n);
        float keep = got[i];
        if (!isfinite(keep)) continue;
        got[i] = (float)(expected[i] + 4.0 * bound[i]);
        if (got[i] == keep) fail_case("%s: the bound of element %zu is below its last bit", what, i);
        assert_true(worst(got, expected, bound, n) > 1.0);
        got[i] = NAN;
        assert_true(worst(got, expected, bound, n) > 1.0);
        got[i] = keep;
    }
}

/* ---- Packed batches ---- */

/* Consecutive positions of one path. */
typedef struct span {
    int32_t path, first_position, n;
} span;

typedef struct batch_of {
    pl_batch batch;
    size_t n_tokens;
    int32_t *positions, *paths; /* [n_tokens] */
} batch_of;

/* Spans in the given order, each cut into runs of at most PL_RUN_ROWS rows; table is [n_paths, n_pages] page ids. The
 * vectors have room for a few tokens and a run more, which hold ids that do not exist. */
static inline batch_of batch_create(const world *w, const span *spans, size_t n_spans, const int32_t *table,
                                    size_t n_paths, size_t n_pages)
{
    enum { SPARE = 3 };
    batch_of b = {0};
    size_t n_runs = 0, row = 0, run = 0;
    for (size_t i = 0; i < n_spans; i++) {
        b.n_tokens += (size_t)spans[i].n;
        n_runs += ((size_t)spans[i].n + PL_RUN_ROWS - 1) / PL_RUN_ROWS;
    }
    b.positions = (int32_t *)calloc(b.n_tokens + SPARE, sizeof(int32_t));
    b.paths = (int32_t *)calloc(b.n_tokens + SPARE, sizeof(int32_t));
    int32_t *runs = (int32_t *)calloc(2 * n_runs + 1, sizeof(int32_t));
    for (size_t i = 0; i < n_spans; i++) {
        for (int32_t done = 0; done < spans[i].n; done += PL_RUN_ROWS, run++) {
            int32_t left = spans[i].n - done;
            runs[2 * run] = (int32_t)row + done;
            runs[2 * run + 1] = left < PL_RUN_ROWS ? left : PL_RUN_ROWS;
        }
        for (int32_t j = 0; j < spans[i].n; j++, row++) {
            b.positions[row] = spans[i].first_position + j;
            b.paths[row] = spans[i].path;
        }
    }
    for (size_t i = 0; i < SPARE; i++) b.positions[b.n_tokens + i] = b.paths[b.n_tokens + i] = -1;
    int32_t counts[PL_COUNTS] = {0};
    counts[PL_COUNT_TOKENS] = (int32_t)b.n_tokens;
    counts[PL_COUNT_RUNS] = (int32_t)n_runs;
    b.batch.counts = ints(w, PL_COUNTS, counts);
    b.batch.positions = ints(w, b.n_tokens + SPARE, b.positions);
    b.batch.paths = ints(w, b.n_tokens + SPARE, b.paths);
    b.batch.runs = guarded_rows(w, n_runs, 1, 2, PL_I32, runs);
    b.batch.page_table = guarded(w, n_paths, n_pages, PL_I32, table);
    free(runs);
    return b;
}

static inline void batch_free(const world *w, batch_of *b)
{
    RELEASE(w, &b->batch.counts, &b->batch.positions, &b->batch.paths, &b->batch.runs, &b->batch.page_table);
    free(b->positions);
    free(b->paths);
}

#endif
