/* data_files and dataset_kwargs of a task file: which files a split has and how they are read, what is refused, and a
 * run's own copy of the file, which reads the same rows wherever it lies. */
#include <unistd.h>

#include "tests.h"

#include "task/task.h"

static char folder[PL_PATH_MAX];

static int set_up(void **state)
{
    char sets[PL_PATH_MAX];
    (void)state;
    make_folder(folder);
    OK(pl_path(sets, "%s/sets", folder));
    setenv("PLUMB_DATASETS", sets, 1);
    write_below(folder, "t/a.jsonl", "{\"n\": \"1\"}\n{\"n\": \"2\"}\n");
    write_below(folder, "t/b.jsonl", "{\"n\": \"3\"}\n");
    write_below(folder, "t/list.json", "{\"version\": [1], \"rows\": [{\"n\": \"4\"},\n {\"n\": \"5\"}]}\n");
    write_below(folder, "t/d/x10.csv", "n\n010\n");
    write_below(folder, "t/d/x9.csv", "n\n9\n");
    write_below(folder, "t/d/y.csv", "note\n7;'a;''b'\n");
    write_below(folder, "t/lines.log", "8\n9\n");
    write_below(folder, "sets/org/set/file.jsonl", "{\"n\": \"6\"}\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unsetenv("PLUMB_DATASETS");
    remove_folder(folder);
    return 0;
}

static pl_status open_task(pl_task **out, const char *name, const char *head)
{
    char text[2048], path[PL_PATH_MAX];
    write_below(folder, "t/base.yaml",
                "task: t\noutput_type: generate_until\ndoc_to_text: \"{{ n }}\"\ndoc_to_target: \"{{ n }}\"\n");
    snprintf(text, sizeof text, "include: base.yaml\n%s", head);
    write_below(folder, name, text);
    OK(pl_path(path, "%s/%s", folder, name));
    return pl_task_open(out, path);
}

/* The texts of all items, a blank between them. */
static void check_texts(const pl_task *task, const char *wanted)
{
    char found[256] = "";
    for (size_t i = 0; i < task->test->n; i++) {
        pl_arena *arena;
        pl_prompt prompt;
        OK(pl_arena_create(&arena));
        OK(pl_prompt_build(&prompt, task, &task->templates[0], i, NULL, 0, arena));
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i ? " " : "", prompt.context);
        pl_arena_free(arena);
    }
    assert_string_equal(found, wanted);
}

/* Rows, and the same rows from the frozen file, which lies elsewhere. */
static void check(const char *head, const char *wanted)
{
    pl_task *task, *frozen;
    char path[PL_PATH_MAX];
    if (open_task(&task, "t/t.yaml", head) != PL_OK) fail_msg("%s\ngives: %s", head, pl_error_text());
    check_texts(task, wanted);
    OK(pl_path(path, "%s/run/t.yaml", folder));
    write_below(folder, "run/t.yaml", task->frozen);
    if (pl_task_open(&frozen, path) != PL_OK) fail_msg("%s\ngives: %s", task->frozen, pl_error_text());
    check_texts(frozen, wanted);
    assert_string_equal(frozen->digest, task->digest);
    assert_string_equal(frozen->test->sha256, task->test->sha256);
    assert_string_equal(frozen->frozen, task->frozen);
    pl_task_free(task);
    pl_task_free(frozen);
}

static void test_forms_of_data_files(void **state)
{
    (void)state;
    check("dataset_path: json\ndataset_kwargs: {data_files: a.jsonl}\ntest_split: train\n", "1 2");
    /* The longest name that lm-evaluation-harness has. */
    check("task: persona_willingness-to-use-physical-force-to-achieve-benevolent-goals-and-thirteen-more\n"
          "test_split: a.jsonl\n",
          "1 2");
    check("dataset_path: json\ndataset_kwargs: {data_files: [b.jsonl, a.jsonl]}\ntest_split: train\n", "3 1 2");
    check("dataset_path: json\ndataset_kwargs: {data_files: {test: [a.jsonl, b.jsonl]}}\ntest_split: test\n", "1 2 3");
    check("dataset_path: json\ndataset_kwargs: {data_files: {test: [\"hf://datasets/org/set/file.jsonl\", b.jsonl]}}\n"
          "test_split: test\n",
          "6 3");
    check("dataset_path: json\ndataset_kwargs: {data_files: {test: \"?.jsonl\"}}\ntest_split: test\n", "1 2 3");
    check("dataset_path: csv\ndataset_kwargs: {data_files: {test: \"d/x*.csv\"}}\ntest_split: test\n", "10 9");
    check("dataset_path: text\ndataset_kwargs: {data_files: lines.log}\ntest_split: train\ndoc_to_text: text\n"
          "doc_to_target: text\n",
          "8 9");
}

static void test_how_files_are_read(void **state)
{
    (void)state;
    check("dataset_path: json\ndataset_kwargs: {data_files: list.json, field: rows}\ntest_split: train\n", "4 5");
    check("dataset_path: csv\ndataset_kwargs: {data_files: d/y.csv, sep: \";\", quotechar: \"'\", skiprows: 1, names: "
          "[k, n]}\ntest_split: train\n",
          "a;'b");
    check("dataset_path: csv\ndataset_kwargs: {data_files: d/y.csv, delimiter: \";\", quoting: 3, header: null, names: "
          "[k, n, m], skiprows: 1}\ntest_split: train\n",
          "'a");
    check("dataset_path: csv\ndataset_kwargs: {data_files: d/y.csv, sep: \"\\\\t\", header: 0, names: [n]}\n"
          "test_split: train\n",
          "7;'a;''b'");
    write_below(folder, "sets/org/set/test.jsonl", "{\"n\": \"11\"}\n");
    check("dataset_path: org/set\ndataset_kwargs: {data_files: {test: x.csv}, names: [n], header: null}\n"
          "test_split: test\n",
          "11");
    /* Without the builder: a column of codes stays text, and the split's own arguments hold. */
    check("test_split: d/x10.csv\n", "010");
    check("test_split: {path: d/x10.csv, format: csv}\n", "10");
    check("test_split: {path: [d/x10.csv, d/x9.csv]}\n", "010 9");
    check("test_split: {path: list.json, dataset_kwargs: {field: rows}}\n", "4 5");
}

/* A digest of rows is another where they are read otherwise; a set of two files is not the first of them. */
static void test_digests_tell_readings_apart(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "test_split: d/x10.csv\n", "test_split: {path: d/x10.csv, format: csv}\n",
        "test_split: {path: d/x10.csv, dataset_kwargs: {names: [m], header: 0}}\ndoc_to_text: m\ndoc_to_target: m\n",
        "test_split: {path: [d/x10.csv, d/x9.csv]}\n"};
    char digests[4][PL_SHA256_TEXT];
    for (size_t i = 0; i < 4; i++) {
        pl_task *task;
        char name[16];
        snprintf(name, sizeof name, "t/%zu.yaml", i);
        OK(open_task(&task, name, heads[i]));
        memcpy(digests[i], task->test->sha256, sizeof digests[i]);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(digests[k], digests[i]);
        pl_task_free(task);
    }
}

/* Naming the reader that the ending names anyway changes nothing: the digest is the file's. */
static void test_digests_are_the_files(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool of_file;
    } cases[] = {
        {"test_split: a.jsonl\n", true},
        {"test_split: {path: a.jsonl, format: json}\n", true},
        {"dataset_path: json\ndataset_kwargs: {data_files: a.jsonl}\ntest_split: train\n", true},
        {"dataset_path: text\ndataset_kwargs: {data_files: lines.txt}\ntest_split: train\ndoc_to_text: text\n"
         "doc_to_target: text\n",
         true},
        {"dataset_path: text\ndataset_kwargs: {data_files: lines.log}\ntest_split: train\ndoc_to_text: text\n"
         "doc_to_target: text\n",
         false},
        {"dataset_path: csv\ndataset_kwargs: {data_files: d/x9.csv}\ntest_split: train\n", false},
        {"dataset_path: json\ndataset_kwargs: {data_files: list.json, field: rows}\ntest_split: train\n", false},
    };
    write_below(folder, "t/lines.txt", "8\n9\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_task *task;
        OK(open_task(&task, "t/t.yaml", cases[i].head));
        if (cases[i].of_file != (strcmp(task->test->sha256, task->test->file_sha256) == 0))
            fail_msg("%s\nhas %s of the file %s", cases[i].head, task->test->sha256, task->test->file_sha256);
        pl_task_free(task);
    }
}

/* A link's own name says how it is read, not that of the file it leads to. */
static void test_linked_files(void **state)
{
    (void)state;
    char link[PL_PATH_MAX];
    write_below(folder, "t/blobs/3fa9", "{\"n\": \"1\"}\n{\"n\": \"2\"}\n");
    OK(pl_path(link, "%s/t/linked.jsonl", folder));
    assert_int_equal(symlink("blobs/3fa9", link), 0);
    check("test_split: linked.jsonl\n", "1 2");
    check("dataset_path: json\ndataset_kwargs: {data_files: linked.jsonl}\ntest_split: train\n", "1 2");
}

/* The folder of a task is no pattern, whatever letters its name has. */
static void test_folders_are_no_patterns(void **state)
{
    (void)state;
    pl_task *task;
    write_below(folder, "s[a]*?/base.yaml",
                "task: t\noutput_type: generate_until\ndoc_to_text: \"{{ n }}\"\ndoc_to_target: \"{{ n }}\"\n");
    write_below(folder, "s[a]*?/a.jsonl", "{\"n\": \"1\"}\n");
    write_below(folder, "sa/b.jsonl", "{\"n\": \"2\"}\n");
    OK(open_task(&task, "s[a]*?/t.yaml",
                 "dataset_path: json\ndataset_kwargs: {data_files: \"[ab].jsonl\"}\ntest_split: train\n"));
    check_texts(task, "1");
    pl_task_free(task);
}

/* A split has so many files and no more, whether a pattern or a list names them. */
static void test_most_files(void **state)
{
    (void)state;
    enum { MOST = 1024 };
    char head[2 * PL_PATH_MAX], name[32];
    pl_task *task;
    for (size_t i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "t/many/%zu.jsonl", i);
        write_below(folder, name, "{\"n\": \"1\"}\n");
    }
    const char *every = "dataset_path: json\ndataset_kwargs: {data_files: {test: \"many/*.jsonl\"}}\n";
    snprintf(head, sizeof head, "%stest_split: test\n", every);
    OK(open_task(&task, "t/t.yaml", head));
    assert_int_equal(task->test->n, MOST);
    pl_task_free(task);
    snprintf(head, sizeof head, "%stest_split: {path: [test, %s/t/a.jsonl]}\n", every, folder);
    REFUSED(open_task(&task, "t/t.yaml", head), PL_E_INPUT, "a.jsonl: more than 1024 files of a split");
}

/* What is wrong with a row of several files names the one that has it. */
static void test_rows_name_their_file(void **state)
{
    (void)state;
    static const struct {
        const char *second, *message;
    } cases[] = {{"{\"n\": \"\", \"w\": 1}\n", "second.jsonl:1: an empty text"},
                 {"{\"n\": \"x\", \"w\": 0}\n", "second.jsonl:1: field 'w' of task t: expected a number of 1 or more"}};
    write_below(folder, "t/first.jsonl", "{\"n\": \"x y\", \"w\": 2}\n");
    for (size_t i = 0; i < 2; i++) {
        pl_arena *arena;
        pl_prompt prompt;
        pl_task *task;
        write_below(folder, "t/second.jsonl", cases[i].second);
        OK(open_task(&task, "t/t.yaml",
                     "output_type: loglikelihood_rolling\nplumb: {words: w}\n"
                     "test_split: {path: [first.jsonl, second.jsonl]}\n"));
        OK(pl_arena_create(&arena));
        OK(pl_prompt_build(&prompt, task, &task->templates[0], 0, NULL, 0, arena));
        REFUSED(pl_prompt_build(&prompt, task, &task->templates[0], 1, NULL, 0, arena), PL_E_INPUT, cases[i].message);
        pl_arena_free(arena);
        pl_task_free(task);
    }
}

static void test_what_changes_nothing_is_listed(void **state)
{
    (void)state;
    pl_task *task;
    OK(open_task(
        &task, "t/t.yaml",
        "tag: x\ndataset_path: csv\ndataset_kwargs: {data_files: d/x9.csv, sep: \",\", trust_remote_code: true,\n"
        "  revision: main, na_values: null, encoding: utf-8}\ntest_split: train\n"));
    static const char *const wanted[] = {"tag (", "dataset_kwargs.trust_remote_code (", "dataset_kwargs.revision (",
                                         "dataset_kwargs.na_values (", "dataset_kwargs.encoding ("};
    assert_int_equal(task->n_idle, 5);
    for (size_t i = 0; i < 5; i++) assert_memory_equal(task->idle[i], wanted[i], strlen(wanted[i]));
    assert_non_null(strstr(task->idle[2], "t.yaml:5)"));
    pl_task_free(task);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *head, *message;
    } cases[] = {
        {"dataset_path: json\ndataset_kwargs: {data_files: {test: [a.jsonl, no.jsonl]}}\ntest_split: test\n",
         "no data file"},
        {"dataset_path: json\ndataset_kwargs: {data_files: {test: \"q*.jsonl\"}}\ntest_split: test\n",
         "t.yaml:3:37: data_files: no file is called"},
        {"dataset_path: json\ndataset_kwargs: {data_files: {test: \"**/a.jsonl\"}}\ntest_split: test\n",
         "data_files: ** is not supported"},
        {"dataset_path: json\ndataset_kwargs: {data_files: {test: {a: b}}}\ntest_split: test\n",
         "expected the name of a file, or a list of them"},
        {"dataset_path: json\ndataset_kwargs: {data_files: {test: []}}\ntest_split: test\n", "an empty list"},
        {"dataset_path: json\ndataset_kwargs: {data_files: [a.jsonl]}\ntest_split: test\n",
         "data_files has no split 'test'"},
        {"dataset_path: json\ndataset_kwargs: {data_files: \"hf://datasets/org/set/q*.jsonl\"}\ntest_split: train\n",
         "data_files: no file is called"},
        {"dataset_path: org/set\ndataset_kwargs: {qa_split: qa3}\ntest_split: file\n",
         "t.yaml:3:18: dataset_kwargs: 'qa_split' is an argument of the set's own code"},
        {"dataset_path: json\ndataset_kwargs: {data_dir: d}\ntest_split: train\n",
         "t.yaml:3:28: dataset_kwargs: which files of a data_dir are a split's"},
        {"dataset_path: json\ndataset_kwargs: x\ntest_split: test\n", "dataset_kwargs: expected a map"},
        {"dataset_path: json\ndataset_kwargs: {data_files: a.jsonl, sep: \";\"}\ntest_split: train\n",
         "are arguments of CSV files"},
        {"dataset_path: csv\ndataset_kwargs: {data_files: d/y.csv, sep: \", \"}\ntest_split: train\n",
         "sep ', ': expected one letter"},
        {"dataset_path: csv\ndataset_kwargs: {data_files: d/y.csv, quoting: 1}\ntest_split: train\n", "quoting 1"},
        {"dataset_path: csv\ndataset_kwargs: {data_files: d/y.csv, names: x}\ntest_split: train\n", "names: expected"},
        {"dataset_path: csv\ndataset_kwargs: {data_files: d/y.csv, na_values: [x]}\ntest_split: train\n",
         "dataset_kwargs: na_values is not supported"},
        {"dataset_path: text\ndataset_kwargs: {data_files: lines.log, sample_by: document}\ntest_split: train\n",
         "sample_by is not supported but for line"},
        {"test_split: {path: a.jsonl, format: parquet}\n", "format 'parquet': expected json, csv or text"},
        {"test_split: {path: [a.jsonl, b.jsonl], sha256: x}\n", "sha256: expected a list as in path"},
        {"test_split: {path: [a.jsonl, b.jsonl], sha256: [x]}\n", "sha256: expected 2 digests as in path, found 1"},
        {"test_split: {path: []}\n", "path: expected 1 to"},
        {"dataset_path: json\ndataset_kwargs: {data_files: x.parquet}\ntest_split: train\n", "Parquet is not read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_task *task;
        if (open_task(&task, "t/t.yaml", cases[i].head) == PL_OK) fail_msg("opens: %s", cases[i].head);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("%s\ngives: %s", cases[i].head, pl_error_text());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_data_files),
        cmocka_unit_test(test_how_files_are_read),
        cmocka_unit_test(test_digests_tell_readings_apart),
        cmocka_unit_test(test_digests_are_the_files),
        cmocka_unit_test(test_linked_files),
        cmocka_unit_test(test_folders_are_no_patterns),
        cmocka_unit_test(test_most_files),
        cmocka_unit_test(test_rows_name_their_file),
        cmocka_unit_test(test_what_changes_nothing_is_listed),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
