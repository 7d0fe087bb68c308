#include "base/helper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUESTION_BYTES_MAX = 8192, MESSAGE_BYTES = 1024 };

/* Before each answer; then the message or the answer. */
typedef struct header {
    int status;
    size_t bytes;
} header;

static bool send_all(int socket, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(socket, (const char *)data + done, size - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

static bool receive_all(int socket, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(socket, (char *)data + done, size - done, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

/* Where memory is limited already, what a question may take is not ours to say. */
static bool limited_by_others(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* ---- in the helper ---- */

static void limit_to(__rlimit_resource_t resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max != RLIM_INFINITY && value > limit.rlim_max ? limit.rlim_max : value;
    setrlimit(resource, &limit);
}

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%lu", &pages) != 1) pages = 0;
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* From here on, for one question. */
static void set_limits(const pl_helper *h, size_t space)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    if (space > 0 && !limited_by_others()) limit_to(RLIMIT_AS, (rlim_t)(space + h->limit_bytes));
    limit_to(RLIMIT_CPU, (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1) + h->limit_s);
}

/* The end of the fork, which must not run what this process has for its own end. */
static _Noreturn void leave(void)
{
    _exit(0);
}

static _Noreturn void serve(const pl_helper *h, int socket)
{
    char question[QUESTION_BYTES_MAX];
    pl_bytes answer = {0};
    size_t size, space = address_space();
    /* A file that ends the helper is no news of a system's: no core of it. Signals to the whole job are answered by the
     * parent, whose end is this one's. */
    limit_to(RLIMIT_CORE, 0);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    while (receive_all(socket, &size, sizeof size) && size < sizeof question && receive_all(socket, question, size)) {
        question[size] = '\0';
        set_limits(h, space);
        pl_bytes_clear(&answer);
        pl_status status = h->work(&answer, question);
        const char *message = status == PL_OK ? NULL : pl_error_text();
        header head = {(int)status, message ? strlen(message) : answer.size};
        if (!send_all(socket, &head, sizeof head) || !send_all(socket, message ? message : answer.data, head.bytes))
            break;
    }
    leave();
}

/* ---- in the asker ---- */

static pl_status start(pl_helper *h)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return pl_fail(PL_E_IO, "cannot open a socket to a helper process: %s", strerror(errno));
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) leave();
        serve(h, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pl_fail(PL_E_IO, "cannot start a helper process: %s", strerror(errno));
    }
    h->pid = pid;
    h->socket = ends[0];
    return PL_OK;
}

pl_status pl_helper_ask(pl_helper *h, const char *question)
{
    size_t size = strlen(question);
    if (size >= QUESTION_BYTES_MAX) return pl_fail(PL_E_INTERNAL, "a helper's question has %zu bytes", size);
    if (h->pid == 0) PL_TRY(start(h));
    /* One that is dead by now is noticed by its answer. */
    if (send_all(h->socket, &size, sizeof size)) send_all(h->socket, question, size);
    return PL_OK;
}

static pl_status too_large(const pl_helper *h)
{
    return pl_fail(PL_E_INPUT, "needs more than %zu MiB of memory", h->limit_bytes >> 20);
}

/* How it ended; the caller adds what it was working on. */
static pl_status bury(pl_helper *h)
{
    int code = 0;
    close(h->socket);
    while (waitpid(h->pid, &code, 0) < 0 && errno == EINTR) continue;
    h->pid = 0;
    if (WIFSIGNALED(code) && WTERMSIG(code) == SIGXCPU)
        return pl_fail(PL_E_INPUT, "takes more than %u seconds of processor time", h->limit_s);
    if (WIFSIGNALED(code)) return pl_fail(PL_E_INPUT, "ends who reads it (%s)", strsignal(WTERMSIG(code)));
    return too_large(h);
}

pl_status pl_helper_answer(pl_helper *h, pl_bytes *answer, bool *died)
{
    header head;
    char message[MESSAGE_BYTES + 1];
    *answer = (pl_bytes){0};
    *died = false;
    if (!receive_all(h->socket, &head, sizeof head)) goto dead;
    if (head.status != PL_OK) {
        if (head.bytes > MESSAGE_BYTES || !receive_all(h->socket, message, head.bytes)) goto dead;
        message[head.bytes] = '\0';
        *died = head.status == PL_E_MEMORY && !limited_by_others();
        if (*died) return too_large(h);
        return pl_fail((pl_status)head.status, "%s", message);
    }
    if (head.bytes > h->limit_bytes || pl_grow(&answer->data, &answer->capacity, head.bytes + 1) != PL_OK ||
        !receive_all(h->socket, answer->data, head.bytes)) {
        kill(h->pid, SIGKILL);
        pl_bytes_free(answer);
        goto dead;
    }
    answer->size = head.bytes;
    return PL_OK;
dead:
    *died = true;
    return bury(h);
}

pl_status pl_helper_reply(pl_helper *h, const char *question, pl_bytes *answer)
{
    bool died;
    PL_TRY(pl_helper_ask(h, question));
    if (pl_helper_answer(h, answer, &died) == PL_OK) return PL_OK;
    PL_TRY(pl_helper_ask(h, question));
    return pl_helper_answer(h, answer, &died);
}

void pl_helper_stop(pl_helper *h)
{
    if (h->pid == 0) return;
    close(h->socket); /* it sees the end and leaves; where it is busy it is not waited for */
    kill(h->pid, SIGKILL);
    while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR) continue;
    h->pid = 0;
}
