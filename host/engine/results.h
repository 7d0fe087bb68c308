/* Host memory of a scoring call's results, shaped by its plan. */
#ifndef PLUMB_ENGINE_RESULTS_H
#define PLUMB_ENGINE_RESULTS_H

#include "engine/paths.h"

/* Arrays zeroed, CSR and ranges filled; freed with pl_results_free. */
pl_status pl__results_create(pl_results **out, const pl__paths *plan, size_t C, size_t V);

#endif
