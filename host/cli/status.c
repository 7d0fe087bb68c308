/* plumb status: what is finished, running and failed in a run folder, from the files alone. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run_status.h"

enum { WATCH_SECONDS = 2 };

pl_status pl_verb_status(const pl_arguments *arguments)
{
    pl_run_folder run;
    bool json = pl_argument_flag(arguments, PL_OPTION_JSON), watch = pl_argument_flag(arguments, PL_OPTION_WATCH);
    PL_TRY(pl_run_folder_open(&run, arguments->words[0]));
    for (;;) {
        json_t *status;
        PL_TRY(pl__run_status(&status, &run));
        bool live = strcmp(json_string_value(json_object_get(status, "state")), "running") == 0;
        if (json) {
            PL_TRY(pl_print_json(status, true));
        } else {
            pl__run_status_print(stdout, status);
            json_decref(status);
        }
        if (!watch || !live) return PL_OK;
        fflush(stdout);
        sleep(WATCH_SECONDS);
    }
}
