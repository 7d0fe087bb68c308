/* The memory of a training pass. Without checkpointing each layer keeps all that its backward pass reads; with it only
 * its input, and the rest is one set that every layer uses in turn. */
#include <stdlib.h>

#include "model/masters.h"
#include "model/pass.h"

/* Which slots a layer keeps for itself. */
static bool is_kept(pl__activation_slot slot, bool checkpointing)
{
    if (checkpointing) return slot == PL__ACT_INPUT;
    return slot > PL__ACT_STREAM && slot < PL__ACT_FINAL;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A backend without training ops has no queries. */
static size_t workspace_bytes(const pl_backend *ops, const pl_config *c, pl_dtype compute, size_t N, size_t R)
{
    static const pl__slot products[] = {PL__QKV, PL__OUT, PL__UP, PL__DOWN};
    size_t bytes = 0;
    if (!ops->linear_backward_workspace_bytes) return 0;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        const pl__slot_fact *fact = pl__slot_facts(products[i]);
        bytes = larger(bytes, ops->linear_backward_workspace_bytes(N, pl__dimension(c, fact->rows),
                                                                   pl__dimension(c, fact->columns), compute));
    }
    if (pl__config_has(c, PL__PROJECT_IN)) {
        bytes = larger(bytes, ops->linear_backward_workspace_bytes(N, c->C, c->E, compute));
        bytes = larger(bytes, ops->linear_backward_workspace_bytes(R, c->E, c->C, compute));
    }
    bytes = larger(bytes, ops->norm_backward_workspace_bytes(larger(N, R), c->C));
    bytes = larger(bytes, ops->head_norm_backward_workspace_bytes(N, c->H, c->D));
    if (c->family->wide_norms) bytes = larger(bytes, ops->head_norm_backward_workspace_bytes(N, 1, c->H * c->D));
    bytes = larger(bytes, ops->attention_backward_workspace_bytes(N, c->H, c->G, c->D));
    return larger(bytes, ops->score_backward_workspace_bytes(R, pl_config_outputs(c), c->E, compute));
}

static void plan_gradients(pl_view out[PL__GRAD_SLOTS], const pl_backend *ops, const pl_config *c, pl_dtype compute,
                           size_t N, size_t R)
{
    const pl_dtype storage = pl_activation_type(ops, compute);
    const bool two_norms = c->parallel && pl__config_has(c, PL__NORM_2);
    const bool branch = pl__has_branches(c) || pl__config_has(c, PL__EMBED_NORM) || pl__config_has(c, PL__SUM_1);
    const size_t narrow = pl__config_has(c, PL__PROJECT_IN) ? N : 0;
    const size_t workspace = workspace_bytes(ops, c, compute, N, R);
    const pl_view views[PL__GRAD_SLOTS] = {
        [PL__GRAD_STREAM] = {.rows = N, .columns = c->C, .dtype = PL_F32},
        [PL__GRAD_NORMED] = {.rows = N, .columns = c->C, .dtype = storage},
        [PL__GRAD_NORMED_2] = {.rows = two_norms ? N : 0, .columns = c->C, .dtype = storage},
        [PL__GRAD_QKV] = {.rows = N, .columns = pl__dimension(c, 'A'), .dtype = storage},
        [PL__GRAD_ATTENDED] = {.rows = N, .columns = pl__dimension(c, 'Q'), .dtype = storage},
        [PL__GRAD_UP] = {.rows = c->family->gated ? N : 0, .columns = pl__dimension(c, 'U'), .dtype = storage},
        [PL__GRAD_HIDDEN] = {.rows = N, .columns = c->F, .dtype = storage},
        [PL__GRAD_BRANCH] = {.rows = branch ? N : 0, .columns = c->C, .dtype = PL_F32},
        [PL__GRAD_EMBEDDED] = {.rows = narrow, .columns = c->E, .dtype = PL_F32},
        [PL__GRAD_EMBEDDED_LOW] = {.rows = narrow, .columns = c->E, .dtype = storage},
        [PL__GRAD_ROWS] = {.rows = R, .columns = c->C, .dtype = PL_F32},
        [PL__GRAD_ROWS_NORM] = {.rows = R, .columns = c->C, .dtype = storage},
        [PL__GRAD_ROWS_OUT] = {.rows = narrow ? R : 0, .columns = c->E, .dtype = storage},
        [PL__GRAD_WORKSPACE] = {.rows = workspace ? 1 : 0, .columns = workspace, .dtype = PL_U8},
    };
    for (size_t i = 0; i < PL__GRAD_SLOTS; i++) out[i] = views[i];
}

static size_t bytes_of(pl_view v)
{
    return pl_size_product(pl_size_product(v.rows, v.columns), pl_dtype_bytes(v.dtype));
}

size_t pl_tape_bytes(const pl_processor *processor, const pl_config *config, pl_dtype compute, size_t n_tokens,
                     size_t n_rows, bool checkpointing)
{
    pl_view kept[PL__ACT_SLOTS], gradients[PL__GRAD_SLOTS];
    size_t bytes = 0;
    pl__activations_plan(kept, processor->ops, config, compute, n_tokens, n_rows, true);
    plan_gradients(gradients, processor->ops, config, compute, n_tokens, n_rows);
    for (int i = 0; i < PL__ACT_SLOTS; i++) {
        const size_t n_layers = is_kept((pl__activation_slot)i, checkpointing) ? config->L : 1;
        bytes = pl_size_sum(bytes, pl_size_product(bytes_of(kept[i]), n_layers));
    }
    for (size_t i = 0; i < PL__GRAD_SLOTS; i++) bytes = pl_size_sum(bytes, bytes_of(gradients[i]));
    return bytes;
}

static pl_status create(const pl_processor *processor, pl_view *out, pl_view size)
{
    return size.rows ? pl_view_create(processor, out, size.rows, size.columns, size.dtype) : PL_OK;
}

pl_status pl_tape_create(pl_tape **out, const pl_trainable *trainable, size_t n_tokens, size_t n_rows,
                         bool checkpointing)
{
    *out = NULL;
    const pl_model *m = trainable->model;
    const pl_backend *ops = m->processor.ops;
    pl_view kept[PL__ACT_SLOTS], gradients[PL__GRAD_SLOTS];
    pl__activations_plan(kept, ops, &m->config, m->compute, n_tokens, n_rows, true);
    plan_gradients(gradients, ops, &m->config, m->compute, n_tokens, n_rows);
    pl_tape *t;
    PL_TRY(pl_new(&t, 1));
    t->processor = m->processor;
    t->n_tokens = n_tokens;
    t->n_rows = n_rows;
    t->checkpointing = checkpointing;
    pl_status status;
    PL_GOTO(status, fail, pl_new(&t->layers, m->config.L));
    t->n_layers = m->config.L;
    for (int i = 0; i < PL__ACT_SLOTS; i++) {
        if (!is_kept((pl__activation_slot)i, checkpointing)) {
            PL_GOTO(status, fail, create(&m->processor, &t->shared[i], kept[i]));
            continue;
        }
        for (size_t l = 0; l < t->n_layers; l++)
            PL_GOTO(status, fail, create(&m->processor, &t->layers[l][i], kept[i]));
    }
    for (size_t i = 0; i < PL__GRAD_SLOTS; i++)
        PL_GOTO(status, fail, create(&m->processor, &t->gradients[i], gradients[i]));
    *out = t;
    return PL_OK;
fail:
    pl_tape_free(t);
    return status;
}

void pl_tape_free(pl_tape *tape)
{
    if (!tape) return;
    for (size_t i = 0; i < PL__ACT_SLOTS; i++) {
        pl_view_free(&tape->processor, &tape->shared[i]);
        for (size_t l = 0; l < tape->n_layers; l++) pl_view_free(&tape->processor, &tape->layers[l][i]);
    }
    for (size_t i = 0; i < PL__GRAD_SLOTS; i++) pl_view_free(&tape->processor, &tape->gradients[i]);
    free(tape->layers);
    free(tape);
}

pl_status pl__tape_cut(pl__step *s, size_t layer)
{
    const pl_tape *t = s->pass->tape;
    pl_view views[PL__ACT_SLOTS];
    for (int i = 0; i < PL__ACT_SLOTS; i++)
        views[i] = is_kept((pl__activation_slot)i, t->checkpointing) ? t->layers[layer][i] : t->shared[i];
    return pl__step_cut(s, views, t->n_tokens, t->n_rows);
}
