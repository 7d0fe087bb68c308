/* What the files of the CUDA backend share: the handles' insides, error text, and each op's launcher.
 *
 * Read by C (the table, memory, streams, products) and by CUDA C++ (kernels). A .cu file holds static __global__
 * kernels, then one launcher that launches and checks the launch (the program has checked the arguments); launches are
 * written CU_LAUNCH(kernel, grid, block, shared bytes, stream, arguments...), so that the same source runs on the CPU
 * under the emulator of tests/cuemu. Counts live on the device: a kernel is launched for capacities and reads its
 * count. */
#ifndef PLUMB_CUDA_CUDA_H
#define PLUMB_CUDA_CUDA_H

#include <cuda_runtime_api.h>

#include "device/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pl__products pl__products;           /* product.c: cuBLASLt and the maker chosen for each weight shape */
typedef struct pl__shape_product pl__shape_product; /* product.c: one weight shape and its maker */
typedef struct pl__staging pl__staging;             /* weight.cu: pinned slots through which weights are read */

struct pl_device {
    int index;
    int architecture; /* 10 * major + minor: 90 */
    int n_processors;
    int n_threads;       /* of the host, for work beside the device */
    size_t shared_bytes; /* dynamic shared memory that a block may ask for */
    char name[96];
    char device_class[32]; /* "cuda-sm90", "cuda-emulated" */
    const pl_host_services *host;
    cudaStream_t setup;     /* zeroes new memory; the host waits for it */
    pl__products *products; /* NULL until a weight needs it */
    pl__staging *staging;   /* NULL until weights are read */
};

struct pl_stream {
    pl_device *device;
    cudaStream_t handle;
};

struct pl_event {
    pl_device *device;
    cudaEvent_t handle;
};

struct pl_graph {
    pl_device *device;
    cudaGraphExec_t handle;
};

struct pl_buffer {
    pl_device *device;
    void *data; /* device memory, 256-byte aligned, zeroed when made */
    size_t bytes;
};

/* [n_out, n_in] row-major in the storage type of `compute`, rows `stride` elements apart (n_in rounded up to 16 bytes,
 * the rest zero). */
struct pl_weight {
    pl_device *device;
    size_t n_out, n_in, stride;
    pl_dtype compute;
    void *data;
    size_t bytes;
    pl__shape_product *product;
    pl_view master; /* absent: the weight is not attached */
};

/* Layer l, head g, page p: keys [PL_PAGE, D], then values [PL_PAGE, D], element type `dtype`. Layers outermost, then
 * pages, then heads: a page of all layers is L pieces of G * 2 * PL_PAGE * D elements. */
struct pl_kv {
    pl_device *device;
    size_t n_layers, n_kv_heads, head_width, n_pages;
    pl_dtype dtype;
    void *data;
    size_t bytes;
};

enum { PL__MAX_HEAD_WIDTH = 256 };

/* Elements from the start of pl_kv.data to the keys of (layer, page, head); the values stand PL_PAGE * D further. */
static inline size_t pl__kv_offset(const pl_kv *kv, size_t layer, size_t page, size_t head)
{
    return ((layer * kv->n_pages + page) * kv->n_kv_heads + head) * 2 * PL_PAGE * kv->head_width;
}

/* ---- Errors ---- */

/* CUDA's current device belongs to the host thread: every entry of the table that may be a thread's first one makes its
 * device current. backend.c does it for the ops, weights and pages. */
pl_status pl__enter(const pl_device *device);

/* Sets the program's error text: "<what> on <device>: <CUDA's name and text>; <what to do>". Clears CUDA's sticky
 * error. Out of memory is PL_E_MEMORY, everything else PL_E_DEVICE. */
pl_status pl__cuda_failed(const pl_device *device, cudaError_t error, const char *what);

/* For clean-up, where an earlier failure has been reported already: CUDA's last error must not be found by the next
 * launch. */
static inline void pl__forget(cudaError_t error)
{
    if (error != cudaSuccess) (void)cudaGetLastError();
}

#define PL_CUDA_TRY(device, call)                                                                                      \
    do {                                                                                                               \
        cudaError_t pl_cuda_error_ = (call);                                                                           \
        if (pl_cuda_error_ != cudaSuccess) return pl__cuda_failed((device), pl_cuda_error_, #call);                    \
    } while (0)
#define PL_CUDA_GOTO(status, label, device, call)                                                                      \
    do {                                                                                                               \
        cudaError_t pl_cuda_error_ = (call);                                                                           \
        if (pl_cuda_error_ != cudaSuccess) {                                                                           \
            (status) = pl__cuda_failed((device), pl_cuda_error_, #call);                                               \
            goto label;                                                                                                \
        }                                                                                                              \
    } while (0)
#define PL_CUDA_KEEP(status, device, call)                                                                             \
    do {                                                                                                               \
        cudaError_t pl_cuda_error_ = (call);                                                                           \
        if (pl_cuda_error_ != cudaSuccess && (status) == PL_OK)                                                        \
            (status) = pl__cuda_failed((device), pl_cuda_error_, #call);                                               \
    } while (0)
/* Stands after every launch; `op` names it. Never waits. */
#define PL_LAUNCHED(stream, op)                                                                                        \
    do {                                                                                                               \
        cudaError_t pl_cuda_error_ = cudaGetLastError();                                                               \
        if (pl_cuda_error_ != cudaSuccess) return pl__cuda_failed((stream)->device, pl_cuda_error_, op ": launch");    \
    } while (0)

/* ---- Memory (memory.c) ---- */
/* Device memory: 256-byte aligned, zeroed when the call returns. `what` names it in the error: "a weight". */
pl_status pl__memory_create(pl_device *device, void **out, size_t bytes, const char *what);
void pl__memory_free(const pl_device *device, void *memory); /* takes NULL */
/* The host's part of a handle, zeroed; freed with free(). */
pl_status pl__handle_create(const pl_device *device, void **out, size_t bytes);

/* ---- Arguments: checked by the program (host/device/arguments.h) before a launcher is called ---- */

/* The element (row, 0) of a view, as a device address; NULL for an absent view. */
static inline void *pl__at(pl_view v, size_t row)
{
    return v.buffer ? (char *)v.buffer->data + (v.offset + row * v.stride) * pl_dtype_bytes(v.dtype) : NULL;
}
/* counts[which] on the device */
static inline const int32_t *pl__count_at(pl_view counts, pl_count which)
{
    return (const int32_t *)pl__at(counts, 0) + which;
}

/* ---- What the table is made of; a function's file has its name ---- */

pl_status pl__weight_create(pl_device *device, pl_weight **out, size_t n_out, size_t n_in, pl_dtype compute);
pl_status pl__weight_set(pl_stream *stream, pl_weight *weight, size_t first_out, size_t n_out, const void *data,
                         pl_dtype from, pl_layout layout);
pl_status pl__weight_refresh(pl_stream *stream, pl_weight *weight, pl_view from);
void pl__weight_free(pl_weight *weight);
size_t pl__weight_bytes(size_t n_out, size_t n_in, pl_dtype compute);
pl_status pl__weight_attach(pl_device *device, pl_weight **out, pl_view master, pl_dtype compute);
size_t pl__weight_attached_bytes(size_t n_out, size_t n_in, pl_dtype compute);

pl_status pl__comm_id(pl_device *device, uint8_t id[PL_COMM_ID_BYTES]);
pl_status pl__comm_create(pl_device *device, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank, int size);
pl_status pl__comm_check(pl_comm *comm);
void pl__comm_abort(pl_comm *comm);
void pl__comm_free(pl_comm *comm);
pl_status pl__comm_exchange(pl_stream *stream, pl_comm *comm, pl_view from, pl_view to);
pl_status pl__comm_gather(pl_stream *stream, pl_comm *comm, pl_view part, pl_view all);
pl_status pl__comm_broadcast(pl_stream *stream, pl_comm *comm, pl_view x, int root);

pl_status pl__kv_create(pl_device *device, pl_kv **out, size_t n_layers, size_t n_kv_heads, size_t head_width,
                        size_t n_pages, pl_dtype dtype);
void pl__kv_free(pl_kv *kv);
size_t pl__kv_page_bytes(size_t n_layers, size_t n_kv_heads, size_t head_width, pl_dtype dtype);

pl_status pl__parameters_create(pl_device *device, pl_parameters **out, const pl_parameter *list, size_t n);
void pl__parameters_free(pl_parameters *parameters);

size_t pl__score_workspace_bytes(size_t n_rows, size_t n_vocabulary);
size_t pl__attention_backward_workspace_bytes(size_t n_rows, size_t H, size_t G, size_t D);
size_t pl__linear_backward_workspace_bytes(size_t n_rows, size_t n_out, size_t n_in, pl_dtype compute);
size_t pl__gradient_norm_workspace_bytes(const pl_parameters *parameters);
size_t pl__logistic_workspace_bytes(size_t n_problems, size_t n_rows, size_t width, size_t n_classes);
size_t pl__repulsion_workspace_bytes(size_t n_points);
size_t pl__map_step_workspace_bytes(size_t n_points);
size_t pl__pairwise_workspace_bytes(size_t n_sets, size_t n_rows, size_t n_columns, size_t width);
size_t pl__norm_backward_workspace_bytes(size_t n_rows, size_t C);
size_t pl__head_norm_backward_workspace_bytes(size_t n_rows, size_t n_heads, size_t D);
size_t pl__score_backward_workspace_bytes(size_t n_rows, size_t n_vocabulary, size_t C, pl_dtype compute);

/* y = x W^T (+ y with `accumulate`): [rows, n_out], every row of the capacity `rows`; no bias, no activation. x, y have
 * the weight's storage type, y may be float32 (what is added to must be). A row's bits do not depend on `rows` nor on
 * the other rows. */
pl_status pl__matmul(pl_stream *stream, const pl_weight *weight, pl_view x, pl_view y, size_t rows, bool accumulate);

/* Release what a device's weights and products share (weight.cu, product.c); take NULL. */
void pl__staging_free(pl__staging *staging);
void pl__products_free(pl__products *shared);

#define X(op) pl_status pl__##op(pl_stream *stream, const pl_##op##_args *args);
PL_OPS(X)
#undef X
/* `rotary` with sines times `sense` (rotary.cu): 1, or -1 for its backward op. */
pl_status pl__rotate(pl_stream *stream, const pl_rotary_args *args, float sense);

pl_status pl__buffer_create(pl_device *device, pl_buffer **out, size_t bytes);
void pl__buffer_free(pl_buffer *buffer);
size_t pl__buffer_bytes(const pl_buffer *buffer);
pl_status pl__host_memory_create(pl_device *device, void **out, size_t bytes);
void pl__host_memory_free(pl_device *device, void *memory);
pl_status pl__upload(pl_stream *stream, pl_view to, const void *from);
pl_status pl__download(pl_stream *stream, void *to, pl_view from);
pl_status pl__fill_zero(pl_stream *stream, pl_view view);

pl_status pl__stream_create(pl_device *device, pl_stream **out);
void pl__stream_free(pl_stream *stream);
pl_status pl__stream_wait(pl_stream *stream);
pl_status pl__event_create(pl_device *device, pl_event **out);
void pl__event_free(pl_event *event);
pl_status pl__event_record(pl_event *event, pl_stream *stream);
pl_status pl__event_wait(pl_event *event, pl_stream *stream);
pl_status pl__event_wait_host(pl_event *event);
pl_status pl__record_begin(pl_stream *stream);
pl_status pl__record_end(pl_stream *stream, pl_graph **out);
pl_status pl__replay(pl_stream *stream, pl_graph *graph);
void pl__graph_free(pl_graph *graph);

#ifdef __cplusplus
}
#endif
#endif
