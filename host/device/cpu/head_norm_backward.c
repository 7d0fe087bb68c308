/* The gradients of the norm of each head's features; dy becomes the gradient of x in place. First the rows' moments,
 * then dweight and dbias, their features shared by threads, to which rows and in a row heads are added one after
 * another, then dx.
 */
#include "device/cpu/cpu.h"
#include "device/cpu/norm.h"

static void add_columns(const pl_head_norm_backward_args *a, const pl__moments *moments, size_t rows, size_t from,
                        size_t to)
{
    float *dweight = a->dweight.buffer ? pl__f32(a->dweight, 0) : NULL;
    float *dbias = a->dbias.buffer ? pl__f32(a->dbias, 0) : NULL;
    const size_t own = a->dweight.rows > 1 ? a->dweight.stride : 0;
    for (size_t r = 0; r < rows; r++) {
        for (size_t h = 0; h < a->n_heads; h++) {
            const size_t column = a->first_column + h * a->head_width;
            const float *x = pl__f32(a->x, r) + column, *dy = pl__f32(a->dy, r) + column;
            const pl__moments m = moments[r * a->n_heads + h];
            for (size_t i = from; dweight && i < to; i++)
                dweight[h * own + i] += dy[i] * (float)(((double)x[i] - m.mean) * m.scale);
            for (size_t i = from; dbias && i < to; i++) dbias[i] += dy[i];
        }
    }
}

pl_status PL__WIDE(head_norm_backward)(pl_stream *stream, const pl_head_norm_backward_args *args)
{
    enum { LINE = 16 };
    size_t rows, D = args->head_width, H = args->n_heads, lines = (D + LINE - 1) / LINE;
    PL_TRY(pl__read_count("head_norm_backward", &rows, args->batch->counts, PL_COUNT_TOKENS,
                          pl__least(args->x.rows, args->dy.rows)));
    const float *weight = args->weight.buffer ? pl__f32(args->weight, 0) : NULL;
    const size_t own = args->weight.rows > 1 ? args->weight.stride : 0;
    pl__moments *moments = rows ? (pl__moments *)pl__at(args->workspace, 0) : NULL;
    const int n_threads = pl__threads(stream, rows * H * D);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t i = 0; i < rows * H; i++) {
        const float *x = pl__f32(args->x, i / H) + args->first_column + i % H * D;
        moments[i] = pl__norm_moments(x, D, args->kind, args->eps);
    }
    if (args->dweight.buffer || args->dbias.buffer) {
#pragma omp parallel for num_threads(n_threads) schedule(static)
        for (size_t line = 0; line < lines; line++)
            add_columns(args, moments, rows, line * LINE, pl__least((line + 1) * LINE, D));
    }
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t i = 0; i < rows * H; i++) {
        const size_t column = args->first_column + i % H * D;
        float *dy = pl__f32(args->dy, i / H) + column;
        pl__norm_row_backward(dy, pl__f32(args->x, i / H) + column, dy, D, args->kind, &moments[i],
                              weight ? weight + i % H * own : NULL, 1.0f, 1);
    }
    return PL_OK;
}
