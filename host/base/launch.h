/* Several processes at one piece of work: which of them this is, and who starts and watches the others.
 *
 * Ranks are counted from 0. Rank 0 starts the others with its own command line, and they end with it; or a launcher
 * (srun) has started all. */
#ifndef PLUMB_BASE_LAUNCH_H
#define PLUMB_BASE_LAUNCH_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/process.h"

enum { PL_LAUNCH_MOST = 64 }; /* ranks that rank 0 starts itself, with its own */

typedef struct pl_launch {
    size_t rank, size;
    size_t local;                    /* rank among those of this machine */
    bool by_launcher;                /* started by srun, all of them */
    double since;                    /* wall clock, s: when rank 0 began; by a launcher, when this rank did */
    char group[PL_PROCESS_NAME_MAX]; /* the same on all ranks of this launch, and no other launch's */
    pid_t children[PL_LAUNCH_MOST];  /* [size], of rank 0; 0: none */
    int stop;                        /* file descriptor, for the thread */
    pthread_t thread;
    bool watched;
    void (*lost)(void *user);
    void *user;
} pl_launch;

/* `asked`: NULL: one process; a number from 1; "srun": as SLURM_PROCID and SLURM_NTASKS say. In a process that rank 0
 * started: what that one said. PL_E_USAGE. */
pl_status pl_launch_read(pl_launch *out, const char *asked);
/* Of ranks other than 0 that go where rank 0 goes: SIGINT, SIGTERM and SIGUSR1 are its alone. */
void pl_launch_leave_signals(const pl_launch *launch);
/* CPU threads for each rank where nobody gave a number: this process's CPUs shared out among the ranks of its own
 * machine; 0: no share, all. */
size_t pl_launch_threads(const pl_launch *launch);
/* Rank 0 starts the others, where no launcher did. `lost` is called once, on a thread of its own, as soon as one of
 * them ends with an error. The struct must not move until pl_launch_end. */
pl_status pl_launch_start(pl_launch *launch, void (*lost)(void *user), void *user);
/* Waits until all that rank 0 started have ended, however long that takes. Once `stop` says so (asked again and again),
 * they get SIGTERM. */
void pl_launch_wait(pl_launch *launch, bool (*stop)(void *user), void *user);
/* Waits for what was started (after a failure not for long: then they are ended); gives `status` back, for PL_E_RANK
 * with the line who ended, and how, where that is known. Ranks that rank 0 started: PL_OK in place of PL_E_RANK and
 * PL_E_NOT_FINITE, which rank 0 reports. Takes {0}. */
pl_status pl_launch_end(pl_launch *launch, pl_status status);

#endif
