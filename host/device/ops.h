/* The device contract: a backend is one constant table of functions (struct pl_backend).
 *
 * An op enqueues on the stream it is given; it never allocates, waits or returns values from the device. Workspace
 * belongs to the caller and is sized by a query. Ops are called through pl_op_<op> (device.h), which
 * checks their arguments and turns a NULL entry, an op the backend lacks, into "not supported". Arguments are
 * structures, so that a new optional one does not change every caller.
 *
 * A device serves one host thread at a time, but for event_wait_host; threads with devices of their own run side by
 * side.
 *
 * Promise 1 of the engine holds for every forward op: a row of a result has the same bits whatever other rows are in
 * the batch, wherever it stands, and however many threads work. */
#ifndef PLUMB_DEVICE_OPS_H
#define PLUMB_DEVICE_OPS_H

#include <stdbool.h>

#include "device/map_ops.h"
#include "device/state_ops.h"
#include "device/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The ops, once: X(op) for each, whose arguments are a pl_<op>_args. The tables, the checks before a call
 * (arguments.h), the declarations and tables of both backends, and what the tests must cover, are made from these two
 * lists. */
#define PL_FORWARD_OPS(X)                                                                                              \
    X(embed)                                                                                                           \
    X(norm)                                                                                                            \
    X(head_norm)                                                                                                       \
    X(linear)                                                                                                          \
    X(gate)                                                                                                            \
    X(rotary)                                                                                                          \
    X(kv_copy)                                                                                                         \
    X(kv_write)                                                                                                        \
    X(attention)                                                                                                       \
    X(gather)                                                                                                          \
    X(pool)                                                                                                            \
    X(score)                                                                                                           \
    X(copy)                                                                                                            \
    X(convert)
#define PL_TRAINING_OPS(X)                                                                                             \
    X(embed_backward)                                                                                                  \
    X(norm_backward)                                                                                                   \
    X(head_norm_backward)                                                                                              \
    X(linear_backward)                                                                                                 \
    X(gate_backward)                                                                                                   \
    X(rotary_backward)                                                                                                 \
    X(attention_backward)                                                                                              \
    X(gather_backward)                                                                                                 \
    X(score_backward)                                                                                                  \
    X(dropout)                                                                                                         \
    X(zero_tail)                                                                                                       \
    X(reduce_lanes)                                                                                                    \
    X(gradient_norm)                                                                                                   \
    X(adamw)                                                                                                           \
    X(logistic)                                                                                                        \
    X(repulsion)                                                                                                       \
    X(map_step)                                                                                                        \
    X(pairwise)
#define PL_OPS(X)                                                                                                      \
    PL_FORWARD_OPS(X)                                                                                                  \
    PL_TRAINING_OPS(X)

/* ---- Dropout ---------------------------------------------------------------------------------------------------- */

/* Where a mask is applied. Part of its key: numbers never change. */
typedef enum pl_dropout_site {
    PL_DROPOUT_EMBED = 0,     /* channel: of C */
    PL_DROPOUT_ATTENTION = 1, /* probabilities; channel: head << 20 | position of the key */
    PL_DROPOUT_OUT = 2,       /* the attention's output, before it is added to the residual stream; channel: of C */
    PL_DROPOUT_DOWN = 3       /* the feed-forward's output, likewise */
} pl_dropout_site;

/* Inverted dropout: an element is 0 with `probability`, else multiplied by 1 / (1 - probability). The draw is counter
 * based (Philox4x32-10: Salmon et al. 2011): key (seed low, seed high xor (layer << 4 | site)), counter (step, example,
 * position, channel / 4), word channel % 4; dropped when (word >> 8) 2^-24 < probability. So a mask depends on nothing
 * but what it is for: not on packing, micro-batches, lanes or threads, and the backward pass draws it again. */
typedef struct pl_dropout {
    float probability; /* 0: none, and the rest is not read */
    uint32_t layer;
    pl_dropout_site site;
    pl_view key; /* [1, 3] i32: seed low, seed high, step: on the device, so that a recorded step can be replayed */
    pl_view examples; /* [1, N] i32: the example that a row belongs to, by its number in the training set */
} pl_dropout;

/* ---- Forward ------------------------------------------------------------------------------------------------- */

/* x[n] = table[tokens[n]] * scale + position_table[positions[n] + position_offset]. Rows: tokens. */
typedef struct pl_embed_args {
    const pl_batch *batch;
    pl_view table;          /* [V, C] */
    pl_view position_table; /* [max positions, C], or absent */
    size_t position_offset; /* OPT: 2 */
    float scale;            /* 1, or sqrt(C) for Gemma */
    pl_view x;              /* [N, C] f32, written */
} pl_embed_args;

/* y = gain norm(x), or y += gain norm(x) with `accumulate` (the residual stream: y is float32, and not x). */
typedef struct pl_norm_args {
    pl_view counts; /* of the batch */
    pl_count count; /* which count bounds the rows */
    pl_norm_kind kind;
    float eps;
    pl_view x;      /* [rows, C] f32 */
    pl_view weight; /* [1, C] f32, or absent (all one) */
    pl_view bias;   /* [1, C] f32, or absent */
    pl_view y;      /* [rows, C] */
    bool accumulate;
    float gain; /* times the result, before it is added; 0: 1 */
} pl_norm_args;

/* Norm over each head's D features in place (Qwen3, Gemma3, Phi), before the rotary step. Rows: tokens. */
typedef struct pl_head_norm_args {
    const pl_batch *batch;
    pl_norm_kind kind;
    float eps;
    size_t n_heads, head_width, first_column; /* heads stand side by side from first_column on */
    pl_view weight;                           /* [1, D] f32; or [n_heads, D]: each head has its own (StableLM) */
    pl_view x;                                /* [N, columns], changed in place */
    pl_view bias;                             /* [1, D] f32, or absent */
} pl_head_norm_args;

/* y = act(x W^T + bias), or y += x W^T + bias with `accumulate` (act must be none; y is float32). x, and else y, has
 * the weight's storage type. Rows of y past the count are left unspecified: a product may run over whole capacities. */
typedef struct pl_linear_args {
    pl_view counts;
    pl_count count;
    pl_view x; /* [rows, in] */
    const pl_weight *weight;
    pl_view bias; /* [1, out] f32, or absent */
    pl_activation activation;
    bool accumulate;
    pl_view y; /* [rows, out] */
    /* Training only. */
    pl_view pre;        /* [rows, out], written: what the activation was applied to; or absent */
    pl_dropout dropout; /* of x W^T + bias, before it is added; with `accumulate` and `positions` */
    pl_view positions;  /* [1, rows] i32, with dropout */
} pl_linear_args;

/* y = act(x[:, :F]) * x[:, F:]. Rows: tokens. */
typedef struct pl_gate_args {
    const pl_batch *batch;
    pl_activation activation;
    pl_view x; /* [N, 2F]: gate, then up */
    pl_view y; /* [N, F]; may be the first half of x */
} pl_gate_args;

/* Rotates the first `width` features of each query and key head by the angles of the token's row of the tables. */
typedef struct pl_rotary_args {
    const pl_batch *batch;
    size_t n_heads, n_kv_heads, head_width, width; /* H, G, D, rotated width (even) */
    bool interleaved;                              /* pairs (2j, 2j+1) instead of (j, j + width/2) */
    pl_view cosine, sine;                          /* [rows, width/2] f32; of each token: batch->turns */
    pl_view qkv;                                   /* [N, (H + 2G) D]: queries, keys, values; changed in place */
} pl_rotary_args;

/* Copies pages (all layers) as batch->copies says; runs before the first kv_write of a step. */
typedef struct pl_kv_copy_args {
    const pl_batch *batch;
    pl_kv *kv;
} pl_kv_copy_args;

/* Writes the keys and values of qkv into their pages of one layer. */
typedef struct pl_kv_write_args {
    const pl_batch *batch;
    pl_kv *kv;
    size_t layer;
    pl_view qkv; /* [N, (H + 2G) D] */
} pl_kv_write_args;

/* Causal grouped-query attention of each token to its path's pages: softmax(scale q k^T + ALiBi) v, blocks of PL_PAGE
 * keys from position 0 up, merged in that order by running maximum. */
typedef struct pl_attention_args {
    const pl_batch *batch;
    const pl_kv *kv;
    size_t layer;
    size_t n_heads;
    float scale;
    float softcap; /* cap * tanh(s / cap) on scores; 0: none */
    size_t window; /* keys seen, the token's own included; 0: all */
    pl_view alibi; /* [1, H] f32 slopes, or absent */
    /* 0: slope (key - query) is added to a score. Else Falcon's way: alibi_scale (b(key) - b(query)), where b(p) is the
     * slope times p, both and their product in bfloat16. */
    float alibi_scale;
    pl_view qkv; /* [N, (H + 2G) D]: the queries are read here */
    pl_view y;   /* [N, H D] */
    /* Training only. */
    pl_view lse;        /* [N, H] f32 log-sum-exp of the scaled scores, or absent */
    pl_dropout dropout; /* of the probabilities */
} pl_attention_args;

/* y[slots[i]] = x[rows[i]] for i < counts[count]. */
typedef struct pl_gather_args {
    pl_view counts;
    pl_count count;
    pl_view rows;  /* [1, n] i32 */
    pl_view slots; /* [1, n] i32, or absent (slot i) */
    pl_view x;     /* [N, C] f32 */
    pl_view y;     /* [slots, C] f32 */
} pl_gather_args;

/* For each i < n_slots (a vector on the device): y[slots[i]] += x[first] + x[first+1] + ..., the rows of ranges
 * indptr[i]..indptr[i+1] in this order, one addition after another: splitting a range over batches changes no bit. */
typedef struct pl_pool_args {
    pl_view n_slots; /* [1, 1] i32 */
    pl_view indptr;  /* [1, n + 1] i32 */
    pl_view ranges;  /* [m, 2] i32: first row, rows */
    pl_view slots;   /* [1, n] i32, distinct */
    pl_view x;       /* [N, C] f32 */
    pl_view y;       /* [slots, C] f32, added to */
} pl_pool_args;

/* The vocabulary head on gathered rows: logits z = softcap(x W^T + bias), never kept for all rows at once unless asked.
 * Rows: PL_COUNT_ROWS; targets: PL_COUNT_TARGETS. log-sum-exp over V in a fixed tree. */
typedef struct pl_score_args {
    pl_view counts;
    pl_view x;               /* [R, C] */
    const pl_weight *weight; /* [V, C] */
    pl_view bias;            /* [1, V] f32, or absent */
    float softcap;           /* 0: none */
    pl_view target_rows;     /* [1, T] i32 */
    pl_view target_tokens;   /* [1, T] i32 */
    pl_view log_probability; /* [1, T] f32: natural log of p(token | row) */
    pl_view target_greedy;   /* [1, T] i32: 1 when the token is the row's arg max; or absent */
    pl_view greedy;          /* [1, R] i32: arg max, the lowest id among equals; -1 where a logit is NaN or the maximum
                              * is not finite; or absent */
    pl_view logits;          /* [R, V] f32, or absent */
    pl_view workspace;       /* bytes: score_workspace_bytes */
} pl_score_args;

/* to[r, c] = from[r, c]: same shape and type, on the device. */
typedef struct pl_copy_args {
    pl_view from, to;
} pl_copy_args;

/* y = x in y's type (round to nearest even; float16 counts values out of range in *overflow, a [1,1] i32 added to). */
typedef struct pl_convert_args {
    pl_view x, y;     /* [rows, C] */
    pl_view overflow; /* or absent */
} pl_convert_args;

/* ---- Training ------------------------------------------------------------------------------------------------ */
/* Gradients of parameters are added to (+=), gradients of activations are written, unless said otherwise. Gradients of
 * the residual stream and of parameters are float32; those of other activations have the activations' type.
 *
 * Every sum has one fixed order, so a gradient has the same bits for the same micro-batch, whatever the number of
 * threads. A backend may cut the sum over rows of a weight's gradient at fixed places (not by the number of its
 * processors), since promise 1 does not bind it.
 *
 * Rows past the count: a product over whole capacities would add them to a weight's gradient. Where a backend says
 * `whole_capacity`, the caller clears them (zero_tail) in x and dy of linear_backward and score_backward; their dx is
 * left unspecified there.
 *
 * What changes from step to step is on the device (pl_dropout.key, factors, the batch with its loss weights), so that a
 * recorded step can be replayed. */

/* Of a step, [1, PL_FACTORS] f32. */
enum {
    PL_FACTOR_RATE,   /* learning rate */
    PL_FACTOR_FIRST,  /* 1 - beta1^t */
    PL_FACTOR_SECOND, /* 1 - beta2^t */
    PL_FACTOR_CLIP,   /* written by gradient_norm: what a gradient is multiplied by */
    PL_FACTOR_NORM,   /* written by gradient_norm: the norm before clipping */
    PL_FACTOR_FINITE, /* written by gradient_norm: 1; 0 when the norm is NaN or infinite */
    PL_FACTORS
};

/* dtable[tokens[n]] += dx[n] * scale, dposition_table[positions[n] + position_offset] += dx[n]; rows in batch order.
 * With has_padding the row of token `padding` of dtable is left alone. */
typedef struct pl_embed_backward_args {
    const pl_batch *batch;
    float scale;
    bool has_padding;
    int32_t padding;
    size_t position_offset;
    pl_view dx;              /* [N, C] f32 */
    pl_view dtable;          /* [V, C] f32, added to */
    pl_view dposition_table; /* [max positions, C] f32, added to; or absent */
    /* The rows by token and by position, equal ones in batch order; order[starts[i]..starts[i + 1]) are the rows of one
     * segment. Segments past the last are empty. */
    pl_view order, starts;                   /* [1, N], [1, N + 1] i32 */
    pl_view position_order, position_starts; /* the same; absent without position table */
} pl_embed_backward_args;

typedef struct pl_norm_backward_args {
    pl_view counts;
    pl_count count;
    pl_norm_kind kind;
    float eps;
    pl_view x;              /* [rows, C] f32, as the norm found it */
    pl_view weight;         /* [1, C] f32, or absent */
    pl_view dy;             /* [rows, C] */
    pl_view dx;             /* [rows, C] f32, added to: it joins the residual stream's gradient */
    pl_view dweight, dbias; /* [1, C] f32, added to; or absent */
    pl_view workspace;      /* bytes: norm_backward_workspace_bytes */
    float gain;             /* as the norm's */
} pl_norm_backward_args;

typedef struct pl_head_norm_backward_args {
    const pl_batch *batch;
    pl_norm_kind kind;
    float eps;
    size_t n_heads, head_width, first_column;
    pl_view weight;    /* [1, D] or [n_heads, D] f32 */
    pl_view x;         /* [N, columns], as the norm found it */
    pl_view dy;        /* [N, columns], changed in place to the gradient of x */
    pl_view dweight;   /* as weight, added to */
    pl_view dbias;     /* [1, D] f32, added to; or absent */
    pl_view workspace; /* bytes: head_norm_backward_workspace_bytes */
} pl_head_norm_backward_args;

/* Of y = act(x W^T + bias), also where y was added to the residual stream. */
typedef struct pl_linear_backward_args {
    pl_view counts;
    pl_count count;
    pl_view x;  /* [rows, in] */
    pl_view dy; /* [rows, out], f32 where y was added */
    const pl_weight *weight;
    pl_activation activation;
    pl_view pre;        /* [rows, out]: pl_linear_args.pre; absent without activation */
    pl_dropout dropout; /* of the forward op, with its positions */
    pl_view positions;
    pl_view dx;         /* [rows, in], or absent */
    bool accumulate_dx; /* dx is added to (two products that read the same rows) */
    pl_view dweight;    /* [out, in] f32, added to; or absent */
    pl_view dbias;      /* [1, out] f32, added to; or absent */
    pl_view workspace;  /* bytes: linear_backward_workspace_bytes */
} pl_linear_backward_args;

typedef struct pl_gate_backward_args {
    const pl_batch *batch;
    pl_activation activation;
    pl_view x, dy; /* [N, 2F]: gate, then up, as the gate found them; [N, F] */
    pl_view dx;    /* [N, 2F] */
} pl_gate_backward_args;

/* The inverse rotation of the gradients of queries and keys, in place. */
typedef pl_rotary_args pl_rotary_backward_args;

/* Of attention over whole, unshared sequences: all keys that a token sees are rows of the batch. dq is summed over keys
 * ascending, dk and dv over queries ascending and, with grouped heads, over query heads ascending. */
typedef struct pl_attention_backward_args {
    const pl_batch *batch;
    pl_view n_sequences; /* [1, 1] i32 */
    pl_view sequences;   /* [S, 2] i32: first row, rows; positions go up by 1 from 0 */
    size_t n_heads, n_kv_heads, head_width;
    float scale, softcap;
    size_t window;
    pl_view alibi;     /* [1, H] f32, or absent */
    float alibi_scale; /* as the forward op's */
    pl_dropout dropout;
    pl_view qkv;       /* [N, (H + 2G) D]: as attention found it, rotated */
    pl_view y, lse;    /* [N, H D], [N, H] f32: of the forward op */
    pl_view dy;        /* [N, H D] */
    pl_view dqkv;      /* [N, (H + 2G) D] */
    pl_view workspace; /* bytes: attention_backward_workspace_bytes */
} pl_attention_backward_args;

/* dx[rows[i]] += dy[i] for i < counts[count]; rows are distinct. */
typedef struct pl_gather_backward_args {
    pl_view counts;
    pl_count count;
    pl_view rows; /* [1, n] i32 */
    pl_view dy;   /* [n, C] f32 */
    pl_view dx;   /* [N, C] f32, added to */
} pl_gather_backward_args;

/* The vocabulary head with its loss, sum of loss_weights[i] * -log p(target_tokens[i] | row i), forward and backward at
 * once: logits exist for a chunk of rows at a time, chunks in order. One target a row: target i belongs to row i. A row
 * whose log p is not finite has gradients that are NaN, so that no such loss updates a weight (PL_FACTOR_FINITE). */
typedef struct pl_score_backward_args {
    pl_view counts; /* ROWS = TARGETS */
    pl_view x;      /* [R, C] */
    const pl_weight *weight;
    pl_view bias; /* [1, V] f32, or absent */
    float softcap;
    pl_view target_tokens; /* [1, R] i32 */
    pl_view loss_weights;  /* [1, R] f32: 1 / (tokens of the global batch that carry loss), or what the caller means */
    pl_view log_probability; /* [1, R] f32, written: natural log of p(target | row), unweighted */
    pl_view dx;              /* [R, C], or absent */
    pl_view dweight;         /* [V, C] f32, added to; or absent */
    pl_view dbias;           /* [1, V] f32, added to; or absent */
    pl_view workspace;       /* bytes: score_backward_workspace_bytes */
} pl_score_backward_args;

/* y = x with the mask; its backward is the same call on the gradient. Rows: tokens. */
typedef struct pl_dropout_args {
    const pl_batch *batch;
    pl_dropout dropout;
    pl_view x, y; /* [N, C]; y may be x */
} pl_dropout_args;

/* Rows from the count up to x.rows become zero. */
typedef struct pl_zero_tail_args {
    pl_view counts;
    pl_count count;
    pl_view x; /* [rows, C] */
} pl_zero_tail_args;

/* sum = lanes[0] + lanes[1] + ..., from left to right; with `accumulate` sum + lanes[0] + ... . A gradient over several
 * devices: each lane's slices travel to their owner (comm_exchange), which adds them in lane order by this op, then all
 * slices are gathered. The bits do not depend on how many devices share the lanes. */
typedef struct pl_reduce_lanes_args {
    bool accumulate;
    pl_view lanes; /* [lanes, n] f32 */
    pl_view sum;   /* [1, n] f32 */
} pl_reduce_lanes_args;

/* The global norm of all gradients: sums of squares of chunks of PL_OPTIMIZER_CHUNK elements of each parameter, in
 * double, in a fixed order. Writes factors: NORM, FINITE, and CLIP = min(1, max_norm / (norm + 1e-6)), as PyTorch's
 * clip_grad_norm_ has it. */
typedef struct pl_gradient_norm_args {
    const pl_parameters *parameters;
    float max_norm;    /* 0: no clipping */
    pl_view factors;   /* [1, PL_FACTORS] f32 */
    pl_view workspace; /* bytes: gradient_norm_workspace_bytes */
} pl_gradient_norm_args;

/* Adam with decoupled weight decay (Loshchilov & Hutter 2019) over all parameters at once, as PyTorch's AdamW:
 *   g = gradient * CLIP; w -= rate * weight_decay * w, where the parameter decays;
 *   m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2;
 *   w -= rate / FIRST * m / (sqrt(v) / sqrt(SECOND) + eps)
 * The attached weight's own copy follows in the same pass and the gradient becomes zero. Where FINITE is 0 nothing
 * changes but the gradient. */
typedef struct pl_adamw_args {
    const pl_parameters *parameters;
    pl_view factors;                        /* [1, PL_FACTORS] f32 */
    double beta1, beta2, eps, weight_decay; /* 1 - 0.999f is not 0.001f */
} pl_adamw_args;

/* ---- The table ------------------------------------------------------------------------------------------------ */

typedef struct pl_device_facts {
    char name[128];        /* for people: "2 threads of AMD EPYC ..." */
    char device_class[32]; /* part of a unit's identity: "cpu", "cuda-sm90" */
    size_t memory_bytes, free_bytes;
    int n_threads;
    /* Who makes the matrix products of the weights that exist now, for the numerics key: library, version and a digest
     * of the algorithms. Equal texts and equal device classes mean equal bits; known once a model's weights are loaded.
     */
    char products[128]; /* "plumb"; "cuBLASLt 130001 (algorithms 0123456789abcdef) and plumb" */
    char makers[192];   /* the same for people: how many weight shapes by whom, and why */
} pl_device_facts;

/* What a plug-in backend gets from the program when it is opened: no state exists twice. */
typedef struct pl_host_services {
    pl_status (*fail)(pl_status code, const char *format, ...);
} pl_host_services;

/* A plug-in (libplumb_cuda.so) exports one function of this type by this name. It returns NULL when it was built for
 * another version of the contract, which is raised whenever a structure or the table changes. */
enum { PL_PLUGIN_VERSION = 10 };
#define PL_PLUGIN_SYMBOL "pl_plugin_backend"
typedef const struct pl_backend *pl_plugin_entry(int version);

enum { PL_COMM_ID_BYTES = 128 };

/* What a weight and pages of keys and values are, for checking arguments. */
typedef struct pl_weight_shape {
    size_t n_out, n_in;
    pl_dtype compute;
} pl_weight_shape;
typedef struct pl_kv_shape {
    size_t n_layers, n_kv_heads, head_width, n_pages;
    pl_dtype dtype; /* of their elements */
} pl_kv_shape;

/* One trainable tensor: four matrices of one shape, their rows side by side (stride = columns). */
typedef struct pl_parameter {
    pl_view master, gradient, first, second; /* [rows, columns] f32; moments of the gradient */
    bool decay;                              /* weight decay applies */
    pl_weight *weight;                       /* attached to the master; NULL: a table or vector */
} pl_parameter;
enum { PL_OPTIMIZER_CHUNK = 65536 }; /* elements */

/* Entries whose arguments are checked before they are called: by pl_op_<op> and the other calls of device.h alone. */
typedef struct pl_unchecked {
    /* Rows of the view from or to packed host memory; the host memory must stay until the stream has passed. */
    pl_status (*upload)(pl_stream *stream, pl_view to, const void *from);
    pl_status (*download)(pl_stream *stream, void *to, pl_view from);
    pl_status (*fill_zero)(pl_stream *stream, pl_view view);

    /* Host data [out, in] or [in, out] of type `from` becomes outputs first_out..first_out + n_out of the weight. The
     * data may be a mapped file and is not needed afterwards. refresh: all of it from a f32 view (training). */
    pl_status (*weight_set)(pl_stream *stream, pl_weight *weight, size_t first_out, size_t n_out, const void *data,
                            pl_dtype from, pl_layout layout);
    pl_status (*weight_refresh)(pl_stream *stream, pl_weight *weight, pl_view from);

    /* Each enqueues, and all ranks make the same calls in the same order. */
    /* Row r of `from` goes to rank r and becomes row (this rank) of its `to`: [size, n] both. */
    pl_status (*comm_exchange)(pl_stream *stream, pl_comm *comm, pl_view from, pl_view to);
    pl_status (*comm_gather)(pl_stream *stream, pl_comm *comm, pl_view part, pl_view all); /* [1, n], [size, n] */
    pl_status (*comm_broadcast)(pl_stream *stream, pl_comm *comm, pl_view x, int root);    /* [1, n] */

#define X(op) pl_status (*op)(pl_stream * stream, const pl_##op##_args *args);
    PL_OPS(X)
#undef X
} pl_unchecked;

typedef struct pl_backend {
    const char *name;    /* "cpu", "cuda", "cuda-emulated" */
    bool exact;          /* promise 1 holds by construction: its products need no trial (pl_certify) */
    bool shares_memory;  /* buffers are the host's memory: what a device is asked for is taken from the same store */
    bool halves;         /* activations are in the 16-bit types where the compute type is one; else in float32 always */
    bool whole_capacity; /* products run over rows past the count */

    /* Devices, memory, streams. Sizes in bytes; buffers come zeroed. All wait for nothing but what their name says. */
    int (*count)(void); /* devices that the process may open: indices 0 .. count - 1; makes no context */
    /* PL_E_UNSUPPORTED when there is no such device, driver or architecture; the message says which and what to do. */
    pl_status (*open)(pl_device **out, int index, int n_threads, const pl_host_services *host);
    void (*close)(pl_device *device);
    pl_status (*facts)(pl_device *device, pl_device_facts *out);
    pl_status (*buffer_create)(pl_device *device, pl_buffer **out, size_t bytes);
    void (*buffer_free)(pl_buffer *buffer);
    size_t (*buffer_bytes)(const pl_buffer *buffer);
    pl_status (*host_memory_create)(pl_device *device, void **out, size_t bytes); /* pinned where that matters */
    void (*host_memory_free)(pl_device *device, void *memory);
    pl_status (*stream_create)(pl_device *device, pl_stream **out);
    void (*stream_free)(pl_stream *stream);
    pl_status (*stream_wait)(pl_stream *stream); /* the host waits until the stream is empty */
    pl_status (*event_create)(pl_device *device, pl_event **out);
    void (*event_free)(pl_event *event);
    pl_status (*event_record)(pl_event *event, pl_stream *stream);
    pl_status (*event_wait)(pl_event *event, pl_stream *stream); /* the stream waits for the event */
    pl_status (*event_wait_host)(pl_event *event);               /* the host waits for the event; any thread may */
    /* Weights: [out, in] in the packed form used by linear and score, zero until it is set. `compute` is the type of
     * all products with it, forward and backward; PL_E_UNSUPPORTED names the types that the device has (the CPU:
     * float32, bfloat16, bf16x3; CUDA: float32, tf32, bfloat16, float16). Workspace queries take the same type. */
    pl_status (*weight_create)(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute);
    /* A weight whose numbers are those of `master` [out, in] f32, which must outlive it. Where the backend keeps a copy
     * (another type or order), weight_refresh and adamw renew it. */
    pl_status (*weight_attach)(pl_device *device, pl_weight **out, pl_view master, pl_dtype compute);
    void (*weight_free)(pl_weight *weight);
    pl_weight_shape (*weight_shape)(const pl_weight *weight);
    size_t (*weight_bytes)(size_t n_out, size_t n_in, pl_dtype compute);
    size_t (*weight_attached_bytes)(size_t n_out, size_t n_in, pl_dtype compute); /* besides the master */

    /* Key/value pages: page p of layer l holds G heads x PL_PAGE positions x D. */
    pl_status (*kv_create)(pl_device *device, pl_kv **out, size_t n_layers, size_t n_kv_heads, size_t head_width,
                           size_t n_pages, pl_dtype dtype);
    void (*kv_free)(pl_kv *kv);
    pl_kv_shape (*kv_shape)(const pl_kv *kv);
    size_t (*kv_page_bytes)(size_t n_layers, size_t n_kv_heads, size_t head_width, pl_dtype dtype); /* all layers */

    /* The parameters of a model, for the ops that go over all of them: the table is copied to the device once. */
    pl_status (*parameters_create)(pl_device *device, pl_parameters **out, const pl_parameter *list, size_t n);
    void (*parameters_free)(pl_parameters *parameters);

    /* Workspace of an op, in bytes, for views of these capacities. */
    size_t (*score_workspace_bytes)(size_t n_rows, size_t n_vocabulary);
    size_t (*norm_backward_workspace_bytes)(size_t n_rows, size_t C);
    size_t (*head_norm_backward_workspace_bytes)(size_t n_rows, size_t n_heads, size_t D);
    size_t (*linear_backward_workspace_bytes)(size_t n_rows, size_t n_out, size_t n_in, pl_dtype compute);
    size_t (*attention_backward_workspace_bytes)(size_t n_rows, size_t H, size_t G, size_t D);
    size_t (*score_backward_workspace_bytes)(size_t n_rows, size_t n_vocabulary, size_t C, pl_dtype compute);
    size_t (*gradient_norm_workspace_bytes)(const pl_parameters *parameters);
    size_t (*logistic_workspace_bytes)(size_t n_problems, size_t n_rows, size_t width, size_t n_classes);
    size_t (*repulsion_workspace_bytes)(size_t n_points);
    size_t (*map_step_workspace_bytes)(size_t n_points);
    size_t (*pairwise_workspace_bytes)(size_t n_sets, size_t n_rows, size_t n_columns, size_t width);

    /* Record and replay of a step: a graph on CUDA. Between begin and end nothing runs. What is replayed reads the
     * views that were recorded, so a caller replays only with the same views. NULL: the caller runs the step directly
     * each time, and then a batch's capacities should be its counts. */
    pl_status (*record_begin)(pl_stream *stream);
    pl_status (*record_end)(pl_stream *stream, pl_graph **out);
    pl_status (*replay)(pl_stream *stream, pl_graph *graph);
    void (*graph_free)(pl_graph *graph);

    pl_unchecked unchecked;

    /* Ranks: bytes move, nothing is added (reduce_lanes does that), so neither topology nor arrival shows in a result.
     * The id is made by rank 0 and travels through a file in the run folder. comm_create does not wait for the others:
     * the first call that moves bytes does. comm_abort ends this rank's calls and waits within seconds; what was being
     * moved is undefined then: comm_check, asked behind stream_wait, says whether everything so far has arrived. The
     * CPU's ranks also end when another aborts, leaves or dies; NCCL does not see that of a process on its machine:
     * somebody calls comm_abort. PL_E_RANK: another rank is the reason. NULL: the device has no ranks. */
    pl_status (*comm_id)(pl_device *device, uint8_t id[PL_COMM_ID_BYTES]);
    pl_status (*comm_create)(pl_device *device, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank, int size);
    pl_status (*comm_check)(pl_comm *comm);
    void (*comm_abort)(pl_comm *comm); /* from any thread, until comm_free */
    void (*comm_free)(pl_comm *comm);  /* takes NULL */
} pl_backend;

#ifdef __cplusplus
}
#endif
#endif
