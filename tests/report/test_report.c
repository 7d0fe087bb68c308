/* What a run prints and writes, on planted run folders: CSV, the terminal table, JSON, lm-eval's files. */
#include "analysis/planted_run.h"

#include "report/report.h"

static int some_flips(size_t item, size_t template, size_t draw)
{
    bool wrong = template > 0 && (item + template + draw) % 4 == 0;
    return wrong ? !planted_gold(item) : planted_gold(item);
}

static int some_fail(size_t item, size_t template, size_t draw)
{
    return item % 10 == 0 ? 2 : some_flips(item, template, draw);
}

static float noisy_state(size_t item, size_t template, size_t draw, size_t d)
{
    double a = pl_random_normal(1, PL_RANDOM_TEST, 0, item * PLANTED_WIDTH + d);
    double e = pl_random_normal(2 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
    return (float)(20.0 + 2.0 * a + (double)template + e);
}

static pl_stability_table *table_of(planted *p)
{
    pl_stability_table *t;
    size_t missing;
    OK(pl_stability_of_run(&t, &p->run, &missing));
    return t;
}

/* A file of the run folder; the caller frees it. */
static char *slurp(const planted *p, const char *name)
{
    char path[PL_PATH_MAX];
    pl_bytes bytes = {0};
    OK(pl_path(path, "%s/%s", p->run.path, name));
    OK(pl_file_read(&bytes, path, 1 << 24));
    return bytes.data;
}

static char *printed(const pl_stability_table *t)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    OK(pl_report_print(out, t));
    fclose(out);
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *c = strstr(text, what); c; c = strstr(c + 1, what)) n++;
    return n;
}

static void test_csv(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 3, .draws = 2, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    OK(pl_report_csv(&p.run, t));
    char *text = slurp(&p, "stability.csv");
    static const char header[] =
        "model,task,arm,readout,k,draw,order,seed,template,layer,position,preproc,metric,contrast,"
        "value,se,lo,hi,ci_method,n,n_templates,n_seeds,null_mean,null_sd,null_name,unit,note\n";
    assert_int_equal(strncmp(text, header, sizeof header - 1), 0);
    assert_int_equal(count(text, "\n"), t->n + 1);
    assert_null(strstr(text, ",nan"));
    assert_non_null(strstr(text, "tiny,colours,prompt,loglikelihood,2,0,0,1234,t0,,,,acc,templates,1,0,0.8864"));
    /* A field with a comma or a quote is quoted, a quote doubled. */
    t->rows[0].note = "a \"b\", c";
    OK(pl_report_csv(&p.run, t));
    char *quoted = slurp(&p, "stability.csv");
    assert_non_null(strstr(quoted, ",share,\"a \"\"b\"\", c\"\n"));
    pl_stability_free(t);
    /* Again from the files, and from a second run folder with equal units: the same bytes. */
    planted q = p;
    plant_run(&q);
    t = table_of(&q);
    OK(pl_report_csv(&q.run, t));
    char *again = slurp(&q, "stability.csv");
    assert_string_equal(again, text);
    pl_stability_free(t);
    free(text);
    free(quoted);
    free(again);
    uproot(&p);
    uproot(&q);
}

/* Every real in the file reads back to the bits of the table. */
static void test_csv_digits(void **state)
{
    (void)state;
    planted p = {.n = 31, .t = 3, .draws = 1, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    OK(pl_report_csv(&p.run, t));
    char *text = slurp(&p, "stability.csv"), *line = strchr(text, '\n') + 1;
    for (size_t i = 0; i < t->n; i++) {
        char *field = line;
        for (int c = 0; c < 14; c++) field = strchr(field, ',') + 1;
        if (isnan(t->rows[i].value))
            assert_int_equal(*field, ',');
        else
            assert_true(strtod(field, NULL) == t->rows[i].value);
        line = strchr(line, '\n') + 1;
    }
    pl_stability_free(t);
    free(text);
    uproot(&p);
}

static void check_width(const char *text)
{
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        size_t width = 0;
        for (const char *c = line; *c != '\n'; c++) width += ((unsigned char)*c & 0xC0) != 0x80;
        if (width > 100) fail_msg("%zu columns: %.*s", width, (int)strcspn(line, "\n"), line);
    }
}

static void test_print(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 3, .draws = 1, .prediction = some_flips, .state = noisy_state, .random_weights = true};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    char *text = printed(t);
    if (getenv("PLUMB_SHOW")) fputs(text, stderr);
    check_width(text);
    assert_null(strstr(text, " \n"));
    assert_non_null(strstr(text, "tiny, colours: prompt, k = 2, loglikelihood\n"));
    assert_non_null(strstr(text, "random weights: no skill expected"));
    assert_non_null(strstr(text, "t0                    1.000 [0.912, 1.000]    0.500    0.600     0.971\n"));
    assert_non_null(strstr(text, "all templates         0.833 ["));
    assert_non_null(strstr(text, "flip rate             0.333 ["));
    assert_non_null(strstr(text, "null 0.491 (independent predictions)"));
    assert_int_equal(count(text, "no variance"), 3); /* layer 00: wobble, shift, CKA */
    assert_non_null(strstr(text, "last 01 "));
    assert_non_null(strstr(text, "last final_norm "));
    assert_null(strstr(text, "nan"));
    pl_stability_free(t);
    free(text);
    uproot(&p);
}

/* Several draws: one block of means. Long names are cut, not wrapped. */
static void test_print_draws(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 3, .draws = 3, .prediction = some_fail, .state = noisy_state, .generate = true};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    char *text = printed(t);
    assert_int_equal(count(text, "tiny, colours"), 1);
    assert_non_null(strstr(text, "generate, mean of 3 draws"));
    assert_non_null(strstr(text, "no label found"));
    free(text);
    static const char name[] =
        "\xc3\xa9\xc3\xa9-a-name-of-a-template-that-nobody-should-have-given-to-anything-at-all-but-some-do";
    for (size_t i = 0; i < t->n; i++) {
        if (*t->rows[i].template_name) t->rows[i].template_name = name;
        t->rows[i].model = name;
        t->rows[i].note = name;
    }
    text = printed(t);
    check_width(text);
    assert_non_null(strstr(text, "\xc3\xa9\xc3\xa9-a-name-of-a-tem.."));
    free(text);
    pl_stability_free(t);
    const pl_stability_table empty = {0};
    text = printed(&empty);
    assert_non_null(strstr(text, "no finished units"));
    free(text);
    uproot(&p);
}

static void test_json(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 2, .draws = 1, .prediction = some_flips, .state = noisy_state, .random_weights = true};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    json_t *json;
    OK(pl_report_json(&json, t));
    json_t *rows = json_object_get(json, "rows");
    assert_int_equal(json_array_size(rows), t->n);
    for (size_t i = 0; i < t->n; i++) {
        json_t *row = json_array_get(rows, i), *value = json_object_get(row, "value");
        assert_int_equal(json_object_size(row), 27);
        if (isnan(t->rows[i].value))
            assert_true(json_is_null(value));
        else
            assert_true(json_real_value(value) == t->rows[i].value);
        assert_int_equal(json_integer_value(json_object_get(row, "n")), t->rows[i].n);
        assert_string_equal(json_string_value(json_object_get(row, "metric")), t->rows[i].metric);
    }
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "random_weights"), 0)), "tiny");
    json_decref(json);
    pl_stability_free(t);
    uproot(&p);
}

/* Follows a path of keys; fails where one is absent. */
static json_t *at(json_t *value, const char *const *keys)
{
    for (; *keys; keys++) {
        value = json_object_get(value, *keys);
        if (!value) fail_msg("no key %s", *keys);
    }
    return value;
}
#define AT(value, ...) at((value), (const char *const[]){__VA_ARGS__, NULL})

static void test_results(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 3, .draws = 2, .prediction = some_flips};
    plant_run(&p);
    OK(pl_report_lm_eval(&p.run));
    char *text = slurp(&p, "results.json");
    json_t *json = NULL;
    OK(pl_json_parse(&json, text, strlen(text), "results.json"));
    static const char key[] = "colours@t1,k=2,draw=0", group[] = "colours,k=2";
    assert_true(json_real_value(AT(json, "results", key, "acc,none")) == 0.75);
    double se = json_real_value(AT(json, "results", key, "acc_stderr,none"));
    assert_true(fabs(se - sqrt(0.75 * 0.25 / 39.0)) < 1e-15);
    assert_string_equal(json_string_value(AT(json, "results", key, "alias")), key);
    assert_true(fabs(json_real_value(AT(json, "results", group, "acc,none")) - 5.0 / 6.0) < 1e-12);
    assert_string_equal(json_string_value(AT(json, "groups", group, "acc_stderr,none")), "N/A");
    assert_int_equal(json_array_size(AT(json, "group_subtasks", group)), 6);
    assert_int_equal(json_integer_value(AT(json, "n-shot", key)), 2);
    assert_int_equal(json_integer_value(AT(json, "n-samples", key, "original")), 40);
    assert_int_equal(json_integer_value(AT(json, "n-samples", key, "effective")), 40);
    assert_string_equal(json_string_value(AT(json, "task_hashes", key)), "cafe");
    assert_string_equal(json_string_value(AT(json, "versions", key)), "1.0");
    assert_true(json_is_true(AT(json, "higher_is_better", key, "acc")));
    assert_string_equal(json_string_value(AT(json, "configs", key, "metadata", "template")), "t1");
    assert_string_equal(json_string_value(AT(json, "config", "model")), "plumb");
    assert_null(strstr(text, "date"));
    json_decref(json);
    free(text);
    uproot(&p);
}

static void test_samples(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 2, .prediction = some_flips};
    plant_run(&p);
    OK(pl_report_lm_eval(&p.run));
    char *text = slurp(&p, "samples_colours.jsonl"), *line = text;
    for (size_t row = 0; row < 40; row++) {
        json_t *json = NULL;
        size_t size = strcspn(line, "\n"), item = row % 10;
        OK(pl_json_parse(&json, line, size, "samples"));
        assert_int_equal(json_integer_value(AT(json, "doc_id")), item);
        assert_int_equal(json_integer_value(AT(json, "doc", "item")), item);
        assert_string_equal(json_string_value(AT(json, "target")), planted_gold(item) ? "1" : "0");
        assert_string_equal(json_string_value(AT(json, "arguments", "gen_args_1", "arg_1")), " yes");
        json_t *pair = json_array_get(json_array_get(AT(json, "resps"), 0), 0);
        assert_string_equal(json_string_value(json_array_get(pair, 0)), "-4.0");
        assert_string_equal(json_string_value(json_array_get(pair, 1)), "False");
        assert_string_equal(json_string_value(json_array_get(AT(json, "metrics"), 0)), "acc");
        bool right = some_flips(item, row / 10 % 2, row / 20) == planted_gold(item);
        assert_true(json_real_value(AT(json, "acc")) == (right ? 1.0 : 0.0));
        assert_string_equal(json_string_value(AT(json, "filter")), "none");
        assert_string_equal(json_string_value(AT(json, "prompt_hash")), "abcd");
        assert_int_equal(strlen(json_string_value(AT(json, "target_hash"))), 64);
        assert_string_equal(json_string_value(AT(json, "template")), row / 10 % 2 ? "t1" : "t0");
        json_decref(json);
        line += size + 1;
    }
    assert_int_equal(*line, '\0');
    free(text);
    uproot(&p);
}

static void test_generated(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 2, .draws = 1, .prediction = some_fail, .generate = true};
    plant_run(&p);
    OK(pl_report_lm_eval(&p.run));
    char *text = slurp(&p, "results.json");
    json_t *json = NULL;
    OK(pl_json_parse(&json, text, strlen(text), "results.json"));
    static const char key[] = "colours@t0,k=2,draw=0,generate";
    assert_true(json_real_value(AT(json, "results", key, "exact_match,none")) == 0.9);
    assert_true(json_real_value(AT(json, "results", key, "answer_match,none")) == 1.0);
    assert_string_equal(json_string_value(AT(json, "configs", key, "output_type")), "generate_until");
    json_decref(json);
    free(text);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),         cmocka_unit_test(test_csv_digits), cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_draws), cmocka_unit_test(test_json),       cmocka_unit_test(test_results),
        cmocka_unit_test(test_samples),     cmocka_unit_test(test_generated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
