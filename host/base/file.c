#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

static pl_status open_to_read(int *fd, size_t *size, const char *path)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return pl_fail(errno == ENOENT ? PL_E_INPUT : PL_E_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return pl_fail(PL_E_INPUT, "%s: not a regular file", path);
    }
    *size = (size_t)st.st_size;
    return PL_OK;
}

pl_status pl_file_read(pl_bytes *out, const char *path, size_t limit_bytes)
{
    *out = (pl_bytes){0};
    int fd;
    size_t size;
    PL_TRY(open_to_read(&fd, &size, path));
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
done:
    close(fd);
    if (status != PL_OK) pl_bytes_free(out);
    return status;
}

pl_status pl_file_map(pl_map *out, const char *path)
{
    *out = (pl_map){0};
    int fd;
    size_t size;
    PL_TRY(open_to_read(&fd, &size, path));
    if (size > 0) {
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            close(fd);
            return pl_fail(PL_E_IO, "%s: cannot map %zu bytes: %s", path, size, strerror(errno));
        }
        *out = (pl_map){data, size};
    }
    close(fd);
    return PL_OK;
}

void pl_file_unmap(pl_map *map)
{
    if (map && map->data) munmap((void *)(uintptr_t)map->data, map->size);
    if (map) *map = (pl_map){0};
}

static pl_status write_all(int fd, const char *path, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
        done += (size_t)n;
    }
    if (fsync(fd) != 0) return pl_fail(PL_E_IO, "%s: cannot write to the disk: %s", path, strerror(errno));
    return PL_OK;
}

static void host_name(char out[HOST_NAME_MAX + 1])
{
    if (gethostname(out, HOST_NAME_MAX) != 0) out[0] = 0;
    out[HOST_NAME_MAX] = 0;
}

/* Is "name.PID@HOST.tmp" the temporary file of a process that is gone? Another host's is, when it is an hour old. */
static bool is_abandoned(const char *name, const char *path)
{
    size_t n = strlen(name);
    const char *at = strrchr(name, '@'), *dot = at;
    if (!at || n < 4 || strcmp(name + n - 4, ".tmp") != 0) return false;
    while (dot > name && *dot != '.') dot--;
    char *end, host[HOST_NAME_MAX + 1];
    long pid = strtol(dot + 1, &end, 10);
    if (end != at || pid <= 0) return false;
    host_name(host);
    size_t host_size = n - 4 - (size_t)(at + 1 - name);
    if (strlen(host) == host_size && strncmp(at + 1, host, host_size) == 0)
        return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    struct stat st;
    return stat(path, &st) == 0 && time(NULL) - st.st_mtime > 3600;
}

pl_status pl_file_sweep(const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries) return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", folder, strerror(errno));
    for (const struct dirent *e; (e = readdir(entries));) {
        char path[PL_PATH_MAX];
        if (pl_path(path, "%s/%s", folder, e->d_name) == PL_OK && is_abandoned(e->d_name, path)) unlink(path);
    }
    closedir(entries);
    return PL_OK;
}

pl_status pl_file_temporary(char out[PL_PATH_MAX], const char *path)
{
    char host[HOST_NAME_MAX + 1];
    host_name(host);
    return pl_path(out, "%s.%ld@%s.tmp", path, (long)getpid(), host);
}

pl_status pl_file_replace(const char *path, const void *data, size_t size)
{
    char part[PL_PATH_MAX], folder[PL_PATH_MAX];
    PL_TRY(pl_file_temporary(part, path));
    PL_TRY(pl_path_folder(folder, path));
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return pl_fail(PL_E_IO, "%s: cannot create: %s", part, strerror(errno));
    pl_status status = write_all(fd, path, data, size);
    if (close(fd) != 0 && status == PL_OK) status = pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
    if (status == PL_OK && rename(part, path) != 0)
        status = pl_fail(PL_E_IO, "%s: cannot rename into place: %s", path, strerror(errno));
    if (status != PL_OK) {
        unlink(part);
        return status;
    }
    return pl_folder_sync(folder);
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

pl_status pl_path(char out[PL_PATH_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, PL_PATH_MAX, format, args);
    va_end(args);
    return n >= 0 && n < PL_PATH_MAX ? PL_OK
                                     : pl_fail(PL_E_INPUT, "%.80s...: path longer than %d bytes", out, PL_PATH_MAX);
}

pl_status pl_path_folder(char out[PL_PATH_MAX], const char *path)
{
    PL_TRY(pl_path(out, "%s", path));
    char *slash = strrchr(out, '/');
    if (!slash) return pl_path(out, ".");
    slash[slash == out] = 0;
    return PL_OK;
}

static void hex(char *out, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void pl_hash128(char out[PL_HASH_TEXT], const void *data, size_t size)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    hex(out, canonical.digest, sizeof canonical.digest);
}

void pl_sha256(char out[PL_SHA256_TEXT], const void *data, size_t size)
{
    uint8_t digest[32];
    EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL);
    hex(out, digest, sizeof digest);
}

pl_status pl_sha256_file(char out[PL_SHA256_TEXT], const char *path)
{
    pl_map map;
    PL_TRY(pl_file_map(&map, path));
    pl_sha256(out, map.data, map.size);
    pl_file_unmap(&map);
    return PL_OK;
}

pl_status pl_hash128_file(char out[PL_HASH_TEXT], const char *path)
{
    pl_map map;
    PL_TRY(pl_file_map(&map, path));
    pl_hash128(out, map.data, map.size);
    pl_file_unmap(&map);
    return PL_OK;
}
