/* The family table: the list of families, and what its letters and conditions mean for a config. */
#include "model/family.h"

#include <string.h>

#include "model/family_facts.h"

static const pl_family *const families[] = {
    &pl__gpt2,    &pl__gpt_neox,    &pl__llama,    &pl__mistral,
    &pl__qwen2,   &pl__qwen3,       &pl__smollm3,  &pl__gemma,
    &pl__gemma2,  &pl__gemma3_text, &pl__olmo2,    &pl__opt,
    &pl__phi,     &pl__phi3,        &pl__granite,  &pl__granitemoehybrid,
    &pl__gpt_neo, &pl__gptj,        &pl__stablelm, &pl__starcoder2,
    &pl__falcon,  &pl__bloom,       &pl__mpt,
};

static const pl__slot_fact slots[PL__SLOTS] = {
    [PL__EMBED] = {PL__TABLE, 'V', 'E', 0},         [PL__POSITIONS] = {PL__TABLE, 'P', 'C', 1},
    [PL__FINAL_NORM] = {PL__VECTOR, '1', 'C', 2},   [PL__FINAL_NORM_BIAS] = {PL__VECTOR, '1', 'C', 3},
    [PL__HEAD] = {PL__MATRIX, 'N', 'E', 4},         [PL__HEAD_BIAS] = {PL__VECTOR, '1', 'N', 5},
    [PL__NORM_1] = {PL__VECTOR, '1', 'C', 6},       [PL__NORM_1_BIAS] = {PL__VECTOR, '1', 'C', 7},
    [PL__QKV] = {PL__MATRIX, 'A', 'C', 8},          [PL__QKV_BIAS] = {PL__VECTOR, '1', 'A', 9},
    [PL__Q_NORM] = {PL__VECTOR, '1', 'q', 10},      [PL__K_NORM] = {PL__VECTOR, '1', 'k', 11},
    [PL__OUT] = {PL__MATRIX, 'C', 'Q', 12},         [PL__OUT_BIAS] = {PL__VECTOR, '1', 'C', 13},
    [PL__NORM_2] = {PL__VECTOR, '1', 'C', 14},      [PL__NORM_2_BIAS] = {PL__VECTOR, '1', 'C', 15},
    [PL__UP] = {PL__MATRIX, 'U', 'C', 16},          [PL__UP_BIAS] = {PL__VECTOR, '1', 'U', 17},
    [PL__DOWN] = {PL__MATRIX, 'C', 'F', 18},        [PL__DOWN_BIAS] = {PL__VECTOR, '1', 'C', 19},
    [PL__AFTER_1] = {PL__VECTOR, '1', 'C', 20},     [PL__AFTER_1_BIAS] = {PL__VECTOR, '1', 'C', 21},
    [PL__EMBED_NORM] = {PL__VECTOR, '1', 'C', 24},  [PL__EMBED_NORM_BIAS] = {PL__VECTOR, '1', 'C', 25},
    [PL__Q_NORM_BIAS] = {PL__VECTOR, '1', 'q', 26}, [PL__K_NORM_BIAS] = {PL__VECTOR, '1', 'k', 27},
    [PL__AFTER_2] = {PL__VECTOR, '1', 'C', 22},     [PL__AFTER_2_BIAS] = {PL__VECTOR, '1', 'C', 23},
    [PL__PROJECT_IN] = {PL__MATRIX, 'C', 'E', 28},  [PL__PROJECT_OUT] = {PL__MATRIX, 'E', 'C', 29},
    [PL__SUM_1] = {PL__VECTOR, '1', 'C', 30},       [PL__SUM_1_BIAS] = {PL__VECTOR, '1', 'C', 31},
    [PL__SUM_2] = {PL__VECTOR, '1', 'C', 32},       [PL__SUM_2_BIAS] = {PL__VECTOR, '1', 'C', 33},
};

const pl_family *pl__family_find(const char *model_type)
{
    for (size_t i = 0; i < COUNT(families); i++)
        if (strcmp(families[i]->model_type, model_type) == 0) return families[i];
    return NULL;
}

pl_status pl__family_names(pl_bytes *out)
{
    for (size_t i = 0; i < COUNT(families); i++)
        PL_TRY(pl_bytes_format(out, "%s%s", i ? ", " : "", families[i]->model_type));
    return PL_OK;
}

const pl__slot_fact *pl__slot_facts(pl__slot slot)
{
    return &slots[slot];
}

size_t pl_config_outputs(const pl_config *config)
{
    return config->n_labels ? config->n_labels : config->V;
}

size_t pl_config_state_width(const pl_config *config, size_t layer)
{
    return layer > config->L ? config->E : config->C;
}

size_t pl__dimension(const pl_config *config, char letter)
{
    switch (letter) {
    case 'V':
        return config->V;
    case 'N':
        return pl_config_outputs(config);
    case 'C':
        return config->C;
    case 'E':
        return config->E;
    case 'F':
        return config->F;
    case 'U':
        return config->family->gated ? 2 * config->F : config->F;
    case 'D':
        return config->D;
    case 'Q':
        return config->H * config->D;
    case 'K':
        return config->G * config->D;
    case 'q':
        return (config->family->wide_norms || config->family->own_norms ? config->H : 1) * config->D;
    case 'k':
        return (config->family->wide_norms || config->family->own_norms ? config->G : 1) * config->D;
    case 'A':
        return (config->H + 2 * config->G) * config->D;
    case 'P':
        return config->max_positions + config->family->position_offset;
    default:
        return 1;
    }
}

bool pl__holds(const pl_config *config, pl__when when)
{
    switch (when) {
    case PL__IF_QKV_BIAS:
        return config->qkv_bias;
    case PL__IF_OUTPUT_BIAS:
        return config->output_bias;
    case PL__IF_MLP_BIAS:
        return config->mlp_bias;
    case PL__IF_HEAD_NORMS:
        return config->head_norms;
    case PL__IF_SEQUENTIAL:
        return !config->parallel;
    case PL__IF_TWO_NORMS:
        return config->two_norms;
    case PL__UNLESS_TWO_NORMS:
        return !config->two_norms;
    case PL__IF_NORMS_BEFORE:
        return config->norms_before;
    case PL__IF_NORMS_BEHIND:
        return !config->norms_before;
    case PL__IF_FINAL_NORM:
        return config->final_norm;
    case PL__IF_PROJECTED:
        return config->E != config->C;
    case PL__IF_VOCABULARY:
        return !config->n_labels;
    case PL__IF_UNTIED:
        return !config->tied && !config->n_labels;
    case PL__IF_CLASSIFIER:
        return config->n_labels > 0;
    case PL__ALWAYS:
        break;
    }
    return true;
}

bool pl__config_has(const pl_config *config, pl__slot slot)
{
    const pl_family *family = config->family;
    for (size_t i = 0; i < family->n_tensors; i++)
        if (family->tensors[i].slot == slot && pl__holds(config, family->tensors[i].when)) return true;
    return false;
}
