#include "base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/process.h"

enum { OLD_S = 24 * 3600 };
static const char ending[] = ".tmp";

/* A name that has no room for the process behind it is cut, and told from its like by a digest. */
pl_status pl_file_temporary(char out[PL_PATH_MAX], const char *path)
{
    char who[PL_PROCESS_NAME_MAX], hash[PL_HASH_TEXT];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    pl_process_name(who);
    size_t n = strlen(name), room = NAME_MAX - (1 + strlen(who) + strlen(ending));
    if (n <= room) return pl_path(out, "%s.%s%s", path, who, ending);
    pl_hash128(hash, name, n);
    return pl_path(out, "%.*s%.*s~%.8s.%s%s", (int)(name - path), path, (int)room - 9, name, hash, who, ending);
}

pl_status pl_temporary_create(int *fd, char out[PL_PATH_MAX], const char *path)
{
    *fd = -1;
    PL_TRY(pl_file_temporary(out, path));
    for (int i = 0; i < 2 && *fd < 0; i++) {
        *fd = open(out, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (*fd < 0 && (errno != EEXIST || i > 0 || unlink(out) != 0))
            return pl_fail(PL_E_IO, "%s: cannot create: %s", out, strerror(errno));
    }
    return PL_OK;
}

static pl_status write_to_disk(int fd, const char *path, const void *data, size_t size)
{
    if (!pl_write_all(fd, data, size)) return pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
    if (fsync(fd) != 0) return pl_fail(PL_E_IO, "%s: cannot write to the disk: %s", path, strerror(errno));
    return PL_OK;
}

pl_status pl_temporary_write(char out[PL_PATH_MAX], const char *path, const void *data, size_t size)
{
    int fd;
    PL_TRY(pl_temporary_create(&fd, out, path));
    pl_status status = write_to_disk(fd, path, data, size);
    if (close(fd) != 0 && status == PL_OK) status = pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
    if (status != PL_OK) unlink(out);
    return status;
}

/* A link fails where there is a file already. Where the file system has no links, a rename; the last of several that
 * are first at once is then the one. */
pl_status pl_temporary_put_first(const char *path, const void *data, size_t size)
{
    char mine[PL_PATH_MAX];
    PL_TRY(pl_temporary_write(mine, path, data, size));
    bool failed = link(mine, path) != 0 && access(path, F_OK) != 0;
    if (failed) failed = rename(mine, path) != 0;
    int error = errno;
    unlink(mine);
    return failed ? pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(error)) : PL_OK;
}

/* The process in "<file>.<process>.tmp": from the last dot before the '@' to the ending; false: no such name. */
static bool find_process(const char **process, size_t *size, const char *name)
{
    size_t n = strlen(name), m = sizeof ending - 1;
    const char *at = strrchr(name, '@'), *dot = at;
    if (n <= m || strcmp(name + n - m, ending) != 0) return false;
    while (dot && dot > name && *dot != '.') dot--;
    *process = dot ? dot + 1 : name;
    *size = dot ? n - m - (size_t)(*process - name) : 0;
    return true;
}

static bool is_old(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > OLD_S;
}

bool pl_temporary_is_left(const char *name, const char *path)
{
    const char *process;
    size_t size;
    if (!find_process(&process, &size, name)) return false;
    pl_life life = pl_process_name_life(process, size);
    return life == PL_LIFE_DEAD || (life == PL_LIFE_UNKNOWN && is_old(path));
}

bool pl_temporary_is_unknown(const char *name)
{
    const char *process;
    size_t size;
    return find_process(&process, &size, name) && pl_process_name_life(process, size) == PL_LIFE_UNKNOWN;
}

void pl_temporary_remove(const char *path)
{
    if (unlink(path) != 0 && errno == EISDIR) (void)pl_folder_remove(path, NULL);
}

/* Of the files whose names begin with `file`. */
static pl_status sweep(const char *folder, const char *file)
{
    DIR *entries = opendir(folder);
    if (!entries) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", folder, strerror(errno));
    for (const struct dirent *e; (e = readdir(entries));) {
        char path[PL_PATH_MAX];
        if (strncmp(e->d_name, file, strlen(file)) == 0 && pl_path(path, "%s/%s", folder, e->d_name) == PL_OK &&
            pl_temporary_is_left(e->d_name, path))
            pl_temporary_remove(path);
    }
    closedir(entries);
    return PL_OK;
}

void pl_temporary_sweep(const char *path)
{
    char folder[PL_PATH_MAX], file[PL_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (pl_path_folder(folder, path) == PL_OK && pl_path(file, "%s.", slash ? slash + 1 : path) == PL_OK)
        (void)sweep(folder, file);
}

pl_status pl_file_sweep(const char *folder)
{
    return sweep(folder, "");
}
