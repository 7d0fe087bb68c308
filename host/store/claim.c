#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    MAX_TRIES = 100, /* each is lost to another process that came and went meanwhile */
    BUSY_TRIES = 3,  /* a clean-up holds a lock for microseconds: look again before calling a unit busy */
    BUSY_WAIT_MS = 5,
    NAMELESS_SECONDS = 60, /* an owner file without its text: its maker was killed between making and writing it */
    OWNER_BYTES = 512
};

/* The path still leads to the file behind fd: whoever unlinked it in between has not made us hold a file without name.
 */
static bool is_same(const char *path, int fd)
{
    struct stat by_path, by_fd;
    return stat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_ino == by_fd.st_ino &&
           by_path.st_dev == by_fd.st_dev;
}

static int flock_briefly(int fd)
{
    int tries = 0;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK || ++tries == BUSY_TRIES) return errno;
        const struct timespec wait = {.tv_nsec = BUSY_WAIT_MS * 1000000L};
        nanosleep(&wait, NULL);
    }
    return 0;
}

pl_status pl__claim_lock(const char *stem, int *fd, bool *taken, bool *supported)
{
    char path[PL_PATH_MAX];
    *fd = -1;
    *taken = false;
    *supported = true;
    PL_TRY(pl_path(path, "%s.lock", stem));
    for (int i = 0; i < MAX_TRIES; i++) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file < 0) return pl_fail(PL_E_IO, "%s: cannot create: %s", path, strerror(errno));
        int error = flock_briefly(file);
        if (error == 0 && is_same(path, file)) {
            *fd = file;
            *taken = true;
            return PL_OK;
        }
        close(file);
        if (error == EWOULDBLOCK) return PL_OK;
        if (error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS) {
            unlink(path);
            *supported = false;
            return PL_OK;
        }
        if (error) return pl_fail(PL_E_IO, "%s: cannot lock: %s", path, strerror(error));
    }
    return PL_OK; /* others keep taking it: it is theirs */
}

static void owner_text(char out[OWNER_BYTES])
{
    char host[PL_HOST_NAME_MAX];
    pl_host_name(host);
    snprintf(out, OWNER_BYTES, "%s %ld\n", host, (long)getpid());
}

/* Whether the owner named in the file is known to be dead. */
static bool is_stale(const char *path)
{
    char text[OWNER_BYTES] = "", mine[OWNER_BYTES];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    bool known = fstat(fd, &st) == 0;
    close(fd);
    if (n <= 0) return n == 0 && known && time(NULL) - st.st_mtime > NAMELESS_SECONDS;
    owner_text(mine);
    const char *space = strchr(text, ' '), *my_space = strchr(mine, ' ');
    if (!space || space - text != my_space - mine || memcmp(text, mine, (size_t)(space - text)) != 0) return false;
    long pid = strtol(space + 1, NULL, 10);
    return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Takes a dead owner's file away. Of several processes that try, one makes the guard; the file is looked at again under
 * it, because another may have taken it over since. A guard whose maker was killed goes like a nameless owner. */
static void remove_stale(const char *path)
{
    char guard[PL_PATH_MAX];
    if (pl_path(guard, "%s.guard", path) != PL_OK) return;
    if (is_stale(guard)) unlink(guard);
    int fd = open(guard, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return;
    if (is_stale(path)) unlink(path);
    unlink(guard);
    close(fd);
}

pl_status pl__claim_owner(const char *stem, int *fd, bool *taken)
{
    char path[PL_PATH_MAX], text[OWNER_BYTES];
    *fd = -1;
    *taken = false;
    PL_TRY(pl_path(path, "%s.owner", stem));
    owner_text(text);
    for (int i = 0; i < MAX_TRIES; i++) {
        int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0 && errno != EEXIST) return pl_fail(PL_E_IO, "%s: cannot create: %s", path, strerror(errno));
        if (file >= 0) {
            if (write(file, text, strlen(text)) != (ssize_t)strlen(text)) {
                pl_status status = pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
                pl__claim_release(stem, file);
                return status;
            }
            *fd = file;
            *taken = true;
            return PL_OK;
        }
        if (!is_stale(path)) return PL_OK;
        remove_stale(path);
    }
    return PL_OK;
}

void pl__claim_release(const char *stem, int fd)
{
    static const char *const endings[] = {"lock", "owner"};
    if (fd < 0) return;
    for (int i = 0; i < 2; i++) {
        char path[PL_PATH_MAX];
        int n = snprintf(path, sizeof path, "%s.%s", stem, endings[i]);
        /* Unlinked while still held, and only when it is ours: see is_same. */
        if (n > 0 && n < PL_PATH_MAX && is_same(path, fd)) unlink(path);
    }
    close(fd);
}
