/* Claims: which process works on a unit. Two ways to hold one, both a file beside the unit:
 *
 * - units/<id>.lock, held with flock for the life of the claim: gone with its process, on every host that shares the
 *   file system;
 * - units/<id>.owner, where the file system has no flock: made with O_EXCL and naming host and process, taken over when
 *   that process of this host is dead (a dead owner on another host has to be removed by hand). */
#ifndef PLUMB_STORE_CLAIM_H
#define PLUMB_STORE_CLAIM_H

#include <stdbool.h>

#include "base/status.h"

/* `stem` is units/<id> without an ending. *supported is false when the file system has no flock. On *taken the caller
 * owns *fd and gives it back to pl__claim_release. */
pl_status pl__claim_lock(const char *stem, int *fd, bool *taken, bool *supported);
pl_status pl__claim_owner(const char *stem, int *fd, bool *taken);
/* Removes the file that fd holds, then closes fd. */
void pl__claim_release(const char *stem, int fd);

#endif
