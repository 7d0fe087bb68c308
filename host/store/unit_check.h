/* Whether a finished unit's file is still what was written. Two checks:
 *
 * - whole: it opens, is complete, of this format version, and of this unit. Cheap (a few small reads): done for every
 *   unit when a run is started or resumed. What fails is moved aside, and so computed again.
 * - intact: its bytes have the digest that its sidecar holds. Reads the whole file: done on request, and before another
 *   run adopts it. */
#ifndef PLUMB_STORE_UNIT_CHECK_H
#define PLUMB_STORE_UNIT_CHECK_H

#include "base/digest.h"
#include "store/run_folder.h"

/* PL_E_INPUT says what is wrong with the file. */
pl_status pl_unit_check_whole(const char *path, const char *unit_id);

typedef enum pl_unit_state { PL_UNIT_INTACT, PL_UNIT_DAMAGED, PL_UNIT_UNKNOWN } pl_unit_state;
/* `reason` says what DAMAGED means. UNKNOWN: no sidecar, or none with a digest. */
pl_status pl_unit_check_intact(pl_unit_state *out, char reason[PL_PATH_MAX], const char *units_folder,
                               const char *unit_id);

/* The key of the digest in a sidecar, and the digest of a file as text. A file just written is in the page cache: about
 * 0.2 s a gigabyte beside the seconds that writing and syncing it took. */
#define PL_UNIT_DIGEST_KEY "file_xxh3_128"
pl_status pl_unit_digest(char out[PL_HASH_TEXT], const char *path);

/* Moves the units of a run aside whose files are not whole: units/<id>.h5.broken-<n>, with its reason in the log. One
 * without a sidecar gets one (sidecar.h). Units that another process works on are left alone. */
pl_status pl__units_heal(pl_run_folder *run);
/* Any file of the run: moved aside, counted, logged. */
pl_status pl__run_folder_set_aside(pl_run_folder *run, const char *path, const char *reason);

#endif
