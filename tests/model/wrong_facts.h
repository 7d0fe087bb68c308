/* Ways of getting a model's facts slightly wrong, before its weights load: for test_mutants.c. */
#ifndef PLUMB_TESTS_MODEL_WRONG_FACTS_H
#define PLUMB_TESTS_MODEL_WRONG_FACTS_H

#include <math.h>

#include "model/family.h"
#include "tests.h"

static void interleave_pairs(pl_checkpoint *c)
{
    c->config.rope.interleaved = true;
}

static void no_attention_scale(pl_checkpoint *c)
{
    c->config.attention_scale = 1;
}

static void attention_scale_by_width(pl_checkpoint *c)
{
    c->config.attention_scale = 1 / sqrt((double)c->config.C);
}

static void plain_rope(pl_checkpoint *c)
{
    c->config.rope.kind = PL_ROPE_DEFAULT;
}

static void plain_rope_scale(pl_checkpoint *c)
{
    c->config.rope.attention_factor = 1;
}

static void always_near(pl_checkpoint *c)
{
    memcpy(c->config.rope.far_factors, c->config.rope.factors, sizeof c->config.rope.factors);
}

static void always_far(pl_checkpoint *c)
{
    memcpy(c->config.rope.factors, c->config.rope.far_factors, sizeof c->config.rope.factors);
}

static void border_less_one(pl_checkpoint *c)
{
    c->config.border--;
}

static void border_more_one(pl_checkpoint *c)
{
    c->config.border++;
}

static void other_theta(pl_checkpoint *c)
{
    c->config.rope.theta *= 1.1;
}

static void other_gelu(pl_checkpoint *c)
{
    c->config.activation = c->config.activation == PL_ACT_GELU_ERF ? PL_ACT_GELU_TANH : PL_ACT_GELU_ERF;
}

static void gelu_for_silu(pl_checkpoint *c)
{
    c->config.activation = PL_ACT_GELU_ERF;
}

static void other_eps(pl_checkpoint *c)
{
    c->config.norm_eps = 1e-3;
}

static void move_windows(pl_checkpoint *c, int by)
{
    for (size_t i = 0; i < c->config.n_kinds; i++)
        if (c->config.kinds[i].window) c->config.kinds[i].window += (size_t)by;
}

static void window_less_one(pl_checkpoint *c)
{
    move_windows(c, -1);
}

static void window_more_one(pl_checkpoint *c)
{
    move_windows(c, 1);
}

static void no_windows(pl_checkpoint *c)
{
    for (size_t i = 0; i < c->config.n_kinds; i++) c->config.kinds[i].window = 0;
}

/* The two layers change their kinds. */
static void swap_layers(pl_checkpoint *c)
{
    const uint8_t first = c->config.plan[0];
    c->config.plan[0] = c->config.plan[1];
    c->config.plan[1] = first;
}

static void turn_all_layers(pl_checkpoint *c)
{
    for (size_t i = 0; i < c->config.n_kinds; i++) c->config.kinds[i].turn = PL_TURN_GLOBAL;
}

static void turn_whole_heads(pl_checkpoint *c)
{
    c->config.rope.width = c->config.D;
}

static void norm_without_one(pl_checkpoint *c)
{
    c->config.norm = PL_NORM_RMS;
}

static void scale_by_head(pl_checkpoint *c)
{
    c->config.attention_scale = 1 / sqrt((double)c->config.D);
}

static void no_embed_scale(pl_checkpoint *c)
{
    c->config.embed_scale = 1;
}

static void no_attention_cap(pl_checkpoint *c)
{
    c->config.attention_softcap = 0;
}

static void no_logit_cap(pl_checkpoint *c)
{
    c->config.logit_softcap = 0;
}

static void one_theta(pl_checkpoint *c)
{
    c->config.local_rope.theta = c->config.rope.theta;
}

/* The norms' first weights serve every head. */
static void narrow_norms(pl_checkpoint *c)
{
    static pl_family narrow;
    narrow = *c->config.family;
    narrow.wide_norms = false;
    c->config.family = &narrow;
}

static void relu_for_gelu(pl_checkpoint *c)
{
    c->config.activation = PL_ACT_RELU;
}

static void sequential_block(pl_checkpoint *c)
{
    c->config.parallel = false;
}

static void parallel_block(pl_checkpoint *c)
{
    c->config.parallel = true;
}

static void no_residual_scale(pl_checkpoint *c)
{
    c->config.residual_scale = 1;
}

static void no_logit_divisor(pl_checkpoint *c)
{
    c->config.logit_divisor = 1;
}

/* Neighbours turned together, where halves are, or the other way round. */
static void other_pairs(pl_checkpoint *c)
{
    c->config.rope.interleaved = !c->config.rope.interleaved;
}

static void turn_no_layer(pl_checkpoint *c)
{
    for (size_t i = 0; i < c->config.n_kinds; i++) c->config.kinds[i].turn = PL_TURN_NONE;
}

/* Facts of tensors with other slots, or another layout, in the place of the family's own. */
static pl__tensor_fact *own_facts(pl_checkpoint *c)
{
    enum { MOST = 64 };
    static pl_family family;
    static pl__tensor_fact facts[MOST];
    family = *c->config.family;
    assert_true(family.n_tensors <= MOST);
    memcpy(facts, family.tensors, family.n_tensors * sizeof *facts);
    family.tensors = facts;
    c->config.family = &family;
    return facts;
}

/* The norms behind sums stand elsewhere. */
static void move_norms(pl_checkpoint *c, pl__slot first, pl__slot second)
{
    pl__tensor_fact *facts = own_facts(c);
    for (size_t i = 0; i < c->config.family->n_tensors; i++) {
        const pl__slot slot = facts[i].slot;
        if (slot == PL__SUM_1 || slot == PL__SUM_1_BIAS) facts[i].slot = (pl__slot)(slot - PL__SUM_1 + first);
        if (slot == PL__SUM_2 || slot == PL__SUM_2_BIAS) facts[i].slot = (pl__slot)(slot - PL__SUM_2 + second);
    }
}

static void norms_of_branches(pl_checkpoint *c)
{
    move_norms(c, PL__AFTER_1, PL__AFTER_2);
}

static void norms_before_branches(pl_checkpoint *c)
{
    move_norms(c, PL__NORM_1, PL__NORM_2);
}

static void swap_norms(pl_checkpoint *c)
{
    move_norms(c, PL__SUM_2, PL__SUM_1);
}

/* A projection read as [in, out]. */
static void turn_projection(pl_checkpoint *c, pl__slot slot, const char *dims)
{
    pl__tensor_fact *facts = own_facts(c);
    for (size_t i = 0; i < c->config.family->n_tensors; i++)
        if (facts[i].slot == slot) facts[i].dims = dims;
}

static void turn_project_in(pl_checkpoint *c)
{
    turn_projection(c, PL__PROJECT_IN, "EC");
}

static void turn_project_out(pl_checkpoint *c)
{
    turn_projection(c, PL__PROJECT_OUT, "CE");
}

/* ALiBi as other families have it: neither scaled nor rounded. */
static void plain_alibi(pl_config *c)
{
    static pl_family plain;
    plain = *c->family;
    plain.alibi_rounded = false;
    c->family = &plain;
}

static void unscaled_alibi(pl_checkpoint *c)
{
    plain_alibi(&c->config);
}

#endif
