/* Inside of a trainable model: trainable.c makes it, backward.c adds gradients, export.c writes it out. */
#ifndef PLUMB_MODEL_MASTERS_H
#define PLUMB_MODEL_MASTERS_H

#include "model/trainable.h"
#include "model/weights.h"

struct pl_trainable {
    pl_model *model; /* owned; its masters are the first of the four buffers */
    pl_buffer *gradient, *first, *second;
    size_t n;     /* elements of a buffer */
    bool touched; /* the other three were written */
    pl_parameter *list;
    size_t n_list;
    pl_parameters *parameters;
};

/* Where the elements of a stored tensor go, in any order. */
typedef struct pl__sink pl__sink;
struct pl__sink {
    pl_status (*put)(pl__sink *sink, size_t first, const float *values, size_t n);
};
/* All elements of a stored tensor, in its own layout, from one of the four buffers. */
pl_status pl__trainable_store(const pl_trainable *t, pl_view of, const pl__tensor_fact *fact, size_t at,
                              pl__sink *sink);
size_t pl__fact_elements(const pl_config *config, const pl__tensor_fact *fact);

#endif
