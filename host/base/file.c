#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/temporary.h"

/* A clone without Git LFS leaves a few lines of text in place of each large file. */
static pl_status refuse_pointer(const char *path, const void *data, size_t size)
{
    static const char head[] = "version https://git-lfs.github.com/spec/";
    if (size < sizeof head - 1 || memcmp(data, head, sizeof head - 1) != 0) return PL_OK;
    return pl_fail(
        PL_E_INPUT,
        "%s: a Git LFS pointer of %zu bytes, not the file it stands for; fetch the file: git lfs pull (in the "
        "cloned folder)",
        path, size);
}

static pl_file_stamp stamp_of(const struct stat *st)
{
    return (pl_file_stamp){.device = st->st_dev,
                           .inode = st->st_ino,
                           .size = (uint64_t)st->st_size,
                           .modified_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
                           .changed_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec};
}

bool pl_file_stamp_get(pl_file_stamp *out, const char *path)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    *out = there ? stamp_of(&st) : (pl_file_stamp){0};
    return there;
}

bool pl_file_stamp_equal(const pl_file_stamp *a, const pl_file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->modified_ns == b->modified_ns &&
           a->changed_ns == b->changed_ns;
}

/* A pipe is refused before it is opened: that would wait for a writer. */
static pl_status open_to_read(int *fd, pl_file_stamp *stamp, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) return pl_fail(PL_E_INPUT, "%s: not a regular file", path);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return pl_fail(errno == ENOENT ? PL_E_INPUT : PL_E_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return pl_fail(PL_E_INPUT, "%s: not a regular file", path);
    }
    *stamp = stamp_of(&st);
    return PL_OK;
}

pl_status pl_file_read(pl_bytes *out, const char *path, size_t limit_bytes)
{
    *out = (pl_bytes){0};
    int fd;
    pl_file_stamp stamp;
    PL_TRY(open_to_read(&fd, &stamp, path));
    size_t size = (size_t)stamp.size;
    pl_status status = PL_OK;
    if (size > limit_bytes) {
        status = pl_fail(PL_E_INPUT, "%s: %zu bytes, expected at most %zu", path, size, limit_bytes);
        goto done;
    }
    PL_GOTO(status, done, pl_grow(&out->data, &out->capacity, size + 1));
    while (out->size < size) {
        ssize_t n = read(fd, out->data + out->size, size - out->size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            status = pl_fail(PL_E_IO, "%s: cannot read: %s", path, strerror(errno));
            goto done;
        }
        if (n == 0) break;
        out->size += (size_t)n;
    }
    out->data[out->size] = 0;
    status = refuse_pointer(path, out->data, out->size);
done:
    close(fd);
    if (status != PL_OK) pl_bytes_free(out);
    return status;
}

static pl_status map_file(pl_map *out, const char *path, int flags)
{
    *out = (pl_map){0};
    int fd;
    pl_file_stamp stamp;
    PL_TRY(open_to_read(&fd, &stamp, path));
    size_t size = (size_t)stamp.size;
    out->stamp = stamp;
    if (size > 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE | flags, fd, 0);
        if (data == MAP_FAILED) {
            close(fd);
            return pl_fail(PL_E_IO, "%s: cannot map %zu bytes: %s", path, size, strerror(errno));
        }
        out->data = data;
        out->size = size;
    }
    close(fd);
    pl_status status = refuse_pointer(path, out->data, out->size);
    if (status != PL_OK) pl_file_unmap(out);
    return status;
}

pl_status pl_file_map(pl_map *out, const char *path)
{
    return map_file(out, path, 0);
}

pl_status pl_file_map_whole(pl_map *out, const char *path)
{
    return map_file(out, path, MAP_POPULATE);
}

void pl_file_unmap(pl_map *map)
{
    if (map && map->data) munmap((void *)(uintptr_t)map->data, map->size);
    if (map) *map = (pl_map){0};
}

void pl_file_map_drop(const pl_map *map, size_t from, size_t to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    from -= from % page;
    to -= to % page;
    if (to > from) madvise((void *)(uintptr_t)(map->data + from), to - from, MADV_DONTNEED);
}

bool pl_write_all(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);
        if (n == 0) errno = EIO;
        if (n <= 0 && errno != EINTR) return false;
        if (n > 0) done += (size_t)n;
    }
    return true;
}

pl_status pl_file_replace(const char *path, const void *data, size_t size)
{
    char part[PL_PATH_MAX];
    PL_TRY(pl_temporary_write(part, path, data, size));
    return pl_file_rename(part, path);
}

pl_status pl_file_rename(const char *part, const char *path)
{
    char folder[PL_PATH_MAX];
    pl_status status = pl_path_folder(folder, path);
    if (status == PL_OK && rename(part, path) != 0)
        status = pl_fail(PL_E_IO, "%s: cannot rename into place: %s", path, strerror(errno));
    if (status != PL_OK) {
        unlink(part);
        return status;
    }
    return pl_folder_sync(folder);
}

pl_status pl_file_open_shared(int *fd, int *error, const char *path, int flags)
{
    struct stat st;
    *fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    *error = *fd < 0 ? errno : 0;
    if (*error == ENOENT && !(flags & O_CREAT)) return PL_OK;
    if (*error == EEXIST && flags & O_EXCL) return PL_OK;
    if (*error == ELOOP)
        return pl_fail(PL_E_IO, "%s: a symbolic link, which is not followed: expected a file of plumb's own; remove it",
                       path);
    if (*error) return pl_fail(PL_E_IO, "%s: cannot open: %s", path, strerror(*error));
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) return PL_OK;
    close(*fd);
    *fd = -1;
    return pl_fail(PL_E_IO, "%s: not a regular file: expected a file of plumb's own; remove it", path);
}

pl_status pl_folder_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return pl_fail(PL_E_IO, "%s: cannot open the folder: %s", folder, strerror(errno));
    /* Some network file systems refuse fsync on a folder (EINVAL); the rename itself is then as safe as it gets. */
    int failed = fsync(fd) != 0 && errno != EINVAL;
    int error = errno;
    close(fd);
    return failed ? pl_fail(PL_E_IO, "%s: cannot write the folder to the disk: %s", folder, strerror(error)) : PL_OK;
}

pl_status pl_folder_make(const char *path)
{
    char part[PL_PATH_MAX];
    PL_TRY(pl_path(part, "%s", path));
    for (char *c = part + 1;; c++) {
        char old = *c;
        if (old != '/' && old != 0) continue;
        *c = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return pl_fail(PL_E_IO, "%s: cannot make the folder: %s", part, strerror(errno));
        *c = old;
        if (old == 0) break;
    }
    return pl_folder_exists(path) ? PL_OK : pl_fail(PL_E_IO, "%s: exists and is not a folder", path);
}

/* What a walk from below meets: files, links, then the folders that held them. */
static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static pl_status remove_tree(const char *path)
{
    enum { OPEN_FOLDERS = 16 };
    if (nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return PL_OK;
    return pl_fail(PL_E_IO, "%s: cannot remove: %s", path, strerror(errno));
}

pl_status pl_folder_remove(const char *path, const char *keep)
{
    char member[PL_PATH_MAX];
    const struct dirent *entry;
    if (!keep) return remove_tree(path);
    DIR *folder = opendir(path);
    if (!folder && errno == ENOENT) return PL_OK;
    if (!folder) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", path, strerror(errno));
    pl_status status = PL_OK;
    while (status == PL_OK && (entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || !strcmp(entry->d_name, keep)) continue;
        status = pl_path(member, "%s/%s", path, entry->d_name);
        if (status == PL_OK) status = remove_tree(member);
    }
    closedir(folder);
    return status;
}

pl_status pl_file_find(bool *exists, const char *path)
{
    struct stat st;
    char target[PL_PATH_MAX];
    *exists = pl_file_exists(path);
    if (*exists || lstat(path, &st) != 0 || !S_ISLNK(st.st_mode) || stat(path, &st) == 0) return PL_OK;
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = 0;
    return pl_fail(
        PL_E_INPUT,
        "%s: a broken link: it points to '%s', which is not there (an interrupted download?); fetch the file "
        "again",
        path, target);
}

bool pl_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool pl_folder_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
