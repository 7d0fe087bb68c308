/* Files of the report, written as they are made and seen when they are whole: beside their place first, then renamed.
 * JSON lines, or one JSON object member by member; either way no more than a part is in memory. */
#ifndef PLUMB_REPORT_REPORT_FILE_H
#define PLUMB_REPORT_REPORT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/file.h"
#include "base/json_build.h"

typedef struct pl__report_file {
    FILE *stream;
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
    size_t depth; /* of the object that is open, 0: none */
    bool empty;   /* it has no member yet */
} pl__report_file;

pl_status pl__report_file_open(pl__report_file *out, const char *path);
pl_status pl__report_file_finish(pl__report_file *file);
void pl__report_file_discard(pl__report_file *file); /* after an error; takes {0} and a finished one */

/* A value on a line of its own. */
pl_status pl__report_file_line(pl__report_file *file, const json_t *value);

/* An object, the bytes as pl_json_write would give them for the whole. key: NULL for the outermost, which is closed
 * last. */
pl_status pl__report_object_open(pl__report_file *file, const char *key);
pl_status pl__report_object_close(pl__report_file *file);
/* The members of what the builder made, which is empty after. That no key comes twice is the caller's. */
pl_status pl__report_object_put(pl__report_file *file, pl_json_builder *b);

#endif
