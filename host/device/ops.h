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

#include "device/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The ops, once: X(op) for each, whose arguments are a pl_<op>_args. The tables, the checks before a call (check.c),
 * the declarations and tables of both backends, and what the tests must cover, are made from these two lists. */
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
#define PL_BACKWARD_OPS(X)                                                                                             \
    X(embed_backward)                                                                                                  \
    X(norm_backward)                                                                                                   \
    X(linear_backward)                                                                                                 \
    X(gate_backward)                                                                                                   \
    X(rotary_backward)                                                                                                 \
    X(attention_backward)                                                                                              \
    X(score_backward)                                                                                                  \
    X(dropout)                                                                                                         \
    X(norm_squared)                                                                                                    \
    X(adamw)

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

/* y = norm(x). */
typedef struct pl_norm_args {
    pl_view counts; /* of the batch */
    pl_count count; /* which count bounds the rows */
    pl_norm_kind kind;
    float eps;
    pl_view x;      /* [rows, C] f32 */
    pl_view weight; /* [1, C] f32, or absent (all one) */
    pl_view bias;   /* [1, C] f32, or absent */
    pl_view y;      /* [rows, C] */
} pl_norm_args;

/* Norm over each head's D features in place (Qwen3, Gemma3), before the rotary step. Rows: tokens. */
typedef struct pl_head_norm_args {
    const pl_batch *batch;
    pl_norm_kind kind;
    float eps;
    size_t n_heads, head_width, first_column; /* heads stand side by side from first_column on */
    pl_view weight;                           /* [1, D] f32 */
    pl_view x;                                /* [N, columns], changed in place */
} pl_head_norm_args;

/* y = act(x W^T + bias), or y += x W^T + bias with `accumulate` (the residual stream; act must be none). x has the
 * weight's storage type; y too, or float32 with `accumulate`. Rows of y from the count up to the smaller capacity of x
 * and y are left unspecified: a backend may run its product over whole capacities. */
typedef struct pl_linear_args {
    pl_view counts;
    pl_count count;
    pl_view x; /* [rows, in] */
    const pl_weight *weight;
    pl_view bias; /* [1, out] f32, or absent */
    pl_activation activation;
    bool accumulate;
    pl_view y; /* [rows, out] */
} pl_linear_args;

/* y = act(x[:, :F]) * x[:, F:]. Rows: tokens. */
typedef struct pl_gate_args {
    const pl_batch *batch;
    pl_activation activation;
    pl_view x; /* [N, 2F]: gate, then up */
    pl_view y; /* [N, F]; may be the first half of x */
} pl_gate_args;

/* Rotates the first `width` features of each query and key head by the angle of the token's position. */
typedef struct pl_rotary_args {
    const pl_batch *batch;
    size_t n_heads, n_kv_heads, head_width, width; /* H, G, D, rotated width (even) */
    bool interleaved;                              /* pairs (2j, 2j+1) instead of (j, j + width/2) */
    pl_view cosine, sine;                          /* [max positions, width/2] f32 */
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
    pl_view qkv;   /* [N, (H + 2G) D]: the queries are read here */
    pl_view y;     /* [N, H D] */
    pl_view lse;   /* [N, H] f32 log-sum-exp of the scaled scores, or absent (training) */
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

/* ---- Backward ------------------------------------------------------------------------------------------------ */
/* Gradients of parameters are added to (+=), gradients of activations are written, unless said otherwise. */

typedef struct pl_embed_backward_args {
    const pl_batch *batch;
    float scale;
    size_t position_offset;
    pl_view dx;              /* [N, C] f32 */
    pl_view dtable;          /* [V, C] f32, += in token order */
    pl_view dposition_table; /* or absent */
    pl_view order;           /* [1, N] i32: rows sorted by token id, equal ids in batch order: fixes the sum */
} pl_embed_backward_args;

typedef struct pl_norm_backward_args {
    pl_view counts;
    pl_count count;
    pl_norm_kind kind;
    float eps;
    pl_view x, weight, dy;  /* [rows, C], [1, C], [rows, C] */
    pl_view dx;             /* [rows, C] f32, += (it joins the residual stream) */
    pl_view dweight, dbias; /* [1, C] f32 */
    pl_view workspace;
} pl_norm_backward_args;

typedef struct pl_linear_backward_args {
    pl_view counts;
    pl_count count;
    pl_view x, dy; /* [rows, in], [rows, out] */
    const pl_weight *weight;
    pl_activation activation;
    pl_view pre_activation; /* [rows, out]: what the activation was applied to; absent without activation */
    pl_view dx;             /* [rows, in], or absent */
    pl_view dweight;        /* [out, in] f32 */
    pl_view dbias;          /* [1, out] f32, or absent */
    pl_view workspace;
} pl_linear_backward_args;

typedef struct pl_gate_backward_args {
    const pl_batch *batch;
    pl_activation activation;
    pl_view x, dy; /* [N, 2F], [N, F] */
    pl_view dx;    /* [N, 2F] */
} pl_gate_backward_args;

/* The inverse rotation of the gradients of queries and keys, in place. */
typedef pl_rotary_args pl_rotary_backward_args;

typedef struct pl_attention_backward_args {
    const pl_batch *batch; /* unshared paths: each token's keys are in the batch */
    size_t n_heads, n_kv_heads, head_width;
    float scale, softcap;
    size_t window;
    pl_view qkv, y, lse, dy; /* [N, (H+2G)D], [N, HD], [N, H], [N, HD] */
    pl_view dqkv;            /* [N, (H+2G)D] */
    pl_view workspace;
} pl_attention_backward_args;

/* loss[i] = -log p(target) per target; dx and dweight of mean-reduced cross-entropy, logits in chunks. */
typedef struct pl_score_backward_args {
    pl_score_args forward;
    float loss_scale; /* 1 / number of targets of the global batch */
    pl_view dx;       /* [R, C] */
    pl_view dweight;  /* [V, C] f32 */
    pl_view dbias;
} pl_score_backward_args;

/* Dropout keyed by (seed, step, example, position, layer, site, channel); its backward is the same call on dy. */
typedef struct pl_dropout_args {
    const pl_batch *batch;
    pl_view examples; /* [1, N] i32 */
    float probability;
    uint64_t seed;
    uint32_t step, layer, site;
    pl_view x; /* [N, C], changed in place */
} pl_dropout_args;

/* sum of squares of a gradient in a fixed tree: result[slot]. */
typedef struct pl_norm_squared_args {
    pl_view x;      /* [1, n] f32 */
    pl_view result; /* [1, slots] f32 */
    size_t slot;
    pl_view workspace;
} pl_norm_squared_args;

/* Decoupled weight decay Adam (Loshchilov & Hutter 2019). `factors` on the device: learning rate, 1 - beta1^t,
 * 1 - beta2^t, gradient scale (clipping included), so that a recorded step can be replayed. */
typedef struct pl_adamw_args {
    pl_view weight, gradient, first, second; /* [1, n] f32 */
    pl_view factors;                         /* [1, 4] f32 */
    float beta1, beta2, eps, weight_decay;
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
enum { PL_PLUGIN_VERSION = 2 };
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

#define X(op) pl_status (*op)(pl_stream * stream, const pl_##op##_args *args);
    PL_FORWARD_OPS(X)
    PL_BACKWARD_OPS(X)
#undef X
} pl_unchecked;

typedef struct pl_backend {
    const char *name;   /* "cpu", "cuda", "cuda-emulated" */
    bool exact;         /* promise 1 holds by construction: its products need no trial (pl_certify) */
    bool shares_memory; /* buffers are the host's memory: what a device is asked for is taken from the same store */
    bool halves;        /* activations may be in the 16-bit types, not in float32 alone */

    /* Devices, memory, streams. Sizes in bytes; buffers come zeroed. All wait for nothing but what their name says. */
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
    /* Weights: [out, in] in the packed form used by linear and score, zero until it is set. */
    pl_status (*weight_create)(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute);
    void (*weight_free)(pl_weight *weight);
    pl_weight_shape (*weight_shape)(const pl_weight *weight);
    size_t (*weight_bytes)(size_t n_out, size_t n_in, pl_dtype compute);

    /* Key/value pages: page p of layer l holds G heads x PL_PAGE positions x D. */
    pl_status (*kv_create)(pl_device *device, pl_kv **out, size_t n_layers, size_t n_kv_heads, size_t head_width,
                           size_t n_pages, pl_dtype dtype);
    void (*kv_free)(pl_kv *kv);
    pl_kv_shape (*kv_shape)(const pl_kv *kv);
    size_t (*kv_page_bytes)(size_t n_layers, size_t n_kv_heads, size_t head_width, pl_dtype dtype); /* all layers */

    size_t (*score_workspace_bytes)(size_t n_rows, size_t n_vocabulary);

    /* Record and replay of a step: a graph on CUDA. Between begin and end nothing runs. What is replayed reads the
     * views that were recorded, so a caller replays only with the same views. NULL: the caller runs the step directly
     * each time, and then a batch's capacities should be its counts. */
    pl_status (*record_begin)(pl_stream *stream);
    pl_status (*record_end)(pl_stream *stream, pl_graph **out);
    pl_status (*replay)(pl_stream *stream, pl_graph *graph);
    void (*graph_free)(pl_graph *graph);

    pl_unchecked unchecked;

    /* Ranks. Sums go over ranks in a fixed order (rank 0 first), so the result does not depend on arrival. The id is
     * made by rank 0 and travels through a file in the run folder. */
    pl_status (*comm_id)(pl_device *device, uint8_t id[PL_COMM_ID_BYTES]);
    pl_status (*comm_create)(pl_device *device, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank, int size);
    void (*comm_free)(pl_comm *comm);
    pl_status (*all_reduce)(pl_stream *stream, pl_comm *comm, pl_view x); /* x = sum over ranks */
    pl_status (*reduce_scatter)(pl_stream *stream, pl_comm *comm, pl_view x,
                                pl_view part); /* part = own slice of the sum */
    pl_status (*all_gather)(pl_stream *stream, pl_comm *comm, pl_view part, pl_view x);
    pl_status (*broadcast)(pl_stream *stream, pl_comm *comm, pl_view x, int root);
} pl_backend;

#ifdef __cplusplus
}
#endif
#endif
