/* config.json: class defaults, both generations of keys, and what is refused with which words. */
#include "tests.h"

#include "model/config.h"
#include "model/family.h"

static pl_config parse(const char *text)
{
    pl_config c;
    if (pl__config_parse(&c, text, strlen(text), "config.json") != PL_OK) fail_msg("%s", pl_error_text());
    return c;
}

static void test_gpt2_defaults(void **state)
{
    (void)state;
    pl_config c = parse("{\"model_type\":\"gpt2\"}");
    assert_string_equal(c.model_type, "gpt2");
    assert_int_equal(c.V, 50257);
    assert_int_equal(c.C, 768);
    assert_int_equal(c.L, 12);
    assert_int_equal(c.H, 12);
    assert_int_equal(c.G, 12);
    assert_int_equal(c.D, 64);
    assert_int_equal(c.F, 3072);
    assert_int_equal(c.max_positions, 1024);
    assert_true(c.tied && c.qkv_bias && c.output_bias && c.mlp_bias);
    assert_int_equal(c.activation, PL_ACT_GELU_TANH);
    assert_float_equal(c.norm_eps, 1e-5, 0);
    assert_float_equal(c.attention_scale, 0.125, 0);
    assert_int_equal(c.rope.kind, PL_ROPE_NONE);
    assert_false(c.stops.said);
    assert_null(c.dtype);
    assert_false(c.random_weights);
    c = parse("{\"model_type\":\"gpt2\",\"n_inner\":null,\"hidden_size\":20,\"n_head\":5,\"plumb_random_weights\":true,"
              "\"max_position_embeddings\":7,\"eos_token_id\":null,\"torch_dtype\":\"float16\"}");
    assert_int_equal(c.F, 80);
    assert_int_equal(c.D, 4);
    assert_int_equal(c.max_positions, 7);
    assert_true(c.stops.said && c.stops.n == 0);
    assert_string_equal(c.dtype, "float16");
    assert_true(c.random_weights);
}

static void test_llama_defaults(void **state)
{
    (void)state;
    pl_config c = parse("{\"model_type\":\"llama\",\"eos_token_id\":[128001,128008],\"dtype\":\"bfloat16\"}");
    assert_int_equal(c.V, 32000);
    assert_int_equal(c.F, 11008);
    assert_int_equal(c.G, 32);
    assert_int_equal(c.D, 128);
    assert_false(c.tied || c.qkv_bias || c.output_bias || c.mlp_bias);
    assert_int_equal(c.norm, PL_NORM_RMS);
    assert_float_equal(c.norm_eps, 1e-6, 0);
    assert_int_equal(c.rope.kind, PL_ROPE_DEFAULT);
    assert_float_equal(c.rope.theta, 10000, 0);
    assert_int_equal(c.rope.width, 128);
    assert_int_equal(c.stops.n, 2);
    assert_int_equal(c.stops.ids[1], 128008);
    assert_string_equal(c.dtype, "bfloat16");
}

/* nn.Embedding's padding_idx: below 0 it counts from the end; gpt2 has none. */
static void test_padding(void **state)
{
    (void)state;
    static const struct {
        const char *family, *id;
        int32_t row; /* -1: none */
    } cases[] = {{"llama", "2", 2},   {"llama", "-1", 39},  {"llama", "0", 0}, {"llama", "null", -1},
                 {"llama", "40", -1}, {"llama", "-41", -1}, {"gpt2", "2", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"model_type\":\"%s\",\"vocab_size\":40,\"pad_token_id\":%s}", cases[i].family,
                 cases[i].id);
        const pl_config c = parse(text);
        assert_int_equal(c.has_padding, cases[i].row >= 0);
        if (c.has_padding) assert_int_equal(c.padding, cases[i].row);
    }
    assert_false(parse("{\"model_type\":\"llama\"}").has_padding);
    /* A class default. */
    assert_int_equal(parse("{\"model_type\":\"smollm3\"}").padding, 128004);
    assert_false(parse("{\"model_type\":\"smollm3\",\"pad_token_id\":null}").has_padding);
}

/* The settings of Llama 3.1 and others in the words of transformers 4 and 5. */
static void test_rope_generations(void **state)
{
    (void)state;
    pl_config old = parse("{\"model_type\":\"llama\",\"rope_theta\":500000.0,\"rope_scaling\":{\"factor\":8.0,"
                          "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192,"
                          "\"rope_type\":\"llama3\"}}");
    pl_config new = parse("{\"model_type\":\"llama\",\"rope_parameters\":{\"factor\":8.0,\"rope_theta\":500000.0,"
                          "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192,"
                          "\"rope_type\":\"llama3\"}}");
    assert_int_equal(old.rope.kind, PL_ROPE_LLAMA3);
    assert_float_equal(old.rope.theta, 500000, 0);
    assert_memory_equal(&old.rope, &new.rope, sizeof old.rope);
    pl_config yarn =
        parse("{\"model_type\":\"llama\",\"max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"yarn\","
              "\"factor\":null,\"original_max_position_embeddings\":1024}}");
    assert_int_equal(yarn.rope.kind, PL_ROPE_YARN);
    assert_float_equal(yarn.rope.factor, 4, 0);
    assert_float_equal(yarn.rope.attention_factor, 1.138629436, 1e-9);
    pl_config lengths = parse("{\"model_type\":\"llama\",\"head_dim\":4,\"max_position_embeddings\":4096,"
                              "\"original_max_position_embeddings\":1000,\"rope_scaling\":{\"type\":\"longrope\","
                              "\"short_factor\":[1,2],\"long_factor\":[3,4]}}");
    assert_int_equal(lengths.rope.kind, PL_ROPE_LONGROPE);
    assert_float_equal(lengths.rope.factors[1], 2, 0);
    assert_float_equal(lengths.rope.far_factors[1], 4, 0);
    assert_int_equal(lengths.max_positions, 4096);
    assert_int_equal(lengths.border, 1000);
    assert_false(pl_is_far(lengths.border, 1000));
    assert_true(pl_is_far(lengths.border, 1001));
    assert_int_equal(pl_config_turns(&lengths), 5096);
}

/* Layers whose own border lies beyond all positions are never far, though others are. */
static void test_border_of_some_layers(void **state)
{
    (void)state;
    pl_config c = parse("{\"model_type\":\"gemma3_text\",\"head_dim\":2,\"max_position_embeddings\":32,"
                        "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"longrope\",\"short_factor\":[1],"
                        "\"long_factor\":[2],\"original_max_position_embeddings\":8},\"sliding_attention\":{"
                        "\"rope_type\":\"longrope\",\"short_factor\":[3],\"long_factor\":[4],"
                        "\"original_max_position_embeddings\":32}}}");
    assert_int_equal(c.border, 8);
    assert_float_equal(c.rope.far_factors[0], 2, 0);
    assert_float_equal(c.local_rope.far_factors[0], 3, 0);
}

/* Llama 3.1's first, a blended and its last frequency, as transformers 5.23 gives them. */
static void test_frequencies(void **state)
{
    (void)state;
    pl_config c = parse("{\"model_type\":\"llama\",\"rope_parameters\":{\"factor\":8.0,\"rope_theta\":500000.0,"
                        "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192,"
                        "\"rope_type\":\"llama3\"}}");
    float f[64];
    pl__rope_frequencies(f, &c.rope, false);
    assert_float_equal(f[0], 1, 0);
    assert_float_equal(f[30], 0.00137189368, 1e-9);
    assert_float_equal(f[63], 3.06892588e-07, 1e-12);
}

static const struct refusal {
    pl_status status;
    const char *text, *message;
} refusals[] = {
    {PL_E_INPUT, "[]", "expected a JSON object"},
    {PL_E_INPUT, "{", "not valid JSON"},
    {PL_E_INPUT, "{}", "model_type is missing; known: gpt2, gpt_neox, llama, "},
    {PL_E_INPUT, "{\"model_type\":7}", "model_type: expected a text"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"mamba\"}",
     "model_type 'mamba' is not supported (recurrent layers); known: gpt2, "},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"qwen2_moe\"}", "'qwen2_moe' is not supported (a mixture of experts)"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"t5\"}", "'t5' is not supported (an encoder and a decoder)"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"cohere\"}", "'cohere' is not supported (no facts of it)"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"gpt2\",\"activation_function\":\"tanh\"}",
     "activation_function: activation 'tanh' is not supported; known: gelu"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"gpt2\",\"scale_attn_by_inverse_layer_idx\":true}",
     "scale_attn_by_inverse_layer_idx: true is not supported"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"gpt2\",\"reorder_and_upcast_attn\":true}", "reorder_and_upcast_attn"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"gpt2\",\"scale_attn_weights\":false}", "scale_attn_weights: false"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"pad_token_id\":[2]}", "pad_token_id: expected a token id or null"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"n_head\":7}", "768 is not a multiple of the 7"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"n_head\":0}", "n_head: number of attention heads is 0"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"n_layer\":9999999}", "n_layer: number of layers is 9999999"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"vocab_size\":99999999999}", "vocab_size: vocabulary size is 99999999999"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"vocab_size\":-1}", "expected 0 or more"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"vocab_size\":\"x\"}", "vocab_size: expected an integer"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"hidden_size\":1048576,\"vocab_size\":2147483648}",
     "vocab_size 2147483648, hidden_size 1048576, intermediate_size 11008, num_hidden_layers 32: 4.6e+15 parameters, "
     "expected at most 1e+13"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"n_embd\":1073741824,\"n_head\":1}", "n_embd: head width is 1073741824"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"n_positions\":99999999}", "number of positions"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"layer_norm_epsilon\":-1}", "norm epsilon is -1"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"eos_token_id\":\"x\"}", "eos_token_id: expected a token id"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"eos_token_id\":7.5}", "eos_token_id: expected a token id"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"eos_token_id\":true}", "eos_token_id: expected a token id"},
    {PL_E_INPUT, "{\"model_type\":\"gpt2\",\"eos_token_id\":[7,null]}", "eos_token_id: expected a token id"},
    {PL_E_INPUT, "{\"model_type\":\"\"}", "model_type is empty; known: gpt2, "},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"num_key_value_heads\":5}", "not a multiple of 5 key/value heads"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"head_dim\":7}", "expected an even number"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"rope_theta\":0}", "rope_theta: expected a number above 0"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"rope_scaling\":[]}", "expected an object"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"dynamic\"}}",
     "factor: expected a number above 0"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"yarn\"}}", "factor is missing"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"su\"}}",
     "rope type 'su' is not supported"},
    {PL_E_UNSUPPORTED,
     "{\"model_type\":\"llama\",\"partial_rotary_factor\":0.5,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}",
     "partial_rotary_factor: with this rope type only 1"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"spiral\"}}",
     "rope type 'spiral' is not supported; known: default, linear, dynamic, llama3, yarn, longrope"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"linear\"}}",
     "factor: expected a number above 0"},
    {PL_E_INPUT,
     "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
     "\"high_freq_factor\":4}}",
     "expected above low_freq_factor"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1]}}",
     "expected a list of 64 numbers"},
    {PL_E_INPUT, "{\"model_type\":\"llama\",\"rope_theta\":1,\"rope_scaling\":{\"type\":\"yarn\"}}", "above 1"},
    {PL_E_INPUT, "{\"model_type\":\"gpt_neox\",\"rotary_pct\":1.5}", "rotary_pct: expected at most 1, found 1.5"},
    {PL_E_INPUT, "{\"model_type\":\"qwen2\",\"layer_types\":[\"full_attention\"]}",
     "layer_types: expected 32 entries, one a layer, found 1"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"qwen2\",\"num_hidden_layers\":1,\"layer_types\":[\"chunked_attention\"]}",
     "layer_types: entry 0: 'chunked_attention' is not supported; known: full_attention, sliding_attention"},
    {PL_E_INPUT, "{\"model_type\":\"qwen3\",\"num_hidden_layers\":1,\"layer_types\":[\"sliding_attention\"]}",
     "layer_types: entry 0 is sliding_attention, but use_sliding_window is false: no window is given"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"mistral\",\"num_hidden_layers\":1,\"layer_types\":[\"full_attention\"]}",
     "layer_types: a mistral has none"},
    {PL_E_INPUT, "{\"model_type\":\"mistral\",\"sliding_window\":0}", "sliding_window: expected 1 or more, or null"},
    {PL_E_INPUT, "{\"model_type\":\"smollm3\",\"no_rope_layers\":[1,0]}",
     "no_rope_layers: expected 36 entries, one a layer, found 2"},
    {PL_E_INPUT, "{\"model_type\":\"smollm3\",\"num_hidden_layers\":1,\"no_rope_layers\":[2]}",
     "no_rope_layers: entry 0: expected 0 or 1"},
    {PL_E_INPUT, "{\"model_type\":\"opt\",\"word_embed_proj_dim\":0}",
     "word_embed_proj_dim: expected 1 or more, or null, found 0"},
    {PL_E_INPUT, "{\"model_type\":\"opt\",\"word_embed_proj_dim\":3000000000}",
     "word_embed_proj_dim: width of embeddings is 3000000000"},
    {PL_E_INPUT, "{\"model_type\":\"opt\",\"_remove_final_layer_norm\":7}", "_remove_final_layer_norm: expected true"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"opt\",\"layerdrop\":0.1}", "layerdrop: 0.1 is not supported"},
    {PL_E_INPUT, "{\"model_type\":\"opt\",\"layerdrop\":\"x\"}", "layerdrop: expected true, false or a number"},
    {PL_E_INPUT, "{\"model_type\":\"phi\",\"qk_layernorm\":true,\"head_dim\":32}", "head_dim: expected hidden_size"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"granite\",\"architectures\":[\"GraniteForSequenceClassification\"]}",
     "transformers has no sequence classifier of a granite"},
    {PL_E_INPUT, "{\"model_type\":\"granite\",\"logits_scaling\":-1}",
     "logits_scaling: expected a number above 0, found -1"},
    {PL_E_INPUT, "{\"model_type\":\"granite\",\"attention_multiplier\":1e-60}",
     "attention_multiplier: expected a number that, like one divided by it, float32 has, found 1e-60"},
    {PL_E_INPUT, "{\"model_type\":\"granite\",\"embedding_multiplier\":1e60}",
     "embedding_multiplier: expected a number"},
    {PL_E_INPUT, "{\"model_type\":\"granite\",\"logits_scaling\":1e-40}", "logits_scaling: expected a number"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"granitemoehybrid\"}", "num_local_experts: 8 is not supported"},
    {PL_E_INPUT, "{\"model_type\":\"gptj\",\"rotary_dim\":63}", "rotary_dim: expected an even number of a head's 256"},
    {PL_E_INPUT, "{\"model_type\":\"gpt_neo\",\"num_layers\":2}", "attention_types is missing"},
    {PL_E_INPUT, "{\"model_type\":\"gpt_neo\",\"attention_types\":[[[\"local\"],3]]}",
     "attention_types: expected kinds of 24 layers, found 3"},
    {PL_E_INPUT, "{\"model_type\":\"stablelm\",\"head_dim\":7}", "head_dim: expected hidden_size"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"phi3\",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}",
     "rope type 'linear' is not supported; known in this family: default, longrope"},
    {PL_E_INPUT, "{\"model_type\":\"gemma2\",\"attn_logit_softcapping\":0}",
     "attn_logit_softcapping: expected a number above 0, or null, found 0"},
    {PL_E_INPUT, "{\"model_type\":\"gemma2\",\"sliding_window\":null}",
     "sliding_window: expected 1 or more, found null"},
    {PL_E_INPUT, "{\"model_type\":\"gemma2\",\"query_pre_attn_scalar\":-4}",
     "query_pre_attn_scalar: expected a number above 0, found -4"},
    {PL_E_UNSUPPORTED,
     "{\"model_type\":\"gemma3_text\",\"head_dim\":2,\"rope_parameters\":{\"full_attention\":{\"rope_type\":"
     "\"longrope\","
     "\"short_factor\":[1],\"long_factor\":[2],\"original_max_position_embeddings\":8},\"sliding_attention\":{\"rope_"
     "type\":"
     "\"longrope\",\"short_factor\":[1],\"long_factor\":[2],\"original_max_position_embeddings\":9}}}",
     "original_max_position_embeddings: 8 in some layers and 9 in others is not supported"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"gemma3_text\",\"use_bidirectional_attention\":true}",
     "use_bidirectional_attention: true is not supported: a token would see those behind it"},
    {PL_E_INPUT, "{\"model_type\":\"gemma3_text\",\"sliding_window_pattern\":0}",
     "sliding_window_pattern: expected 1 or more, found 0"},
    {PL_E_UNSUPPORTED, "{\"model_type\":\"gemma3_text\",\"rope_parameters\":{\"rope_type\":\"default\"}}",
     "rope_parameters: rope_type: expected full_attention and sliding_attention alone"},
    {PL_E_INPUT, "{\"model_type\":\"smollm3\",\"no_rope_layer_interval\":0}",
     "no_rope_layer_interval: expected 1 or more, found 0"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        pl_config c;
        pl_status status = pl__config_parse(&c, r->text, strlen(r->text), "config.json");
        if (status != r->status || !strstr(pl_error_text(), r->message) ||
            strncmp(pl_error_text(), "config.json:", 12) != 0)
            fail_msg("%s: status %d, expected '%s' in: %s", r->text, status, r->message, pl_error_text());
    }
}

/* A norm's bias is as wide as its weights, over one head or all. */
static void test_norm_biases(void **state)
{
    (void)state;
    static const pl__slot norms[] = {PL__EMBED_NORM, PL__Q_NORM, PL__K_NORM, PL__FINAL_NORM};
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
        assert_int_equal(pl__slot_facts(norms[i])->columns, pl__slot_facts(norms[i] + 1)->columns);
}

/* Of equal tensors, what makes another model of them makes another digest. */
static void test_digest(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"model_type\":\"opt\"}",
        "{\"model_type\":\"opt\",\"do_layer_norm_before\":false}",
        "{\"model_type\":\"opt\",\"_remove_final_layer_norm\":true}",
        "{\"model_type\":\"opt\",\"word_embed_proj_dim\":512}",
        "{\"model_type\":\"falcon\"}",
        "{\"model_type\":\"falcon\",\"alibi\":true}",
    };
    enum { N = sizeof texts / sizeof *texts };
    char digests[N][PL_HASH_TEXT];
    for (size_t i = 0; i < N; i++) {
        const pl_config c = parse(texts[i]);
        OK(pl_config_digest(&c, digests[i]));
        for (size_t j = 0; j < i; j++) assert_string_not_equal(digests[i], digests[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gpt2_defaults),
                                       cmocka_unit_test(test_padding),
                                       cmocka_unit_test(test_llama_defaults),
                                       cmocka_unit_test(test_rope_generations),
                                       cmocka_unit_test(test_border_of_some_layers),
                                       cmocka_unit_test(test_frequencies),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_norm_biases),
                                       cmocka_unit_test(test_digest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
