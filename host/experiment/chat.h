/* The chat template of a plan's models, and how the prompts of its units are asked. */
#ifndef PLUMB_EXPERIMENT_CHAT_H
#define PLUMB_EXPERIMENT_CHAT_H

#include "experiment/plan.h"

/* Where the experiment applies chat templates: opens the model's, and renders a chat with it, so that what it lacks or
 * refuses is said before anything runs. A template that refuses a system text is noted. */
pl_status pl_chat_prepare(pl_plan *plan, pl_plan_model *model);

/* How the unit's prompts are asked; *out is what the result points at. NULL: as plain text without a system text. */
const pl_chat_use *pl_unit_chat(pl_chat_use *out, const pl_plan *plan, const pl_plan_unit *unit);

/* 0 for plain text without a system text, else the condition's place among the experiment's and 1. */
size_t pl_unit_chat_index(const pl_plan *plan, const pl_plan_unit *unit);

#endif
