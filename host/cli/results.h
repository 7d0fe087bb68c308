/* Where run folders are, for the verbs that take an experiment file. */
#ifndef PLUMB_CLI_RESULTS_H
#define PLUMB_CLI_RESULTS_H

#include "base/path.h"
#include "cli/cli.h"

/* --results; without it, beside the run folder whose own experiment.yaml the file is; else "results". */
pl_status pl__results_folder(char out[PL_PATH_MAX], const pl_arguments *arguments);

#endif
