#include "analysis/wobble_first.h"

#include <math.h>
#include <string.h>

static const double THRESHOLD = 0.5;

/* The best prompting arm of the verdict's model, task and readout. */
static const pl_arm_row *best_prompt(const pl_arms_table *arms, const pl_verdict_row *v)
{
    for (size_t i = 0; i < arms->n; i++) {
        const pl_arm_row *r = &arms->rows[i];
        if (r->best && !strcmp(r->model, v->model) && !strcmp(r->task, v->task) && !strcmp(r->readout, v->readout))
            return r;
    }
    return NULL;
}

void pl_wobble_first(pl_arms_table *arms, const pl_stability_table *table)
{
    for (size_t v = 0; v < arms->n_verdicts; v++) {
        pl_verdict_row *row = &arms->verdicts[v];
        const pl_arm_row *prompt = best_prompt(arms, row);
        row->wobble_first = "";
        row->wobble = row->wobble_lo = row->wobble_hi = NAN;
        for (size_t i = 0; prompt && i < table->n; i++) {
            const pl_stability_row *r = &table->rows[i];
            if (r->metric != PL_METRIC_WOBBLE_MARGIN || strcmp(r->contrast, "templates") || r->k != prompt->k ||
                strcmp(r->model, row->model) || strcmp(r->task, row->task) || strcmp(r->readout, row->readout) ||
                !pl_arm_is_of(prompt->arm, r->arm) || isnan(r->lo))
                continue;
            if (*row->wobble_first && r->draw >= 0) continue; /* the mean over draws, where there is one */
            row->wobble = r->value;
            row->wobble_lo = r->lo;
            row->wobble_hi = r->hi;
            row->wobble_first = r->lo > THRESHOLD ? pl_verdict_name(PL_FINETUNE) : pl_verdict_name(PL_PROMPT);
        }
    }
}
