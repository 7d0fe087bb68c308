/* Preloaded into plumb by shared.sh and crew.sh: a file system, a host and a load of the test's choice.
 *
 * PLUMB_FLOCK=all|none       flock succeeds for everybody (locks private to each node), or is not supported
 * PLUMB_HOST=NAME            the name of the host
 * PLUMB_STOP=PART:N          the N-th write (from 1) into a file with PART in its path stops the process (SIGSTOP)
 * PLUMB_LATE=SECONDS         the processes that rank 0 starts begin so much later
 * PLUMB_CUT=BYTES:PATH       the first flock cuts this file, which is mapped by then */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin_late(void)
{
    const char *late = getenv("PLUMB_LATE");
    if (late && getenv("PLUMB_RANK")) sleep((unsigned)atoi(late));
}

static void stop_when_due(int fd)
{
    static int counted;
    const char *wanted = getenv("PLUMB_STOP");
    char link[64], path[4096], part[256];
    int n;
    if (!wanted || sscanf(wanted, "%255[^:]:%d", part, &n) != 2) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = 0;
    if (strstr(path, part) && __sync_add_and_fetch(&counted, 1) == n) raise(SIGSTOP);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    stop_when_due(fd);
    return REAL(pwrite64)(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    stop_when_due(fd);
    return REAL(pwrite)(fd, data, size, offset);
}

int flock(int fd, int operation)
{
    const char *kind = getenv("PLUMB_FLOCK"), *cut = getenv("PLUMB_CUT");
    char path[4096];
    long bytes;
    if (cut && sscanf(cut, "%ld:%4095[^\n]", &bytes, path) == 2 && truncate(path, bytes) != 0) return -1;
    if (!kind) return REAL(flock)(fd, operation);
    if (strcmp(kind, "none") != 0) return 0;
    errno = ENOLCK;
    return -1;
}

int gethostname(char *name, size_t size)
{
    const char *host = getenv("PLUMB_HOST");
    if (!host) return REAL(gethostname)(name, size);
    snprintf(name, size, "%s", host);
    return 0;
}
