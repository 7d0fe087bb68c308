/* A data frame as a group of columns, AnnData's "dataframe" 0.2.0: one data set a column; a categorical is a group of
 * its own with `codes` and `categories`. The index is the text column "_index". */
#include <stdlib.h>
#include <string.h>

#include "store/hdf5_object.h"

/* The different texts of a column, sorted; the caller frees *out (not the texts). */
static pl_status distinct(const char ***out, size_t *n_out, const pl_column *column, size_t n_rows)
{
    PL_TRY(pl_new(out, n_rows));
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < n_rows; i++)
        if (column->values.text[i]) (*out)[n++] = column->values.text[i];
    qsort(*out, n, sizeof **out, pl__by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp((*out)[i], (*out)[i - 1]) != 0) (*out)[kept++] = (*out)[i];
    *n_out = kept;
    return PL_OK;
}

/* Codes as narrow as pandas would make them: int8 up to 127 categories, then int16, int32. */
static pl_status put_codes(hid_t group, const pl_column *column, size_t n_rows, const char **categories,
                           size_t n_categories, const char *where)
{
    size_t width = n_categories <= INT8_MAX ? 1 : n_categories <= INT16_MAX ? 2 : 4;
    hid_t type = width == 1 ? H5T_STD_I8LE : width == 2 ? H5T_STD_I16LE : H5T_STD_I32LE;
    char *codes;
    PL_TRY(pl_new_bytes((void **)&codes, n_rows, width));
    for (size_t i = 0; i < n_rows; i++) {
        int32_t code = -1;
        const char *const *key = &column->values.text[i];
        if (*key) {
            const char **hit = bsearch(key, categories, n_categories, sizeof *categories, pl__by_text);
            code = (int32_t)(hit - categories);
        }
        memcpy(codes + i * width, &code, width); /* little-endian: the low bytes come first */
    }
    pl_status status = pl__output_array(NULL, group, "codes", type, &n_rows, 1, codes, where);
    free(codes);
    return status;
}

static pl_status put_categorical(hid_t parent, const pl_column *column, size_t n_rows, const char *where)
{
    if (n_rows > INT32_MAX) return pl_fail(PL_E_INPUT, "%s: column '%s': more rows than 2^31", where, column->name);
    const char **categories;
    size_t n_categories;
    PL_TRY(distinct(&categories, &n_categories, column, n_rows));
    hid_t group, type = pl__hdf5_bool_type();
    const int8_t ordered = 0;
    pl_status status;
    PL_GOTO(status, no_group, pl__output_group(&group, parent, column->name, "categorical", "0.2.0", where));
    PL_GOTO(status, done, pl__output_number(group, "ordered", type, &ordered, where));
    PL_GOTO(status, done, put_codes(group, column, n_rows, categories, n_categories, where));
    PL_GOTO(status, done, pl__output_texts(group, "categories", categories, n_categories, where));
done:
    H5Gclose(group);
no_group:
    H5Tclose(type);
    free(categories);
    return status;
}

static pl_status put_column(hid_t group, const pl_column *column, size_t n_rows, const char *where)
{
    switch (column->kind) {
    case PL_COLUMN_TEXT:
        return pl__output_texts(group, column->name, column->values.text, n_rows, where);
    case PL_COLUMN_CATEGORY:
        return put_categorical(group, column, n_rows, where);
    case PL_COLUMN_INTEGER:
        return pl__output_array(NULL, group, column->name, H5T_STD_I64LE, &n_rows, 1, column->values.integer, where);
    case PL_COLUMN_REAL:
        return pl__output_array(NULL, group, column->name, H5T_IEEE_F64LE, &n_rows, 1, column->values.real, where);
    case PL_COLUMN_BOOL:
        break;
    }
    hid_t type = pl__hdf5_bool_type();
    pl_status status = pl__output_array(NULL, group, column->name, type, &n_rows, 1, column->values.boolean, where);
    H5Tclose(type);
    return status;
}

/* All columns but the index, in their order. */
static pl_status put_column_order(hid_t group, const pl_frame *frame, const char *where)
{
    const char **names;
    PL_TRY(pl_new(&names, frame->n_columns));
    size_t n = 0;
    pl_status status = PL_OK;
    for (size_t i = 0; i < frame->n_columns; i++) {
        PL_GOTO(status, done, pl__output_name(where, frame->columns[i].name));
        if (strcmp(frame->columns[i].name, "_index") != 0) names[n++] = frame->columns[i].name;
    }
    status = pl__output_text_list(group, "column-order", names, n, where);
done:
    free(names);
    return status;
}

pl_status pl__output_frame(hid_t parent, const char *name, const pl_frame *frame, const char *where)
{
    const pl_column *index = pl_frame_column(frame, "_index");
    if (!index || index->kind != PL_COLUMN_TEXT)
        return pl_fail(PL_E_INTERNAL, "%s: /%s: expected a text column named _index, found none", where, name);
    hid_t group;
    PL_TRY(pl__output_group(&group, parent, name, "dataframe", "0.2.0", where));
    pl_status status;
    PL_GOTO(status, done, pl__output_text(group, "_index", "_index", where));
    PL_GOTO(status, done, put_column_order(group, frame, where));
    for (size_t i = 0; i < frame->n_columns; i++)
        PL_GOTO(status, done, put_column(group, &frame->columns[i], frame->n_rows, where));
done:
    H5Gclose(group);
    return status;
}

/* Where a frame is being read from and to. */
struct reading {
    const pl__input *in;
    const char *frame_name;
    pl_frame *frame;
};

static pl_status wrong_length(const struct reading *r, const char *column, size_t found)
{
    return pl_fail(PL_E_INPUT, "%s: %s: column '%s': expected %zu rows, found %zu", r->in->where, r->frame_name, column,
                   r->frame->n_rows, found);
}

static pl_status get_categorical(struct reading *r, const char *name, const char *path)
{
    pl_arena *arena = r->frame->arena;
    char *codes_path, *categories_path;
    int32_t *codes;
    const char **categories;
    size_t n, n_categories;
    pl_column *column;
    PL_TRY(pl_arena_format(arena, &codes_path, "%s/codes", path));
    PL_TRY(pl_arena_format(arena, &categories_path, "%s/categories", path));
    PL_TRY(pl__input_array((void **)&codes, &n, r->in, codes_path, H5T_INTEGER, H5T_NATIVE_INT32, arena));
    PL_TRY(pl__input_texts(&categories, &n_categories, r->in, categories_path, arena));
    if (n != r->frame->n_rows) return wrong_length(r, name, n);
    PL_TRY(pl_frame_add(r->frame, &column, name, PL_COLUMN_CATEGORY));
    for (size_t i = 0; i < n; i++) {
        if (codes[i] < -1 || (codes[i] >= 0 && (size_t)codes[i] >= n_categories))
            return pl_fail(PL_E_INPUT, "%s: %s, row %zu: code %d, expected -1 or below %zu", r->in->where, codes_path,
                           i, codes[i], n_categories);
        column->values.text[i] = codes[i] < 0 ? NULL : categories[codes[i]];
    }
    return PL_OK;
}

/* What a data set's type becomes; false: none that a frame holds. */
static bool column_kind(pl_column_kind *kind, hid_t *type, H5T_class_t type_class)
{
    *type = H5I_INVALID_HID;
    switch (type_class) {
    case H5T_STRING:
        *kind = PL_COLUMN_TEXT;
        return true;
    case H5T_INTEGER:
        *kind = PL_COLUMN_INTEGER;
        *type = H5T_NATIVE_INT64;
        return true;
    case H5T_FLOAT:
        *kind = PL_COLUMN_REAL;
        *type = H5T_NATIVE_DOUBLE;
        return true;
    case H5T_ENUM:
        *kind = PL_COLUMN_BOOL;
        return true;
    default:
        return false;
    }
}

static pl_status get_array(struct reading *r, const char *name, const char *path, hid_t dataset)
{
    pl_arena *arena = r->frame->arena;
    hid_t type, file_type = H5Dget_type(dataset), bool_type = H5I_INVALID_HID;
    H5T_class_t type_class = file_type < 0 ? H5T_NO_CLASS : H5Tget_class(file_type);
    if (file_type >= 0) H5Tclose(file_type);
    pl_column_kind kind = PL_COLUMN_BOOL;
    void *values = NULL;
    size_t n = 0;
    pl_column *column;
    if (!column_kind(&kind, &type, type_class))
        return pl_fail(PL_E_INPUT, "%s: %s: expected texts, integers, reals or booleans", r->in->where, path);
    if (kind == PL_COLUMN_TEXT) {
        PL_TRY(pl__input_texts_of((const char ***)&values, &n, dataset, r->in, path, arena));
    } else {
        if (kind == PL_COLUMN_BOOL) type = bool_type = pl__hdf5_bool_type();
        pl_status status = pl__input_array_of(&values, &n, dataset, r->in, path, type_class, type, arena);
        if (bool_type >= 0) H5Tclose(bool_type);
        PL_TRY(status);
    }
    if (n != r->frame->n_rows) return wrong_length(r, name, n);
    PL_TRY(pl_frame_add(r->frame, &column, name, kind));
    memcpy(&column->values, &values, sizeof values);
    return PL_OK;
}

static pl_status get_column(struct reading *r, hid_t group, const char *name)
{
    char *path;
    PL_TRY(pl_arena_format(r->frame->arena, &path, "%s/%s", r->frame_name, name));
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) return pl__hdf5_fail(PL_E_INPUT, r->in->where, "%s: cannot open", path);
    pl_status status =
        H5Iget_type(object) == H5I_GROUP ? get_categorical(r, name, path) : get_array(r, name, path, object);
    H5Oclose(object);
    return status;
}

pl_status pl__input_frame(pl_frame **out, const pl__input *in, const char *name, size_t n_rows,
                          const char *const *names, size_t n_names)
{
    *out = NULL;
    pl_frame *frame = NULL;
    PL_TRY(pl_frame_create(&frame, 0));
    frame->n_rows = n_rows;
    pl_status status = PL_OK;
    hid_t group = H5Gopen2(in->file, name, H5P_DEFAULT);
    if (group < 0) {
        status = pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot open", name);
        goto failed;
    }
    struct reading reading = {in, name, frame};
    for (size_t i = 0; i < n_names; i++)
        if (H5Lexists(group, names[i], H5P_DEFAULT) > 0) PL_GOTO(status, failed, get_column(&reading, group, names[i]));
    H5Gclose(group);
    *out = frame;
    return PL_OK;
failed:
    if (group >= 0) H5Gclose(group);
    pl_frame_free(frame);
    return status;
}
