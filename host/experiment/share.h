/* Which units of a plan are a process's own, when several share the work. */
#ifndef PLUMB_EXPERIMENT_SHARE_H
#define PLUMB_EXPERIMENT_SHARE_H

#include "experiment/plan.h"

/* The units of shard i of n, dealt out by cost, dearest first: mine[u] tells whether unit u is in it. n_shards 0: all
 * are. Of a staged run a model and task goes to one shard as a whole: it waits for no other before it looks. */
pl_status pl_share(bool *mine, const pl_plan *plan, size_t shard, size_t n_shards);

#endif
