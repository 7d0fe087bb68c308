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
enum { PL_POSITIONS = 4 };
typedef struct pl_position {
    const char *name;
    unsigned bit; /* PL_POSITION_* (engine.h) */
} pl_position;
extern const pl_position pl_positions[PL_POSITIONS];

typedef struct pl_spec_model {
    const char *path; /* a folder or a hub name, ${VAR} resolved */
    const char *name; /* last part of the path, unique in the experiment */
    pl_dtype compute;
} pl_spec_model;

/* An arm of kind `prompt`. */
typedef struct pl_spec_arm {
    size_t n_shots; /* 0: not said, each task's num_fewshot */
    const size_t *shots;
    size_t draws, orders;
    bool readouts[PL_READOUTS];
    bool balance; /* shots are balanced over classes */
} pl_spec_arm;

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
    size_t items; /* evaluated items a task; SIZE_MAX: all */
    size_t n_layers;
    const char **layers; /* "all", "default", "half", "last", "final_norm" or a number */
    unsigned positions;  /* mask of PL_POSITION_* (engine.h) */
    pl_dtype storage;
    size_t capture_items; /* rows whose states are kept; SIZE_MAX: all */
    pl_truncation truncation;
    uint64_t seed;
    pl_yaml_node *root; /* the experiment as it was read, overrides applied and ${VAR} resolved */
    pl_arena *arena;
} pl_spec;

/* overrides: "key=value" or "key.sub=value", each value YAML, applied before anything is checked. */
pl_status pl_spec_read(pl_spec **out, const char *path, const char *const *overrides, size_t n_overrides);
pl_status pl_spec_parse(pl_spec **out, const char *text, size_t size, const char *path, const char *const *overrides,
                        size_t n_overrides);
void pl_spec_free(pl_spec *spec); /* takes NULL */

/* Appends the experiment as YAML that reads the same from anywhere: folders of models by absolute path, tasks by the
 * paths given. */
pl_status pl_spec_freeze(pl_bytes *out, const pl_spec *spec, const char *const *tasks);

#endif
