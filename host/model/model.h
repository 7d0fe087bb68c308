/* A model: a Hugging Face checkpoint as facts (config), weights on a device, and the one forward pass. */
#ifndef PLUMB_MODEL_MODEL_H
#define PLUMB_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/file.h"
#include "device/device.h"
#include "model/safetensors.h"

typedef enum pl_rope_kind {
    PL_ROPE_NONE,
    PL_ROPE_DEFAULT,
    PL_ROPE_LINEAR,
    PL_ROPE_DYNAMIC,
    PL_ROPE_LLAMA3,
    PL_ROPE_YARN,
    PL_ROPE_LONGROPE
} pl_rope_kind;

enum { PL_ROPE_FACTORS = 256 };

typedef struct pl_rope {
    pl_rope_kind kind;
    double theta, factor, low_frequency_factor, high_frequency_factor;
    double original_positions, attention_factor, beta_fast, beta_slow;
    bool truncate; /* yarn: the correction range in whole dimensions */
    double part;   /* of a head's features that is rotated, 0..1 */
    size_t width;  /* rotated features of a head: int(D * part), even */
    size_t n_factors;
    double factors[PL_ROPE_FACTORS], far_factors[PL_ROPE_FACTORS]; /* longrope: of near and of far paths */
    bool interleaved; /* pairs (2j, 2j + 1) instead of (j, j + width / 2) */
} pl_rope;

/* The layer plan: what the layers of a model do that not all of its layers do alike. A layer has a kind by its number;
 * all else (sizes, norms, feed-forward) is the family's. */
enum { PL_LAYERS = 1024, PL_LAYER_KINDS = 4 };
typedef enum pl_turn { PL_TURN_NONE, PL_TURN_GLOBAL, PL_TURN_LOCAL } pl_turn; /* none, by rope or by local_rope */
typedef struct pl_layer_kind {
    size_t window; /* keys that a token sees, its own included; 0: all before it */
    pl_turn turn;  /* by rotary positions */
} pl_layer_kind;

/* Token ids that end a generation, as a file says them: ascending, each once. `said` without ids: none does. */
enum { PL_STOP_IDS = 64 };
typedef struct pl_stops {
    bool said;
    size_t n;
    int32_t ids[PL_STOP_IDS];
} pl_stops;

/* What a checkpoint's config.json says once class defaults are filled in; sizes by the glossary's letters. */
typedef struct pl_config {
    const struct pl_family *family;
    const char *model_type;
    const struct pl__wrapper
        *wrapper; /* config.json is of a multimodal model; this is its text model. NULL: it is not */
    size_t C, H, G, D, F, V, L, max_positions;
    size_t E;      /* width of embeddings and of what the head reads; C but where they are projected */
    size_t border; /* longrope: a path of more tokens is far, and turned by other angles throughout; 0: none is */
    pl_norm_kind norm;
    double norm_eps;
    pl_activation activation;
    pl_rope rope, local_rope; /* the second of layers that say so, and else none */
    size_t n_kinds;
    pl_layer_kind kinds[PL_LAYER_KINDS];
    uint8_t plan[PL_LAYERS]; /* the kind of each layer */
    bool tied, qkv_bias, output_bias, mlp_bias;
    bool head_norms; /* a norm of each query and key head, before positions */
    bool parallel;   /* x + attention(norm_1 x) + mlp(norm_2 x), instead of one after the other */
    double attention_scale, attention_softcap, logit_softcap; /* softcaps: 0 is none */
    double attention_divisor;                                 /* scale: 1 / sqrt of it; 0: of D */
    double embed_scale;
    double residual_scale; /* of a branch, before it is added to the residual stream */
    double logit_divisor;  /* of a vocabulary head without bias */
    bool two_norms;        /* of a parallel block: each branch has one */
    bool alibi;            /* scores lose with distance, in place of positions */
    bool norms_before;     /* of branches; false: behind each sum of a branch and the residual stream */
    bool final_norm;       /* behind the last block */
    size_t n_experts;
    const char *dtype; /* the checkpoint's own, for people: "float32" */
    /* eos_token_id of generation_config.json when that file is there, else of config.json, as transformers' generate
     * takes it; null is "none". Not said: the file lacks the key. */
    pl_stops stops;
    bool random_weights; /* config.json says "plumb_random_weights": true: no skill expected */
    /* A sequence classifier (architecture "...ForSequenceClassification"): score.weight [n_labels, E] stands in the
     * place of the vocabulary head, and its logits are those of the labels. 0: a vocabulary head. */
    size_t n_labels;
    /* Training's. */
    double initializer_range, embed_dropout, residual_dropout, attention_dropout;
    bool has_padding;
    int32_t padding; /* the token whose row of the embedding gets no gradient from inputs */
} pl_config;
/* The number of logits: of tokens or of labels. */
size_t pl_config_outputs(const pl_config *config);
/* Numbers of a token's state at a layer (0..L + 1): C, and E for the last, final_norm, which the head reads. */
size_t pl_config_state_width(const pl_config *config, size_t layer);
static inline const pl_layer_kind *pl_config_layer(const pl_config *config, size_t layer)
{
    return &config->kinds[config->plan[layer]];
}
/* NULL: the layer has no rotary positions. */
static inline const pl_rope *pl_config_rope(const pl_config *config, size_t layer)
{
    const pl_turn turn = pl_config_layer(config, layer)->turn;
    return turn == PL_TURN_NONE ? NULL : turn == PL_TURN_LOCAL ? &config->local_rope : &config->rope;
}

/* Is a path of n tokens far? All of its tokens then have other states than those of a near path with the same ids. */
static inline bool pl_is_far(size_t border, size_t n)
{
    return border && n > border;
}
/* Rows of the rotary tables: the positions of near paths when there is a border, then those of all others. */
static inline size_t pl_config_turns(const pl_config *config)
{
    return config->border + config->max_positions;
}
/* The row of a token's angles; border 0: its position. */
static inline size_t pl_turn_row(size_t border, bool far, size_t position)
{
    return far ? border + position : position;
}

/* An opened checkpoint: config and tensor directory; nothing on a device yet. `notes`: what a user should know of how
 * it is read, a line each. */
enum { PL_NOTES = 3, PL_NOTE_BYTES = 256 };
typedef struct pl_checkpoint {
    char folder[PL_PATH_MAX];
    pl_config config;
    size_t n_notes;
    char notes[PL_NOTES][PL_NOTE_BYTES];
    pl_safetensors *tensors; /* NULL: config.json alone */
    const char *prefix;      /* of the tensors' names: "transformer.", or "" in a base-model checkpoint */
    const char *outer;       /* of those outside the prefix: "", or of a multimodal checkpoint */
    size_t n_parameters;
} pl_checkpoint;

/* A folder, or a hub name ("gpt2", "org/name[@revision]") found in the local Hugging Face cache ($HF_HUB_CACHE,
 * $HF_HOME/hub, ~/.cache/huggingface/hub). PL_E_INPUT lists where it looked. */
pl_status pl_model_find(char folder[PL_PATH_MAX], const char *name);
/* Reads config.json and the tensor directory and checks every tensor of the family's table: name, shape, type. */
pl_status pl_checkpoint_open(pl_checkpoint **out, const char *folder);
/* config.json alone, for a model whose weights will be drawn. */
pl_status pl_checkpoint_open_config(pl_checkpoint **out, const char *folder);
void pl_checkpoint_close(pl_checkpoint *checkpoint); /* takes NULL */
/* XXH3-128 of all in a config that decides numbers, stop ids apart. */
pl_status pl_config_digest(const pl_config *config, char out[PL_HASH_TEXT]);

typedef struct pl_model pl_model;

/* Compute types by name: "float32", "bf16", ... (some types have two names). Products take and give numbers of this
 * type; sums, norms and the residual stream are float32 always. */
enum { PL_COMPUTE_NAMES = 8 };
extern const char *const pl_compute_names[PL_COMPUTE_NAMES];
pl_dtype pl_compute_of(size_t name); /* an index of pl_compute_names */
/* PL_E_USAGE naming `where`. */
pl_status pl_compute_parse(pl_dtype *out, const char *name, const char *where);

/* Loads the weights onto the device in compute type `compute`; PL_E_UNSUPPORTED where the device lacks it. */
pl_status pl_model_load(pl_model **out, const pl_processor *processor, const pl_checkpoint *checkpoint,
                        pl_dtype compute);
void pl_model_free(pl_model *model); /* takes NULL */
const pl_config *pl_model_config(const pl_model *model);
const pl_processor *pl_model_processor(const pl_model *model);
pl_dtype pl_model_compute(const pl_model *model);
size_t pl_model_bytes(const pl_model *model); /* of its weights on the device */
/* The row of the vocabulary head for a token, as float32 [E] (from the checkpoint). */
pl_status pl_checkpoint_unembedding(const pl_checkpoint *checkpoint, int32_t token, float *out);

/* Memory for a forward pass of up to N tokens and R gathered rows. With `logits` it holds a matrix [R, V] too, which a
 * caller may name as pl_pass.logits (a view of the caller's own serves as well). */
typedef struct pl_activations pl_activations;
pl_view pl_activations_logits(const pl_activations *activations); /* [R, V] f32; absent without `logits` */
pl_status pl_activations_create(pl_activations **out, const pl_model *model, size_t n_tokens, size_t n_rows,
                                bool logits);
void pl_activations_free(pl_activations *activations); /* takes NULL */
size_t pl_activations_bytes(const pl_model *model, size_t n_tokens, size_t n_rows, bool logits);

/* How a tap keeps a layer: gathers rows to slots, adds rows to slots, or takes all rows of the batch as they stand. */
typedef enum pl_tap_kind { PL_TAP_GATHER, PL_TAP_POOL, PL_TAP_WHOLE } pl_tap_kind;

/* What a pass keeps. Layers: 0 the embedding output, l after block l and before the final norm, L + 1 final_norm: what
 * the head reads, of pl_config_state_width numbers. */
typedef struct pl_tap {
    pl_tap_kind kind;
    pl_view counts; /* gather: [1, PL_COUNTS]-shaped counts whose ROWS entry is the number of rows; pool: n_slots */
    pl_view rows, slots;    /* gather */
    pl_view indptr, ranges; /* pool (with slots) */
    size_t n_layers;
    const size_t *layers; /* [n_layers] ascending */
    const pl_view *into;  /* [n_layers]: [slots, width] f32; whole: [N or more, width] of any float type */
} pl_tap;

/* Training: trainable.h. */
typedef struct pl_tape pl_tape;
typedef struct pl_training pl_training;

typedef struct pl_pass {
    pl_stream *stream;
    pl_batch batch;
    pl_kv *kv;
    pl_activations *activations;
    size_t n_taps;
    const pl_tap *taps;
    /* The head, on gathered rows (after the final norm); skipped when head_rows is absent. */
    pl_view head_rows;                                      /* [1, R] i32 rows of the batch */
    pl_view target_rows, target_tokens;                     /* as pl_score_args */
    pl_view log_probability, target_greedy, greedy, logits; /* as pl_score_args */
    /* A training pass keeps what pl_model_backward needs on the tape, which takes the place of `activations`, and
     * leaves the head's product to it; NULL: inference. */
    pl_tape *tape;
    const pl_training *training;
} pl_pass;

/* Enqueues the whole forward pass: kv_copy, embedding, L blocks, taps, head. */
pl_status pl_model_forward(pl_model *model, const pl_pass *pass);

#endif
