/* The memory of a forward pass: made once for a capacity, used by every batch that fits. */
#include "model/activations.h"

#include <stdlib.h>

#include "model/pass.h"

/* The one list that both the bytes and the buffers come from. */
void pl__activations_plan(pl_view out[PL__ACT_SLOTS], const pl_backend *ops, const pl_config *c, pl_dtype compute,
                          size_t N, size_t R, bool tape)
{
    const bool second = c->parallel ? pl__config_has(c, PL__NORM_2) : tape, head_norms = pl__config_has(c, PL__Q_NORM),
               after = pl__has_branches(c), projected = pl__config_has(c, PL__PROJECT_OUT);
    const pl_dtype storage = pl_activation_type(ops, compute);
    const size_t kept = tape ? N : 0, narrow = projected ? N : 0;
    const bool final = !tape && (storage != PL_F32 || projected);
    const pl_view views[PL__ACT_SLOTS] = {
        [PL__ACT_STREAM] = {.rows = N, .columns = c->C, .dtype = PL_F32},
        [PL__ACT_NORMED] = {.rows = N, .columns = c->C, .dtype = storage},
        [PL__ACT_NORMED_2] = {.rows = second ? N : 0, .columns = c->C, .dtype = storage},
        [PL__ACT_QKV] = {.rows = N, .columns = pl__dimension(c, 'A'), .dtype = storage},
        [PL__ACT_ATTENDED] = {.rows = N, .columns = pl__dimension(c, 'Q'), .dtype = storage},
        [PL__ACT_UP] = {.rows = N, .columns = pl__dimension(c, 'U'), .dtype = storage},
        [PL__ACT_BRANCH] = {.rows = after ? N : 0, .columns = c->C, .dtype = PL_F32},
        [PL__ACT_INPUT] = {.rows = kept, .columns = c->C, .dtype = PL_F32},
        [PL__ACT_MIDDLE] = {.rows = c->parallel ? 0 : kept, .columns = c->C, .dtype = PL_F32},
        [PL__ACT_QKV_RAW] = {.rows = head_norms ? kept : 0, .columns = pl__dimension(c, 'A'), .dtype = storage},
        [PL__ACT_LSE] = {.rows = kept, .columns = c->H, .dtype = PL_F32},
        [PL__ACT_HIDDEN] = {.rows = kept, .columns = c->F, .dtype = storage},
        [PL__ACT_BRANCH_2] = {.rows = after ? kept : 0, .columns = c->C, .dtype = PL_F32},
        [PL__ACT_END] = {.rows = pl__config_has(c, PL__SUM_2) ? kept : 0, .columns = c->C, .dtype = PL_F32},
        [PL__ACT_FINAL] = {.rows = final ? N : 0, .columns = c->E, .dtype = PL_F32},
        [PL__ACT_EMBEDDED] = {.rows = narrow, .columns = c->E, .dtype = PL_F32},
        [PL__ACT_EMBEDDED_LOW] = {.rows = narrow, .columns = c->E, .dtype = storage},
        [PL__ACT_ROWS] = {.rows = R, .columns = c->C, .dtype = PL_F32},
        [PL__ACT_ROWS_NORM] = {.rows = R, .columns = c->C, .dtype = storage},
        [PL__ACT_ROWS_OUT] = {.rows = projected ? R : 0, .columns = c->E, .dtype = storage},
    };
    for (size_t i = 0; i < PL__ACT_SLOTS; i++) out[i] = views[i];
}

static void plan(pl_view out[PL__ACT_SLOTS], const pl_model *m, size_t N, size_t R, bool logits)
{
    const size_t outputs = pl_config_outputs(&m->config);
    const size_t workspace = R ? m->processor.ops->score_workspace_bytes(R, outputs) : 0;
    pl__activations_plan(out, m->processor.ops, &m->config, m->compute, N, R, false);
    out[PL__ACT_LOGITS] = (pl_view){.rows = logits ? R : 0, .columns = outputs, .dtype = PL_F32};
    out[PL__ACT_WORKSPACE] = (pl_view){.rows = workspace ? 1 : 0, .columns = workspace, .dtype = PL_U8};
}

size_t pl_activations_bytes(const pl_model *model, size_t n_tokens, size_t n_rows, bool logits)
{
    pl_view views[PL__ACT_SLOTS];
    plan(views, model, n_tokens, n_rows, logits);
    size_t bytes = 0;
    for (size_t i = 0; i < PL__ACT_SLOTS; i++)
        bytes += views[i].rows * views[i].columns * pl_dtype_bytes(views[i].dtype);
    return bytes;
}

pl_status pl_activations_create(pl_activations **out, const pl_model *model, size_t n_tokens, size_t n_rows,
                                bool logits)
{
    *out = NULL;
    pl_activations *a;
    PL_TRY(pl_new(&a, 1));
    a->processor = model->processor;
    a->n_tokens = n_tokens;
    a->n_rows = n_rows;
    pl_view sizes[PL__ACT_SLOTS];
    plan(sizes, model, n_tokens, n_rows, logits);
    pl_status status = PL_OK;
    for (size_t i = 0; i < PL__ACT_SLOTS && status == PL_OK; i++)
        if (sizes[i].rows)
            status = pl_view_create(&a->processor, &a->views[i], sizes[i].rows, sizes[i].columns, sizes[i].dtype);
    if (status == PL_OK)
        *out = a;
    else
        pl_activations_free(a);
    return status;
}

void pl_activations_free(pl_activations *activations)
{
    if (!activations) return;
    for (size_t i = 0; i < PL__ACT_SLOTS; i++) pl_view_free(&activations->processor, &activations->views[i]);
    free(activations);
}

pl_view pl_activations_logits(const pl_activations *activations)
{
    return activations->views[PL__ACT_LOGITS];
}
