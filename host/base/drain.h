/* "Stop, and keep what is finished": SIGUSR1, SIGTERM and SIGINT (Ctrl-C) ask a run to stop at the next unit.
 *
 * Until pl_drain_begin() and behind pl_drain_close() there is nothing that should be finished first (planning and
 * analysis write whole files only): there a signal does at once what it does to any process; see main.c.
 *
 * The signals are blocked and a thread reads them through a file descriptor, so there is no handler and no global flag.
 * Open before any other thread is started: threads inherit the mask. After the first signal SIGINT has its own effect
 * again, so that a second Ctrl-C ends the process at once. A process that was started with SIGINT ignored (in the
 * background of a script) goes on ignoring it. */
#ifndef PLUMB_BASE_DRAIN_H
#define PLUMB_BASE_DRAIN_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

typedef struct pl_drain {
    int signals, stop; /* file descriptors */
    bool open;
    pthread_t thread;
    atomic_bool begun;          /* a signal asks; before it ends the process */
    sigset_t before;            /* the mask to go back to */
    atomic_int signal;          /* the first that came; 0: none */
    void (*notice)(int signal); /* called once, on the thread, as soon as the first signal is there; NULL: nobody */
} pl_drain;

/* The struct must not move until it is closed. */
pl_status pl_drain_open(pl_drain *out, void (*notice)(int signal));
/* From here on a signal asks, and is answered by who looks. */
void pl_drain_begin(pl_drain *drain);
/* True once a signal has come; never blocks. */
bool pl_drain_requested(pl_drain *drain);
/* What to end with: PL_E_INTERRUPTED after SIGINT, else PL_E_DRAINED ("put me back in the queue"). */
pl_status pl_drain_status(pl_drain *drain);
/* The word for it in status.json: "interrupted" or "drained". */
const char *pl_drain_state(pl_drain *drain);
/* From here on the signals do what they do to any process. Takes {0} and what is closed. */
void pl_drain_close(pl_drain *drain);

#endif
