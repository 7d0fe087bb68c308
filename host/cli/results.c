#include "cli/results.h"

#include "store/run_folder.h"

pl_status pl__results_folder(char out[PL_PATH_MAX], const pl_arguments *arguments)
{
    char folder[PL_PATH_MAX], plan[PL_PATH_MAX];
    pl_run_folder run;
    if (arguments->values[PL_OPTION_RESULTS]) return pl_path(out, "%s", arguments->values[PL_OPTION_RESULTS]);
    PL_TRY(pl_path_folder(folder, arguments->words[0]));
    PL_TRY(pl_path(plan, "%s/plan.json", folder));
    if (!pl_file_exists(plan)) return pl_path(out, "results");
    PL_TRY(pl_run_folder_open(&run, folder));
    return pl_path(out, "%s", run.results);
}
