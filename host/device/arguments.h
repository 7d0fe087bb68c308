/* What the arguments of a call must be, once for every backend. Shared inside the folder.
 *
 * Shapes, types and that views end inside their buffers: what depends on the arguments alone. What is in the device's
 * memory (counts, ids, pages) is not looked at, because that would make the host wait for the device; the CPU backend
 * looks at it itself. A check costs no pass over numbers, and makes a wrong argument an error with a name instead of a
 * write outside a buffer: PL_E_INTERNAL, because the program's own code is wrong when one fails. */
#ifndef PLUMB_DEVICE_ARGUMENTS_H
#define PLUMB_DEVICE_ARGUMENTS_H

#include <stdbool.h>

#include "device/device.h"

/* A call under check: the backend that has the buffers, and the op's name for the error. */
typedef struct pl__call {
    const pl_backend *ops;
    const char *op;
} pl__call;

/* pl__check_<op>: forward_arguments.c and training_arguments.c. */
#define X(name) pl_status pl__check_##name(const pl__call *c, const pl_##name##_args *a);
PL_OPS(X)
#undef X

/* The view is there, has at least [rows, columns] of the type, and ends inside its buffer; `may`: or it is absent. */
pl_status pl__need(const pl__call *c, const char *argument, pl_view v, size_t rows, size_t columns, pl_dtype dtype);
pl_status pl__may(const pl__call *c, const char *argument, pl_view v, size_t rows, size_t columns, pl_dtype dtype);
/* Of its own shape and type. */
pl_status pl__need_whole(const pl__call *c, const char *argument, pl_view v);
bool pl__is_half(pl_dtype dtype);
/* The type that a view of activations must have: a backend may keep them in float32 alone. */
pl_dtype pl__activation_type_of(const pl__call *c, pl_view v);
/* The type of activations beside weights of a compute type. */
pl_dtype pl__activations_of(const pl__call *c, pl_dtype compute);
size_t pl__least_rows(size_t a, size_t b);

pl_status pl__need_counts(const pl__call *c, pl_view counts, pl_count which);
pl_status pl__need_batch(const pl__call *c, const pl_batch *batch, pl_count which);
/* A mask's key and the examples of up to n_rows rows. */
pl_status pl__need_mask(const pl__call *c, const pl_dropout *d, size_t n_rows);
/* A channel of attention's mask is head << 20 | key. */
pl_status pl__need_attention_mask(const pl__call *c, const pl_dropout *d, size_t n_rows, size_t n_heads);
pl_status pl__need_workspace(const pl__call *c, pl_view workspace, size_t bytes);

#endif
