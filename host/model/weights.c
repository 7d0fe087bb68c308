/* Loading: stored tensors → weights on the device, straight from the mapped file.
 *
 * Matrices go to the backend as they stand in the file (it packs them once); tables and vectors become float32. What
 * belongs to one product is packed into one matrix: q, k, v into [(H + 2G) D, C], gate and up into [2F, C]. */
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "model/config.h"

/* Rows of a table that are converted at a time. */
static const size_t CHUNK_BYTES = 8u * 1024 * 1024;

/* Where the load stands: the staged memory must stay until the stream has passed. */
typedef struct loader {
    pl_model *model;
    const pl_checkpoint *checkpoint;
    pl_stream *stream;
    pl_arena *staged;
} loader;

pl__bound_weight *pl__model_weight(pl_model *model, pl__slot slot, size_t layer)
{
    if (slot < PL__MODEL_SLOTS) return &model->whole[slot];
    return &model->layers[layer * PL__LAYER_SLOTS + (size_t)(slot - PL__MODEL_SLOTS)];
}

/* ---- Element types ---------------------------------------------------------------------------------------------- */

void pl__tensor_floats(float *to, const pl_tensor *tensor, size_t first, size_t n)
{
    const uint8_t *from = tensor->data + first * pl_dtype_bytes(tensor->dtype);
    if (tensor->dtype == PL_F32) {
        memcpy(to, from, n * sizeof *to);
        return;
    }
    uint16_t halves[256]; /* data may be unaligned */
    for (size_t i = 0, part; i < n; i += part) {
        part = n - i < 256 ? n - i : 256;
        memcpy(halves, from + 2 * i, part * sizeof *halves);
        (tensor->dtype == PL_BF16 ? pl_f32_from_bf16 : pl_f32_from_f16)(to + i, halves, part);
    }
}

/* ---- Placing a tensor in its slot ------------------------------------------------------------------------------- */

bool pl__fact_run(pl__run *out, const pl_config *c, const pl__tensor_fact *fact, size_t at, size_t rows, size_t i)
{
    const pl__part part = fact->part;
    size_t Q = c->H * c->D, K = c->G * c->D;
    const size_t in_group = c->H / c->G + 2; /* queries, a key and a value */
    const size_t group = i / in_group, of = i % in_group;
    if (i > 0 && part != PL__QKV_BY_GROUP) return false;
    switch (part) {
    case PL__WHOLE:
        *out = (pl__run){0, 0, rows};
        break;
    case PL__PART_Q:
        *out = (pl__run){0, 0, Q};
        break;
    case PL__PART_K:
        *out = (pl__run){Q, 0, K};
        break;
    case PL__PART_V:
        *out = (pl__run){Q + K, 0, K};
        break;
    case PL__PART_GATE:
        *out = (pl__run){0, 0, c->F};
        break;
    case PL__PART_UP:
        *out = (pl__run){c->F, 0, c->F};
        break;
    case PL__QKV_BY_GROUP:
        *out = (pl__run){of + 2 < in_group    ? (group * (in_group - 2) + of) * c->D
                         : of + 2 == in_group ? Q + group * c->D
                                              : Q + K + group * c->D,
                         i * c->D, c->D};
        return group < c->G;
    case PL__BY_HEAD:
        *out = (pl__run){at % (rows / c->D) * c->D, 0, c->D};
        break;
    }
    return true;
}

pl_layout pl__fact_layout(const pl__tensor_fact *fact)
{
    const pl__slot_fact *slot = pl__slot_facts(fact->slot == PL__EMBED ? PL__HEAD : fact->slot);
    return fact->dims[1] == slot->columns ? PL_LAYOUT_OUT_IN : PL_LAYOUT_IN_OUT;
}

static bool is_aligned(const pl_tensor *t)
{
    return (uintptr_t)t->data % pl_dtype_bytes(t->dtype) == 0;
}

static pl_status put_matrix(loader *l, pl__bound_weight *weight, const pl__tensor_fact *fact, size_t at,
                            const pl_tensor *t, size_t rows, size_t columns)
{
    const pl_backend *ops = l->model->processor.ops;
    pl_layout layout = pl__fact_layout(fact);
    if (layout == PL_LAYOUT_IN_OUT && fact->part == PL__QKV_BY_GROUP)
        return pl_fail(PL_E_INTERNAL, "%s: by-group tensors are [out, in]", fact->name);
    if (!weight->matrix)
        PL_TRY(ops->weight_create(l->model->processor.device, &weight->matrix, rows, columns, l->model->compute));

    const uint8_t *data = t->data;
    void *copy = NULL;
    if (!is_aligned(t)) { /* rare: an odd-sized buffer stands before it in the file */
        PL_TRY(pl_new_bytes(&copy, t->bytes, 1));
        memcpy(copy, t->data, t->bytes);
        data = copy;
    }
    size_t row_bytes = columns * pl_dtype_bytes(t->dtype);
    pl_status status = PL_OK;
    pl__run r = {0};
    for (size_t i = 0; pl__fact_run(&r, &l->model->config, fact, at, rows, i) && status == PL_OK; i++)
        status = pl_weight_set(&l->model->processor, l->stream, weight->matrix, r.to, r.n, data + r.from * row_bytes,
                               t->dtype, layout);
    if (copy) PL_KEEP(status, ops->stream_wait(l->stream));
    free(copy);
    return status;
}

static pl_status put_vector(loader *l, pl__bound_weight *weight, const pl__tensor_fact *fact, size_t at,
                            const pl_tensor *t, size_t columns)
{
    const pl_processor *processor = &l->model->processor;
    if (!weight->view.buffer) PL_TRY(pl_view_create(processor, &weight->view, 1, columns, PL_F32));
    pl__run r = {0};
    for (size_t i = 0; pl__fact_run(&r, &l->model->config, fact, at, columns, i); i++) {
        float *staged;
        PL_TRY(pl_arena_new(l->staged, &staged, r.n));
        pl__tensor_floats(staged, t, r.from, r.n);
        PL_TRY(pl_upload(processor, l->stream, pl_view_columns(weight->view, r.to, r.n), staged));
    }
    return PL_OK;
}

static pl_status put_table(loader *l, pl__bound_weight *weight, const pl_tensor *t, size_t rows, size_t columns)
{
    const pl_processor *processor = &l->model->processor;
    PL_TRY(pl_view_create(processor, &weight->view, rows, columns, PL_F32));
    if (t->dtype == PL_F32 && is_aligned(t)) return pl_upload(processor, l->stream, weight->view, t->data);

    size_t chunk = CHUNK_BYTES / sizeof(float) / columns;
    if (chunk == 0) chunk = 1;
    if (chunk > rows) chunk = rows;
    float *staged;
    PL_TRY(pl_new(&staged, chunk * columns));
    pl_status status = PL_OK;
    for (size_t first = 0; first < rows && status == PL_OK; first += chunk) {
        size_t n = rows - first < chunk ? rows - first : chunk;
        pl__tensor_floats(staged, t, first * columns, n * columns);
        status = pl_upload(processor, l->stream, pl_view_rows(weight->view, first, n), staged);
        PL_KEEP(status, processor->ops->stream_wait(l->stream));
    }
    free(staged);
    return status;
}

static pl_status put_tensor(loader *l, const pl__tensor_fact *fact, size_t at)
{
    const pl_config *config = &l->model->config;
    const pl__slot_fact *slot = pl__slot_facts(fact->slot);
    const pl_tensor *t = pl__checkpoint_tensor(l->checkpoint, fact, at);
    pl__bound_weight *weight = pl__model_weight(l->model, fact->slot, pl__fact_layer(config, fact, at));
    size_t rows = pl__dimension(config, slot->rows), columns = pl__dimension(config, slot->columns);
    switch (slot->form) {
    case PL__TABLE:
        return put_table(l, weight, t, rows, columns);
    case PL__MATRIX:
        return put_matrix(l, weight, fact, at, t, rows, columns);
    case PL__VECTOR:
        return put_vector(l, weight, fact, at, t, columns);
    }
    return PL_OK;
}

/* ---- A model ---------------------------------------------------------------------------------------------------- */

static pl_status put_turn(pl_model *m, pl__turn *to, const pl_rope *rope, pl_stream *stream, pl_arena *staged)
{
    const size_t border = m->config.border, rows = pl_config_turns(&m->config), n = rope->width / 2;
    if (rope->kind == PL_ROPE_NONE) return PL_OK;
    float *cosine, *sine;
    PL_TRY(pl_arena_new(staged, &cosine, rows * n));
    PL_TRY(pl_arena_new(staged, &sine, rows * n));
    PL_TRY(pl__rope_table(cosine, sine, rope, false, border));
    PL_TRY(pl__rope_table(cosine + border * n, sine + border * n, rope, border > 0, rows - border));
    PL_TRY(pl_view_create(&m->processor, &to->cosine, rows, n, PL_F32));
    PL_TRY(pl_view_create(&m->processor, &to->sine, rows, n, PL_F32));
    PL_TRY(pl_upload(&m->processor, stream, to->cosine, cosine));
    return pl_upload(&m->processor, stream, to->sine, sine);
}

static pl_status put_slopes(pl_model *m, pl_stream *stream, pl_arena *staged)
{
    float *slopes;
    if (!m->config.alibi) return PL_OK;
    PL_TRY(pl_arena_new(staged, &slopes, m->config.H));
    pl__alibi_slopes(slopes, m->config.H, m->config.family->alibi_rounded);
    PL_TRY(pl_view_create(&m->processor, &m->slopes, 1, m->config.H, PL_F32));
    return pl_upload(&m->processor, stream, m->slopes, slopes);
}

pl_status pl__model_put_positions(pl_model *m, pl_stream *stream, pl_arena *staged)
{
    PL_TRY(put_slopes(m, stream, staged));
    PL_TRY(put_turn(m, &m->turns[PL_TURN_GLOBAL], &m->config.rope, stream, staged));
    return put_turn(m, &m->turns[PL_TURN_LOCAL], &m->config.local_rope, stream, staged);
}

static pl_status put_all(loader *l)
{
    const pl_config *config = &l->model->config;
    const pl_family *family = config->family;
    for (size_t i = 0; i < family->n_tensors; i++)
        for (size_t at = 0; at < pl__fact_count(config, &family->tensors[i]); at++)
            PL_TRY(put_tensor(l, &family->tensors[i], at));
    if (config->tied) {
        const pl__tensor_fact *head = pl__head_fact(config);
        const pl_tensor *t = pl__checkpoint_tensor(l->checkpoint, head, 0);
        PL_TRY(put_matrix(l, &l->model->whole[PL__HEAD], head, 0, t, config->V, config->E));
    }
    return pl__model_put_positions(l->model, l->stream, l->staged);
}

pl_status pl_model_load(pl_model **out, const pl_processor *processor, const pl_checkpoint *checkpoint,
                        pl_dtype compute)
{
    *out = NULL;
    pl_model *m;
    if (!checkpoint->tensors) return pl_fail(PL_E_INTERNAL, "%s: opened without its weights", checkpoint->folder);
    PL_TRY(pl_new(&m, 1));
    m->processor = *processor;
    m->config = checkpoint->config;
    m->compute = compute;
    loader l = {.model = m, .checkpoint = checkpoint};
    pl_status status;
    PL_GOTO(status, done, pl_new(&m->layers, m->config.L * PL__LAYER_SLOTS));
    PL_GOTO(status, done, pl_arena_create(&l.staged));
    PL_GOTO(status, done, processor->ops->stream_create(processor->device, &l.stream));
    status = put_all(&l);
    PL_KEEP(status, processor->ops->stream_wait(l.stream));
done:
    if (l.stream) processor->ops->stream_free(l.stream);
    pl_arena_free(l.staged);
    if (status == PL_OK)
        *out = m;
    else
        pl_model_free(m);
    return status;
}

static void free_weights(pl_model *m, pl__bound_weight *weights, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (weights[i].matrix) m->processor.ops->weight_free(weights[i].matrix);
        if (!m->masters) pl_view_free(&m->processor, &weights[i].view);
    }
}

void pl_model_free(pl_model *model)
{
    if (!model) return;
    free_weights(model, model->whole, PL__MODEL_SLOTS);
    if (model->layers) free_weights(model, model->layers, model->config.L * PL__LAYER_SLOTS);
    if (model->masters) model->processor.ops->buffer_free(model->masters);
    for (size_t i = 0; i <= PL_TURN_LOCAL; i++) {
        pl_view_free(&model->processor, &model->turns[i].cosine);
        pl_view_free(&model->processor, &model->turns[i].sine);
    }
    pl_view_free(&model->processor, &model->slopes);
    free(model->layers);
    free(model);
}

const pl_config *pl_model_config(const pl_model *model)
{
    return &model->config;
}

const pl_processor *pl_model_processor(const pl_model *model)
{
    return &model->processor;
}

pl_dtype pl_model_compute(const pl_model *model)
{
    return model->compute;
}

static size_t view_bytes(pl_view v)
{
    return v.rows * v.columns * pl_dtype_bytes(v.dtype);
}

size_t pl_model_bytes(const pl_model *model)
{
    size_t bytes = view_bytes(model->slopes);
    for (size_t i = 0; i <= PL_TURN_LOCAL; i++)
        bytes += view_bytes(model->turns[i].cosine) + view_bytes(model->turns[i].sine);
    for (size_t i = 0; i < PL__MODEL_SLOTS + PL__LAYER_SLOTS; i++) {
        const pl__slot_fact *fact = pl__slot_facts((pl__slot)i);
        size_t rows = pl__dimension(&model->config, fact->rows), columns = pl__dimension(&model->config, fact->columns);
        for (size_t l = 0; l < (i < PL__MODEL_SLOTS ? 1 : model->config.L); l++) {
            const pl__bound_weight *weight =
                i < PL__MODEL_SLOTS ? &model->whole[i] : &model->layers[l * PL__LAYER_SLOTS + (i - PL__MODEL_SLOTS)];
            const pl_backend *ops = model->processor.ops;
            if (weight->matrix)
                bytes +=
                    (model->masters ? ops->weight_attached_bytes : ops->weight_bytes)(rows, columns, model->compute);
            bytes += view_bytes(weight->view);
        }
    }
    return bytes;
}
