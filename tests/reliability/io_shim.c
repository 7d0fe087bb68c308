/* Preloaded into plumb by io_faults.py: calls of the system that fail, stop short or are interrupted, with no hook in
 * the program. Standard input, output and error are left alone.
 *
 * PLUMB_FAULT=CALL:ERRNO:N  CALL is one of the calls below, "create" is an open with O_CREAT; the N-th such call (from
 * 1) fails with ERRNO; N = 0: each of them; N < 0: each from the -N-th on PLUMB_FAULT_COUNT=FILE    how often CALL was
 * made, written at the end PLUMB_SHORT=SEED          reads and writes move a part of what was asked for, at random
 * PLUMB_EINTR=SEED          open, read and write are interrupted at random
 * PLUMB_CLOCK=SECONDS       the clock of the day is so much ahead */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int counted;
static unsigned drawn;

static bool due(const char *call)
{
    const char *wanted = getenv("PLUMB_FAULT");
    char name[32];
    int code, n;
    if (!wanted || sscanf(wanted, "%31[^:]:%d:%d", name, &code, &n) != 3 || strcmp(name, call) != 0) return false;
    int now = __sync_add_and_fetch(&counted, 1);
    if (n != 0 && now != n && !(n < 0 && now >= -n)) return false;
    errno = code;
    return true;
}

/* A number from 0 to n - 1, from the seed in the variable; -1 without one. */
static long draw(const char *variable, size_t n)
{
    const char *seed = getenv(variable);
    if (!seed) return -1;
    unsigned x = __sync_add_and_fetch(&drawn, 0x9e3779b9u) + (unsigned)atoi(seed) * 2654435761u;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return (long)((x ^ x >> 16) % n);
}

static bool interrupted(void)
{
    if (draw("PLUMB_EINTR", 3) != 0) return false;
    errno = EINTR;
    return true;
}

static size_t shortened(size_t size)
{
    return size > 1 && getenv("PLUMB_SHORT") ? 1 + (size_t)draw("PLUMB_SHORT", size) : size;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("PLUMB_FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%d\n", counted);
    fclose(file);
}

int flock(int fd, int operation)
{
    return due("flock") ? -1 : REAL(flock)(fd, operation);
}

int link(const char *from, const char *to)
{
    return due("link") ? -1 : REAL(link)(from, to);
}

int rename(const char *from, const char *to)
{
    return due("rename") ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path)
{
    return due("unlink") ? -1 : REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
    return due("mkdir") ? -1 : REAL(mkdir)(path, mode);
}

int fsync(int fd)
{
    return due("fsync") ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
    return due("fdatasync") ? -1 : REAL(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t size)
{
    return due("ftruncate") ? -1 : REAL(ftruncate64)(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int close(int fd)
{
    bool fails = fd > 2 && due("close");
    int code = errno, result = REAL(close)(fd);
    if (!fails) return result;
    errno = code;
    return -1;
}

ssize_t read(int fd, void *data, size_t size)
{
    if (fd > 2 && (due("read") || interrupted())) return -1;
    return REAL(read)(fd, data, fd > 2 ? shortened(size) : size);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    if (due("pread") || interrupted()) return -1;
    return REAL(pread64)(fd, data, shortened(size), offset);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return pread64(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (fd > 2 && (due("write") || interrupted())) return -1;
    return REAL(write)(fd, data, fd > 2 ? shortened(size) : size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    if (due("pwrite") || interrupted()) return -1;
    return REAL(pwrite64)(fd, data, shortened(size), offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

static bool open_fails(int flags)
{
    return due(flags & O_CREAT ? "create" : "open") || interrupted();
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_fails(flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_fails(flags) ? -1 : REAL(open64)(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_fails(flags) ? -1 : REAL(openat)(folder, path, flags, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return open_fails(strchr("wa", mode[0]) ? O_CREAT : 0) ? NULL : REAL(fopen64)(path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return open_fails(strchr("wa", mode[0]) ? O_CREAT : 0) ? NULL : REAL(fopen)(path, mode);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return fd >= 0 && due("mmap") ? MAP_FAILED : REAL(mmap)(at, size, protection, flags, fd, offset);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = REAL(clock_gettime)(clock, now);
    const char *ahead = getenv("PLUMB_CLOCK");
    if (ahead && clock == CLOCK_REALTIME) now->tv_sec += atol(ahead);
    return result;
}

time_t time(time_t *out)
{
    const char *ahead = getenv("PLUMB_CLOCK");
    time_t now = REAL(time)(NULL) + (ahead ? atol(ahead) : 0);
    if (out) *out = now;
    return now;
}
