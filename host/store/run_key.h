/* Who computes a model's units in a run: the first one's numerics key, kept in the run folder. Units of another key are
 * never put beside them. */
#ifndef PLUMB_STORE_RUN_KEY_H
#define PLUMB_STORE_RUN_KEY_H

#include "store/run_folder.h"

enum { PL_RUN_KEY_MAX = 256 };

/* `model`: part of a file's name, for example weights digest and compute type. `key` becomes the run's key of that
 * model when it has none; `kept` is the key that it has then, whoever was first. */
pl_status pl_run_key_agree(char kept[PL_RUN_KEY_MAX], const pl_run_folder *run, const char *model, const char *key);
/* The run's key of a model; "" when it has none yet. */
pl_status pl_run_key_get(char kept[PL_RUN_KEY_MAX], const pl_run_folder *run, const char *model);
/* The file that holds it. */
pl_status pl_run_key_path(char path[PL_PATH_MAX], const pl_run_folder *run, const char *model);

/* The key of a finished unit file; "" when the file names none. */
pl_status pl_unit_key(char key[PL_RUN_KEY_MAX], const char *unit_path);

#endif
