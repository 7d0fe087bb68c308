/* The memory of a call, planned before its first step: how many tokens a step may have and how many key/value pages
 * there are, so that everything fits into what the device has free. When it cannot fit, one line says what needs how
 * much. */
#ifndef PLUMB_ENGINE_BUDGET_H
#define PLUMB_ENGINE_BUDGET_H

#include "engine/workspace.h"

/* What a call wants. */
typedef struct pl__demand {
    size_t n_rows;                  /* tokens of a step, at most */
    bool logits;                    /* whole rows of the head */
    size_t state_bytes, state_rows; /* captured states that stay on the device until the end; for the message */
    size_t bytes_a_row;             /* what else grows with the tokens of a step (streamed states) */
    size_t least_pages;             /* the longest path */
    size_t deepest_pages;           /* what runs depth-first without computing anything twice */
    size_t total_pages;             /* more are of no use */
} pl__demand;

typedef struct pl__memory {
    size_t n_rows, n_pages;
    bool tight; /* less than what was wanted: nothing larger is kept from earlier calls */
} pl__memory;

/* PL_E_INPUT when kv_tokens is too small, PL_E_MEMORY when the device is. */
pl_status pl__memory_plan(pl__memory *out, const pl_engine *engine, const pl__demand *demand);

/* Reserves activations and pages as planned. */
pl_status pl__memory_reserve(pl_engine *engine, const pl__memory *memory, bool logits);

#endif
