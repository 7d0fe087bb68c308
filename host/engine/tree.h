/* A prefix tree of token ids: sequences that begin alike share nodes, where both are far or neither is
 * (pl_config.border): else their keys and values differ.
 *
 * A node holds a run of tokens; their positions are absolute. Inserting a sequence may split a node: the new node then
 * takes the upper part, so a node that was handed out keeps its lower part, its children and its last position. A place
 * in the tree is therefore kept as (deepest node, position) and found again by walking up (pl__tree_at). Token ids are
 * borrowed from the inserted sequences. */
#ifndef PLUMB_ENGINE_TREE_H
#define PLUMB_ENGINE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

#define PL__NONE UINT32_MAX
#define PL__ROOT 0u

typedef struct pl__node {
    const int32_t *tokens; /* [n_tokens], borrowed */
    uint32_t first;        /* position of tokens[0] */
    uint32_t n_tokens;     /* 0 for the root only */
    bool far;              /* as its whole path */
    uint32_t parent, previous, next, first_child, last_child,
        n_children; /* children in order of their first insertion */
} pl__node;

typedef struct pl__tree {
    pl__node *nodes; /* nodes[PL__ROOT] is the root */
    size_t n_nodes, node_capacity;
    uint32_t *slots; /* hash table over (parent, first token, far) -> node; PL__NONE: empty */
    size_t n_slots;  /* a power of two */
    size_t n_tokens; /* distinct token positions */
} pl__tree;

pl_status pl__tree_open(pl__tree *tree); /* from {0} */
void pl__tree_close(pl__tree *tree);     /* takes {0} */

/* How a sequence is inserted. `alone`: as a root child of its own that shares nothing, now or later. `far`: it shares
 * nodes with far ones only. */
typedef struct pl__sharing {
    bool alone, far;
} pl__sharing;

/* Inserts ids[0..n), n >= 1; *end is the node that holds position n - 1, now and after later insertions as the deepest
 * node of pl__tree_at. */
pl_status pl__tree_insert(pl__tree *tree, const int32_t *ids, size_t n, pl__sharing sharing, uint32_t *end);

/* The node on the path to `node` that holds `position` (<= the node's last). */
uint32_t pl__tree_at(const pl__tree *tree, uint32_t node, size_t position);

/* The next node in pre-order, PL__NONE at the end; start from PL__ROOT. */
uint32_t pl__tree_next(const pl__tree *tree, uint32_t node);

static inline size_t pl__node_end(const pl__node *node)
{
    return (size_t)node->first + node->n_tokens;
}

#endif
