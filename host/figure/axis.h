/* An axis with round ticks. Shared inside the folder. */
#ifndef PLUMB_FIGURE_AXIS_H
#define PLUMB_FIGURE_AXIS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pl__axis {
    double low, high; /* of what is shown: multiples of the step */
    double step;      /* between ticks: 1, 2 or 5 times a power of 10 */
    size_t n_ticks;
    double from, to; /* pixels of low and high; the caller's */
} pl__axis;

/* From the least to the greatest value, NaN for either: 0 to 1. About n ticks, n >= 2. fixed: low and high stay, ticks
 * lie between. */
void pl__axis_fit(pl__axis *axis, double low, double high, size_t n, bool fixed);
/* Pixels; a value beyond an end is at that end. */
double pl__axis_at(const pl__axis *axis, double value);
double pl__axis_tick(const pl__axis *axis, size_t i); /* i < n_ticks */
enum { PL__TICK_TEXT = 32 };
void pl__axis_text(char out[PL__TICK_TEXT], const pl__axis *axis, size_t i);

#endif
