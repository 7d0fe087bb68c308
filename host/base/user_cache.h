/* The user's cache folder: $XDG_CACHE_HOME/plumb, or ~/.cache/plumb. What lies there can be made again, and may be
 * gone, broken or not writable at any time. */
#ifndef PLUMB_BASE_USER_CACHE_H
#define PLUMB_BASE_USER_CACHE_H

#include "base/path.h"
#include "base/status.h"

/* The path of a folder of it; "" when the environment names no place for one. */
pl_status pl_user_cache(char out[PL_PATH_MAX], const char *kind);

#endif
