/* Training state on disk: one file, whole or not at all, checksummed.
 *
 *   "PLTRAIN1", 8 bytes of length (little-endian), JSON of that length, arrays of float32, 16 bytes of checksum */
#ifndef PLUMB_TRAIN_STATE_H
#define PLUMB_TRAIN_STATE_H

#include "base/json.h"
#include "train/train.h"

/* Arrays [1, n] f32 on the device; `facts` says what the file is. */
pl_status pl__state_write(const char *path, const pl_processor *processor, const json_t *facts, const pl_view *arrays,
                          size_t n_arrays);
/* Facts first (a new reference), so that another run's file is refused before anything is loaded; found = false: there
 * is no such file. PL_E_INPUT with one line for a file that is damaged or cut. */
pl_status pl__state_facts(json_t **facts, bool *found, const char *path);
pl_status pl__state_read(const char *path, const pl_processor *processor, const pl_view *arrays, size_t n_arrays);

#endif
