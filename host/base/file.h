/* Files and paths: whole reads with a limit, maps, atomic replacement, digests. Every error names the path. */
#ifndef PLUMB_BASE_FILE_H
#define PLUMB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

enum { PL_PATH_MAX = 4096 };

/* Reads a whole file; more than limit_bytes is an error. The result has a NUL behind its last byte. */
pl_status pl_file_read(pl_bytes *out, const char *path, size_t limit_bytes);

/* A read-only map of a whole file; an empty file maps to size 0. Release with pl_file_unmap. */
typedef struct pl_map {
    const uint8_t *data;
    size_t size;
} pl_map;
pl_status pl_file_map(pl_map *out, const char *path);
void pl_file_unmap(pl_map *map); /* takes {0} */

/* Replaces `path` as a whole: a temporary file beside it, fsync, rename, fsync of the folder. */
pl_status pl_file_replace(const char *path, const void *data, size_t size);

/* The name of this process's temporary file beside `path`, to be renamed to it: "<path>.<pid>@<host>.tmp". */
pl_status pl_file_temporary(char out[PL_PATH_MAX], const char *path);
/* Removes the temporary files that killed processes left in a folder. */
pl_status pl_file_sweep(const char *folder);

/* fsync of a folder, so that a rename inside it survives a crash. */
pl_status pl_folder_sync(const char *folder);

/* Makes a folder and its parents; one that exists is fine. */
pl_status pl_folder_make(const char *path);

bool pl_file_exists(const char *path);
bool pl_folder_exists(const char *path);

/* A printf-made path; PL_E_INPUT when longer than the buffer. */
pl_status pl_path(char out[PL_PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The folder part of a path ("." when there is none). */
pl_status pl_path_folder(char out[PL_PATH_MAX], const char *path);

/* Digests as lower-case hexadecimal text. */
enum { PL_HASH_TEXT = 33, PL_SHA256_TEXT = 65 };
void pl_hash128(char out[PL_HASH_TEXT], const void *data, size_t size);  /* XXH3-128, for identities */
void pl_sha256(char out[PL_SHA256_TEXT], const void *data, size_t size); /* where a user expects it */
pl_status pl_sha256_file(char out[PL_SHA256_TEXT], const char *path);
pl_status pl_hash128_file(char out[PL_HASH_TEXT], const char *path);

#endif
