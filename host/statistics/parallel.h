/* When a loop of the analysis is worth several threads. No result depends on it: every element is one thread's sum, in
 * order. */
#ifndef PLUMB_STATISTICS_PARALLEL_H
#define PLUMB_STATISTICS_PARALLEL_H

/* Multiply-adds (or steps like them) below which a loop stays on its thread: waking others costs more, and on a busy
 * machine they would spin waiting for one another. */
enum { PL__PARALLEL_MIN = 1 << 22 };

#endif
