/* The tokenizers of real checkpoints, where the data folder is there: our hard texts against golden ids, and Hugging
 * Face's own integration string. */
#include "golden_tokenizer.h"

#include <stdlib.h>

static const char *data_folder(void)
{
    const char *folder = getenv("PLUMB_DATA");
    return folder ? folder : PLUMB_SOURCE_DIR "/../shared/data";
}

static void open_or_skip(char path[PL_PATH_MAX], const char *name)
{
    assert_int_equal(pl_path(path, "%s/%s", data_folder(), name), PL_OK);
    if (!pl_folder_exists(path)) {
        print_message("SKIP %s is not there\n", path);
        skip();
    }
}

static void check_texts(const char *name)
{
    char path[PL_PATH_MAX], expected[PL_PATH_MAX];
    open_or_skip(path, name);
    const char *base = strrchr(name, '/') + 1;
    assert_int_equal(pl_path(expected, "%s/expected/%s.json", GOLDEN, base), PL_OK);
    golden_check(path, expected, base);
}

/* The case of hf_integration_expected.json that belongs to a folder. */
static void check_integration(const char *name, const char *key)
{
    char path[PL_PATH_MAX], file[PL_PATH_MAX];
    open_or_skip(path, name);
    assert_int_equal(pl_path(file, "%s/tokenizers/hf_integration_expected.json", data_folder()), PL_OK);
    json_t *all = golden_json(file);
    const json_t *text = json_object_get(all, "input"), *one = json_object_get(json_object_get(all, "cases"), key);
    pl_tokenizer *t;
    pl_ids got = {0}, want = {0};
    assert_non_null(one);
    if (pl_tokenizer_open(&t, path) != PL_OK) fail_msg("%s", pl_error_text());
    golden_ids(&want, json_object_get(one, "integration_expected_token_ids"));
    assert_true(want.n > 50);
    assert_int_equal(pl_tokenizer_encode(t, json_string_value(text), json_string_length(text), false, &got), PL_OK);
    golden_same_ids(&got, &want, key, 0);
    pl_ids_free(&got);
    pl_ids_free(&want);
    pl_tokenizer_free(t);
    json_decref(all);
}

static void test_gpt2(void **state)
{
    (void)state;
    check_texts("tokenizers/gpt2");
    check_integration("tokenizers/gpt2", "gpt2.GPT2TokenizationTest");
}

static void test_gpt_neox(void **state)
{
    (void)state;
    check_texts("tokenizers/gpt-neox-20b");
    check_integration("tokenizers/gpt-neox-20b", "gpt_neox.GPTNeoXTokenizationTest");
}

static void test_qwen2(void **state)
{
    (void)state;
    check_texts("tokenizers/qwen2");
    check_integration("tokenizers/qwen2", "qwen2.Qwen2TokenizationTest");
}

static void test_phi2(void **state)
{
    (void)state;
    check_texts("tokenizers/phi-2");
}

static void test_stories260k(void **state)
{
    (void)state;
    check_texts("models/stories260K");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2), cmocka_unit_test(test_gpt_neox),    cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_phi2), cmocka_unit_test(test_stories260k),
    };
    if (!pl_folder_exists(data_folder())) {
        printf("SKIP %s is not there\n", data_folder());
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
