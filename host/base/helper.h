/* Work on what others wrote, in a process of its own: whatever it does to that process, this one goes on.
 *
 * A helper answers one question at a time; each may take so much memory and processor time and no more. It is a fork
 * that starts no thread; it ends with its parent. */
#ifndef PLUMB_BASE_HELPER_H
#define PLUMB_BASE_HELPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/memory.h"

/* Appends its answer; what it returns, with its message, is the asker's to see. */
typedef pl_status pl_helper_work(pl_bytes *answer, const char *question);

typedef struct pl_helper {
    pl_helper_work *work;
    size_t limit_bytes; /* of memory, for a question */
    unsigned limit_s;   /* of processor time */
    int socket;
    pid_t pid; /* 0: none */
} pl_helper;

/* A helper as {.work, .limit_bytes, .limit_s} starts with its first question. One question is asked ahead of its answer
 * at most. */
pl_status pl_helper_ask(pl_helper *helper, const char *question);
/* The answer as bytes that the caller frees, and the work's status. PL_E_INPUT with *died set: the helper did not
 * survive the question, or not within its limits; pl_error_text() says how it went. The next question starts another
 * one where there is none. */
pl_status pl_helper_answer(pl_helper *helper, pl_bytes *answer, bool *died);
/* Both; and once more where that fails: memory may have been short for a moment. */
pl_status pl_helper_reply(pl_helper *helper, const char *question, pl_bytes *answer);
void pl_helper_stop(pl_helper *helper); /* takes {0} */

#endif
