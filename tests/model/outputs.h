/* Everything that one forward pass gives for packed sequences, for tests that compare whole passes. */
#ifndef PLUMB_TESTS_MODEL_OUTPUTS_H
#define PLUMB_TESTS_MODEL_OUTPUTS_H

#include "model/batch_of.h"
#include "model/model.h"
#include "tests.h"

enum { PATH_PAGES = 12 }; /* a path: 384 positions */

/* What a run over N packed tokens gives; freed with outputs_free. */
typedef struct outputs {
    size_t N, n_states, C, E, V, n_targets;
    float *hidden;          /* [L + 1][N, C], then [N, E] of final_norm */
    float *logits;          /* [N, V] */
    float *log_probability; /* [n_targets] */
    int32_t *greedy;        /* [N] */
} outputs;

static inline size_t state_width(const outputs *o, size_t layer)
{
    return layer + 1 < o->n_states ? o->C : o->E;
}

/* The states of a layer of the packed tokens, from `row` on. */
static inline float *state_of(const outputs *o, size_t layer, size_t row)
{
    return o->hidden + layer * o->N * o->C + row * state_width(o, layer);
}

static inline void outputs_free(outputs *o)
{
    free(o->hidden);
    free(o->logits);
    free(o->log_probability);
    free(o->greedy);
    *o = (outputs){0};
}

/* Everything a pass can give for these sequences, attending to `kv`. */
static inline void run_model(outputs *o, pl_model *model, pl_kv *kv, const sequence *sequences, size_t n_sequences,
                             size_t n_paths)
{
    const pl_processor *processor = pl_model_processor(model);
    const pl_config *c = pl_model_config(model);
    const pl_backend *ops = processor->ops;
    pl_stream *stream;
    batch_of b;
    pl_activations *activations;
    OK(ops->stream_create(processor->device, &stream));
    OK(batch_make(&b, processor, stream, sequences, n_sequences, n_paths, PATH_PAGES, c->border));
    OK(pl_activations_create(&activations, model, b.n_tokens, b.n_tokens, true));

    size_t n_states = c->L + 2, N = b.n_tokens;
    size_t *layers = calloc(n_states, sizeof *layers);
    pl_view *into = calloc(n_states, sizeof *into), log_probability, greedy,
            logits = pl_activations_logits(activations);
    for (size_t i = 0; i < n_states; i++) {
        layers[i] = i;
        OK(pl_view_create(processor, &into[i], N, pl_config_state_width(c, i), PL_F32));
    }
    OK(pl_view_create(processor, &log_probability, 1, N, PL_F32));
    OK(pl_view_create(processor, &greedy, 1, N, PL_I32));
    pl_tap tap = {.counts = b.batch.counts, .rows = b.rows, .n_layers = n_states, .layers = layers, .into = into};
    pl_pass pass = {.stream = stream,
                    .batch = b.batch,
                    .kv = kv,
                    .activations = activations,
                    .n_taps = 1,
                    .taps = &tap,
                    .head_rows = b.rows,
                    .target_rows = b.target_rows,
                    .target_tokens = b.target_tokens,
                    .log_probability = log_probability,
                    .greedy = greedy,
                    .logits = logits};
    OK(pl_model_forward(model, &pass));

    *o = (outputs){
        .N = N, .n_states = n_states, .C = c->C, .E = c->E, .V = pl_config_outputs(c), .n_targets = b.n_targets};
    o->hidden = calloc(N * ((n_states - 1) * c->C + c->E), sizeof *o->hidden);
    o->logits = calloc(N * pl_config_outputs(c), sizeof *o->logits);
    o->log_probability = calloc(N, sizeof *o->log_probability);
    o->greedy = calloc(N, sizeof *o->greedy);
    for (size_t i = 0; i < n_states; i++) OK(pl_download(processor, stream, state_of(o, i, 0), into[i]));
    OK(pl_download(processor, stream, o->logits, logits));
    OK(pl_download(processor, stream, o->log_probability, log_probability));
    OK(pl_download(processor, stream, o->greedy, greedy));
    OK(ops->stream_wait(stream));

    for (size_t i = 0; i < n_states; i++) pl_view_free(processor, &into[i]);
    pl_view_free(processor, &log_probability);
    pl_view_free(processor, &greedy);
    free(into);
    free(layers);
    pl_activations_free(activations);
    batch_free(&b);
    ops->stream_free(stream);
}

static inline pl_kv *kv_for(pl_model *model, size_t n_paths)
{
    const pl_processor *processor = pl_model_processor(model);
    const pl_config *c = pl_model_config(model);
    pl_kv *kv;
    OK(processor->ops->kv_create(processor->device, &kv, c->L, c->G, c->D, n_paths * PATH_PAGES,
                                 pl_dtype_storage(pl_model_compute(model))));
    return kv;
}

#endif
