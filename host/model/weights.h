/* Inside of a loaded model: its weights by slot of the family table. checkpoint.c finds the stored tensors, weights.c
 * puts them on the device, forward.c uses them. */
#ifndef PLUMB_MODEL_WEIGHTS_H
#define PLUMB_MODEL_WEIGHTS_H

#include "model/family.h"

/* A matrix in the backend's packed form, or a view (tables and vectors); neither: the family has no such weight. */
typedef struct pl__bound_weight {
    pl_weight *matrix;
    pl_view view;
} pl__bound_weight;

/* Rotary positions: [max positions, width / 2] f32. */
typedef struct pl__turn {
    pl_view cosine, sine;
} pl__turn;

struct pl_model {
    pl_processor processor;
    pl_config config;
    pl_dtype compute;
    pl_buffer
        *masters; /* trainable: all views of weights lie in it, a matrix's too, and matrices are attached; owned */
    pl__bound_weight whole[PL__MODEL_SLOTS];
    pl__bound_weight *layers;          /* [L][PL__LAYER_SLOTS] */
    pl__turn turns[PL_TURN_LOCAL + 1]; /* by pl_turn */
    pl_view slopes;                    /* ALiBi: [1, H] f32; else absent */
};

/* Of a layer: absent where it has no rotary positions. */
static inline const pl__turn *pl__model_turn(const pl_model *model, size_t layer)
{
    return &model->turns[pl_config_layer(&model->config, layer)->turn];
}

pl__bound_weight *pl__model_weight(pl_model *model, pl__slot slot, size_t layer);

enum { PL__TENSOR_NAME = 256 };
/* The stored name: prefix, with the layer's number for '#'; '^': behind `outer` in place of the prefix. */
void pl__tensor_name(char out[PL__TENSOR_NAME], const char *prefix, const char *outer, const char *pattern,
                     size_t layer);
/* How often a fact's tensor is stored: once, once a layer, or once a head of each layer. Which of them one is: `at`. */
size_t pl__fact_count(const pl_config *config, const pl__tensor_fact *fact);
size_t pl__fact_layer(const pl_config *config, const pl__tensor_fact *fact, size_t at);
/* The name of one, as pl__tensor_name. */
void pl__fact_name(char out[PL__TENSOR_NAME], const char *prefix, const char *outer, const pl_config *config,
                   const pl__tensor_fact *fact, size_t at);
/* The stored tensor of a fact; not NULL in an opened checkpoint when the fact holds. */
const pl_tensor *pl__checkpoint_tensor(const pl_checkpoint *checkpoint, const pl__tensor_fact *fact, size_t at);
/* The fact whose tensor is the vocabulary head: the embedding when tied. */
const pl__tensor_fact *pl__head_fact(const pl_config *config);

/* n outputs of a slot from `to` on are a tensor's outputs from `from` on. */
typedef struct pl__run {
    size_t to, from, n;
} pl__run;
/* The i-th run of outputs of a stored tensor; false past the last. `rows`: outputs of the slot. */
bool pl__fact_run(pl__run *out, const pl_config *config, const pl__tensor_fact *fact, size_t at, size_t rows, size_t i);
/* How a fact's matrix is stored. */
pl_layout pl__fact_layout(const pl__tensor_fact *fact);
/* What positions need beside weights (cosine and sine, slopes), onto the device; `staged` must stay until the stream
 * has passed. */
pl_status pl__model_put_positions(pl_model *model, pl_stream *stream, pl_arena *staged);

/* to[0..n) = elements first..first+n-1 of a readable tensor, as float32. */
void pl__tensor_floats(float *to, const pl_tensor *tensor, size_t first, size_t n);

#endif
