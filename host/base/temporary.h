/* Temporary files beside the file that they become, named for the process that writes them: no two processes, on
 * whatever hosts, ever write into one. Locks may be private to a node; these names are not. */
#ifndef PLUMB_BASE_TEMPORARY_H
#define PLUMB_BASE_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/path.h"

/* The name of this process's temporary file beside `path`: "<path>.<pid>-<started>-<place>@<host>.tmp" (process.h), cut
 * where a file system has no names that long. */
pl_status pl_file_temporary(char out[PL_PATH_MAX], const char *path);
/* Creates it, empty, open for reading and writing. What stands under this name was left by this process, or put there
 * by someone else: it is removed, and never followed or written into. */
pl_status pl_temporary_create(int *fd, char out[PL_PATH_MAX], const char *path);
/* Creates it with these bytes, on the disk. */
pl_status pl_temporary_write(char out[PL_PATH_MAX], const char *path, const void *data, size_t size);

/* Gives whole bytes the name `path` unless a file has it: of several processes one is first, and nobody reads half of
 * it. */
pl_status pl_temporary_put_first(const char *path, const void *data, size_t size);

/* Whether a file of this name (its last part) and path is one that a process left that is gone. One whose process
 * cannot be asked for (another host or container, or no name of a process) is taken for that when nobody has written
 * to it for a day. */
bool pl_temporary_is_left(const char *name, const char *path);
/* The same of a process that cannot be asked for, however old the file is. */
bool pl_temporary_is_unknown(const char *name);
/* Removes one, a file or a folder. */
void pl_temporary_remove(const char *path);
/* Removes those that killed processes left of one file. */
void pl_temporary_sweep(const char *path);
/* Removes the temporary files and folders that killed processes left in a folder. */
pl_status pl_file_sweep(const char *folder);

#endif
