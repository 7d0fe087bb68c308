/* Planning an experiment that the test writes: which units there are, that what changes no number changes no id, and
 * that draws that a pool cannot give are not planned. */
#include "tests.h"

#include "base/file.h"
#include "experiment/draw.h"
#include "experiment/examples.h"
#include "task/task.h"

static char root[PL_PATH_MAX];

static void write_file(const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", root, name));
    OK(pl_file_replace(path, text, strlen(text)));
}

/* A checkpoint under another name, with a tokenizer of single letters. */
static void put_model(const char *name)
{
    static const char *const files[] = {"config.json", "model.safetensors"};
    char path[PL_PATH_MAX], from[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", root, name));
    OK(pl_folder_make(path));
    for (size_t i = 0; i < 2; i++) {
        pl_bytes bytes;
        OK(pl_path(from, PLUMB_SOURCE_DIR "/tests/golden/models/gpt2/%s", files[i]));
        OK(pl_path(path, "%s/%s/%s", root, name, files[i]));
        OK(pl_file_read(&bytes, from, 100000000));
        OK(pl_file_replace(path, bytes.data, bytes.size));
        pl_bytes_free(&bytes);
    }
    char file[64];
    snprintf(file, sizeof file, "%s/vocab.json", name);
    write_file(file, "{\"a\":0,\"b\":1,\"c\":2,\"Ġ\":3,\"Ċ\":4,\"y\":5,\"n\":6}");
    snprintf(file, sizeof file, "%s/merges.txt", name);
    write_file(file, "#version: 0.2\n");
}

static void set_up(void)
{
    make_folder(root);
    put_model("m");
    put_model("renamed");
    write_file("test.jsonl", "{\"t\":\"a\",\"l\":0}\n{\"t\":\"b\",\"l\":1}\n{\"t\":\"c\",\"l\":0}\n");
    write_file("pool.jsonl", "{\"t\":\"ab\",\"l\":0}\n{\"t\":\"ba\",\"l\":1}\n");
    pl_bytes rows = {0};
    for (int i = 0; i < 40; i++) OK(pl_bytes_format(&rows, "{\"t\":\"a%d\",\"l\":%d}\n", i, i % 2));
    write_file("long.jsonl", rows.data);
    pl_bytes_free(&rows);
    write_file("long.yaml", "include: task.yaml\ntask: long\ntraining_split: long.jsonl\n");
    write_file("other.yaml", "include: task.yaml\ntask: x_letters\n");
    write_file("task.yaml", "include: base.yaml\ntask: letters\ntest_split: test.jsonl\ntraining_split: pool.jsonl\n");
    write_file("base.yaml", "output_type: multiple_choice\ndoc_to_text: \"{{ t }}\"\ndoc_to_target: l\n"
                            "doc_to_choice: [\"y\", \"n\"]\n"
                            "plumb: {templates: [{name: plain, role: id}, {name: odd, role: ood, "
                            "doc_to_text: \"{{ t }} a\"}]}\n");
}

static pl_plan *plan_of(pl_spec **spec, const char *text)
{
    char path[PL_PATH_MAX];
    pl_plan *plan;
    OK(pl_path(path, "%s/e.yaml", root));
    OK(pl_spec_parse(spec, text, strlen(text), path, NULL, 0));
    OK(pl_plan_create(&plan, *spec));
    return plan;
}

static void drop(pl_plan *plan, pl_spec *spec)
{
    pl_plan_free(plan);
    pl_spec_free(spec);
}

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

/* The first unit's id once `from` in config.json is `to`, of the same length. */
static void id_with(char id[PL_HASH_TEXT], const char *from, const char *to)
{
    char path[PL_PATH_MAX];
    pl_bytes config;
    pl_spec *spec;
    OK(pl_path(path, "%s/renamed/config.json", root));
    OK(pl_file_read(&config, path, 100000));
    char *at = strstr(config.data, from);
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    OK(pl_file_replace(path, config.data, config.size));
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [renamed]\ntasks: [task.yaml]\narms: [{kind: prompt}]\n");
    memcpy(id, plan->units[0].id, PL_HASH_TEXT);
    drop(plan, spec);
    memcpy(at, from, strlen(from));
    OK(pl_file_replace(path, config.data, config.size));
    pl_bytes_free(&config);
}

/* config.json decides numbers as the weights do; a key at its default, or of no meaning here, does not. */
static void a_config_is_part_of_the_id(void **state)
{
    (void)state;
    char plain[PL_HASH_TEXT], other[PL_HASH_TEXT];
    id_with(plain, "1e-05", "1e-05");
    id_with(other, "1e-05", "2e-05");
    assert_string_not_equal(plain, other);
    id_with(other, "\"gelu_new\"", "\"relu\"    ");
    assert_string_not_equal(plain, other);
    id_with(other, "layer_norm_epsilon", "layer_norm_unknown"); /* the default is 1e-5 */
    assert_string_equal(plain, other);
    id_with(other, "0.02", "0.03"); /* of the initialisation */
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

/* ---- arms that learn ---- */

#define LONG "name: e\nmodels: [m]\ntasks: [long.yaml]\n"

/* The examples of a draw: shots are the first of them, dev items the last quarter, and every arm has the same. */
static void arms_share_their_examples(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, LONG "arms: [{kind: linear, n_train: [8, 12], seeds: 2}, "
                                        "{kind: finetune, n_train: [8, 12], seeds: 2}]\n");
    const pl_examples *of[2][2][2] = {{{NULL}}}; /* arm, size, draw */
    assert_int_equal(plan->n_units, 2 * 4 * (1 + 2));
    for (size_t u = 0; u < plan->n_units; u++) {
        const pl_plan_unit *unit = &plan->units[u];
        const pl_adaptation *a = unit->adaptation;
        assert_int_equal(unit->learns, a->unit == u);
        assert_true(a->unit <= u && u - a->unit <= 2); /* its evaluations follow at once */
        assert_false(unit->learns && unit->captures);
        if (unit->learns) of[a->arm->kind == PL_ARM_FINETUNE][a->n_train == 12][a->draw] = a->examples;
    }
    for (size_t s = 0; s < 2; s++)
        for (size_t d = 0; d < 2; d++) {
            const pl_examples *e = of[0][s][d];
            size_t permutation[40], classes[2] = {0};
            assert_string_equal(e->digest, of[1][s][d]->digest);
            OK(pl_draw_permutation(permutation, plan->tasks[0].classes, 40, pl_draw_seed(1234, "long"), (uint32_t)d));
            assert_int_equal(e->n, s ? 12 : 8);
            assert_int_equal(e->n_dev, e->n / 4);
            assert_memory_equal(e->rows, permutation, e->n * sizeof *permutation);
            for (size_t i = 0; i < e->n; i++) classes[e->classes[i]]++;
            assert_int_equal(classes[0], classes[1]);
        }
    assert_string_not_equal(of[0][0][0]->digest, of[0][0][1]->digest);
    drop(plan, spec);
}

/* A row that reads like an evaluated item is never learned from. */
static void examples_do_not_give_items_away(void **state)
{
    (void)state;
    pl_spec *spec;
    write_file("mixed.yaml", "include: task.yaml\ntask: mixed\ntraining_split: mixed.jsonl\n");
    write_file("mixed.jsonl",
               "{\"t\":\"a\",\"l\":0}\n{\"t\":\"b\",\"l\":1}\n{\"t\":\"x\",\"l\":0}\n{\"t\":\"y\",\"l\":1}\n"
               "{\"t\":\"z\",\"l\":0}\n{\"t\":\"w\",\"l\":1}\n");
    pl_plan *plan = plan_of(&spec, "name: e\nmodels: [m]\ntasks: [mixed.yaml]\narms: [{kind: linear, n_train: 4}]\n");
    const pl_examples *e = plan->units[0].adaptation->examples;
    for (size_t i = 0; i < e->n; i++) assert_true(e->rows[i] >= 2);
    drop(plan, spec);
}

static void shuffled_labels_are_the_same_labels(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, LONG "arms: [{kind: linear, n_train: 32, labels: [given, shuffled]}]\n");
    const pl_examples *given = plan->units[0].adaptation->examples, *shuffled = plan->units[3].adaptation->examples;
    size_t n_moved = 0, ones[2] = {0};
    assert_int_equal(plan->units[3].adaptation->labels, PL_LABELS_SHUFFLED);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(given->rows[i], shuffled->rows[i]);
        n_moved += given->classes[i] != shuffled->classes[i];
        ones[0] += given->classes[i];
        ones[1] += shuffled->classes[i];
    }
    assert_int_equal(ones[0], ones[1]);
    assert_true(n_moved >= 8 && n_moved <= 24);
    assert_string_not_equal(plan->units[0].id, plan->units[3].id);
    drop(plan, spec);
}

static void a_mixture_deals_its_templates(void **state)
{
    (void)state;
    pl_spec *spec;
    pl_plan *plan = plan_of(&spec, LONG "templates: {id: [plain], dev: [odd]}\n"
                                        "arms: [{kind: finetune, n_train: 10, train_templates: [[plain, odd]]}]\n");
    const pl_adaptation *a = plan->units[0].adaptation;
    size_t second = 0;
    assert_string_equal(a->train_template, "plain+odd");
    for (size_t i = 0; i < 10; i++) second += a->examples->template_of[i];
    assert_int_equal(second, 5);
    assert_int_equal(a->n_dev_templates, 1);
    assert_string_equal(a->dev_templates[0]->name, "odd");
    drop(plan, spec);
}

/* All that decides the numbers of a unit that learns changes its id, and those of what evaluates it. */
static void what_is_learned_decides_ids(void **state)
{
    (void)state;
    static const char *const arms[] = {"",
                                       ", learning_rate: 1e-5",
                                       ", learning_rate: [1e-5, 5e-5]",
                                       ", num_train_epochs: 2",
                                       ", train_batch_size: 4",
                                       ", micro_batch_size: 4",
                                       ", lanes: 2",
                                       ", lr_scheduler_type: cosine",
                                       ", warmup_ratio: 0.1",
                                       ", warmup_steps: 1",
                                       ", weight_decay: 0.1",
                                       ", adam_beta1: 0.8",
                                       ", adam_beta2: 0.99",
                                       ", adam_epsilon: 1e-6",
                                       ", max_grad_norm: 0",
                                       ", dropout: 0",
                                       ", gradient_checkpointing: true",
                                       ", bf16: true",
                                       ", eval_steps: 3",
                                       ", loss_mean: examples",
                                       ", head: classifier",
                                       ", labels: shuffled",
                                       ", train_templates: odd",
                                       ", balance: false"};
    enum { N = sizeof arms / sizeof *arms };
    static char ids[N][2][PL_HASH_TEXT];
    for (size_t i = 0; i < N; i++) {
        char text[400];
        pl_spec *spec;
        snprintf(text, sizeof text, LONG "templates: {id: [plain, odd]}\narms: [{kind: finetune, n_train: 8%s}]\n",
                 arms[i]);
        pl_plan *plan = plan_of(&spec, text);
        for (size_t u = 0; u < 2; u++) memcpy(ids[i][u], plan->units[u].id, PL_HASH_TEXT);
        for (size_t j = 0; j < i; j++)
            for (size_t u = 0; u < 2; u++)
                if (!strcmp(ids[i][u], ids[j][u])) fail_msg("'%s' and '%s' have one id", arms[i], arms[j]);
        drop(plan, spec);
    }
    pl_spec *spec;
    pl_plan *plan =
        plan_of(&spec, LONG "templates: {id: [plain, odd]}\narms: [{kind: finetune, n_train: 8, save: true}]\n");
    assert_string_equal(plan->units[0].id, ids[0][0]); /* what is kept decides no number */
    drop(plan, spec);
}

static void what_cannot_be_learned_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *task, *rest, *part;
    } cases[] = {
        {"task", "arms: [{kind: linear, n_train: 4}]", "n_train: 4 examples are asked for, the pool has 2 rows"},
        {"nopool", "arms: [{kind: linear, n_train: 4}]", "there is nothing to learn from"},
        {"oneclass", "arms: [{kind: linear, n_train: 4}]", "have label 0: expected two labels or more"},
        {"long", "arms: [{kind: linear, n_train: 4, train_templates: none}]", "has no template 'none'"},
        {"long", "arms: [{kind: linear, n_train: 4, train_templates: raw}]", "shows the item's text alone"},
        {"long", "arms: [{kind: linear, n_train: 4, train_templates: odd}]", "'odd' has role ood"},
        {"long", "templates: {dev: [plain]}\narms: [{kind: linear, n_train: 4}]", "no template of role id"},
        {"long", "arms: [{kind: linear, n_train: 4, layers: 99}]", "found '99'"},
        {"alike", "templates: {id: [plain]}\narms: [{kind: finetune, n_train: 4, train_templates: same}]",
         "choices 0 and 1 are both '"},
        {"alike", "templates: {id: [plain]}\narms: [{kind: finetune, n_train: 4, train_templates: turned}]",
         "another label than"},
        {"open", "arms: [{kind: linear, n_train: 4}]", "arm linear needs a label set"},
        {"open", "arms: [{kind: finetune, n_train: 4, head: classifier}]", "head classifier needs a label set"},
    };
    write_file("nopool.yaml", "include: base.yaml\ntask: letters\ntest_split: test.jsonl\n");
    write_file("zeros.jsonl",
               "{\"t\":\"p\",\"l\":0}\n{\"t\":\"q\",\"l\":0}\n{\"t\":\"r\",\"l\":0}\n{\"t\":\"s\",\"l\":0}\n");
    write_file("oneclass.yaml", "include: task.yaml\ntraining_split: zeros.jsonl\n");
    write_file(
        "alike.yaml",
        "include: long.yaml\nplumb: {templates: [{name: plain, role: id}, {name: same, role: dev, doc_to_choice: "
        "[\"{{ t }}\", \"{{t}}\"]}, {name: turned, role: dev, doc_to_target: \"{% if l == 0 %}n{% else %}y{% "
        "endif %}\"}]}\n");
    write_file("open.yaml", "task: open\noutput_type: generate_until\ntest_split: test.jsonl\ntraining_split: "
                            "long.jsonl\ndoc_to_text: \"{{ t }}\"\ndoc_to_target: \"{{ t }}\"\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400], path[PL_PATH_MAX];
        pl_spec *spec;
        pl_plan *plan;
        snprintf(text, sizeof text, "name: e\nmodels: [m]\ntasks: [%s.yaml]\n%s\n", cases[i].task, cases[i].rest);
        OK(pl_path(path, "%s/e.yaml", root));
        OK(pl_spec_parse(&spec, text, strlen(text), path, NULL, 0));
        REFUSED(pl_plan_create(&plan, spec), PL_E_INPUT, cases[i].part);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_what_decides_numbers),        cmocka_unit_test(two_arms_share_a_cell),
        cmocka_unit_test(a_small_pool_gives_few_draws),        cmocka_unit_test(unit_ids_are_unique),
        cmocka_unit_test(a_config_is_part_of_the_id),          cmocka_unit_test(a_task_has_a_number_of_shots),
        cmocka_unit_test(rows_without_use_may_be_broken),      cmocka_unit_test(too_many_units_are_refused),
        cmocka_unit_test(names_that_share_a_file_are_refused), cmocka_unit_test(arms_share_their_examples),
        cmocka_unit_test(examples_do_not_give_items_away),     cmocka_unit_test(shuffled_labels_are_the_same_labels),
        cmocka_unit_test(a_mixture_deals_its_templates),       cmocka_unit_test(what_is_learned_decides_ids),
        cmocka_unit_test(what_cannot_be_learned_is_refused),   cmocka_unit_test(revisions_are_models)};
    set_up();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(root);
    return failures;
}
