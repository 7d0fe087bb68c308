#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum {
    MAX_TRIES = 100, /* each is lost to another process that came and went meanwhile */
    BUSY_TRIES = 3,  /* a clean-up holds a lock for microseconds: look again before calling a unit busy */
    BUSY_WAIT_MS = 5,
    NAMELESS_SECONDS = 60 /* an owner file without its text: its maker was killed between making and writing it */
};

/* The path still leads to the file behind fd: whoever unlinked it in between has not made us hold a file without name.
 */
static bool is_same(const char *path, int fd)
{
    struct stat by_path, by_fd;
    return lstat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_ino == by_fd.st_ino &&
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
        int file, error;
        PL_TRY(pl_file_open_shared(&file, &error, path, O_RDWR | O_CREAT));
        error = flock_briefly(file);
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

/* The owner named in a file; *there is false when there is none. */
static pl_status look(pl_unit_owner *out, bool *there)
{
    struct stat st;
    int fd, error;
    *there = false;
    out->who[0] = 0;
    out->life = PL_LIFE_UNKNOWN;
    PL_TRY(pl_file_open_shared(&fd, &error, out->path, O_RDONLY));
    if (fd < 0) return PL_OK;
    ssize_t n = read(fd, out->who, sizeof out->who - 1);
    *there = n >= 0 && fstat(fd, &st) == 0;
    error = errno;
    close(fd);
    if (!*there) return pl_fail(PL_E_IO, "%s: cannot read: %s", out->path, strerror(error));
    out->who[n] = 0;
    out->who[strcspn(out->who, "\n")] = 0;
    for (char *c = out->who; *c; c++) /* it is printed, and anyone may have written it */
        if (*c <= ' ' || *c > '~') *c = '?';
    out->age_s = difftime(time(NULL), st.st_mtime);
    out->life = n > 0                           ? pl_process_name_life(out->who, strlen(out->who))
                : out->age_s > NAMELESS_SECONDS ? PL_LIFE_DEAD
                                                : PL_LIFE_UNKNOWN;
    return PL_OK;
}

pl_status pl__claim_look(pl_unit_owner *out, bool *there, const char *stem)
{
    PL_TRY(pl_path(out->path, "%s.owner", stem));
    return look(out, there);
}

static bool may_go(const char *path, bool finished)
{
    pl_unit_owner owner;
    bool there;
    return pl_path(owner.path, "%s", path) == PL_OK && look(&owner, &there) == PL_OK && there &&
           (owner.life == PL_LIFE_DEAD || (finished && owner.life == PL_LIFE_UNKNOWN));
}

/* Takes an owner's file away. Of several processes that try, one makes the guard; the file is looked at again under it,
 * because another may have taken it over since. A guard whose maker was killed goes like a nameless owner. */
static void remove_stale(const char *path, bool finished)
{
    char guard[PL_PATH_MAX];
    int fd, error;
    if (pl_path(guard, "%s.guard", path) != PL_OK) return;
    if (may_go(guard, false)) unlink(guard);
    if (pl_file_open_shared(&fd, &error, guard, O_WRONLY | O_CREAT | O_EXCL) != PL_OK || fd < 0) return;
    if (may_go(path, finished)) unlink(path);
    unlink(guard);
    close(fd);
}

void pl__claim_sweep(const char *stem, bool finished)
{
    char path[PL_PATH_MAX], guard[PL_PATH_MAX];
    if (pl_path(path, "%s.owner", stem) != PL_OK || pl_path(guard, "%s.guard", path) != PL_OK) return;
    if (may_go(guard, false)) unlink(guard);
    if (may_go(path, finished)) remove_stale(path, finished);
}

pl_status pl__claim_owner(const char *stem, int *fd, bool *taken)
{
    pl_unit_owner owner;
    char who[PL_PROCESS_NAME_MAX];
    bool there;
    *fd = -1;
    *taken = false;
    PL_TRY(pl_path(owner.path, "%s.owner", stem));
    pl_process_name(who);
    for (int i = 0; i < MAX_TRIES; i++) {
        int file, error;
        PL_TRY(pl_file_open_shared(&file, &error, owner.path, O_RDWR | O_CREAT | O_EXCL));
        if (file >= 0) {
            if (dprintf(file, "%s\n", who) < 0) {
                pl_status status = pl_fail(PL_E_IO, "%s: cannot write: %s", owner.path, strerror(errno));
                pl__claim_release(stem, file);
                return status;
            }
            *fd = file;
            *taken = true;
            return PL_OK;
        }
        PL_TRY(look(&owner, &there));
        if (there && owner.life != PL_LIFE_DEAD) return PL_OK;
        if (there) remove_stale(owner.path, false);
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
