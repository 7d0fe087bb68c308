/* Texts that are kept once however often they come: equal texts are one pointer. */
#ifndef PLUMB_BASE_INTERNED_H
#define PLUMB_BASE_INTERNED_H

#include "base/memory.h"

/* Start from {.arena = ...}, which owns the texts; release the table with pl_interned_free. */
typedef struct pl_interned {
    pl_arena *arena;
    const char **slots; /* [n_slots]: a power of two, at least half of them free */
    size_t n, n_slots;
} pl_interned;

/* *out is the one copy of text; NULL gives NULL. */
pl_status pl_intern(pl_interned *texts, const char **out, const char *text);
void pl_interned_free(pl_interned *texts); /* the texts stay */

#endif
