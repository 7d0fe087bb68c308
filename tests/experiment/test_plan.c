/* Planning an experiment that the test writes: which units there are, that what changes no number changes no id, and
 * that draws that a pool cannot give are not planned. */
#include "experiment/planned.h"

#define ARMS "arms: [{kind: prompt, shots: [0, 1], draws: 2}]\n"

/* The same ids for another name of the experiment, folder or spelling; others for another seed or name of the model. */
static void ids_are_what_decides_numbers(void **state)
{
    (void)state;
    static const char *const same[] = {"name: e\nmodels: [m]\ntasks: [task.yaml]\n" ARMS,
                                       "name: other\nmodels: [{path: renamed, name: m}]\ntasks: [task.yaml]\n" ARMS,
                                       "name: e\nmodels: [{path: m}]\ntasks: [copy.yaml]\n" ARMS};
    pl_spec *spec, *spec2;
    pl_plan *first = plan_of(&spec, same[0]), *plan;
    write_file("copy.yaml", first->tasks[0].task->frozen); /* what a run folder keeps */
    assert_int_equal(first->n_units, 2 * (1 + 2));
    for (size_t i = 1; i < 3; i++) {
        plan = plan_of(&spec2, same[i]);
        assert_int_equal(plan->n_units, first->n_units);
        for (size_t u = 0; u < plan->n_units; u++) assert_string_equal(plan->units[u].id, first->units[u].id);
        if (i == 2) assert_string_equal(plan->hash, first->hash);
        assert_string_equal(plan->tasks[0].task->digest, first->tasks[0].task->digest);
        drop(plan, spec2);
    }
    static const char *const others[] = {"name: e\nmodels: [m]\ntasks: [task.yaml]\nseed: 1\n" ARMS,
                                         "name: e\nmodels: [{path: m, name: called}]\ntasks: [task.yaml]\n" ARMS};
    for (size_t i = 0; i < 2; i++) {
        plan = plan_of(&spec2, others[i]);
        for (size_t u = 0; u < plan->n_units; u++) assert_string_not_equal(plan->units[u].id, first->units[u].id);
        drop(plan, spec2);
    }
    drop(first, spec);
}

/* config.json decides numbers as the weights do; a key at its default, or of no meaning here, does not. */
static void a_config_is_part_of_the_id(void **state)
{
    (void)state;
    char plain[PL_HASH_TEXT], other[PL_HASH_TEXT];
    id_with(plain, "1e-05", "1e-05", "kind: prompt");
    id_with(other, "1e-05", "2e-05", "kind: prompt");
    assert_string_not_equal(plain, other);
    id_with(other, "\"gelu_new\"", "\"relu\"    ", "kind: prompt");
    assert_string_not_equal(plain, other);
    id_with(other, "layer_norm_epsilon", "layer_norm_unknown", "kind: prompt"); /* the default is 1e-5 */
    assert_string_equal(plain, other);
    id_with(other, "0.02", "0.03", "kind: prompt"); /* of the initialisation */
    assert_string_equal(plain, other);
}

static void two_arms_share_a_cell(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [task.yaml]\narms: [{kind: prompt, shots: [0, 1]}, "
                                   "{kind: prompt, shots: [1, 2]}]\n");
    assert_int_equal(plan->n_units, 2 * 3);
    drop(plan, spec);
}

static void count_lines(void *listener, const char *line)
{
    *(size_t *)listener += strstr(line, "the pool has 2 different prompts") != NULL;
}

/* Of two rows there are two prompts of one shot, and two of two shots, however many draws are asked for. */
static void a_small_pool_gives_few_draws(void **state)
{
    (void)state;
    size_t n_lines = 0;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [task.yaml]\n"
                                   "arms: [{kind: prompt, shots: [1, 2], draws: 5, orders: 2}]\n");
    assert_int_equal(plan->n_units, 2 * (2 + 2));
    pl_plan_notes(plan, count_lines, &n_lines);
    assert_int_equal(n_lines, 2);
    drop(plan, spec);
}

/* Without `shots` an arm has the task's number of them. */
static void a_task_has_a_number_of_shots(void **state)
{
    (void)state;
    pl_spec *spec, *spec2;
    write_file("two.yaml", "include: task.yaml\nnum_fewshot: 2\n");
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [two.yaml]\narms: [{kind: prompt}]\n");
    pl_plan *same = plan_of(&spec2, "name: e\nmodels: [m]\ntasks: [task.yaml]\narms: [{kind: prompt, shots: 2}]\n");
    assert_int_equal(plan->n_units, 2);
    for (size_t u = 0; u < 2; u++) {
        assert_int_equal(plan->units[u].k, 2);
        assert_string_equal(plan->units[u].id, same->units[u].id);
    }
    assert_non_null(plan->tasks[0].rows.fewshot);
    drop(same, spec2);
    drop(plan, spec);
}

/* Rows that nothing uses change the digest of their file, and else nothing: a pool without shots is not parsed. */
static void rows_without_use_may_be_broken(void **state)
{
    (void)state;
    pl_spec *spec, *spec2;
    static const char text[] = "name: e\nmodels: [m]\ntasks: [%s.yaml]\narms: [{kind: prompt, shots: 0}]\n";
    char good[200], broken[200];
    write_file("broken.jsonl", "{\"t\":\"ab\",\"l\":0}\n{\"t\":\"ba\",\"l\":7}\n{\"t\" \"l\"}\n");
    write_file("broken.yaml",
               "include: base.yaml\ntask: letters\ntest_split: test.jsonl\ntraining_split: broken.jsonl\n");
    snprintf(good, sizeof good, text, "task");
    snprintf(broken, sizeof broken, text, "broken");
    pl_plan *a = plan_of(&spec, good), *b = plan_of(&spec2, broken);
    assert_int_equal(a->n_units, b->n_units);
    for (size_t u = 0; u < a->n_units; u++) assert_string_equal(a->units[u].id, b->units[u].id);
    drop(a, spec);
    drop(b, spec2);
}

/* Draws and orders of which most repeat others cost nothing; more units than the limit are refused with their count. */
static void too_many_units_are_refused(void **state)
{
    (void)state;
    pl_spec *spec;
    char path[PL_PATH_MAX];
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [task.yaml]\n"
                                   "arms: [{kind: prompt, shots: [2], draws: 10000, orders: 10000}]\n");
    static const char many[] = "name: e\nmodels: [m]\ntasks: [long.yaml]\n"
                               "arms: [{kind: prompt, shots: [20], draws: 10000, orders: 10000}]\n";
    assert_int_equal(plan->n_units, 2 * 2);
    drop(plan, spec);
    OK(pl_path(path, "%s/e.yaml", root));
    OK(pl_spec_parse(&spec, many, strlen(many), path, NULL, 0));
    REFUSED(pl_plan_create(&plan, spec), PL_E_INPUT, "up to 200000000 units");
    pl_spec_free(spec);
}

/* Names that would become one file of results. */
static void names_that_share_a_file_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "name: e\nmodels: [{path: m, name: a/b}, {path: m, name: a_b}]\ntasks: [task.yaml]\n" ARMS,
        "name: e\nmodels: [{path: m, name: m}, {path: m, name: m_x}]\ntasks: [task.yaml, other.yaml]\n" ARMS};
    static const char *const messages[] = {"models 'a/b' and 'a_b' would share the file results_a_b.json",
                                           "would share the file samples_m_x_letters.jsonl"};
    for (size_t i = 0; i < 2; i++) {
        pl_spec *spec;
        pl_plan *plan;
        char path[PL_PATH_MAX];
        OK(pl_path(path, "%s/e.yaml", root));
        OK(pl_spec_parse(&spec, texts[i], strlen(texts[i]), path, NULL, 0));
        REFUSED(pl_plan_create(&plan, spec), PL_E_INPUT, messages[i]);
        pl_spec_free(spec);
    }
}

/* Checkpoints of one training run, each a model of its own. */
static void revisions_are_models(void **state)
{
    (void)state;
    pl_spec *spec;
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/run", root));
    OK(pl_folder_make(path));
    put_model("run/step1");
    put_model("run/step2");
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [{path: run, name: r, revision: [step1, step2]}, m]\n"
                                   "tasks: [task.yaml]\narms: [{kind: prompt}]\n");
    assert_int_equal(plan->n_models, 3);
    assert_string_equal(plan->models[0].spec->name, "r@step1");
    assert_string_equal(plan->models[1].spec->name, "r@step2");
    assert_string_equal(plan->models[2].spec->name, "m");
    static const char *const tasks[] = {"task.yaml"};
    pl_bytes frozen = {0};
    pl_spec *again;
    OK(pl_spec_freeze(&frozen, spec, tasks));
    OK(pl_path(path, "%s/e.yaml", root));
    OK(pl_spec_parse(&again, frozen.data, frozen.size, path, NULL, 0));
    assert_int_equal(again->n_models, 3);
    assert_string_equal(again->models[1].name, "r@step2");
    assert_string_equal(again->models[2].name, "m");
    pl_spec_free(again);
    pl_bytes_free(&frozen);
    drop(plan, spec);
}

static void unit_ids_are_unique(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [task.yaml]\n"
                                   "arms: [{kind: prompt, shots: [0, 1, 2], draws: 2, readout: [loglikelihood, "
                                   "generate]}]\n");
    for (size_t a = 0; a < plan->n_units; a++)
        for (size_t b = 0; b < a; b++) assert_string_not_equal(plan->units[a].id, plan->units[b].id);
    drop(plan, spec);
}

/* Four ood templates, three of them wordings: the last two differ in label words only. */
static void looks_count_wordings(void **state)
{
    (void)state;
    pl_spec *spec;
    write_file(
        "worded.yaml",
        "include: base.yaml\ntask: worded\ntest_split: test.jsonl\ntraining_split: pool.jsonl\n"
        "plumb: {templates: [{name: plain, role: id}, {name: o1, role: ood, doc_to_text: \"{{ t }} a\"}, {name: o2, "
        "role: ood, doc_to_text: \"{{ t }} b\"}, {name: o3, role: ood, doc_to_text: \"{{ t }} c\"}, {name: o4, "
        "role: ood, doc_to_text: \"{{ t }} c\", doc_to_choice: [\"b\", \"c\"]}]}\n");
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [worded.yaml]\nstaged: true\nverdict: {require: 0.7}\n"
                                   "arms: [{kind: prompt, shots: [0]}]\n");
    bool found = false;
    for (size_t i = 0; i < plan->n_notes; i++)
        found = found || strstr(plan->notes[i], "note: task worded: staged, with 3 ood wordings: below 4 ");
    assert_true(found);
    drop(plan, spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_what_decides_numbers), cmocka_unit_test(a_config_is_part_of_the_id),
        cmocka_unit_test(two_arms_share_a_cell),        cmocka_unit_test(a_small_pool_gives_few_draws),
        cmocka_unit_test(a_task_has_a_number_of_shots), cmocka_unit_test(rows_without_use_may_be_broken),
        cmocka_unit_test(too_many_units_are_refused),   cmocka_unit_test(names_that_share_a_file_are_refused),
        cmocka_unit_test(revisions_are_models),         cmocka_unit_test(unit_ids_are_unique),
        cmocka_unit_test(looks_count_wordings)};
    set_up();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(root);
    return failures;
}
