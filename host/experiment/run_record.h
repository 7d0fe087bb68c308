/* What a run writes down about itself, as JSON: manifest, plan, status, and a sidecar for each unit. New references. */
#ifndef PLUMB_EXPERIMENT_RUN_RECORD_H
#define PLUMB_EXPERIMENT_RUN_RECORD_H

#include "experiment/run.h"
#include "experiment/unit.h"

pl_status pl_record_plan(json_t **out, const pl_plan *plan);
pl_status pl_record_manifest(json_t **out, const pl_plan *plan);

/* status.json: what a process does now. Times count from the start of the process. */
typedef struct pl_run_state {
    const char *state; /* "starting", "running", "done", "failed", "drained" */
    const char *shard; /* "1-of-4"; "" */
    const char *unit;  /* the id of the unit that runs; NULL: none */
    const pl_run_summary *summary;
    double computing_s;              /* that the computed units took */
    double computed_cost, left_cost; /* of units, by pl_plan_unit.cost */
} pl_run_state;
pl_status pl_record_state(json_t **out, const pl_run_state *state);

typedef struct pl_unit_record {
    const pl_plan_unit *unit;
    const pl_unit_cost *cost;
    const pl_device_facts *device;
    const char *numerics_key;
    bool certified; /* promise 1 was tried with the loaded model */
    double wall_s;
} pl_unit_record;
pl_status pl_record_unit(json_t **out, const pl_unit_record *record);

#endif
