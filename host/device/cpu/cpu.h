/* What the files of the CPU backend share: the handles' insides, argument checks, and the table of functions that exist
 * once for each width of the CPU's vectors.
 *
 * A stream runs its work at once, so waiting and events cost nothing. Work is spread over threads by OpenMP; how it is
 * cut never changes a bit of a result, because every number is made by one thread in one fixed order. */
#ifndef PLUMB_DEVICE_CPU_CPU_H
#define PLUMB_DEVICE_CPU_CPU_H

#include "device/ops.h"

/* Functions whose source is compiled for several instruction sets (CMakeLists.txt: -DPL_CPU_<SET> and the compiler's
 * flags). All variants give the same bits; the device picks the widest that the CPU has. */
#if defined(PL_CPU_AVX512)
#define PL__WIDE(name) pl__##name##_avx512
#elif defined(PL_CPU_AVX2)
#define PL__WIDE(name) pl__##name##_avx2
#else
#define PL__WIDE(name) pl__##name##_portable
#endif

/* Of PL_OPS; CMakeLists.txt reads the list. */
#define PL__WIDE_OPS(X)                                                                                                \
    X(linear)                                                                                                          \
    X(gate)                                                                                                            \
    X(attention)                                                                                                       \
    X(score)                                                                                                           \
    X(linear_backward)                                                                                                 \
    X(score_backward)                                                                                                  \
    X(norm_backward)                                                                                                   \
    X(head_norm_backward)                                                                                              \
    X(gate_backward)                                                                                                   \
    X(attention_backward)                                                                                              \
    X(dropout)                                                                                                         \
    X(gradient_norm)                                                                                                   \
    X(adamw)                                                                                                           \
    X(repulsion)                                                                                                       \
    X(map_step)

/* Who multiplies in bfloat16, or in three parts of it (half_product.h). */
typedef struct pl__half pl__half;

typedef struct pl__wide {
    const char *name;     /* as in PLUMB_CPU */
    size_t panel_columns; /* outputs that stand side by side in a packed weight */
#define X(op) pl_status (*op)(pl_stream * stream, const pl_##op##_args *args);
    PL__WIDE_OPS(X)
#undef X
} pl__wide;

extern const pl__wide pl__wide_portable, pl__wide_avx2, pl__wide_avx512;

struct pl_device {
    int n_threads;
    const pl__wide *wide;
    const pl__half *half, *split;           /* one part, three parts; NULL: the CPU cannot */
    size_t n_half_weights, n_split_weights; /* that exist now */
};

struct pl_stream {
    pl_device *device;
};

struct pl_event {
    pl_device *device;
};

struct pl_buffer {
    void *data; /* 64-byte aligned, zeroed when made */
    size_t bytes;
};

/* Panels of `panel` outputs: element (out, in) stands at ((out / panel) * n_in + in) * panel + out % panel, so that a
 * product reads its weights in one line from front to back. Outputs past n_out are zero. In bfloat16 inputs stand in
 * pairs (half_product.h); for three parts of it the panels are float32. An attached weight has no data of its own:
 * products read the master. */
struct pl_weight {
    size_t n_out, n_in, panel;
    pl_device *device;
    const pl__half *half; /* NULL: float32 */
    void *data;
    size_t bytes, panel_stride; /* elements from one panel to the next */
    const float *master;        /* [out, in], rows master_stride apart; NULL: not attached */
    size_t master_stride;
};

/* Layer l, head g, page p: keys [D, PL_PAGE] (features by position, so that scores of PL_PAGE keys are one vector),
 * then values [PL_PAGE, value_width]; value_width is D rounded up to PL__VALUE_COLUMNS, its tail stays zero. */
struct pl_kv {
    size_t n_layers, n_kv_heads, head_width, value_width, n_pages;
    float *data;
    size_t bytes;
};
enum { PL__VALUE_COLUMNS = 32, PL__MAX_HEAD_WIDTH = 512 };

/* Memory that comes zeroed and 64-byte aligned; large blocks in huge pages where the system has them. */
pl_status pl__memory_create(void **out, size_t bytes, const char *what);
void pl__memory_free(void *memory, size_t bytes); /* takes NULL */

/* Threads for an op that touches this many elements: one where waking the others would cost more than the work. */
static inline int pl__threads(const pl_stream *stream, size_t elements)
{
    return elements < 16384 ? 1 : stream->device->n_threads;
}

/* The element (row, 0) of a view. */
static inline void *pl__at(pl_view v, size_t row)
{
    return (char *)v.buffer->data + (v.offset + row * v.stride) * pl_dtype_bytes(v.dtype);
}
static inline float *pl__f32(pl_view v, size_t row)
{
    return (float *)pl__at(v, row);
}
static inline const int32_t *pl__i32(pl_view v, size_t row)
{
    return (const int32_t *)pl__at(v, row);
}

/* What the arguments say has been checked (device/arguments.h); the CPU looks at counts and ids, too, because it can.
 * PL_E_INTERNAL naming op and argument. */
/* *out = counts[which], at most `limit` (the rows that the views hold). */
pl_status pl__read_count(const char *op, size_t *out, pl_view counts, pl_count which, size_t limit);
/* 0 <= ids[i] < limit for the first n of a vector. */
pl_status pl__check_ids(const char *op, const char *argument, pl_view ids, size_t n, size_t limit);
static inline size_t pl__least(size_t a, size_t b)
{
    return a < b ? a : b;
}
/* The runs of a batch: in order, within n_rows, with positions and paths inside the page table, whose pages are below
 * n_pages. *n_runs gets their number. */
pl_status pl__check_runs(const char *op, size_t *n_runs, const pl_batch *batch, size_t n_rows, size_t n_pages);

/* Each op's function; those of PL__WIDE_OPS call the variant of the device (backend.c). */
#define X(op) pl_status pl__##op(pl_stream *stream, const pl_##op##_args *args);
PL_OPS(X)
#undef X

/* Score's workspace: for each row and chunk of columns, the sum of exp(z - max) and the first column with the maximum.
 */
enum { PL__SCORE_CHUNK = 1024 };
typedef struct pl__score_part {
    double sum;
    float max;
    int32_t id;
} pl__score_part;

static inline size_t pl__score_workspace_bytes(size_t n_rows, size_t n_vocabulary)
{
    size_t bytes, n_chunks = (n_vocabulary + PL__SCORE_CHUNK - 1) / PL__SCORE_CHUNK;
    return __builtin_mul_overflow(n_rows, n_chunks * sizeof(pl__score_part), &bytes) ? SIZE_MAX : bytes;
}

/* Score_backward's: rows of a chunk, as many as have 128 MiB of logits, and floats from one row of logits to the next.
 */
enum { PL__SCORE_CHUNK_BYTES = 1 << 27, PL__SCORE_CHUNK_MOST = 1024, PL__SCORE_CHUNK_LEAST = 96 };
static inline size_t pl__score_stride(size_t V)
{
    return (V + 15) / 16 * 16 + 16;
}
static inline size_t pl__score_chunk_rows(size_t n_rows, size_t V)
{
    size_t most = PL__SCORE_CHUNK_BYTES / sizeof(float) / pl__score_stride(V);
    if (most > PL__SCORE_CHUNK_MOST) most = PL__SCORE_CHUNK_MOST;
    if (most < PL__SCORE_CHUNK_LEAST) most = PL__SCORE_CHUNK_LEAST;
    return n_rows < most ? n_rows : most;
}

/* Of norm_backward and head_norm_backward: mean and scale of each row that was normed. */
static inline size_t pl__norm_backward_workspace_bytes(size_t n_rows, size_t C)
{
    size_t bytes;
    (void)C;
    return __builtin_mul_overflow(n_rows, 2 * sizeof(double), &bytes) ? SIZE_MAX : bytes;
}
static inline size_t pl__head_norm_backward_workspace_bytes(size_t n_rows, size_t n_heads, size_t D)
{
    size_t n;
    return __builtin_mul_overflow(n_rows, n_heads, &n) ? SIZE_MAX : pl__norm_backward_workspace_bytes(n, D);
}

/* Attention_backward's: keys, dk and dv in rows of whole panels, where heads are not that wide themselves. */
static inline size_t pl__attention_backward_workspace_bytes(size_t n_rows, size_t H, size_t G, size_t D)
{
    size_t bytes, width = (D + PL__VALUE_COLUMNS - 1) / PL__VALUE_COLUMNS * PL__VALUE_COLUMNS;
    (void)H;
    if (width == D) return 0;
    return __builtin_mul_overflow(n_rows, 3 * G * width * sizeof(float), &bytes) ? SIZE_MAX : bytes;
}

pl_status pl__parameters_create(pl_device *device, pl_parameters **out, const pl_parameter *list, size_t n);
void pl__parameters_free(pl_parameters *parameters); /* takes NULL */
size_t pl__gradient_norm_workspace_bytes(const pl_parameters *parameters);
size_t pl__logistic_workspace_bytes(size_t n_problems, size_t n_rows, size_t width, size_t n_classes);
/* Shares of a map's pairs that are summed apart and then added in order; at most so many threads help. */
enum { PL__REPULSION_SLOTS = 32 };
size_t pl__repulsion_workspace_bytes(size_t n_points);
size_t pl__map_step_workspace_bytes(size_t n_points);
size_t pl__pairwise_workspace_bytes(size_t n_sets, size_t n_rows, size_t n_columns, size_t width);

pl_status pl__weight_create(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute);
pl_status pl__weight_set(pl_stream *stream, pl_weight *weight, size_t first_out, size_t n_out, const void *data,
                         pl_dtype from, pl_layout layout);
pl_status pl__weight_refresh(pl_stream *stream, pl_weight *weight, pl_view from);
pl_status pl__weight_attach(pl_device *device, pl_weight **out, pl_view master, pl_dtype compute);
void pl__weight_free(pl_weight *weight);
pl_dtype pl__weight_compute(const pl_weight *weight);
size_t pl__weight_bytes(size_t n_out, size_t n_in, pl_dtype compute);
size_t pl__weight_attached_bytes(size_t n_out, size_t n_in, pl_dtype compute);

size_t pl__linear_backward_workspace_bytes(size_t n_rows, size_t n_out, size_t n_in, pl_dtype compute);
size_t pl__score_backward_workspace_bytes(size_t n_rows, size_t n_vocabulary, size_t C, pl_dtype compute);

pl_status pl__kv_create(pl_device *device, pl_kv **out, size_t n_layers, size_t n_kv_heads, size_t head_width,
                        size_t n_pages, pl_dtype dtype);
void pl__kv_free(pl_kv *kv);
size_t pl__kv_page_bytes(size_t n_layers, size_t n_kv_heads, size_t head_width, pl_dtype dtype);

pl_status pl__comm_id(pl_device *device, uint8_t id[PL_COMM_ID_BYTES]);
pl_status pl__comm_create(pl_device *device, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank, int size);
pl_status pl__comm_check(pl_comm *comm);
void pl__comm_abort(pl_comm *comm);
void pl__comm_free(pl_comm *comm);
pl_status pl__comm_exchange(pl_stream *stream, pl_comm *comm, pl_view from, pl_view to);
pl_status pl__comm_gather(pl_stream *stream, pl_comm *comm, pl_view part, pl_view all);
pl_status pl__comm_broadcast(pl_stream *stream, pl_comm *comm, pl_view x, int root);

/* The keys of a page; its values stand head_width * PL_PAGE further. */
static inline float *pl__kv_keys(const pl_kv *kv, size_t layer, size_t head, size_t page)
{
    size_t page_floats = (kv->head_width + kv->value_width) * PL_PAGE;
    return kv->data + ((layer * kv->n_kv_heads + head) * kv->n_pages + page) * page_floats;
}

#endif
