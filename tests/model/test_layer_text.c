/* The layer plan in words: blocks that are equal stand together, and each fact that a family can have is said. */
#include "tests.h"

#include "model/config.h"
#include "model/layer_text.h"

static void check(const char *json, const char *const *wanted, size_t n)
{
    pl_config config;
    size_t found = 0;
    OK(pl__config_parse(&config, json, strlen(json), "config.json"));
    for (size_t layer = 0; layer < config.L; layer++) {
        pl_bytes text = {0};
        bool first;
        OK(pl_layer_numbers(&text, &first, &config, layer));
        OK(pl_bytes_text(&text, ": "));
        OK(pl_layer_text(&text, &config, layer));
        if (first) {
            assert_true(found < n);
            assert_string_equal(text.data, wanted[found]);
            found++;
        }
        pl_bytes_free(&text);
    }
    assert_int_equal(found, n);
}

static void test_one_kind(void **state)
{
    (void)state;
    check("{\"model_type\": \"gpt2\", \"n_layer\": 12}",
          (const char *const[]){"0-11: full attention, 12 heads of 64; learned positions; layer norm before each; "
                                "feed-forward 3072, GELU by tanh"},
          1);
    check("{\"model_type\": \"gpt_neox\", \"num_hidden_layers\": 1, \"hidden_size\": 64, \"num_attention_heads\": 4, "
          "\"intermediate_size\": 256, \"vocab_size\": 99, \"rotary_pct\": 0.25}",
          (const char *const[]){"0: full attention, 4 heads of 16; rotary, theta 10000, 4 of 16 features; layer norm "
                                "before each, side by side; feed-forward 256, GELU"},
          1);
    check("{\"model_type\": \"llama\", \"num_hidden_layers\": 2, \"hidden_size\": 64, \"num_attention_heads\": 4, "
          "\"num_key_value_heads\": 1, \"intermediate_size\": 100, \"vocab_size\": 99, \"rope_theta\": 500000.0}",
          (const char *const[]){"0-1: full attention, 4 heads of 16, 1 key/value head; rotary, theta 500000; RMS norm "
                                "before each; feed-forward 100, SiLU, gated"},
          1);
    check(
        "{\"model_type\": \"olmo2\", \"num_hidden_layers\": 2, \"hidden_size\": 64, \"num_attention_heads\": 4, "
        "\"intermediate_size\": 100, \"vocab_size\": 99}",
        (const char *const[]){"0-1: full attention, 4 heads of 16, norms over all queries and all keys; rotary, theta "
                              "10000; RMS norm after each; feed-forward 100, SiLU, gated"},
        1);
}

static void test_norms_of_sums(void **state)
{
    (void)state;
    check("{\"model_type\": \"opt\", \"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, "
          "\"ffn_dim\": 32, \"vocab_size\": 99, \"word_embed_proj_dim\": 16, \"do_layer_norm_before\": false}",
          (const char *const[]){"0-1: full attention, 3 heads of 8; learned positions; layer norm of each sum; "
                                "feed-forward 32, ReLU"},
          1);
}

static void test_alibi(void **state)
{
    (void)state;
    check("{\"model_type\": \"falcon\", \"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, "
          "\"multi_query\": false, \"parallel_attn\": false, \"vocab_size\": 99, \"alibi\": true}",
          (const char *const[]){"0-1: full attention, 3 heads of 8; positions by ALiBi; layer norm before each; "
                                "feed-forward 96, GELU"},
          1);
}

static void test_several_kinds(void **state)
{
    (void)state;
    check(
        "{\"model_type\": \"phi3\", \"num_hidden_layers\": 2, \"hidden_size\": 16, \"num_attention_heads\": 4, "
        "\"intermediate_size\": 100, \"vocab_size\": 99, \"original_max_position_embeddings\": 1000, \"rope_scaling\": "
        "{\"type\": \"longrope\", \"short_factor\": [1, 2], \"long_factor\": [3, 4]}}",
        (const char *const[]){
            "0-1: full attention, 4 heads of 4; rotary longrope, theta 10000, other factors beyond 1000 "
            "tokens; RMS norm before each; feed-forward 100, SiLU, gated"},
        1);
    check("{\"model_type\": \"gemma3_text\", \"num_hidden_layers\": 13, \"hidden_size\": 64, \"head_dim\": 16, "
          "\"num_attention_heads\": 4, \"num_key_value_heads\": 1, \"intermediate_size\": 100, \"vocab_size\": 99, "
          "\"sliding_window\": 512, \"query_pre_attn_scalar\": 16}",
          (const char *const[]){
              "0-4, 6-10, 12: window of 512 keys, 4 heads of 16, 1 key/value head, norms of each query and key head; "
              "rotary, theta 10000; RMS norm (1 + w) before and after each; feed-forward 100, GELU by tanh, gated",
              "5, 11: full attention, 4 heads of 16, 1 key/value head, norms of each query and key head; rotary, theta "
              "1000000; RMS norm (1 + w) before and after each; feed-forward 100, GELU by tanh, gated"},
          2);
    check(
        "{\"model_type\": \"smollm3\", \"num_hidden_layers\": 8, \"hidden_size\": 64, \"num_attention_heads\": 4, "
        "\"num_key_value_heads\": 2, \"intermediate_size\": 100, \"vocab_size\": 99, \"no_rope_layer_interval\": 4}",
        (const char *const[]){
            "0-2, 4-6: full attention, 4 heads of 16, 2 key/value heads; rotary, theta 2000000; RMS norm before each; "
            "feed-forward 100, SiLU, gated",
            "3, 7: full attention, 4 heads of 16, 2 key/value heads; no positions; RMS norm before each; feed-forward "
            "100, SiLU, gated"},
        2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_kind),
        cmocka_unit_test(test_norms_of_sums),
        cmocka_unit_test(test_alibi),
        cmocka_unit_test(test_several_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
