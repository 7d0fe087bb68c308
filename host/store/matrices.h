/* Any HDF5 file, of plumb or not: the matrices of reals in it, and what is added to it.
 *
 * A file is hostile input: sizes are held against the file before memory is taken, links that lead elsewhere are not
 * followed when matrices are looked for. What is added goes into a copy, which takes the file's place when it is whole:
 * a file is never half written, and what stands in it is never changed but for parts of the same name. */
#ifndef PLUMB_STORE_MATRICES_H
#define PLUMB_STORE_MATRICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/memory.h"

/* Paths in the file ("/obsm/last.05") of its data sets of two dims that hold reals, by group and name; arena-owned.
 * Groups are looked into to a depth of 8, and 10,000 objects at most. PL_E_INPUT: no whole HDF5 file. */
pl_status pl_matrices_list(pl_arena *arena, const char *path, const char ***names, size_t *n);

/* A whole matrix as float32, whatever reals it holds; the caller frees *values. PL_E_INPUT in one line: not there, not
 * of two dims, no reals, no rows or columns, its values elsewhere. */
pl_status pl_matrix_read(float **values, size_t *rows, size_t *width, const char *path, const char *name);

/* Whether there is anything of that name. */
pl_status pl_matrices_have(bool *has, const char *path, const char *name);

/* What stands in a group, as a JSON object (a new reference): one text, integer or real under its name; with `arrays`,
 * lists of them too, of a matrix the rows one behind the other, null for what is not finite. What is none of these is
 * left out. PL_E_INPUT: no such group, or what it holds cannot be read. */
pl_status pl_matrices_group(json_t **out, const char *path, const char *group, bool arrays);

/* An array to add to a group that is there or is made ("/obsm"): float32 [rows, width] or, with width 0, [rows]; or
 * one of int64 or of texts, [rows]. */
typedef struct pl_addition {
    const char *group, *name;
    const float *values; /* or: */
    const int64_t *integers;
    const char *const *texts;
    size_t rows, width;
} pl_addition;

/* Values to add to a group: a flat JSON object of texts, integers and reals. */
typedef struct pl_entries {
    const char *group;
    const json_t *values;
} pl_entries;

/* Adds arrays and values to what is in `from` (NULL: nothing), and puts the result at `to`, which may be the same.
 * Groups and arrays are marked as AnnData wants them. The bytes depend on what is put alone. */
pl_status pl_matrices_add(const char *to, const char *from, const pl_addition *additions, size_t n,
                          const pl_entries *entries, size_t n_entries);

#endif
