/* Trainable models: four buffers of one layout, filled from a checkpoint or drawn, with the model's weights attached.
 */
#include "model/trainable.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "model/masters.h"
#include "model/shard.h"

/* Elements that pass through host memory at a time. */
static const size_t CHUNK = 2u * 1024 * 1024;

/* ---- The layout ------------------------------------------------------------------------------------------------ */

enum { ALIGNED_FLOATS = 16 }; /* 64 bytes */

/* The config of the model that will be trained: its head may be another than the checkpoint's. */
static pl_config trained_config(const pl_config *config, const pl_trainable_options *options)
{
    pl_config c = *config;
    if (options->head == PL_HEAD_CLASSIFIER) {
        c.n_labels = options->n_labels;
        c.tied = false;
    }
    return c;
}

/* Offset and shape of the next parameter; *n grows behind it. */
static pl_view place(size_t *n, const pl_config *config, pl__slot slot)
{
    const pl__slot_fact *fact = pl__slot_facts(slot);
    size_t rows = pl__dimension(config, fact->rows), columns = pl__dimension(config, fact->columns);
    pl_view v = {.offset = *n, .rows = rows, .columns = columns, .stride = columns, .dtype = PL_F32};
    *n += (rows * columns + ALIGNED_FLOATS - 1) / ALIGNED_FLOATS * ALIGNED_FLOATS;
    return v;
}

static size_t slot_layers(const pl_config *config, pl__slot slot)
{
    if (!pl__config_has(config, slot)) return 0;
    return slot < PL__MODEL_SLOTS ? 1 : config->L;
}

size_t pl_trainable_bytes(const pl_processor *processor, const pl_config *config, const pl_trainable_options *options,
                          size_t *parameters)
{
    const pl_backend *ops = processor->ops;
    pl_config c = trained_config(config, options);
    size_t n = 0, own = 0, attached = 0;
    for (int slot = 0; slot < PL__SLOTS; slot++)
        for (size_t l = 0; l < slot_layers(&c, (pl__slot)slot); l++) {
            pl_view v = place(&n, &c, (pl__slot)slot);
            own += v.rows * v.columns;
            bool is_matrix = pl__slot_facts((pl__slot)slot)->form == PL__MATRIX || (slot == PL__EMBED && c.tied);
            if (is_matrix && ops->weight_attached_bytes)
                attached += ops->weight_attached_bytes(v.rows, v.columns, options->compute);
        }
    if (parameters) *parameters = own;
    const size_t turned = c.rope.width / 2 + c.local_rope.width / 2;
    return 4 * n * sizeof(float) + attached + pl_config_turns(&c) * turned * 2 * sizeof(float);
}

static pl_status attach(pl_trainable *t, pl__bound_weight *weight, pl_view master)
{
    return pl_weight_attach(&t->model->processor, &weight->matrix, master, t->model->compute);
}

/* Decay as the family's table says: all tensors of a slot agree. */
static bool slot_decays(const pl_config *config, pl__slot slot)
{
    const pl_family *family = config->family;
    for (size_t i = 0; i < family->n_tensors; i++)
        if (family->tensors[i].slot == slot && pl__holds(config, family->tensors[i].when))
            return family->tensors[i].decay;
    return false;
}

static pl_view in_buffer(pl_view v, pl_buffer *buffer)
{
    v.buffer = buffer;
    return v;
}

/* Buffers, views and attached weights; nothing is filled. */
static pl_status build(pl_trainable *t)
{
    pl_model *m = t->model;
    const pl_config *c = &m->config;
    const pl_backend *ops = m->processor.ops;
    size_t n = 0, n_list = 0;
    for (int slot = 0; slot < PL__SLOTS; slot++)
        for (size_t l = 0; l < slot_layers(c, (pl__slot)slot); l++, n_list++) (void)place(&n, c, (pl__slot)slot);
    t->n = n;
    PL_TRY(pl_new(&t->list, n_list));
    PL_TRY(ops->buffer_create(m->processor.device, &m->masters, n * sizeof(float)));
    pl_buffer **others[] = {&t->gradient, &t->first, &t->second};
    for (size_t i = 0; i < 3; i++) PL_TRY(ops->buffer_create(m->processor.device, others[i], n * sizeof(float)));
    n = 0;
    for (int i = 0; i < PL__SLOTS; i++) {
        const pl__slot slot = (pl__slot)i;
        for (size_t l = 0; l < slot_layers(c, slot); l++) {
            pl__bound_weight *weight = pl__model_weight(m, slot, l);
            pl_view v = place(&n, c, slot);
            weight->view = in_buffer(v, m->masters);
            if (pl__slot_facts(slot)->form == PL__MATRIX) PL_TRY(attach(t, weight, weight->view));
            if (slot == PL__EMBED && c->tied) PL_TRY(attach(t, &m->whole[PL__HEAD], weight->view));
            t->list[t->n_list++] = (pl_parameter){
                .master = weight->view,
                .gradient = in_buffer(v, t->gradient),
                .first = in_buffer(v, t->first),
                .second = in_buffer(v, t->second),
                .decay = slot_decays(c, slot),
                .weight = slot == PL__EMBED && c->tied ? m->whole[PL__HEAD].matrix : weight->matrix,
            };
        }
    }
    return pl_parameters_create(&m->processor, &t->parameters, t->list, t->n_list);
}

/* ---- Stored tensors ---------------------------------------------------------------------------------------------- */

static pl_view flat(pl_view v, size_t first, size_t n)
{
    return (pl_view){
        .buffer = v.buffer, .offset = v.offset + first, .rows = 1, .columns = n, .stride = n, .dtype = PL_F32};
}

/* How a stored tensor lies in its slot: outputs of `width` elements each, runs of them, transposed or not. */
typedef struct placing {
    pl_view slot; /* of masters */
    size_t outputs, width;
    size_t stored; /* outputs of the tensor */
    bool transposed;
} placing;

static placing placing_of(const pl_trainable *t, const pl__tensor_fact *fact, size_t at)
{
    const pl_config *c = &t->model->config;
    pl_view v = pl__model_weight(t->model, fact->slot, pl__fact_layer(c, fact, at))->view;
    placing p = {.slot = v, .outputs = v.rows, .width = v.columns};
    if (pl__slot_facts(fact->slot)->form == PL__VECTOR) {
        p.outputs = v.columns;
        p.width = 1;
        p.stored = pl__dimension(c, fact->dims[0]);
        return p;
    }
    p.transposed = pl__fact_layout(fact) == PL_LAYOUT_IN_OUT;
    p.stored = pl__dimension(c, fact->dims[p.transposed ? 1 : 0]);
    return p;
}

/* n outputs from `first` of the tensor become rows of `to`. */
static void read_outputs(float *to, const placing *p, const pl_tensor *tensor, size_t first, size_t n, float *column)
{
    if (!p->transposed) {
        pl__tensor_floats(to, tensor, first * p->width, n * p->width);
        return;
    }
    for (size_t i = 0; i < p->width; i++) {
        pl__tensor_floats(column, tensor, i * p->stored + first, n);
        for (size_t o = 0; o < n; o++) to[o * p->width + i] = column[o];
    }
}

/* Outputs at a time, so that they fit the chunk. */
static size_t chunk_outputs(const placing *p)
{
    size_t most = p->transposed ? 64 : CHUNK / (p->width ? p->width : 1);
    return most ? most : 1;
}

static pl_status load_tensor(pl_trainable *t, pl_stream *stream, const pl__tensor_fact *fact, size_t at,
                             const pl_tensor *tensor)
{
    const pl_processor *processor = &t->model->processor;
    placing p = placing_of(t, fact, at);
    const size_t most = chunk_outputs(&p);
    float *rows = NULL, *column = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&rows, (most < p.stored ? most : p.stored) * p.width));
    PL_GOTO(status, done, pl_new(&column, most));
    pl__run r;
    for (size_t i = 0; pl__fact_run(&r, &t->model->config, fact, at, p.outputs, i); i++)
        for (size_t done = 0, n; done < r.n; done += n) {
            n = r.n - done < most ? r.n - done : most;
            read_outputs(rows, &p, tensor, r.from + done, n, column);
            PL_GOTO(status, done,
                    pl_upload(processor, stream, flat(p.slot, (r.to + done) * p.width, n * p.width), rows));
            PL_GOTO(status, done, processor->ops->stream_wait(stream));
        }
done:
    free(rows);
    free(column);
    return status;
}

pl_status pl__trainable_store(const pl_trainable *t, pl_view of, const pl__tensor_fact *fact, size_t at, pl__sink *sink)
{
    const pl_processor *processor = &t->model->processor;
    placing p = placing_of(t, fact, at);
    p.slot = in_buffer(p.slot, of.buffer);
    const size_t most = p.transposed ? p.stored : chunk_outputs(&p);
    float *rows = NULL, *turned = NULL;
    pl_stream *stream = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&rows, (most < p.stored ? most : p.stored) * p.width));
    if (p.transposed) PL_GOTO(status, done, pl_new(&turned, p.stored * p.width));
    PL_GOTO(status, done, processor->ops->stream_create(processor->device, &stream));
    pl__run r;
    for (size_t i = 0; pl__fact_run(&r, &t->model->config, fact, at, p.outputs, i); i++)
        for (size_t done = 0, n; done < r.n; done += n) {
            n = r.n - done < most ? r.n - done : most;
            PL_GOTO(status, done,
                    pl_download(processor, stream, rows, flat(p.slot, (r.to + done) * p.width, n * p.width)));
            PL_GOTO(status, done, processor->ops->stream_wait(stream));
            if (!p.transposed) PL_GOTO(status, done, sink->put(sink, (r.from + done) * p.width, rows, n * p.width));
            for (size_t o = 0; p.transposed && o < n; o++)
                for (size_t c = 0; c < p.width; c++) turned[c * p.stored + r.from + done + o] = rows[o * p.width + c];
        }
    if (p.transposed) PL_GOTO(status, done, sink->put(sink, 0, turned, p.stored * p.width));
done:
    if (stream) processor->ops->stream_free(stream);
    free(rows);
    free(turned);
    return status;
}

/* ---- Drawn weights --------------------------------------------------------------------------------------------- */

/* Norms are one, biases and the row of the padding token zero; all else normal. */
static double slot_deviation(const pl_config *c, pl__slot slot)
{
    if (c->family->scaled_residuals && (slot == PL__OUT || slot == PL__DOWN))
        return c->initializer_range / sqrt(2.0 * (double)c->L);
    return c->initializer_range;
}

static bool is_bias(pl__slot slot)
{
    static const pl__slot biased[] = {PL__EMBED_NORM, PL__Q_NORM,  PL__K_NORM,  PL__FINAL_NORM, PL__HEAD,
                                      PL__NORM_1,     PL__QKV,     PL__OUT,     PL__NORM_2,     PL__UP,
                                      PL__DOWN,       PL__AFTER_1, PL__AFTER_2, PL__SUM_1,      PL__SUM_2};
    for (size_t i = 0; i < sizeof biased / sizeof *biased; i++)
        if (slot == pl__bias_slot(biased[i])) return true;
    return false;
}

static float drawn(const pl_config *c, pl__slot slot, uint64_t seed, uint32_t number, size_t i)
{
    if (is_bias(slot)) return 0;
    if (slot == PL__EMBED && c->has_padding && i / c->E == (size_t)c->padding) return 0;
    if (pl__slot_facts(slot)->form == PL__VECTOR) return c->norm == PL_NORM_RMS_PLUS_ONE ? 0.0F : 1.0F;
    return (float)(slot_deviation(c, slot) * pl_random_normal(seed, PL_RANDOM_WEIGHTS, number, i));
}

static pl_status draw_slot(pl_trainable *t, pl_stream *stream, pl__slot slot, size_t layer, uint64_t seed)
{
    const pl_processor *processor = &t->model->processor;
    pl_view v = pl__model_weight(t->model, slot, layer)->view;
    const size_t n = v.rows * v.columns;
    const uint32_t number = (uint32_t)((size_t)pl__slot_facts(slot)->draw * t->model->config.L + layer);
    float *values;
    PL_TRY(pl_new(&values, n < CHUNK ? n : CHUNK));
    pl_status status = PL_OK;
    for (size_t first = 0, m; first < n && status == PL_OK; first += m) {
        m = n - first < CHUNK ? n - first : CHUNK;
        for (size_t i = 0; i < m; i++) values[i] = drawn(&t->model->config, slot, seed, number, first + i);
        status = pl_upload(processor, stream, flat(v, first, m), values);
        PL_KEEP(status, processor->ops->stream_wait(stream));
    }
    free(values);
    return status;
}

/* ---- Filling --------------------------------------------------------------------------------------------------- */

/* Whether the checkpoint itself has the head that is trained. */
static bool has_head(const pl_trainable *t, const pl_checkpoint *checkpoint)
{
    return checkpoint->config.n_labels == t->model->config.n_labels;
}

static pl_status load_all(pl_trainable *t, pl_stream *stream, const pl_checkpoint *checkpoint,
                          const pl_trainable_options *options)
{
    const pl_config *c = &t->model->config;
    const pl_family *family = c->family;
    for (size_t i = 0; i < family->n_tensors; i++) {
        const pl__tensor_fact *fact = &family->tensors[i];
        for (size_t l = 0; l < pl__fact_count(c, fact); l++) {
            if (fact->when == PL__IF_CLASSIFIER && !has_head(t, checkpoint))
                PL_TRY(draw_slot(t, stream, PL__HEAD, 0, options->head_seed));
            else
                PL_TRY(load_tensor(t, stream, fact, l, pl__checkpoint_tensor(checkpoint, fact, l)));
        }
    }
    return PL_OK;
}

static pl_status draw_all(pl_trainable *t, pl_stream *stream, const pl_trainable_options *options)
{
    const pl_config *c = &t->model->config;
    for (int slot = 0; slot < PL__SLOTS; slot++)
        for (size_t l = 0; l < slot_layers(c, (pl__slot)slot); l++)
            PL_TRY(draw_slot(t, stream, (pl__slot)slot, l,
                             slot == PL__HEAD && c->n_labels ? options->head_seed : options->init_seed));
    return PL_OK;
}

static pl_status fill(pl_trainable *t, const pl_checkpoint *checkpoint, const pl_trainable_options *options)
{
    const pl_backend *ops = t->model->processor.ops;
    pl_stream *stream = NULL;
    pl_arena *staged = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_arena_create(&staged));
    PL_GOTO(status, done, ops->stream_create(t->model->processor.device, &stream));
    PL_GOTO(status, done, options->random ? draw_all(t, stream, options) : load_all(t, stream, checkpoint, options));
    PL_GOTO(status, done, pl__model_put_positions(t->model, stream, staged));
    PL_GOTO(status, done, pl_trainable_refresh(t, stream));
    PL_GOTO(status, done, ops->stream_wait(stream));
    if (checkpoint->tensors) pl__safetensors_drop(checkpoint->tensors);
done:
    if (stream) ops->stream_free(stream);
    pl_arena_free(staged);
    return status;
}

static pl_status check_options(const pl_checkpoint *checkpoint, const pl_trainable_options *options)
{
    if (options->head == PL_HEAD_CLASSIFIER && options->n_labels < 2)
        return pl_fail(PL_E_INPUT, "%s: a classifier of %zu labels: expected 2 or more", checkpoint->folder,
                       options->n_labels);
    if (options->head == PL_HEAD_CLASSIFIER && !checkpoint->config.family->classifier)
        return pl_fail(PL_E_UNSUPPORTED, "%s: transformers has no sequence classifier of a %s: use head: lm",
                       checkpoint->folder, checkpoint->config.model_type);
    if (options->head == PL_HEAD_LM && checkpoint->config.n_labels)
        return pl_fail(PL_E_INPUT, "%s: a sequence classifier has no vocabulary head to train: use head: classifier",
                       checkpoint->folder);
    if (options->compute == PL_F16)
        return pl_fail(PL_E_UNSUPPORTED,
                       "%s: float16 cannot hold the gradients of rare tokens: train it in bfloat16 or float32",
                       checkpoint->folder);
    if (!options->random && !checkpoint->tensors)
        return pl_fail(PL_E_INTERNAL, "%s: opened without its weights", checkpoint->folder);
    return PL_OK;
}

pl_status pl_trainable_create(pl_trainable **out, const pl_processor *processor, const pl_checkpoint *checkpoint,
                              const pl_trainable_options *options)
{
    *out = NULL;
    PL_TRY(check_options(checkpoint, options));
    pl_trainable *t;
    PL_TRY(pl_new(&t, 1));
    pl_status status;
    PL_GOTO(status, fail, pl_new(&t->model, 1));
    t->model->processor = *processor;
    t->model->config = trained_config(&checkpoint->config, options);
    t->model->compute = options->compute;
    PL_GOTO(status, fail, pl_new(&t->model->layers, t->model->config.L * PL__LAYER_SLOTS));
    PL_GOTO(status, fail, build(t));
    PL_GOTO(status, fail, fill(t, checkpoint, options));
    *out = t;
    return PL_OK;
fail:
    pl_trainable_free(t);
    return status;
}

void pl_trainable_free(pl_trainable *t)
{
    if (!t) return;
    if (t->model) {
        const pl_backend *ops = t->model->processor.ops;
        if (t->parameters) ops->parameters_free(t->parameters);
        if (t->gradient) ops->buffer_free(t->gradient);
        if (t->first) ops->buffer_free(t->first);
        if (t->second) ops->buffer_free(t->second);
    }
    pl_model_free(t->model);
    free(t->list);
    free(t);
}

pl_model *pl_trainable_model(pl_trainable *trainable)
{
    return trainable->model;
}

pl_trainable_state pl_trainable_views(const pl_trainable *t)
{
    const pl_view all = {.rows = 1, .columns = t->n, .stride = t->n, .dtype = PL_F32};
    return (pl_trainable_state){in_buffer(all, t->model->masters), in_buffer(all, t->gradient),
                                in_buffer(all, t->first), in_buffer(all, t->second)};
}

size_t pl_trainable_last_block(const pl_trainable *t, size_t first, size_t n)
{
    const pl_config *c = &t->model->config;
    size_t end = 0, last = c->L - 1;
    for (int slot = 0; slot < PL__SLOTS; slot++)
        for (size_t l = 0; l < slot_layers(c, (pl__slot)slot); l++) {
            const size_t begin = end;
            (void)place(&end, c, (pl__slot)slot);
            if (begin >= first + n || end <= first) continue;
            const bool embedding = slot <= PL__PROJECT_IN;
            const size_t block = embedding ? 0 : slot < PL__MODEL_SLOTS ? c->L - 1 : l;
            if (block < last) last = block;
        }
    return last;
}

const pl_parameters *pl_trainable_parameters(const pl_trainable *trainable)
{
    return trainable->parameters;
}

pl_status pl_trainable_refresh(pl_trainable *t, pl_stream *stream)
{
    for (size_t i = 0; i < t->n_list; i++)
        if (t->list[i].weight)
            PL_TRY(pl_weight_refresh(&t->model->processor, stream, t->list[i].weight, t->list[i].master));
    return PL_OK;
}

pl_status pl_trainable_clear(pl_trainable *t, pl_stream *stream)
{
    const pl_trainable_state state = pl_trainable_views(t);
    const pl_view all[] = {state.gradient, state.first, state.second};
    t->touched = true;
    for (size_t i = 0; i < 3; i++) PL_TRY(pl_fill_zero(&t->model->processor, stream, all[i]));
    return PL_OK;
}

bool pl_trainable_is_touched(const pl_trainable *t)
{
    return t->touched;
}

/* ---- One tensor ------------------------------------------------------------------------------------------------ */

typedef struct memory_sink {
    pl__sink sink;
    float *values;
} memory_sink;

static pl_status put_memory(pl__sink *sink, size_t first, const float *values, size_t n)
{
    memcpy(((memory_sink *)sink)->values + first, values, n * sizeof *values);
    return PL_OK;
}

size_t pl__fact_elements(const pl_config *config, const pl__tensor_fact *fact)
{
    size_t n = 1;
    for (const char *d = fact->dims; *d; d++) n *= pl__dimension(config, *d);
    return n;
}

pl_status pl_trainable_tensor(const pl_trainable *t, pl_view of, const char *name, float **values, size_t *n)
{
    const pl_config *c = &t->model->config;
    const pl_family *family = c->family;
    *values = NULL;
    for (size_t i = 0; i < family->n_tensors; i++)
        for (size_t l = 0; l < pl__fact_count(c, &family->tensors[i]); l++) {
            char own[PL__TENSOR_NAME];
            pl__fact_name(own, family->prefixes[0], "", c, &family->tensors[i], l);
            if (strcmp(own, name) != 0) continue;
            *n = pl__fact_elements(c, &family->tensors[i]);
            PL_TRY(pl_new(values, *n));
            memory_sink sink = {{put_memory}, *values};
            return pl__trainable_store(t, of, &family->tensors[i], l, &sink.sink);
        }
    return pl_fail(PL_E_INPUT, "no tensor '%s' in this model", name);
}
