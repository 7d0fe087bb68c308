/* For a paper: the table of arms and a paragraph of methods, as LaTeX.
 *
 * table.tex: a `tabular` (package booktabs) of every subject's arms. methods.tex: a paragraph with versions, digests,
 * seeds, numbers of items, templates and draws, what the table's columns are, and how intervals were made. All of it
 * stands in the runs' plans and tables; equal runs give equal bytes. Texts of others are escaped (tex.h). */
#ifndef PLUMB_PAGE_LATEX_H
#define PLUMB_PAGE_LATEX_H

#include <stddef.h>

#include "store/run_folder.h"

/* Into the folder, which is made where it is missing. PL_E_INPUT: a run without stability.csv. */
pl_status pl_page_latex(const char *folder, const pl_run_folder *runs, size_t n);

#endif
