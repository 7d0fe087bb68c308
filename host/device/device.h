/* Opening a device by name, and the few calls that every user of a backend makes through one door. */
#ifndef PLUMB_DEVICE_DEVICE_H
#define PLUMB_DEVICE_DEVICE_H

#include "device/ops.h"

/* A backend and one of its opened devices. */
typedef struct pl_processor {
    const pl_backend *ops;
    pl_device *device;
    char choice[512]; /* what "auto" took and why, one line for people; "" when the device was named */
} pl_processor;

/* `name`: "cpu"; "cuda" or "cuda:<index>" (the plug-in libplumb_cuda.so: PL_E_UNSUPPORTED with the reason when it is
 * not there or the machine lacks what it needs); "auto": cuda where it opens, otherwise cpu; "cuda-emulated" in tests.
 * n_threads 0: as many as the process may use (OMP_NUM_THREADS, affinity, SLURM_CPUS_PER_TASK). */
pl_status pl_processor_open(pl_processor *out, const char *name, int n_threads);
void pl_processor_close(pl_processor *processor); /* takes {0} */

/* PL_E_UNSUPPORTED naming op and backend when entry is NULL. */
#define PL_REQUIRE(processor, op)                                                                                      \
    ((processor)->ops->op ? PL_OK                                                                                      \
                          : pl_fail(PL_E_UNSUPPORTED, "%s: op '%s' is not supported", (processor)->ops->name, #op))

/* A new buffer seen as [rows, columns]; freed through view.buffer with ops->buffer_free. */
pl_status pl_view_create(const pl_processor *processor, pl_view *out, size_t rows, size_t columns, pl_dtype dtype);
void pl_view_free(const pl_processor *processor, pl_view *view); /* takes {0} */
pl_view pl_view_columns(pl_view v, size_t first, size_t n);
pl_view pl_view_rows(pl_view v, size_t first, size_t n);

/* The CPU backend: always linked. */
extern const pl_backend pl_backend_cpu;

#endif
