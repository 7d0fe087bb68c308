/* "Did you mean": how far apart two words are. */
#ifndef PLUMB_BASE_NEAREST_H
#define PLUMB_BASE_NEAREST_H

#include <stddef.h>

enum { PL_NEAR = 2 }; /* up to so many letters apart, one word may be meant for the other */

/* Levenshtein's distance in bytes; SIZE_MAX when either word has more than 64. */
size_t pl_edit_distance(const char *a, const char *b);

#endif
