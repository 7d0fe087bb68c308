#include "base/user_cache.h"

#include <stdbool.h>
#include <stdlib.h>

pl_status pl_user_cache(char out[PL_PATH_MAX], const char *kind)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && cache[0] == '/';
    out[0] = 0;
    if (!own && (!home || !*home)) return PL_OK;
    return pl_path(out, "%s%s/plumb/%s", own ? cache : home, own ? "" : "/.cache", kind);
}
