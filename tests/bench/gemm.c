/* The packed product at GPT-2's shapes: GFLOP/s against this core's own FMA peak, measured in the same run, and against
 * oneDNN's matmul with weights packed by it, where that library was found. Both are timed in turn and the best of
 * several runs counts, so that other work on the machine hurts both alike. For oneDNN it also says at which row counts
 * the first rows' bits differ from those of the largest product. One thread is timed by its own CPU time, which other
 * work does not count in; several by the clock.
 *
 *   cmake --build build --target bench-gemm && build/tests/bench/bench-gemm [threads] */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "device/device.h"
#include "peak.h"

#if defined(PLUMB_BENCH_ONEDNN)
#include <oneapi/dnnl/dnnl.h>
#endif

enum { N_SHAPES = 5, N_ROWS = 9 };
static const size_t shapes[N_SHAPES][2] = {
    {768, 2304}, {768, 768}, {768, 3072}, {3072, 768}, {768, 50257}}; /* in, out */
static const size_t row_counts[N_ROWS] = {1, 2, 4, 8, 16, 64, 512, 2048, 8192};

/* ---- oneDNN ---- */

typedef struct dnn dnn;
#if defined(PLUMB_BENCH_ONEDNN)
struct dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t matmul;
    dnnl_memory_t x, w, y;
};
static void ok(dnnl_status_t status)
{
    if (status == dnnl_success) return;
    (void)fprintf(stderr, "oneDNN: error %d\n", (int)status);
    exit(1);
}
static dnn *dnn_create(size_t rows, size_t n_in, size_t n_out, float *x, float *w, float *y)
{
    dnn *d = calloc(1, sizeof *d);
    if (!d) exit(1);
    dnnl_dims_t xd = {(dnnl_dim_t)rows, (dnnl_dim_t)n_in}, wd = {(dnnl_dim_t)n_in, (dnnl_dim_t)n_out};
    dnnl_dims_t yd = {(dnnl_dim_t)rows, (dnnl_dim_t)n_out};
    dnnl_memory_desc_t xm, wm, plain, ym;
    ok(dnnl_engine_create(&d->engine, dnnl_cpu, 0));
    ok(dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags));
    ok(dnnl_memory_desc_init_by_tag(&xm, 2, xd, dnnl_f32, dnnl_ab));
    ok(dnnl_memory_desc_init_by_tag(&wm, 2, wd, dnnl_f32, dnnl_format_tag_any));
    ok(dnnl_memory_desc_init_by_tag(&plain, 2, wd, dnnl_f32, dnnl_ba));
    ok(dnnl_memory_desc_init_by_tag(&ym, 2, yd, dnnl_f32, dnnl_ab));
    dnnl_matmul_desc_t md;
    dnnl_primitive_desc_t pd;
    ok(dnnl_matmul_desc_init(&md, &xm, &wm, NULL, &ym));
    ok(dnnl_primitive_desc_create(&pd, &md, NULL, d->engine, NULL));
    ok(dnnl_primitive_create(&d->matmul, pd));
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_t source;
    ok(dnnl_memory_create(&source, &plain, d->engine, w));
    ok(dnnl_memory_create(&d->w, packed, d->engine, DNNL_MEMORY_ALLOCATE));
    dnnl_primitive_desc_t rd;
    dnnl_primitive_t reorder;
    ok(dnnl_reorder_primitive_desc_create(&rd, &plain, d->engine, packed, d->engine, NULL));
    ok(dnnl_primitive_create(&reorder, rd));
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, d->w}};
    ok(dnnl_primitive_execute(reorder, d->stream, 2, args));
    ok(dnnl_stream_wait(d->stream));
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(rd);
    dnnl_memory_destroy(source);
    ok(dnnl_memory_create(&d->x, &xm, d->engine, x));
    ok(dnnl_memory_create(&d->y, &ym, d->engine, y));
    dnnl_primitive_desc_destroy(pd);
    return d;
}
static void dnn_run(dnn *d)
{
    dnnl_exec_arg_t args[3] = {{DNNL_ARG_SRC, d->x}, {DNNL_ARG_WEIGHTS, d->w}, {DNNL_ARG_DST, d->y}};
    ok(dnnl_primitive_execute(d->matmul, d->stream, 3, args));
    ok(dnnl_stream_wait(d->stream));
}
static void dnn_free(dnn *d)
{
    dnnl_memory_destroy(d->x);
    dnnl_memory_destroy(d->w);
    dnnl_memory_destroy(d->y);
    dnnl_primitive_destroy(d->matmul);
    dnnl_stream_destroy(d->stream);
    dnnl_engine_destroy(d->engine);
    free(d);
}
#else
static dnn *dnn_create(size_t rows, size_t n_in, size_t n_out, float *x, float *w, float *y)
{
    (void)rows, (void)n_in, (void)n_out, (void)x, (void)w, (void)y;
    return NULL;
}
static void dnn_run(dnn *d)
{
    (void)d;
}
static void dnn_free(dnn *d)
{
    (void)d;
}
#endif

/* ---- One point ---- */

typedef struct point {
    double own_s, dnn_s; /* best time of a product */
    bool rows_differ;    /* oneDNN's first rows against `reference` */
} point;

static point measure(const pl_processor *processor, pl_stream *stream, const pl_weight *weight, size_t rows,
                     size_t n_in, size_t n_out, float *x, float *w, float *reference, size_t *n_reference, int threads)
{
    point p = {.own_s = 1e9, .dnn_s = NAN};
    pl_view xv, yv, counts;
    float *y = malloc(rows * n_out * sizeof *y);
    int32_t n[PL_COUNTS] = {(int32_t)rows, (int32_t)rows};
    must(pl_view_create(processor, &xv, rows, n_in, PL_F32));
    must(pl_view_create(processor, &yv, rows, n_out, PL_F32));
    must(pl_view_create(processor, &counts, 1, PL_COUNTS, PL_I32));
    must(pl_upload(processor, stream, xv, x));
    must(pl_upload(processor, stream, counts, n));
    pl_linear_args args = {.counts = counts, .count = PL_COUNT_TOKENS, .x = xv, .weight = weight, .y = yv};
    dnn *d = dnn_create(rows, n_in, n_out, x, w, y);
    if (d) p.dnn_s = 1e9;
    double work = 2.0 * (double)rows * (double)n_in * (double)n_out;
    for (int run = 0; run < (work > 1e10 ? 3 : work > 1e9 ? 8 : 40); run++) {
        double t = seconds(threads);
        must(pl_op_linear(processor, stream, &args));
        t = seconds(threads) - t;
        if (t < p.own_s) p.own_s = t;
        if (!d) continue;
        t = seconds(threads);
        dnn_run(d);
        t = seconds(threads) - t;
        if (t < p.dnn_s) p.dnn_s = t;
    }
    if (d) {
        size_t shared = rows < *n_reference ? rows : *n_reference;
        p.rows_differ = shared && memcmp(y, reference, shared * n_out * sizeof *y) != 0;
        if (!*n_reference) {
            *n_reference = rows < 64 ? rows : 64;
            memcpy(reference, y, *n_reference * n_out * sizeof *y);
        }
        dnn_free(d);
    }
    pl_view_free(processor, &xv);
    pl_view_free(processor, &yv);
    pl_view_free(processor, &counts);
    free(y);
    return p;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    pl_processor processor;
    pl_stream *stream;
    pl_device_facts facts;
    must(pl_processor_open(&processor, "cpu", threads));
    must(processor.ops->stream_create(processor.device, &stream));
    must(processor.ops->facts(processor.device, &facts));
    omp_set_num_threads(threads);
    double peak = fma_peak(threads);
    (void)printf("%s; FMA peak %.0f GFLOP/s\n", facts.name, peak);
    (void)printf("| in | out | rows | own GFLOP/s | of peak | GB/s of weights | oneDNN GFLOP/s | own / oneDNN | oneDNN "
                 "rows differ |\n");
    (void)printf("|---|---|---|---|---|---|---|---|---|\n");
    for (size_t s = 0; s < N_SHAPES; s++) {
        size_t n_in = shapes[s][0], n_out = shapes[s][1], n_reference = 0;
        float *x = malloc(8192 * n_in * sizeof *x), *w = malloc(n_in * n_out * sizeof *w);
        float *reference = malloc(64 * n_out * sizeof *reference);
        for (size_t i = 0; i < 8192 * n_in; i++) x[i] = (float)((i * 2654435761u >> 8) & 0xffff) / 65536.0f - 0.5f;
        for (size_t i = 0; i < n_in * n_out; i++) w[i] = (float)((i * 40503u >> 4) & 0xffff) / 65536.0f - 0.5f;
        pl_weight *weight;
        must(processor.ops->weight_create(processor.device, &weight, n_out, n_in, PL_F32));
        must(pl_weight_set(&processor, stream, weight, 0, n_out, w, PL_F32, PL_LAYOUT_OUT_IN));
        for (size_t m = N_ROWS; m-- > 0;) {
            size_t rows = row_counts[m];
            if (n_out > 4096 && rows > 512) continue;
            point p = measure(&processor, stream, weight, rows, n_in, n_out, x, w, reference, &n_reference, threads);
            double gflop = 2.0 * (double)rows * (double)n_in * (double)n_out * 1e-9;
            (void)printf("| %zu | %zu | %zu | %.1f | %.0f %% | %.1f | %.1f | %.2f | %s |\n", n_in, n_out, rows,
                         gflop / p.own_s, 100.0 * gflop / p.own_s / peak, 4e-9 * (double)n_in * (double)n_out / p.own_s,
                         gflop / p.dnn_s, p.dnn_s / p.own_s, p.rows_differ ? "yes" : "no");
        }
        processor.ops->weight_free(weight);
        free(x);
        free(w);
        free(reference);
    }
    processor.ops->stream_free(stream);
    pl_processor_close(&processor);
    return 0;
}
