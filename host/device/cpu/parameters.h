/* The parameters of a model, cut into chunks for the ops that go over all of them. */
#ifndef PLUMB_DEVICE_CPU_PARAMETERS_H
#define PLUMB_DEVICE_CPU_PARAMETERS_H

#include "device/cpu/cpu.h"

/* Elements first .. first + n of one parameter: its rows stand side by side. */
typedef struct pl__chunk {
    size_t parameter, first, n;
} pl__chunk;

struct pl_parameters {
    size_t n, n_chunks;
    pl_parameter *list;
    pl__chunk *chunks; /* PL_OPTIMIZER_CHUNK elements, the last of each parameter fewer */
};

#endif
