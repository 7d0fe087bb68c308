#include "base/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

static const char RANK[] = "PLUMB_RANK"; /* <rank>/<size>/<since>/<group> */
enum { LOOK_MS = 100, END_S = 5, LEAVE_S = 60, COMMAND_MAX = 1 << 22 };

/* ---- Which one this is ---- */

void pl_launch_leave_signals(const pl_launch *l)
{
    if (!l->rank) return;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
}

static double wall_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool whole_number(size_t *out, const char *text)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || *text < '0' || *text > '9' || *end || n > 1000000) return false;
    *out = n;
    return true;
}

/* In a process that rank 0 started. */
static pl_status read_started(pl_launch *l, const char *text)
{
    int at = 0;
    if (sscanf(text, "%zu/%zu/%lf/%n", &l->rank, &l->size, &l->since, &at) != 3 || !at || l->rank < 1 ||
        l->rank >= l->size || l->size > PL_LAUNCH_MOST || strlen(text + at) >= sizeof l->group)
        return pl_fail(PL_E_USAGE, "%s is '%s': unset it, plumb sets it for the processes that it starts", RANK, text);
    snprintf(l->group, sizeof l->group, "%s", text + at);
    l->local = l->rank;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pl_process_name_life(l->group, strlen(l->group)) == PL_LIFE_DEAD)
        return pl_fail(PL_E_RANK, "rank 0 has ended; unset %s if no rank 0 started this process", RANK);
    return PL_OK;
}

static pl_status from_srun(pl_launch *l)
{
    const char *rank = getenv("SLURM_PROCID"), *size = getenv("SLURM_NTASKS"), *local = getenv("SLURM_LOCALID");
    const char *job = getenv("SLURM_JOB_ID"), *step = getenv("SLURM_STEP_ID"), *again = getenv("SLURM_RESTART_COUNT");
    if (!rank || !size || !whole_number(&l->rank, rank) || !whole_number(&l->size, size) || l->rank >= l->size)
        return pl_fail(PL_E_USAGE,
                       "--ranks srun: expected SLURM_PROCID and SLURM_NTASKS, as srun sets them; found "
                       "'%s' and '%s'",
                       rank ? rank : "", size ? size : "");
    if (!local || !whole_number(&l->local, local)) l->local = l->rank;
    l->by_launcher = true;
    snprintf(l->group, sizeof l->group, "slurm-%.16s-%.16s-%.8s", job ? job : "", step ? step : "", again ? again : "");
    return PL_OK;
}

pl_status pl_launch_read(pl_launch *l, const char *asked)
{
    const char *started = getenv(RANK);
    *l = (pl_launch){.size = 1, .stop = -1, .since = wall_s()};
    pl_process_name(l->group);
    if (!asked) return PL_OK;
    if (started && *started) return read_started(l, started);
    if (strcmp(asked, "srun") == 0) return from_srun(l);
    if (!whole_number(&l->size, asked) || l->size < 1 || l->size > PL_LAUNCH_MOST)
        return pl_fail(PL_E_USAGE, "--ranks: expected a number from 1 to %d, or srun; found '%s'", (int)PL_LAUNCH_MOST,
                       asked);
    return PL_OK;
}

size_t pl_launch_threads(const pl_launch *l)
{
    cpu_set_t set;
    const char *given = getenv("OMP_NUM_THREADS");
    if (l->size == 1 || l->by_launcher || (given && *given) || sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    const size_t n = (size_t)CPU_COUNT(&set) / l->size;
    return n ? n : 1;
}

/* ---- Starting ---- */

/* Pointers to the texts of a file of /proc, one behind the other, and room for one more; both are the caller's. */
static pl_status read_texts(const char *path, char **data, char ***list, size_t *n)
{
    size_t size = 0, capacity = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return pl_fail(PL_E_IO, "%s: %s; --ranks needs /proc", path, strerror(errno));
    pl_status status = PL_OK;
    for (ssize_t got = 1; got > 0 && status == PL_OK;) {
        status =
            size > COMMAND_MAX ? pl_fail(PL_E_INPUT, "%s is too long", path) : pl_grow(data, &capacity, size + 65536);
        if (status == PL_OK) got = read(file, *data + size, capacity - size - 1);
        if (status == PL_OK && got > 0) size += (size_t)got;
    }
    (void)close(file);
    PL_TRY(status);
    (*data)[size] = 0;
    *n = 0;
    for (size_t i = 0; i < size; i++) *n += (*data)[i] == 0;
    PL_TRY(pl_new(list, *n + 1));
    for (size_t i = 0, at = 0; i < *n; i++, at += strlen(*data + at) + 1) (*list)[i] = *data + at;
    return PL_OK;
}

static pl_status spawn(pl_launch *l, size_t rank, char **command, char **environment, size_t n_environment)
{
    char own[128 + PL_PROCESS_NAME_MAX];
    posix_spawnattr_t attributes;
    sigset_t none;
    snprintf(own, sizeof own, "%s=%zu/%zu/%.9f/%s", RANK, rank, l->size, l->since, l->group);
    environment[n_environment] = own;
    environment[n_environment + 1] = NULL;
    sigemptyset(&none); /* a drain has blocked what it reads */
    int error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        error = posix_spawn(&l->children[rank], "/proc/self/exe", NULL, &attributes, command, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    environment[n_environment] = NULL;
    if (error == 0) return PL_OK;
    l->children[rank] = 0;
    return pl_fail(PL_E_IO, "cannot start rank %zu of %zu: %s", rank, l->size, strerror(error));
}

static pl_status spawn_all(pl_launch *l)
{
    char *command_text = NULL, **command = NULL, **environment = NULL;
    size_t n_command, n = 0;
    pl_status status;
    PL_GOTO(status, done, read_texts("/proc/self/cmdline", &command_text, &command, &n_command));
    while (environ[n]) n++;
    PL_GOTO(status, done, pl_new(&environment, n + 2));
    memcpy(environment, environ, n * sizeof *environment);
    for (size_t r = 1; r < l->size && status == PL_OK; r++) status = spawn(l, r, command, environment, n);
done:
    free(environment);
    free(command);
    free(command_text);
    return status;
}

/* ---- Watching ---- */

/* The first rank that has ended with an error, 0: none. Its exit code stays to be asked for. */
static size_t find_lost(const pl_launch *l, siginfo_t *how)
{
    for (size_t r = 1; r < l->size; r++) {
        *how = (siginfo_t){0};
        if (!l->children[r] || waitid(P_PID, (id_t)l->children[r], how, WEXITED | WNOHANG | WNOWAIT) != 0) continue;
        if (how->si_pid && (how->si_code != CLD_EXITED || how->si_status != 0)) return r;
    }
    return 0;
}

static void *watch(void *context)
{
    pl_launch *l = context;
    siginfo_t how;
    struct pollfd stop = {.fd = l->stop, .events = POLLIN};
    for (;;) {
        const int asked = poll(&stop, 1, LOOK_MS);
        if (asked > 0 || (asked < 0 && errno != EINTR)) return NULL;
        if (!find_lost(l, &how)) continue;
        l->lost(l->user);
        return NULL;
    }
}

pl_status pl_launch_start(pl_launch *l, void (*lost)(void *user), void *user)
{
    if (l->size == 1 || l->rank || l->by_launcher) return PL_OK;
    l->lost = lost;
    l->user = user;
    l->stop = eventfd(0, EFD_CLOEXEC);
    if (l->stop < 0) return pl_fail(PL_E_IO, "cannot watch other ranks: %s", strerror(errno));
    PL_TRY(spawn_all(l));
    const int error = pthread_create(&l->thread, NULL, watch, l);
    if (error) return pl_fail(PL_E_IO, "cannot watch other ranks: %s", strerror(error));
    l->watched = true;
    return PL_OK;
}

/* ---- The end ---- */

static size_t n_living(pl_launch *l)
{
    size_t n = 0;
    for (size_t r = 1; r < l->size; r++) {
        siginfo_t how = {0};
        if (!l->children[r]) continue;
        n += waitid(P_PID, (id_t)l->children[r], &how, WEXITED | WNOHANG | WNOWAIT) == 0 && !how.si_pid;
    }
    return n;
}

void pl_launch_wait(pl_launch *l, bool (*stop)(void *user), void *user)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
    for (bool told = false; n_living(l); nanosleep(&pause, NULL)) {
        if (told || !stop(user)) continue;
        told = true;
        for (size_t r = 1; r < l->size; r++)
            if (l->children[r]) kill(l->children[r], SIGTERM);
    }
}

static void end_children(pl_launch *l, bool well)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    const double begun = pl_clock_s(), limit = well ? LEAVE_S : END_S;
    while (n_living(l) && pl_clock_s() - begun < limit) nanosleep(&pause, NULL);
}

static void reap(pl_launch *l)
{
    for (size_t r = 1; r < l->size; r++) {
        if (!l->children[r]) continue;
        kill(l->children[r], SIGKILL);
        while (waitpid(l->children[r], NULL, 0) < 0 && errno == EINTR) continue;
        l->children[r] = 0;
    }
}

static pl_status say_lost(const pl_launch *l, size_t rank, const siginfo_t *how)
{
    if (how->si_code == CLD_EXITED)
        return pl_fail(PL_E_RANK, "rank %zu of %zu (process %d) ended with exit code %d", rank, l->size,
                       (int)l->children[rank], how->si_status);
    return pl_fail(PL_E_RANK, "rank %zu of %zu (process %d) was ended by signal %d (%s)", rank, l->size,
                   (int)l->children[rank], how->si_status, strsignal(how->si_status));
}

pl_status pl_launch_end(pl_launch *l, pl_status status)
{
    siginfo_t how;
    if (l->watched) {
        eventfd_write(l->stop, 1);
        pthread_join(l->thread, NULL);
        l->watched = false;
    }
    if (l->rank && !l->by_launcher) return status == PL_E_RANK || status == PL_E_NOT_FINITE ? PL_OK : status;
    end_children(l, status == PL_OK || status == PL_E_DRAINED || status == PL_E_INTERRUPTED);
    const size_t lost = status == PL_E_RANK ? find_lost(l, &how) : 0;
    if (lost) status = say_lost(l, lost, &how);
    reap(l);
    if (l->stop >= 0) (void)close(l->stop);
    l->stop = -1;
    return status;
}
