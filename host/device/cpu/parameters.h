/* The parameters of a model, cut into pieces of work for the ops that go over all of them. */
#ifndef PLUMB_DEVICE_CPU_PARAMETERS_H
#define PLUMB_DEVICE_CPU_PARAMETERS_H

#include "device/cpu/cpu.h"

/* Elements first .. first + n of one parameter: its rows stand side by side. */
typedef struct pl__piece {
    size_t parameter, first, n;
} pl__piece;

struct pl_parameters {
    size_t n, n_chunks, n_pieces;
    pl_parameter *list;
    pl__piece *chunks; /* PL_OPTIMIZER_CHUNK elements, the last of each parameter fewer */
    pl__piece *pieces; /* nearly as many; whole groups of PL__RENEW_ROWS rows of what has a weight attached */
};

#endif
