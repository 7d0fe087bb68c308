/* The schedule: in which steps the tokens of a prefix tree run, and in which pages their keys and values stand.
 *
 * Depth-first over the nodes, each step filled up to its capacity across nodes. A node and its ancestors may run in one
 * step: all rows of a layer are written to the pages before any is attended to. A node that starts inside its parent's
 * last page goes on in that page when nobody has yet; its siblings copy the page first, which works only once the page
 * is whole on the device, so they wait for the next step (they stand first there). Pages are given back when a subtree
 * is done, at the beginning of the next step. When the pool cannot hold what waits, pages are dropped and their tokens
 * run again later (such rows are not `fresh`). Host bookkeeping only: no device here. */
#ifndef PLUMB_ENGINE_SCHEDULE_H
#define PLUMB_ENGINE_SCHEDULE_H

#include "engine/pages.h"
#include "engine/tree.h"

/* Consecutive tokens of one node in a step; its path in the page table is its index in the step. */
typedef struct pl__chunk {
    uint32_t node;
    uint32_t first, n; /* positions first..first + n - 1 */
    uint32_t row;      /* of position `first` in the step */
    uint32_t fresh;    /* positions from here on run for the first time */
} pl__chunk;

typedef struct pl__step {
    pl__chunk *chunks; /* [capacity] */
    size_t n_chunks, n_rows;
    int32_t (*copies)[2]; /* [capacity]: source page, new page */
    size_t n_copies;
} pl__step;

/* What the schedule knows of a node. */
typedef struct pl__node_state {
    size_t pages;      /* its own pages start here in pl__schedule.pages_of */
    uint32_t held;     /* tokens whose keys and values are in pages */
    uint32_t ran;      /* tokens that have run at least once */
    uint32_t open;     /* children whose subtrees are not done, and 1 until the node is complete */
    uint32_t finished; /* the step that ran its last token; 0: none yet */
    bool kept;         /* scratch of drop_pages */
} pl__node_state;

typedef struct pl__schedule {
    const pl__tree *tree;
    pl__pages *pages;
    pl__node_state *node_states; /* [n_nodes] */
    int32_t *pages_of;
    uint32_t *stack; /* nodes to run, the next on top */
    size_t n_stack;
    uint32_t *deferred; /* nodes that wait for the next step */
    size_t n_deferred;
    uint32_t *done; /* nodes whose pages go back at the next step */
    size_t n_done;
    size_t capacity, longest, deepest; /* rows of a step; pages of the longest path; pages held along the worst path */
    uint64_t shuffle_seed, n_draws;
    uint32_t n_steps;
    pl__step step;
    size_t n_ran, n_again; /* rows in all; of those, rows that ran before */
} pl__schedule;

/* Pages of the longest path (fewer cannot work) and pages that depth-first order may hold along one path. */
void pl__schedule_pages(const pl__tree *tree, size_t *longest, size_t *deepest);

/* PL_E_INPUT when the pool is smaller than the longest path. */
pl_status pl__schedule_open(pl__schedule *schedule, const pl__tree *tree, pl__pages *pages, size_t capacity,
                            uint64_t shuffle_seed); /* from {0}; tree and pages are borrowed */
void pl__schedule_close(pl__schedule *schedule);    /* takes {0}; gives its pages back */

/* Plans the next step into schedule->step; n_rows == 0: everything has run. */
pl_status pl__schedule_next(pl__schedule *schedule);

/* The page table of a path: row[i] is the page of positions i * PL_PAGE.. of the path to `node`, up to position end - 1
 * (held by the current step or an earlier one). */
void pl__schedule_path(const pl__schedule *schedule, uint32_t node, size_t end, int32_t *row);

#endif
