#include "base/user_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/temporary.h"

/* A use is marked when the last mark is older. */
enum { MARK_S = 3600 };

pl_status pl_user_cache(char out[PL_PATH_MAX], const char *kind)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && cache[0] == '/';
    out[0] = 0;
    if (!own && (!home || !*home)) return PL_OK;
    return pl_path(out, "%s%s/plumb/%s", own ? cache : home, own ? "" : "/.cache", kind);
}

static bool is_trusted(const struct stat *st)
{
    return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* Where nothing can be written the mark stays as it was. */
static void mark_used(const char *path, const struct stat *st)
{
    if (time(NULL) - st->st_mtime > MARK_S) (void)utimensat(AT_FDCWD, path, NULL, 0);
}

/* What was opened is what was looked at: nobody but this user can put another file into the folder in between, and a
 * folder that was itself exchanged leads to another file. */
bool pl_user_cache_map(pl_map *out, const char *path)
{
    char folder[PL_PATH_MAX];
    struct stat st;
    *out = (pl_map){0};
    if (pl_path_folder(folder, path) != PL_OK) return false;
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || !is_trusted(&st)) return false;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || !is_trusted(&st)) return false;
    if (pl_file_map_whole(out, path) != PL_OK) return false;
    if (out->stamp.device == st.st_dev && out->stamp.inode == st.st_ino) {
        mark_used(path, &st);
        return true;
    }
    pl_file_unmap(out);
    return false;
}

/* Folders that were made before under a wide umask are closed here; others' are left alone. */
static bool make_folder(const char *folder)
{
    struct stat st;
    char parent[PL_PATH_MAX];
    if (pl_path_folder(parent, folder) != PL_OK || pl_folder_make(parent) != PL_OK) return false;
    (void)mkdir(folder, 0700);
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) return false;
    return is_trusted(&st) || chmod(folder, 0700) == 0;
}

bool pl_user_cache_create(int *fd, char part[PL_PATH_MAX], const char *path)
{
    char folder[PL_PATH_MAX];
    if (pl_path_folder(folder, path) != PL_OK || !make_folder(folder)) return false;
    if (pl_temporary_create(fd, part, path) != PL_OK) return false;
    if (fchmod(*fd, 0600) == 0) return true;
    pl_user_cache_finish(*fd, part, path, false);
    return false;
}

void pl_user_cache_finish(int fd, const char *part, const char *path, bool good)
{
    char folder[PL_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (close(fd) != 0) good = false;
    if (!good || rename(part, path) != 0) unlink(part);
    if (pl_path_folder(folder, path) != PL_OK) return;
    (void)pl_file_sweep(folder);
    pl_user_cache_prune(folder, slash ? slash + 1 : path, PL_USER_CACHE_BYTES_MAX);
}

/* ---- pruning ---- */

struct entry {
    struct timespec used;
    uint64_t bytes; /* on the disk */
    size_t name;    /* in names */
};

struct listing {
    struct entry *entries;
    size_t n, capacity;
    uint64_t bytes; /* of all */
    pl_bytes names;
};

/* A file of its own name: what is being written has another ending, which the sweep knows. */
static bool is_whole(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '.' && (n < 4 || strcmp(name + n - 4, ".tmp") != 0);
}

static bool find_entry(struct stat *st, int folder, const char *name)
{
    return fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid();
}

static pl_status list(struct listing *out, DIR *dir)
{
    for (const struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (!is_whole(e->d_name) || !find_entry(&st, dirfd(dir), e->d_name)) continue;
        uint64_t size = (uint64_t)st.st_size, blocks = (uint64_t)st.st_blocks * 512;
        PL_TRY(pl_grow(&out->entries, &out->capacity, out->n + 1));
        out->entries[out->n++] = (struct entry){st.st_mtim, size > blocks ? size : blocks, out->names.size};
        out->bytes += size > blocks ? size : blocks;
        PL_TRY(pl_bytes_append(&out->names, e->d_name, strlen(e->d_name) + 1));
    }
    return PL_OK;
}

static int compare(const struct timespec *a, const struct timespec *b)
{
    if (a->tv_sec != b->tv_sec) return a->tv_sec < b->tv_sec ? -1 : 1;
    return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

static int by_use(const void *a, const void *b)
{
    return compare(&((const struct entry *)a)->used, &((const struct entry *)b)->used);
}

/* One that was used, or written again, since it was listed stays. */
static void prune_listed(struct listing *l, DIR *dir, const char *kept, uint64_t bytes_max)
{
    qsort(l->entries, l->n, sizeof *l->entries, by_use);
    for (size_t i = 0; i < l->n && l->bytes > bytes_max; i++) {
        const struct entry *e = &l->entries[i];
        const char *name = l->names.data + e->name;
        struct stat st;
        if (kept && strcmp(name, kept) == 0) continue;
        bool is_there = find_entry(&st, dirfd(dir), name);
        if (is_there && compare(&st.st_mtim, &e->used) != 0) continue;
        if (!is_there || unlinkat(dirfd(dir), name, 0) == 0) l->bytes -= e->bytes;
    }
}

void pl_user_cache_prune(const char *folder, const char *kept, uint64_t bytes_max)
{
    struct listing l = {0};
    DIR *dir = opendir(folder);
    if (!dir) return;
    if (list(&l, dir) == PL_OK && l.bytes > bytes_max) prune_listed(&l, dir, kept, bytes_max);
    closedir(dir);
    free(l.entries);
    pl_bytes_free(&l.names);
}
