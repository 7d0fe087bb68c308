/* Which items belong together: those whose field plumb.group (of the task file) has the same value. Intervals take such
 * items as one (statistics/crossed.h). */
#ifndef PLUMB_ANALYSIS_CLUSTERS_H
#define PLUMB_ANALYSIS_CLUSTERS_H

#include <stdint.h>

#include "analysis/record.h"
#include "base/memory.h"
#include "statistics/crossed.h"
#include "store/plan_file.h"

/* An item of a task and a number for its group: equal numbers, equal values. */
typedef struct pl__item_group {
    int64_t doc_id;
    uint64_t group;
} pl__item_group;

/* The items of a task that were seen, sorted by doc_id. */
typedef struct pl__item_groups {
    pl__item_group *list;
    size_t n, capacity;
} pl__item_groups;

/* The task's field; NULL: items are their own clusters. */
const char *pl__group_field(const pl_planned_task *task);
/* Learns the groups of a unit's items that were not seen yet, from its samples. */
pl_status pl__item_groups_add(pl__item_groups *groups, const char *field, const pl__record *record, const char *path);
/* The group of an item; an item that was not seen is its own. */
uint64_t pl__item_group_of(const pl__item_groups *groups, int64_t doc_id);
void pl__item_groups_free(pl__item_groups *groups); /* takes {0} */

/* Clusters of n items whose groups are group_of[n]; NULL: each is its own. Lists are the arena's. */
pl_status pl__clusters_make(pl_clusters *out, const uint64_t *group_of, size_t n, pl_arena *arena);

#endif
