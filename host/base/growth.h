/* How much text a user's file may make: one limit for templates and for normalizers.
 *
 * A chain of steps that each double a text fills memory, and one that rewrites a long text ten thousand times takes
 * hours. The sum of what all steps have made bounds both, in bytes, on every machine alike. */
#ifndef PLUMB_BASE_GROWTH_H
#define PLUMB_BASE_GROWTH_H

#include <stdbool.h>
#include <stddef.h>

enum { PL_GROWTH_MAX = 16 * 1024 * 1024 };

typedef struct pl_growth {
    size_t made, most; /* bytes: of all steps so far, and how many may be */
} pl_growth;

/* For a text of `size` bytes and steps that may each hand it on as it is: growth is what they make beyond that. */
pl_growth pl_growth_begin(size_t size, size_t steps);
/* Counts what a step has made; false once it is too much, and the caller says which file and which step. */
bool pl_growth_add(pl_growth *growth, size_t bytes);

#endif
