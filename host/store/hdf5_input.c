/* Arrays, texts and attributes on their way out of a file (hdf5_object.h). The file is hostile: what it claims is held
 * against its own size before memory is taken, and its types are looked at before they are converted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/half.h"
#include "base/path.h"
#include "base/utf8.h"
#include "store/hdf5_object.h"

enum {
    MAX_EXPANSION = 1032 /* deflate's best ratio: what a repacked file may unfold to */
};

pl_status pl__input_open_file(pl__input *in, const char *where)
{
    struct stat st;
    *in = (pl__input){.file = H5I_INVALID_HID, .where = where};
    pl__hdf5_quiet(where);
    pl__hdf5_room(where);
    if (stat(where, &st) != 0)
        return pl_fail(errno == ENOENT ? PL_E_INPUT : PL_E_IO, "%s: cannot open: %s", where, strerror(errno));
    if (!S_ISREG(st.st_mode)) return pl_fail(PL_E_INPUT, "%s: not a regular file", where);
    in->file_bytes = (uint64_t)st.st_size;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 10, 7)
    /* Finished files never change, and some file systems have no locks. */
    H5Pset_file_locking(access, false, true);
#endif
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    in->file = H5Fopen(where, H5F_ACC_RDONLY, access);
    /* Before anything else is asked of HDF5, which forgets the cause then. */
    pl_status status = in->file < 0 ? pl__hdf5_fail(PL_E_INPUT, where, "not a whole HDF5 file") : PL_OK;
    H5Pclose(access);
    return status == PL_OK ? pl__text_heap_open(&in->texts, where) : status;
}

void pl__input_close_file(pl__input *in)
{
    if (in->file >= 0) H5Fclose(in->file);
    pl__text_heap_close(in->texts);
    in->file = H5I_INVALID_HID;
    in->texts = NULL;
}

pl_status pl__input_find(bool *has, const pl__input *in, const char *name)
{
    htri_t found = H5Oexists_by_name(in->file, name, H5P_DEFAULT);
    *has = found > 0;
    if (found >= 0) return PL_OK;
    /* Of a damaged file too: it has not got it, then. A disk that fails says nothing of what is in the file. */
    pl_status status = pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot be looked for", name);
    return status == PL_E_IO ? status : PL_OK;
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
    H5D_layout_t layout = H5D_CONTIGUOUS;
    int n_external = 0;
    /* A place in this file: as plumb writes it. Everything else is asked what it is. */
    if (H5Dget_offset(dataset) == HADDR_UNDEF) {
        hid_t creation = H5Dget_create_plist(dataset);
        layout = H5Pget_layout(creation);
        n_external = H5Pget_external_count(creation);
        H5Pclose(creation);
    }
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

static pl_status check_dataset(hid_t dataset, size_t dims[2], const pl__input *in, const char *name, int rank,
                               H5T_class_t type_class)
{
    size_t element_bytes;
    PL_TRY(check_shape(dims, dataset, rank, in, name));
    PL_TRY(check_type(&element_bytes, dataset, type_class, in, name));
    return check_size(dataset, dims, element_bytes, in, name);
}

pl_status pl__input_open(hid_t *dataset, size_t dims[2], const pl__input *in, const char *name, int rank,
                         H5T_class_t type_class)
{
    *dataset = H5Dopen2(in->file, name, H5P_DEFAULT);
    if (*dataset < 0) return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected an array, found none", name);
    pl_status status = check_dataset(*dataset, dims, in, name, rank, type_class);
    if (status == PL_OK) return PL_OK;
    H5Dclose(*dataset);
    *dataset = H5I_INVALID_HID;
    return status;
}

static H5T_class_t dataset_class(hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    H5T_class_t type_class = H5Tget_class(type);
    H5Tclose(type);
    return type_class;
}

static pl_status read_whole(hid_t dataset, hid_t type, void *out, size_t n, const pl__input *in, const char *name)
{
    if (n > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot read", name);
    return PL_OK;
}

pl_status pl__input_array_of(void **out, size_t *n, hid_t dataset, const pl__input *in, const char *name,
                             H5T_class_t type_class, hid_t type, pl_arena *arena)
{
    size_t dims[2] = {0};
    PL_TRY(check_dataset(dataset, dims, in, name, 1, type_class));
    PL_TRY(pl_arena_new_bytes(arena, out, dims[0], H5Tget_size(type)));
    *n = dims[0];
    return read_whole(dataset, type, *out, dims[0], in, name);
}

static pl_status open_any(hid_t *dataset, const pl__input *in, const char *name)
{
    *dataset = H5Dopen2(in->file, name, H5P_DEFAULT);
    return *dataset >= 0 ? PL_OK : pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected an array, found none", name);
}

pl_status pl__input_array(void **out, size_t *n, const pl__input *in, const char *name, H5T_class_t type_class,
                          hid_t type, pl_arena *arena)
{
    hid_t dataset;
    *out = NULL;
    PL_TRY(open_any(&dataset, in, name));
    pl_status status = pl__input_array_of(out, n, dataset, in, name, type_class, type, arena);
    H5Dclose(dataset);
    return status;
}

/* Where texts stand: HDF5 knows, and what stands there is read by us. */
static pl_status read_references(uint8_t *out, size_t n, hid_t dataset, const pl__input *in, const char *name)
{
    haddr_t address = n > 0 ? H5Dget_offset(dataset) : 0;
    if (n == 0) return PL_OK;
    if (address == HADDR_UNDEF || H5Dget_storage_size(dataset) != n * PL__REFERENCE_BYTES) {
        H5Eclear2(H5E_DEFAULT);
        return pl_fail(PL_E_INPUT, "%s: %s: its texts are not in one piece, as plumb writes them", in->where, name);
    }
    return pl__text_heap_read(in->texts, out, n * PL__REFERENCE_BYTES, address);
}

/* A copy in the arena. Each text is stored once, so all together are no longer than the file; a file whose references
 * name one text many times over is stopped there. Nothing is handed out that is not UTF-8; a text ends at its first
 * NUL.
 */
static pl_status copy_text(const char **out, uint64_t *left_bytes, const uint8_t *reference, size_t i,
                           const pl__input *in, const char *name, pl_arena *arena)
{
    const char *text;
    size_t size;
    PL_TRY(pl__text_heap_get(in->texts, &text, &size, reference));
    if (size > *left_bytes)
        return pl_fail(PL_E_INPUT, "%s: %s: cannot read: its texts are longer than the file", in->where, name);
    *left_bytes -= size;
    size_t span = pl_utf8_check(text, size);
    if (span < size) return pl_fail(PL_E_INPUT, "%s: %s: text %zu is not UTF-8 at byte %zu", in->where, name, i, span);
    return pl_arena_text(arena, (char **)out, text, strnlen(text, size));
}

static pl_status read_texts(const char **out, size_t n, hid_t dataset, const pl__input *in, const char *name,
                            pl_arena *arena)
{
    uint8_t *references;
    uint64_t left_bytes = in->file_bytes;
    PL_TRY(pl_new(&references, n * PL__REFERENCE_BYTES)); /* no overflow: they are in the file */
    pl_status status = read_references(references, n, dataset, in, name);
    for (size_t i = 0; i < n && status == PL_OK; i++)
        status = copy_text(&out[i], &left_bytes, references + i * PL__REFERENCE_BYTES, i, in, name, arena);
    free(references);
    return status;
}

pl_status pl__input_texts_of(const char ***out, size_t *n, hid_t dataset, const pl__input *in, const char *name,
                             pl_arena *arena)
{
    size_t dims[2] = {0};
    PL_TRY(check_dataset(dataset, dims, in, name, 1, H5T_STRING));
    PL_TRY(pl_arena_new(arena, out, dims[0]));
    *n = dims[0];
    return read_texts(*out, dims[0], dataset, in, name, arena);
}

pl_status pl__input_texts(const char ***out, size_t *n, const pl__input *in, const char *name, pl_arena *arena)
{
    hid_t dataset;
    *out = NULL;
    PL_TRY(open_any(&dataset, in, name));
    pl_status status = pl__input_texts_of(out, n, dataset, in, name, arena);
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

pl__member pl__input_member(uint64_t *address, const pl__input *in, const char *name)
{
#if H5_VERSION_GE(1, 12, 0)
    H5O_info1_t info;
#else
    H5O_info_t info;
#endif
    H5L_info_t link;
    pl__member found = PL__MEMBER_NONE;
    if (H5Lget_info(in->file, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) return found;
    hid_t object = H5Oopen(in->file, name, H5P_DEFAULT);
    if (object < 0) return found;
    const H5I_type_t type = H5Iget_type(object);
    if (H5Oget_info1(object, &info) >= 0 && (type == H5I_GROUP || type == H5I_DATASET)) {
        found = type == H5I_GROUP ? PL__MEMBER_GROUP : PL__MEMBER_ARRAY;
        *address = info.addr;
    }
    H5Oclose(object);
    return found;
}

pl_status pl__input_members(const char ***out, size_t *n, const pl__input *in, const char *group, pl_arena *arena)
{
    *out = NULL;
    *n = 0;
    hid_t id = H5Gopen2(in->file, group, H5P_DEFAULT);
    H5G_info_t info;
    if (id < 0 || H5Gget_info(id, &info) < 0) {
        if (id >= 0) H5Gclose(id);
        return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot open", group);
    }
    pl_status status = PL_OK;
    if (info.nlinks > in->file_bytes) {
        status = pl_fail(PL_E_INPUT, "%s: %s: more members than the file has bytes", in->where, group);
        goto done;
    }
    PL_GOTO(status, done, pl_arena_new(arena, out, info.nlinks));
    for (hsize_t i = 0; i < info.nlinks; i++) {
        char name[PL_PATH_MAX];
        ssize_t size = H5Lget_name_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
        if (size < 0 || (size_t)size >= sizeof name) {
            status = pl__hdf5_fail(PL_E_INPUT, in->where, "%s: cannot read the name of member %zu", group, (size_t)i);
            goto done;
        }
        PL_GOTO(status, done, pl_arena_text(arena, (char **)&(*out)[i], name, (size_t)size));
    }
    *n = (size_t)info.nlinks;
done:
    H5Gclose(id);
    return status;
}

static pl_status read_text(json_t **out, hid_t dataset, const pl__input *in, const char *name)
{
    pl_arena *arena;
    const char *text;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = read_texts(&text, 1, dataset, in, name, arena);
    if (status == PL_OK && !(*out = json_string(text)))
        status = pl_fail(PL_E_MEMORY, "%s: %s: does not fit in memory", in->where, name);
    pl_arena_free(arena);
    return status;
}

static pl_status read_number(json_t **out, hid_t dataset, H5T_class_t type_class, const pl__input *in, const char *name)
{
    int64_t integer;
    double real;
    if (type_class == H5T_INTEGER && H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &integer) >= 0)
        *out = json_integer(integer);
    if (type_class == H5T_FLOAT && H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &real) >= 0)
        *out = json_real(real);
    return *out ? PL_OK : pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected one finite number", name);
}

pl_status pl__input_scalar(json_t **out, const pl__input *in, const char *name)
{
    *out = NULL;
    hid_t dataset = H5Dopen2(in->file, name, H5P_DEFAULT);
    if (dataset < 0) return pl__hdf5_fail(PL_E_INPUT, in->where, "%s: expected a value, found none", name);
    size_t dims[2];
    H5T_class_t type_class = dataset_class(dataset);
    pl_status status;
    if (type_class != H5T_STRING && type_class != H5T_INTEGER && type_class != H5T_FLOAT) {
        status = pl_fail(PL_E_INPUT, "%s: %s: expected one text or number, found %s", in->where, name,
                         class_name(type_class));
        goto done;
    }
    PL_GOTO(status, done, check_dataset(dataset, dims, in, name, 0, type_class));
    status =
        type_class == H5T_STRING ? read_text(out, dataset, in, name) : read_number(out, dataset, type_class, in, name);
done:
    H5Dclose(dataset);
    return status;
}
