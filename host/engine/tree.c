/* The prefix tree: children are found by a hash of (parent, first token, far), so that a node with thousands of
 * children costs no more than one with two. */
#include "engine/tree.h"

#include <stdlib.h>

static size_t slot_of(const pl__tree *tree, uint32_t parent, int32_t token, bool far)
{
    uint64_t h = ((uint64_t)parent << 32 | (uint64_t)far << 31 | (uint32_t)token) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
    size_t slot = (size_t)h & (tree->n_slots - 1);
    while (tree->slots[slot] != PL__NONE) {
        const pl__node *node = &tree->nodes[tree->slots[slot]];
        if (node->parent == parent && node->tokens[0] == token && node->far == far) break;
        slot = (slot + 1) & (tree->n_slots - 1);
    }
    return slot;
}

/* Doubles the table when half full. Nodes that stand alone are not in it. */
static pl_status make_room(pl__tree *tree)
{
    if (tree->n_nodes * 2 < tree->n_slots) return PL_OK;
    pl__tree wider = *tree;
    wider.n_slots = tree->n_slots ? tree->n_slots * 2 : 64;
    PL_TRY(pl_new(&wider.slots, wider.n_slots));
    for (size_t i = 0; i < wider.n_slots; i++) wider.slots[i] = PL__NONE;
    for (size_t i = 0; i < tree->n_slots; i++) {
        if (tree->slots[i] == PL__NONE) continue;
        const pl__node *node = &tree->nodes[tree->slots[i]];
        wider.slots[slot_of(&wider, node->parent, node->tokens[0], node->far)] = tree->slots[i];
    }
    free(tree->slots);
    *tree = wider;
    return PL_OK;
}

pl_status pl__tree_open(pl__tree *tree)
{
    *tree = (pl__tree){0};
    PL_TRY(pl_grow(&tree->nodes, &tree->node_capacity, 16));
    tree->n_nodes = 1;
    tree->nodes[PL__ROOT] = (pl__node){
        .parent = PL__NONE, .previous = PL__NONE, .next = PL__NONE, .first_child = PL__NONE, .last_child = PL__NONE};
    pl_status status = make_room(tree);
    if (status != PL_OK) pl__tree_close(tree);
    return status;
}

void pl__tree_close(pl__tree *tree)
{
    free(tree->nodes);
    free(tree->slots);
    *tree = (pl__tree){0};
}

static pl_status add_node(pl__tree *tree, uint32_t *out)
{
    if (tree->n_nodes >= PL__NONE - 1) return pl_fail(PL_E_INPUT, "prefix tree: more than %u nodes", PL__NONE - 1);
    PL_TRY(pl_grow(&tree->nodes, &tree->node_capacity, tree->n_nodes + 1));
    *out = (uint32_t)tree->n_nodes++;
    return PL_OK;
}

static pl_status add_child(pl__tree *tree, uint32_t parent, const int32_t *ids, size_t first, size_t n, bool far,
                           uint32_t *out)
{
    PL_TRY(add_node(tree, out));
    pl__node *p = &tree->nodes[parent];
    tree->nodes[*out] = (pl__node){.tokens = ids + first,
                                   .first = (uint32_t)first,
                                   .n_tokens = (uint32_t)(n - first),
                                   .far = far,
                                   .parent = parent,
                                   .previous = p->last_child,
                                   .next = PL__NONE,
                                   .first_child = PL__NONE,
                                   .last_child = PL__NONE};
    if (p->last_child == PL__NONE)
        p->first_child = *out;
    else
        tree->nodes[p->last_child].next = *out;
    p->last_child = *out;
    p->n_children++;
    tree->n_tokens += n - first;
    return PL_OK;
}

/* Cuts `node` before its token `k`: a new node takes tokens [0, k) and the node's place among its siblings. */
static pl_status split(pl__tree *tree, uint32_t node, uint32_t k, uint32_t *out)
{
    PL_TRY(add_node(tree, out));
    pl__node *lower = &tree->nodes[node], *upper = &tree->nodes[*out], *parent = &tree->nodes[lower->parent];
    size_t slot = slot_of(tree, lower->parent, lower->tokens[0], lower->far);
    *upper = *lower;
    upper->n_tokens = k;
    upper->first_child = upper->last_child = node;
    upper->n_children = 1;
    if (upper->previous == PL__NONE)
        parent->first_child = *out;
    else
        tree->nodes[upper->previous].next = *out;
    if (upper->next == PL__NONE)
        parent->last_child = *out;
    else
        tree->nodes[upper->next].previous = *out;
    lower->tokens += k;
    lower->first += k;
    lower->n_tokens -= k;
    lower->parent = *out;
    lower->previous = lower->next = PL__NONE;
    tree->slots[slot] = *out;
    tree->slots[slot_of(tree, *out, lower->tokens[0], lower->far)] = node;
    return PL_OK;
}

pl_status pl__tree_insert(pl__tree *tree, const int32_t *ids, size_t n, pl__sharing sharing, uint32_t *end)
{
    *end = PL__NONE;
    if (n == 0 || n > INT32_MAX) return pl_fail(PL_E_INTERNAL, "prefix tree: a sequence of %zu tokens", n);
    if (sharing.alone) return add_child(tree, PL__ROOT, ids, 0, n, sharing.far, end);
    PL_TRY(make_room(tree));
    uint32_t at = PL__ROOT;
    size_t position = 0;
    while (position < n) {
        size_t slot = slot_of(tree, at, ids[position], sharing.far);
        uint32_t child = tree->slots[slot];
        if (child == PL__NONE) {
            PL_TRY(add_child(tree, at, ids, position, n, sharing.far, &child));
            tree->slots[slot] = child;
            at = child;
            break;
        }
        const pl__node *node = &tree->nodes[child];
        size_t k = 0, most = n - position < node->n_tokens ? n - position : node->n_tokens;
        while (k < most && node->tokens[k] == ids[position + k]) k++;
        position += k;
        at = child;
        if (k == node->n_tokens || position == n) continue;
        PL_TRY(split(tree, child, (uint32_t)k, &at));
        PL_TRY(make_room(tree));
    }
    *end = at;
    return PL_OK;
}

uint32_t pl__tree_at(const pl__tree *tree, uint32_t node, size_t position)
{
    while (tree->nodes[node].first > position) node = tree->nodes[node].parent;
    return node;
}

uint32_t pl__tree_next(const pl__tree *tree, uint32_t node)
{
    if (tree->nodes[node].first_child != PL__NONE) return tree->nodes[node].first_child;
    while (node != PL__NONE && tree->nodes[node].next == PL__NONE) node = tree->nodes[node].parent;
    return node == PL__NONE ? PL__NONE : tree->nodes[node].next;
}
