/* The keys of an experiment file: one table, read by the parser (spec.c) and held to the reference page by a test. */
#ifndef PLUMB_EXPERIMENT_SPEC_KEYS_H
#define PLUMB_EXPERIMENT_SPEC_KEYS_H

#include "base/yaml.h"

extern const pl_yaml_key pl_spec_root_keys[], pl_spec_model_keys[], pl_spec_template_keys[], pl_spec_arm_keys[],
    pl_spec_linear_keys[], pl_spec_finetune_keys[], pl_corpus_keys[], pl_spec_capture_keys[], pl_spec_primary_keys[],
    pl_spec_chat_keys[], pl_spec_primary_arm_keys[], pl_spec_verdict_keys[], pl_spec_analysis_keys[],
    pl_spec_maps_keys[];

/* All of them, with the place where each stands. */
extern const pl_yaml_section pl_spec_sections[];

#endif
