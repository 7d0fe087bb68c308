/* What a unit file is made of: groups, arrays, text arrays and attributes, each with the marks AnnData asks for.
 *
 * Output: `where` is the path named in errors. Arrays are contiguous, allocated at once, without fill values, filters
 * or times, and the type in the file is the type in memory, so HDF5 hands the caller's bytes to the disk as they are.
 * Input: a file is hostile: every size is checked against the file before memory is taken. HDF5 itself guards its
 * metadata with checksums but not its text heap, which is why texts are read by us (text_heap.h); attributes that hold
 * texts are written for others and never read. */
#ifndef PLUMB_STORE_HDF5_OBJECT_H
#define PLUMB_STORE_HDF5_OBJECT_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "store/text_heap.h"
#include "store/unit_file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "unit files hold the machine's own little-endian numbers");

/* HDF5 prints its errors unless told not to, thread by thread: called wherever the outside enters this folder, with the
 * path of the file, which must live until the file is closed. From here on a call of HDF5 that fails for lack of memory
 * ends the process (pl_out_of_memory): HDF5 answers "is not there" and "not a type" to later questions then, and nobody
 * could tell that from a damaged file. */
void pl__hdf5_quiet(const char *where);
/* Before a file is opened: HDF5 crashes where there is no room for its tables; this ends with "out of memory" then. */
void pl__hdf5_room(const char *where);
/* Fails with "where: what: <HDF5's innermost message>". */
pl_status pl__hdf5_fail(pl_status code, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* New types; close with H5Tclose. The text type is UTF-8 of variable length; bool is h5py's enum of FALSE and TRUE. */
hid_t pl__hdf5_text_type(void);
hid_t pl__hdf5_bool_type(void);
hid_t pl__hdf5_storage_type(pl_dtype storage);

/* For qsort and bsearch over arrays of texts: by bytes. */
int pl__by_text(const void *a, const void *b);

/* A name of one link: not empty, no '/', not "." or "..". */
pl_status pl__output_name(const char *where, const char *name);
/* A group with encoding-type and encoding-version; close it with H5Gclose. */
pl_status pl__output_group(hid_t *group, hid_t parent, const char *name, const char *encoding, const char *version,
                           const char *where);
/* The two encoding attributes. */
pl_status pl__output_encoding(hid_t object, const char *encoding, const char *version, const char *where);
pl_status pl__output_text(hid_t object, const char *name, const char *text, const char *where);
pl_status pl__output_text_list(hid_t object, const char *name, const char *const *texts, size_t n, const char *where);
/* A scalar attribute of a native type. */
pl_status pl__output_number(hid_t object, const char *name, hid_t type, const void *value, const char *where);
/* An array as AnnData knows it, filled from data; dims[rank], rank 0 to 2. *dataset may be NULL; else close it. */
pl_status pl__output_array(hid_t *dataset, hid_t parent, const char *name, hid_t type, const size_t *dims, int rank,
                           const void *data, const char *where);
/* A data set of one value: what AnnData's readers keep, where attributes are lost. */
pl_status pl__output_scalar(hid_t parent, const char *name, hid_t type, const void *value, const char *where);
pl_status pl__output_scalar_text(hid_t parent, const char *name, const char *text, const char *where);
/* A string-array; NULL texts are written as "". Not UTF-8 is PL_E_INPUT. */
pl_status pl__output_texts(hid_t parent, const char *name, const char *const *texts, size_t n, const char *where);
/* What a matrix lost on its way: values beyond the storage type, and values that are no numbers, with the first row
 * that has one (SIZE_MAX: none). They are attributes of the data set: out_of_range (of halves) and not_finite. */
typedef struct pl__losses {
    size_t n_over, n_not_finite, first_row;
} pl__losses;

/* float32 values [rows, width] in their storage type. A row with absent[row] set has no value, its NaN are not counted;
 * absent: [rows] or NULL. */
pl_status pl__output_matrix(pl__losses *losses, hid_t parent, const char *name, const float *values, size_t rows,
                            size_t width, pl_dtype storage, const uint8_t *absent, const char *where);
/* The same matrix without values, to be filled by others: its losses are 0 for now. Close *dataset. */
pl_status pl__output_empty_matrix(hid_t *dataset, hid_t parent, const char *name, size_t rows, size_t width,
                                  pl_dtype storage, const char *where);
/* Other losses for a matrix that is there. */
pl_status pl__output_set_losses(hid_t dataset, pl_dtype storage, const pl__losses *losses, const char *where);
/* A flat JSON object as data sets of one value each: texts, integers, reals, by sorted name. */
pl_status pl__output_entries(hid_t parent, const json_t *entries, const char *where);
/* /obs, or any data frame, as a group. */
pl_status pl__output_frame(hid_t parent, const char *name, const pl_frame *frame, const char *where);

/* A file that is read. Names are paths inside it ("/uns/plumb/loglik/values"). */
typedef struct pl__input {
    hid_t file;
    const char *where; /* path of the file */
    uint64_t file_bytes;
    pl__text_heap *texts;
} pl__input;

/* Opens a file to be read; `where` must live until it is closed. On failure too it may be closed, or need not. */
pl_status pl__input_open_file(pl__input *in, const char *where);
void pl__input_close_file(pl__input *in);

pl_status pl__input_find(bool *has, const pl__input *in, const char *name);
/* A data set of `rank` dims whose class is `type_class`, its size checked against the file; close with H5Dclose. */
pl_status pl__input_open(hid_t *dataset, size_t dims[2], const pl__input *in, const char *name, int rank,
                         H5T_class_t type_class);
/* A whole 1-D array of integers, or of reals, converted to `type`. The arena owns it. */
pl_status pl__input_array(void **out, size_t *n, const pl__input *in, const char *name, H5T_class_t type_class,
                          hid_t type, pl_arena *arena);
pl_status pl__input_texts(const char ***out, size_t *n, const pl__input *in, const char *name, pl_arena *arena);
/* The same of a data set that is open. */
pl_status pl__input_array_of(void **out, size_t *n, hid_t dataset, const pl__input *in, const char *name,
                             H5T_class_t type_class, hid_t type, pl_arena *arena);
pl_status pl__input_texts_of(const char ***out, size_t *n, hid_t dataset, const pl__input *in, const char *name,
                             pl_arena *arena);
/* A 2-D array of reals as float32; the caller frees *values. */
pl_status pl__input_matrix(float **values, size_t *rows, size_t *width, const pl__input *in, const char *name);
/* A data set of one text, integer or real, as JSON (a new reference). */
pl_status pl__input_scalar(json_t **out, const pl__input *in, const char *name);
/* What stands at a path, and its address, by which what has two names is known: a group, an array, or neither, as where
 * a link leads elsewhere. */
typedef enum pl__member { PL__MEMBER_NONE, PL__MEMBER_GROUP, PL__MEMBER_ARRAY } pl__member;
pl__member pl__input_member(uint64_t *address, const pl__input *in, const char *name);
/* The members of a group, sorted by name; arena-owned. */
pl_status pl__input_members(const char ***out, size_t *n, const pl__input *in, const char *group, pl_arena *arena);
/* Those columns of a data frame of n_rows rows that are there, in the order of `names`. */
pl_status pl__input_frame(pl_frame **out, const pl__input *in, const char *name, size_t n_rows,
                          const char *const *names, size_t n_names);

#endif
