/* Task files: what they give, includes, digests, data through variables, and every mistake that must be named. */
#include "tests.h"

#include "task/task.h"

static char folder[PL_PATH_MAX];

static void write_file(const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/%s", folder, name), PL_OK);
    assert_int_equal(pl_file_replace(path, text, strlen(text)), PL_OK);
}

static pl_status open_task(pl_task **out, const char *name)
{
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, "%s/%s", folder, name), PL_OK);
    return pl_task_open(out, path);
}

static int set_up(void **state)
{
    (void)state;
    make_folder(folder);
    write_file(
        "train.jsonl",
        "{\"text\": \"one\", \"label\": 0, \"word\": \"no\"}\n{\"text\": \"two\", \"label\": 1, \"word\": \"yes\"}\n");
    write_file("test.jsonl", "{\"text\": \"three\", \"label\": 1, \"word\": \"yes\"}\n{\"text\": \"four\", \"label\": "
                             "2, \"word\": \"maybe\"}\n");
    write_file("empty.jsonl", "\n");
    write_file("digits.jsonl", "{\"text\": \"12\", \"label\": 0, \"word\": \"1\"}\n");
    write_file("negative.jsonl", "{\"text\": \"x\", \"label\": -1, \"word\": \"no\"}\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

static const char GOOD[] = "task: good\n"
                           "training_split: train.jsonl\n"
                           "test_split: test.jsonl\n"
                           "output_type: multiple_choice\n"
                           "doc_to_text: \"{{ text }}:\"\n"
                           "doc_to_target: label\n"
                           "doc_to_choice: [bad, good]\n";

static void test_defaults(void **state)
{
    (void)state;
    pl_task *task;
    write_file("good.yaml", GOOD);
    if (open_task(&task, "good.yaml") != PL_OK) fail_msg("%s", pl_error_text());
    assert_string_equal(task->name, "good");
    assert_string_equal(task->version, "0");
    assert_string_equal(task->description, "");
    assert_string_equal(task->fewshot_delimiter, "\n\n");
    assert_int_equal(task->n_templates, 1);
    assert_string_equal(task->templates[0].name, "default");
    assert_int_equal(task->templates[0].role, PL_ROLE_ID);
    assert_string_equal(task->templates[0].target_delimiter, " ");
    assert_int_equal(task->n_until, 1);
    assert_string_equal(task->until[0], "\n\n");
    assert_string_equal(pl_filter_name(task->filter), "none");
    assert_int_equal(task->max_gen_toks, 256);
    assert_int_equal(task->test->n, 2);
    assert_int_equal(task->fewshot->n, 2);
    assert_null(task->group);
    assert_null(pl_task_template(task, "other"));
    pl_task_free(task);
}

static void test_label_outside_the_set_names_the_item(void **state)
{
    (void)state;
    pl_task *task;
    pl_arena *arena;
    const char *text;
    size_t label;
    write_file("good.yaml", GOOD);
    assert_int_equal(open_task(&task, "good.yaml"), PL_OK);
    assert_int_equal(pl_arena_create(&arena), PL_OK);
    pl_row good, bad;
    OK(pl_row_open(&good, task->test, 0));
    OK(pl_row_open(&bad, task->test, 1));
    assert_int_equal(pl_task_target(task, task->templates, &good, arena, &text, &label), PL_OK);
    assert_string_equal(text, "good");
    assert_int_equal(label, 1);
    assert_int_equal(pl_task_target(task, task->templates, &bad, arena, &text, &label), PL_E_INPUT);
    pl_row_close(&good);
    pl_row_close(&bad);
    assert_non_null(strstr(pl_error_text(), "label '2' is outside the set of choices (0 = 'bad', 1 = 'good')"));
    assert_non_null(strstr(pl_error_text(), "[task good, template default, evaluated item doc_id 1]"));
    pl_arena_free(arena);
    pl_task_free(task);
}

/* Where generation stops, what is done to the answer, and how it is compared: the defaults are lm-evaluation-harness'.
 */
static void test_generation(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *json;
    } cases[] = {
        {"", "{\"until\": [\"\\n\\n\"], \"max_gen_toks\": 256, \"filter\": null, \"exact_match\": {}, "
             "\"answer_rule\": 2}"},
        {"fewshot_delimiter: \"##\"\ngeneration_kwargs: {max_gen_toks: 8}\n",
         "{\"until\": [\"##\"], \"max_gen_toks\": 8, \"filter\": null, \"exact_match\": {}, \"answer_rule\": 2}"},
        {"fewshot_delimiter: \"##\"\ngeneration_kwargs: {max_tokens: 9, max_new_tokens: 8, temperature: 0.7, "
         "do_sample: "
         "false, num_beams: 1, top_p: 0.9, top_k: 5}\n",
         "{\"until\": [\"##\"], \"max_gen_toks\": 8, \"filter\": null, \"exact_match\": {}, \"answer_rule\": 2}"},
        {"fewshot_delimiter: \"\"\n", "{\"until\": [], \"max_gen_toks\": 256, \"filter\": null, \"exact_match\": {}, "
                                      "\"answer_rule\": 2}"},
        {"generation_kwargs: {until: [\"\\n\", Q]}\nmetric_list: [{metric: exact_match, ignore_case: true, "
         "ignore_numbers: false, regexes_to_ignore: [\",\"]}]\nfilter_list: [{name: strip, filter: [{function: "
         "remove_whitespace}, {function: take_first}]}]\n",
         "{\"until\": [\"\\n\", \"Q\"], \"max_gen_toks\": 256, \"filter\": [{\"function\": "
         "\"remove_whitespace\"}, {\"function\": \"take_first\"}], \"exact_match\": {\"ignore_case\": true, "
         "\"regexes_to_ignore\": [\",\"]}, \"answer_rule\": 2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_task *task;
        json_t *found, *expected = json_loads(cases[i].json, 0, NULL);
        char text[1024];
        snprintf(text, sizeof text,
                 "task: t\ntest_split: test.jsonl\noutput_type: generate_until\ndoc_to_text: text\ndoc_to_target: "
                 "word\n%s",
                 cases[i].keys);
        write_file("x.yaml", text);
        if (open_task(&task, "x.yaml") != PL_OK) fail_msg("%s", pl_error_text());
        assert_int_equal(pl_task_generation_json(&found, task), PL_OK);
        assert_true(json_equal(found, expected));
        json_decref(found);
        json_decref(expected);
        pl_task_free(task);
    }
}

/* Keys of lm-evaluation-harness that change no number, and nulls, are as good as absent, in digests too. */
static void test_idle_keys_and_nulls(void **state)
{
    (void)state;
    pl_task *plain, *full;
    static const char base[] = "task: t\ntest_split: test.jsonl\noutput_type: generate_until\ndoc_to_text: text\n"
                               "doc_to_target: word\n";
    static const char more[] =
        "tag: [a, b]\ntask_alias: T\nshould_decontaminate: true\nrepeats: 1\ndataset_name: null\n"
        "doc_to_decontamination_query: \"{{ text }}\"\ntraining_split: null\nvalidation_split: ~\n"
        "fewshot_split:\ndoc_to_choice: null\nmetric_list: null\ngeneration_kwargs: null\n"
        "process_docs: null\nnum_fewshot: null\nfilter_list: null\ndescription: null\n";
    char text[2048];
    write_file("plain.yaml", base);
    if (open_task(&plain, "plain.yaml") != PL_OK) fail_msg("%s", pl_error_text());
    snprintf(text, sizeof text, "%s%s", base, more);
    write_file("full.yaml", text);
    if (open_task(&full, "full.yaml") != PL_OK) fail_msg("%s", pl_error_text());
    assert_string_equal(plain->digest, full->digest);
    assert_string_equal(plain->templates[0].digest, full->templates[0].digest);
    pl_task_free(full);
    /* A null of the including file takes back what the included one says. */
    write_file("outer.yaml", "include: GOOD.yaml\ntraining_split: null\nmetadata: [{version: 3, source: x}]\n");
    write_file("GOOD.yaml", GOOD);
    if (open_task(&full, "outer.yaml") != PL_OK) fail_msg("%s", pl_error_text());
    assert_null(full->fewshot);
    assert_string_equal(full->version, "3");
    pl_task_free(full);
    pl_task_free(plain);
}

/* The name of a field is that field; a text without tags is a fixed text, as lm-evaluation-harness has it. */
static void test_fixed_texts(void **state)
{
    (void)state;
    static const struct {
        const char *doc_to_text, *expected;
    } cases[] = {
        {"text", "three"}, {"\"Answer:\"", "Answer:"}, {"\"Is it so?\"", "Is it so?"}, {"two words", "two words"},
        {"\"\"", ""},      {"'{{ text }}'", "three"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        pl_task *task;
        pl_arena *arena;
        pl_prompt prompt;
        snprintf(text, sizeof text,
                 "task: t\ntest_split: test.jsonl\noutput_type: generate_until\ndoc_to_text: %s\ndoc_to_target: word\n",
                 cases[i].doc_to_text);
        write_file("x.yaml", text);
        if (open_task(&task, "x.yaml") != PL_OK) fail_msg("%s", pl_error_text());
        assert_int_equal(pl_arena_create(&arena), PL_OK);
        assert_int_equal(pl_prompt_build(&prompt, task, task->templates, 0, NULL, 0, arena), PL_OK);
        assert_string_equal(prompt.context, cases[i].expected);
        pl_arena_free(arena);
        pl_task_free(task);
    }
}

/* A task file and what the error must hold. */
static void test_mistakes_are_named(void **state)
{
    (void)state;
#define HEAD "task: t\ntraining_split: train.jsonl\ntest_split: test.jsonl\n"
#define CHOICE                                                                                                         \
    HEAD "output_type: multiple_choice\ndoc_to_text: \"{{ text }}:\"\ndoc_to_target: label\ndoc_to_choice: [bad, "     \
         "good]\n"
#define FREE HEAD "output_type: generate_until\ndoc_to_text: text\ndoc_to_target: word\n"
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "x.yaml:1:1: task is missing"},
        {"task: t\n", "output_type is missing"},
        {"task: a/b\n", "x.yaml:1:7: name 'a/b'"},
        {"task: t\noutput_type: guess\n", "output_type 'guess': expected multiple_choice"},
        {"task: t\noutput_type: multiple_choice\n", "test_split is missing"},
        {"tsk: t\n", "x.yaml:1:1: unknown key 'tsk'; did you mean 'task'?"},
        {"task: t\nprocess_docs: x\n", "process_docs is not supported; Python functions are not run"},
        {"task: t\ndoc_to_text: !function utils.f\n", "Python functions are not run"},
        {"task: [a, b]\n", "makes this the file of a group"},
        {"include: x.yaml\n", "includes itself"},
        {"include: none.yaml\n", "x.yaml:1:10: include: no such file"},
        {CHOICE "dataset_path: ../none\n", "dataset_path: no folder"},
        {CHOICE "dataset_path: glue\ndataset_name: sst2\n",
         "names of data sets are not fetched: set PLUMB_DATASETS to the folder in which glue/sst2/test.jsonl was "
         "converted"},
        {"task: t\ndataset_path: json\ntest_split: test\noutput_type: loglikelihood\n",
         "expected dataset_kwargs: {data_files: {test: FILE}}"},
        {"task: t\ndataset_path: json\ndataset_kwargs: {data_files: {dev: test.jsonl}}\ntest_split: test\n"
         "output_type: loglikelihood\n",
         "x.yaml:4:13: data_files has no split 'test'"},
        {"task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: \"hf://datasets/a/b.jsonl\"}}\n"
         "test_split: test\noutput_type: loglikelihood\n",
         "files of the hub are not fetched; set PLUMB_DATASETS to the folder that holds a/b.jsonl"},
        {"task: t\ndataset_path: json\ndataset_kwargs: [x]\ntest_split: test\noutput_type: loglikelihood\n",
         "dataset_kwargs: expected a map"},
        {CHOICE "dataset_path: ${PLUMB_SURELY_UNSET}/x\n", "variable PLUMB_SURELY_UNSET is not set"},
        {"task: t\ntest_split: tset\noutput_type: loglikelihood\n", "no data file"},
        {"task: t\ntest_split: test.parquet\noutput_type: loglikelihood\n", "Parquet is not read"},
        {"task: t\ntest_split: empty.jsonl\noutput_type: loglikelihood\n", "no items"},
        {"task: t\ntest_split: {path: test.jsonl, sha256: abc}\noutput_type: loglikelihood\n",
         "expected 64 hexadecimal"},
        {"task: t\ntest_split: {file: test.jsonl}\noutput_type: loglikelihood\n", "unknown key 'file'"},
        {HEAD "output_type: multiple_choice\ndoc_to_target: label\n", "doc_to_text is missing"},
        {HEAD "output_type: multiple_choice\ndoc_to_text: text\n", "doc_to_target is missing"},
        {HEAD "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\n", "doc_to_choice is missing"},
        {HEAD "output_type: generate_until\ndoc_to_text: txt\ndoc_to_target: word\n",
         "x.yaml:5:14: doc_to_text: 'txt' is no field of the data ('text', 'label', 'word')"},
        {HEAD "output_type: generate_until\ndoc_to_text: text\ndoc_to_target: wrd\n",
         "doc_to_target: 'wrd' is no field"},
        {HEAD "output_type: generate_until\ndoc_to_text: \"{{ txt }}\"\ndoc_to_target: word\n",
         "x.yaml:5: template 1:4: the item has no field 'txt'; it has: 'text', 'label', 'word' [task t, template "
         "default, "
         "evaluated item doc_id 0]"},
        {HEAD "output_type: generate_until\ndoc_to_text: \"{{ text | escape }}\"\ndoc_to_target: word\n",
         "x.yaml:5: template 1:11: filter 'escape'"},
        {HEAD "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: word\ndoc_to_choice: [bad, good]\n",
         "label 'yes' is outside the set"},
        {HEAD "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\ndoc_to_choice: [bad]\n",
         "expected 2 to"},
        {HEAD "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\ndoc_to_choice: [bad, bad]\n",
         "twice"},
        {HEAD "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\ndoc_to_choice: [true, x]\n",
         "write 'true' in quotes"},
        {HEAD "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\ndoc_to_choice: word\n",
         "expected a list of 2 or more choices"},
        {HEAD
         "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\ndoc_to_choice: [\"{{ '' }}\", x]\n",
         "choice 0 is empty"},
        {"task: t\ntest_split: digits.jsonl\noutput_type: multiple_choice\ndoc_to_text: \"{{ text }}\"\ndoc_to_target: "
         "label\n"
         "doc_to_choice: [a, b]\n",
         "doc_to_text gives only the digits '12'"},
        {"task: t\ntest_split: digits.jsonl\noutput_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: \"{{ word "
         "}}\"\n"
         "doc_to_choice: [1, 2]\n",
         "label '1' is the text of choice 0 but"},
        {"task: t\ntest_split: negative.jsonl\noutput_type: multiple_choice\ndoc_to_text: text\ndoc_to_target: label\n"
         "doc_to_choice: [a, b]\n",
         "label '-1' is outside the set"},
        {FREE "description: \"{{ text }}\"\n", "description: expected a fixed text"},
        {FREE "generation_kwargs: {until: []}\nnum_fewshot: -1\n", "x.yaml:8:14: expected an integer of 0 or more"},
        {FREE "generation_kwargs: {until: [\"\"]}\n", "an empty stop string"},
        {FREE "generation_kwargs: {do_sample: true}\n", "generation is greedy"},
        {FREE "generation_kwargs: {temperature: 0.7}\n", "expected 0"},
        {FREE "generation_kwargs: {temperature: 0.7, do_sample: true}\n", "generation is greedy"},
        {FREE "generation_kwargs: {num_beams: 4}\n", "num_beams: expected 1"},
        {FREE "generation_kwargs: {typical_p: 1}\n", "unknown key 'typical_p'"},
        {FREE "generation_kwargs: {max_new_tokens: 0}\n", "max_new_tokens: expected 1 or more"},
        {FREE "generation_kwargs: {max_gen_toks: 0}\n", "expected 1 or more"},
        {FREE "metric_list: [{metric: bleu}]\n", "metric 'bleu' is not supported"},
        {FREE "metric_list: [{metric: acc, aggregation: median}]\n", "expected mean for acc"},
        {CHOICE "metric_list: [{metric: mcc, aggregation: mean}]\n", "expected matthews_corrcoef for mcc"},
        {CHOICE "metric_list: [{metric: perplexity}]\n", "metric perplexity is not of output_type multiple_choice"},
        {FREE "metric_list: [{metric: acc, higher_is_better: false}]\n", "expected true for acc"},
        {FREE "metric_list: [{metric: acc, ignore_case: true}]\n", "ignore_case is a flag of exact_match, not of acc"},
        {FREE "metric_list: [{metric: exact_match, ignore_space: true}]\n", "unknown key 'ignore_space'"},
        {FREE "metric_list: [{metric: exact_match, regexes_to_ignore: x}]\n", "expected a list of up to"},
        {FREE "metric_list: [{metric: exact_match, regexes_to_ignore: ['(a']}]\n",
         "x.yaml:7:57: regexes_to_ignore: '(a' is no regular expression"},
        {FREE "metric_list: [{metric: exact_match, regexes_to_ignore: ['\\p{L}']}]\n",
         "an escape that is not supported"},
        {FREE "metric_list: [{metric: exact_match}, {metric: exact_match}]\n", "stands in the list twice"},
        {FREE "filter_list: [{name: x, filter: [{function: majority_vote}]}]\n", "'majority_vote' is not supported"},
        {FREE "filter_list: [{name: x, filter: [{function: map, mapping_dict: {a: 1}}]}]\n",
         "x.yaml:7:65: mapping_dict: expected texts; write 'a' and its value in quotes"},
        {FREE "filter_list: [{name: x, filter: []}]\nplumb: {filter: y}\n", "filter: 'y' is not in filter_list"},
        {FREE "filter_list: [{name: x, filter: [{function: regex, regex_pattern: '('}]}]\n",
         "x.yaml:7:67: regex_pattern: '(' is no"},
        {FREE "filter_list: [{name: x, filter: [{function: take_first, fallback: a}]}]\n", "fallback belongs to"},
        {FREE "filter_list: []\n", "expected a list of filters"},
        {FREE "fewshot_config: {sampler: balanced}\n", "sampler 'balanced' is not supported; expected default"},
        {"task: t\ntest_split: test.jsonl\noutput_type: generate_until\ndoc_to_text: text\ndoc_to_target: word\n"
         "fewshot_config: {samples: [x]}\n",
         "x.yaml:6:28: samples: expected maps"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n", "x.yaml: a Git LFS pointer"},
        {"<!DOCTYPE html>\n<html></html>\n", "x.yaml: a web page"},
        {FREE "repeats: 3\n", "repeats: expected 1, found 3"},
        {FREE "should_decontaminate: x\n", "expected true or false"},
        {FREE "use_prompt: x\n", "use_prompt is not supported; write the prompt out in doc_to_text"},
        {FREE "plumb: {max_length: 5}\n", "max_length is of output_type loglikelihood_rolling"},
        {FREE "plumb: {templates: [\"Review: {{ text }}\"]}\n", "x.yaml:7:21: a template is a map with name and role"},
        {FREE "plumb: {templates: []}\n", "expected a list of at least one template"},
        {FREE "plumb: {templates: [{role: id}]}\n", "name is missing"},
        {FREE "plumb: {templates: [{name: a}]}\n", "role is missing"},
        {FREE "plumb: {templates: [{name: a, role: out}]}\n", "role 'out': expected id, dev or ood"},
        {FREE "plumb: {templates: [{name: a, role: id}, {name: a, role: ood}]}\n", "two templates are called 'a'"},
        {FREE "plumb: {templates: [{name: a, role: id, doc_to_txt: x}]}\n", "did you mean 'doc_to_text'?"},
        {FREE "plumb: {group: gruop}\n", "group: item 0 has no field 'gruop'"},
        {FREE "plumb: {balance: false}\n", "belongs to an arm"},
        {FREE "plumb: {calibration: x}\n", "calibration: expected a list of content-free texts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pl_task *task;
        write_file("x.yaml", cases[i].text);
        pl_status status = open_task(&task, "x.yaml");
        if (status == PL_OK) fail_msg("opens: %s", cases[i].text);
        if (!strstr(pl_error_text(), cases[i].message)) fail_msg("%s\ngives: %s", cases[i].text, pl_error_text());
        assert_null(task);
    }
}

static void test_digests_do_not_hang_on_paths(void **state)
{
    (void)state;
    pl_task *a, *b;
    char path[PL_PATH_MAX], text[2048];
    assert_int_equal(pl_path(path, "%s/deeper/data", folder), PL_OK);
    assert_int_equal(pl_folder_make(path), PL_OK);
    char data[] = "{\"text\": \"three\", \"label\": 1, \"word\": \"yes\"}\n{\"text\": \"four\", \"label\": 2, "
                  "\"word\": \"maybe\"}\n";
    write_file("deeper/data/other-name.jsonl", data);
    write_file("good.yaml", GOOD);
    assert_int_equal(open_task(&a, "good.yaml"), PL_OK);
    /* The same task through an include, variables and another layout of files and keys. */
    setenv("PLUMB_TEST_DATA", "data", 1);
    write_file("deeper/base.yaml", "doc_to_choice: [x, y]\ndoc_to_text: \"{{ text }}:\"\ndoc_to_target: label\n"
                                   "training_split: ../train.jsonl\noutput_type: multiple_choice\n");
    write_file("deeper/good.yaml", "include: base.yaml\ndoc_to_choice: [bad, good]\ntask: good\n"
                                   "test_split: \"${PLUMB_TEST_DATA}/${PLUMB_TEST_NONE:-other-name}.jsonl\"\n");
    if (open_task(&b, "deeper/good.yaml") != PL_OK) fail_msg("%s", pl_error_text());
    assert_string_equal(a->digest, b->digest);
    assert_string_equal(a->templates[0].digest, b->templates[0].digest);
    pl_task_free(b);
    static const char *const changes[] = {"description: d\n", "target_delimiter: \"\"\n",
                                          "fewshot_delimiter: \"\\n\"\n"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        snprintf(text, sizeof text, "%s%s", GOOD, changes[i]);
        write_file("changed.yaml", text);
        assert_int_equal(open_task(&b, "changed.yaml"), PL_OK);
        assert_string_not_equal(a->digest, b->digest);
        assert_string_not_equal(a->templates[0].digest, b->templates[0].digest);
        pl_task_free(b);
    }
    /* What does not change a text changes the task only. */
    snprintf(text, sizeof text, "%smetadata: {version: 2}\n", GOOD);
    write_file("changed.yaml", text);
    assert_int_equal(open_task(&b, "changed.yaml"), PL_OK);
    assert_string_equal(b->version, "2");
    assert_string_not_equal(a->digest, b->digest);
    assert_string_equal(a->templates[0].digest, b->templates[0].digest);
    pl_task_free(b);
    pl_task_free(a);
}

static void test_includes_form_no_circle(void **state)
{
    (void)state;
    pl_task *task;
    write_file("a.yaml", "include: b.yaml\n");
    write_file("b.yaml", "include: ./a.yaml\n");
    assert_int_equal(open_task(&task, "a.yaml"), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "b.yaml:1:10: include:"));
    assert_non_null(strstr(pl_error_text(), "in a circle"));
}

/* A shipped task over the given rows: every template on every item. */
static void check_shipped(const char *name, size_t n)
{
    pl_task *task;
    pl_arena *arena;
    char path[PL_PATH_MAX];
    assert_int_equal(pl_path(path, PLUMB_SOURCE_DIR "/experiments/tasks/%s.yaml", name), PL_OK);
    if (pl_task_open(&task, path) != PL_OK) fail_msg("%s", pl_error_text());
    assert_int_equal(task->test->n, n);
    size_t roles[3] = {0};
    for (size_t i = 0; i < task->n_templates; i++) roles[task->templates[i].role]++;
    assert_int_equal(roles[PL_ROLE_ID], 2); /* each wording with two pairs of label words */
    assert_int_equal(roles[PL_ROLE_DEV], 16);
    assert_int_equal(roles[PL_ROLE_OOD], 16);
    for (size_t i = 0; i < task->n_templates; i++) {
        assert_int_equal(pl_arena_create(&arena), PL_OK);
        for (size_t item = 0; item < task->test->n; item++) {
            pl_prompt p;
            size_t shots[2] = {0, 1};
            if (pl_prompt_build(&p, task, &task->templates[i], item, shots, 2, arena) != PL_OK)
                fail_msg("%s", pl_error_text());
            assert_int_equal(p.n_choices, 2);
            pl_row row;
            OK(pl_row_open(&row, task->test, item));
            assert_int_equal(p.gold, json_integer_value(json_object_get(row.item, "label")));
            pl_row_close(&row);
        }
        pl_arena_free(arena);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(task->templates[i].digest, task->templates[k].digest);
    }
    pl_task_free(task);
}

static void test_shipped_tasks(void **state)
{
    (void)state;
    setenv("PLUMB_DATASETS", folder, 1);
    write_file("sst2_train.jsonl",
               "{\"sentence\": \"a fine film . \", \"label\": 1}\n{\"sentence\": \"dull\", \"label\": 0}\n");
    write_file("sst2_test.jsonl", "{\"sentence\": \"too long\", \"label\": 0}\n{\"sentence\": \"3\", \"label\": 1}\n");
    write_file("imdb_train.jsonl",
               "{\"text\": \"Fine.<br /><br />Yes.\", \"label\": 1}\n{\"text\": \"\", \"label\": 0}\n");
    write_file("imdb_test.jsonl", "{\"text\": \"Too long\", \"label\": 0}\n{\"text\": \"10 / 10\", \"label\": 1}\n");
    check_shipped("sst2", 2);
    check_shipped("imdb", 2);
}

/* The real sets, where the workplace has them: stsa.binary.* is converted as experiments/data/README.md says. */
static void test_real_sets(void **state)
{
    (void)state;
    const char *root = getenv("PLUMB_DATA") ? getenv("PLUMB_DATA") : PLUMB_SOURCE_DIR "/../shared/data";
    char path[PL_PATH_MAX], name[64];
    pl_bytes text, rows = {0};
    assert_int_equal(pl_path(path, "%s/datasets/sst2/stsa.binary.dev", root), PL_OK);
    if (!pl_file_exists(path)) skip();
    assert_int_equal(pl_file_read(&text, path, 1 << 24), PL_OK);
    size_t n = 0;
    for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1, n++) {
        *end = 0;
        json_t *item = json_pack("{s:s, s:i}", "sentence", line + 2, "label", *line - '0');
        char *row = json_dumps(item, 0);
        assert_int_equal(pl_bytes_format(&rows, "%s\n", row), PL_OK);
        free(row);
        json_decref(item);
    }
    write_file("sst2_train.jsonl", rows.data);
    write_file("sst2_test.jsonl", rows.data);
    pl_bytes_free(&text);
    pl_bytes_free(&rows);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pl_path(path, "%s/datasets/imdb_%s_500.jsonl", root, i ? "train" : "test"), PL_OK);
        assert_int_equal(pl_file_read(&text, path, 1 << 24), PL_OK);
        snprintf(name, sizeof name, "imdb_%s.jsonl", i ? "train" : "test");
        write_file(name, text.data);
        pl_bytes_free(&text);
    }
    setenv("PLUMB_DATASETS", folder, 1);
    check_shipped("imdb", 500);
    /* Here shots and test are one file, so items 0 and 1 cannot be their own shots. */
    pl_task *task;
    assert_int_equal(pl_task_open(&task, PLUMB_SOURCE_DIR "/experiments/tasks/sst2.yaml"), PL_OK);
    assert_int_equal(task->test->n, n);
    assert_true(task->fewshot_is_test);
    pl_task_free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_generation),
        cmocka_unit_test(test_idle_keys_and_nulls),
        cmocka_unit_test(test_fixed_texts),
        cmocka_unit_test(test_label_outside_the_set_names_the_item),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_digests_do_not_hang_on_paths),
        cmocka_unit_test(test_includes_form_no_circle),
        cmocka_unit_test(test_shipped_tasks),
        cmocka_unit_test(test_real_sets),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
