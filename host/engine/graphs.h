/* Recorded passes, of inference and of training. A pass is known by its views: one whose views were seen before runs
 * the same kernels over the same memory, so its recording can be replayed. The first sight of a pass runs it directly
 * (a backend may make choices then), the second records it, and from there on it is replayed. A device without
 * recording always runs directly. */
#ifndef PLUMB_ENGINE_GRAPHS_H
#define PLUMB_ENGINE_GRAPHS_H

#include "model/trainable.h"

enum { PL_GRAPHS = 64 }; /* kept; the least recently used goes */

/* A pass as numbers: every view, handle and layer in it. */
typedef struct pl__key {
    uint64_t *data;
    size_t n, capacity;
} pl__key;

typedef struct pl__recorded {
    pl__key key;     /* n == 0: the place is free */
    pl_graph *graph; /* NULL: seen once */
    uint64_t last_used;
} pl__recorded;

typedef struct pl_graphs {
    const pl_processor *processor; /* NULL: passes run directly */
    pl__recorded entries[PL_GRAPHS];
    pl__key key; /* of the pass at hand */
    uint64_t clock;
    size_t n_recorded, n_replayed; /* for tests and for people */
} pl_graphs;

/* PLUMB_GRAPHS=off in the environment runs every pass directly (same bits; to find out what is at fault); on, or unset,
 * records them where the device can. PL_E_USAGE for another value. */
pl_status pl_graphs_open(pl_graphs *graphs, const pl_processor *processor);
void pl_graphs_close(pl_graphs *graphs); /* takes {0} */

/* Forgets all recordings: to be called, with an empty stream, before memory that a pass may name is freed, because new
 * memory may get the old names. */
void pl_graphs_clear(pl_graphs *graphs);

/* Enqueues on the pass's stream what `enqueue` does with it: no waiting, no numbers of the host that change from one
 * time to the next. `variant` tells apart what else the pass's views do not. */
typedef pl_status pl_graphs_enqueue(void *user, const pl_pass *pass);
pl_status pl_graphs_run(pl_graphs *graphs, const pl_pass *pass, uint64_t variant, pl_graphs_enqueue *enqueue,
                        void *user);

#endif
