/* The golden check can fail: each way of getting a model slightly wrong is planted, and must move the result far past
 * the tolerance. A mutant that stays within it means that the golden values prove nothing about that fact. */
#include "model/config.h"
#include "model/family.h"
#include "model/golden.h"
#include "model/wrong_facts.h"

typedef struct mutant {
    const char *name, *folder;
    void (*before)(pl_checkpoint *checkpoint); /* on the facts, before the weights load */
    void (*after)(pl_model *model, const pl_checkpoint *checkpoint);
} mutant;

/* A block with two norms whose second branch reads the first one's. */
static void lend_norm(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    for (size_t layer = 0; layer < model->config.L; layer++) {
        pl_view *second = &pl__model_weight(model, PL__NORM_2, layer)->view;
        pl_view_free(&model->processor, second);
    }
}

/* ---- Slopes ---- */

static void put_slopes(pl_model *model, const float *slopes)
{
    pl_stream *stream;
    const pl_backend *ops = model->processor.ops;
    OK(ops->stream_create(model->processor.device, &stream));
    OK(pl_upload(&model->processor, stream, model->slopes, slopes));
    OK(ops->stream_wait(stream));
    ops->stream_free(stream);
}

/* As if the rule for powers of two held for any number of heads. */
static void plain_slopes(pl_model *model, const pl_checkpoint *checkpoint)
{
    float slopes[64];
    (void)checkpoint;
    for (size_t h = 0; h < model->config.H; h++)
        slopes[h] = (float)exp2(-8 * (double)(h + 1) / (double)model->config.H);
    put_slopes(model, slopes);
}

static void steeper_slopes(pl_model *model, const pl_checkpoint *checkpoint)
{
    float slopes[64];
    pl__alibi_slopes(slopes, checkpoint->config.H, false);
    for (size_t h = 0; h < checkpoint->config.H; h++) slopes[h] *= 1.1F;
    put_slopes(model, slopes);
}

/* Of float32, as another family's; their products are rounded all the same. */
static void whole_slopes(pl_model *model, const pl_checkpoint *checkpoint)
{
    float slopes[64];
    pl__alibi_slopes(slopes, checkpoint->config.H, false);
    put_slopes(model, slopes);
}

/* Distances times slopes, scaled, without products of bfloat16. */
static void whole_products(pl_model *model, const pl_checkpoint *checkpoint)
{
    float slopes[64];
    pl__alibi_slopes(slopes, checkpoint->config.H, true);
    for (size_t h = 0; h < model->config.H; h++) slopes[h] *= (float)model->config.attention_scale;
    put_slopes(model, slopes);
    plain_alibi(&model->config);
}

static void no_slopes(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    pl_view_free(&model->processor, &model->slopes);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

/* Puts `n` stored outputs of a tensor from `from` on in the place of others, in every layer. */
static void misplace(pl_model *model, const pl_checkpoint *checkpoint, const char *name, pl__slot slot, size_t to,
                     size_t from, size_t n)
{
    const pl_backend *ops = model->processor.ops;
    const pl_config *c = &model->config;
    pl_stream *stream;
    OK(ops->stream_create(model->processor.device, &stream));
    for (size_t layer = 0; layer < c->L; layer++) {
        char full[128];
        snprintf(full, sizeof full, "model.layers.%zu.%s", layer, name);
        const pl_tensor *t = pl_safetensors_find(checkpoint->tensors, full);
        assert_non_null(t);
        const uint8_t *data = t->data + from * t->dims[1] * pl_dtype_bytes(t->dtype);
        OK(pl_weight_set(&model->processor, stream, pl__model_weight(model, slot, layer)->matrix, to, n, data, t->dtype,
                         PL_LAYOUT_OUT_IN));
        OK(ops->stream_wait(stream));
    }
    ops->stream_free(stream);
}

/* Key/value head g serves the wrong query heads: the two heads change places. */
static void swap_kv_heads(pl_model *model, const pl_checkpoint *checkpoint)
{
    size_t Q = model->config.H * model->config.D, D = model->config.D;
    misplace(model, checkpoint, "self_attn.k_proj.weight", PL__QKV, Q, D, D);
    misplace(model, checkpoint, "self_attn.k_proj.weight", PL__QKV, Q + D, 0, D);
    misplace(model, checkpoint, "self_attn.v_proj.weight", PL__QKV, Q + 2 * D, D, D);
    misplace(model, checkpoint, "self_attn.v_proj.weight", PL__QKV, Q + 3 * D, 0, D);
}

static void values_for_keys(pl_model *model, const pl_checkpoint *checkpoint)
{
    size_t Q = model->config.H * model->config.D, K = model->config.G * model->config.D;
    misplace(model, checkpoint, "self_attn.v_proj.weight", PL__QKV, Q, 0, K);
}

static void swap_gate_and_up(pl_model *model, const pl_checkpoint *checkpoint)
{
    size_t F = model->config.F;
    misplace(model, checkpoint, "mlp.up_proj.weight", PL__UP, 0, 0, F);
    misplace(model, checkpoint, "mlp.gate_proj.weight", PL__UP, F, 0, F);
}

static void lose(pl_model *model, pl__slot slot)
{
    pl_view_free(&model->processor, &pl__model_weight(model, slot, 0)->view);
}

static void lose_qkv_bias(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__QKV_BIAS);
}

static void lose_output_bias(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__OUT_BIAS);
}

static void lose_up_bias(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__UP_BIAS);
}

static void lose_final_norm_bias(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__FINAL_NORM_BIAS);
}

static void lose_q_norm(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__Q_NORM);
}

static void lose_k_norm(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__K_NORM);
}

/* The first head's weights serve all. */
static void first_norm(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    static pl_family family;
    family = *model->config.family;
    family.own_norms = false;
    model->config.family = &family;
    for (size_t l = 0; l < model->config.L; l++) {
        pl__model_weight(model, PL__Q_NORM, l)->view.columns = model->config.D;
        pl__model_weight(model, PL__K_NORM, l)->view.columns = model->config.D;
    }
}

static void lose_q_norm_bias(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__Q_NORM_BIAS);
}

static void lose_head_bias(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__HEAD_BIAS);
}

/* The halves of gate_up_proj change places. */
static void swap_fused(pl_model *model, const pl_checkpoint *checkpoint)
{
    const size_t F = model->config.F;
    misplace(model, checkpoint, "mlp.gate_up_proj.weight", PL__UP, 0, F, F);
    misplace(model, checkpoint, "mlp.gate_up_proj.weight", PL__UP, F, 0, F);
}

static void lose_after_1(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__AFTER_1);
}

static void lose_after_2(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__AFTER_2);
}

static void lose_sum_1(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__SUM_1);
}

static void lose_sum_2_bias(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__SUM_2_BIAS);
}

static void lose_embed_norm(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    lose(model, PL__EMBED_NORM);
}

/* query_key_value read as all queries, all keys, all values. */
static void parts_for_groups(pl_model *model, const pl_checkpoint *checkpoint, const char *pattern)
{
    const pl_backend *ops = model->processor.ops;
    pl_stream *stream;
    OK(ops->stream_create(model->processor.device, &stream));
    for (size_t layer = 0; layer < model->config.L; layer++) {
        char name[PL__TENSOR_NAME];
        pl__tensor_name(name, "", "", pattern, layer);
        const pl_tensor *t = pl_safetensors_find(checkpoint->tensors, name);
        assert_non_null(t);
        OK(pl_weight_set(&model->processor, stream, pl__model_weight(model, PL__QKV, layer)->matrix, 0, t->dims[0],
                         t->data, t->dtype, PL_LAYOUT_OUT_IN));
        OK(ops->stream_wait(stream));
    }
    ops->stream_free(stream);
}

static void parts_for_heads(pl_model *model, const pl_checkpoint *checkpoint)
{
    parts_for_groups(model, checkpoint, "gpt_neox.layers.#.attention.query_key_value.weight");
}

static void parts_for_falcon(pl_model *model, const pl_checkpoint *checkpoint)
{
    parts_for_groups(model, checkpoint, "transformer.h.#.self_attention.query_key_value.weight");
}

/* Positions off by one: row p of the table is used for position p - 1. */
static void shift_positions(pl_model *model, const pl_checkpoint *checkpoint)
{
    (void)checkpoint;
    pl_view *table = &pl__model_weight(model, PL__POSITIONS, 0)->view;
    table->offset += table->stride;
    table->rows--;
}

/* Rotary angles are relative, so a shift of all is no error; this one turns position p by 1.01 p. */
static void stretch_positions(pl_checkpoint *c)
{
    c->config.rope.kind = PL_ROPE_LINEAR;
    c->config.rope.factor = 1 / 1.01;
}

/* Far factors from the border's position on, in place of all positions of a far path. */
static void far_by_position(pl_model *model, const pl_checkpoint *checkpoint)
{
    pl_stream *stream;
    const size_t border = checkpoint->config.border;
    pl_view *tables[] = {&model->turns[PL_TURN_GLOBAL].cosine, &model->turns[PL_TURN_GLOBAL].sine};
    OK(model->processor.ops->stream_create(model->processor.device, &stream));
    for (size_t i = 0; i < 2; i++) {
        pl_copy_args args = {.from = pl_view_rows(*tables[i], 0, border),
                             .to = pl_view_rows(*tables[i], border, border)};
        OK(pl_op_copy(&model->processor, stream, &args));
    }
    OK(model->processor.ops->stream_wait(stream));
    model->processor.ops->stream_free(stream);
}

static const mutant mutants[] = {
    {"rope pairs swapped", "llama-tied", interleave_pairs, NULL},
    {"rope pairs swapped, grouped", "llama-grouped", interleave_pairs, NULL},
    {"key/value heads swapped", "llama-grouped", NULL, swap_kv_heads},
    {"values for keys", "llama-grouped", NULL, values_for_keys},
    {"gate and up swapped", "llama-grouped", NULL, swap_gate_and_up},
    {"no attention scale", "llama-tied", no_attention_scale, NULL},
    {"attention scaled by C", "gpt2", attention_scale_by_width, NULL},
    {"positions off by one", "gpt2", NULL, shift_positions},
    {"positions stretched", "llama-grouped", stretch_positions, NULL},
    {"other theta", "llama-grouped", other_theta, NULL},
    {"rope not scaled, linear", "llama-bias-linear", plain_rope, NULL},
    {"rope not scaled, llama3", "llama-llama3", plain_rope, NULL},
    {"rope not scaled, yarn", "llama-yarn", plain_rope, NULL},
    {"rope not scaled, longrope", "llama-longrope", plain_rope, NULL},
    {"yarn without its factor", "llama-yarn", plain_rope_scale, NULL},
    {"longrope without its factor", "llama-longrope", plain_rope_scale, NULL},
    {"tanh gelu for erf", "gpt2-bare", other_gelu, NULL},
    {"erf gelu for tanh", "gpt2", other_gelu, NULL},
    {"gelu for silu", "llama-tied", gelu_for_silu, NULL},
    {"norm epsilon", "gpt2", other_eps, NULL},
    {"norm epsilon, rms", "llama-tied", other_eps, NULL},
    {"parallel block", "llama-tied", parallel_block, NULL},
    {"no q, k, v bias", "llama-bias-linear", NULL, lose_qkv_bias},
    {"no output bias", "llama-bias-linear", NULL, lose_output_bias},
    {"no up bias", "llama-bias-linear", NULL, lose_up_bias},
    {"no q, k, v bias, gpt2", "gpt2", NULL, lose_qkv_bias},
    {"no final norm bias", "gpt2", NULL, lose_final_norm_bias},
    {"query_key_value by parts", "neox", NULL, parts_for_heads},
    {"whole heads turned", "neox", turn_whole_heads, NULL},
    {"a block in sequence", "neox", sequential_block, NULL},
    {"a block in parallel", "neox-sequential", parallel_block, NULL},
    {"no window", "mistral", no_windows, NULL},
    {"a window one short", "mistral", window_less_one, NULL},
    {"a window one long", "mistral", window_more_one, NULL},
    {"a window one short, last layer", "qwen2", window_less_one, NULL},
    {"windows in other layers", "qwen2", swap_layers, NULL},
    {"windows in other layers, listed", "qwen3", swap_layers, NULL},
    {"no norm of queries", "qwen3", NULL, lose_q_norm},
    {"no norm of keys", "qwen3", NULL, lose_k_norm},
    {"all layers turned", "smollm3", turn_all_layers, NULL},
    {"norm without + 1", "gemma2", norm_without_one, NULL},
    {"norm without + 1", "gemma3", norm_without_one, NULL},
    {"scale of the head's width", "gemma2", scale_by_head, NULL},
    {"embeddings not scaled", "gemma3", no_embed_scale, NULL},
    {"no cap of scores", "gemma2", no_attention_cap, NULL},
    {"no cap of logits", "gemma2", no_logit_cap, NULL},
    {"windows in other layers", "gemma2", swap_layers, NULL},
    {"a window one short", "gemma3", window_less_one, NULL},
    {"one theta for all", "gemma3", one_theta, NULL},
    {"local layers turned as full ones", "gemma3", turn_all_layers, NULL},
    {"no norm behind attention", "gemma3", NULL, lose_after_1},
    {"no norm behind the feed-forward", "gemma2", NULL, lose_after_2},
    {"no norm of keys", "gemma3-untied", NULL, lose_k_norm},
    {"no q, k, v bias", "gemma3-untied", NULL, lose_qkv_bias},
    {"no norm of all queries", "olmo2", NULL, lose_q_norm},
    {"a norm of each key head", "olmo2", narrow_norms, NULL},
    {"no norm behind attention", "olmo2", NULL, lose_after_1},
    {"positions off by one", "opt", NULL, shift_positions},
    {"gelu for relu", "opt", gelu_for_silu, NULL},
    {"relu for gelu", "opt-plain", relu_for_gelu, NULL},
    {"no bias of the head", "phi", NULL, lose_head_bias},
    {"no bias of a tied head", "phi-tied", NULL, lose_head_bias},
    {"whole heads turned", "phi", turn_whole_heads, NULL},
    {"a block in sequence", "phi", sequential_block, NULL},
    {"gate and up swapped", "phi3", NULL, swap_fused},
    {"longrope without its factor", "phi3", plain_rope_scale, NULL},
    {"a window one short", "phi3", window_less_one, NULL},
    {"a window one long, no positions", "smollm3", window_more_one, NULL},
    {"embeddings not scaled", "granite", no_embed_scale, NULL},
    {"branches not scaled", "granite", no_residual_scale, NULL},
    {"logits not scaled", "granite", no_logit_divisor, NULL},
    {"scale of the head's width", "granite", scale_by_head, NULL},
    {"no output bias", "granite", NULL, lose_output_bias},
    {"branches not scaled", "granite-hybrid", no_residual_scale, NULL},
    {"no positions", "granite-hybrid", turn_no_layer, NULL},
    {"scores scaled", "gpt-neo", scale_by_head, NULL},
    {"a window one short", "gpt-neo", window_less_one, NULL},
    {"a window one long", "gpt-neo", window_more_one, NULL},
    {"windows in other layers", "gpt-neo", swap_layers, NULL},
    {"positions off by one", "gpt-neo", NULL, shift_positions},
    {"halves turned", "gptj", other_pairs, NULL},
    {"whole heads turned", "gptj", turn_whole_heads, NULL},
    {"no bias of the head", "gptj", NULL, lose_head_bias},
    {"no bias of a tied head", "gptj-tied", NULL, lose_head_bias},
    {"a block in sequence", "gptj", sequential_block, NULL},
    {"neighbours turned", "stablelm", other_pairs, NULL},
    {"whole heads turned", "stablelm", turn_whole_heads, NULL},
    {"no q, k, v bias", "stablelm", NULL, lose_qkv_bias},
    {"no final norm bias", "stablelm", NULL, lose_final_norm_bias},
    {"a window one short", "starcoder2", window_less_one, NULL},
    {"erf gelu for tanh", "starcoder2", other_gelu, NULL},
    {"no up bias", "starcoder2", NULL, lose_up_bias},
    {"neighbours turned", "falcon", other_pairs, NULL},
    {"query_key_value by parts", "falcon-new", NULL, parts_for_falcon},
    {"no second norm", "falcon-new", NULL, lend_norm},
    {"no q, k, v bias", "falcon-new", NULL, lose_qkv_bias},
    {"a block in parallel", "falcon-sequential", parallel_block, NULL},
    {"slopes as of a power of two", "bloom", NULL, plain_slopes},
    {"slopes as of a power of two", "mpt", NULL, plain_slopes},
    {"steeper slopes", "bloom-even", NULL, steeper_slopes},
    {"steeper slopes", "mpt-even", NULL, steeper_slopes},
    {"no slopes", "bloom", NULL, no_slopes},
    {"no norm of embeddings", "bloom", NULL, lose_embed_norm},
    {"query_key_value by parts", "bloom", NULL, parts_for_falcon},
    {"scale of the head's width", "mpt-even", scale_by_head, NULL},
    {"no bias of the norm of queries", "phi-norms", NULL, lose_q_norm_bias},
    {"no norm of keys", "phi-norms", NULL, lose_k_norm},
    {"no norm of queries", "stablelm-norms", NULL, lose_q_norm},
    {"one norm for all heads", "stablelm-norms", NULL, first_norm},
    {"no slopes", "falcon-alibi", NULL, no_slopes},
    {"slopes not rounded", "falcon-alibi", NULL, whole_slopes},
    {"products not rounded", "falcon-alibi", NULL, whole_products},
    {"slopes not scaled", "falcon-alibi", unscaled_alibi, NULL},
    {"slopes not scaled", "falcon-alibi-new", unscaled_alibi, NULL},
    {"query_key_value by parts", "falcon-alibi-new", NULL, parts_for_falcon},
    {"norms of branches, not of sums", "opt-behind", norms_of_branches, NULL},
    {"norms before branches", "opt-behind", norms_before_branches, NULL},
    {"norms swapped", "opt-behind", swap_norms, NULL},
    {"no norm behind the first sum", "opt-behind", NULL, lose_sum_1},
    {"no bias behind the second sum", "opt-behind", NULL, lose_sum_2_bias},
    {"positions off by one", "opt-behind", NULL, shift_positions},
    {"projection in, transposed", "opt-behind", turn_project_in, NULL},
    {"projection out, transposed", "opt-behind", turn_project_out, NULL},
    {"projection in, transposed", "opt-wider", turn_project_in, NULL},
    {"projection out, transposed", "opt-wider", turn_project_out, NULL},
    {"norm without + 1", "gemma", norm_without_one, NULL},
    {"always the short factors", "phi3-longrope", always_near, NULL},
    {"always the long factors", "phi3-longrope", always_far, NULL},
    {"a border one short", "phi3-longrope", border_less_one, NULL},
    {"a border one long", "phi3-longrope", border_more_one, NULL},
    {"long factors by position", "phi3-longrope", NULL, far_by_position},
    {"embeddings not scaled", "gemma", no_embed_scale, NULL},
    {"no output bias", "gemma", NULL, lose_output_bias},
};

static void test_mutant(void **state)
{
    const mutant *m = *state;
    char folder[PL_PATH_MAX];
    pl_bytes text;
    pl_processor processor;
    pl_checkpoint *checkpoint;
    pl_model *model;
    OK(pl_path(folder, "%s/tests/golden/models/%s", PLUMB_SOURCE_DIR, m->folder));
    OK(pl_processor_open(&processor, "cpu", 1));
    OK(pl_checkpoint_open(&checkpoint, folder));
    if (m->before) m->before(checkpoint);
    OK(pl_model_load(&model, &processor, checkpoint, PL_F32));
    if (m->after) m->after(model, checkpoint);
    pl_safetensors *golden = golden_open(&text, folder);

    double worst = golden_distance(model, golden);
    print_message("%s (%s): %.2g\n", m->name, m->folder, worst);
    assert_true(worst > 5 * GOLDEN_TOLERANCE); /* the least: tanh-gelu for erf-gelu, nine times */

    pl_safetensors_close(golden);
    pl_bytes_free(&text);
    pl_model_free(model);
    pl_checkpoint_close(checkpoint);
    pl_processor_close(&processor);
}

int main(void)
{
    enum { N = sizeof mutants / sizeof *mutants };
    struct CMUnitTest tests[N];
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){
            .name = mutants[i].name, .test_func = test_mutant, .initial_state = (void *)(uintptr_t)&mutants[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
