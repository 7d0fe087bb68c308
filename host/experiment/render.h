/* The prompts of a unit as they would run: made and encoded, not computed. */
#ifndef PLUMB_EXPERIMENT_RENDER_H
#define PLUMB_EXPERIMENT_RENDER_H

#include "base/json.h"
#include "experiment/plan.h"

/* Gives the first `most` items of a unit, one after the other, each an object that the listener borrows:
 *   doc_id, context, own_from (byte of the context where the item's own text begins), continuations, gold (index; null:
 *   none), target, ids and pieces of the prompt's tokens, continuation_ids and continuation_pieces (what is scored),
 *   merged, shots_dropped, tokens_cut.
 * PL_E_USAGE for a unit that learns: it has examples, not prompts. The rest as a run of the unit would fail. */
pl_status pl_render_unit(const pl_plan *plan, const pl_plan_unit *unit, size_t most,
                         void (*take)(void *listener, const json_t *item), void *listener);

#endif
