#include "tsne/field.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tsne/field_parts.h"

pl_status pl__field_create(pl__field *out, const pl_processor *processor, pl_stream *stream, size_t n)
{
    *out = (pl__field){.processor = processor, .stream = stream, .n = n};
    pl_status status;
    PL_GOTO(status, failed, pl_view_create(processor, &out->force, 1, 2 * n, PL_F32));
    PL_GOTO(status, failed, pl_view_create(processor, &out->z, 1, 1, PL_F64));
    PL_GOTO(status, failed,
            pl_view_create(processor, &out->workspace, 1, processor->ops->repulsion_workspace_bytes(n), PL_U8));
    PL_GOTO(status, failed, pl_new(&out->host, 2 * n));
    PL_GOTO(status, failed, pl__grid_create(&out->grid, n));
    return PL_OK;
failed:
    pl__field_free(out);
    return status;
}

void pl__field_free(pl__field *field)
{
    if (!field->processor) return;
    pl__grid_free(field->grid);
    free(field->host);
    pl_view_free(field->processor, &field->workspace);
    pl_view_free(field->processor, &field->z);
    pl_view_free(field->processor, &field->force);
    *field = (pl__field){0};
}

pl_status pl__field_exact(pl__field *field, pl_view y)
{
    const pl_repulsion_args args = {y, field->force, field->z, field->workspace};
    return pl_op_repulsion(field->processor, field->stream, &args);
}

static pl_status bring(pl__field *field, pl_view y)
{
    PL_TRY(pl_download(field->processor, field->stream, field->host, y));
    return field->processor->ops->stream_wait(field->stream);
}

/* Of the map in `host`. */
static pl_status sum_on_grid(pl__field *field)
{
    double z;
    PL_TRY(pl__grid_sum(field->grid, &z, field->host, field->host));
    PL_TRY(pl_upload(field->processor, field->stream, field->force, field->host));
    PL_TRY(pl_upload(field->processor, field->stream, field->z, &z));
    return field->processor->ops->stream_wait(field->stream); /* host memory is used again */
}

pl_status pl__field_grid(pl__field *field, pl_view y)
{
    PL_TRY(bring(field, y));
    return sum_on_grid(field);
}

pl_status pl__field_of(pl__field *field, pl_view y)
{
    /* Nanoseconds as measured (results/benchmarks/tsne.md): a pair, a node of a line's transform, a point on the grid;
     * of a GPU as predicted
     * (results/benchmarks/gpu-predictions.md). */
    static const double PAIR = 0.35, PAIR_OF_GPU = 3.5e-4, NODE = 1.0, POINT = 60.0;
    const double n = (double)field->n, exact = n * n * (field->processor->ops->shares_memory ? PAIR : PAIR_OF_GPU);
    if (exact <= POINT * n) return pl__field_exact(field, y);
    PL_TRY(bring(field, y));
    const double width = (double)pl__grid_width(field->host, field->n);
    if (width > 0.0 && POINT * n + NODE * 3.0 * width * width * log2(width) < exact) return sum_on_grid(field);
    return pl__field_exact(field, y);
}
