/* The keys of a task file: one table, read by the parser (task.c, task_file.c, template.c) and held to the reference
 * page by a test. Names, defaults and meanings are lm-evaluation-harness', but for what stands under `plumb`. */
#ifndef PLUMB_TASK_TASK_KEYS_H
#define PLUMB_TASK_TASK_KEYS_H

#include "base/yaml.h"

extern const pl_yaml_key pl_task_root_keys[], pl_task_split_keys[], pl_task_dataset_keys[], pl_task_generation_keys[],
    pl_task_metric_keys[], pl_task_filter_keys[], pl_task_filter_step_keys[], pl_task_fewshot_keys[],
    pl_task_metadata_keys[], pl_task_plumb_keys[], pl_task_template_keys[];

/* Keys of lm-evaluation-harness that change no number: accepted, and in no digest. */
#define PL_TASK_IDLE_KEYS                                                                                              \
    "tag", "group", "task_alias", "should_decontaminate", "doc_to_decontamination_query", "repeats", "unsafe_code"

/* Keys that say where data lie: the data's digest stands for them. */
#define PL_TASK_PLACE_KEYS                                                                                             \
    "include", "dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split", "test_split",   \
        "fewshot_split"

/* All of them, with the place where each stands. */
extern const pl_yaml_section pl_task_sections[];

#endif
