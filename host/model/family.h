/* The family table: one set of facts an architecture, read by config.c, layers.c, weights.c and forward.c. A new family
 * is a new row (family_<group>.c), not a second forward pass. */
#ifndef PLUMB_MODEL_FAMILY_H
#define PLUMB_MODEL_FAMILY_H

#include "base/json.h"
#include "model/model.h"

/* The weights of a model as the forward pass uses them: first those of the whole model, then those of a layer. */
typedef enum pl__slot {
    PL__EMBED,
    PL__POSITIONS,
    PL__EMBED_NORM, /* of the embedding's result */
    PL__EMBED_NORM_BIAS,
    PL__PROJECT_IN, /* of embeddings of another width than the model's; no bias */
    PL__FINAL_NORM,
    PL__FINAL_NORM_BIAS,
    PL__PROJECT_OUT, /* of the final states, before the head; no bias */
    PL__HEAD,        /* absent when tied: the embedding; of a classifier: its labels */
    PL__HEAD_BIAS,
    PL__MODEL_SLOTS,
    PL__NORM_1 = PL__MODEL_SLOTS,
    PL__NORM_1_BIAS,
    PL__QKV, /* all queries, all keys, all values */
    PL__QKV_BIAS,
    PL__Q_NORM, /* over each head, before the rotary step */
    PL__Q_NORM_BIAS,
    PL__K_NORM,
    PL__K_NORM_BIAS,
    PL__OUT,
    PL__OUT_BIAS,
    PL__NORM_2, /* absent in a parallel block with one norm */
    PL__NORM_2_BIAS,
    PL__UP, /* gated: gate, then up */
    PL__UP_BIAS,
    PL__DOWN,
    PL__DOWN_BIAS,
    PL__AFTER_1, /* of the attention's result, before it is added to the residual stream */
    PL__AFTER_1_BIAS,
    PL__AFTER_2, /* of the feed-forward's */
    PL__AFTER_2_BIAS,
    PL__SUM_1, /* of the residual stream, once the attention's result is added */
    PL__SUM_1_BIAS,
    PL__SUM_2, /* once the feed-forward's is */
    PL__SUM_2_BIAS,
    PL__SLOTS
} pl__slot;

enum { PL__LAYER_SLOTS = PL__SLOTS - PL__MODEL_SLOTS };

/* A dimension by its letter:
 *   q, k weights of a norm of queries or keys: D, or one for each of their features
 *   V vocabulary   N outputs of the head (V, or labels)   C width   E width of embeddings and of what the head reads
 *   F feed-forward width   U = F, or 2F when gated   D head width   Q = H D queries   K = G D keys (or values)
 *   A = Q + 2K   P position rows   1 one */
size_t pl__dimension(const pl_config *config, char letter);

typedef enum pl__tensor_form { PL__TABLE, PL__MATRIX, PL__VECTOR } pl__tensor_form;

/* Shape of a slot: a table [rows, columns], a matrix [out, in] for products, a vector [1, columns]. */
typedef struct pl__slot_fact {
    pl__tensor_form form;
    char rows, columns;
    uint32_t draw; /* part of the key of drawn weights: numbers never change */
} pl__slot_fact;
const pl__slot_fact *pl__slot_facts(pl__slot slot);

/* The bias of a norm or a matrix: the next slot, for each that the forward pass asks for. */
static inline pl__slot pl__bias_slot(pl__slot slot)
{
    _Static_assert(PL__EMBED_NORM_BIAS == PL__EMBED_NORM + 1 && PL__Q_NORM_BIAS == PL__Q_NORM + 1 &&
                       PL__K_NORM_BIAS == PL__K_NORM + 1 && PL__FINAL_NORM_BIAS == PL__FINAL_NORM + 1 &&
                       PL__NORM_1_BIAS == PL__NORM_1 + 1 && PL__NORM_2_BIAS == PL__NORM_2 + 1 &&
                       PL__HEAD_BIAS == PL__HEAD + 1 && PL__QKV_BIAS == PL__QKV + 1 && PL__OUT_BIAS == PL__OUT + 1 &&
                       PL__UP_BIAS == PL__UP + 1 && PL__DOWN_BIAS == PL__DOWN + 1 &&
                       PL__AFTER_1_BIAS == PL__AFTER_1 + 1 && PL__AFTER_2_BIAS == PL__AFTER_2 + 1 &&
                       PL__SUM_1_BIAS == PL__SUM_1 + 1 && PL__SUM_2_BIAS == PL__SUM_2 + 1,
                   "every bias stands behind its weight");
    return (pl__slot)(slot + 1);
}

/* Which outputs of its slot a stored tensor fills. */
typedef enum pl__part {
    PL__WHOLE,
    PL__PART_Q,
    PL__PART_K,
    PL__PART_V,
    PL__PART_GATE,
    PL__PART_UP,
    PL__QKV_BY_GROUP, /* stored as (G, H / G + 2, D): each key/value head's queries, then its key and value */
    PL__BY_HEAD       /* a tensor a head: '%' in its name is the head's number */
} pl__part;

typedef enum pl__when {
    PL__ALWAYS,
    PL__IF_QKV_BIAS,
    PL__IF_OUTPUT_BIAS,
    PL__IF_MLP_BIAS,
    PL__IF_HEAD_NORMS,
    PL__IF_SEQUENTIAL, /* a block is not parallel */
    PL__IF_TWO_NORMS,  /* it is, and each branch has a norm of its own */
    PL__UNLESS_TWO_NORMS,
    PL__IF_NORMS_BEFORE, /* of branches */
    PL__IF_NORMS_BEHIND, /* of sums */
    PL__IF_FINAL_NORM,
    PL__IF_PROJECTED,  /* embeddings have another width than the model */
    PL__IF_VOCABULARY, /* logits are of tokens, by a head of its own or not */
    PL__IF_UNTIED,     /* a vocabulary head of its own */
    PL__IF_CLASSIFIER
} pl__when;
bool pl__holds(const pl_config *config, pl__when when);
bool pl__config_has(const pl_config *config, pl__slot slot); /* a tensor fills it */

/* A stored tensor. `name`: '#' stands for the layer's number, a leading '^' for "outside the prefix". `dims`: a letter
 * a dimension, as stored; a matrix whose last letter is its slot's columns is [out, in], else [in, out]. */
typedef struct pl__tensor_fact {
    pl__slot slot;
    pl__part part;
    pl__when when;
    bool decay; /* weight decay applies in training */
    const char *dims, *name;
} pl__tensor_fact;

/* A key of config.json and the class default that holds when it is absent or null. No key: a constant of the family.
 * Sizes that stay 0 are derived: G = H, D = C / H, F = 4 C, E = C. */
typedef enum pl__key_kind {
    PL__SIZE,
    PL__SIZE_OR_NULL, /* null is not the default but 0: derived */
    PL__REAL,
    PL__CAP,   /* above 0; null is not the default but 0: none */
    PL__SCALE, /* above 0 */
    PL__BOOL,
    PL__ACTIVATION
} pl__key_kind;
typedef struct pl__key_fact {
    pl__key_kind kind;
    size_t field; /* offset in pl_config */
    const char *key, *alias;
    double number;    /* default of a size, real or bool */
    const char *text; /* default of an activation */
} pl__key_fact;

/* A switch or number that plumb knows only in one position; absent or null is that one. */
typedef struct pl__refusal {
    const char *key;
    double expected;
    const char *why;
    const char *same_as; /* expected is what this key says, where it says something */
} pl__refusal;

/* Which layers see a window of keys alone, where layer_types does not say. */
typedef enum pl__window_rule {
    PL__NEVER_WINDOWED,    /* the family has neither windows nor layer_types */
    PL__ALWAYS_WINDOWED,   /* all, unless sliding_window is null; no layer_types */
    PL__LAST_WINDOWED,     /* with use_sliding_window those from max_window_layers on */
    PL__UNTURNED_WINDOWED, /* with use_sliding_window and a window those without positions */
    PL__EVEN_WINDOWED,     /* 0, 2, 4, ...; there has to be a window */
    PL__PERIOD_WINDOWED,   /* all but every sliding_window_pattern-th; there has to be a window */
    PL__LOCAL_WINDOWED     /* those that attention_types calls local */
} pl__window_rule;

typedef enum pl__position_kind { PL__LEARNED, PL__ROTARY, PL__ALIBI } pl__position_kind;

typedef struct pl_family {
    const char *model_type;
    pl_norm_kind norm;
    pl__position_kind positions;
    const char *nested;     /* an object of config.json whose keys are read as "<nested>.<key>"; NULL: none */
    size_t position_offset; /* of the first row of the position table */
    bool gated;             /* act(gate) * up */
    bool rope_interleaved;
    bool alibi_rounded;     /* Falcon's: slopes and what they make in bfloat16, scaled as scores are */
    bool longrope_alone;    /* yarn is an old name of longrope, and no other type is known */
    bool own_original;      /* original_max_position_embeddings stands in config.json itself, with a class default */
    const char *theta_key;  /* of config.json beside rope_parameters; NULL: "rope_theta" */
    const char *part_key;   /* of the part of a head that is turned; NULL: whole heads, whatever the file says */
    const char *turned_key; /* rotary positions only where this key says "rope"; NULL: always */
    const char *width_key;  /* of the features of a head that are turned, by theta alone: no settings are read */
    pl__window_rule windows;
    const char *window_key; /* NULL: "sliding_window" */
    size_t window;          /* the class default of that key; 0: null */
    bool unturned_layers;   /* no_rope_layers: some layers have no positions */

    bool wide_norms;             /* the norms of queries and keys go over all heads together */
    bool own_norms;              /* each head's norm has weights of its own, side by side in their slot */
    bool local_rope;             /* windowed layers are turned by settings of their own */
    bool scaled_embed;           /* embeddings times sqrt(C) */
    bool padded;                 /* the embedding's row of pad_token_id gets no gradient from inputs (padding_idx) */
    int32_t padding;             /* the class default of pad_token_id; below 0: none */
    bool scaled_residuals;       /* drawn weights of OUT and DOWN: standard deviation over sqrt(2 L) */
    const char *lm, *classifier; /* architectures in config.json; transformers may have no classifier: NULL */
    const char *const *prefixes; /* of all names but those with '^'; NULL-terminated, tried in this order */
    const char *const *ignored;  /* ends of buffers' names; NULL-terminated */
    const pl__key_fact *keys;
    const pl__refusal *refusals;
    const pl__tensor_fact *tensors;
    size_t n_keys, n_refusals, n_tensors;
    /* What keys decide together, once each is read; NULL: nothing. */
    pl_status (*settle)(pl_config *config, const json_t *object, const char *where);
} pl_family;

const pl_family *pl__family_find(const char *model_type); /* NULL: unknown */
/* "gpt2, llama": for messages. */
pl_status pl__family_names(pl_bytes *out);

#endif
