#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/visible.h"

static _Thread_local char error_text[1024];

static const struct {
    int exit_code;
    const char *text;
} table[] = {
#define X(name, exit_code, text) {exit_code, text},
    PL_STATUS_TABLE(X)
#undef X
};

pl_status pl_fail(pl_status code, const char *format, ...)
{
    /* Formatted aside first: an argument may be the old message itself. */
    char text[sizeof error_text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' ';
    pl_visible_text(error_text, sizeof error_text, text);
    return code;
}

const char *pl_error_text(void)
{
    return error_text;
}

int pl_status_exit_code(pl_status code)
{
    return (size_t)code < sizeof table / sizeof *table ? table[code].exit_code : 1;
}

const char *pl_status_text(pl_status code)
{
    return (size_t)code < sizeof table / sizeof *table ? table[code].text : "unknown status";
}
