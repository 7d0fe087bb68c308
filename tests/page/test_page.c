/* report.html and figures/ from planted tables: what stands in the page is what stands in the files, and nothing of the
 * data is markup. */
#include "analysis/planted_run.h"

#include "base/file.h"
#include "page/latex.h"
#include "page/page.h"
#include "store/matrices.h"

static const char HEADER[] = "model,task,arm,readout,k,draw,order,seed,template,layer,position,preproc,metric,contrast,"
                             "value,lo,hi,p_adjusted,n_seeds,null_mean,null_q95,null_name,generalises,why_empty,note\n";

static int gold(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return planted_gold(item);
}

static void put_file(const planted *p, const char *name, const char *text)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/%s", p->run.path, name));
    OK(pl_file_replace(path, text, strlen(text)));
}

static char *slurp(const char *folder, const char *name)
{
    char path[PL_PATH_MAX];
    pl_bytes bytes = {0};
    OK(pl_path(path, "%s/%s", folder, name));
    OK(pl_file_read(&bytes, path, 1 << 24));
    return bytes.data;
}

/* A run with these rows of stability.csv. */
static void plant(planted *p, const char *rows)
{
    pl_bytes text = {0};
    *p = (planted){.n = 200, .t = 3, .draws = 1, .prediction = gold};
    plant_run(p);
    OK(pl_bytes_text(&text, HEADER));
    OK(pl_bytes_text(&text, rows));
    put_file(p, "stability.csv", text.data);
    pl_bytes_free(&text);
}

static const char ROWS[] =
    "tiny,colours,prompt,loglikelihood,0,0,0,1,t0,,,,acc,templates,.5,.4,.6,,1,.5,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,0,0,0,1,t1,,,,acc,templates,.7,.6,.8,,1,.5,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,0,0,0,1,,,,,acc,templates,.6,.5,.7,,1,.5,,chance,items,,two items left out\n"
    "tiny,colours,prompt,loglikelihood,0,0,0,1,,,,,acc,ood,.7,.6,.8,,1,.5,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,0,0,0,1,,,,,flip_rate,templates,.2,.1,.3,,1,.4,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,0,0,0,1,,,,,flip_rate,t0|t1,.2,.1,.3,,1,.4,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,4,0,0,1,,,,,acc,ood,.8,.7,.9,,1,.5,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,4,1,0,1,,,,,acc,ood,.6,.5,.7,,1,.5,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,4,-1,0,1,,,,,acc,ood,.7,.65,.75,,2,.5,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,4,0,0,1,,02,last,c,wobble,templates,.1,.05,.2,,1,0,,chance,items,,\n"
    "tiny,colours,prompt,loglikelihood,4,0,0,1,,final_norm,last,c,wobble,templates,.3,.2,.4,,1,0,,chance,items,,\n";

/* The page holds the bytes of every figure's file; the numbers of the rows stand in the figures' tables. */
static void test_figures(void **state)
{
    (void)state;
    static const char *const names[] = {"accuracy-tiny--colours",
                                        "shots-tiny--colours",
                                        "flips-tiny--colours",
                                        "draws-tiny--colours",
                                        "wobble-last-tiny--colours",
                                        "wordings-tiny--colours-prompt-k-0",
                                        "flip_rate-pairs-tiny--colours-prompt-k-0-"};
    planted p;
    plant(&p, ROWS);
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *page = slurp(p.run.path, "report.html");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char file[256];
        snprintf(file, sizeof file, "figures/%s.svg", names[i]);
        char *svg = slurp(p.run.path, file);
        if (!strstr(page, svg)) fail_msg("the page does not hold %s", file);
        free(svg);
        snprintf(file, sizeof file, "figures/%s.csv", names[i]);
        free(slurp(p.run.path, file));
    }
    /* The mean over draws stands for the draws. */
    char *csv = slurp(p.run.path, "figures/accuracy-tiny--colours.csv");
    assert_string_equal(csv, "wordings,arm,accuracy,lo,hi,by chance\n"
                             "ood,prompt k=0,0.7,0.6,0.8,\n"
                             "ood,prompt k=4,0.7,0.65,0.75,\n"
                             "chance,,0.5,,,\n");
    free(csv);
    csv = slurp(p.run.path, "figures/draws-tiny--colours.csv");
    assert_string_equal(csv, "what,arm,accuracy,lo,hi,by chance\n"
                             "mean over draws,prompt k=4,0.7,0.65,0.75,\n"
                             "a draw,prompt k=4,0.8,,,\n"
                             "a draw,prompt k=4,0.6,,,\n");
    free(csv);
    assert_non_null(strstr(page, "<small>over wordings: flips 0.200 (by chance 0.400)</small>"));
    assert_non_null(strstr(page, "two items left out"));
    assert_non_null(strstr(page, "No verdict: no arm learns in this run"));
    assert_non_null(strstr(page, "all 3 units are there"));
    /* Again: the same bytes, and nothing else in the folder. */
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *again = slurp(p.run.path, "report.html");
    assert_string_equal(again, page);
    free(again);
    free(page);
    uproot(&p);
}

static void test_verdict(void **state)
{
    (void)state;
    planted p;
    plant(&p, ROWS);
    put_file(
        &p, "verdict.csv",
        "model,task,readout,verdict,clearly,prompt_arm,prompt_k,tuned_arm,prompt_accuracy,prompt_lo,prompt_hi,"
        "tuned_accuracy,tuned_lo,tuned_hi,difference,lo,hi,p_adjusted,required,margin,generalises,n_items\n"
        "tiny,colours,loglikelihood,FINE-TUNE,yes,prompt calibrated,4,finetune lm t0 n=64,.65,.6,.7,.82,.73,.9,.17,"
        ".09,.25,.0007,.6,.03,\"items, templates\",200\n");
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *page = slurp(p.run.path, "report.html");
    assert_non_null(strstr(page,
                           "Tune this model for this task: under new wordings it is right on 82 of 100 items tuned "
                           "and on 65 prompted; the difference is between 9 and 25 points."));
    assert_non_null(strstr(page, "FINE-TUNE, clearly</span>"));
    assert_non_null(strstr(page, "0.170 [0.090, 0.250], p 0.0007"));
    assert_non_null(strstr(page, "prompt calibrated k=4"));
    free(page);
    uproot(&p);
}

/* Names that are markup in the page, in files' names and in attributes. */
static void test_markup(void **state)
{
    (void)state;
    planted p;
    plant(&p, "<script>alert(1)</script>,\"\"\"><img src=x onerror=alert(1)>\",prompt <b>,loglikelihood,0,0,0,1,"
              "'=../../x,,,,acc,templates,.5,.4,.6,,1,.5,,chance,items,</title><script>,&lt;script\n"
              "<script>alert(1)</script>,\"\"\"><img src=x onerror=alert(1)>\",prompt <b>,loglikelihood,0,0,0,1,"
              "b\xff,,,,acc,templates,.5,.4,.6,,1,.5,,chance,items,,\n"
              "<script>alert(1)</script>,\"\"\"><img src=x onerror=alert(1)>\",prompt <b>,loglikelihood,0,0,0,1,"
              ",,,,acc,templates,.5,.4,.6,,1,.5,,chance,items,<svg onload=alert(1)>,</ul><script>alert(2)</script>\n");
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *page = slurp(p.run.path, "report.html");
    assert_null(strstr(page, "<script>alert"));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "<svg onload"));
    assert_null(strstr(page, "<b>"));
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_non_null(strstr(page, "default-src 'none'"));
    free(page);
    uproot(&p);
}

/* One template and no arm that learns: its accuracy is the arm's, parts that have nothing are left out. */
static void test_one_template(void **state)
{
    (void)state;
    planted p;
    plant(&p, "tiny,colours,prompt,loglikelihood,0,0,0,1,t0,,,,acc,templates,.5,.4,.6,,1,.5,,chance,items,,\n"
              "tiny,colours,prompt,loglikelihood,2,0,0,1,t0,,,,acc,templates,.7,.6,.8,,1,.5,,chance,items,,\n");
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *page = slurp(p.run.path, "report.html");
    char *csv = slurp(p.run.path, "figures/shots-tiny--colours.csv");
    assert_string_equal(csv, "wordings,shots,accuracy,lo,hi,by chance\n"
                             "prompt,0,0.5,0.4,0.6,\n"
                             "prompt,2,0.7,0.6,0.8,\n"
                             "chance,,0.5,,,\n");
    assert_non_null(strstr(page, "<td>0.700 [0.600, 0.800]<small>prompt k=2, best of 2 in hindsight</small></td>"));
    assert_null(strstr(page, "Hidden states"));
    assert_null(strstr(page, "How answers move"));
    assert_null(strstr(page, "tokens to learn"));
    free(csv);
    free(page);
    uproot(&p);
}

static void set_parameters(const planted *p, json_int_t parameters)
{
    char path[PL_PATH_MAX];
    json_t *plan = NULL;
    OK(pl_path(path, "%s/plan.json", p->run.path));
    OK(pl_json_read(&plan, path, 1 << 24));
    json_t *model = json_array_get(json_object_get(plan, "models"), 0);
    assert_int_equal(json_object_set_new(model, "parameters", json_integer(parameters)), 0);
    char *text = json_dumps(plan, 0);
    put_file(p, "plan.json", text);
    free(text);
    json_decref(plan);
}

/* Two sizes of models give curves over their sizes; one size, twice, none. */
static void test_sizes(void **state)
{
    (void)state;
    planted p, q;
    char out[PL_PATH_MAX];
    plant(&p, ROWS);
    plant(&q, "tiny,colours,prompt,loglikelihood,0,0,0,1,,,,,acc,ood,.9,.8,.95,,1,.5,,chance,items,,\n");
    set_parameters(&p, 1720000000);
    set_parameters(&q, 134515008);
    OK(pl_path(out, "%s/sizes", p.root));
    const pl_run_folder runs[] = {p.run, q.run};
    OK(pl_page_write(out, runs, 2, PL_PAGE_BYTES));
    char *page = slurp(out, "report.html");
    assert_non_null(strstr(page, "<h2>Larger models</h2>"));
    free(page);
    char *csv = slurp(out, "figures/size-acc-colours-loglikelihood.csv");
    assert_string_equal(csv, "arm,parameters of the model,accuracy,lo,hi,by chance\n"
                             "prompt k=0,135 M,0.9,0.8,0.95,\n"
                             "prompt k=0,1.72 B,0.7,0.6,0.8,\n"
                             "prompt k=4,1.72 B,0.7,0.65,0.75,\n"
                             "chance,,0.5,,,\n");
    free(csv);
    set_parameters(&q, 1720000000);
    OK(pl_page_write(out, runs, 2, PL_PAGE_BYTES));
    page = slurp(out, "report.html");
    assert_null(strstr(page, "Larger models"));
    free(page);
    uproot(&p);
    uproot(&q);
}

/* The table for a paper has the numbers of the rows, the paragraph what was done; names are text, never commands. */
static void test_latex(void **state)
{
    (void)state;
    planted p;
    char out[PL_PATH_MAX];
    plant(&p, ROWS);
    OK(pl_path(out, "%s/tex", p.root));
    OK(pl_page_latex(out, &p.run, 1));
    char *table = slurp(out, "table.tex"), *methods = slurp(out, "methods.tex");
    assert_non_null(strstr(table, "\\begin{tabular}{lrrrrr}"));
    assert_non_null(strstr(table, "\n{}prompt k=0 & 0.700 [0.600, 0.800] & -- & -- & 0.200 & 0.400 \\\\\n"));
    assert_non_null(strstr(table, "\n{}prompt k=4 & 0.700 [0.650, 0.750] & -- & -- & -- & -- \\\\\n"));
    assert_non_null(strstr(methods, "All numbers were computed with plumb " PLUMB_VERSION));
    assert_non_null(strstr(methods, "Model: tiny ("));
    assert_non_null(strstr(methods, "Task: colours ("));
    assert_non_null(strstr(methods, "3 templates, of which"));
    assert_non_null(strstr(methods, "Satterthwaite"));
    free(methods);
    free(table);
    uproot(&p);
    plant(&p, "\\input{x}_%$,&#^~|,[prompt,loglikelihood,0,0,0,1,,,,,acc,ood,.9,.8,.95,,1,.5,,chance,items,,\n"
              "tiny,colours,prompt,loglikelihood,0,0,0,1,,,,,acc,ood,.7,.6,.8,,1,.5,,chance,items,,\n"
              "tiny,colours,prompt,loglikelihood,0,0,0,1,,,,,acc_cc,ood,.75,.6,.9,,1,.5,,chance,items,,\n");
    OK(pl_path(out, "%s/tex", p.root));
    OK(pl_page_latex(out, &p.run, 1));
    table = slurp(out, "table.tex");
    assert_non_null(strstr(table, "\\textbackslash{}input\\{x\\}\\_\\%\\$, \\&\\#\\textasciicircum{}\\textasciitilde{}"
                                  "\\textbar{}"));
    assert_non_null(strstr(table, "\n{}[prompt"));
    assert_null(strstr(table, "\\input"));
    assert_non_null(strstr(table, "\n{}prompt k=0, calibrated & 0.750 [0.600, 0.900] & -- & -- & -- & -- \\\\\n"));
    free(table);
    uproot(&p);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *c = strstr(text, what); c; c = strstr(c + 1, what)) n++;
    return n;
}

/* Every cell stands in the page, or what is left out is said. */
static void test_cells(void **state)
{
    (void)state;
    planted p;
    plant(&p, ROWS);
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *page = slurp(p.run.path, "report.html");
    size_t whole = strlen(page);
    assert_int_equal(count(page, "<details class=cell>"), 3);
    assert_int_equal(count(page, "<script type=\"application/zlib\">"), 3);
    assert_null(strstr(page, "class=notice"));
    free(page);
    OK(pl_page_write(p.run.path, &p.run, 1, whole - 1000));
    page = slurp(p.run.path, "report.html");
    assert_true(count(page, "<details class=cell>") > 0);
    assert_non_null(strstr(page, "class=notice>"));
    assert_in_range(strlen(page), whole / 2, whole);
    free(page);
    OK(pl_page_write(p.run.path, &p.run, 1, 1));
    page = slurp(p.run.path, "report.html");
    assert_int_equal(count(page, "<details class=cell>"), 0);
    assert_non_null(strstr(page, "3 of 3 cells are not shown whole: the page would be larger than 1 bytes"));
    free(page);
    uproot(&p);
}

static void test_several(void **state)
{
    (void)state;
    planted p, q;
    char out[PL_PATH_MAX], other[PL_PATH_MAX];
    plant(&p, ROWS);
    plant(&q, ROWS);
    OK(pl_path(out, "%s/both", p.root));
    const pl_run_folder runs[] = {p.run, q.run};
    OK(pl_page_write(out, runs, 2, PL_PAGE_BYTES));
    char *page = slurp(out, "report.html");
    assert_non_null(strstr(page, "<section id=\"s1\">"));
    assert_non_null(strstr(page, ": tiny, colours"));
    free(page);
    /* A folder of the user's that has figures of its own. */
    OK(pl_path(out, "%s/paper", p.root));
    OK(pl_path(other, "%s/figures", out));
    OK(pl_folder_make(other));
    REFUSED(pl_page_write(out, runs, 2, PL_PAGE_BYTES), PL_E_INPUT, "figures is there without a report.html");
    uproot(&p);
    uproot(&q);
}

/* analysis.h5 of a planted run: a map of all items, one of a layer without a map, one of a task that is not there. */
static void put_maps(const planted *p)
{
    enum { N = 200, T = 3 };
    static float at[2 * N * T];
    static int64_t ids[N], distrusted[N * T];
    static const char *const templates[] = {"t0", "t1", "t2"};
    static const char *const groups[] = {"/maps/000", "/maps/001", "/maps/002"};
    pl_addition additions[7];
    pl_entries entries[3];
    char path[PL_PATH_MAX];
    size_t n = 0;
    for (size_t i = 0; i < N; i++) ids[i] = (int64_t)(N - 1 - i); /* not as the units have them */
    for (size_t i = 0; i < 2 * N * T; i++) at[i] = (float)i;
    distrusted[0] = distrusted[5] = 1;
    for (size_t m = 0; m < 3; m++) {
        additions[n++] = (pl_addition){.group = groups[m], .name = "doc_id", .integers = ids, .rows = N};
        additions[n++] = (pl_addition){.group = groups[m], .name = "template", .texts = templates, .rows = T};
        entries[m] = (pl_entries){
            groups[m], json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:s, s:s, s:f, s:f}", "model", "tiny",
                                 "task", m < 2 ? "colours" : "other", "arm", "prompt", "readout", "loglikelihood", "k",
                                 2, "draw", 0, "order", 0, "seed", 1234, "position", "last", "layer", m ? "02" : "01",
                                 "why_empty", m == 1 ? "no variance" : "", "tsne_kl", 0.625, "tsne_4_knn", 0.375)};
    }
    additions[n++] = (pl_addition){.group = groups[0], .name = "distrusted", .integers = distrusted, .rows = N * T};
    OK(pl_path(path, "%s/analysis.h5", p->run.path));
    OK(pl_matrices_add(path, NULL, additions, n, entries, 3));
    const pl_addition map = {.group = groups[0], .name = "tsne", .values = at, .rows = N * T, .width = 2};
    OK(pl_matrices_add(path, path, &map, 1, NULL, 0));
    for (size_t m = 0; m < 3; m++) json_decref((json_t *)(uintptr_t)entries[m].values);
}

static void test_maps(void **state)
{
    (void)state;
    static const char row[] =
        "tiny,colours,prompt,loglikelihood,2,0,0,1234,,,,,acc,templates,.6,.5,.7,,1,.5,,chance,items,,\n";
    planted p;
    char path[PL_PATH_MAX];
    plant(&p, row);
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *page = slurp(p.run.path, "report.html");
    assert_null(strstr(page, "<figure class=map>"));
    assert_null(strstr(page, "Maps of hidden states"));
    free(page);
    put_maps(&p);
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    page = slurp(p.run.path, "report.html");
    const char *map = strstr(page, "<figure class=map>");
    assert_non_null(map);
    assert_null(strstr(map + 1, "<figure class=map>"));
    assert_non_null(strstr(map, "<tr><td>01</td><td>t-SNE, exaggeration 1</td><td>0.625</td>"));
    assert_non_null(strstr(map, "<td>02</td><td colspan=7>no map: no variance</td>"));
    assert_non_null(strstr(map, "<script type=\"application/zlib\">"));
    assert_non_null(strstr(page, "Distances between clusters and sizes of clusters in a t-SNE map mean nothing"));
    free(page);
    /* Colour is the label that the unit has for the item, trust as the file says. */
    char *csv = slurp(p.run.path, "figures/map-tiny--colours-prompt-k-2-01.csv");
    assert_non_null(
        strstr(csv, "item,template,label,trusted,\"t-SNE, exaggeration 1 1\",\"t-SNE, exaggeration 1 2\"\n"));
    for (size_t i = 0; i < 6; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n%zu,t0,%s,%s,%zu,%zu\n", 199 - i, planted_gold(199 - i) ? "yes" : "no",
                 i % 5 ? "yes" : "no", 2 * i, 2 * i + 1);
        assert_non_null(strstr(csv, line));
    }
    free(csv);
    char *svg = slurp(p.run.path, "figures/map-tiny--colours-prompt-k-2-01.svg");
    assert_non_null(strstr(svg, "Faint: 2 of 600 points"));
    free(svg);
    /* Small pages leave them to their files; a damaged file is said. */
    OK(pl_page_write(p.run.path, &p.run, 1, 5000));
    page = slurp(p.run.path, "report.html");
    assert_non_null(strstr(page, "Not drawn here: the page would be larger than it may be"));
    free(page);
    OK(pl_path(path, "%s/analysis.h5", p.run.path));
    OK(pl_file_replace(path, "no", 2));
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    page = slurp(p.run.path, "report.html");
    assert_null(strstr(page, "<figure class=map>"));
    assert_non_null(strstr(page, "no maps: "));
    free(page);
    uproot(&p);
}

static void test_no_table(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = gold};
    plant_run(&p);
    REFUSED(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES), PL_E_INPUT, "stability.csv: no such table");
    put_file(&p, "stability.csv", HEADER);
    OK(pl_page_write(p.run.path, &p.run, 1, PL_PAGE_BYTES));
    char *page = slurp(p.run.path, "report.html");
    assert_non_null(strstr(page, "No finished units: nothing to report yet."));
    free(page);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_figures), cmocka_unit_test(test_verdict),
                                       cmocka_unit_test(test_markup),  cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_latex),   cmocka_unit_test(test_several),
                                       cmocka_unit_test(test_cells),   cmocka_unit_test(test_one_template),
                                       cmocka_unit_test(test_maps),    cmocka_unit_test(test_no_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
