/* Files and folders: whole reads with a limit, maps, atomic replacement. Every error names the path. */
#ifndef PLUMB_BASE_FILE_H
#define PLUMB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/path.h"
#include "base/status.h"

/* Reads a whole file; more than limit_bytes is an error. The result has a NUL behind its last byte. A Git LFS pointer,
 * here and in a map, is PL_E_INPUT: it stands for a file that was not fetched. */
pl_status pl_file_read(pl_bytes *out, const char *path, size_t limit_bytes);

/* A read-only map of a whole file; an empty file maps to size 0. Release with pl_file_unmap. */
typedef struct pl_map {
    const uint8_t *data;
    size_t size;
} pl_map;
pl_status pl_file_map(pl_map *out, const char *path);
void pl_file_unmap(pl_map *map); /* takes {0} */
/* The first `size` bytes of the map leave this process's memory; they come back from the file where they are read. */
void pl_file_map_drop(const pl_map *map, size_t size);

/* Replaces `path` as a whole: a temporary file beside it, fsync, rename, fsync of the folder. */
pl_status pl_file_replace(const char *path, const void *data, size_t size);

/* fsync of a folder, so that a rename inside it survives a crash. */
pl_status pl_folder_sync(const char *folder);

/* Makes a folder and its parents; one that exists is fine. */
pl_status pl_folder_make(const char *path);

bool pl_file_exists(const char *path);
/* Whether a file is there. A link whose target is missing is PL_E_INPUT: the file was meant to be there. */
pl_status pl_file_find(bool *exists, const char *path);
bool pl_folder_exists(const char *path);

#endif
