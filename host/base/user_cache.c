#include "base/user_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/temporary.h"

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
    if (pl_file_map(out, path) != PL_OK) return false;
    if (out->stamp.device == st.st_dev && out->stamp.inode == st.st_ino) return true;
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
    if (close(fd) != 0) good = false;
    if (!good || rename(part, path) != 0) unlink(part);
    if (pl_path_folder(folder, path) == PL_OK) (void)pl_file_sweep(folder);
}
