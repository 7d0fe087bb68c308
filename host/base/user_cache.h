/* The user's cache folder: $XDG_CACHE_HOME/plumb, or ~/.cache/plumb. What lies there can be made again, and may be
 * gone, broken or not writable at any time. Nothing is removed but what killed processes left: what was made of files
 * that are gone, or by other versions of plumb, stays until the user removes the folder.
 *
 * Who can write a file of it decides what this process takes for the digest or the vocabulary of a model: files and
 * folders here are trusted when this user owns them and nobody else can write them. */
#ifndef PLUMB_BASE_USER_CACHE_H
#define PLUMB_BASE_USER_CACHE_H

#include <stdbool.h>

#include "base/file.h"
#include "base/path.h"
#include "base/status.h"

/* The path of a folder of it; "" when the environment names no place for one. */
pl_status pl_user_cache(char out[PL_PATH_MAX], const char *kind);

/* Maps a file of such a folder; false, and *out {0}, when there is none, or it or its folder is not to be trusted. */
bool pl_user_cache_map(pl_map *out, const char *path);

/* Begins a file of such a folder, which is made where it is not there, and closed to others where this user owns it:
 * false when that fails. The file is this user's alone, open for writing under the name `part`. */
bool pl_user_cache_create(int *fd, char part[PL_PATH_MAX], const char *path);
/* Ends it: closes it, and gives it its name when it is `good`, or else removes it. */
void pl_user_cache_finish(int fd, const char *part, const char *path, bool good);

#endif
