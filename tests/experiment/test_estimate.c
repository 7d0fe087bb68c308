/* Tokens of content-free inputs in an estimate: exact where every sampled item is as long as the others. */
#include "experiment/planned.h"

#include "experiment/estimate.h"

enum { ITEMS = 40, WORDS = 25 };

/* Items of two choices of their own, all of two letters: 25 different ones. */
static void put_task(const char *file, const char *calibration)
{
    static const char letters[] = "abcyn";
    pl_bytes rows = {0}, task = {0};
    for (size_t i = 0; i < ITEMS; i++) {
        size_t a = i % WORDS, b = (i + 1) % WORDS;
        OK(pl_bytes_format(&rows, "{\"t\":\"a\",\"l\":0,\"o\":[\"%c%c\",\"%c%c\"]}\n", letters[a / 5], letters[a % 5],
                           letters[b / 5], letters[b % 5]));
    }
    write_file("own.jsonl", rows.data);
    OK(pl_bytes_format(&task,
                       "output_type: multiple_choice\ntask: own\ntest_split: own.jsonl\ndoc_to_text: \"{{ t }}\"\n"
                       "doc_to_target: l\ndoc_to_choice: o\nplumb: {calibration: %s}\n",
                       calibration));
    write_file(file, task.data);
    pl_bytes_free(&rows);
    pl_bytes_free(&task);
}

static pl_estimate estimate_of(const char *calibration)
{
    pl_spec *spec;
    pl_estimate one;
    put_task("own.yaml", calibration);
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [own.yaml]\narms: [{kind: prompt, shots: [0]}]\n");
    assert_int_equal(plan->n_units, 1);
    OK(pl_estimate_units(&one, plan));
    drop(plan, spec);
    return one;
}

/* Tokens are letters and the space: an item's prompt has 1, a choice 3, of which 2 run. The two inputs have 1 and 2,
 * and run once with each of the 25 choices. */
static void content_free_inputs_are_counted(void **state)
{
    (void)state;
    pl_estimate without = estimate_of("[]"), with = estimate_of("[c, cc]");
    assert_true(without.tokens == ITEMS * (1 + 2 * 2));
    assert_true(with.tokens - without.tokens == 1 + 2 + 2 * WORDS * 2);
    assert_true(with.operations > without.operations);
    assert_true(with.disk_bytes - without.disk_bytes == 2 * 8 * ITEMS * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(content_free_inputs_are_counted)};
    set_up();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(root);
    return failures;
}
