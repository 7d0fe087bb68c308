/* A file of JSON lines that appears when it is whole: written beside its place, then renamed. */
#ifndef PLUMB_REPORT_LINES_H
#define PLUMB_REPORT_LINES_H

#include <stdio.h>

#include "base/file.h"
#include "base/json.h"

typedef struct pl__lines {
    FILE *file;
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
} pl__lines;

pl_status pl__lines_open(pl__lines *out, const char *path);
pl_status pl__lines_put(pl__lines *lines, const json_t *value);
pl_status pl__lines_finish(pl__lines *lines);
void pl__lines_discard(pl__lines *lines); /* after an error; takes {0} and a finished one */

#endif
