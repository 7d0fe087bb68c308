#include "base/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

pl_status pl_path(char out[PL_PATH_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, PL_PATH_MAX, format, args);
    va_end(args);
    return n >= 0 && n < PL_PATH_MAX ? PL_OK
                                     : pl_fail(PL_E_INPUT, "%.80s...: path longer than %d bytes", out, PL_PATH_MAX);
}

pl_status pl_path_folder(char out[PL_PATH_MAX], const char *path)
{
    PL_TRY(pl_path(out, "%s", path));
    char *slash = strrchr(out, '/');
    if (!slash) return pl_path(out, ".");
    slash[slash == out] = 0;
    return PL_OK;
}
