/* The plan: an experiment's cells as units, each with an id made of all that decides its numbers.
 *
 * Planning opens tasks, tokenizers and checkpoints (mapped, nothing on a device) and computes their digests. */
#ifndef PLUMB_EXPERIMENT_PLAN_H
#define PLUMB_EXPERIMENT_PLAN_H

#include "base/digest.h"
#include "experiment/spec.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

/* Raised by hand when the bits of a result change: old units are then computed anew. */
enum { PL_NUMERICS_VERSION = 2 };

typedef struct pl_plan_model {
    const pl_spec_model *spec;
    char folder[PL_PATH_MAX];
    char digest[PL_HASH_TEXT]; /* of the weights */
    pl_checkpoint *checkpoint;
    pl_tokenizer *tokenizer;
    size_t n_layers, *layers; /* captured layers, ascending, 0..L+1 */
} pl_plan_model;

typedef struct pl_plan_task {
    pl_task *task;
    size_t n_items, *items; /* evaluated items, ascending indices into task->test */
    char items_digest[PL_HASH_TEXT];
    size_t *classes;   /* [fewshot->n] class of each possible shot; NULL: not a fixed label set */
    size_t n_choices;  /* of every item, for the chance value; 0: none, or not the same for all */
    bool fixed_labels; /* every item has the same choices: a label set */
    size_t n_templates;
    const pl_template **templates;
    pl_role *roles;
} pl_plan_task;

/* One unit: a prompt cell. */
typedef struct pl_plan_unit {
    char id[PL_HASH_TEXT];
    size_t model, task;
    const pl_spec_arm *arm;
    const pl_template *template;
    pl_role role;
    pl_readout readout;
    size_t k;
    uint32_t draw, order;
    bool captures;      /* states are stored with this unit */
    const char *config; /* canonical JSON: what the id is the hash of */
    double cost;        /* relative, for dealing units out to shards */
} pl_plan_unit;

typedef struct pl_plan {
    const pl_spec *spec;
    size_t n_models, n_tasks, n_units;
    pl_plan_model *models;
    pl_plan_task *tasks;
    pl_plan_unit *units;
    char hash[PL_HASH_TEXT]; /* over all unit ids */
    json_t *json;            /* plan.json */
    pl_arena *arena;
} pl_plan;

/* spec must outlive the plan. device_class: "cpu", ... */
pl_status pl_plan_create(pl_plan **out, const pl_spec *spec, const char *device_class);
void pl_plan_free(pl_plan *plan); /* takes NULL */

#endif
