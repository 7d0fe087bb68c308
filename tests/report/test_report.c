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
    OK(pl_stability_of_run(&t, planted_view(p), NULL));
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
        "value,lo,hi,se,df,lo_these,hi_these,generalises,ci_method,p,p_adjusted,n,n_clusters,n_templates,n_seeds,"
        "null_mean,null_sd,null_q95,null_name,unit,why_empty,note\n";
    assert_int_equal(strncmp(text, header, sizeof header - 1), 0);
    assert_int_equal(count(text, "\n"), t->n + 1);
    assert_null(strstr(text, ",nan"));
    assert_non_null(strstr(text, "tiny,colours,prompt,loglikelihood,2,0,0,1234,t0,,,,acc,templates,1,0.8864"));
    /* A field with a comma or a quote is quoted, a quote doubled. */
    t->rows[0].note = "a \"b\", c";
    OK(pl_report_csv(&p.run, t));
    char *quoted = slurp(&p, "stability.csv");
    assert_non_null(strstr(quoted, ",share,not over draws: 1 draw,\"a \"\"b\"\", c\"\n"));
    free(quoted);
    /* What a spreadsheet would run, and what a terminal would obey. */
    t->rows[0].model = "=cmd|' /C calc'!A0";
    t->rows[0].task = "-1,2";
    t->rows[0].note = "\x1b[31m\t\xE2\x80\xAE";
    t->rows[1].model = "@SUM";
    OK(pl_report_csv(&p.run, t));
    quoted = slurp(&p, "stability.csv");
    assert_non_null(strstr(quoted, "\n'=cmd|' /C calc'!A0,\"'-1,2\",prompt,"));
    assert_non_null(strstr(quoted, ",share,not over draws: 1 draw,\\x1b[31m\\x09\\u{202e}\n'@SUM,"));
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

/* States of some layers alone. */
static void test_print_layers(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 3, .draws = 1, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    char *text = printed(t), *chosen = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&chosen, &size);
    assert_non_null(out);
    OK(pl_report_print_layers(out, text, "last.01,07"));
    fclose(out);
    assert_non_null(strstr(chosen, "\n  last 01 "));
    assert_int_equal(count(chosen, "\n  last 01 "), count(chosen, "\n  last "));
    assert_int_equal(count(chosen, "\n  last 01 "), count(text, "\n  last 01 "));
    free(chosen);
    out = open_memstream(&chosen, &size);
    REFUSED(pl_report_print_layers(out, text, "9"), PL_E_USAGE,
            "the table has no such layer; expected layers as it names them");
    REFUSED(pl_report_print_layers(out, "tiny\n", "9"), PL_E_USAGE, "the run has no states");
    fclose(out);
    free(chosen);
    free(text);
    pl_stability_free(t);
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
    assert_non_null(strstr(text, "t0                    1.000 [0.912, 1.000]     0.500    0.600     0.971\n"));
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
    OK(pl_report_json(&json, t, "results/planted", 3));
    assert_string_equal(json_string_value(json_object_get(json, "run")), "results/planted");
    assert_int_equal(json_integer_value(json_object_get(json, "units_missing")), 3);
    assert_int_equal(json_array_size(json_object_get(json, "remarks")), 1);
    json_t *rows = json_object_get(json, "rows");
    assert_int_equal(json_array_size(rows), t->n);
    for (size_t i = 0; i < t->n; i++) {
        json_t *row = json_array_get(rows, i), *value = json_object_get(row, "value");
        assert_int_equal(json_object_size(row), 36);
        if (isnan(t->rows[i].value))
            assert_true(json_is_null(value));
        else
            assert_true(json_real_value(value) == t->rows[i].value);
        assert_int_equal(json_integer_value(json_object_get(row, "n")), t->rows[i].n);
        assert_string_equal(json_string_value(json_object_get(row, "metric")), pl_metric_of(t->rows[i].metric)->name);
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

static json_t *results_of(planted *p)
{
    json_t *json = NULL;
    OK(pl_report_lm_eval(planted_view(p)));
    char *text = slurp(p, "results.json");
    OK(pl_json_parse(&json, text, strlen(text), "results.json"));
    assert_null(strstr(text, "date"));
    free(text);
    return json;
}

static void test_results(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 3, .draws = 2, .prediction = some_flips};
    plant_run(&p);
    json_t *json = results_of(&p);
    static const char key[] = "colours@t1,k=2,draw=0", group[] = "colours,k=2";
    assert_true(json_real_value(AT(json, "results", key, "acc,none")) == 0.75);
    double se = json_real_value(AT(json, "results", key, "acc_stderr,none"));
    assert_true(fabs(se - sqrt(0.75 * 0.25 / 39.0)) < 1e-15);
    assert_string_equal(json_string_value(AT(json, "results", key, "alias")), key);
    assert_true(fabs(json_real_value(AT(json, "results", group, "acc,none")) - 5.0 / 6.0) < 1e-12);
    assert_string_equal(json_string_value(AT(json, "groups", group, "acc_stderr,none")), "N/A");
    assert_int_equal(json_array_size(AT(json, "group_subtasks", group)), 6);
    assert_int_equal(json_integer_value(AT(json, "n-shot", key)), 2);
    assert_int_equal(json_integer_value(AT(json, "n-samples", key, "original")), 42);
    assert_int_equal(json_integer_value(AT(json, "n-samples", key, "effective")), 40);
    assert_string_equal(json_string_value(AT(json, "task_hashes", key)), "cafe");
    assert_string_equal(json_string_value(AT(json, "versions", key)), "1.0");
    assert_true(json_is_true(AT(json, "higher_is_better", key, "acc")));
    assert_string_equal(json_string_value(AT(json, "configs", key, "metadata", "template")), "t1");
    assert_string_equal(json_string_value(AT(json, "config", "model")), "plumb");
    assert_int_equal(json_integer_value(AT(json, "config", "model_num_parameters")), 12345);
    assert_string_equal(json_string_value(AT(json, "results", key, "name")), key);
    assert_int_equal(json_integer_value(AT(json, "results", key, "sample_len")), 40);
    /* The texts of the task as they were. */
    assert_string_equal(json_string_value(AT(json, "configs", key, "task")), "colours");
    assert_string_equal(json_string_value(AT(json, "configs", key, "doc_to_text")), "{{item}}? t1");
    assert_string_equal(json_string_value(AT(json, "configs", key, "fewshot_delimiter")), "\n\n");
    assert_int_equal(json_array_size(AT(json, "configs", key, "doc_to_choice")), 2);
    json_decref(json);
    uproot(&p);
}

static void test_samples(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 2, .prediction = some_flips};
    plant_run(&p);
    OK(pl_report_lm_eval(planted_view(&p)));
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
        assert_string_equal(json_string_value(AT(json, "prompt_hash")), row / 10 % 2 ? "abcd1" : "abcd0");
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
    json_t *json = results_of(&p);
    static const char key[] = "colours@t0,k=2,draw=0,generate";
    assert_true(json_real_value(AT(json, "results", key, "exact_match,strip")) == 0.9);
    assert_true(json_real_value(AT(json, "results", key, "answer_match,strip")) == 1.0);
    assert_string_equal(json_string_value(AT(json, "configs", key, "output_type")), "generate_until");
    json_decref(json);
    uproot(&p);
}

/* lm-eval's standard error is 0 at 100 %; the interval beside it is not. */
static void test_boundary(void **state)
{
    (void)state;
    planted p = {.n = 25, .t = 2, .draws = 1, .prediction = some_flips};
    plant_run(&p);
    json_t *json = results_of(&p);
    static const char key[] = "colours@t0,k=2,draw=0";
    assert_true(json_real_value(AT(json, "results", key, "acc,none")) == 1.0);
    assert_true(json_real_value(AT(json, "results", key, "acc_stderr,none")) == 0.0);
    /* 1/(1 + z^2/25), z the 97.5 % quantile. */
    assert_true(fabs(json_real_value(AT(json, "results", key, "acc_ci95_low,none")) - 0.86680774904) < 1e-10);
    assert_true(json_real_value(AT(json, "results", key, "acc_ci95_high,none")) == 1.0);
    assert_string_equal(json_string_value(AT(json, "ci95_method")), "wilson");
    json_decref(json);
    uproot(&p);
}

static bool third_is_broken(size_t item, size_t template, size_t draw)
{
    (void)draw;
    return template != 1 || item % 3 != 0;
}

/* 4 of 12 items under t1 have no prediction: they are in no mean of any file, and every file counts them. */
static void test_not_finite(void **state)
{
    (void)state;
    planted p = {.n = 12,
                 .t = 2,
                 .draws = 1,
                 .prediction = some_flips,
                 .state = noisy_state,
                 .finite = third_is_broken,
                 .merged = 5};
    plant_run(&p);
    json_t *json = results_of(&p), *sample = NULL;
    static const char key[] = "colours@t1,k=2,draw=0";
    size_t right = 0;
    for (size_t i = 0; i < 12; i++) right += i % 3 != 0 && some_flips(i, 1, 0) == planted_gold(i);
    assert_true(json_real_value(AT(json, "results", key, "acc,none")) == (double)right / 8.0);
    assert_int_equal(json_integer_value(AT(json, "results", key, "sample_len")), 8);
    assert_int_equal(json_integer_value(AT(json, "n-samples", key, "effective")), 8);
    assert_int_equal(json_integer_value(AT(json, "n-samples", key, "not_finite")), 4);
    assert_int_equal(json_integer_value(AT(json, "n-samples", key, "merged")), 5);
    assert_int_equal(json_integer_value(AT(json, "n-samples", "colours@t0,k=2,draw=0", "not_finite")), 0);
    json_decref(json);

    char *text = slurp(&p, "samples_colours.jsonl"), *line = text;
    for (size_t row = 0; row < 12; row++) line = strchr(line, '\n') + 1; /* t1's first: item 0 */
    OK(pl_json_parse(&sample, line, strcspn(line, "\n"), "samples"));
    assert_true(json_is_null(AT(sample, "acc")) && json_is_null(AT(sample, "prediction")));
    assert_string_equal(json_string_value(AT(sample, "outcome")), "not_finite");
    json_decref(sample);
    free(text);

    pl_stability_table *t = table_of(&p);
    OK(pl_report_csv(&p.run, t));
    text = slurp(&p, "stability.csv");
    assert_non_null(strstr(text, "t1,,,,not_finite,templates,4,,,,,,,,none,,,12,12,1,1,,,,,item,,"));
    assert_null(strstr(text, ",nan"));
    assert_null(strstr(text, ",inf"));
    free(text);
    text = printed(t);
    check_width(text);
    assert_non_null(strstr(text, "NOT FINITE: tiny, colours, k = 2, loglikelihood: 4 of 12 items"));
    assert_non_null(strstr(text, "4 of 12 items left out: not finite in some unit\n"));
    assert_non_null(strstr(text, "merged: tiny, colours: in 10 of 24 prompts"));
    assert_non_null(strstr(text, "draws: 1:"));
    free(text);
    pl_stability_free(t);
    uproot(&p);
}

/* A drop that is negative at both ends has the widest cell; it is not cut. The legend says what `mean` leaves out. */
static void test_print_cells(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 2, .draws = 1, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    char *text = printed(t);
    assert_null(strstr(text, "without position 0"));
    free(text);
    for (size_t i = 0; i < t->n; i++) {
        if (t->rows[i].metric == PL_METRIC_ACC_DROP) {
            t->rows[i].value = -0.0301;
            t->rows[i].lo = -0.0571;
            t->rows[i].hi = -0.0031;
        }
        if (*t->rows[i].position) t->rows[i].position = "mean";
    }
    text = printed(t);
    check_width(text);
    assert_non_null(strstr(text, "-0.030 [-0.057, -0.003]"));
    assert_non_null(strstr(text, "without position 0"));
    free(text);
    pl_stability_free(t);
    uproot(&p);
}

/* Primary contrasts stand on the screen, with what their variance is made of; all are in the CSV and the JSON. */
static void test_contrasts(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 4, .draws = 6, .learned = 3, .prediction = some_flips};
    p.primary = json_pack("[{s:s,s:s,s:s,s:s,s:{s:s},s:s}]", "task", "colours", "metric", "acc", "templates", "ood",
                          "readout", "loglikelihood", "arm", "kind", "linear", "minus", "best_prompt");
    plant_run(&p);
    pl_contrasts_table *t;
    char *text = NULL;
    size_t size = 0;
    OK(pl_contrasts_of_run(&t, planted_view(&p)));
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    OK(pl_report_contrasts_print(out, t));
    fclose(out);
    assert_non_null(strstr(text, "tiny, colours, loglikelihood: linear t0 n=16 k=0 minus prompt k=2, ood templates\n"));
    assert_non_null(strstr(text, " over items, templates, draws; p "));
    assert_non_null(strstr(text, "    its variance: "));
    assert_non_null(strstr(text, "    for a half-width of 0.05, the others as they are: "));
    assert_non_null(strstr(text, "exploratory differences"));
    free(text);
    OK(pl_report_contrasts_csv(&p.run, t));
    text = slurp(&p, "contrasts.csv");
    assert_int_equal(count(text, "\n"), t->n + 1);
    assert_non_null(
        strstr(text, "\nprimary,colours,loglikelihood,tiny,linear t0 n=16,ood,tiny,prompt,ood,\"items, templ"));
    assert_null(strstr(text, ",nan"));
    free(text);
    json_t *json = json_object();
    OK(pl_report_contrasts_json(json, t));
    assert_int_equal(json_array_size(json_object_get(json, "contrasts")), t->n);
    assert_int_equal(json_object_size(json_array_get(json_object_get(json, "contrasts"), 0)), 34);
    json_decref(json);
    json_decref(p.primary);
    pl_contrasts_free(t);
    uproot(&p);
}

/* A verdict on the screen says what it is judged by and what would decide; the CSV and the JSON have all of it. */
static void test_verdict(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 6, .draws = 6, .learned = 3, .tuned = true, .prediction = some_flips};
    plant_run(&p);
    pl_arms_table *t;
    char *text = NULL;
    size_t size = 0;
    OK(pl_arms_of_run(&t, planted_view(&p)));
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    OK(pl_report_verdict_print(out, t));
    fclose(out);
    check_width(text);
    assert_non_null(strstr(text, "  tiny, colours, loglikelihood: "));
    assert_non_null(strstr(text, "    tuned      "));
    assert_non_null(strstr(text, ", finetune lm t0 n=16\n"));
    assert_non_null(strstr(text, "; for other items, templates, draws than these\n"));
    assert_non_null(strstr(text, "    seen       30 items, 5 ood wordings, 3 draws\n"));
    assert_non_null(strstr(text, "    required   0.700 (commonest label 0.600), margin 0.030"));
    free(text);
    t->verdicts[0].verdict = PL_PROMPT; /* as if a look had stopped it */
    t->verdicts[0].why = "";
    t->verdicts[0].n_looks = 3;
    t->verdicts[0].look = (pl_verdict_look){"prompt", 0.0125, 0.751, 0.01, 0.03, 0.05, 0.001};
    out = open_memstream(&text, &size);
    assert_non_null(out);
    OK(pl_report_verdict_print(out, t));
    fclose(out);
    check_width(text);
    assert_non_null(strstr(text, "loglikelihood: PROMPT: enough; tuning was not tried\n"));
    assert_non_null(strstr(text, "    looked     after prompt: accuracy at least 0.751, 0.700 required;\n"));
    assert_non_null(strstr(text, " bounds of 98.75 %, as the error is split over 3 looks"));
    assert_null(strstr(text, "    tuned      "));
    free(text);
    OK(pl_report_verdict_csv(&p.run, t));
    text = slurp(&p, "verdict.csv");
    assert_int_equal(count(text, "\n"), 2);
    assert_null(strstr(text, ",nan"));
    free(text);
    json_t *json = json_object();
    OK(pl_report_verdict_json(json, t));
    assert_int_equal(json_object_size(json_array_get(json_object_get(json, "verdicts"), 0)), 68);
    json_decref(json);
    pl_arms_free(t);
    uproot(&p);
}

/* A scorer a line, and a claim that stands or falls with two of them. */
static void test_scorers(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 6, .draws = 2, .free_margin = 1, .prediction = some_flips};
    plant_run(&p);
    pl_scorers_table *t;
    char *text = NULL;
    size_t size = 0;
    OK(pl_scorers_of_run(&t, planted_view(&p)));
    t->claims->sensitive[PL_SCORER_RAW] = true;
    t->claims->sensitive[PL_SCORER_CALIBRATED] = false;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    OK(pl_report_scorers_print(out, t));
    t->claims->sensitive[PL_SCORER_CALIBRATED] = true;
    OK(pl_report_scorer_claims_print(out, t));
    fclose(out);
    check_width(text);
    assert_non_null(strstr(text, "tiny, colours, prompt, k = 2: 30 items\n"));
    assert_non_null(strstr(text, "  scorer        ood templates "));
    assert_int_equal(count(text, "\n  pmi  "), 1);
    assert_non_null(strstr(text, "k = 2: scorer artefact: sensitive by raw, not by calibrated\n"));
    assert_non_null(strstr(text, "k = 2: sensitive to wording by raw, calibrated\n"));
    assert_null(strstr(text, "-0.000"));
    free(text);
    OK(pl_report_scorers_csv(&p.run, t));
    text = slurp(&p, "scorers.csv");
    assert_int_equal(count(text, "\n"), 1 + 2 * 5);
    assert_null(strstr(text, ",nan"));
    free(text);
    json_t *json = json_object();
    OK(pl_report_scorers_json(json, t));
    assert_int_equal(json_object_size(json_array_get(json_object_get(json, "scorers"), 0)), 23);
    json_decref(json);
    pl_scorers_free(t);
    uproot(&p);
}

/* Controls stand beside their values; a model with random weights is one of another's. */
static void test_controls(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 4, .draws = 3, .free_margin = 1, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    pl_stability_row *rows = calloc(2 * t->n, sizeof *rows), *own = t->rows;
    static const char *names[] = {"drawn"};
    static const pl_planned_model models[] = {
        {.name = "tiny", .model_type = "gpt2", .parameters = 12345},
        {.name = "tiny-other", .model_type = "gpt2", .parameters = 12300, .random_weights = true},
        {.name = "drawn", .model_type = "gpt2", .parameters = 12345, .random_weights = true},
    };
    assert_string_equal(pl_random_control(models, 3, "tiny"), "drawn");
    assert_null(pl_random_control(models, 2, "tiny")); /* whatever it is called */
    assert_null(pl_random_control(models, 3, "drawn"));
    char *text = NULL;
    size_t size = 0, n = t->n;
    assert_non_null(rows);
    for (size_t i = 0; i < 2 * n; i++) {
        rows[i] = own[i % n];
        if (i >= n) rows[i].model = names[0];
    }
    t->rows = rows;
    t->n = 2 * n;
    t->random_models = names;
    t->n_random_models = 1;
    t->models = models;
    t->n_models = 3;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    OK(pl_report_controls_print(out, t));
    fclose(out);
    check_width(text);
    assert_int_equal(count(text, "controls\n"), 1); /* none of the control's own */
    assert_non_null(strstr(text, "tiny, colours: prompt, k = 2, loglikelihood: controls\n"));
    assert_non_null(strstr(text, "content-free label, 0.9"));
    assert_non_null(strstr(text, " same template, another draw\n"));
    assert_non_null(strstr(text, "  wobble, final_norm "));
    assert_int_equal(count(text, " random weights\n"), 4); /* accuracy, flips, wobble, CKA */
    assert_null(strstr(text, "nan"));
    free(text);
    free(rows);
    t->rows = own;
    t->n = n;
    t->n_random_models = 0;
    pl_stability_free(t);
    uproot(&p);
}

/* The whole of it reads every unit's rows once. */
static void test_read_once(void **state)
{
    (void)state;
    planted p = {.n = 12, .t = 3, .draws = 2, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    pl_stability_table *t = table_of(&p);
    OK(pl_report_lm_eval(planted_view(&p)));
    assert_int_equal(pl_run_view_n_reads(p.view), 6);
    pl_stability_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),       cmocka_unit_test(test_csv_digits),  cmocka_unit_test(test_print_layers),
        cmocka_unit_test(test_print),     cmocka_unit_test(test_print_draws), cmocka_unit_test(test_json),
        cmocka_unit_test(test_results),   cmocka_unit_test(test_samples),     cmocka_unit_test(test_generated),
        cmocka_unit_test(test_boundary),  cmocka_unit_test(test_not_finite),  cmocka_unit_test(test_print_cells),
        cmocka_unit_test(test_read_once), cmocka_unit_test(test_contrasts),   cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_scorers),   cmocka_unit_test(test_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
