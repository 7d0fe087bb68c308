/* How large a primary contrast will be: groups of items, wordings, draws of both sides. */
#include "experiment/planned.h"

#include "experiment/primary_size.h"

static pl_primary_size size_of(const char *primary)
{
    char text[600];
    pl_spec *spec;
    pl_primary_size out;
    snprintf(text, sizeof text,
             "name: e\nmodels: [m]\ntasks: [grouped.yaml]\nprimary: {task: grouped, %s}\n"
             "arms: [{kind: prompt, shots: [0, 2], draws: 4}, {kind: linear, n_train: 8, seeds: 3},"
             " {kind: linear, n_train: 4}]\n",
             primary);
    pl_plan *plan = plan_of(&spec, text);
    OK(pl_primary_size_of(&out, plan, 0));
    drop(plan, spec);
    return out;
}

static void sizes_are_those_of_the_plan(void **state)
{
    (void)state;
    pl_bytes rows = {0};
    for (int i = 0; i < 40; i++)
        OK(pl_bytes_format(&rows, "{\"t\":\"b%d\",\"u\":\"h%d\",\"v\":2,\"l\":%d}\n", i, i, i % 2));
    write_file("others.jsonl", rows.data);
    pl_bytes_free(&rows);
    write_file("grouped.yaml",
               "task: grouped\ntest_split: long.jsonl\ntraining_split: others.jsonl\noutput_type: multiple_choice\n"
               "doc_to_text: \"{{ t }}\"\ndoc_to_target: l\ndoc_to_choice: [\"y\", \"n\"]\nplumb:\n  group: u\n"
               "  templates:\n    - {name: plain, role: id}\n    - {name: odd, role: ood, doc_to_text: \"{{ t }} a\"}\n"
               "    - {name: words, role: ood, doc_to_text: \"{{ t }} a\", doc_to_choice: [\"a\", \"b\"]}\n"
               "    - {name: third, role: ood, doc_to_text: \"{{ t }} b\"}\n");
    pl_primary_size size = size_of("arm: {kind: linear, n_train: 8}, minus: {kind: prompt, shots: 2}");
    assert_int_equal(size.items, 40);
    assert_int_equal(size.clusters, 10);
    assert_int_equal(size.templates, 2); /* `words` is `odd` with other label words */
    assert_int_equal(size.draws, 3);     /* of 3 and 4 */
    assert_true(size.found);
    assert_int_equal(size_of("arm: {kind: linear, n_train: 8}, minus: {kind: prompt, shots: 0}").draws, 3);
    assert_int_equal(size_of("arm: {kind: prompt, shots: 2}, minus: {kind: prompt, shots: 0}").draws, 4);
    assert_int_equal(size_of("arm: {kind: linear}, minus: best_prompt, templates: id").templates, 1);
    /* One draw of either is of many, too: those of the other alone tell nothing. */
    assert_true(size.drawn);
    size = size_of("arm: {kind: linear, n_train: 4}, minus: {kind: prompt, shots: 2}");
    assert_true(size.draws == 1 && size.drawn && size.found);
    assert_false(size_of("arm: {kind: linear}, minus: {kind: prompt, shots: 7}").found);
    /* Groups are known where no shots are drawn, too. */
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [grouped.yaml]\narms: [{kind: prompt, shots: 0}]\n"
                                   "primary: {task: grouped, arm: {kind: prompt}, minus: best_prompt}\n");
    OK(pl_primary_size_of(&size, plan, 0));
    assert_int_equal(size.clusters, 10);
    assert_true(size.draws == 1 && !size.drawn);
    drop(plan, spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_are_those_of_the_plan)};
    set_up();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(root);
    return failed;
}
