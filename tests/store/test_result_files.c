/* Names of result files: as lm-evaluation-harness has them, one for each, none too long. */
#include "tests.h"

#include "store/result_files.h"

static void names_are_plain(void **state)
{
    (void)state;
    char name[PL_RESULT_FILE];
    OK(pl_results_file(name, NULL));
    assert_string_equal(name, "results.json");
    OK(pl_results_file(name, "org/model v1.5\x1b"));
    assert_string_equal(name, "results_org_model_v1.5_.json");
    OK(pl_samples_file(name, NULL, "sst-2"));
    assert_string_equal(name, "samples_sst-2.jsonl");
    OK(pl_samples_file(name, "a:b", "../x"));
    assert_string_equal(name, "samples_a_b_.._x.jsonl");
}

static void long_names_are_refused(void **state)
{
    (void)state;
    char name[PL_RESULT_FILE], text[400];
    memset(text, 'n', sizeof text);
    text[137] = 0;
    OK(pl_results_file(name, text));
    text[137] = 'n', text[138] = 0;
    REFUSED(pl_results_file(name, text), PL_E_INPUT, "a name of more than 150 bytes");
    text[138] = 'n', text[399] = 0;
    REFUSED(pl_samples_file(name, text, "t"), PL_E_INPUT, "shorter 'name'");
}

static void two_names_of_one_file_are_refused(void **state)
{
    (void)state;
    static const char *const models[] = {"m", "m_x", "a/b", "a_b"}, *const tasks[] = {"t", "x_t"};
    OK(pl_result_files_check(models, 2, tasks, 1, "e.yaml"));
    OK(pl_result_files_check(models, 1, tasks, 2, "e.yaml"));
    REFUSED(pl_result_files_check(models + 2, 2, tasks, 1, "e.yaml"), PL_E_INPUT, "e.yaml: models 'a/b' and 'a_b'");
    REFUSED(pl_result_files_check(models, 2, tasks, 2, "e.yaml"), PL_E_INPUT, "the file samples_m_x_t.jsonl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_plain), cmocka_unit_test(long_names_are_refused),
                                       cmocka_unit_test(two_names_of_one_file_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
