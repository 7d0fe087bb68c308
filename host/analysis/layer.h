/* The states of one position and layer under all templates of a member. Items stand in an order by chance that depends
 * on their doc_ids alone, one of each group (plumb.group) before all others: the first so many of them are a sample,
 * however a data set is sorted. One layer is in memory at a time: T x n x C floats. */
#ifndef PLUMB_ANALYSIS_LAYER_H
#define PLUMB_ANALYSIS_LAYER_H

#include "analysis/group.h"

/* Token ids of the rows of a unit's /obs: row r has ids[indptr[r]..indptr[r + 1]]. */
typedef struct pl__prompts {
    uint64_t *indptr;
    int32_t *ids;
} pl__prompts;

typedef struct pl__layer {
    const char *position, *name; /* of "last.05": "last", "05" */
    size_t n, t, width;          /* n: items whose states are there and finite under every template */
    size_t n_apart;              /* the first so many items are of a group each */
    float **states;              /* t of [n, width] */
    uint64_t items;              /* tells sets of items apart */
    uint64_t *group_of;          /* [n], or NULL: as the group's */
    double **tokens;             /* t of [n]: of each item's prompt; NULL: nobody asked */
    pl__prompts *prompts;        /* [t], of each template's unit, whatever the layer; NULL: a unit has none; borrowed */
    size_t *item;                /* [n]: the place among the group's items */
    bool probed;                 /* probes are made here (probe.c): the caller's choice */
    size_t n_captured, n_not_finite;
    size_t n_absent;          /* items that have no state at this position: a mean over no token, no gold label */
    int64_t first_not_finite; /* doc_id */
    const char *first_template;
} pl__layer;

/* Names ("last.05") of the states that every unit of the member has, in the order of the first. */
pl_status pl__layer_names(const char ***names, size_t *n, pl_unit_reader *const *readers, size_t t, pl_arena *arena);
/* Texts are the arena's. Free the layer. */
pl_status pl__layer_read(pl__layer *out, const pl__group *group, const pl__member *member,
                         pl_unit_reader *const *readers, const char *name, pl_arena *arena);
/* Fills tokens. */
pl_status pl__layer_read_tokens(pl__layer *layer, const pl__member *member, pl_unit_reader *const *readers);
/* Prompts [t] of the member's units, which are the arena's; NULL: a unit has none. */
pl_status pl__prompts_read(pl__prompts **out, const pl__member *member, pl_unit_reader *const *readers,
                           pl_arena *arena);
/* How often each of the *width distinct tokens is in the prompt of each of the layer's first n items: [n, width]
 * floats; the caller frees them. NULL: there are more than PL__BAG_TOKENS_MAX. */
enum { PL__BAG_TOKENS_MAX = 1 << 14 };
pl_status pl__layer_bags(float **out, size_t *width, const pl__layer *layer, const pl__member *member, size_t template,
                         size_t n);
void pl__layer_free(pl__layer *layer); /* takes {0} */

#endif
