/* What a reader of the table must know beside its numbers, gathered while groups and layers pass by. */
#ifndef PLUMB_ANALYSIS_REMARKS_H
#define PLUMB_ANALYSIS_REMARKS_H

#include "analysis/layer.h"
#include "analysis/stability.h"

/* Prompts of a model and task whose last token is also part of the answer. */
typedef struct pl__merged {
    const char *model, *task;
    size_t n, of;
} pl__merged;

typedef struct pl__remarks {
    const char **lines; /* texts in the arena */
    size_t n, capacity;
    pl__merged *merged;
    size_t n_merged, merged_capacity;
    bool one_draw;     /* of some k > 0 */
    bool one_template; /* under which states were stored: whoever finds it says so */
    /* Of the group that is passing by: */
    size_t layers_not_finite, layers_outlying;
} pl__remarks;

pl_status pl__remarks_group(pl__remarks *r, pl_arena *arena, const pl__group *group);
pl_status pl__remarks_layer(pl__remarks *r, pl_arena *arena, const pl__group *group, const pl__layer *layer);
/* The lines as the table's own, then the rest of what was gathered. */
pl_status pl__remarks_finish(pl__remarks *r, pl_stability_table *table);
void pl__remarks_free(pl__remarks *r); /* takes {0} */

#endif
