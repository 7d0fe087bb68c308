/* An experiment file (formats.md, "Experiment file"): what is swept, what is captured, and the policies.
 *
 * Reading checks every key and value against the format and resolves ${VAR}; it opens no model and no task. */
#ifndef PLUMB_EXPERIMENT_SPEC_H
#define PLUMB_EXPERIMENT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/yaml.h"
#include "device/types.h"
#include "store/unit_file.h"
#include "task/task.h"
#include "train/train.h"

typedef enum pl_truncation {
    PL_TRUNCATION_ERROR,         /* a prompt that does not fit is an error: the default */
    PL_TRUNCATION_SKIP,          /* the item is left out of the cell */
    PL_TRUNCATION_DROP_SHOTS,    /* shots are dropped from the front until it fits */
    PL_TRUNCATION_TRUNCATE_LEFT, /* tokens are cut from the left */
    PL_TRUNCATIONS
} pl_truncation;
const char *pl_truncation_name(pl_truncation truncation);

typedef enum pl_readout { PL_READOUT_LOGLIKELIHOOD, PL_READOUT_GENERATE, PL_READOUTS } pl_readout;
const char *pl_readout_name(pl_readout readout);

/* Names of captured positions. */
enum { PL_POSITIONS = 5 };
typedef struct pl_position {
    const char *name;
    unsigned bit; /* PL_POSITION_* (engine.h) */
} pl_position;
extern const pl_position pl_positions[PL_POSITIONS];

typedef struct pl_spec_model {
    const char *path; /* a folder or a hub name, ${VAR} resolved */
    const char *name; /* last part of the path, and "@revision"; unique in the experiment */
    pl_dtype compute;
    size_t entry;         /* of the file's list of models */
    const char *base;     /* the path without the revision */
    const char *revision; /* a checkpoint of a training run: the last part of path; NULL: none */
} pl_spec_model;

/* Ways to adapt a model, in the order in which their units are planned. */
typedef enum pl_arm_kind { PL_ARM_PROMPT, PL_ARM_LINEAR, PL_ARM_FINETUNE, PL_ARM_KINDS } pl_arm_kind;
const char *pl_arm_name(pl_arm_kind kind);

/* What a tuned model answers with: label words through the vocabulary head, or a head with a row a label. */
enum { PL_HEAD_KINDS = 2 };
const char *pl_head_name(pl_head_kind head);

/* Labels of the training examples: as they are, or exchanged among them (a control that must end at chance). */
typedef enum pl_labelling { PL_LABELS_GIVEN, PL_LABELS_SHUFFLED, PL_LABELLINGS } pl_labelling;
const char *pl_labelling_name(pl_labelling labels);

/* The templates that an arm trains on: each example under one of them. */
typedef struct pl_mixture {
    size_t n; /* 0: not said, the task's first template of role id */
    const char **names;
} pl_mixture;

/* How a model is fine-tuned. */
typedef struct pl_recipe {
    size_t n_rates;
    const double *learning_rate; /* [n_rates] a grid: the best on dev items x dev templates counts */
    pl_train_settings settings;  /* the rest; its learning_rate and its seeds are a trial's */
    bool bf16;
    bool save; /* the tuned weights stay */
} pl_recipe;
/* Reads the keys of a map that are about training; whoever calls has checked which keys it may have. */
pl_status pl_recipe_read(pl_recipe *out, const pl_yaml_node *map, pl_arena *arena);

typedef struct pl_spec_arm {
    pl_arm_kind kind;
    const char *name; /* unique in the experiment; NULL: none */
    bool balance;     /* draws are balanced over classes */
    /* prompt */
    size_t n_shots; /* 0: not said, each task's num_fewshot */
    const size_t *shots;
    size_t draws, orders;
    bool readouts[PL_READOUTS];
    /* linear, finetune */
    size_t n_mixtures;
    const pl_mixture *mixtures; /* [n_mixtures] train_templates */
    size_t n_sizes;
    const size_t *n_train; /* [n_sizes] */
    size_t seeds;          /* draws of the training set */
    bool labels[PL_LABELLINGS];
    /* finetune */
    bool heads[PL_HEAD_KINDS];
    pl_recipe recipe;
    /* linear */
    size_t n_layers;
    const char **layers; /* of the states: names as in capture; among several, inner cross-validation chooses */
} pl_spec_arm;

/* How prompts are asked: a condition of the sweep. */
typedef struct pl_spec_chat {
    bool apply;         /* by the model's chat template; else as plain text */
    const char *system; /* the system text, of plain text what stands in front; NULL: none */
    bool multiturn;     /* shots are turns */
    const char *label;  /* what tables call it: "chat", "chat-multi-sys"; "": plain text without a system text */
} pl_spec_chat;

typedef struct pl_spec_template {
    const char *name;
    pl_role role;
} pl_spec_template;

typedef struct pl_spec {
    const char *path; /* of the file */
    const char *name;
    size_t n_models, n_tasks, n_templates, n_arms;
    const pl_spec_model *models;
    const char **tasks;                /* paths, resolved against the file's folder */
    const pl_spec_template *templates; /* chosen by name, with their roles; none: all of a task's */
    const pl_spec_arm *arms;
    size_t n_chats;
    const pl_spec_chat *chats; /* [n_chats] without `chat` the one of label "" */
    const char *chat_date;     /* "YYYY-MM-DD", the day that chat templates are told; NULL without `chat` */
    size_t items;              /* evaluated items a task; SIZE_MAX: all */
    size_t n_layers;
    const char **layers; /* "all", "default", "half", "last", "final_norm" or a number */
    unsigned positions;  /* mask of PL_POSITION_* (engine.h) */
    const char *suffix;  /* the text of position `suffix`; NULL: it is not kept */
    pl_dtype storage;
    size_t capture_items; /* rows whose states are kept; SIZE_MAX: all */
    pl_truncation truncation;
    json_t *primary;  /* contrasts, a list of objects with every key; NULL: none */
    json_t *verdict;  /* require and margin, where they are said, template_sd_max where `staged`; NULL: nothing is */
    json_t *analysis; /* what is asked for, each true; NULL: nothing is */
    bool staged;      /* arms run in the order of their cost, as far as they are needed (store/stages.h) */
    json_t *maps;     /* layers, perplexity, dims and seeds of analysis: tsne; NULL: no maps */
    uint64_t seed;
    pl_yaml_node *root; /* the experiment as it was read, overrides applied and ${VAR} resolved */
    pl_arena *arena;
} pl_spec;

/* overrides: "key=value" or "key.sub=value", each value YAML, applied before anything is checked. */
pl_status pl_spec_read(pl_spec **out, const char *path, const char *const *overrides, size_t n_overrides);
pl_status pl_spec_parse(pl_spec **out, const char *text, size_t size, const char *path, const char *const *overrides,
                        size_t n_overrides);
void pl_spec_free(pl_spec *spec); /* takes NULL */

/* Whether a condition is another one's but for shots: then there are no units of it without shots. */
bool pl_spec_chat_needs_shots(const pl_spec *spec, const pl_spec_chat *chat);

/* Appends the experiment as YAML that reads the same from anywhere: folders of models by absolute path, tasks by the
 * paths given. */
pl_status pl_spec_freeze(pl_bytes *out, const pl_spec *spec, const char *const *tasks);

#endif
