/* Task files as lm-evaluation-harness has them: where their data are found, keys that change nothing, samples and
 * samplers, several filters, several right answers. */
#include "tests.h"

#include "task/task.h"

static char folder[PL_PATH_MAX];

static pl_task *open_text(const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    pl_task *task;
    write_below(folder, name, text);
    OK(pl_path(path, "%s/%s", folder, name));
    if (pl_task_open(&task, path) != PL_OK) fail_msg("%s", pl_error_text());
    return task;
}

static int set_up(void **state)
{
    char sets[PL_PATH_MAX];
    (void)state;
    make_folder(folder);
    OK(pl_path(sets, "%s/sets", folder));
    setenv("PLUMB_DATASETS", sets, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unsetenv("PLUMB_DATASETS");
    remove_folder(folder);
    return 0;
}

#define ROW(text) "{\"text\": \"" text "\", \"label\": 1}\n"
#define BODY      "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\ndoc_to_choice: [no, yes]\n"

/* The text of the first item, and of the first row of the pool. */
static void check_data(const char *yaml, const char *test, const char *pool)
{
    pl_task *task = open_text("tasks/t.yaml", yaml);
    pl_row row;
    OK(pl_row_open(&row, task->test, 0));
    assert_string_equal(json_string_value(json_object_get(row.item, "text")), test);
    pl_row_close(&row);
    assert_int_equal(task->fewshot != NULL, pool != NULL);
    if (pool) OK(pl_row_open(&row, task->fewshot, 0));
    if (pool) assert_string_equal(json_string_value(json_object_get(row.item, "text")), pool);
    pl_row_close(&row);
    pl_task_free(task);
}

static void test_data_are_found(void **state)
{
    (void)state;
    write_below(folder, "sets/org/set/config/test.jsonl", ROW("named test"));
    write_below(folder, "sets/org/set/config/train.jsonl", ROW("named train"));
    write_below(folder, "sets/org/plain/validation.jsonl", ROW("plain validation"));
    write_below(folder, "sets/org/hub/data/x.jsonl", ROW("of the hub"));
    write_below(folder, "tasks/near/config/test.jsonl", ROW("near, of a configuration"));
    write_below(folder, "tasks/near/test.csv", "text,label\nnear,1\n");
    write_below(folder, "tasks/files/a.csv", "text,label\na file,0\n");
#define SET "task: t\ndataset_path: org/set\ndataset_name: config\n"
    check_data(SET "test_split: test\ntraining_split: train\n" BODY, "named test", "named train");
    check_data("task: t\ndataset_path: org/plain\ndataset_name: null\ntest_split: null\nvalidation_split: validation\n"
               "training_split: null\n" BODY,
               "plain validation", NULL);
    check_data("task: t\ndataset_path: near\ntest_split: test\n" BODY, "near", NULL);
    check_data("task: t\ndataset_path: near\ndataset_name: config\ntest_split: test\n" BODY, "near, of a configuration",
               NULL);
    check_data(
        "task: t\ndataset_path: csv\ndataset_kwargs: {data_files: {test: files/a.csv}, trust_remote_code: true}\n"
        "test_split: test\n" BODY,
        "a file", NULL);
    check_data("task: t\ndataset_path: csv\ndataset_kwargs: {data_files: files/a.csv}\ntest_split: train\n" BODY,
               "a file", NULL);
    check_data("task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: "
               "[\"hf://datasets/org/hub/data/x.jsonl\"]}}\ntest_split: test\n" BODY,
               "of the hub", NULL);
    check_data(SET "test_split: test\ntraining_split: train\nfewshot_config: {split: test}\n" BODY, "named test",
               "named test");
    check_data(SET
               "test_split: test\ntraining_split: train\nfewshot_config: {sampler: first_n, samples: [{text: \"in the "
               "file\", label: 0}]}\n" BODY,
               "named test", "in the file");
    check_data(SET "test_split: test\nfewshot_split: train\nfewshot_config: {samples: [{text: x, label: 0}]}\n" BODY,
               "named test", "named train");
    /* What leads out of the folder of sets is no name. */
    pl_task *task;
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/tasks/t.yaml", folder));
    write_below(folder, "tasks/t.yaml",
                "task: t\ndataset_path: org/../../sets/org/set\ndataset_name: config\ntest_split: test\n" BODY);
    REFUSED(pl_task_open(&task, path), PL_E_INPUT, "dataset_path: no folder");
    write_below(folder, "tasks/t.yaml", SET "test_split: dev\n" BODY);
    REFUSED(pl_task_open(&task, path), PL_E_INPUT, "nor a converted set");
    assert_non_null(strstr(pl_error_text(), "/sets/org/set/config/dev.jsonl"));
}

/* Every line is an item, an empty one too; ends of lines are no part of it. */
static void test_plain_text(void **state)
{
    (void)state;
    write_below(folder, "tasks/files/a.txt", "one\r\n\n two {\nétè");
    write_below(folder, "tasks/files/bad.txt", "one\ntwo \xff\n");
    pl_task *task = open_text("tasks/t.yaml", "task: t\ndataset_path: text\ndataset_kwargs: {data_files: {test: "
                                              "files/a.txt}}\ntest_split: test\noutput_type: loglikelihood\n"
                                              "doc_to_text: \"\"\ndoc_to_target: text\n");
    static const char *const lines[] = {"one", "", " two {", "étè"};
    assert_int_equal(task->test->n, 4);
    for (size_t i = 0; i < 4; i++) {
        pl_row row;
        OK(pl_row_open(&row, task->test, i));
        assert_string_equal(json_string_value(json_object_get(row.item, "text")), lines[i]);
        assert_int_equal(pl_row_line(task->test, i), i + 1);
        pl_row_close(&row);
    }
    pl_task_free(task);
    char path[PL_PATH_MAX];
    pl_data *data;
    OK(pl_path(path, "%s/tasks/files/bad.txt", folder));
    REFUSED(pl_data_read(&data, path, NULL, NULL), PL_E_INPUT, "bad.txt:2: byte 4 of the line is not valid UTF-8");
}

/* A run's own copy of the file stands alone: it gives the same task wherever the data are. */
static void test_frozen_file_stands_alone(void **state)
{
    (void)state;
    write_below(folder, "sets/org/set/config/test.jsonl", ROW("a") ROW("b"));
    static const char *const yaml[] = {
        SET "test_split: test\nfewshot_config: {split: test, sampler: first_n}\nplumb: {filter: b}\n"
            "filter_list: [{name: a, filter: []}, {name: b, filter: []}]\nmetadata: {x: [1]}\n" BODY,
        SET "test_split: test\nfewshot_config: {samples: [{text: s, label: 0}]}\n" BODY};
    for (size_t i = 0; i < 2; i++) {
        pl_task *task = open_text("tasks/t.yaml", yaml[i]), *again = open_text("elsewhere/frozen.yaml", task->frozen);
        assert_string_equal(task->test->sha256, again->test->sha256);
        assert_string_equal(task->fewshot->sha256, again->fewshot->sha256);
        assert_string_equal(task->templates[0].digest, again->templates[0].digest);
        assert_int_equal(task->first_shots, again->first_shots);
        assert_string_equal(pl_filter_name(task->filter), pl_filter_name(again->filter));
        assert_string_equal(pl_filter_name(task->filter), i ? "none" : "b");
        assert_string_equal(task->unused_filters, i ? "" : "a");
        assert_string_equal(task->frozen, again->frozen);
        pl_task_free(task);
        pl_task_free(again);
    }
}

static void test_idle_keys_are_listed(void **state)
{
    (void)state;
    write_below(folder, "sets/org/set/config/test.jsonl", ROW("a"));
    static const char *const metadata[] = {"5", "[1, {version: 7}]", "{version: [1]}", "text", "{version: 7}"},
                             *const versions[] = {"0", "7", "0", "0", "7"};
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml,
                 SET "test_split: test\ntag: [x]\ngroup: y\nshould_decontaminate: true\nmetadata: %s\n" BODY,
                 metadata[i]);
        pl_task *task = open_text("tasks/t.yaml", yaml);
        assert_string_equal(task->version, versions[i]);
        assert_int_equal(task->n_idle, 3);
        assert_non_null(strstr(task->idle[0], "tag ("));
        assert_non_null(strstr(task->idle[1], "t.yaml:6)"));
        pl_task_free(task);
    }
}

/* Of several right answers the first stands behind a shot; all are kept, and their list as Python writes it. */
static void test_several_answers(void **state)
{
    (void)state;
    write_below(folder, "sets/org/set/config/test.jsonl",
                "{\"q\": \"one\", \"answers\": [\"uno\", \"it's\"]}\n"
                "{\"q\": \"two\", \"answers\": [\"due\"]}\n");
    pl_task *task =
        open_text("tasks/t.yaml", SET "test_split: test\ntraining_split: test\noutput_type: generate_until\n"
                                      "doc_to_text: \"Q: {{ q }}\\nA:\"\ndoc_to_target: \"{{ answers }}\"\n");
    pl_arena *arena;
    pl_prompt prompt;
    const size_t shots[] = {1};
    OK(pl_arena_create(&arena));
    OK(pl_prompt_build(&prompt, task, task->templates, 0, shots, 1, arena));
    assert_string_equal(prompt.context, "Q: two\nA: due\n\nQ: one\nA:");
    assert_string_equal(prompt.target, "uno");
    assert_int_equal(prompt.n_targets, 2);
    assert_string_equal(prompt.targets[1], "it's");
    assert_string_equal(prompt.targets_text, "['uno', \"it's\"]");
    pl_arena_free(arena);
    pl_task_free(task);
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/tasks/t.yaml", folder));
    write_below(folder, "tasks/t.yaml",
                SET "test_split: test\noutput_type: generate_until\ndoc_to_text: q\n"
                    "doc_to_target: \"{{ answers[2:] }}\"\n");
    REFUSED(pl_task_open(&task, path), PL_E_INPUT, "an empty list: expected an answer");
}

/* The target alone, with what stands in front of it. */
static void test_loglikelihood(void **state)
{
    (void)state;
    write_below(folder, "sets/org/set/config/test.jsonl", "{\"text\": \"one two three\"}\n");
    pl_task *task = open_text("tasks/t.yaml", SET "test_split: test\noutput_type: loglikelihood\n"
                                                  "doc_to_text: \"{{text.split(' ')[:-1]|join(' ')}}\"\n"
                                                  "doc_to_target: \"{{' '+text.split(' ')[-1]}}\"\n"
                                                  "metric_list: [{metric: perplexity, aggregation: perplexity, "
                                                  "higher_is_better: false}, {metric: acc}]\n");
    pl_arena *arena;
    pl_prompt prompt;
    OK(pl_arena_create(&arena));
    OK(pl_prompt_build(&prompt, task, task->templates, 0, NULL, 0, arena));
    assert_string_equal(prompt.context, "one two");
    assert_int_equal(prompt.n_choices, 1);
    assert_string_equal(prompt.choices[0], " three");
    assert_true(prompt.alone);
    assert_int_equal(json_array_size(task->metrics), 1);
    assert_string_equal(json_string_value(json_array_get(task->metrics, 0)), "perplexity");
    pl_arena_free(arena);
    pl_task_free(task);
}

/* A prompt of item `at` under a template of its own; the caller frees both. */
static pl_task *build(pl_prompt *out, pl_arena **arena, const char *yaml, size_t at, size_t k)
{
    static const size_t shots[] = {0, 1};
    pl_task *task = open_text("tasks/t.yaml", yaml);
    OK(pl_arena_create(arena));
    OK(pl_prompt_build(out, task, task->templates, at, shots, k, *arena));
    return task;
}

#define CONTEXTS                                                                                                       \
    SET "training_split: test\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: n\ndoc_to_choice: "        \
        "options\n"                                                                                                    \
        "doc_to_target: end\nfewshot_delimiter: '|'\n"

/* Each choice is a context, and the target stands behind each of them. What the answer begins with has the delimiter
 * before it in shots, and not in the item's own contexts. */
static void test_contexts(void **state)
{
    (void)state;
    char path[PL_PATH_MAX];
    pl_prompt p;
    pl_arena *arena;
    OK(pl_path(path, "%s/tasks/t.yaml", folder));
    write_below(folder, "sets/org/set/config/test.jsonl",
                "{\"n\": 1, \"options\": [\"a A\", \"a B\"], \"end\": \"runs\"}\n"
                "{\"n\": 0, \"options\": [\"b A\", \"b B\"], \"end\": \"sits\"}\n"
                "{\"n\": 2, \"options\": [\"c A\", \"c B\"], \"end\": \"0\"}\n");
    pl_task *task = build(&p, &arena, CONTEXTS "gen_prefix: so\n", 1, 1);
    assert_true(task->templates->several_contexts);
    assert_int_equal(p.gold, 0);
    assert_string_equal(p.target, "sits");
    assert_string_equal(p.contexts[0].text, "a B so runs|b Aso");
    assert_string_equal(p.contexts[1].text, "a B so runs|b Bso");
    assert_string_equal(p.choices[0], " sits");
    assert_string_equal(p.choices[1], " sits");
    REFUSED(pl_prompt_build(&p, task, task->templates, 2, NULL, 0, arena), PL_E_INPUT,
            "doc_to_text gives 2: expected an index of the 2 choices");
    pl_arena_free(arena);
    pl_task_free(task);
    /* Digits are no index of a context where the target is an index itself. */
    write_below(folder, "tasks/t.yaml",
                SET "test_split: test\noutput_type: multiple_choice\ndoc_to_text: n\n"
                    "doc_to_choice: options\ndoc_to_target: n\n");
    REFUSED(pl_task_open(&task, path), PL_E_INPUT, "takes for the index of a choice");
}

static void test_several_right(void **state)
{
    (void)state;
    pl_prompt p;
    pl_arena *arena;
    write_below(folder, "sets/org/set/config/test.jsonl",
                "{\"q\": \"who\", \"a\": [\"x\", \"y\", \"z\"], \"right\": [2, 0]}\n");
    pl_task *task = build(&p, &arena,
                          SET "test_split: test\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: a\n"
                              "doc_to_target: right\nmetric_list: [{metric: exact_match}, {metric: acc_mutual_info}]\n",
                          0, 0);
    assert_int_equal(p.n_right, 2);
    assert_int_equal(p.gold, 2);
    assert_string_equal(p.target, "z");
    assert_string_equal(p.targets_text, "[2, 0]");
    assert_true(pl_prompt_is_right(&p, 0) && !pl_prompt_is_right(&p, 1) && pl_prompt_is_right(&p, 2));
    assert_true(p.unconditional && pl_task_names(task, "exact_match") && !pl_task_names(task, "acc"));
    pl_arena_free(arena);
    pl_task_free(task);
}

/* Words are what re.split(r"\s+") makes of the text, unless fields say them. */
static void test_rolling(void **state)
{
    (void)state;
#define ROLLING SET "test_split: test\noutput_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: page\n"
    pl_prompt p;
    pl_arena *arena;
    write_below(folder, "sets/org/set/config/test.jsonl",
                "{\"page\": \" one  two\\n\\u3000na\\u00efve \", \"w\": 7, \"b\": 0}\n");
    pl_task *task = build(&p, &arena, ROLLING "description: 'never shown'\n", 0, 0);
    assert_true(p.rolling && p.alone);
    assert_int_equal(p.context_size, 0);
    assert_int_equal(p.words, 5); /* '', one, two, naive, '' */
    assert_int_equal(p.bytes, 20);
    pl_arena_free(arena);
    pl_task_free(task);
    task = build(&p, &arena, ROLLING "plumb: {words: w, max_length: 9}\n", 0, 0);
    assert_int_equal(p.words, 7);
    assert_int_equal(task->max_length, 9);
    pl_arena_free(arena);
    pl_task_free(task);
    task = open_text("tasks/t.yaml", ROLLING "plumb: {bytes: b}\n");
    OK(pl_arena_create(&arena));
    REFUSED(pl_prompt_build(&p, task, task->templates, 0, NULL, 0, arena), PL_E_INPUT,
            "field 'b' of task t: expected a number of 1 or more");
    pl_arena_free(arena);
    pl_task_free(task);
}

/* What an answer begins with: the delimiter before it and a blank behind it only where no white space is. */
static void test_gen_prefix(void **state)
{
    (void)state;
#define PREFIXED                                                                                                       \
    SET "training_split: test\ntest_split: test\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_target: a\n"      \
        "target_delimiter: '='\nfewshot_delimiter: '|'\ngen_prefix: "
    static const struct {
        const char *prefix, *context;
    } cases[] = {
        {"So\n", "who=So x|when=So"},    {"'So '\n", "who=So x|when=So "},         {"' So'\n", "who So x|when So"},
        {"begin\n", "who=It x|when=He"}, {"'{{begin}}:'\n", "who=It: x|when=He:"}, {"''\n", "who=x|when"}};
    write_below(folder, "sets/org/set/config/test.jsonl",
                "{\"q\": \"who\", \"a\": \"x\", \"begin\": \"It\"}\n"
                "{\"q\": \"when\", \"a\": \"y\", \"begin\": \"He\"}\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char yaml[600];
        pl_prompt p;
        pl_arena *arena;
        snprintf(yaml, sizeof yaml, "%s%s", PREFIXED, cases[i].prefix);
        pl_task *task = build(&p, &arena, yaml, 1, 1);
        assert_string_equal(p.context, cases[i].context);
        pl_arena_free(arena);
        pl_task_free(task);
    }
}

static void test_map_filter(void **state)
{
    (void)state;
    write_below(folder, "sets/org/set/config/test.jsonl", ROW("a"));
    pl_task *task = open_text("tasks/t.yaml",
                              SET "test_split: test\noutput_type: generate_until\ndoc_to_text: text\ndoc_to_target: "
                                  "text\nfilter_list: [{name: m, filter: [{function: remove_whitespace}, {function: "
                                  "map, mapping_dict: {\"A\": \"yes\", \"B\": \"no\"}, default_value: \"?\"}]}]\n");
    static const char *const cases[][2] = {{" A\n", "yes"}, {"B", "no"}, {"AB", "?"}, {"", "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_bytes out = {0};
        OK(pl_filter_apply(task->filter, &out, cases[i][0], strlen(cases[i][0])));
        assert_string_equal(out.data, cases[i][1]);
        pl_bytes_free(&out);
    }
    pl_task_free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_are_found),
        cmocka_unit_test(test_plain_text),
        cmocka_unit_test(test_frozen_file_stands_alone),
        cmocka_unit_test(test_idle_keys_are_listed),
        cmocka_unit_test(test_several_answers),
        cmocka_unit_test(test_loglikelihood),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_several_right),
        cmocka_unit_test(test_rolling),
        cmocka_unit_test(test_gen_prefix),
        cmocka_unit_test(test_map_filter),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
