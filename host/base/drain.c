#include "base/drain.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void drain_signals(sigset_t *set)
{
    struct sigaction interrupt;
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGTERM);
    if (sigaction(SIGINT, NULL, &interrupt) == 0 && interrupt.sa_handler != SIG_IGN) sigaddset(set, SIGINT);
}

/* This thread alone takes the signal from now on. */
static void let_through(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *watch(void *context)
{
    pl_drain *drain = context;
    struct pollfd watched[] = {{.fd = drain->stop, .events = POLLIN}, {.fd = drain->signals, .events = POLLIN}};
    for (;;) {
        struct signalfd_siginfo info;
        if (poll(watched, 2, -1) < 0 && errno != EINTR) return NULL;
        if (watched[0].revents) return NULL;
        if (!watched[1].revents || read(drain->signals, &info, sizeof info) != (ssize_t)sizeof info) continue;
        if (!atomic_load(&drain->begun)) {
            let_through((int)info.ssi_signo);
            raise((int)info.ssi_signo);
            continue;
        }
        int none = 0;
        if (!atomic_compare_exchange_strong(&drain->signal, &none, (int)info.ssi_signo)) continue;
        if (drain->notice) drain->notice((int)info.ssi_signo);
        let_through(SIGINT); /* a second one is enough to end the process */
    }
}

pl_status pl_drain_open(pl_drain *out, void (*notice)(int signal))
{
    sigset_t set;
    int error;
    *out = (pl_drain){.signals = -1, .stop = -1, .notice = notice};
    drain_signals(&set);
    out->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    out->stop = eventfd(0, EFD_CLOEXEC);
    error = out->signals < 0 || out->stop < 0 ? errno : pthread_sigmask(SIG_BLOCK, &set, &out->before);
    if (error == 0) {
        error = pthread_create(&out->thread, NULL, watch, out);
        out->open = error == 0;
        if (error) pthread_sigmask(SIG_SETMASK, &out->before, NULL);
    }
    if (error == 0) return PL_OK;
    if (out->signals >= 0) close(out->signals);
    if (out->stop >= 0) close(out->stop);
    return pl_fail(PL_E_IO, "signals: cannot watch SIGUSR1, SIGTERM and SIGINT: %s",
                   error == EAGAIN ? "no memory for a thread, or too many of them" : strerror(error));
}

void pl_drain_begin(pl_drain *drain)
{
    atomic_store(&drain->begun, true);
}

bool pl_drain_requested(pl_drain *drain)
{
    return atomic_load(&drain->signal) != 0;
}

pl_status pl_drain_status(pl_drain *drain)
{
    return atomic_load(&drain->signal) == SIGINT ? PL_E_INTERRUPTED : PL_E_DRAINED;
}

const char *pl_drain_state(pl_drain *drain)
{
    return pl_drain_status(drain) == PL_E_INTERRUPTED ? "interrupted" : "drained";
}

void pl_drain_close(pl_drain *drain)
{
    const eventfd_t one = 1;
    struct signalfd_siginfo late;
    if (!drain->open) return;
    drain->open = false;
    eventfd_write(drain->stop, one);
    pthread_join(drain->thread, NULL);
    /* More of them, behind the first: they asked for what is being done, and must not end the process now. */
    while (drain->signal && read(drain->signals, &late, sizeof late) == (ssize_t)sizeof late) continue;
    pthread_sigmask(SIG_SETMASK, &drain->before, NULL);
    close(drain->signals);
    close(drain->stop);
}
