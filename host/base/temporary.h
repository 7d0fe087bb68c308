/* Temporary files beside the file that they become, named for the process that writes them. */
#ifndef PLUMB_BASE_TEMPORARY_H
#define PLUMB_BASE_TEMPORARY_H

#include "base/path.h"

/* The name of this process's temporary file beside `path`, to be renamed to it: "<path>.<pid>@<host>.tmp". */
pl_status pl_file_temporary(char out[PL_PATH_MAX], const char *path);
/* Removes the temporary files that killed processes left in a folder. */
pl_status pl_file_sweep(const char *folder);

#endif
