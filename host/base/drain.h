/* "Put me back in the queue": SIGUSR1 and SIGTERM ask a run to stop at the next unit (exit code 75).
 *
 * The signals are blocked and read through a file descriptor, so there is no handler and no global flag. Open before
 * any thread is started: threads inherit the mask. */
#ifndef PLUMB_BASE_DRAIN_H
#define PLUMB_BASE_DRAIN_H

#include <stdbool.h>

#include "base/status.h"

typedef struct pl_drain {
    int fd;
    bool requested;
} pl_drain;

pl_status pl_drain_open(pl_drain *out);
/* True once a signal has come; never blocks. */
bool pl_drain_requested(pl_drain *drain);
void pl_drain_close(pl_drain *drain);

#endif
