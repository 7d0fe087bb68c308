#include "cli/finish.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/visible.h"
#include "cli/cli.h"
#include "report/report.h"

static pl_status print_json(const pl_run_view *view, const pl_stability_table *table)
{
    json_t *json;
    PL_TRY(pl_report_json(&json, table, pl_run_view_folder(view)->path, pl_run_view_n_missing(view)));
    return pl_print_json(json, true);
}

pl_status pl__finish(const pl_run_folder *run, bool json)
{
    pl_run_view *view;
    pl_stability_table *table = NULL;
    size_t n_missing = 0;
    pl_status status;
    PL_TRY(pl_run_view_open(&view, run));
    n_missing = pl_run_view_n_missing(view);
    /* Samples pass through first, unit by unit: the table then finds the rows in memory. */
    PL_GOTO(status, done, pl_report_lm_eval(view));
    PL_GOTO(status, done, pl_stability_of_run(&table, view));
    PL_GOTO(status, done, pl_report_csv(run, table));
    PL_GOTO(status, done, json ? print_json(view, table) : pl_report_print(stdout, table));
    if (fflush(stdout) != 0) /* before the last line, so that a log of both streams keeps their order */
        PL_GOTO(status, done, pl_fail(PL_E_IO, "cannot write to standard output"));
    if (n_missing == 0) PL_GOTO(status, done, pl_run_folder_done(run));
    pl_print(stderr, "%s%s: stability.csv, results*.json, samples_*.jsonl, units/*.h5\n",
             n_missing ? "(incomplete) " : "", run->path);
done:
    pl_stability_free(table);
    pl_run_view_close(view);
    return status;
}
