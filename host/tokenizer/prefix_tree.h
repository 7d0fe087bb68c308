/* Texts by their prefixes: all texts of a set that begin at a place of another text are found in one walk over its
 * bytes. Edges lie in one table, open addressing over (node, byte). */
#ifndef PLUMB_TOKENIZER_PREFIX_TREE_H
#define PLUMB_TOKENIZER_PREFIX_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Start from {0}. Node 0 is the root. */
typedef struct pl__prefix_tree {
    struct pl__prefix_edge {
        uint32_t key; /* node << 8 | byte; UINT32_MAX: a free slot */
        uint32_t child;
    } * edges;
    size_t mask, n_edges;
    int32_t *values; /* by node; -1: no text ends there */
    size_t n_nodes, values_capacity;
    bool borrowed; /* of a compiled table (table.h): nothing is added, nothing is freed */
} pl__prefix_tree;

/* Room for n edges; more make room for themselves. */
pl_status pl__prefix_tree_reserve(pl__prefix_tree *tree, size_t n_edges);
/* Adds a text that is not empty, or gives it another value (0 or more). `where` names the file in errors. */
pl_status pl__prefix_tree_add(pl__prefix_tree *tree, const char *text, size_t size, int32_t value, const char *where);
void pl__prefix_tree_free(pl__prefix_tree *tree); /* takes {0} */

static inline size_t pl__prefix_slot(uint32_t key)
{
    return (size_t)((key * 0x9E3779B97F4A7C15u) >> 29);
}

/* The node one byte further; 0: nothing goes on with it. */
static inline uint32_t pl__prefix_step(const pl__prefix_tree *tree, uint32_t node, char byte)
{
    uint32_t key = node << 8 | (uint8_t)byte;
    if (tree->n_edges == 0) return 0;
    for (size_t at = pl__prefix_slot(key) & tree->mask;; at = (at + 1) & tree->mask) {
        if (tree->edges[at].key == key) return tree->edges[at].child;
        if (tree->edges[at].key == UINT32_MAX) return 0;
    }
}

/* Bytes of the longest text of the set that text[0..size) begins with, and its value; 0: none. */
size_t pl__prefix_longest(const pl__prefix_tree *tree, const char *text, size_t size, int32_t *value);

#endif
