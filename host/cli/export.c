/* plumb export --lm-eval: a run's results and samples as lm-evaluation-harness writes them; no model is loaded. */
#include "base/visible.h"
#include "cli/cli.h"
#include "report/report.h"

pl_status pl_verb_export(const pl_arguments *arguments)
{
    const char *folder = arguments->words[1];
    pl_run_folder run;
    pl_run_view *view = NULL;
    size_t n_files, n_damaged;
    const char *const *damaged;
    pl_status status;
    if (!pl_argument_flag(arguments, PL_OPTION_LM_EVAL))
        return pl_fail(PL_E_USAGE, "plumb export: say which form: --lm-eval");
    PL_TRY(pl_run_folder_open(&run, arguments->words[0]));
    PL_TRY(pl_run_view_open(&view, &run));
    PL_GOTO(status, done, pl_report_lm_eval_export(view, folder, &n_files));
    n_damaged = pl_run_view_damaged(view, &damaged);
    for (size_t i = 0; i < n_damaged; i++) pl_print(stderr, "left out: %s\n", damaged[i]);
    if (pl_run_view_n_missing(view))
        pl_print(stderr, "(incomplete) %s: %zu units are missing\n", run.path, pl_run_view_n_missing(view));
    pl_print(stderr, "%s: %zu files\n", folder, n_files);
    if (n_files == 0)
        status =
            pl_fail(PL_E_INPUT, "%s: no unit is finished; run the experiment first: nothing was written", run.path);
done:
    pl_run_view_close(view);
    return status;
}
