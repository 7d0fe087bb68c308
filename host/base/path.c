#include "base/path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

pl_status pl_path_check_name(const char *what, const char *name)
{
    size_t span = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+=,@");
    if (span == 0 || span > 200 || name[span] || name[0] == '.')
        return pl_fail(PL_E_INPUT, "%s '%.200s': expected 1 to 200 letters, digits or any of _ - . + = , @", what,
                       name);
    return PL_OK;
}

pl_status pl_path_quote(char out[PL_PATH_MAX], const char *path)
{
    size_t n = 0;
    out[n++] = '\'';
    for (const char *c = path; *c; c++) {
        const char *as = *c == '\'' ? "'\\''" : (const char[]){*c, 0};
        if (n + strlen(as) + 2 > PL_PATH_MAX) return pl_fail(PL_E_INPUT, "%.80s...: path too long to quote", path);
        memcpy(out + n, as, strlen(as));
        n += strlen(as);
    }
    memcpy(out + n, "'", 2);
    return PL_OK;
}

pl_status pl_path_folder(char out[PL_PATH_MAX], const char *path)
{
    PL_TRY(pl_path(out, "%s", path));
    char *slash = strrchr(out, '/');
    if (!slash) return pl_path(out, ".");
    slash[slash == out] = 0;
    return PL_OK;
}

pl_status pl_path_real(char out[PL_PATH_MAX], const char *path)
{
    char *found = realpath(path, NULL);
    if (!found && errno == ENOMEM)
        return pl_fail(PL_E_MEMORY, "%.200s: out of memory while its path is resolved", path);
    pl_status status = pl_path(out, "%s", found ? found : path);
    free(found);
    return status;
}
