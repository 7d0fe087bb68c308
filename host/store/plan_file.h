/* plan.json, both ways: the models, the tasks and the units of a run. The one place that knows its keys; whoever needs
 * a plan without the experiment (the table, the report, status) reads it here.
 *
 * A fact stands once: what belongs to a model or a task is said there, and a unit names them. */
#ifndef PLUMB_STORE_PLAN_FILE_H
#define PLUMB_STORE_PLAN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "store/run_folder.h"

enum { PL_PLAN_FORMAT_VERSION = 2 };

typedef struct pl_planned_model {
    const char *name;
    const char *weights, *tokenizer; /* digests */
    const char *model_type;          /* as config.json has it */
    size_t parameters;
    bool random_weights; /* the checkpoint says so: no skill is expected */
} pl_planned_model;

typedef struct pl_planned_template {
    const char *name;
    const char *role; /* "id", "dev", "ood" */
    /* doc_to_text, doc_to_target, doc_to_choice, target_delimiter, ... as the task file has them, under
     * lm-evaluation-harness' names; under "plumb" the task's `group`, if it has one. NULL: not told. */
    json_t *config;
} pl_planned_template;

typedef struct pl_planned_task {
    const char *name, *version, *task_hash;
    const char *filter; /* of generated answers, as results.json names it behind a metric; "none" */
    json_t *metrics;    /* names of those in metric_list that are no means over items: a list; NULL: none */
    size_t items;       /* evaluated */
    size_t test_items;  /* of the evaluated split */
    size_t n_labels;    /* choices of every item; 0: an open answer, or not the same for all */
    size_t n_templates;
    pl_planned_template *templates;
} pl_planned_task;

typedef struct pl_planned_unit {
    const char *id;
    size_t model, task; /* indices of the plan's */
    const char *arm, *readout, *template_name, *role;
    const char *arm_name; /* that the experiment gives the arm; NULL: none */
    const char *chat;     /* how prompts are asked: "chat", "chat-multi", ..; NULL: as plain text */
    const char *system;   /* the experiment's text for the system turn; NULL: none */
    size_t k, draw, order;
    uint64_t seed;
    /* Of arms that learn; else NULL, 0. */
    const char *head;           /* "lm", "classifier"; "" for arms that have no choice */
    const char *train_template; /* "standard", "standard+short" */
    const char *labels;         /* "given", "shuffled" */
    const char *learned_by;     /* id of the unit that adapted the model; NULL: this is such a unit */
    size_t n_train;
} pl_planned_unit;

/* Whether the unit adapts a model: it has examples, not evaluated items. */
bool pl_planned_learns(const pl_planned_unit *unit);

typedef struct pl_plan_file {
    const char *name, *hash;
    size_t n_models, n_tasks, n_units;
    pl_planned_model *models;
    pl_planned_task *tasks;
    pl_planned_unit *units;
    json_t *primary;  /* the experiment's primary contrasts, a list of objects; NULL: none */
    json_t *analysis; /* what is asked of the analysis: an object of true; NULL: nothing */
    json_t *verdict;  /* how the verdict is to be given: an object of numbers; NULL: by its defaults */
    bool staged;      /* arms run in the order of their cost, as far as they are needed (stages.h) */
    json_t *maps;     /* maps to make: an object of layers (texts), perplexity, dims and seeds; NULL: none */
    pl_arena *arena;  /* of one that was read: owns everything; NULL: all is borrowed */
} pl_plan_file;

bool pl_planned_analysis(const pl_plan_file *file, const char *what); /* whether the analysis is asked for it */

/* The plan as JSON; a new reference. */
pl_status pl_plan_file_json(json_t **out, const pl_plan_file *file);

/* The plan of a run folder. PL_E_INPUT names file, unit (or model, task) and key that are wrong. */
pl_status pl_plan_file_read(pl_plan_file **out, const pl_run_folder *run);
pl_status pl_plan_file_parse(pl_plan_file **out, const json_t *json, const char *path);
void pl_plan_file_free(pl_plan_file *file); /* takes NULL */

#endif
