/* The user's cache folder: $XDG_CACHE_HOME/plumb, or ~/.cache/plumb. What lies there can be made again, and may be
 * gone, broken or not writable at any time. A folder of it is kept below a size: what was not used for longest, such as
 * what was made of files that are gone or by other versions of plumb, makes room for what is new.
 *
 * Who can write a file of it decides what this process takes for the digest or the vocabulary of a model: files and
 * folders here are trusted when this user owns them and nobody else can write them. */
#ifndef PLUMB_BASE_USER_CACHE_H
#define PLUMB_BASE_USER_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "base/path.h"
#include "base/status.h"

/* The path of a folder of it; "" when the environment names no place for one. */
pl_status pl_user_cache(char out[PL_PATH_MAX], const char *kind);

/* What a folder of it may take on the disk. */
enum { PL_USER_CACHE_BYTES_MAX = 512 << 20 };

/* Maps a file of such a folder, and marks it as used (to the hour: its time of modification); false, and *out {0}, when
 * there is none, or it or its folder is not to be trusted. */
bool pl_user_cache_map(pl_map *out, const char *path);

/* Begins a file of such a folder, which is made where it is not there, and closed to others where this user owns it:
 * false when that fails. The file is this user's alone, open for writing under the name `part`. */
bool pl_user_cache_create(int *fd, char part[PL_PATH_MAX], const char *path);
/* Ends it: closes it, and gives it its name when it is `good`, or else removes it. Others make room for it. */
void pl_user_cache_finish(int fd, const char *part, const char *path, bool good);

/* Removes this user's whole files from a folder, those that were not used for longest first, until bytes_max are left
 * on the disk; the one named `kept` stays (NULL: none). Processes that map a removed file keep what they have, and
 * several may do this at once. Best effort. */
void pl_user_cache_prune(const char *folder, const char *kept, uint64_t bytes_max);

#endif
