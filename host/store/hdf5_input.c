/* Arrays, texts and attributes on their way out of a file (hdf5_object.h). The file is hostile: what it claims is held
 * against its own size before memory is taken, and its types are looked at before they are converted. */
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/utf8.h"
#include "store/hdf5_object.h"

enum {
    MAX_EXPANSION = 1032, /* deflate's best ratio: what a repacked file may unfold to */
    MAX_LIST = 4096       /* texts in an attribute: columns of a frame */
};

bool pl__input_has(const pl__input *in, const char *name)
{
    bool has = H5Oexists_by_name(in->file, name, H5P_DEFAULT) > 0;
    H5Eclear2(H5E_DEFAULT);
    return has;
}

static const char *class_name(H5T_class_t type_class)
{
    switch (type_class) {
    case H5T_INTEGER:
        return "integers";
    case H5T_FLOAT:
        return "reals";
    case H5T_STRING:
        return "texts of variable length";
    case H5T_ENUM:
        return "booleans";
    default:
        return "another type";
    }
}

/* The bytes that the data set claims must be in this file. */
static pl_status check_size(hid_t dataset, const size_t dims[2], size_t element_bytes, const pl__input *in,
                            const char *name)
{
    hid_t creation = H5Dget_create_plist(dataset);
    H5D_layout_t layout = H5Pget_layout(creation);
    int n_external = H5Pget_external_count(creation);
    H5Pclose(creation);
    if ((layout != H5D_CONTIGUOUS && layout != H5D_COMPACT && layout != H5D_CHUNKED) || n_external != 0)
        return pl_fail(PL_E_INPUT, "%s: %s: its values are in another file: expected them in this one", in->where,
                       name);
    size_t n, bytes;
    uint64_t most = layout == H5D_CHUNKED ? in->file_bytes * MAX_EXPANSION : in->file_bytes;
    if (__builtin_mul_overflow(dims[0], dims[1], &n) || __builtin_mul_overflow(n, element_bytes, &bytes) ||
        bytes > most)
        return pl_fail(PL_E_INPUT, "%s: %s: %zu x %zu elements are more than a file of %llu bytes holds", in->where,
                       name, dims[0], dims[1], (unsigned long long)in->file_bytes);
    /* Claimed but never allocated: HDF5 would answer with fill values. */
    if (bytes > 0 && H5Dget_storage_size(dataset) == 0)
        return pl_fail(PL_E_INPUT, "%s: %s: its values were never written", in->where, name);
    return PL_OK;
}

static pl_status check_type(size_t *element_bytes, hid_t dataset, H5T_class_t type_class, const pl__input *in,
                            const char *name)
{
    hid_t type = H5Dget_type(dataset);
    H5T_class_t found = H5Tget_class(type);
    *element_bytes = H5Tget_size(type);
    bool fits =
        found == type_class && *element_bytes <= 16 && (type_class != H5T_STRING || H5Tis_variable_str(type) > 0);
    H5Tclose(type);
    if (fits) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: %s: expected %s, found %s of %zu bytes", in->where, name, class_name(type_class),
                   class_name(found), *element_bytes);
}

static pl_status check_shape(size_t dims[2], hid_t dataset, int rank, const pl__input *in, const char *name)
{
    hsize_t sizes[H5S_MAX_RANK];
    hid_t space = H5Dget_space(dataset);
    int found = H5Sget_simple_extent_dims(space, sizes, NULL);
    H5Sclose(space);
    if (found != rank) return pl_fail(PL_E_INPUT, "%s: %s: expected %d dims, found %d", in->where, name, rank, found);
    dims[0] = rank > 0 ? (size_t)sizes[0] : 1;
    dims[1] = rank > 1 ? (size_t)sizes[1] : 1;
    return PL_OK;
}

pl_status pl__input_open(hid_t *dataset, size_t dims[2], const pl__input *in, const char *name, int rank,
                         H5T_class_t type_class)
{
    *dataset = pl__input_has(in, name) ? H5Dopen2(in->file, name, H5P_DEFAULT) : H5I_INVALID_HID;
    if (*dataset < 0) return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected an array, found none", name);
    pl_status status;
    size_t element_bytes;
    PL_GOTO(status, failed, check_shape(dims, *dataset, rank, in, name));
    PL_GOTO(status, failed, check_type(&element_bytes, *dataset, type_class, in, name));
    PL_GOTO(status, failed, check_size(*dataset, dims, element_bytes, in, name));
    return PL_OK;
failed:
    H5Dclose(*dataset);
    *dataset = H5I_INVALID_HID;
    return status;
}

static pl_status read_whole(hid_t dataset, hid_t type, void *out, size_t n, const pl__input *in, const char *name)
{
    if (n > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot read", name);
    return PL_OK;
}

pl_status pl__input_array(void **out, size_t *n, const pl__input *in, const char *name, H5T_class_t type_class,
                          hid_t type, pl_arena *arena)
{
    *out = NULL;
    hid_t dataset;
    size_t dims[2] = {0};
    PL_TRY(pl__input_open(&dataset, dims, in, name, 1, type_class));
    pl_status status;
    PL_GOTO(status, done, pl_arena_new_bytes(arena, out, dims[0], H5Tget_size(type)));
    PL_GOTO(status, done, read_whole(dataset, type, *out, dims[0], in, name));
    *n = dims[0];
done:
    H5Dclose(dataset);
    return status;
}

/* Texts go straight into the arena. Each is stored once, so all together are no longer than the file; a file whose
 * references name one text many times over is stopped there. */
struct text_pool {
    pl_arena *arena;
    size_t left_bytes;
};

static void *pool_take(size_t size, void *info)
{
    struct text_pool *pool = info;
    void *memory = NULL;
    if (size > pool->left_bytes || pl_arena_new_bytes(pool->arena, &memory, size, 1) != PL_OK) return NULL;
    pool->left_bytes -= size;
    return memory;
}

static void pool_give(void *memory, void *info)
{
    (void)memory, (void)info;
}

/* nil is "", and nothing is handed out that is not UTF-8. */
static pl_status tidy_texts(const char **texts, size_t n, const pl__input *in, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!texts[i]) texts[i] = "";
        size_t span = pl_utf8_check(texts[i], strlen(texts[i]));
        if (texts[i][span])
            return pl_fail(PL_E_INPUT, "%s: %s: text %zu is not UTF-8 at byte %zu", in->where, name, i, span);
    }
    return PL_OK;
}

pl_status pl__input_texts(const char ***out, size_t *n, const pl__input *in, const char *name, pl_arena *arena)
{
    *out = NULL;
    hid_t dataset;
    size_t dims[2] = {0};
    PL_TRY(pl__input_open(&dataset, dims, in, name, 1, H5T_STRING));
    struct text_pool pool = {arena, (size_t)in->file_bytes + dims[0]};
    hid_t type = pl__hdf5_text_type(), transfer = H5Pcreate(H5P_DATASET_XFER);
    pl_status status;
    PL_GOTO(status, done, pl_arena_new(arena, out, dims[0]));
    H5Pset_vlen_mem_manager(transfer, pool_take, &pool, pool_give, &pool);
    if (dims[0] > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, transfer, *out) < 0) {
        status = pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot read", name);
        goto done;
    }
    PL_GOTO(status, done, tidy_texts(*out, dims[0], in, name));
    *n = dims[0];
done:
    H5Pclose(transfer);
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

/* Half types are read as they are and widened by us, everything else by HDF5. */
static pl_status read_matrix(float *out, size_t n, hid_t dataset, const pl__input *in, const char *name)
{
    hid_t found = H5Dget_type(dataset), f16 = pl__hdf5_storage_type(PL_F16), bf16 = pl__hdf5_storage_type(PL_BF16);
    bool is_f16 = H5Tequal(found, f16) > 0, is_bf16 = H5Tequal(found, bf16) > 0;
    pl_status status;
    if (is_f16 || is_bf16) {
        uint16_t *halves;
        PL_GOTO(status, done, pl_new(&halves, n));
        status = read_whole(dataset, found, halves, n, in, name);
        if (status == PL_OK) (is_f16 ? pl_f32_from_f16 : pl_f32_from_bf16)(out, halves, n);
        free(halves);
    } else {
        status = read_whole(dataset, H5T_NATIVE_FLOAT, out, n, in, name);
    }
done:
    H5Tclose(bf16);
    H5Tclose(f16);
    H5Tclose(found);
    return status;
}

pl_status pl__input_matrix(float **values, size_t *rows, size_t *width, const pl__input *in, const char *name)
{
    *values = NULL;
    hid_t dataset;
    size_t dims[2] = {0};
    PL_TRY(pl__input_open(&dataset, dims, in, name, 2, H5T_FLOAT));
    pl_status status;
    PL_GOTO(status, done, pl_new(values, dims[0] * dims[1]));
    status = read_matrix(*values, dims[0] * dims[1], dataset, in, name);
    *rows = dims[0];
    *width = dims[1];
done:
    H5Dclose(dataset);
    if (status != PL_OK) {
        free(*values);
        *values = NULL;
    }
    return status;
}

/* An attribute that holds n elements of a class; close *attribute. */
static pl_status open_attribute(hid_t *attribute, H5T_class_t *type_class, size_t *n, const pl__input *in,
                                const char *object, const char *name)
{
    *attribute = H5Aopen_by_name(in->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (*attribute < 0) return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected an attribute '%s'", object, name);
    hid_t type = H5Aget_type(*attribute), space = H5Aget_space(*attribute);
    hssize_t n_found = H5Sget_simple_extent_npoints(space);
    *type_class = H5Tget_class(type);
    bool ok = n_found >= 0 && n_found <= MAX_LIST && H5Tget_size(type) <= 16 &&
              (*type_class != H5T_STRING || H5Tis_variable_str(type) > 0);
    *n = ok ? (size_t)n_found : 0;
    H5Sclose(space);
    H5Tclose(type);
    if (ok) return PL_OK;
    H5Aclose(*attribute);
    *attribute = H5I_INVALID_HID;
    return pl_fail(PL_E_INPUT, "%s: %s: attribute '%s' is of a type or size that plumb does not write", in->where,
                   object, name);
}

pl_status pl__input_text_list(const char ***out, size_t *n, const pl__input *in, const char *object, const char *name,
                              pl_arena *arena)
{
    hid_t attribute, type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    H5T_class_t type_class = H5T_NO_CLASS;
    char **texts = NULL;
    PL_TRY(open_attribute(&attribute, &type_class, n, in, object, name));
    pl_status status;
    PL_GOTO(status, done, pl_arena_new(arena, out, *n));
    if (*n == 0) goto done;
    if (type_class != H5T_STRING) {
        status = pl_fail(PL_E_INPUT, "%s: %s: attribute '%s': expected texts", in->where, object, name);
        goto done;
    }
    type = pl__hdf5_text_type();
    space = H5Aget_space(attribute);
    PL_GOTO(status, done, pl_new(&texts, *n));
    if (H5Aread(attribute, type, texts) < 0) {
        status = pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot read attribute '%s'", object, name);
        goto done;
    }
    for (size_t i = 0; i < *n && status == PL_OK; i++)
        status = pl_arena_text(arena, (char **)&(*out)[i], texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) : 0);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts);
    if (status == PL_OK) status = tidy_texts(*out, *n, in, name);
done:
    free(texts);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

static pl_status class_of(H5T_class_t *type_class, const pl__input *in, const char *name)
{
    hid_t dataset = pl__input_has(in, name) ? H5Dopen2(in->file, name, H5P_DEFAULT) : H5I_INVALID_HID;
    if (dataset < 0) return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected a value, found none", name);
    hid_t type = H5Dget_type(dataset);
    *type_class = H5Tget_class(type);
    H5Tclose(type);
    H5Dclose(dataset);
    return PL_OK;
}

static json_t *read_text(hid_t dataset)
{
    hid_t type = pl__hdf5_text_type();
    char *text = NULL;
    json_t *value =
        H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text) >= 0 ? json_string(text ? text : "") : NULL;
    if (text) H5free_memory(text);
    H5Tclose(type);
    return value;
}

pl_status pl__input_scalar(json_t **out, const pl__input *in, const char *name)
{
    *out = NULL;
    H5T_class_t type_class = H5T_NO_CLASS;
    PL_TRY(class_of(&type_class, in, name));
    if (type_class != H5T_STRING && type_class != H5T_INTEGER && type_class != H5T_FLOAT)
        return pl_fail(PL_E_INPUT, "%s: %s: expected one text or number, found %s", in->where, name,
                       class_name(type_class));
    hid_t dataset;
    size_t dims[2];
    PL_TRY(pl__input_open(&dataset, dims, in, name, 0, type_class));
    int64_t integer;
    double real;
    if (type_class == H5T_STRING)
        *out = read_text(dataset);
    else if (type_class == H5T_INTEGER)
        *out = H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &integer) >= 0 ? json_integer(integer)
                                                                                                : NULL;
    else
        *out = H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &real) >= 0 ? json_real(real) : NULL;
    H5Dclose(dataset);
    if (*out) return PL_OK;
    return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected one text in UTF-8 or one finite number", name);
}
