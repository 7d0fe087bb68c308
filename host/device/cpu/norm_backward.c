/* The gradients of layer norm and RMS norm (norm.h has a row's). Threads share the rows for dx, then the columns for
 * dweight and dbias, to which rows are added one after another: cutting a batch into several changes no bit. */
#include "device/cpu/cpu.h"
#include "device/cpu/norm.h"

/* Columns [from, to) of dweight and dbias. */
static void add_columns(const pl_norm_backward_args *a, const pl__moments *moments, size_t rows, size_t from, size_t to)
{
    float *dweight = a->dweight.buffer ? pl__f32(a->dweight, 0) : NULL;
    float *dbias = a->dbias.buffer ? pl__f32(a->dbias, 0) : NULL;
    const float gain = pl__gain(a->gain);
    for (size_t r = 0; r < rows; r++) {
        const float *x = pl__f32(a->x, r), *dy = pl__f32(a->dy, r);
        const double mean = moments[r].mean, scale = moments[r].scale;
        if (dweight) {
            for (size_t i = from; i < to; i++) dweight[i] += gain * dy[i] * (float)(((double)x[i] - mean) * scale);
        }
        if (dbias) {
            for (size_t i = from; i < to; i++) dbias[i] += gain * dy[i];
        }
    }
}

pl_status PL__WIDE(norm_backward)(pl_stream *stream, const pl_norm_backward_args *args)
{
    enum { LINE = 16 }; /* columns that are not shared between threads */
    size_t rows, C = args->x.columns, lines = (C + LINE - 1) / LINE;
    PL_TRY(pl__read_count("norm_backward", &rows, args->counts, args->count,
                          pl__least(pl__least(args->x.rows, args->dx.rows), args->dy.rows)));
    const float *weight = args->weight.buffer ? pl__f32(args->weight, 0) : NULL;
    pl__moments *moments = rows ? (pl__moments *)pl__at(args->workspace, 0) : NULL;
    const int n_threads = pl__threads(stream, rows * C);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *x = pl__f32(args->x, r);
        moments[r] = pl__norm_moments(x, C, args->kind, args->eps);
        pl__norm_row_backward(pl__f32(args->dx, r), x, pl__f32(args->dy, r), C, args->kind, &moments[r], weight,
                              pl__gain(args->gain), 0);
    }
    const size_t parts = (size_t)n_threads;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t i = 0; i < parts; i++)
        add_columns(args, moments, rows, lines * i / parts * LINE, pl__least(lines * (i + 1) / parts * LINE, C));
    return PL_OK;
}
