/* Promise 1 tried on the device and model at hand, before a run: random token paths scored three ways must give the
 * same bits. A library's product may choose another sum for another number of rows; then a study of stability would
 * measure its own batching. */
#ifndef PLUMB_ENGINE_CERTIFICATE_H
#define PLUMB_ENGINE_CERTIFICATE_H

#include "engine/engine.h"

typedef struct pl_certificate {
    size_t n_paths, n_tokens; /* of all paths, each by itself */
    double seconds;
} pl_certificate;

/* Everything in one batch, shared; small batches in a random order; every path by itself. Compared: log-probabilities
 * and states of a few layers (last, mean). PL_E_DEVICE names what differed and what to do. */
pl_status pl_certify(pl_certificate *out, pl_model *model);

#endif
