/* Opening a device by name, and the few calls that every user of a backend makes through one door. */
#ifndef PLUMB_DEVICE_DEVICE_H
#define PLUMB_DEVICE_DEVICE_H

#include "device/ops.h"

/* A backend and one of its opened devices. */
typedef struct pl_processor {
    const pl_backend *ops;
    pl_device *device;
    char choice[512]; /* what "auto" took and why, one line for people; "" when the device was named, or where there is
                         neither a plug-in nor an NVIDIA driver */
} pl_processor;

/* `name`: "cpu"; "cuda" or "cuda:<index>" (the plug-in libplumb_cuda.so: PL_E_UNSUPPORTED with the reason when it is
 * not there or the machine lacks what it needs); "auto": cuda where it opens, otherwise cpu; "cuda-emulated" in tests.
 * n_threads 0: as many as the process may use (OMP_NUM_THREADS, affinity, SLURM_CPUS_PER_TASK). */
pl_status pl_processor_open(pl_processor *out, const char *name, int n_threads);
void pl_processor_close(pl_processor *processor); /* takes {0} */
/* How many devices stand behind a name without an index: 0 where its plug-in is missing or sees none; 1 for "cpu" and
 * for a name with an index. "auto": those of "cuda", or 1. */
size_t pl_device_count(const char *name);

/* The calls that are checked (calls.c): PL_E_INTERNAL naming op and argument when a view is missing, has another type,
 * is too small or ends outside its buffer; the meaning of each is with its entry and arguments in ops.h. */
#define X(op) pl_status pl_op_##op(const pl_processor *processor, pl_stream *stream, const pl_##op##_args *args);
PL_OPS(X)
#undef X
pl_status pl_upload(const pl_processor *processor, pl_stream *stream, pl_view to, const void *from);
pl_status pl_download(const pl_processor *processor, pl_stream *stream, void *to, pl_view from);
pl_status pl_fill_zero(const pl_processor *processor, pl_stream *stream, pl_view view);
pl_status pl_weight_set(const pl_processor *processor, pl_stream *stream, pl_weight *weight, size_t first_out,
                        size_t n_out, const void *data, pl_dtype from, pl_layout layout);
pl_status pl_weight_refresh(const pl_processor *processor, pl_stream *stream, pl_weight *weight, pl_view from);
/* Freed with ops->weight_free and ops->parameters_free. */
pl_status pl_weight_attach(const pl_processor *processor, pl_weight **out, pl_view master, pl_dtype compute);
pl_status pl_parameters_create(const pl_processor *processor, pl_parameters **out, const pl_parameter *list, size_t n);

/* Ranks; exchange and gather move whole rows without gaps between them (stride = columns). */
pl_status pl_comm_create(const pl_processor *processor, pl_comm **out, const uint8_t id[PL_COMM_ID_BYTES], int rank,
                         int size);
pl_status pl_comm_id(const pl_processor *processor, uint8_t id[PL_COMM_ID_BYTES]);
pl_status pl_comm_exchange(const pl_processor *processor, pl_stream *stream, pl_comm *comm, pl_view from, pl_view to);
pl_status pl_comm_gather(const pl_processor *processor, pl_stream *stream, pl_comm *comm, pl_view part, pl_view all);
pl_status pl_comm_broadcast(const pl_processor *processor, pl_stream *stream, pl_comm *comm, pl_view x, int root);

/* The type in which a backend keeps activations beside weights of a compute type. */
static inline pl_dtype pl_activation_type(const pl_backend *ops, pl_dtype compute)
{
    return ops->halves ? pl_dtype_storage(compute) : PL_F32;
}

/* A new buffer seen as [rows, columns]; freed through view.buffer with ops->buffer_free. */
pl_status pl_view_create(const pl_processor *processor, pl_view *out, size_t rows, size_t columns, pl_dtype dtype);
void pl_view_free(const pl_processor *processor, pl_view *view); /* takes {0} */
pl_view pl_view_columns(pl_view v, size_t first, size_t n);
pl_view pl_view_rows(pl_view v, size_t first, size_t n);

/* The CPU backend: always linked. */
extern const pl_backend pl_backend_cpu;

#endif
