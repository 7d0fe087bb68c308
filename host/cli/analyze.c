/* plumb analyze: the table again from what a run stored; no model is loaded. */
#include <stdio.h>

#include "base/visible.h"
#include "cli/cli.h"
#include "cli/finish.h"
#include "store/plan_file.h"
#include "store/unit_check.h"

/* Reads every byte of the run's finished units; one line for each that is damaged. */
static pl_status verify(const pl_run_folder *run)
{
    pl_plan_file *plan;
    char folder[PL_PATH_MAX], reason[PL_PATH_MAX];
    size_t counts[3] = {0};
    PL_TRY(pl_path(folder, "%s/units", run->path));
    PL_TRY(pl_plan_file_read(&plan, run));
    pl_status status = PL_OK;
    for (size_t u = 0; u < plan->n_units && status == PL_OK; u++) {
        pl_unit_state state;
        if (!pl_run_folder_has(run, plan->units[u].id)) continue;
        status = pl_unit_check_intact(&state, reason, folder, plan->units[u].id);
        if (status != PL_OK) break;
        counts[state]++;
        if (state == PL_UNIT_DAMAGED) pl_print(stderr, "damaged: %s\n", reason);
    }
    pl_plan_file_free(plan);
    PL_TRY(status);
    pl_print(stderr, "verified: %zu units intact, %zu damaged, %zu without a digest\n", counts[PL_UNIT_INTACT],
             counts[PL_UNIT_DAMAGED], counts[PL_UNIT_UNKNOWN]);
    if (!counts[PL_UNIT_DAMAGED]) return PL_OK;
    return pl__damaged(run, counts[PL_UNIT_DAMAGED]);
}

pl_status pl_verb_analyze(const pl_arguments *arguments)
{
    pl_run_folder run;
    pl__asked asked;
    PL_TRY(pl__asked_of(&asked, arguments));
    PL_TRY(pl_run_folder_open(&run, arguments->words[0]));
    if (pl_argument_flag(arguments, PL_OPTION_VERIFY)) PL_TRY(verify(&run));
    return pl__finish(&run, &asked);
}
