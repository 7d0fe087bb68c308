#include "tokenizer/prefix_tree.h"

#include <stdlib.h>

/* A node and a byte are 32 bits together, and the largest of them is a free slot. */
enum { NODES_MAX = (1 << 24) - 1 };

static struct pl__prefix_edge *slot_of(struct pl__prefix_edge *edges, size_t mask, uint32_t key)
{
    size_t at = pl__prefix_slot(key) & mask;
    while (edges[at].key != UINT32_MAX && edges[at].key != key) at = (at + 1) & mask;
    return &edges[at];
}

pl_status pl__prefix_tree_reserve(pl__prefix_tree *tree, size_t n_edges)
{
    size_t slots = 64, old_slots = tree->edges ? tree->mask + 1 : 0;
    while (slots < 2 * n_edges) slots *= 2;
    if (slots <= old_slots) return PL_OK;
    struct pl__prefix_edge *grown;
    PL_TRY(pl_new(&grown, slots));
    for (size_t i = 0; i < slots; i++) grown[i].key = UINT32_MAX;
    for (size_t i = 0; i < old_slots; i++)
        if (tree->edges[i].key != UINT32_MAX) *slot_of(grown, slots - 1, tree->edges[i].key) = tree->edges[i];
    free(tree->edges);
    tree->edges = grown;
    tree->mask = slots - 1;
    return PL_OK;
}

static pl_status new_node(pl__prefix_tree *tree, const char *where)
{
    if (tree->n_nodes == NODES_MAX)
        return pl_fail(PL_E_INPUT, "%s: the tokens have more than %d different prefixes", where, NODES_MAX);
    PL_TRY(pl_grow(&tree->values, &tree->values_capacity, tree->n_nodes + 1));
    tree->values[tree->n_nodes++] = -1;
    return PL_OK;
}

pl_status pl__prefix_tree_add(pl__prefix_tree *tree, const char *text, size_t size, int32_t value, const char *where)
{
    uint32_t node = 0;
    if (tree->n_nodes == 0) PL_TRY(new_node(tree, where));
    for (size_t i = 0; i < size; i++) {
        uint32_t key = node << 8 | (uint8_t)text[i];
        PL_TRY(pl__prefix_tree_reserve(tree, tree->n_edges + 1));
        struct pl__prefix_edge *edge = slot_of(tree->edges, tree->mask, key);
        if (edge->key == UINT32_MAX) {
            PL_TRY(new_node(tree, where));
            *edge = (struct pl__prefix_edge){key, (uint32_t)tree->n_nodes - 1};
            tree->n_edges++;
        }
        node = edge->child;
    }
    tree->values[node] = value;
    return PL_OK;
}

void pl__prefix_tree_free(pl__prefix_tree *tree)
{
    if (!tree->borrowed) {
        free(tree->edges);
        free(tree->values);
    }
    *tree = (pl__prefix_tree){0};
}

size_t pl__prefix_longest(const pl__prefix_tree *tree, const char *text, size_t size, int32_t *value)
{
    size_t longest = 0;
    uint32_t node = 0;
    for (size_t i = 0; i < size && (node = pl__prefix_step(tree, node, text[i])); i++)
        if (tree->values[node] >= 0) {
            longest = i + 1;
            *value = tree->values[node];
        }
    return longest;
}
