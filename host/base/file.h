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

/* Which file, and its state: as long as the stamp is the same, so are the bytes. (Whoever writes can set the time of
 * modification back, but not the time of change; a file changed within the clock's last ticks may yet change unseen.)
 */
typedef struct pl_file_stamp {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* since 1970 */
} pl_file_stamp;
/* Of the file that the path leads to now; false: there is none. */
bool pl_file_stamp_get(pl_file_stamp *out, const char *path);
bool pl_file_stamp_equal(const pl_file_stamp *a, const pl_file_stamp *b);

/* A read-only map of a whole file; an empty file maps to size 0. Release with pl_file_unmap. */
typedef struct pl_map {
    const uint8_t *data;
    size_t size;
    pl_file_stamp stamp; /* when it was mapped */
} pl_map;
pl_status pl_file_map(pl_map *out, const char *path);
/* For what is read from end to end: its pages are there at once, instead of some at a time. */
pl_status pl_file_map_whole(pl_map *out, const char *path);
void pl_file_unmap(pl_map *map); /* takes {0} */
/* The whole pages of bytes from..to leave this process's memory, and the one in which `from` lies; they come back from
 * the file where they are read. */
void pl_file_map_drop(const pl_map *map, size_t from, size_t to);

/* Writes all of it, however many calls that takes; false: errno says why not. */
bool pl_write_all(int fd, const void *data, size_t size);

/* Replaces `path` as a whole: a temporary file beside it, fsync, rename, fsync of the folder. */
pl_status pl_file_replace(const char *path, const void *data, size_t size);
/* The end of that: renames a temporary file that is on the disk, and syncs the folder. On failure it is removed. */
pl_status pl_file_rename(const char *part, const char *path);

/* Opens a file of a shared folder that several processes write to: `flags` as open(2) has them. A link is not followed
 * and a pipe is refused: whoever may write into the folder may have put it there. *fd is -1 and *error the errno when
 * there is none of that name (without O_CREAT), or already one (with O_EXCL). */
pl_status pl_file_open_shared(int *fd, int *error, const char *path, int flags);

/* fsync of a folder, so that a rename inside it survives a crash. */
pl_status pl_folder_sync(const char *folder);

/* Makes a folder and its parents; one that exists is fine. */
pl_status pl_folder_make(const char *path);
/* Removes a folder and all that is in it, or all but one of its members: `keep`, and the folder then stays. Links are
 * removed, not followed. One that is not there is removed already. */
pl_status pl_folder_remove(const char *path, const char *keep);

bool pl_file_exists(const char *path);
/* Whether a file is there. A link whose target is missing is PL_E_INPUT: the file was meant to be there. */
pl_status pl_file_find(bool *exists, const char *path);
bool pl_folder_exists(const char *path);

#endif
