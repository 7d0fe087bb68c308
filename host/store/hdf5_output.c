/* Groups, arrays, texts and attributes on their way into a file (hdf5_object.h). */
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/utf8.h"
#include "store/hdf5_object.h"

enum { BLOCK_ELEMENTS = 1 << 20 }; /* of a half matrix, converted and written at a time: 2 MiB */

pl_status pl__output_name(const char *where, const char *name)
{
    if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ||
        name[pl_utf8_check(name, strlen(name))])
        return pl_fail(PL_E_INPUT, "%s: '%s' is no name for a part of the file: expected UTF-8 without '/'", where,
                       name);
    return PL_OK;
}

/* An attribute of any type and shape. */
static pl_status put_attribute(hid_t object, const char *name, hid_t type, hid_t space, const void *data,
                               const char *where)
{
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, type, data) >= 0;
    if (attribute >= 0) ok = H5Aclose(attribute) >= 0 && ok;
    return ok ? PL_OK : pl__hdf5_fail(PL_E_INTERNAL, where, "cannot write attribute '%s'", name);
}

pl_status pl__output_number(hid_t object, const char *name, hid_t type, const void *value, const char *where)
{
    hid_t space = H5Screate(H5S_SCALAR);
    pl_status status = put_attribute(object, name, type, space, value, where);
    H5Sclose(space);
    return status;
}

static pl_status check_utf8(const char *text, const char *name, size_t row, const char *where)
{
    size_t span = pl_utf8_check(text, strlen(text));
    if (!text[span]) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: '%s', text %zu: not UTF-8 at byte %zu", where, name, row, span);
}

pl_status pl__output_text(hid_t object, const char *name, const char *text, const char *where)
{
    PL_TRY(check_utf8(text, name, 0, where));
    hid_t type = pl__hdf5_text_type();
    pl_status status = pl__output_number(object, name, type, &text, where);
    H5Tclose(type);
    return status;
}

pl_status pl__output_text_list(hid_t object, const char *name, const char *const *texts, size_t n, const char *where)
{
    for (size_t i = 0; i < n; i++) PL_TRY(check_utf8(texts[i], name, i, where));
    const hsize_t size = n;
    hid_t type = pl__hdf5_text_type(), space = H5Screate_simple(1, &size, NULL);
    const char *none = "";
    pl_status status = put_attribute(object, name, type, space, n ? (const void *)texts : &none, where);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

pl_status pl__output_encoding(hid_t object, const char *encoding, const char *version, const char *where)
{
    PL_TRY(pl__output_text(object, "encoding-type", encoding, where));
    return pl__output_text(object, "encoding-version", version, where);
}

pl_status pl__output_group(hid_t *group, hid_t parent, const char *name, const char *encoding, const char *version,
                           const char *where)
{
    hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(creation, false);
    *group = H5Gcreate2(parent, name, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Pclose(creation);
    if (*group < 0) return pl__hdf5_fail(PL_E_INTERNAL, where, "cannot create group '%s'", name);
    pl_status status = pl__output_encoding(*group, encoding, version, where);
    if (status != PL_OK) {
        H5Gclose(*group);
        *group = H5I_INVALID_HID;
    }
    return status;
}

/* An empty data set of fixed place and size. */
static pl_status create_dataset(hid_t *dataset, hid_t parent, const char *name, hid_t type, const size_t *dims,
                                int rank, const char *where)
{
    const hsize_t sizes[2] = {rank > 0 ? dims[0] : 1, rank > 1 ? dims[1] : 1};
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE),
          space = rank > 0 ? H5Screate_simple(rank, sizes, NULL) : H5Screate(H5S_SCALAR);
    bool ok = H5Pset_obj_track_times(creation, false) >= 0 && H5Pset_layout(creation, H5D_CONTIGUOUS) >= 0 &&
              H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
              /* Text references are never left unset: HDF5 writes nil there before the texts come. */
              (H5Tget_class(type) == H5T_STRING || H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0);
    *dataset = ok ? H5Dcreate2(parent, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT) : H5I_INVALID_HID;
    H5Sclose(space);
    H5Pclose(creation);
    return *dataset >= 0 ? PL_OK : pl__hdf5_fail(PL_E_INTERNAL, where, "cannot create '%s'", name);
}

static bool is_empty(const size_t *dims, int rank)
{
    return rank > 0 && (dims[0] == 0 || (rank > 1 && dims[1] == 0));
}

/* How AnnData calls a data set of this type and rank. */
static const char *encoding_of(hid_t type, int rank)
{
    bool text = H5Tget_class(type) == H5T_STRING;
    return rank == 0 ? text ? "string" : "numeric-scalar" : text ? "string-array" : "array";
}

pl_status pl__output_array(hid_t *dataset, hid_t parent, const char *name, hid_t type, const size_t *dims, int rank,
                           const void *data, const char *where)
{
    hid_t set;
    if (dataset) *dataset = H5I_INVALID_HID;
    PL_TRY(create_dataset(&set, parent, name, type, dims, rank, where));
    pl_status status;
    PL_GOTO(status, done, pl__output_encoding(set, encoding_of(type, rank), "0.2.0", where));
    if (data && !is_empty(dims, rank) && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = pl__hdf5_fail(PL_E_INTERNAL, where, "cannot write '%s'", name);
done:
    if (dataset && status == PL_OK)
        *dataset = set;
    else
        H5Dclose(set);
    return status;
}

pl_status pl__output_scalar(hid_t parent, const char *name, hid_t type, const void *value, const char *where)
{
    return pl__output_array(NULL, parent, name, type, NULL, 0, value, where);
}

pl_status pl__output_scalar_text(hid_t parent, const char *name, const char *text, const char *where)
{
    PL_TRY(check_utf8(text, name, 0, where));
    hid_t type = pl__hdf5_text_type();
    pl_status status = pl__output_scalar(parent, name, type, &text, where);
    H5Tclose(type);
    return status;
}

static pl_status put_entry(hid_t parent, const char *name, const json_t *value, const char *where)
{
    const int64_t integer = json_integer_value(value);
    const double real = json_real_value(value);
    PL_TRY(pl__output_name(where, name));
    if (json_is_string(value)) return pl__output_scalar_text(parent, name, json_string_value(value), where);
    if (json_is_integer(value)) return pl__output_scalar(parent, name, H5T_STD_I64LE, &integer, where);
    if (json_is_real(value)) return pl__output_scalar(parent, name, H5T_IEEE_F64LE, &real, where);
    return pl_fail(PL_E_INTERNAL, "%s: '%s': expected a text, an integer or a real", where, name);
}

pl_status pl__output_entries(hid_t parent, const json_t *entries, const char *where)
{
    const char **names, *name;
    size_t n = 0;
    const json_t *value;
    PL_TRY(pl_new(&names, json_object_size(entries)));
    json_object_foreach((json_t *)entries, name, value) names[n++] = name;
    qsort(names, n, sizeof *names, pl__by_text);
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && status == PL_OK; i++)
        status = put_entry(parent, names[i], json_object_get(entries, names[i]), where);
    free(names);
    return status;
}

pl_status pl__output_texts(hid_t parent, const char *name, const char *const *texts, size_t n, const char *where)
{
    const char **filled;
    PL_TRY(pl_new(&filled, n));
    hid_t type = pl__hdf5_text_type();
    pl_status status = PL_OK;
    for (size_t i = 0; i < n; i++) {
        filled[i] = texts[i] ? texts[i] : "";
        PL_GOTO(status, done, check_utf8(filled[i], name, i, where));
    }
    status = pl__output_array(NULL, parent, name, type, &n, 1, filled, where);
done:
    H5Tclose(type);
    free(filled);
    return status;
}

/* Converts and writes rows in blocks, so that memory stays small and the block stays in the cache. */
static pl_status write_halves(size_t *n_over, hid_t dataset, hid_t type, const float *values, size_t rows, size_t width,
                              pl_dtype storage, const char *where)
{
    size_t block_rows = width < BLOCK_ELEMENTS ? BLOCK_ELEMENTS / width : 1, block_elements;
    if (block_rows > rows) block_rows = rows;
    PL_TRY(pl_mul_size(&block_elements, block_rows, width, "block of states"));
    uint16_t *halves;
    PL_TRY(pl_new(&halves, block_elements));
    hid_t space = H5Dget_space(dataset);
    bool ok = space >= 0;
    for (size_t row = 0; row < rows && ok; row += block_rows) {
        size_t n = rows - row < block_rows ? rows - row : block_rows;
        const float *in = values + row * width;
        *n_over += storage == PL_F16 ? pl_f16_from_f32(halves, in, n * width) : pl_bf16_from_f32(halves, in, n * width);
        const hsize_t start[2] = {row, 0}, count[2] = {n, width};
        hid_t memory = H5Screate_simple(2, count, NULL);
        ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
             H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, halves) >= 0;
        H5Sclose(memory);
    }
    H5Sclose(space);
    free(halves);
    return ok ? PL_OK : pl__hdf5_fail(PL_E_INTERNAL, where, "cannot write a matrix of halves");
}

/* Another value for an attribute that is there, in its place. */
static pl_status set_count(hid_t object, const char *name, size_t value, const char *where)
{
    const int64_t count = (int64_t)value;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, H5T_STD_I64LE, &count) >= 0;
    if (attribute >= 0) ok = H5Aclose(attribute) >= 0 && ok;
    return ok ? PL_OK : pl__hdf5_fail(PL_E_INTERNAL, where, "cannot change attribute '%s'", name);
}

pl_status pl__output_set_losses(hid_t dataset, pl_dtype storage, const pl__losses *losses, const char *where)
{
    if (storage != PL_F32) PL_TRY(set_count(dataset, "out_of_range", losses->n_over, where));
    return set_count(dataset, "not_finite", losses->n_not_finite, where);
}

/* h5dump and some readers cannot tell the two half types apart: the type is said beside the losses. */
static pl_status put_losses(hid_t dataset, pl_dtype storage, const pl__losses *losses, const char *where)
{
    const int64_t n_over = (int64_t)losses->n_over, n_not_finite = (int64_t)losses->n_not_finite;
    if (storage != PL_F32) {
        PL_TRY(pl__output_text(dataset, "storage_type", pl_dtype_name(storage), where));
        PL_TRY(pl__output_number(dataset, "out_of_range", H5T_STD_I64LE, &n_over, where));
    }
    return pl__output_number(dataset, "not_finite", H5T_STD_I64LE, &n_not_finite, where);
}

/* In halves an infinity is what did not fit, counted as such. */
static void count_not_finite(pl__losses *losses, const float *values, size_t rows, size_t width, pl_dtype storage,
                             const uint8_t *absent)
{
    for (size_t row = 0; row < rows; row++) {
        const float *x = values + row * width;
        if (absent && absent[row]) continue;
        size_t n = storage == PL_F32 ? pl_f32_count_not_finite(x, width) : pl_f32_count_nan(x, width);
        if (n > 0 && losses->n_not_finite == 0) losses->first_row = row;
        losses->n_not_finite += n;
    }
}

/* A matrix without values, nor what is told of halves. */
static pl_status create_matrix(hid_t *dataset, hid_t parent, const char *name, size_t rows, size_t width,
                               pl_dtype storage, const void *values, const char *where)
{
    const size_t dims[2] = {rows, width};
    size_t bytes;
    PL_TRY(pl__output_name(where, name));
    PL_TRY(pl_mul_size(&bytes, rows, width, name));
    PL_TRY(pl_mul_size(&bytes, bytes, sizeof(float), name));
    hid_t type = pl__hdf5_storage_type(storage);
    pl_status status = pl__output_array(dataset, parent, name, type, dims, 2, values, where);
    H5Tclose(type);
    return status;
}

pl_status pl__output_empty_matrix(hid_t *dataset, hid_t parent, const char *name, size_t rows, size_t width,
                                  pl_dtype storage, const char *where)
{
    PL_TRY(create_matrix(dataset, parent, name, rows, width, storage, NULL, where));
    pl_status status = put_losses(*dataset, storage, &(pl__losses){0}, where);
    if (status != PL_OK) {
        H5Dclose(*dataset);
        *dataset = H5I_INVALID_HID;
    }
    return status;
}

pl_status pl__output_matrix(pl__losses *losses, hid_t parent, const char *name, const float *values, size_t rows,
                            size_t width, pl_dtype storage, const uint8_t *absent, const char *where)
{
    const size_t dims[2] = {rows, width};
    const float *whole = storage == PL_F32 ? values : NULL;
    hid_t dataset, type;
    *losses = (pl__losses){.first_row = SIZE_MAX};
    PL_TRY(create_matrix(&dataset, parent, name, rows, width, storage, whole, where));
    type = pl__hdf5_storage_type(storage);
    pl_status status = PL_OK;
    if (!whole && !is_empty(dims, 2))
        PL_GOTO(status, done, write_halves(&losses->n_over, dataset, type, values, rows, width, storage, where));
    count_not_finite(losses, values, rows, width, storage, absent);
    status = put_losses(dataset, storage, losses, where);
done:
    H5Dclose(dataset);
    H5Tclose(type);
    return status;
}
