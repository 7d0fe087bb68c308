#include "base/drain.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void drain_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGTERM);
}

pl_status pl_drain_open(pl_drain *out)
{
    *out = (pl_drain){.fd = -1};
    sigset_t set;
    drain_signals(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || (out->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
        return pl_fail(PL_E_IO, "signals: cannot watch SIGUSR1 and SIGTERM: %s", strerror(errno));
    return PL_OK;
}

bool pl_drain_requested(pl_drain *drain)
{
    struct signalfd_siginfo info;
    if (!drain->requested && read(drain->fd, &info, sizeof info) == (ssize_t)sizeof info) drain->requested = true;
    return drain->requested;
}

void pl_drain_close(pl_drain *drain)
{
    if (drain->fd >= 0) close(drain->fd);
    drain->fd = -1;
}
