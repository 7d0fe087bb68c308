#include "experiment/ahead.h"

#include <stdio.h>

static void *build(void *argument)
{
    pl_ahead *a = argument;
    a->status = pl_unit_prompts_create(&a->prompts, a->plan, a->unit);
    if (a->status != PL_OK) snprintf(a->text, sizeof a->text, "%s", pl_error_text());
    return NULL;
}

void pl_ahead_start(pl_ahead *a, const pl_plan *plan, const pl_plan_unit *unit)
{
    pl_ahead_drop(a);
    a->plan = plan;
    a->unit = unit;
    if (pthread_create(&a->thread, NULL, build, a) != 0) a->unit = NULL;
}

pl_status pl_ahead_take(pl_ahead *a, const pl_plan *plan, const pl_plan_unit *unit, pl_unit_prompts **out)
{
    if (a->unit != unit) {
        pl_ahead_drop(a);
        return pl_unit_prompts_create(out, plan, unit);
    }
    pthread_join(a->thread, NULL);
    *out = a->prompts;
    a->unit = NULL;
    a->prompts = NULL;
    return a->status == PL_OK ? PL_OK : pl_fail(a->status, "%s", a->text);
}

void pl_ahead_drop(pl_ahead *a)
{
    if (!a->unit) return;
    pthread_join(a->thread, NULL);
    pl_unit_prompts_free(a->prompts);
    *a = (pl_ahead){0};
}
