/* A unit's result file: one AnnData-shaped HDF5 file (formats.md, "HDF5"). Byte-identical for equal content: no
 * timestamps, no host names, contiguous data sets in a fixed order.
 *
 * One part is put at a time, always in the same order: the order is part of the bytes. Texts must be UTF-8. Different
 * files may be written and read by different threads where HDF5 is built thread-safe (Debian's is).
 *
 * Writing: create (a temporary file beside the target, of this process alone) -> put each part once -> seal (complete =
 * 1, flush, fdatasync, close) -> finish (rename, fsync of the folder). A file that has its final name is whole. */
#ifndef PLUMB_STORE_UNIT_FILE_H
#define PLUMB_STORE_UNIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/json.h"
#include "store/frame.h"

enum { PL_UNIT_FORMAT_VERSION = 2 };

/* States are stored as PL_F32, PL_F16 or PL_BF16. The half types count the values that do not fit, infinities included:
 * they are stored as the largest finite value (+-65504 in float16) and the count is the attribute `out_of_range` of the
 * data set and, summed, of the file; never a silent infinity. */

typedef struct pl_unit_writer pl_unit_writer;

/* `path` is the final path. */
pl_status pl_unit_create(pl_unit_writer **out, const char *path);
/* /obs; a text column named "_index" is the index. A missing text becomes "", a missing category code -1. */
pl_status pl_unit_put_obs(pl_unit_writer *w, const pl_frame *obs);
/* /obsm/<name> [rows, width] float32 values, stored as `storage`. name: "last.05", "mean.final_norm". Values that are
 * NaN (or, in float32, infinite) are counted: attribute `not_finite` of the data set and, summed, of the file; not in a
 * row with absent[row] set, which has no state (NULL: every row has one). */
pl_status pl_unit_put_states(pl_unit_writer *w, const char *name, const float *values, size_t rows, size_t width,
                             pl_dtype storage, const uint8_t *absent);
/* /uns/plumb/loglik: natural-log probabilities of continuation tokens. Row r's choices are
 * choice_indptr[r]..choice_indptr[r+1], choice c's tokens are token_indptr[c]..token_indptr[c+1]. */
typedef struct pl_loglik {
    size_t n_rows, n_choices, n_tokens;
    uint64_t *choice_indptr; /* [n_rows + 1] */
    uint64_t *token_indptr;  /* [n_choices + 1] */
    int32_t *token_ids;      /* [n_tokens] */
    float *values;           /* [n_tokens] */
    uint8_t *greedy;         /* [n_tokens]: the token was the arg max */
    uint32_t *choice_bytes,
        *choice_characters; /* [n_choices]: lengths of the choice's text, for acc_bytes and acc_norm */
    double *score;          /* [n_choices]: the sum of the choice's tokens' values */
} pl_loglik;
pl_status pl_unit_put_loglik(pl_unit_writer *w, const pl_loglik *loglik);
/* /uns/plumb/labels: per label its text, its token ids (CSR) and the unembedding row of its first token [n, C]. */
typedef struct pl_labels {
    size_t n, width;
    const char **text;
    uint64_t *indptr; /* [n + 1] */
    int32_t *ids;
    float *unembedding; /* [n, C]: the row of the vocabulary head for the label's first token */
} pl_labels;
pl_status pl_unit_put_labels(pl_unit_writer *w, const pl_labels *labels);
/* /uns/plumb/content_free: prompts with a content-free item and the labels' scores [n, n_labels] after each, in the
 * order of `labels`; where items have choices of their own, those of all rows' choices, in the order of loglik. */
typedef struct pl_content_free {
    size_t n, n_labels;
    const char **prompt;
    double *score;
} pl_content_free;
pl_status pl_unit_put_content_free(pl_unit_writer *w, const pl_content_free *content_free);
/* Matrices whose values come later and from several threads. /uns/plumb/states_all/<layer> [tokens, C]: each distinct
 * token once; row r of /obs reads the token ranges ranges[indptr[r]..indptr[r+1]] (pairs first, count), in order. The
 * ranges are put once. /uns/plumb/logits [rows, V]: what `extract` adds. */
typedef struct pl_slab pl_slab; /* the writer owns it, until it finishes or is discarded */
pl_status pl_unit_reserve_states_all(pl_unit_writer *w, const char *layer, size_t tokens, size_t width,
                                     pl_dtype storage, pl_slab **out);
pl_status pl_unit_reserve_logits(pl_unit_writer *w, size_t rows, size_t width, pl_slab **out);
/* Rows first_row..first_row + n - 1, in the storage type; infinite halves are what did not fit and are changed in
 * `data`. Every row is written once before the writer finishes; different rows by any threads at once. */
pl_status pl_slab_write(pl_slab *slab, size_t first_row, size_t n, void *data);
pl_status pl_unit_put_ranges(pl_unit_writer *w, const uint64_t *indptr, size_t n_rows, const uint64_t *ranges,
                             size_t n_ranges);
/* /uns/plumb/tokens (CSR ids over rows): of `extract` each text's, of a unit with states each prompt's behind
 * description and shots. */
pl_status pl_unit_put_tokens(pl_unit_writer *w, const uint64_t *indptr, size_t n_rows, const int32_t *ids);
/* /uns/plumb/samples: one JSON text a row of /obs (doc, target, arguments, resps): lm-eval's samples without a model.
 */
pl_status pl_unit_put_samples(pl_unit_writer *w, const char *const *json, size_t n_rows);
/* Data sets of one value in /uns/plumb (not attributes: AnnData's readers drop those): config_json is canonical JSON of
 * what decides the unit's numbers; `entries` is a flat JSON object of texts, integers and reals (digests, compute_type,
 * storage_type, numerics_key, ...). */
pl_status pl_unit_put_config(pl_unit_writer *w, const char *config_json, const json_t *entries);
/* /uns/plumb/<group>/<name>: what a unit learned, or how. */
typedef struct pl_numbers {
    const char *name;
    const double *values; /* [n], or [n / width, width] */
    size_t n, width;      /* width 0: a list */
} pl_numbers;
pl_status pl_unit_put_numbers(pl_unit_writer *w, const char *group, const pl_numbers *arrays, size_t n_arrays);
/* What the matrices of the file lost, once all of them are put. */
typedef struct pl_unit_losses {
    size_t n_over;       /* values beyond their storage type (out_of_range) */
    size_t n_not_finite; /* values that are NaN, in float32 also infinite */
    char first[80];      /* the first of these: "last.05, row 12"; "" */
} pl_unit_losses;
pl_status pl_unit_count_losses(pl_unit_writer *w, pl_unit_losses *out);
/* The temporary file is whole and on the disk; nothing more is put. Again: nothing to do. */
pl_status pl_unit_seal(pl_unit_writer *w);
const char *pl_unit_temporary(const pl_unit_writer *w); /* its path; borrowed */
/* Seals what is not sealed, and gives the file its name. Frees w, also on failure (the temporary file is removed). */
pl_status pl_unit_finish(pl_unit_writer *w);
void pl_unit_discard(pl_unit_writer *w); /* removes the temporary file; takes NULL */

typedef struct pl_unit_reader pl_unit_reader;

/* PL_E_INPUT when the file is not a complete plumb file of a known format version. */
pl_status pl_unit_open(pl_unit_reader **out, const char *path);
void pl_unit_close(pl_unit_reader *r); /* takes NULL */
/* Those of the named columns of /obs that are there, in this order. */
pl_status pl_unit_get_obs(const pl_unit_reader *r, const char *const *names, size_t n, pl_frame **out);
/* Names under /obs and under /obsm, sorted; arena-owned. */
pl_status pl_unit_list_obs(const pl_unit_reader *r, pl_arena *arena, const char ***names, size_t *n);
pl_status pl_unit_list_states(const pl_unit_reader *r, pl_arena *arena, const char ***names, size_t *n);
/* A whole /obsm matrix [rows, width] as float32, whatever its stored type; the caller frees *values. */
pl_status pl_unit_get_states(const pl_unit_reader *r, const char *name, float **values, size_t *rows, size_t *width);
/* Opens every matrix of /obsm and looks at its shape; the values are read only where they are not in one piece. */
pl_status pl_unit_check_states(const pl_unit_reader *r, pl_arena *arena);
pl_status pl_unit_get_loglik(const pl_unit_reader *r, pl_arena *arena, pl_loglik *out);
/* choice_indptr and score alone. */
pl_status pl_unit_get_scores(const pl_unit_reader *r, pl_arena *arena, pl_loglik *out);
pl_status pl_unit_get_labels(const pl_unit_reader *r, pl_arena *arena, pl_labels *out);
pl_status pl_unit_get_content_free(const pl_unit_reader *r, pl_arena *arena, pl_content_free *out); /* n 0: none */
/* What stands in states_all, tokens and logits; the caller frees *values. */
pl_status pl_unit_get_states_all(const pl_unit_reader *r, const char *layer, float **values, size_t *tokens,
                                 size_t *width);
pl_status pl_unit_get_ranges(const pl_unit_reader *r, pl_arena *arena, uint64_t **indptr, uint64_t **ranges,
                             size_t *n_ranges);
pl_status pl_unit_get_tokens(const pl_unit_reader *r, pl_arena *arena, uint64_t **indptr,
                             int32_t **ids); /* NULL: the file has none */
pl_status pl_unit_get_logits(const pl_unit_reader *r, float **values, size_t *rows, size_t *width);
/* An array of put_numbers by its name, a matrix where its width is not 0; values, length and width are filled in. */
pl_status pl_unit_get_numbers(const pl_unit_reader *r, pl_arena *arena, const char *group, pl_numbers *array);
pl_status pl_unit_get_samples(const pl_unit_reader *r, pl_arena *arena, const char ***json, size_t *n);
pl_status pl_unit_get_config(const pl_unit_reader *r, json_t **config); /* a new reference */
/* One value of /uns/plumb: what put_config put, or format_version, hidden_states, out_of_range, ... */
pl_status pl_unit_get_attribute(const pl_unit_reader *r, const char *name, json_t **value); /* a new reference */

#endif
