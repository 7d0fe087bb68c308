/* Host memory of a scoring call's results, shaped by its plan. */
#ifndef PLUMB_ENGINE_RESULTS_H
#define PLUMB_ENGINE_RESULTS_H

#include "engine/paths.h"

/* Arrays zeroed, CSR and ranges filled; freed with pl_results_free. */
pl_status pl__results_create(pl_results **out, const pl__paths *plan, const pl_config *config);
/* Numbers of a token's states at the first n places of the capture's layers. */
size_t pl__states_width(const pl_capture *capture, const pl_config *config, size_t n);

#endif
