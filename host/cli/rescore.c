/* plumb rescore: readouts of what a run stored, side by side; no model is loaded and no file is written
 * (`analyze` writes scorers.csv). */
#include "base/visible.h"
#include "cli/cli.h"
#include "report/report.h"

static pl_status show(const pl_run_folder *run, const pl_scorers_table *table, bool json)
{
    json_t *object;
    if (!json) return pl_report_scorers_print(stdout, table);
    object = json_pack("{s:s, s:[]}", "run", run->path, "scorers"); /* stays empty where there is nothing to score */
    if (!object) return pl_fail(PL_E_MEMORY, "out of memory while writing scorers as JSON");
    pl_status status = pl_report_scorers_json(object, table);
    if (status == PL_OK) return pl_print_json(object, true);
    json_decref(object);
    return status;
}

pl_status pl_verb_rescore(const pl_arguments *arguments)
{
    pl_run_folder run;
    pl_run_view *view = NULL;
    pl_scorers_table *table = NULL;
    pl_status status;
    PL_TRY(pl_run_folder_open(&run, arguments->words[0]));
    PL_TRY(pl_run_view_open(&view, &run));
    PL_GOTO(status, done, pl_scorers_of_run(&table, view));
    if (pl_run_view_n_missing(view))
        pl_print(stderr, "(incomplete) %s: %zu units are missing\n", run.path, pl_run_view_n_missing(view));
    status = show(&run, table, pl_argument_flag(arguments, PL_OPTION_JSON));
done:
    pl_scorers_free(table);
    pl_run_view_close(view);
    return status;
}
