/* Paths as text in buffers of one size. */
#ifndef PLUMB_BASE_PATH_H
#define PLUMB_BASE_PATH_H

#include "base/status.h"

enum { PL_PATH_MAX = 4096 };

/* A printf-made path; PL_E_INPUT when longer than the buffer. */
pl_status pl_path(char out[PL_PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
/* PL_E_INPUT for a name that is not to become part of a path: 1 to 200 letters, digits and _ - . + = , @ only, no dot
 * first. `what` it is stands in the error. */
pl_status pl_path_check_name(const char *what, const char *name);
/* The path as one word of a shell, in quotes. */
pl_status pl_path_quote(char out[PL_PATH_MAX], const char *path);
/* The folder part of a path ("." when there is none). */
pl_status pl_path_folder(char out[PL_PATH_MAX], const char *path);
/* From the root and without links; where the system finds nothing the path as it is given. */
pl_status pl_path_real(char out[PL_PATH_MAX], const char *path);

#endif
