/* Claims: which process works on a unit. Two ways to hold one, both a file beside the unit:
 *
 * - units/<id>.lock, held with flock for the life of the claim: gone with its process. On some file systems every node
 *   has locks of its own (BeeGFS, Lustre with localflock, NFS with local_lock): there two nodes may both hold one. A
 *   claim saves work, it guards no bytes: what is written under it is written under names of its process alone.
 * - units/<id>.owner, where the file system has no flock: made with O_EXCL and naming its process (process.h), taken
 *   over when that process is known to be dead (one that cannot be asked for has to be removed by hand). */
#ifndef PLUMB_STORE_CLAIM_H
#define PLUMB_STORE_CLAIM_H

#include <stdbool.h>

#include "store/run_folder.h"

/* `stem` is units/<id> without an ending. *supported is false when the file system has no flock. On *taken the caller
 * owns *fd and gives it back to pl__claim_release. */
pl_status pl__claim_lock(const char *stem, int *fd, bool *taken, bool *supported);
pl_status pl__claim_owner(const char *stem, int *fd, bool *taken);
pl_status pl__claim_look(pl_unit_owner *out, bool *there, const char *stem);
/* Removes a dead owner's file; with `finished` (the unit is there) also one of a process that cannot be asked for. */
void pl__claim_sweep(const char *stem, bool finished);
/* Removes the file that fd holds, then closes fd. */
void pl__claim_release(const char *stem, int fd);

#endif
