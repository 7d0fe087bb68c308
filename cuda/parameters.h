/* The parameters of a model as kernels see them: one table of tensors and one of chunks, in device memory. */
#ifndef PLUMB_CUDA_PARAMETERS_H
#define PLUMB_CUDA_PARAMETERS_H

#include "cuda.h"

/* One parameter: four arrays whose elements stand side by side, and the attached weight's rows. */
typedef struct pl__tensor {
    float *master, *gradient, *first, *second;
    void *copy;                  /* rows of the weight, copy_stride elements apart; NULL: the weight reads the master */
    size_t columns, copy_stride; /* elements of a row of the master, and of the copy */
    pl_dtype copy_compute;       /* float32, tf32, bfloat16 or float16 */
    bool decay;
    bool packed; /* four elements at a time: arrays aligned for it, and no row of a copy ends within four */
} pl__tensor;

/* Elements first .. first + n of one tensor. */
typedef struct pl__chunk {
    size_t first;
    uint32_t tensor, n;
} pl__chunk;

struct pl_parameters {
    pl_device *device;
    size_t n_chunks;
    pl__tensor *tensors; /* device memory */
    pl__chunk *chunks;   /* device memory; PL_OPTIMIZER_CHUNK elements, the last of each tensor fewer */
};

#endif
