/* plumb analyze: the table again from what a run stored; no model is loaded. */
#include "cli/cli.h"
#include "cli/finish.h"

pl_status pl_verb_analyze(const pl_arguments *arguments)
{
    pl_run_folder run;
    PL_TRY(pl_run_folder_open(&run, arguments->words[0]));
    return pl__finish(&run, pl_argument_flag(arguments, PL_OPTION_JSON));
}
