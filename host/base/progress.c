#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/visible.h"

static const double TERMINAL_INTERVAL_S = 0.2, LINE_INTERVAL_S = 10.0;

static void print(const pl_progress *p, double now)
{
    double elapsed = now - p->started_s, rate = elapsed > 0 ? (double)p->done / elapsed : 0;
    char left[32], bar[21], label[256];
    pl_duration_text(left, rate > 0 ? (double)(p->total - p->done) / rate : -1);
    pl_visible_text(label, sizeof label, p->label);
    int filled = p->total ? (int)(20 * p->done / p->total) : 20;
    for (int i = 0; i < 20; i++) bar[i] = i < filled ? '#' : '.';
    bar[20] = 0;
    if (p->terminal)
        fprintf(stderr, "\r\033[K%s [%s] %zu/%zu %s, %.3g/s, %s left%s%s", label, bar, p->done, p->total, p->unit, rate,
                left, *p->note ? "; " : "", p->note);
    else
        fprintf(stderr, "%s: %zu of %zu %s, %.3g/s, %s left%s%s\n", label, p->done, p->total, p->unit, rate, left,
                *p->note ? "; " : "", p->note);
    fflush(stderr);
}

void pl_progress_start(pl_progress *p, const char *label, const char *unit, size_t total, bool quiet)
{
    *p = (pl_progress){.label = label, .unit = unit, .total = total, .quiet = quiet};
    p->started_s = p->printed_s = pl_clock_s();
    p->terminal = isatty(STDERR_FILENO);
}

void pl_progress_note(pl_progress *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(p->note, sizeof p->note, format, arguments);
    va_end(arguments);
}

void pl_progress_set(pl_progress *p, size_t done)
{
    p->done = done < p->total ? done : p->total;
    double now = pl_clock_s();
    if (p->quiet || now - p->printed_s < (p->terminal ? TERMINAL_INTERVAL_S : LINE_INTERVAL_S)) return;
    p->printed_s = now;
    print(p, now);
}

void pl_progress_skip(pl_progress *p, size_t n)
{
    p->total -= n < p->total - p->done ? n : p->total - p->done;
}

void pl_progress_end(pl_progress *p)
{
    if (p->quiet || !p->terminal) return;
    print(p, pl_clock_s());
    fprintf(stderr, "\n");
}
