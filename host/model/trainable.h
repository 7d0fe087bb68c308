/* A model whose weights can be trained: masters, gradients and both moments in four buffers of one layout, in float32,
 * and the backward pass over the family table. It is a pl_model for the forward pass and for an engine, whose weights
 * are attached to the masters, so that what was learned is there at the next pass. */
#ifndef PLUMB_MODEL_TRAINABLE_H
#define PLUMB_MODEL_TRAINABLE_H

#include "model/model.h"

typedef enum pl_head_kind {
    PL_HEAD_LM,        /* the vocabulary head: the checkpoint's own, tied or not */
    PL_HEAD_CLASSIFIER /* score.weight [labels, E] without bias, in the place of the vocabulary head */
} pl_head_kind;

typedef struct pl_trainable_options {
    pl_dtype compute; /* of products; masters are float32 always */
    pl_head_kind head;
    size_t n_labels;    /* classifier; a checkpoint that has a classifier of so many labels gives its weights, else the
                           head is drawn: normal(0, initializer_range of config.json) */
    uint64_t head_seed; /* of that draw */
    bool random;        /* all weights drawn as Hugging Face initialises the family, from `init_seed` */
    uint64_t init_seed;
} pl_trainable_options;

typedef struct pl_trainable pl_trainable;

/* Loads the masters; the checkpoint's mapped pages are given back after. With `random` the checkpoint may be one of
 * pl_checkpoint_open_config. `checkpoint` is needed until this returns. */
pl_status pl_trainable_create(pl_trainable **out, const pl_processor *processor, const pl_checkpoint *checkpoint,
                              const pl_trainable_options *options);
void pl_trainable_free(pl_trainable *trainable); /* takes NULL */
/* For forward passes and engines; borrowed. */
pl_model *pl_trainable_model(pl_trainable *trainable);
/* Bytes on the device: four numbers a parameter, attached copies, rotary tables. `parameters`: their number; may be
 * NULL. Of a model that is not there yet. */
size_t pl_trainable_bytes(const pl_processor *processor, const pl_config *config, const pl_trainable_options *options,
                          size_t *parameters);

/* The four buffers as [1, n] f32 each; parameters start at multiples of 64 bytes, gaps are zero. */
typedef struct pl_trainable_state {
    pl_view master, gradient, first, second;
} pl_trainable_state;
pl_trainable_state pl_trainable_views(const pl_trainable *trainable);
/* The last block on the way back that adds to elements first .. first + n - 1 of the gradient: the head's come before
 * all blocks, those of the embedding with block 0. */
size_t pl_trainable_last_block(const pl_trainable *trainable, size_t first, size_t n);
/* For gradient_norm and adamw. */
const pl_parameters *pl_trainable_parameters(const pl_trainable *trainable);
/* After masters were written by something else than adamw: renews what is attached. */
pl_status pl_trainable_refresh(pl_trainable *trainable, pl_stream *stream);
/* Gradients and moments are zero from here on: a training begins. */
pl_status pl_trainable_clear(pl_trainable *trainable, pl_stream *stream);
/* Whether one began before: gradients and moments were written, and on the host take memory. */
bool pl_trainable_is_touched(const pl_trainable *trainable);
/* One stored tensor of the model by its Hugging Face name, as it would stand in model.safetensors, from one of the four
 * buffers: for tests. *n elements; the caller frees *values. */
pl_status pl_trainable_tensor(const pl_trainable *trainable, pl_view of, const char *name, float **values, size_t *n);

/* Writes a Hugging Face checkpoint folder, its weights as PL_F32 or PL_BF16: config.json of `source` with what changed,
 * model.safetensors, and copies of the source's tokenizer files. Appears whole, by rename, or not at all; one that is
 * there is replaced. */
pl_status pl_trainable_export(const pl_trainable *trainable, const char *source, const char *folder, pl_dtype storage);
/* The folder's config.json says that the weights are as they were drawn: no skill is expected. */
pl_status pl_export_mark_random(const char *folder);
/* What an export may hold besides: who trains may put a log there. */
#define PL_EXPORT_LOG "training.csv"
/* PL_E_INPUT when the folder holds what no export does: it would be lost. Ask before training. */
pl_status pl_export_check(const char *folder);

/* ---- A pass with its way back ---------------------------------------------------------------------------------- */

/* What a forward pass keeps for the backward pass, and the backward pass's own memory; it takes the place of
 * pl_pass.activations. Up to N tokens and R rows that carry loss. `checkpointing`: blocks' inputs are kept, and a block
 * is run again when its turn comes. */
pl_status pl_tape_create(pl_tape **out, const pl_trainable *trainable, size_t n_tokens, size_t n_rows,
                         bool checkpointing);
void pl_tape_free(pl_tape *tape); /* takes NULL */
/* SIZE_MAX: more than a size holds. */
size_t pl_tape_bytes(const pl_processor *processor, const pl_config *config, pl_dtype compute, size_t n_tokens,
                     size_t n_rows, bool checkpointing);

/* What a training pass has besides a batch of whole, unshared sequences. */
struct pl_training {
    pl_view n_sequences, sequences;                         /* as pl_attention_backward_args */
    pl_view order, starts, position_order, position_starts; /* as pl_embed_backward_args */
    pl_view loss_weights;                                   /* [1, R] f32; targets are pl_pass.target_tokens [1, R] */
    pl_view key, examples;                                  /* as pl_dropout */
    double embed_dropout, attention_dropout, residual_dropout;
    pl_view gradient; /* [1, n] f32 of pl_trainable_state's layout: where gradients are added */
};

/* After pl_model_forward with the same pass (tape, training, head_rows, target_tokens, log_probability set): adds the
 * gradient of sum loss_weights * -log p to `gradient`, and writes log_probability [1, R]. Pages of one layer are enough
 * with a tape. */
pl_status pl_model_backward(pl_trainable *trainable, const pl_pass *pass);
/* A part of the same: blocks end - 1 down to `first`, with the head before them where `end` is the number of blocks,
 * and the embedding behind them where `first` is 0. From the last block down the parts are the whole. */
pl_status pl_model_backward_part(pl_trainable *trainable, const pl_pass *pass, size_t first, size_t end);

#endif
