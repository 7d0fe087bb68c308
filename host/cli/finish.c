#include "cli/finish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/wobble_first.h"
#include "base/file.h"
#include "base/temporary.h"
#include "base/terminal.h"
#include "base/visible.h"
#include "page/page.h"
#include "report/report.h"
#include "store/analysis_stamp.h"

static const size_t SHOWN_BYTES_MAX = (size_t)4 << 30;

/* What can be shown, each a file of the run folder: who asks again is shown it. */
static const char *const shown_names[] = {
    [PL__SHOW_SCREEN] = "screen.txt", [PL__SHOW_FULL] = "table.txt", [PL__SHOW_JSON] = "table.json"};

static pl_status shown_path(char path[PL_PATH_MAX], const pl_run_folder *run, pl__show show)
{
    return pl_path(path, "%s/%s", run->path, shown_names[show]);
}

static pl_status put_json(FILE *out, const pl_report_tables *r, const pl_run_view *view)
{
    json_t *json;
    PL_TRY(pl_report_json(&json, r->table, pl_run_view_folder(view)->path, pl_run_view_n_missing(view)));
    pl_status status = pl_report_arms_json(json, r->arms);
    if (status == PL_OK) status = pl_report_verdict_json(json, r->arms);
    if (status == PL_OK) status = pl_report_contrasts_json(json, r->contrasts);
    if (status == PL_OK) status = pl_report_scorers_json(json, r->scorers);
    if (status == PL_OK) return pl_put_json(out, json, true);
    json_decref(json);
    return status;
}

static pl_status put_full(FILE *out, const pl_report_tables *r)
{
    PL_TRY(pl_report_print(out, r->table));
    PL_TRY(pl_report_controls_print(out, r->table));
    PL_TRY(pl_report_arms_print(out, r->arms));
    PL_TRY(pl_report_verdict_print(out, r->arms));
    PL_TRY(pl_report_contrasts_print(out, r->contrasts));
    return pl_report_scorer_claims_print(out, r->scorers);
}

static pl_status put_screen(FILE *out, const pl_report_tables *r)
{
    pl_bytes text = {0};
    pl_status status = pl_report_screen(&text, r);
    if (status == PL_OK) fwrite(text.data, 1, text.size, out);
    pl_bytes_free(&text);
    return status;
}

static pl_status put_shown(const pl_run_view *view, const pl_report_tables *r, pl__show show)
{
    const pl_run_folder *run = pl_run_view_folder(view);
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
    int fd;
    PL_TRY(shown_path(path, run, show));
    PL_TRY(pl_temporary_create(&fd, part, path));
    /* Into the file and not into memory: a stream in memory drops what it has no room for, without an error. */
    FILE *out = fdopen(fd, "w");
    if (!out) close(fd);
    pl_status status = !out                    ? pl_fail(PL_E_MEMORY, "out of memory while writing %s", path)
                       : show == PL__SHOW_JSON ? put_json(out, r, view)
                       : show == PL__SHOW_FULL ? put_full(out, r)
                                               : put_screen(out, r);
    if (status == PL_OK && (fflush(out) != 0 || ferror(out) || fdatasync(fd) != 0))
        status = pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
    if (out && fclose(out) != 0 && status == PL_OK)
        status = pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
    if (status == PL_OK) return pl_file_rename(part, path);
    unlink(part);
    return status;
}

static size_t name_damaged(const pl_run_view *view)
{
    const char *const *reasons;
    size_t n = pl_run_view_damaged(view, &reasons);
    for (size_t i = 0; i < n; i++) pl_print(stderr, "damaged: %s\n", reasons[i]);
    return n;
}

/* Every result file, and what can be shown (JSON where it is asked for); damaged units are left out. */
static pl_status make_results(const pl_run_folder *run, const pl__asked *asked, size_t *n_missing, size_t *n_damaged)
{
    pl_run_view *view;
    pl_report_tables r = {0};
    pl_status status;
    PL_TRY(pl_run_view_open(&view, run));
    /* Samples pass through first, unit by unit: the table then finds the rows in memory. */
    PL_GOTO(status, done, pl_report_lm_eval(view));
    *n_missing = pl_run_view_n_missing(view);
    *n_damaged = name_damaged(view);
    PL_GOTO(status, done, pl_stability_of_run(&r.table, view, asked->device));
    PL_GOTO(status, done, pl_report_csv(run, r.table));
    PL_GOTO(status, done, pl_report_maps(run, r.table));
    PL_GOTO(status, done, pl_arms_of_run(&r.arms, view));
    pl_wobble_first(r.arms, r.table);
    PL_GOTO(status, done, pl_report_arms_csv(run, r.arms));
    PL_GOTO(status, done, pl_report_verdict_csv(run, r.arms));
    PL_GOTO(status, done, pl_contrasts_of_run(&r.contrasts, view));
    PL_GOTO(status, done, pl_report_contrasts_csv(run, r.contrasts));
    PL_GOTO(status, done, pl_scorers_of_run(&r.scorers, view));
    PL_GOTO(status, done, pl_report_scorers_csv(run, r.scorers));
    PL_GOTO(status, done, put_shown(view, &r, PL__SHOW_SCREEN));
    PL_GOTO(status, done, put_shown(view, &r, PL__SHOW_FULL));
    if (asked->show == PL__SHOW_JSON) status = put_shown(view, &r, asked->show);
done:
    pl_scorers_free(r.scorers);
    pl_contrasts_free(r.contrasts);
    pl_arms_free(r.arms);
    pl_stability_free(r.table);
    pl_run_view_close(view);
    return status;
}

static pl_status show(const pl_run_folder *run, const pl__asked *asked)
{
    char path[PL_PATH_MAX];
    pl_bytes text;
    PL_TRY(shown_path(path, run, asked->show));
    PL_TRY(pl_file_read(&text, path, SHOWN_BYTES_MAX));
    pl_status status = PL_OK;
    if (asked->show == PL__SHOW_SCREEN)
        status = pl_report_screen_print(stdout, text.data, pl_terminal_width(stdout), pl_terminal_colour(stdout));
    else if (asked->show == PL__SHOW_FULL && asked->layers)
        status = pl_report_print_layers(stdout, text.data, asked->layers);
    else
        fwrite(text.data, 1, text.size, stdout);
    pl_bytes_free(&text);
    if (status == PL_OK && (fflush(stdout) != 0 || ferror(stdout)))
        return pl_fail(PL_E_IO, "cannot write to standard output");
    return status;
}

pl_status pl__damaged(const pl_run_folder *run, size_t n)
{
    return pl_fail(PL_E_IO,
                   "%s: %zu of its units are damaged: remove their files (.h5 and .json) and run the experiment again, "
                   "which computes them only",
                   run->path, n);
}

pl_status pl__asked_of(pl__asked *out, const pl_arguments *arguments)
{
    const bool full = pl_argument_flag(arguments, PL_OPTION_FULL) || arguments->values[PL_OPTION_LAYERS];
    *out = (pl__asked){.show = full ? PL__SHOW_FULL : PL__SHOW_SCREEN,
                       .layers = arguments->values[PL_OPTION_LAYERS],
                       .device = arguments->values[PL_OPTION_DEVICE]};
    if (pl_argument_flag(arguments, PL_OPTION_JSON)) out->show = PL__SHOW_JSON;
    return pl_argument_size(arguments, PL_OPTION_REPORT_MAX, &out->report_max);
}

pl_status pl__finish(const pl_run_folder *run, const pl__asked *asked)
{
    char path[PL_PATH_MAX], report[PL_PATH_MAX];
    pl_analysis_stamp stamp;
    size_t n_damaged = 0;
    PL_TRY(shown_path(path, run, asked->show));
    PL_TRY(pl_path(report, "%s/report.html", run->path));
    PL_TRY(pl_analysis_inputs(&stamp, run));
    bool stands = pl_analysis_stands(&stamp, run) && pl_file_exists(path);
    if (!stands) PL_TRY(make_results(run, asked, &stamp.n_missing, &n_damaged));
    if (!stands || asked->report_max || !pl_file_exists(report))
        PL_TRY(pl_page_write(run->path, run, 1, asked->report_max ? asked->report_max : PL_PAGE_BYTES));
    if (!stands && n_damaged == 0) PL_TRY(pl_analysis_stamp_put(&stamp, run)); /* else they are named again */
    PL_TRY(show(run, asked)); /* before the last line, so that a log of both streams keeps their order */
    if (stamp.n_missing == 0) PL_TRY(pl_run_folder_done(run));
    pl_print(stderr, "%s%s: stability.csv, results*.json, samples_*.jsonl, units/*.h5\n",
             stamp.n_missing ? "(incomplete) " : "", run->path);
    pl_print(stderr, "%s\n", report);
    return n_damaged == 0 ? PL_OK : pl__damaged(run, n_damaged);
}
