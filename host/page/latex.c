#include "page/latex.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analysis/metric.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/role.h"
#include "figure/markup.h"
#include "page/rows.h"
#include "page/tex.h"
#include "store/run_key.h"

/* Text as it grows; the first error stays. */
typedef struct sheet {
    const pl__tables *tables;
    pl_bytes text;
    pl_status status;
} sheet;

static void put(sheet *s, const char *tex) /* as it is */
{
    if (s->status == PL_OK) s->status = pl_bytes_text(&s->text, tex);
}

static void say(sheet *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(sheet *s, const char *format, ...) /* escaped */
{
    char text[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (s->status == PL_OK) s->status = pl__tex_text(&s->text, text);
}

/* ---- the table ---- */

static void put_number(sheet *s, double value)
{
    char text[PL_MARKUP_NUMBER];
    pl_markup_number(text, value);
    put(s, " & ");
    put(s, *text ? text : "--");
}

static void put_interval(sheet *s, const pl__row *r)
{
    char text[PL_MARKUP_INTERVAL];
    pl_markup_interval(text, r ? r->value : NAN, r ? r->lo : NAN, r ? r->hi : NAN);
    put(s, " & ");
    put(s, r && !isnan(r->value) ? text : "--");
}

/* The braces keep a label that begins with a bracket from being an argument of the line before. */
static void put_condition(sheet *s, const pl__condition *c)
{
    const pl__row *worst = pl__row_of(c, "acc_worst", "ood", ""), *sd = pl__row_of(c, "template_sd", "templates", "");
    const pl__row *flips = pl__row_of(c, "flip_rate", "templates", "");
    const pl__row *calibrated = pl__row_judged(c, "acc_cc");
    put(s, "{}");
    say(s, "%s", c->label);
    put_interval(s, pl__row_judged(c, "acc"));
    put_number(s, worst ? worst->value : NAN);
    put_number(s, sd ? sd->value : NAN);
    put_number(s, flips ? flips->value : NAN);
    put_number(s, flips ? flips->null_mean : NAN);
    put(s, " \\\\\n");
    if (!calibrated || isnan(calibrated->value)) return;
    put(s, "{}");
    say(s, "%s, calibrated", c->label);
    put_interval(s, calibrated);
    put(s, " & -- & -- & -- & -- \\\\\n");
}

static void put_table(sheet *s)
{
    put(s, "% Made by plumb " PLUMB_VERSION "; needs \\usepackage{booktabs}.\n"
           "\\begin{tabular}{lrrrrr}\n\\toprule\n"
           "arm & accuracy [95\\,\\%] & worst & SD & flips & by chance \\\\\n");
    for (size_t i = 0; i < s->tables->n_subjects; i++) {
        const pl__subject *subject = &s->tables->subjects[i];
        put(s, "\\midrule\n\\multicolumn{6}{l}{\\textit{");
        say(s, "%s", subject->label);
        put(s, "}} \\\\\n");
        for (size_t c = 0; c < subject->n; c++) put_condition(s, &subject->conditions[c]);
    }
    put(s, "\\bottomrule\n\\end{tabular}\n");
}

/* ---- methods ---- */

/* Who computed a model's units: a key for each type of products. */
static void put_keys(sheet *s, const pl__run *run, const pl_planned_model *m)
{
    static const pl_dtype computes[] = {PL_F32, PL_BF16X3, PL_BF16, PL_F16, PL_TF32};
    for (size_t i = 0; i < sizeof computes / sizeof *computes && s->status == PL_OK; i++) {
        char key[PL_RUN_KEY_MAX] = "", name[PL_RUN_KEY_MAX];
        snprintf(name, sizeof name, "%.200s-%s", m->weights, pl_dtype_name(computes[i]));
        s->status = pl_run_key_get(key, run->folder, name);
        if (*key) say(s, ", computed in %s by %s", pl_dtype_name(computes[i]), key);
    }
}

static void put_models(sheet *s, const pl__run *run)
{
    put(s, run->plan->n_models == 1 ? " Model: " : " Models: ");
    for (size_t i = 0; i < run->plan->n_models; i++) {
        const pl_planned_model *m = &run->plan->models[i];
        if (i) put(s, "; ");
        say(s, "%s (%s, %zu parameters%s, weights %.12s, tokenizer %.12s", m->name, m->model_type, m->parameters,
            m->random_weights ? ", random weights" : "", m->weights, m->tokenizer);
        put_keys(s, run, m);
        put(s, ")");
    }
    put(s, ".");
}

static size_t count_role(const pl_planned_task *t, const char *role)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_templates; i++) n += !strcmp(t->templates[i].role, role);
    return n;
}

static void put_tasks(sheet *s, const pl__run *run)
{
    put(s, run->plan->n_tasks == 1 ? " Task: " : " Tasks: ");
    for (size_t i = 0; i < run->plan->n_tasks; i++) {
        const pl_planned_task *t = &run->plan->tasks[i];
        if (i) put(s, "; ");
        say(s,
            "%s (version %s, %.12s): %zu of %zu items, %zu templates, of which %zu id (as trained or tried on), "
            "%zu dev (by which arms were chosen) and %zu ood (on which nothing was trained or chosen)",
            t->name, t->version, t->task_hash, t->items, t->test_items, t->n_templates, count_role(t, "id"),
            count_role(t, "dev"), count_role(t, "ood"));
    }
    put(s, ".");
}

/* How many draws there are at most, and the seeds of all units. */
static void put_seeds(sheet *s, const pl__run *run)
{
    enum { MOST = 12 };
    uint64_t seeds[MOST];
    size_t n = 0, more = 0, draws = 0;
    for (size_t u = 0; u < run->plan->n_units; u++) {
        const pl_planned_unit *unit = &run->plan->units[u];
        size_t at = 0;
        if (unit->draw + 1 > draws) draws = unit->draw + 1;
        while (at < n && seeds[at] != unit->seed) at++;
        if (at < n) continue;
        if (n < MOST)
            seeds[n++] = unit->seed;
        else
            more++;
    }
    say(s, " Up to %zu %s of demonstrations and of labelled examples", draws, draws == 1 ? "draw" : "draws");
    put(s, n == 1 && !more ? " (seed " : " (seeds ");
    for (size_t i = 0; i < n; i++) say(s, "%s%llu", i ? ", " : "", (unsigned long long)seeds[i]);
    if (more) put(s, ", ...");
    put(s, ").");
}

static void put_run(sheet *s, const pl__run *run)
{
    say(s, "Run %s (%.8s): %zu units", run->plan->name ? run->plan->name : run->name,
        run->plan->hash ? run->plan->hash : run->name, run->plan->n_units);
    if (run->n_missing) say(s, ", %zu of them not finished when this was written", run->n_missing);
    put(s, ".");
    put_models(s, run);
    put_tasks(s, run);
    put_seeds(s, run);
    put(s, "\n");
}

static void put_definitions(sheet *s)
{
    static const char *const metrics[][2] = {{"accuracy", "acc"},
                                             {"calibrated", "acc_cc"},
                                             {"worst", "acc_worst"},
                                             {"SD", "template_sd"},
                                             {"flips", "flip_rate"}};
    put(s, "Columns of the table;");
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        for (int id = 0; id < PL_METRICS; id++) {
            const pl_metric *m = pl_metric_of((pl_metric_id)id);
            if (strcmp(m->name, metrics[i][1])) continue;
            say(s, "%s %s: %s", i ? ";" : "", metrics[i][0], m->meaning);
            if (*m->null_name) say(s, " (null: %s)", m->null_name);
        }
    }
    put(s, ". Accuracy is the mean over ood templates where there are some, else over all; a number with a mean over "
           "draws is that mean.");
}

static void put_verdicts(sheet *s)
{
    for (size_t i = 0; i < s->tables->n_subjects; i++) {
        const pl__subject *subject = &s->tables->subjects[i];
        const pl_csv_table *t = &subject->run->verdict;
        char value[PL_MARKUP_INTERVAL], required[PL_MARKUP_NUMBER], margin[PL_MARKUP_NUMBER];
        if (subject->verdict == SIZE_MAX) continue;
        pl_markup_interval(value, pl_csv_number(t, subject->verdict, "difference"),
                           pl_csv_number(t, subject->verdict, "lo"), pl_csv_number(t, subject->verdict, "hi"));
        pl_markup_number(required, pl_csv_number(t, subject->verdict, "required"));
        pl_markup_number(margin, pl_csv_number(t, subject->verdict, "margin"));
        say(s, " Verdict on %s: %s; tuned minus prompted %s; required accuracy %s, margin %s.", subject->label,
            pl_csv_field(t, subject->verdict, "verdict"), value, required, margin);
    }
}

static void put_methods(sheet *s)
{
    put(s, "% Made by plumb " PLUMB_VERSION
           ".\n\\paragraph{Methods.} All numbers were computed with plumb " PLUMB_VERSION ".\n");
    for (size_t r = 0; r < s->tables->n_runs; r++) put_run(s, &s->tables->runs[r]);
    put_definitions(s);
    put(s, " Intervals are of 95\\,\\% and hold for other items, templates and draws of the kind: variance components "
           "with Satterthwaite's degrees of freedom, draws from three on. Verdicts' p are adjusted by Holm's method "
           "over all verdicts of a run; .05 decides.");
    put_verdicts(s);
    put(s, "\n");
}

static pl_status write_sheet(const char *folder, const char *name, const pl__tables *tables, void (*fill)(sheet *))
{
    char path[PL_PATH_MAX];
    sheet s = {.tables = tables};
    fill(&s);
    pl_status status = s.status;
    if (status == PL_OK) status = pl_path(path, "%s/%s", folder, name);
    if (status == PL_OK) status = pl_file_replace(path, s.text.data, s.text.size);
    pl_bytes_free(&s.text);
    return status;
}

pl_status pl_page_latex(const char *folder, const pl_run_folder *runs, size_t n)
{
    pl__tables tables = {0};
    pl_status status;
    PL_TRY(pl_folder_make(folder));
    PL_GOTO(status, done, pl__tables_read(&tables, runs, n));
    PL_GOTO(status, done, write_sheet(folder, "table.tex", &tables, put_table));
    status = write_sheet(folder, "methods.tex", &tables, put_methods);
done:
    pl__tables_free(&tables);
    return status;
}
