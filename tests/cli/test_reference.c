/* experiments/REFERENCE.md says what the program does: its tables are those that parsers, writers and help are made of,
 * row for row, and nothing else. `cli_test_reference --write` puts them into the page, where each has its heading. */
#include "tests.h"

#include <math.h>

#include "analysis/metric.h"
#include "base/file.h"
#include "cli/cli.h"
#include "experiment/lint.h"
#include "experiment/spec_keys.h"
#include "report/column.h"
#include "store/obs.h"
#include "task/task_keys.h"

#define PAGE PLUMB_SOURCE_DIR "/experiments/REFERENCE.md"

/* Where rows go: appended to `out` as text. */
typedef struct page {
    pl_bytes *out;
} page;

static void heading(page p, const char *name)
{
    OK(pl_bytes_format(p.out, "### `%s`\n\n", name));
}

/* A cell may hold no bare bar. */
static void cell(page p, const char *text)
{
    for (; *text; text++) OK(pl_bytes_format(p.out, "%s%c", *text == '|' ? "\\" : "", *text));
    OK(pl_bytes_text(p.out, " | "));
}

static void end_row(page p)
{
    p.out->size--; /* the blank behind the last bar */
    OK(pl_bytes_text(p.out, "\n"));
}

static void code_cell(page p, const char *text)
{
    OK(pl_bytes_text(p.out, "| `"));
    for (; *text; text++) OK(pl_bytes_format(p.out, "%s%c", *text == '|' ? "\\" : "", *text));
    OK(pl_bytes_text(p.out, "` | "));
}

static void keys(page p, const pl_yaml_section *sections)
{
    for (; sections->place; sections++) {
        heading(p, sections->place);
        OK(pl_bytes_text(p.out, "| key | default | meaning |\n|---|---|---|\n"));
        for (const pl_yaml_key *k = sections->keys; k->name; k++) {
            code_cell(p, k->name);
            cell(p, k->fallback);
            cell(p, k->meaning);
            end_row(p);
        }
        OK(pl_bytes_text(p.out, "\n"));
    }
}

static void experiment_keys(page p)
{
    keys(p, pl_spec_sections);
}

static void task_keys(page p)
{
    keys(p, pl_task_sections);
}

static void obs_columns(page p)
{
    static const char *const kinds[] = {"text", "category", "integer", "real", "bool"};
    static const struct {
        pl_obs_of of;
        const char *units;
    } units[] = {{PL_OBS_SCORED, " (loglikelihood only)"},
                 {PL_OBS_GENERATED, " (generate only)"},
                 {PL_OBS_LEARNED, " (arms that learn)"},
                 {PL_OBS_CHATTED, " (units under `chat`)"},
                 {PL_OBS_ROLLED, " (loglikelihood_rolling only)"},
                 {PL_OBS_BYTES, " (where metric_list names it)"},
                 {PL_OBS_MUTUAL, " (where metric_list names it)"},
                 {PL_OBS_MATCHED, " (generate; of choices where metric_list names it)"}};
    heading(p, "/obs");
    OK(pl_bytes_text(p.out, "| column | kind | meaning |\n|---|---|---|\n"));
    for (size_t c = 0; c < PL_OBS_N; c++) {
        const pl_obs_description *d = &pl_obs_columns[c];
        char meaning[512];
        const char *of = "";
        for (size_t u = 0; u < sizeof units / sizeof *units; u++)
            if (units[u].of == d->of) of = units[u].units;
        snprintf(meaning, sizeof meaning, "%s%s", d->meaning, of);
        code_cell(p, d->name);
        cell(p, kinds[d->kind]);
        cell(p, meaning);
        end_row(p);
    }
    OK(pl_bytes_text(p.out, "\n"));
}

static void csv_columns(page p)
{
    size_t n;
    const pl__csv_column *columns = pl__csv_columns(&n);
    heading(p, "stability.csv");
    OK(pl_bytes_text(p.out, "| column | meaning |\n|---|---|\n"));
    for (size_t c = 0; c < n; c++) {
        code_cell(p, columns[c].name);
        cell(p, columns[c].meaning);
        end_row(p);
    }
    OK(pl_bytes_text(p.out, "\n"));
}

static void bound(char out[16], double value)
{
    if (isinf(value))
        snprintf(out, 16, "no bound");
    else
        snprintf(out, 16, "%g", value);
}

static void metrics(page p)
{
    heading(p, "metric");
    OK(pl_bytes_text(p.out, "| metric | unit | from | to | null value | meaning |\n|---|---|---|---|---|---|\n"));
    for (int id = 0; id < PL_METRICS; id++) {
        const pl_metric *m = pl_metric_of((pl_metric_id)id);
        char low[16], high[16];
        bound(low, m->low);
        bound(high, m->high);
        code_cell(p, m->name);
        cell(p, m->unit);
        cell(p, low);
        cell(p, high);
        cell(p, *m->null_name ? m->null_name : "none");
        cell(p, m->meaning);
        end_row(p);
    }
    OK(pl_bytes_text(p.out, "\n"));
}

static void options(page p)
{
    static const struct {
        const char *name, *value, *help;
    } table[] = {
#define X(id, name, value, words, help) {name, value, help},
        PL_OPTION_TABLE(X)
#undef X
    };
    heading(p, "--options");
    OK(pl_bytes_text(p.out, "| option | meaning |\n|---|---|\n"));
    for (size_t o = 0; o < sizeof table / sizeof *table; o++) {
        char name[64];
        snprintf(name, sizeof name, "--%s%s%s", table[o].name, table[o].value ? " " : "",
                 table[o].value ? table[o].value : "");
        code_cell(p, name);
        cell(p, table[o].help);
        end_row(p);
    }
    OK(pl_bytes_text(p.out, "\n"));
}

static void exit_codes(page p)
{
    static const struct {
        int code;
        const char *text;
    } table[] = {
#define X(name, code, text) {code, text},
        PL_STATUS_TABLE(X)
#undef X
    };
    enum { N = sizeof table / sizeof *table };
    heading(p, "exit code");
    OK(pl_bytes_text(p.out, "| code | when |\n|---|---|\n"));
    for (int code = 0; code < 256; code++) {
        const char *separator = "";
        for (size_t i = 0; i < N; i++) {
            if (table[i].code != code) continue;
            if (!*separator) OK(pl_bytes_format(p.out, "| `%d` | ", code));
            OK(pl_bytes_format(p.out, "%s%s", separator, table[i].text));
            separator = "; ";
        }
        if (*separator) OK(pl_bytes_text(p.out, " |\n"));
    }
    OK(pl_bytes_text(p.out, "\n"));
}

static void lint_rules(page p)
{
    heading(p, "plumb validate");
    OK(pl_bytes_text(p.out, "| rule | meaning |\n|---|---|\n"));
    for (int rule = 0; rule < PL_LINT_N; rule++) {
        code_cell(p, pl_lint_name((pl_lint_rule)rule));
        cell(p, pl_lint_meaning((pl_lint_rule)rule));
        end_row(p);
    }
    OK(pl_bytes_text(p.out, "\n"));
}

static void (*const parts[])(page) = {experiment_keys, task_keys, obs_columns, csv_columns,
                                      metrics,         options,   lint_rules,  exit_codes};
enum { PARTS = sizeof parts / sizeof *parts };

/* A table of the page: its heading, and where its rows stand. */
typedef struct table {
    const char *begin, *end;
} table;

/* The rows behind the heading at `heading`: the first lines that begin with a bar. */
static table rows_behind(const char *heading)
{
    table t = {strstr(heading, "\n|"), NULL};
    if (!t.begin) fail_msg("no table behind %.*s", (int)strcspn(heading, "\n"), heading);
    t.end = ++t.begin;
    while (*t.end == '|') t.end += strcspn(t.end, "\n") + 1;
    return t;
}

/* The table of the page that has the heading of the one at `heading`. */
static table in_page(const char *page_text, const char *heading)
{
    char line[128];
    snprintf(line, sizeof line, "\n%.*s\n", (int)strcspn(heading, "\n"), heading);
    const char *found = strstr(page_text, line);
    if (!found) fail_msg("%s lacks the heading%s", PAGE, line);
    if (strstr(found + 1, line)) fail_msg("%s has the heading twice:%s", PAGE, line);
    return rows_behind(found + 1);
}

static void print_tables(pl_bytes *out)
{
    for (size_t i = 0; i < PARTS; i++) parts[i]((page){out});
}

static void test_page_and_program_agree(void **state)
{
    (void)state;
    pl_bytes page_text, tables = {0};
    OK(pl_file_read(&page_text, PAGE, 1 << 20));
    print_tables(&tables);
    for (const char *heading = tables.data; heading; heading = strstr(heading, "\n### ")) {
        heading += *heading == '\n';
        table wanted = rows_behind(heading), found = in_page(page_text.data, heading);
        size_t n = (size_t)(wanted.end - wanted.begin);
        if ((size_t)(found.end - found.begin) != n || memcmp(found.begin, wanted.begin, n) != 0)
            fail_msg("%s is not what the program says at %.*s; run this test with --write, and read the page again",
                     PAGE, (int)strcspn(heading, "\n"), heading);
    }
    pl_bytes_free(&tables);
    pl_bytes_free(&page_text);
}

/* Puts the program's tables into the page. */
static void test_write(void **state)
{
    (void)state;
    pl_bytes page_text, tables = {0};
    OK(pl_file_read(&page_text, PAGE, 1 << 20));
    print_tables(&tables);
    for (const char *heading = tables.data; heading; heading = strstr(heading, "\n### ")) {
        heading += *heading == '\n';
        table wanted = rows_behind(heading), found = in_page(page_text.data, heading);
        pl_bytes made = {0};
        OK(pl_bytes_append(&made, page_text.data, (size_t)(found.begin - page_text.data)));
        OK(pl_bytes_append(&made, wanted.begin, (size_t)(wanted.end - wanted.begin)));
        OK(pl_bytes_text(&made, found.end));
        pl_bytes_free(&page_text);
        page_text = made;
    }
    OK(pl_file_replace(PAGE, page_text.data, page_text.size));
    pl_bytes_free(&tables);
    pl_bytes_free(&page_text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_and_program_agree)};
    const struct CMUnitTest writing[] = {cmocka_unit_test(test_write)};
    if (argc == 2 && strcmp(argv[1], "--write") == 0) return cmocka_run_group_tests(writing, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
