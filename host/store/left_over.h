/* What killed processes leave in a run folder: temporary files, locks, owners. */
#ifndef PLUMB_STORE_LEFT_OVER_H
#define PLUMB_STORE_LEFT_OVER_H

#include "store/run_folder.h"

/* Removes what no living process can still want. */
pl_status pl__left_overs_remove(const pl_run_folder *run);

#endif
