/* What a plan costs before it runs: tokens, floating-point operations, seconds and bytes on disk.
 *
 * Prompts of a few items of each cell are built and encoded; a unit's tokens are the prefix that its items share, once,
 * and what each item adds; then content-free inputs (`calibration`), scored with each different choice of the items.
 * Bytes are those of the unit file's parts. Seconds are the operations over what the device does of them in a second,
 * tried with a product of the model's own shape. */
#ifndef PLUMB_EXPERIMENT_ESTIMATE_H
#define PLUMB_EXPERIMENT_ESTIMATE_H

#include "experiment/plan.h"

typedef struct pl_estimate {
    size_t n_units, n_prompts;
    double tokens; /* computed, generated ones included */
    double operations;
    double disk_bytes;
    double open_bytes; /* tuned weights, until all that evaluates them is done: of one model at a time in a process */
} pl_estimate;

/* estimates[n_units]: of each unit. */
pl_status pl_estimate_units(pl_estimate *estimates, const pl_plan *plan);
void pl_estimate_add(pl_estimate *sum, const pl_estimate *one);

/* At so many operations a second (pl_estimate_rate). */
double pl_estimate_seconds(const pl_estimate *estimate, double per_second);
/* Operations a second of products of the model's shape on a device: a fraction of a second is spent. */
pl_status pl_estimate_rate(double *per_second, const pl_processor *processor, const pl_plan_model *model);

#endif
