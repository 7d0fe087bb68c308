/* The products of centred states with themselves, in double (gram.h), on a device (op `pairwise`). */
#include "measure/gram.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/tile.h"
#include "device/device.h"

static pl_status products(double *gram, const double *mean, const float *x, size_t n, size_t width, pl_gram_of of,
                          const pl_processor *on)
{
    const bool columns = of == PL_GRAM_OF_COLUMNS;
    const size_t m = columns ? width : n, depth = columns ? n : width;
    pl_stream *stream = NULL;
    pl_pairwise_args a = {.columns = columns};
    pl_status status;
    PL_GOTO(status, done, on->ops->stream_create(on->device, &stream));
    PL_GOTO(status, done, pl_view_create(on, &a.x, n, width, PL_F32));
    PL_GOTO(status, done, pl_view_create(on, &a.mean, 1, width, PL_F64));
    PL_GOTO(status, done, pl_view_create(on, &a.products, m, m, PL_F64));
    PL_GOTO(status, done,
            pl_view_create(on, &a.workspace, 1, on->ops->pairwise_workspace_bytes(1, m, m, depth), PL_U8));
    PL_GOTO(status, done, pl_upload(on, stream, a.x, x));
    PL_GOTO(status, done, pl_upload(on, stream, a.mean, mean));
    a.y = a.x;
    PL_GOTO(status, done, pl_op_pairwise(on, stream, &a));
    PL_GOTO(status, done, pl_download(on, stream, gram, a.products));
    status = on->ops->stream_wait(stream);
done:;
    pl_view *views[] = {&a.x, &a.mean, &a.products, &a.workspace};
    if (status != PL_OK && stream) (void)on->ops->stream_wait(stream);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) pl_view_free(on, views[i]);
    if (stream) on->ops->stream_free(stream);
    return status;
}

pl_status pl_gram_whole(double *gram, double *mean, const float *x, size_t n, size_t width, pl_gram_of of,
                        const pl_processor *on)
{
    pl_processor cpu;
    if (n == 0) return PL_OK;
    pl__column_means(mean, x, n, width);
    if (on) return products(gram, mean, x, n, width, of, on);
    PL_TRY(pl_processor_open(&cpu, "cpu", 0));
    pl_status status = products(gram, mean, x, n, width, of, &cpu);
    pl_processor_close(&cpu);
    return status;
}

pl_status pl_gram(double *gram, const float *x, size_t n, size_t width, const pl_processor *on)
{
    double *mean;
    PL_TRY(pl_new(&mean, width));
    pl_status status = pl_gram_whole(gram, mean, x, n, width, PL_GRAM_OF_ROWS, on);
    for (size_t i = 0; i < n && status == PL_OK; i++) gram[i * n + i] = 0.0;
    free(mean);
    return status;
}
