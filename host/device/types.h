/* The words of the device contract: element types, opaque handles, views. Plain C, no CUDA type; compiles as C17 and
 * as C++17. Tensor letters are the glossary's: N packed tokens, C width, H heads, G key/value heads, D head width,
 * F feed-forward width, V vocabulary, L layers, R gathered rows. */
#ifndef PLUMB_DEVICE_TYPES_H
#define PLUMB_DEVICE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Handles. Each belongs to the device it was created on and is released by that device's table. */
typedef struct pl_device pl_device; /* one opened device */
typedef struct pl_buffer pl_buffer; /* memory on a device; never dereferenced by the host */
typedef struct pl_stream pl_stream; /* an ordered queue of work */
typedef struct pl_event pl_event;   /* a point in a stream */
typedef struct pl_graph pl_graph;   /* a recorded step */
typedef struct pl_weight
    pl_weight;              /* a matrix [out, in] for products, in a form of the backend's own or attached to a view */
typedef struct pl_kv pl_kv; /* pages of keys and values of all layers */
typedef struct pl_comm pl_comm;             /* a group of ranks */
typedef struct pl_parameters pl_parameters; /* the trainable tensors of a model */

/* A matrix inside a buffer: element (r, c) stands at offset + r * stride + c, counted in elements. A vector has
 * rows = 1. An absent optional view is all zero (buffer NULL). Views never own. */
typedef struct pl_view {
    pl_buffer *buffer;
    size_t offset, rows, columns, stride; /* elements */
    pl_dtype dtype;
} pl_view;

/* Keys and values live in pages of PL_PAGE positions; page p of a path holds absolute positions p * PL_PAGE and on, so
 * attention merges the same blocks in the same order however a sequence was cut, packed or shared. */
enum { PL_PAGE = 32 };

/* A run has at most so many rows, so that a backend may give each run to one group of threads. */
enum { PL_RUN_ROWS = 64 };

/* The true sizes of a batch. Dims in views are capacities; an op works on the first counts[which] rows. */
typedef enum pl_count {
    PL_COUNT_TOKENS,  /* packed tokens */
    PL_COUNT_ROWS,    /* gathered rows (scored, generated from) */
    PL_COUNT_TARGETS, /* scored (row, token) pairs */
    PL_COUNT_COPIES,  /* pages copied before the step */
    PL_COUNT_RUNS,    /* runs of consecutive positions of one path */
    PL_COUNTS
} pl_count;

/* A packed batch on the device. A path is the way from the root of the prefix tree to a node; a token sees the
 * positions 0..its own of its path. Row 0 of the page table is path 0, and so on. */
typedef struct pl_batch {
    pl_view counts;     /* [1, PL_COUNTS] i32 */
    pl_view tokens;     /* [1, N] i32 vocabulary ids */
    pl_view positions;  /* [1, N] i32 absolute positions */
    pl_view turns;      /* [1, N] i32 rows of the rotary tables; absent: the positions */
    pl_view paths;      /* [1, N] i32 row of the page table */
    pl_view page_table; /* [paths, pages] i32: the page that holds positions p * PL_PAGE.. of a path */
    pl_view copies;     /* [copies, 2] i32: source page, new page (copy on write of a partly filled page) */
    pl_view runs;       /* [runs, 2] i32: first row, number of rows (1..PL_RUN_ROWS); rows of a run share a path,
                           positions go up by 1 */
} pl_batch;

typedef enum pl_activation {
    PL_ACT_NONE,
    PL_ACT_GELU_ERF,  /* x * Phi(x) */
    PL_ACT_GELU_TANH, /* gelu_new, gelu_pytorch_tanh: 0.5x(1 + tanh(sqrt(2/pi)(x + 0.044715x^3))) */
    PL_ACT_RELU,
    PL_ACT_SILU,
    PL_ACT_QUICK_GELU /* x * sigmoid(1.702x) */
} pl_activation;

typedef enum pl_norm_kind {
    PL_NORM_LAYER,        /* (x - mean) / sqrt(var + eps) * w + b, biased variance */
    PL_NORM_RMS,          /* x / sqrt(mean(x^2) + eps) * w */
    PL_NORM_RMS_PLUS_ONE, /* the same with (1 + w): Gemma */
    PL_NORM_NONE          /* x itself, with w and b where they are given */
} pl_norm_kind;

/* How a weight file stores a matrix that maps `in` features to `out`. */
typedef enum pl_layout { PL_LAYOUT_OUT_IN, PL_LAYOUT_IN_OUT } pl_layout;

#ifdef __cplusplus
}
#endif
#endif
