#include "store/matrices.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/temporary.h"
#include "store/hdf5_disk.h"
#include "store/hdf5_object.h"

enum { MOST_DEPTH = 8, MOST_OBJECTS = 10000, COPY_BYTES = 1 << 20 };

/* ---- reading ---- */

typedef struct search {
    const pl__input *in;
    pl_arena *arena;
    const char **names; /* [MOST_OBJECTS] */
    uint64_t *seen;     /* [MOST_OBJECTS]: addresses */
    size_t n, n_seen;
} search;

/* What has been looked at under another name, in a circle perhaps. */
static bool is_seen(const search *s, uint64_t address)
{
    for (size_t i = 0; i < s->n_seen; i++)
        if (s->seen[i] == address) return true;
    return false;
}

static bool is_matrix(const pl__input *in, const char *name)
{
    hid_t dataset = H5Dopen2(in->file, name, H5P_DEFAULT);
    if (dataset < 0) return false;
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    const bool found = H5Sget_simple_extent_ndims(space) == 2 && H5Tget_class(type) == H5T_FLOAT;
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(dataset);
    return found;
}

static pl_status look_into(search *s, const char *group, int depth)
{
    const char **members;
    size_t n;
    PL_TRY(pl__input_members(&members, &n, s->in, *group ? group : "/", s->arena));
    for (size_t i = 0; i < n; i++) {
        char *path;
        uint64_t address = 0;
        PL_TRY(pl_arena_format(s->arena, &path, "%s/%s", group, members[i]));
        const pl__member member = pl__input_member(&address, s->in, path);
        if (member == PL__MEMBER_NONE || is_seen(s, address)) continue;
        if (s->n_seen == MOST_OBJECTS)
            return pl_fail(PL_E_INPUT, "%s: more than %d objects: name the matrix with --dataset", s->in->where,
                           (int)MOST_OBJECTS);
        s->seen[s->n_seen++] = address;
        if (member == PL__MEMBER_ARRAY && is_matrix(s->in, path)) s->names[s->n++] = path;
        if (member == PL__MEMBER_GROUP && depth < MOST_DEPTH) PL_TRY(look_into(s, path, depth + 1));
    }
    return PL_OK;
}

pl_status pl_matrices_list(pl_arena *arena, const char *path, const char ***names, size_t *n)
{
    pl__input in;
    search s = {.in = &in, .arena = arena};
    *n = 0;
    PL_TRY(pl_arena_new(arena, &s.names, MOST_OBJECTS));
    PL_TRY(pl_arena_new(arena, &s.seen, MOST_OBJECTS));
    pl_status status = pl__input_open_file(&in, path);
    if (status == PL_OK) status = look_into(&s, "", 0);
    pl__input_close_file(&in);
    *names = s.names;
    *n = s.n;
    return status;
}

pl_status pl_matrix_read(float **values, size_t *rows, size_t *width, const char *path, const char *name)
{
    pl__input in;
    *values = NULL;
    pl_status status = pl__input_open_file(&in, path);
    if (status == PL_OK) status = pl__input_matrix(values, rows, width, &in, name);
    pl__input_close_file(&in);
    if (status != PL_OK || (*rows > 0 && *width > 0)) return status;
    free(*values);
    *values = NULL;
    return pl_fail(PL_E_INPUT, "%s: %s: %zu x %zu values: expected rows and columns", path, name, *rows, *width);
}

pl_status pl_matrices_have(bool *has, const char *path, const char *name)
{
    pl__input in;
    *has = false;
    pl_status status = pl__input_open_file(&in, path);
    if (status == PL_OK) status = pl__input_find(has, &in, name);
    pl__input_close_file(&in);
    return status;
}

/* ---- a group as JSON ---- */

static pl_status append(json_t *list, json_t *value)
{
    return json_array_append_new(list, value) == 0 ? PL_OK : pl_fail(PL_E_MEMORY, "out of memory for a list");
}

static pl_status append_real(json_t *list, double value)
{
    return append(list, isfinite(value) ? json_real(value) : json_null());
}

static pl_status get_texts(json_t *list, const pl__input *in, const char *name, pl_arena *arena)
{
    const char **texts;
    size_t n = 0;
    PL_TRY(pl__input_texts(&texts, &n, in, name, arena));
    for (size_t i = 0; i < n; i++) PL_TRY(append(list, json_string(texts[i])));
    return PL_OK;
}

static pl_status get_integers(json_t *list, const pl__input *in, const char *name, pl_arena *arena)
{
    int64_t *values;
    size_t n = 0;
    PL_TRY(pl__input_array((void **)&values, &n, in, name, H5T_INTEGER, H5T_NATIVE_INT64, arena));
    for (size_t i = 0; i < n; i++) PL_TRY(append(list, json_integer(values[i])));
    return PL_OK;
}

static pl_status get_reals(json_t *list, const pl__input *in, const char *name, pl_arena *arena)
{
    double *values;
    size_t n = 0;
    PL_TRY(pl__input_array((void **)&values, &n, in, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, arena));
    for (size_t i = 0; i < n; i++) PL_TRY(append_real(list, values[i]));
    return PL_OK;
}

static pl_status get_matrix(json_t *list, const pl__input *in, const char *name)
{
    float *values;
    size_t rows, width;
    PL_TRY(pl__input_matrix(&values, &rows, &width, in, name));
    pl_status status = PL_OK;
    for (size_t i = 0; i < rows * width && status == PL_OK; i++) status = append_real(list, (double)values[i]);
    free(values);
    return status;
}

/* -1: no data set. */
static int rank_of(H5T_class_t *type_class, const pl__input *in, const char *name)
{
    hid_t dataset = H5Dopen2(in->file, name, H5P_DEFAULT);
    if (dataset < 0) return -1;
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    const int rank = H5Sget_simple_extent_ndims(space);
    *type_class = H5Tget_class(type);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(dataset);
    return rank;
}

static pl_status get_member(json_t *object, const pl__input *in, const char *group, const char *member, bool arrays,
                            pl_arena *arena)
{
    char *path;
    uint64_t address;
    H5T_class_t type_class = H5T_NO_CLASS;
    PL_TRY(pl_arena_format(arena, &path, "%s/%s", group, member));
    if (pl__input_member(&address, in, path) != PL__MEMBER_ARRAY) return PL_OK;
    const int rank = rank_of(&type_class, in, path);
    const bool text = type_class == H5T_STRING, integer = type_class == H5T_INTEGER, real = type_class == H5T_FLOAT;
    if (!(text || integer || real) || rank < 0 || rank > 2 || (rank > 0 && !arrays) || (rank == 2 && !real))
        return PL_OK;
    json_t *value = NULL;
    if (rank > 0) value = json_array();
    pl_status status = rank == 0   ? pl__input_scalar(&value, in, path)
                       : rank == 2 ? get_matrix(value, in, path)
                       : text      ? get_texts(value, in, path, arena)
                       : integer   ? get_integers(value, in, path, arena)
                                   : get_reals(value, in, path, arena);
    if (status == PL_OK && json_object_set(object, member, value) != 0)
        status = pl_fail(PL_E_INPUT, "%s: %s: its name is no text", in->where, path);
    json_decref(value);
    return status;
}

pl_status pl_matrices_group(json_t **out, const char *path, const char *group, bool arrays)
{
    pl__input in;
    pl_arena *arena;
    const char **members = NULL;
    size_t n = 0;
    json_t *object = json_object();
    *out = NULL;
    pl_status status = pl_arena_create(&arena);
    if (status != PL_OK) {
        json_decref(object);
        return status;
    }
    PL_GOTO(status, done, pl__input_open_file(&in, path));
    PL_GOTO(status, done, pl__input_members(&members, &n, &in, group, arena));
    for (size_t i = 0; i < n; i++) PL_GOTO(status, done, get_member(object, &in, group, members[i], arrays, arena));
    *out = json_incref(object);
done:
    pl__input_close_file(&in);
    pl_arena_free(arena);
    json_decref(object);
    return status;
}

/* ---- adding ---- */

/* The copy that is being made. */
typedef struct copy {
    char path[PL_PATH_MAX];
    pl__disk disk;
    hid_t file;
} copy;

static pl_status copy_bytes(int to, const char *to_path, int from, const char *from_path)
{
    char *buffer;
    pl_status status = PL_OK;
    PL_TRY(pl_new(&buffer, COPY_BYTES));
    for (off_t at = 0; status == PL_OK;) {
        const ssize_t n = pread(from, buffer, COPY_BYTES, at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = pl_fail(PL_E_IO, "%s: cannot read: %s", from_path, strerror(errno));
        if (n <= 0) break;
        for (ssize_t done = 0; done < n && status == PL_OK;) {
            const ssize_t m = pwrite(to, buffer + done, (size_t)(n - done), at + done);
            if (m < 0 && errno == EINTR) continue;
            if (m <= 0) status = pl_fail(PL_E_IO, "%s: cannot write: %s", to_path, strerror(m < 0 ? errno : ENOSPC));
            done += m > 0 ? m : 0;
        }
        at += n;
    }
    free(buffer);
    return status;
}

/* The bytes and the rights of what it is a copy of. */
static pl_status copy_file(int to, const char *to_path, const char *from)
{
    struct stat st;
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0) return pl_fail(PL_E_IO, "%s: cannot open: %s", from, strerror(errno));
    pl_status status = copy_bytes(to, to_path, source, from);
    if (fstat(source, &st) == 0) (void)fchmod(to, st.st_mode & 0777);
    close(source);
    return status;
}

/* The copy, or a new file, open in HDF5. */
static pl_status open_copy(copy *c, const char *to, const char *from)
{
    int fd;
    hid_t access, creation;
    PL_TRY(pl_temporary_create(&fd, c->path, to));
    pl__disk_open(&c->disk, fd, c->path);
    if (from) PL_TRY(copy_file(fd, c->path, from));
    PL_TRY(pl__disk_access(&access, &c->disk));
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(creation, false); /* of the root group */
    c->file = from ? H5Fopen(c->path, H5F_ACC_RDWR, access) : H5Fcreate(c->path, H5F_ACC_TRUNC, creation, access);
    pl_status status = c->file < 0 ? pl__hdf5_fail(PL_E_INPUT, from ? from : to, "cannot be written to") : PL_OK;
    H5Pclose(creation);
    H5Pclose(access);
    return status;
}

/* A group by its path of one or two names; close it. */
static pl_status open_group(hid_t *group, const copy *c, const char *path, const char *where)
{
    hid_t parent = c->file;
    char name[256];
    *group = H5I_INVALID_HID;
    for (const char *at = path + 1; at;) {
        const char *slash = strchr(at, '/');
        const size_t size = slash ? (size_t)(slash - at) : strlen(at);
        if (size >= sizeof name) return pl_fail(PL_E_INTERNAL, "%s: %s: too long", where, path);
        memcpy(name, at, size);
        name[size] = 0;
        pl_status status = PL_OK;
        hid_t next = H5I_INVALID_HID;
        H5L_info_t link;
        if (H5Lget_info(parent, name, &link, H5P_DEFAULT) >= 0) /* a link elsewhere would be written through */
            next = link.type == H5L_TYPE_HARD ? H5Gopen2(parent, name, H5P_DEFAULT) : H5I_INVALID_HID;
        else
            status = pl__output_group(&next, parent, name, "dict", "0.1.0", where);
        if (parent != c->file) H5Gclose(parent);
        PL_TRY(status);
        if (next < 0) return pl__hdf5_fail(PL_E_INPUT, where, "%s: expected a group", path);
        parent = next;
        at = slash ? slash + 1 : NULL;
    }
    *group = parent;
    return PL_OK;
}

static pl_status drop(hid_t group, const char *name, const char *where)
{
    if (H5Lexists(group, name, H5P_DEFAULT) <= 0 || H5Ldelete(group, name, H5P_DEFAULT) >= 0) return PL_OK;
    return pl__hdf5_fail(PL_E_INPUT, where, "'%s' cannot be replaced", name);
}

static pl_status put_array(hid_t group, const pl_addition *a, const char *where)
{
    const size_t dims[2] = {a->rows, a->width};
    if (a->texts) return pl__output_texts(group, a->name, a->texts, a->rows, where);
    if (a->integers) return pl__output_array(NULL, group, a->name, H5T_STD_I64LE, dims, 1, a->integers, where);
    return pl__output_array(NULL, group, a->name, H5T_IEEE_F32LE, dims, a->width > 0 ? 2 : 1, a->values, where);
}

static pl_status add_array(const copy *c, const pl_addition *a, const char *where)
{
    hid_t group;
    PL_TRY(open_group(&group, c, a->group, where));
    pl_status status = drop(group, a->name, where);
    if (status == PL_OK) status = put_array(group, a, where);
    H5Gclose(group);
    return status;
}

static pl_status add_entries(const copy *c, const pl_entries *entries, const char *where)
{
    hid_t group;
    const char *name;
    const json_t *value;
    PL_TRY(open_group(&group, c, entries->group, where));
    pl_status status = PL_OK;
    json_object_foreach((json_t *)entries->values, name, value) if (status == PL_OK) status = drop(group, name, where);
    if (status == PL_OK) status = pl__output_entries(group, entries->values, where);
    H5Gclose(group);
    return status;
}

pl_status pl_matrices_add(const char *to, const char *from, const pl_addition *additions, size_t n,
                          const pl_entries *entries, size_t n_entries)
{
    copy c = {.file = H5I_INVALID_HID, .disk = {.fd = -1, .driver = H5I_INVALID_HID}};
    const char *where = from ? from : to;
    pl__hdf5_quiet(where);
    pl__hdf5_room(where);
    pl_status status = open_copy(&c, to, from);
    for (size_t i = 0; i < n && status == PL_OK; i++) status = add_array(&c, &additions[i], where);
    for (size_t i = 0; i < n_entries && status == PL_OK; i++) status = add_entries(&c, &entries[i], where);
    if (c.file >= 0 && H5Fclose(c.file) < 0 && status == PL_OK) status = pl__hdf5_fail(PL_E_IO, c.path, "cannot close");
    if (c.disk.fd >= 0) {
        if (c.disk.error) status = pl__disk_check(&c.disk);
        if (status == PL_OK) status = pl__disk_sync(&c.disk);
        pl__disk_close(&c.disk);
    }
    if (status == PL_OK) return pl_file_rename(c.path, to);
    if (*c.path) unlink(c.path);
    return status;
}
