/* plumb policies: policies that choose between prompting and tuning, replayed on finished runs. */

#include "report/policies.h"
#include "base/file.h"
#include "base/visible.h"
#include "cli/cli.h"

static const double MARGIN = 0.03;

static pl_status read_runs(pl_policy_cases *cases, pl_run_folder *first, const pl_arguments *arguments)
{
    for (size_t r = 0; r < arguments->n_words; r++) {
        pl_run_folder run;
        PL_TRY(pl_run_folder_open(&run, arguments->words[r]));
        if (!pl_argument_flag(arguments, PL_OPTION_QUIET))
            pl_print(stderr, "%s (%zu of %zu): its halves are analysed\n", run.path, r + 1, arguments->n_words);
        PL_TRY(pl_policy_cases_add(cases, &run));
        if (!r) *first = run;
    }
    return PL_OK;
}

pl_status pl_verb_policies(const pl_arguments *arguments)
{
    const char *out = arguments->values[PL_OPTION_OUT];
    double margin = MARGIN;
    pl_run_folder first;
    pl_policy_cases cases = {0};
    pl_policy_table table = {0};
    pl_signal_table signals = {0};
    pl_status status;
    if (arguments->n_words > 1 && !out)
        return pl_fail(PL_E_USAGE, "%zu runs together: name the folder that policies.csv is written to: --out FOLDER",
                       arguments->n_words);
    PL_TRY(pl_argument_share(arguments, PL_OPTION_MARGIN, &margin));
    if (out) PL_TRY(pl_folder_make(out));
    PL_GOTO(status, done, read_runs(&cases, &first, arguments));
    PL_GOTO(status, done, pl_policies_score(&table, &cases, margin));
    PL_GOTO(status, done, pl_signals_judge(&signals, &cases, margin));
    PL_GOTO(status, done, pl_report_policies_csv(out ? out : first.path, &cases, &table, &signals));
    if (pl_argument_flag(arguments, PL_OPTION_JSON)) {
        json_t *json;
        PL_GOTO(status, done, pl_report_policies_json(&json, &cases, &table, &signals));
        PL_GOTO(status, done, pl_print_json(json, true));
    } else {
        PL_GOTO(status, done, pl_report_policies_print(stdout, &cases, &table, &signals));
    }
    pl_print(stderr, "%s/policies.csv, policy_signals.csv, policy_cells.csv\n", out ? out : first.path);
done:
    pl_signal_table_free(&signals);
    pl_policy_table_free(&table);
    pl_policy_cases_free(&cases);
    return status;
}
