#include "page/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/temporary.h"
#include "page/asset.h"
#include "page/section.h"

/* ---- the end of the page ---- */

/* What a subject's accuracies say was left out, and why intervals of theirs miss something. */
static void put_notes(pl__build *b, const pl__subject *s)
{
    pl__texts list = {0};
    for (size_t c = 0; c < s->n; c++) {
        for (size_t i = 0; i < s->conditions[c].n_rows; i++) {
            const pl__row *r = s->conditions[c].rows[i];
            if (strcmp(r->metric, "acc") || *r->template_name) continue;
            if (*r->note) pl__texts_add(b, &list, r->note);
            if (*r->why_empty) pl__texts_add(b, &list, r->why_empty);
        }
    }
    for (size_t i = 0; i < list.n; i++) {
        pl__put(b, "<li>");
        pl__put_format(b, "%s: %s", s->label, list.at[i]);
        pl__put(b, "</li>\n");
    }
    pl__texts_free(&list);
}

static void put_units(pl__build *b, const pl__run *run)
{
    if (run->n_missing)
        pl__put_format(b, "%s: %zu of %zu units are not there yet; every number is of those that are", run->name,
                       run->n_missing, run->plan->n_units);
    else
        pl__put_format(b, "%s: all %zu units are there", run->name, run->plan->n_units);
}

void pl__section_missing(pl__build *b)
{
    const pl__tables *t = b->tables;
    pl__put(b, "<section id=\"missing\">\n<h2>What is missing</h2>\n<ul>\n");
    for (size_t r = 0; r < t->n_runs; r++) {
        pl__put(b, "<li>");
        put_units(b, &t->runs[r]);
        pl__put(b, "</li>\n");
        if (!t->runs[r].no_maps) continue;
        pl__put(b, "<li>");
        pl__put_format(b, "%s: no maps: %s", t->runs[r].name, t->runs[r].no_maps);
        pl__put(b, "</li>\n");
    }
    for (size_t i = 0; i < t->n_subjects; i++) put_notes(b, &t->subjects[i]);
    pl__put(b, "</ul>\n</section>\n");
}

void pl__section_definitions(pl__build *b)
{
    pl__put(
        b,
        "<section id=\"definitions\">\n<h2>Definitions</h2>\n<p>Intervals, 95 %: for other items, wordings and draws "
        "of the kind. All numbers, with the intervals for exactly these wordings and draws, stand in "
        "stability.csv.</p>\n<dl class=facts>\n");
    for (int id = 0; id < PL_METRICS; id++) {
        const pl_metric *m = pl_metric_of((pl_metric_id)id);
        if (!b->metrics[id]) continue;
        pl__put_fact(b, m->name, *m->null_name ? "%s; by chance: %s" : "%s", m->meaning, m->null_name);
    }
    pl__put(b, "</dl>\n</section>\n");
}

/* ---- the whole ---- */

static void put_title(pl__build *b)
{
    const pl__tables *t = b->tables;
    for (size_t r = 0; r < t->n_runs; r++) {
        if (r) pl__put(b, ", ");
        pl__put_text(b, t->runs[r].plan->name ? t->runs[r].plan->name : t->runs[r].name);
    }
}

/* 'sha256-...': a script that may run; no others may. */
static void put_digest(pl__build *b, const char *script)
{
    char hex[PL_SHA256_TEXT], digit[3] = {0};
    unsigned char digest[(PL_SHA256_TEXT - 1) / 2];
    pl_sha256(hex, script, strlen(script));
    for (size_t i = 0; i < sizeof digest; i++) {
        memcpy(digit, hex + 2 * i, 2);
        digest[i] = (unsigned char)strtoul(digit, NULL, 16);
    }
    pl__put(b, " 'sha256-");
    if (b->status == PL_OK) b->status = pl_base64(&b->html, digest, sizeof digest);
    pl__put(b, "'");
}

static void put_head(pl__build *b)
{
    pl__put(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
               "img-src data: blob:; base-uri 'none'; form-action 'none'; script-src");
    put_digest(b, pl__page_script);
    put_digest(b, pl__map_script);
    pl__put(b, "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    put_title(b);
    pl__put(b, ": plumb report</title>\n<style>\n");
    pl__put(b, pl__page_style);
    pl__put(b, "</style>\n</head>\n<body>\n");
}

static void put_nav(pl__build *b)
{
    pl__put(b, "<header><h1>");
    put_title(b);
    pl__put(b, "</h1>\n<nav aria-label=\"parts\"><a href=\"#answer\">Answer</a>");
    for (size_t i = 0; i < b->tables->n_subjects; i++) {
        char link[48];
        snprintf(link, sizeof link, "<a href=\"#s%zu\">", i);
        pl__put(b, link);
        pl__put_text(b, b->tables->subjects[i].label);
        pl__put(b, "</a>");
    }
    pl__put(b, "<a href=\"#missing\">Missing</a><a href=\"#definitions\">Definitions</a><a href=\"#cells\">Cells</a>"
               "</nav>\n<p class=files>");
    for (size_t r = 0; r < b->tables->n_runs; r++) {
        if (r) pl__put(b, "<br>");
        put_units(b, &b->tables->runs[r]);
    }
    pl__put(b, "</p></header>\n<main>\n");
}

static void put_subject(pl__build *b, const pl__subject *s, size_t index)
{
    char open[48];
    snprintf(open, sizeof open, "<section id=\"s%zu\">\n<h2>", index);
    pl__put(b, open);
    pl__put_text(b, s->label);
    pl__put(b, "</h2>\n");
    pl__put(b, "<div class=beside><div>\n");
    pl__section_verdict(b, s);
    pl__put(b, "</div>\n");
    pl__section_accuracy(b, s);
    pl__put(b, "</div>\n");
    pl__put(b, "<h3>How good, how steady, at what cost</h3>\n");
    pl__section_arms(b, s);
    pl__part answers = pl__open(b, "<h3>How answers move</h3>\n");
    pl__section_behaviour(b, s);
    pl__close(b, answers, "");
    pl__part states = pl__open(b, "<h3>Hidden states</h3>\n");
    pl__section_states(b, s);
    pl__close(b, states, "");
    pl__section_maps(b, s);
    pl__section_training(b, s);
    pl__put(b, "</section>\n");
}

/* Bytes behind the cells beside the scripts, about; what part of the page maps may be. */
enum { BEHIND = 800, MAPS_PART = 3 };

static pl_status build(pl__build *b, size_t report_max)
{
    b->maps_left = report_max / MAPS_PART;
    put_head(b);
    put_nav(b);
    pl__section_overview(b);
    pl__section_scale(b);
    for (size_t i = 0; i < b->tables->n_subjects; i++) put_subject(b, &b->tables->subjects[i], i);
    pl__section_missing(b);
    pl__section_definitions(b);
    pl__section_cells(b, report_max, strlen(pl__page_script) + strlen(pl__map_script) + BEHIND);
    pl__put(b, "</main>\n<footer>plumb " PLUMB_VERSION "</footer>\n<script>");
    pl__put(b, pl__page_script);
    pl__put(b, "</script>\n<script>");
    pl__put(b, pl__map_script);
    pl__put(b, "</script>\n</body>\n</html>\n");
    return b->status;
}

/* figures/ is ours to replace in a run folder, and where a report stands beside it. */
static pl_status check_folder(const char *folder)
{
    static const char *const ours[] = {"report.html", "plan.json"};
    char path[PL_PATH_MAX];
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        PL_TRY(pl_path(path, "%s/%s", folder, ours[i]));
        if (pl_file_exists(path)) return PL_OK;
    }
    PL_TRY(pl_path(path, "%s/figures", folder));
    if (!pl_folder_exists(path)) return PL_OK;
    return pl_fail(
        PL_E_INPUT,
        "%s is there without a report.html beside it, so it may be yours: name another folder, or move it away", path);
}

static pl_status publish(const pl__build *b, const char *folder)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/figures", folder));
    PL_TRY(pl_folder_remove(path, NULL));
    PL_TRY(pl_file_rename(b->figures, path));
    PL_TRY(pl_path(path, "%s/report.html", folder));
    return pl_file_replace(path, b->html.data, b->html.size);
}

pl_status pl_page_write(const char *folder, const pl_run_folder *runs, size_t n, size_t report_max)
{
    pl__tables tables = {0};
    bool metrics[PL_METRICS] = {false};
    pl__build b = {.tables = &tables, .metrics = metrics};
    char figures[PL_PATH_MAX];
    pl_status status;
    PL_TRY(pl_folder_make(folder));
    PL_TRY(check_folder(folder));
    PL_GOTO(status, done, pl__tables_read(&tables, runs, n));
    PL_GOTO(status, done, pl_path(figures, "%s/figures", folder));
    PL_GOTO(status, done, pl_file_temporary(b.figures, figures));
    PL_GOTO(status, done, pl_folder_remove(b.figures, NULL));
    PL_GOTO(status, done, pl_folder_make(b.figures));
    status = build(&b, report_max);
    if (status == PL_OK) status = publish(&b, folder);
    if (status != PL_OK) pl_folder_remove(b.figures, NULL);
done:
    free(b.names);
    pl_bytes_free(&b.html);
    pl__tables_free(&tables);
    return status;
}
