/* What the tests of the device ops share: an opened CPU device, views whose surroundings are guarded, comparisons that
 * are shown able to fail, and packed batches.
 *
 * A guarded view stands inside a larger buffer, its rows a few elements apart. Everything is filled with one NaN
 * pattern first: a result element that was never written is seen as NaN, and a write outside the view as a lost
 * pattern. */
#ifndef TESTS_DEVICE_WORLD_H
#define TESTS_DEVICE_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "device/device.h"

/* Under the address sanitizer the same cases run at smaller sizes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SMALL = 1 };
#else
enum { SMALL = 0 };
#endif

typedef struct world {
    pl_gear gear;
    pl_stream *stream;
} world;

static inline void must(pl_status status)
{
    if (status != PL_OK) fail_msg("%s", pl_error_text());
}

static inline world world_open(int n_threads)
{
    world w;
    must(pl_gear_open(&w.gear, "cpu", n_threads));
    must(w.gear.ops->stream_create(w.gear.device, &w.stream));
    return w;
}

static inline void world_close(world *w)
{
    w->gear.ops->stream_free(w->stream);
    pl_gear_close(&w->gear);
}

/* ---- Guarded views ---- */

enum { GUARD = 7, POISON_BYTE = 0xff }; /* 0xffffffff is a NaN, -1 as an integer */

static inline pl_view whole_buffer(pl_view v)
{
    size_t n = v.offset + v.rows * v.stride + GUARD;
    return (pl_view){.buffer = v.buffer, .rows = 1, .columns = n, .stride = n, .dtype = v.dtype};
}

static inline void poison(const world *w, pl_view v)
{
    pl_view all = whole_buffer(v);
    size_t bytes = all.columns * pl_dtype_bytes(v.dtype);
    void *pattern = malloc(bytes);
    memset(pattern, POISON_BYTE, bytes);
    must(w->gear.ops->upload(w->stream, all, pattern));
    free(pattern);
}

/* A guarded view; `data` (packed rows) may be NULL: then it holds the pattern. */
static inline pl_view guarded(const world *w, size_t rows, size_t columns, pl_dtype dtype, const void *data)
{
    pl_view v = {.offset = GUARD, .rows = rows, .columns = columns, .stride = columns + GUARD, .dtype = dtype};
    size_t n = v.offset + rows * v.stride + GUARD;
    must(w->gear.ops->buffer_create(w->gear.device, &v.buffer, n * pl_dtype_bytes(dtype)));
    poison(w, v);
    if (data && rows && columns) must(w->gear.ops->upload(w->stream, v, data));
    return v;
}

static inline void release(const world *w, pl_view *v)
{
    pl_view_free(&w->gear, v);
}

/* Nothing outside the view was written. */
static inline void check_guards(const world *w, pl_view v)
{
    pl_view all = whole_buffer(v);
    size_t size = pl_dtype_bytes(v.dtype);
    unsigned char *got = (unsigned char *)malloc(all.columns * size);
    must(w->gear.ops->download(w->stream, got, all));
    for (size_t i = 0; i < all.columns; i++) {
        size_t at = i - v.offset;
        if (i >= v.offset && at / v.stride < v.rows && at % v.stride < v.columns) continue;
        for (size_t b = 0; b < size; b++) {
            if (got[i * size + b] != POISON_BYTE) fail_msg("element %zu outside the view was written", i);
        }
    }
    free(got);
}

static inline float *fetch(const world *w, pl_view v)
{
    float *out = (float *)malloc(v.rows * v.columns * pl_dtype_bytes(v.dtype) + 1);
    must(w->gear.ops->download(w->stream, out, v));
    return out;
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

/* Normal numbers; the stream keeps arrays of one test apart. */
static inline float *normals(size_t n, uint32_t stream, double scale)
{
    float *x = (float *)malloc(n * sizeof *x + 1);
    for (size_t i = 0; i < n; i++) x[i] = (float)(scale * pl_random_normal(7, PL_RANDOM_TEST, stream, i));
    return x;
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
    if (!(e <= 1.0)) fail_msg("%s: off by %g of the bound", what, e);
    for (size_t k = 0; k < 3 && n; k++) { /* planted faults */
        size_t i = pl_random_below(9, PL_RANDOM_TEST, 0, k, (uint32_t)n);
        float keep = got[i];
        if (!isfinite(keep)) continue;
        got[i] = (float)(expected[i] + 4.0 * bound[i]);
        if (got[i] == keep) fail_msg("%s: the bound of element %zu is below its last bit", what, i);
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

/* Runs in the given order; table is [n_paths, n_pages] page ids. */
static inline batch_of batch_create(const world *w, const span *spans, size_t n_spans, const int32_t *table,
                                    size_t n_paths, size_t n_pages)
{
    batch_of b = {0};
    for (size_t i = 0; i < n_spans; i++) b.n_tokens += (size_t)spans[i].n;
    b.positions = (int32_t *)calloc(b.n_tokens + 1, sizeof(int32_t));
    b.paths = (int32_t *)calloc(b.n_tokens + 1, sizeof(int32_t));
    int32_t *runs = (int32_t *)calloc(2 * n_spans + 1, sizeof(int32_t));
    size_t row = 0;
    for (size_t i = 0; i < n_spans; i++) {
        runs[2 * i] = (int32_t)row;
        runs[2 * i + 1] = spans[i].n;
        for (int32_t j = 0; j < spans[i].n; j++, row++) {
            b.positions[row] = spans[i].first_position + j;
            b.paths[row] = spans[i].path;
        }
    }
    int32_t counts[PL_COUNTS] = {0};
    counts[PL_COUNT_TOKENS] = (int32_t)b.n_tokens;
    counts[PL_COUNT_RUNS] = (int32_t)n_spans;
    b.batch.counts = ints(w, PL_COUNTS, counts);
    b.batch.positions = ints(w, b.n_tokens, b.positions);
    b.batch.paths = ints(w, b.n_tokens, b.paths);
    b.batch.runs = guarded(w, n_spans, 2, PL_I32, runs);
    b.batch.page_table = guarded(w, n_paths, n_pages, PL_I32, table);
    free(runs);
    return b;
}

static inline void batch_free(const world *w, batch_of *b)
{
    release(w, &b->batch.counts);
    release(w, &b->batch.positions);
    release(w, &b->batch.paths);
    release(w, &b->batch.runs);
    release(w, &b->batch.page_table);
    free(b->positions);
    free(b->paths);
}

#endif
