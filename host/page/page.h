/* report.html and figures/: what runs came to, drawn from their tables.
 *
 * Every number stands in stability.csv, arms.csv, verdict.csv, contrasts.csv, analysis.h5 or a unit's file of a run:
 * nothing is computed here but shares of a bar. The page is one file that needs no network and no server; each of its
 * figures is, byte for byte, a file figures/<name>.svg, with figures/<name>.csv beside it; maps have these files too,
 * but the page draws them from data. Equal tables give equal bytes. Without its script it says the same, but for the
 * drawing of maps. Texts of models, tasks and templates are anybody's: they are escaped, and the page's own
 * policy lets nothing run but its own scripts, known by their digests. */
#ifndef PLUMB_PAGE_PAGE_H
#define PLUMB_PAGE_PAGE_H

#include <stddef.h>

#include "store/run_folder.h"

enum { PL_PAGE_BYTES = 3000000 }; /* what report_max is where nobody says it */

/* Into the folder, which is made where it is missing: report.html last, as a whole. Prompts and answers of cells stand
 * in it up to report_max bytes of the whole page; what is left out is said there. PL_E_INPUT: a run without
 * stability.csv; a folder with figures/ that no report of ours stands beside. */
pl_status pl_page_write(const char *folder, const pl_run_folder *runs, size_t n, size_t report_max);

#endif
