/* The plan: an experiment's cells as units, each with an id made of all that decides its numbers.
 *
 * Planning opens tasks, tokenizers and checkpoints (mapped, nothing on a device) and computes their digests. */
#ifndef PLUMB_EXPERIMENT_PLAN_H
#define PLUMB_EXPERIMENT_PLAN_H

#include "base/digest.h"
#include "experiment/identity.h"
#include "experiment/rows.h"
#include "experiment/spec.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

/* More units than this in one experiment are refused before they are planned: a file of each stands in one folder. */
enum { PL_UNITS_MAX = 1000000 };

typedef struct pl_plan_model {
    const pl_spec_model *spec;
    char folder[PL_PATH_MAX];
    char digest[PL_HASH_TEXT]; /* of the weights */
    char config_digest[PL_HASH_TEXT];
    pl_ids stops; /* ids that end a generation */
    pl_checkpoint *checkpoint;
    pl_tokenizer *tokenizer;
    size_t n_layers, *layers; /* captured layers, ascending, 0..L+1 */
    pl_chat *chat;            /* its chat template; NULL where no condition applies one */
} pl_plan_model;

typedef struct pl_plan_task {
    pl_task *task;
    size_t n_items, *items; /* evaluated items, ascending indices into task->test */
    char items_digest[PL_HASH_TEXT];
    bool has_classes;   /* the pool of shots has classes: a fixed label set */
    size_t *classes;    /* [fewshot->n] class of each possible shot; NULL: it has none, or no shots are drawn */
    size_t n_choices;   /* of every item, for the chance value; 0: none, or not the same for all */
    bool fixed_labels;  /* every item has the same choices: a label set */
    json_t *generation; /* what generated answers depend on (pl_task_generation_json) */
    pl_rows rows;       /* what its rows have in common */
    size_t n_templates;
    const pl_template **templates;
    pl_role *roles;
} pl_plan_task;

/* A model that was adapted to a task: what a learning unit makes, and what its evaluations are of. */
typedef struct pl_examples pl_examples; /* examples.h */
typedef struct pl_adaptation {
    const pl_spec_arm *arm;
    pl_head_kind head; /* finetune */
    pl_labelling labels;
    const char *train_template; /* "standard", or "standard+short": a mixture */
    size_t n_train;
    uint32_t draw;
    const pl_examples *examples;
    size_t n_dev_templates; /* that choices are made by, on the examples' dev items */
    const pl_template **dev_templates;
    size_t n_layers, *layers; /* linear: of the states; ascending */
    size_t unit;              /* the learning unit; its evaluations follow it at once */
} pl_adaptation;

/* One unit: a prompt cell, a model that learns, or an evaluation of what it learned. */
typedef struct pl_plan_unit {
    char id[PL_HASH_TEXT];
    size_t model, task;
    const pl_spec_arm *arm;
    const pl_adaptation *adaptation; /* NULL: the checkpoint as it is */
    bool learns;                     /* makes the adaptation; else evaluates */
    const pl_template *template;     /* of one that learns: the first that it trains on */
    size_t template_place;           /* among the task's; SIZE_MAX: of one that learns */
    pl_role role;
    const pl_spec_chat *chat; /* how its prompts are asked; NULL: plain text without a system text */
    pl_readout readout;
    size_t k;
    uint32_t draw, order;
    bool captures; /* states are stored with this unit */
    double cost;   /* relative, for dealing units out to shards */
} pl_plan_unit;

typedef struct pl_plan {
    const pl_spec *spec;
    size_t n_models, n_tasks, n_units;
    pl_plan_model *models;
    pl_plan_task *tasks;
    pl_plan_unit *units;
    char hash[PL_HASH_TEXT]; /* over all unit ids */
    char unicode[PL_UNICODE_TEXT];
    const char **notes; /* what the data and the pool leave of what was asked for, for people: pl_plan_notes */
    size_t n_notes, notes_capacity;
    pl_arena *arena;
} pl_plan;

/* spec must outlive the plan. */
pl_status pl_plan_create(pl_plan **out, const pl_spec *spec);
void pl_plan_free(pl_plan *plan); /* takes NULL */

/* What a person should know before the plan runs, a line each: shot counts that mean one set of shots, pools with fewer
 * sets than draws. */
void pl_plan_notes(const pl_plan *plan, void (*say)(void *listener, const char *line), void *listener);

/* Whether a head with a row a label answers: the readout of `linear`, or the classifier of `finetune`. */
bool pl_unit_has_head(const pl_plan_unit *unit);

/* What a unit is called in messages: "template short, k = 4, draw 1" or "finetune lm standard n=64, draw 1". */
enum { PL_UNIT_NAME = 300 };
void pl_plan_unit_name(char out[PL_UNIT_NAME], const pl_plan_unit *unit);

/* Whether the task's content-free inputs are scored with the unit: it prompts, and reads label log-likelihoods of a
 * fixed label set. */
bool pl_plan_calibrates(const pl_plan *plan, const pl_plan_unit *unit);

/* Appends the text that a unit's id is the hash of. */
pl_status pl_plan_identity(pl_bytes *out, const pl_plan *plan, const pl_plan_unit *unit);

#endif
