/* Multimodal checkpoints: which of their configuration holds for the text model, what the user is told, what is
 * refused. Their values: test_golden.c. */
#include "model/config.h"
#include "model/wrapper.h"
#include "tests.h"

static pl_config parse(const char *text)
{
    pl_config c;
    OK(pl__config_parse(&c, text, strlen(text), "config.json"));
    return c;
}

static void test_what_holds(void **state)
{
    (void)state;
    pl_config c = parse("{\"model_type\":\"gemma3\",\"eos_token_id\":[1,106],\"dtype\":\"bfloat16\",\"text_config\":"
                        "{\"hidden_size\":64,\"num_hidden_layers\":2,\"eos_token_id\":9,\"architectures\":[\"X\"]}}");
    assert_string_equal(c.model_type, "gemma3_text"); /* text_config names none */
    assert_string_equal(c.wrapper->model_type, "gemma3");
    assert_int_equal(c.C, 64);
    assert_int_equal(c.L, 2);
    assert_int_equal(c.stops.n, 2);
    assert_int_equal(c.stops.ids[1], 106);
    assert_string_equal(c.dtype, "bfloat16");
    assert_true(c.tied);
    /* tie_word_embeddings: the whole's; a llava's text model may say it too. */
    assert_false(parse("{\"model_type\":\"gemma3\",\"tie_word_embeddings\":false,\"text_config\":{}}").tied);
    assert_false(
        parse("{\"model_type\":\"smolvlm\",\"text_config\":{\"model_type\":\"llama\",\"tie_word_embeddings\":true}}")
            .tied);
    assert_true(
        parse("{\"model_type\":\"llava\",\"text_config\":{\"model_type\":\"qwen2\",\"tie_word_embeddings\":true}}")
            .tied);
    assert_false(parse("{\"model_type\":\"llava\",\"text_config\":{\"model_type\":\"mistral\"}}").tied);
    assert_null(parse("{\"model_type\":\"gemma3_text\"}").wrapper);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"model_type\":\"gemma3\"}", "text_config: expected an object: a gemma3 is read for its text model alone"},
        {"{\"model_type\":\"gemma3\",\"text_config\":[]}", "text_config: expected an object"},
        {"{\"model_type\":\"gemma3\",\"architectures\":[\"Gemma3ForSequenceClassification\"],\"text_config\":{}}",
         "'Gemma3ForSequenceClassification' is not supported"},
        {"{\"model_type\":\"llava\",\"text_config\":{\"model_type\":\"mamba\"}}",
         "model_type 'mamba' is not supported"},
        {"{\"model_type\":\"paligemma\"}", "; text models of gemma3, mistral3, llava"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_config c;
        assert_int_not_equal(pl__config_parse(&c, cases[i].text, strlen(cases[i].text), "config.json"), PL_OK);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("%s: %s", cases[i].text, pl_error_text());
    }
}

static void test_note(void **state)
{
    (void)state;
    pl_checkpoint *c;
    OK(pl_checkpoint_open(&c, PLUMB_SOURCE_DIR "/tests/golden/models/wrapped-llava"));
    assert_int_equal(c->n_notes, 1);
    assert_non_null(strstr(c->notes[0], "llava: its text model (llama) alone is read: "));
    assert_non_null(strstr(c->notes[0], "tensors of the rest are skipped"));
    pl_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_holds), cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_note)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
