/* Preloaded into plumb by kills.py: kills the process with SIGKILL inside a chosen call, so that a crash in the middle
 * of a write, a flush or a rename is tested as it happens, with no hook in the program.
 *
 * PLUMB_KILL=CALL:PART:N   CALL is write, pwrite, fdatasync, fsync or rename; PART is a part of the file's path; the
 * N-th such call (from 1) writes half of its bytes (write, pwrite) or nothing, and the process is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int counted;

static int due(const char *call, const char *path)
{
    const char *wanted = getenv("PLUMB_KILL");
    char name[32], part[256];
    int n;
    if (!wanted || sscanf(wanted, "%31[^:]:%255[^:]:%d", name, part, &n) != 3) return 0;
    if (strcmp(name, call) != 0 || !strstr(path, part)) return 0;
    return __sync_add_and_fetch(&counted, 1) == n;
}

static const char *path_of(int fd, char path[4096])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, 4095);
    path[n > 0 ? n : 0] = 0;
    return path;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size)
{
    char path[4096];
    if (due("write", path_of(fd, path))) {
        REAL(write)(fd, data, size / 2);
        raise(SIGKILL);
    }
    return REAL(write)(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    char path[4096];
    if (due("pwrite", path_of(fd, path))) {
        REAL(pwrite64)(fd, data, size / 2, offset);
        raise(SIGKILL);
    }
    return REAL(pwrite64)(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

int fdatasync(int fd)
{
    char path[4096];
    if (due("fdatasync", path_of(fd, path))) raise(SIGKILL);
    return REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    char path[4096];
    if (due("fsync", path_of(fd, path))) raise(SIGKILL);
    return REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    if (due("rename", to)) raise(SIGKILL);
    return REAL(rename)(from, to);
}
