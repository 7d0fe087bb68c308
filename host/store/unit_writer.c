/* Writing a unit file (unit_file.h). The bytes depend on nothing but what is put and in which order: every object is
 * made without times, in the caller's order, and what is given as JSON goes in by sorted name.
 *
 * All bytes go through our own file driver (hdf5_disk.h), which keeps the first failure of the disk to itself until a
 * step has ended; each step asks for it, so that a full disk is named as such. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/temporary.h"
#include "store/hdf5_disk.h"
#include "store/hdf5_object.h"
#include "store/slab.h"

static const char hidden_states[] =
    "layer NN = hidden_states[NN] for NN < L; layer L is after the last block and before the final norm "
    "(not in hidden_states); final_norm = hidden_states[L]";

struct pl_unit_writer {
    char path[PL_PATH_MAX], part[PL_PATH_MAX];
    pl__disk disk;
    hid_t file, obsm, plumb, states_all; /* states_all: opened when first needed */
    size_t n_rows;                       /* of /obs; all that is aligned with it must have as many */
    bool has_rows, has_obs, settled, sealed;
    pl_unit_losses losses;
    pl_slab **slabs; /* reserved matrices */
    size_t n_slabs, slab_capacity;
};

/* The frame without columns that AnnData wants as /var: X is absent, so there are no variables. */
static pl_status put_var(pl_unit_writer *w)
{
    pl_frame *var;
    pl_column *index;
    PL_TRY(pl_frame_create(&var, 0));
    pl_status status = pl_frame_add(var, &index, "_index", PL_COLUMN_TEXT);
    if (status == PL_OK) status = pl__output_frame(w->file, "var", var, w->path);
    pl_frame_free(var);
    return status;
}

/* An empty group; kept open when `keep` is given. */
static pl_status put_group(pl_unit_writer *w, hid_t *keep, hid_t parent, const char *name)
{
    hid_t group;
    PL_TRY(pl__output_group(&group, parent, name, "dict", "0.1.0", w->path));
    if (keep)
        *keep = group;
    else
        H5Gclose(group);
    return PL_OK;
}

static pl_status put_skeleton(pl_unit_writer *w)
{
    const int64_t version = PL_UNIT_FORMAT_VERSION;
    hid_t uns;
    PL_TRY(pl__output_encoding(w->file, "anndata", "0.1.0", w->path));
    PL_TRY(put_group(w, NULL, w->file, "layers"));
    PL_TRY(put_group(w, &w->obsm, w->file, "obsm"));
    PL_TRY(put_group(w, NULL, w->file, "obsp"));
    PL_TRY(put_var(w));
    PL_TRY(put_group(w, NULL, w->file, "varm"));
    PL_TRY(put_group(w, NULL, w->file, "varp"));
    PL_TRY(put_group(w, &uns, w->file, "uns"));
    pl_status status = put_group(w, &w->plumb, uns, "plumb");
    H5Gclose(uns);
    PL_TRY(status);
    PL_TRY(pl__output_scalar(w->plumb, "format_version", H5T_STD_I64LE, &version, w->path));
    return pl__output_scalar_text(w->plumb, "hidden_states", hidden_states, w->path);
}

static pl_status create_file(pl_unit_writer *w)
{
    int fd;
    PL_TRY(pl_temporary_create(&fd, w->part, w->path));
    pl__disk_open(&w->disk, fd, w->part);
    hid_t access = H5I_INVALID_HID, creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(creation, false); /* of the root group */
    pl_status status = pl__disk_access(&access, &w->disk);
    if (status == PL_OK) {
        w->file = H5Fcreate(w->part, H5F_ACC_TRUNC, creation, access);
        if (w->file < 0) status = pl__hdf5_fail(PL_E_IO, w->part, "cannot create");
    }
    if (access >= 0) H5Pclose(access);
    H5Pclose(creation);
    return status;
}

/* What a step reports: a failed disk before whatever HDF5 made of it. */
static pl_status step(const pl_unit_writer *w, pl_status status)
{
    return w->disk.error ? pl__disk_check(&w->disk) : status;
}

pl_status pl_unit_create(pl_unit_writer **out, const char *path)
{
    *out = NULL;
    pl_unit_writer *w;
    PL_TRY(pl_new(&w, 1));
    w->disk.fd = -1;
    w->disk.driver = w->file = w->obsm = w->plumb = w->states_all = H5I_INVALID_HID;
    pl__hdf5_quiet(w->path);
    pl__hdf5_room(path);
    pl_status status;
    PL_GOTO(status, failed, pl_path(w->path, "%s", path));
    PL_GOTO(status, failed, create_file(w));
    PL_GOTO(status, failed, step(w, put_skeleton(w)));
    *out = w;
    return PL_OK;
failed:
    pl_unit_discard(w);
    return status;
}

/* Every put comes through here first. */
static pl_status begin(pl_unit_writer *w)
{
    pl__hdf5_quiet(w->path); /* the thread may be another one than that of the create */
    return step(w, PL_OK);
}

/* What is aligned with /obs has its number of rows. */
static pl_status begin_rows(pl_unit_writer *w, size_t n_rows, const char *what)
{
    PL_TRY(begin(w));
    if (w->has_rows && n_rows != w->n_rows)
        return pl_fail(PL_E_INTERNAL, "%s: %s has %zu rows, expected %zu as the rest", w->path, what, n_rows,
                       w->n_rows);
    w->has_rows = true;
    w->n_rows = n_rows;
    return PL_OK;
}

pl_status pl_unit_put_obs(pl_unit_writer *w, const pl_frame *obs)
{
    PL_TRY(begin_rows(w, obs->n_rows, "obs"));
    w->has_obs = true;
    return step(w, pl__output_frame(w->file, "obs", obs, w->path));
}

/* The first place in the order of the file. */
static void add_losses(pl_unit_writer *w, const char *name, const pl__losses *losses)
{
    if (losses->n_not_finite && !w->losses.n_not_finite)
        snprintf(w->losses.first, sizeof w->losses.first, "%.40s, row %zu", name, losses->first_row);
    w->losses.n_over += losses->n_over;
    w->losses.n_not_finite += losses->n_not_finite;
}

static pl_status put_matrix(pl_unit_writer *w, hid_t parent, const char *name, const float *values, size_t rows,
                            size_t width, pl_dtype storage, const uint8_t *absent)
{
    pl__losses losses = {0};
    pl_status status = pl__output_matrix(&losses, parent, name, values, rows, width, storage, absent, w->path);
    add_losses(w, name, &losses);
    return step(w, status);
}

pl_status pl_unit_put_states(pl_unit_writer *w, const char *name, const float *values, size_t rows, size_t width,
                             pl_dtype storage, const uint8_t *absent)
{
    PL_TRY(begin_rows(w, rows, name));
    return put_matrix(w, w->obsm, name, values, rows, width, storage, absent);
}

/* A 1-D array. */
static pl_status put_list(pl_unit_writer *w, hid_t group, const char *name, hid_t type, const void *data, size_t n)
{
    return pl__output_array(NULL, group, name, type, &n, 1, data, w->path);
}

static pl_status put_loglik(pl_unit_writer *w, hid_t group, const pl_loglik *l)
{
    PL_TRY(put_list(w, group, "choice_indptr", H5T_STD_U64LE, l->choice_indptr, l->n_rows + 1));
    PL_TRY(put_list(w, group, "token_indptr", H5T_STD_U64LE, l->token_indptr, l->n_choices + 1));
    PL_TRY(put_list(w, group, "token_ids", H5T_STD_I32LE, l->token_ids, l->n_tokens));
    PL_TRY(put_list(w, group, "values", H5T_IEEE_F32LE, l->values, l->n_tokens));
    PL_TRY(put_list(w, group, "greedy", H5T_STD_U8LE, l->greedy, l->n_tokens));
    PL_TRY(put_list(w, group, "choice_bytes", H5T_STD_U32LE, l->choice_bytes, l->n_choices));
    PL_TRY(put_list(w, group, "choice_characters", H5T_STD_U32LE, l->choice_characters, l->n_choices));
    return put_list(w, group, "score", H5T_IEEE_F64LE, l->score, l->n_choices);
}

pl_status pl_unit_put_loglik(pl_unit_writer *w, const pl_loglik *loglik)
{
    PL_TRY(begin_rows(w, loglik->n_rows, "loglik"));
    hid_t group;
    PL_TRY(put_group(w, &group, w->plumb, "loglik"));
    pl_status status = put_loglik(w, group, loglik);
    H5Gclose(group);
    return step(w, status);
}

static pl_status put_labels(pl_unit_writer *w, hid_t group, const pl_labels *l)
{
    PL_TRY(pl__output_texts(group, "text", l->text, l->n, w->path));
    PL_TRY(put_list(w, group, "indptr", H5T_STD_U64LE, l->indptr, l->n + 1));
    PL_TRY(put_list(w, group, "ids", H5T_STD_I32LE, l->ids, (size_t)l->indptr[l->n]));
    return put_matrix(w, group, "unembedding", l->unembedding, l->n, l->width, PL_F32, NULL);
}

pl_status pl_unit_put_labels(pl_unit_writer *w, const pl_labels *labels)
{
    PL_TRY(begin(w));
    hid_t group;
    PL_TRY(put_group(w, &group, w->plumb, "labels"));
    pl_status status = put_labels(w, group, labels);
    H5Gclose(group);
    return step(w, status);
}

static pl_status put_content_free(pl_unit_writer *w, hid_t group, const pl_content_free *c)
{
    const size_t dims[2] = {c->n, c->n_labels};
    PL_TRY(pl__output_texts(group, "prompt", c->prompt, c->n, w->path));
    return pl__output_array(NULL, group, "score", H5T_IEEE_F64LE, dims, 2, c->score, w->path);
}

pl_status pl_unit_put_content_free(pl_unit_writer *w, const pl_content_free *content_free)
{
    PL_TRY(begin(w));
    hid_t group;
    PL_TRY(put_group(w, &group, w->plumb, "content_free"));
    pl_status status = put_content_free(w, group, content_free);
    H5Gclose(group);
    return step(w, status);
}

static pl_status begin_states_all(pl_unit_writer *w)
{
    PL_TRY(begin(w));
    return w->states_all >= 0 ? PL_OK : put_group(w, &w->states_all, w->plumb, "states_all");
}

static pl_status reserve(pl_unit_writer *w, hid_t parent, const char *name, size_t rows, size_t width, pl_dtype storage,
                         pl_slab **out)
{
    PL_TRY(pl_grow(&w->slabs, &w->slab_capacity, w->n_slabs + 1));
    PL_TRY(step(w, pl__slab_create(out, parent, name, rows, width, storage, &w->disk, w->path)));
    w->slabs[w->n_slabs++] = *out;
    return PL_OK;
}

pl_status pl_unit_reserve_states_all(pl_unit_writer *w, const char *layer, size_t tokens, size_t width,
                                     pl_dtype storage, pl_slab **out)
{
    PL_TRY(begin_states_all(w));
    return reserve(w, w->states_all, layer, tokens, width, storage, out);
}

pl_status pl_unit_reserve_logits(pl_unit_writer *w, size_t rows, size_t width, pl_slab **out)
{
    PL_TRY(begin(w));
    return reserve(w, w->plumb, "logits", rows, width, PL_F32, out);
}

pl_status pl_unit_put_ranges(pl_unit_writer *w, const uint64_t *indptr, size_t n_rows, const uint64_t *ranges,
                             size_t n_ranges)
{
    PL_TRY(begin_rows(w, n_rows, "states_all"));
    PL_TRY(begin_states_all(w));
    const size_t dims[2] = {n_ranges, 2};
    pl_status status = put_list(w, w->states_all, "indptr", H5T_STD_U64LE, indptr, n_rows + 1);
    if (status == PL_OK)
        status = pl__output_array(NULL, w->states_all, "ranges", H5T_STD_U64LE, dims, 2, ranges, w->path);
    return step(w, status);
}

pl_status pl_unit_put_tokens(pl_unit_writer *w, const uint64_t *indptr, size_t n_rows, const int32_t *ids)
{
    PL_TRY(begin_rows(w, n_rows, "tokens"));
    hid_t group;
    PL_TRY(put_group(w, &group, w->plumb, "tokens"));
    pl_status status = put_list(w, group, "indptr", H5T_STD_U64LE, indptr, n_rows + 1);
    if (status == PL_OK) status = put_list(w, group, "ids", H5T_STD_I32LE, ids, (size_t)indptr[n_rows]);
    H5Gclose(group);
    return step(w, status);
}

pl_status pl_unit_put_samples(pl_unit_writer *w, const char *const *json, size_t n_rows)
{
    PL_TRY(begin_rows(w, n_rows, "samples"));
    return step(w, pl__output_texts(w->plumb, "samples", json, n_rows, w->path));
}

static pl_status put_numbers(pl_unit_writer *w, hid_t group, const pl_numbers *a)
{
    const size_t dims[2] = {a->width ? a->n / a->width : a->n, a->width};
    PL_TRY(pl__output_name(w->path, a->name));
    return pl__output_array(NULL, group, a->name, H5T_IEEE_F64LE, dims, a->width ? 2 : 1, a->values, w->path);
}

pl_status pl_unit_put_numbers(pl_unit_writer *w, const char *group, const pl_numbers *arrays, size_t n_arrays)
{
    hid_t handle;
    PL_TRY(begin(w));
    PL_TRY(pl__output_name(w->path, group));
    PL_TRY(put_group(w, &handle, w->plumb, group));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n_arrays && status == PL_OK; i++) status = put_numbers(w, handle, &arrays[i]);
    H5Gclose(handle);
    return step(w, status);
}

pl_status pl_unit_put_config(pl_unit_writer *w, const char *config_json, const json_t *entries)
{
    PL_TRY(begin(w));
    pl_status status = pl__output_scalar_text(w->plumb, "config_json", config_json, w->path);
    if (status == PL_OK && entries) status = pl__output_entries(w->plumb, entries, w->path);
    return step(w, status);
}

/* Closes the HDF5 side; the driver's file stays open so that it can be synced after HDF5's last write. */
static pl_status close_file(pl_unit_writer *w)
{
    bool ok = true;
    for (size_t i = 0; i < w->n_slabs; i++) pl__slab_close(w->slabs[i]);
    w->n_slabs = 0;
    hid_t *const groups[] = {&w->states_all, &w->obsm, &w->plumb};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (*groups[i] >= 0) ok = H5Gclose(*groups[i]) >= 0 && ok;
        *groups[i] = H5I_INVALID_HID;
    }
    if (w->file >= 0) ok = H5Fclose(w->file) >= 0 && ok;
    w->file = H5I_INVALID_HID;
    return ok ? PL_OK : pl__hdf5_fail(PL_E_IO, w->part, "cannot close");
}

/* What was written meanwhile: all rows are there, and their losses are known. Once. */
static pl_status settle(pl_unit_writer *w)
{
    for (size_t i = 0; i < w->n_slabs && !w->settled; i++) {
        pl__losses losses;
        PL_TRY(pl__slab_settle(w->slabs[i], &losses));
        add_losses(w, w->slabs[i]->name, &losses);
    }
    w->settled = true;
    return PL_OK;
}

pl_status pl_unit_count_losses(pl_unit_writer *w, pl_unit_losses *out)
{
    PL_TRY(begin(w));
    PL_TRY(settle(w));
    *out = w->losses;
    return PL_OK;
}

static pl_status seal(pl_unit_writer *w)
{
    PL_TRY(begin(w));
    if (!w->has_obs) return pl_fail(PL_E_INTERNAL, "%s: finished without /obs", w->path);
    PL_TRY(settle(w));
    const int64_t n_over = (int64_t)w->losses.n_over, n_not_finite = (int64_t)w->losses.n_not_finite, complete = 1;
    PL_TRY(pl__output_scalar(w->plumb, "out_of_range", H5T_STD_I64LE, &n_over, w->path));
    PL_TRY(pl__output_scalar(w->plumb, "not_finite", H5T_STD_I64LE, &n_not_finite, w->path));
    if (n_not_finite) PL_TRY(pl__output_scalar_text(w->plumb, "not_finite_first", w->losses.first, w->path));
    PL_TRY(pl__output_scalar(w->plumb, "complete", H5T_STD_I64LE, &complete, w->path));
    PL_TRY(step(w, close_file(w)));
    return pl__disk_sync(&w->disk);
}

pl_status pl_unit_seal(pl_unit_writer *w)
{
    if (w->sealed) return PL_OK;
    PL_TRY(step(w, seal(w)));
    w->sealed = true;
    return PL_OK;
}

const char *pl_unit_temporary(const pl_unit_writer *w)
{
    return w->part;
}

pl_status pl_unit_finish(pl_unit_writer *w)
{
    pl_status status = pl_unit_seal(w);
    if (status == PL_OK) status = pl_file_rename(w->part, w->path);
    pl_unit_discard(w); /* after the rename there is no temporary file left to remove */
    return status;
}

void pl_unit_discard(pl_unit_writer *w)
{
    if (!w) return;
    pl__hdf5_quiet(w->path);
    if (w->file >= 0) {
        /* Nothing more needs to reach the disk: the driver drops what HDF5 flushes from here on. */
        if (!w->disk.error) w->disk.error = ECANCELED;
        close_file(w);
    }
    /* Only what this writer created is removed. */
    if (w->disk.fd >= 0) unlink(w->part);
    pl__disk_close(&w->disk);
    free(w->slabs);
    free(w);
}
