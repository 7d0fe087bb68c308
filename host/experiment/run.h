/* Running an experiment: every unit of the plan (or of one shard) that is not there yet, group by group. */
#ifndef PLUMB_EXPERIMENT_RUN_H
#define PLUMB_EXPERIMENT_RUN_H

#include "base/drain.h"
#include "experiment/spec.h"
#include "store/stages.h"

typedef struct pl_run_options {
    const char *results;    /* folder that holds run folders */
    const char *device;     /* as pl_processor_open takes it */
    int n_threads;          /* 0: all the process may use */
    size_t shard, n_shards; /* n_shards 0: the whole plan */
    size_t batch_tokens;    /* 0: default */
    bool no_sharing;        /* compute shared prefixes again and again (same bits; for comparison) */
    bool quiet;             /* no progress */
    bool helper;            /* another process of this launch says how the run stands (status.json) */
    /* Of a launch of several processes: called when all that is left of the share is in work in processes that live,
     * before this one looks again. NULL: the run ends then. What one of them has failed at is not tried by the others.
     */
    void (*wait)(void *listener);
    double since;      /* wall clock: when this launch began */
    const char *again; /* "--device cuda": how to go on, for people */
    pl_drain *drain;   /* NULL: never drained */
    /* Called with one line for people, about what is worth saying before the end; NULL: nobody listens. */
    void (*say)(void *listener, const char *line);
    void *listener;
    /* Of a staged run: what the finished units of a stage show. The same from the same files; called by whichever
     * process is first to find the stage finished. */
    pl_status (*look)(pl_look *out, const pl_run_folder *run, const pl_look_place *place);
} pl_run_options;

typedef struct pl_run_summary {
    pl_run_folder folder;
    size_t n_units;                                               /* of the whole plan */
    size_t n_share;                                               /* of this process's share */
    size_t n_found, n_adopted, n_computed, n_failed, n_elsewhere; /* of the share */
    size_t n_held;       /* of those elsewhere: by a process of which it cannot be told from here whether it lives */
    size_t n_waiting;    /* of the share: for a look at stages that are not finished */
    size_t n_not_needed; /* of the share: a look was enough */
    size_t n_refused;    /* of the share: another device computes their model in this run (numerics key) */
    size_t n_missing;    /* of the whole plan, needed and not finished when this process ended */
    size_t n_merged;     /* items of the computed units whose prompt and answer share a token */
    char first_refused[1024];
    char first_held[PL_PATH_MAX + 1024]; /* with the command that frees it */
    char first_failure[1024];
    size_t n_not_finite;         /* items of the computed units with a value that is NaN or infinite */
    char first_not_finite[1024]; /* where the first of them is */
} pl_run_summary;

/* PL_OK when the share is done; PL_E_UNITS when some units failed or are another device's; PL_E_DRAINED or
 * PL_E_INTERRUPTED after a signal. */
pl_status pl_run_experiment(pl_run_summary *out, const pl_spec *spec, const pl_run_options *options);

#endif
