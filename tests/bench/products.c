/* The products of a training step: forward from packed weights and from the master, by the input (dgrad) and by the
 * weight (wgrad), in float32 and, where the CPU has them, in bfloat16 and bf16x3: GFLOP/s against the float32 FMA peak
 * of the same run. The best of several runs counts; one thread is timed by its own CPU time.
 *
 *   cmake --build build --target bench-products && build/tests/bench/bench-products [threads [TEXT]]
 * With TEXT, the lines that hold it: "| wgrad | 464 |". */
#include <omp.h>
#include <stdbool.h>
#include <string.h>

#include "device/device.h"
#include "peak.h"

typedef enum kind { PACKED, ATTACHED, DGRAD, WGRAD, HEAD, KINDS } kind;
static const char *const names[KINDS] = {"forward, packed", "forward, master", "dgrad", "wgrad", "head, all three"};

typedef struct shape {
    size_t rows, n_in, n_out;
    bool head;
} shape;
static const shape shapes[] = {
    {256, 768, 768, false}, {1024, 768, 2304, false}, {1024, 768, 3072, false}, {1024, 3072, 768, false},
    {464, 576, 576, false}, {464, 576, 960, false},   {464, 576, 3072, false},  {464, 1536, 576, false},
    {16, 576, 49152, true}, {464, 576, 49152, true},  {1024, 768, 50257, true},
};

/* The views of one shape. */
typedef struct bench {
    pl_processor processor;
    pl_stream *stream;
    pl_view counts, x, y, master, dx, dweight, workspace, tokens, weights, lp;
    pl_weight *packed, *attached;
} bench;

static pl_view filled(const bench *b, size_t rows, size_t columns, float scale)
{
    pl_view v;
    float *x = malloc(rows * columns * sizeof *x);
    if (!x) exit(1);
    for (size_t i = 0; i < rows * columns; i++)
        x[i] = scale * ((float)((i * 2654435761u >> 8) & 0xffff) / 65536.0f - 0.5f);
    must(pl_view_create(&b->processor, &v, rows, columns, PL_F32));
    must(pl_upload(&b->processor, b->stream, v, x));
    free(x);
    return v;
}

static void setup(bench *b, const shape *s, pl_dtype compute)
{
    const pl_backend *ops = b->processor.ops;
    const int32_t n[PL_COUNTS] = {(int32_t)s->rows, (int32_t)s->rows, (int32_t)s->rows};
    b->x = filled(b, s->rows, s->n_in, 1.0f);
    b->y = filled(b, s->rows, s->head ? 1 : s->n_out, 1.0f);
    b->master = filled(b, s->n_out, s->n_in, 1.0f);
    b->dx = filled(b, s->rows, s->n_in, 1.0f);
    b->dweight = filled(b, s->n_out, s->n_in, 1.0f);
    b->weights = filled(b, 1, s->rows, 1.0f);
    b->lp = filled(b, 1, s->rows, 1.0f);
    must(pl_view_create(&b->processor, &b->counts, 1, PL_COUNTS, PL_I32));
    must(pl_upload(&b->processor, b->stream, b->counts, n));
    must(pl_view_create(&b->processor, &b->tokens, 1, s->rows, PL_I32));
    const size_t bytes = s->head ? ops->score_backward_workspace_bytes(s->rows, s->n_out, s->n_in, compute)
                                 : ops->linear_backward_workspace_bytes(s->rows, s->n_out, s->n_in, compute);
    must(pl_view_create(&b->processor, &b->workspace, 1, bytes, PL_U8));
    must(ops->weight_create(b->processor.device, &b->packed, s->n_out, s->n_in, compute));
    must(pl_weight_refresh(&b->processor, b->stream, b->packed, b->master));
    must(pl_weight_attach(&b->processor, &b->attached, b->master, compute));
    must(pl_weight_refresh(&b->processor, b->stream, b->attached, b->master));
}

static void cleanup(bench *b)
{
    pl_view *const views[] = {&b->counts,  &b->x,         &b->y,      &b->master,  &b->dx,
                              &b->dweight, &b->workspace, &b->tokens, &b->weights, &b->lp};
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(&b->processor, views[i]);
    b->processor.ops->weight_free(b->packed);
    b->processor.ops->weight_free(b->attached);
}

static void run(const bench *b, kind k)
{
    const pl_view none = {0};
    if (k == HEAD) {
        const pl_score_backward_args args = {.counts = b->counts,
                                             .x = b->x,
                                             .weight = b->attached,
                                             .target_tokens = b->tokens,
                                             .loss_weights = b->weights,
                                             .log_probability = b->lp,
                                             .dx = b->dx,
                                             .dweight = b->dweight,
                                             .workspace = b->workspace};
        must(pl_op_score_backward(&b->processor, b->stream, &args));
    } else if (k <= ATTACHED) {
        const pl_linear_args args = {.counts = b->counts,
                                     .count = PL_COUNT_ROWS,
                                     .x = b->x,
                                     .weight = k == PACKED ? b->packed : b->attached,
                                     .y = b->y};
        must(pl_op_linear(&b->processor, b->stream, &args));
    } else {
        const pl_linear_backward_args args = {.counts = b->counts,
                                              .count = PL_COUNT_ROWS,
                                              .x = b->x,
                                              .dy = b->y,
                                              .weight = b->attached,
                                              .dx = k == DGRAD ? b->dx : none,
                                              .dweight = k == WGRAD ? b->dweight : none,
                                              .workspace = b->workspace};
        must(pl_op_linear_backward(&b->processor, b->stream, &args));
    }
}

/* The best of at least 3 runs, and of as many as half a second takes. */
static double best_seconds(const bench *b, kind k, int threads)
{
    double best = 1e9, sum = 0;
    for (int i = 0; i < 3 || sum < 0.5; i++) {
        double t = seconds(threads);
        run(b, k);
        t = seconds(threads) - t;
        sum += t;
        if (t < best) best = t;
    }
    return best;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    const char *only = argc > 2 ? argv[2] : "";
    bench b = {0};
    pl_device_facts facts;
    must(pl_processor_open(&b.processor, "cpu", threads));
    must(b.processor.ops->stream_create(b.processor.device, &b.stream));
    must(b.processor.ops->facts(b.processor.device, &facts));
    omp_set_num_threads(threads);
    const double peak = fma_peak(threads);
    static const pl_dtype computes[] = {PL_F32, PL_BF16, PL_BF16X3};
    enum { COMPUTES = sizeof computes / sizeof *computes };
    bool has[COMPUTES];
    for (size_t c = 0; c < COMPUTES; c++) {
        pl_weight *probe = NULL;
        has[c] = b.processor.ops->weight_create(b.processor.device, &probe, 1, 1, computes[c]) == PL_OK;
        b.processor.ops->weight_free(probe);
    }
    (void)printf(
        "%s; FMA peak %.0f GFLOP/s\n| product | rows | in | out | float32 GFLOP/s | of peak | bfloat16 GFLOP/s | "
        "to float32 | bf16x3 GFLOP/s | to float32 |\n|---|---|---|---|---|---|---|---|---|---|\n",
        facts.name, peak);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        for (kind k = s->head ? HEAD : PACKED; k < (s->head ? KINDS : HEAD); k++) {
            const double gflop = (k == HEAD ? 6e-9 : 2e-9) * (double)s->rows * (double)s->n_in * (double)s->n_out;
            double rate[COMPUTES] = {NAN, NAN, NAN};
            char line[128];
            (void)snprintf(line, sizeof line, "| %s | %zu | %zu | %zu |", names[k], s->rows, s->n_in, s->n_out);
            if (!strstr(line, only)) continue;
            for (size_t c = 0; c < COMPUTES; c++) {
                if (!has[c]) continue;
                setup(&b, s, computes[c]);
                rate[c] = gflop / best_seconds(&b, k, threads);
                cleanup(&b);
            }
            (void)printf("%s %.0f | %.0f %% | %.0f | %.2f | %.0f | %.2f |\n", line, rate[0], 100.0 * rate[0] / peak,
                         rate[1], rate[1] / rate[0], rate[2], rate[2] / rate[0]);
            (void)fflush(stdout);
        }
    }
    b.processor.ops->stream_free(b.stream);
    pl_processor_close(&b.processor);
    return 0;
}
