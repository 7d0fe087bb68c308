/* The files of a run folder that carry a name of the user's: results.json (results_<model>.json where the plan has
 * several models) and samples_<task>.jsonl (then samples_<model>_<task>.jsonl).
 *
 * What is not a letter, a digit, '-' or '.' becomes '_', as in lm-evaluation-harness. Two names may then mean one file:
 * that is refused before anything is computed. */
#ifndef PLUMB_STORE_RESULT_FILES_H
#define PLUMB_STORE_RESULT_FILES_H

#include <stddef.h>

#include "base/status.h"

enum { PL_RESULT_FILE = 151 }; /* bytes of a name with its NUL: with what a temporary name adds, it fits 255 */

/* A name as part of a file's, cut at the buffer. */
void pl_result_part(char out[PL_RESULT_FILE], const char *name);

/* model is NULL where the plan has one. PL_E_INPUT: longer than a file's name may be. */
pl_status pl_results_file(char out[PL_RESULT_FILE], const char *model);
pl_status pl_samples_file(char out[PL_RESULT_FILE], const char *model, const char *task);

/* PL_E_INPUT when two of the files would be one, or a name is too long; `where` is the file that has the names. */
pl_status pl_result_files_check(const char *const *models, size_t n_models, const char *const *tasks, size_t n_tasks,
                                const char *where);

#endif
