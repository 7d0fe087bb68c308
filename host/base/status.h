/* One status for the whole program: 0 is success, everything else is a kind of failure and has an exit code.
 *
 * A failing call sets code and message at once with pl_fail() and the callers pass the code up untouched. The message
 * is one line: what, where, what was expected, what was found, what to do. It lives in thread-local storage: the only
 * mutable static state of the program. A worker thread's message is carried over with pl_error_text(). */
#ifndef PLUMB_BASE_STATUS_H
#define PLUMB_BASE_STATUS_H

/* name, exit code of the program, meaning */
#define PL_STATUS_TABLE(X)                                                                                             \
    X(PL_OK, 0, "success")                                                                                             \
    X(PL_E_USAGE, 2, "wrong usage")                                                                                    \
    X(PL_E_INPUT, 2, "wrong input")                                                                                    \
    X(PL_E_UNSUPPORTED, 2, "not supported")                                                                            \
    X(PL_E_IO, 1, "input or output failed")                                                                            \
    X(PL_E_MEMORY, 1, "out of memory")                                                                                 \
    X(PL_E_DEVICE, 1, "device failed")                                                                                 \
    X(PL_E_NOT_FINITE, 1, "numbers are NaN or infinite")                                                               \
    X(PL_E_INTERNAL, 1, "internal error")                                                                              \
    X(PL_E_ELSEWHERE, 3, "another process is at it")                                                                   \
    X(PL_E_RANK, 1, "another rank has ended")                                                                          \
    X(PL_E_UNITS, 3, "some units failed")                                                                              \
    X(PL_E_DRAINED, 75, "drained by SIGTERM or SIGUSR1")                                                               \
    X(PL_E_INTERRUPTED, 130, "interrupted by Ctrl-C (SIGINT)")

typedef enum pl_status {
#define X(name, exit_code, text) name,
    PL_STATUS_TABLE(X)
#undef X
} pl_status;

/* Sets the calling thread's message (printf format, made visible (base/visible.h), truncated at 1 KiB) and returns
 * `code`. */
pl_status pl_fail(pl_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The calling thread's last message; "" when there was none. Borrowed, valid until the thread's next pl_fail(). */
const char *pl_error_text(void);

/* The exit code and the meaning of a status. */
int pl_status_exit_code(pl_status code);
const char *pl_status_text(pl_status code);

/* Return on failure; go to the clean-up ladder on failure (sets `status`); keep the first failure in a clean-up. */
#define PL_TRY(call)                                                                                                   \
    do {                                                                                                               \
        pl_status pl_try_status_ = (call);                                                                             \
        if (pl_try_status_ != PL_OK) return pl_try_status_;                                                            \
    } while (0)
#define PL_GOTO(status, label, call)                                                                                   \
    do {                                                                                                               \
        (status) = (call);                                                                                             \
        if ((status) != PL_OK) goto label;                                                                             \
    } while (0)
#define PL_KEEP(status, call)                                                                                          \
    do {                                                                                                               \
        pl_status pl_keep_status_ = (call);                                                                            \
        if ((status) == PL_OK) (status) = pl_keep_status_;                                                             \
    } while (0)

#endif
