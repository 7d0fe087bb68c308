/* plumb report: report.html and figures/ again from the tables of runs; no unit is analysed, no model loaded. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "page/latex.h"
#include "page/page.h"

pl_status pl_verb_report(const pl_arguments *arguments)
{
    const char *out = arguments->values[PL_OPTION_OUT], *latex = arguments->values[PL_OPTION_LATEX];
    size_t n = arguments->n_words, report_max = PL_PAGE_BYTES;
    pl_run_folder *runs = NULL;
    pl_status status;
    if (n > 1 && !out)
        return pl_fail(PL_E_USAGE, "%zu runs in one page: name the folder that it is written to: --out FOLDER", n);
    PL_TRY(pl_argument_size(arguments, PL_OPTION_REPORT_MAX, &report_max));
    PL_TRY(pl_new(&runs, n));
    for (size_t r = 0; r < n; r++) PL_GOTO(status, done, pl_run_folder_open(&runs[r], arguments->words[r]));
    if (!out) out = runs[0].path;
    PL_GOTO(status, done, pl_page_write(out, runs, n, report_max));
    if (latex) PL_GOTO(status, done, pl_page_latex(latex, runs, n));
    pl_print(stderr, "%s/report.html\n", out);
    if (latex) pl_print(stderr, "%s/table.tex, methods.tex\n", latex);
done:
    free(runs);
    return status;
}
