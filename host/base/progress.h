/* Progress of a long step on stderr: a bar with rate and time left on a terminal, one line an interval elsewhere. */
#ifndef PLUMB_BASE_PROGRESS_H
#define PLUMB_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pl_progress {
    const char *label, *unit; /* borrowed: "units", "prompts" */
    size_t done, total;
    double started_s, printed_s;
    bool terminal, quiet;
    char note[96]; /* stands at the end of the line; "" */
} pl_progress;

void pl_progress_start(pl_progress *p, const char *label, const char *unit, size_t total, bool quiet);
/* printf-made: "loss 0.61, ..."; shown when the line is printed next. */
void pl_progress_note(pl_progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pl_progress_set(pl_progress *p, size_t done); /* prints when it is due */
void pl_progress_skip(pl_progress *p, size_t n);   /* n of the total need not be done: no part of the rate */
void pl_progress_end(pl_progress *p);

#endif
