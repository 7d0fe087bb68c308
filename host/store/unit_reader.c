/* Reading a unit file (unit_file.h). What does not agree with itself (lengths, index pointers, types) is PL_E_INPUT. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "store/hdf5_object.h"

struct pl_unit_reader {
    char path[PL_PATH_MAX];
    pl__input in;
    size_t n_rows; /* of /obs */
};

static pl_status get_entry(const pl_unit_reader *r, const char *name, json_t **value)
{
    char path[PL_PATH_MAX];
    *value = NULL;
    PL_TRY(pl__output_name(r->path, name));
    PL_TRY(pl_path(path, "/uns/plumb/%s", name));
    return pl__input_scalar(value, &r->in, path);
}

static pl_status expect_integer(const pl_unit_reader *r, const char *name, json_int_t expected, const char *advice)
{
    json_t *value;
    PL_TRY(get_entry(r, name, &value));
    bool fits = json_is_integer(value) && json_integer_value(value) == expected;
    long long found = json_integer_value(value);
    json_decref(value);
    if (fits) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: /uns/plumb/%s is %lld, expected %lld: %s", r->path, name, found,
                   (long long)expected, advice);
}

static pl_status check_marks(pl_unit_reader *r)
{
    static const char *const groups[] = {"/obs", "/uns", "/uns/plumb"};
    bool has;
    for (int i = 0; i < 3; i++) {
        PL_TRY(pl__input_find(&has, &r->in, groups[i]));
        if (!has) return pl_fail(PL_E_INPUT, "%s: no file of plumb: expected /obs and /uns/plumb in it", r->path);
    }
    PL_TRY(pl__input_find(&has, &r->in, "/uns/plumb/format_version"));
    if (!has)
        return pl_fail(PL_E_INPUT,
                       "%s: of format version 1, expected %d: run the unit again, or use the plumb that wrote it",
                       r->path, (int)PL_UNIT_FORMAT_VERSION);
    PL_TRY(expect_integer(r, "format_version", PL_UNIT_FORMAT_VERSION, "use the plumb that wrote it"));
    PL_TRY(pl__input_find(&has, &r->in, "/uns/plumb/complete"));
    if (!has) return pl_fail(PL_E_INPUT, "%s: not complete: its writer never finished it; run the unit again", r->path);
    PL_TRY(expect_integer(r, "complete", 1, "run the unit again"));
    hid_t index;
    size_t dims[2] = {0};
    PL_TRY(pl__input_open(&index, dims, &r->in, "/obs/_index", 1, H5T_STRING));
    H5Dclose(index);
    r->n_rows = dims[0];
    return PL_OK;
}

pl_status pl_unit_open(pl_unit_reader **out, const char *path)
{
    *out = NULL;
    pl_unit_reader *r;
    PL_TRY(pl_new(&r, 1));
    r->in = (pl__input){.file = H5I_INVALID_HID};
    pl_status status;
    PL_GOTO(status, failed, pl_path(r->path, "%s", path));
    PL_GOTO(status, failed, pl__input_open_file(&r->in, r->path));
    PL_GOTO(status, failed, check_marks(r));
    *out = r;
    return PL_OK;
failed:
    pl_unit_close(r);
    return status;
}

void pl_unit_close(pl_unit_reader *r)
{
    if (!r) return;
    pl__input_close_file(&r->in);
    free(r);
}

pl_status pl_unit_get_obs(const pl_unit_reader *r, const char *const *names, size_t n, pl_frame **out)
{
    pl__hdf5_quiet(r->path);
    return pl__input_frame(out, &r->in, "/obs", r->n_rows, names, n);
}

pl_status pl_unit_list_obs(const pl_unit_reader *r, pl_arena *arena, const char ***names, size_t *n)
{
    pl__hdf5_quiet(r->path);
    return pl__input_members(names, n, &r->in, "/obs", arena);
}

pl_status pl_unit_list_states(const pl_unit_reader *r, pl_arena *arena, const char ***names, size_t *n)
{
    pl__hdf5_quiet(r->path);
    return pl__input_members(names, n, &r->in, "/obsm", arena);
}

static pl_status wrong_length(const pl_unit_reader *r, const char *name, size_t found, size_t expected)
{
    return pl_fail(PL_E_INPUT, "%s: %s: %zu elements, expected %zu", r->path, name, found, expected);
}

/* A matrix of a group by its name. */
static pl_status get_matrix(const pl_unit_reader *r, const char *group, const char *name, float **values, size_t *rows,
                            size_t *width)
{
    pl__hdf5_quiet(r->path);
    char path[PL_PATH_MAX];
    *values = NULL;
    PL_TRY(pl__output_name(r->path, name));
    PL_TRY(pl_path(path, "%s/%s", group, name));
    return pl__input_matrix(values, rows, width, &r->in, path);
}

pl_status pl_unit_get_states(const pl_unit_reader *r, const char *name, float **values, size_t *rows, size_t *width)
{
    PL_TRY(get_matrix(r, "/obsm", name, values, rows, width));
    if (*rows == r->n_rows) return PL_OK;
    free(*values);
    *values = NULL;
    return wrong_length(r, name, *rows, r->n_rows);
}

static bool is_contiguous(hid_t dataset)
{
    hid_t creation = H5Dget_create_plist(dataset);
    H5D_layout_t layout = H5Pget_layout(creation);
    H5Pclose(creation);
    return layout == H5D_CONTIGUOUS;
}

/* Bytes in one piece can only be there or not. Chunks, as repacking makes them, have an index and filters of their own:
 * they are read. */
static pl_status check_chunks(const pl_unit_reader *r, const char *path)
{
    float *values;
    size_t rows, width;
    pl_status status = pl__input_matrix(&values, &rows, &width, &r->in, path);
    free(values);
    return status;
}

pl_status pl_unit_check_states(const pl_unit_reader *r, pl_arena *arena)
{
    const char **names;
    size_t n;
    PL_TRY(pl_unit_list_states(r, arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        char path[PL_PATH_MAX];
        hid_t dataset;
        size_t dims[2];
        PL_TRY(pl__output_name(r->path, names[i]));
        PL_TRY(pl_path(path, "/obsm/%s", names[i]));
        PL_TRY(pl__input_open(&dataset, dims, &r->in, path, 2, H5T_FLOAT));
        bool plain = is_contiguous(dataset);
        H5Dclose(dataset);
        if (dims[0] != r->n_rows) return wrong_length(r, path, dims[0], r->n_rows);
        if (!plain) PL_TRY(check_chunks(r, path));
    }
    return PL_OK;
}

pl_status pl_unit_get_states_all(const pl_unit_reader *r, const char *layer, float **values, size_t *tokens,
                                 size_t *width)
{
    return get_matrix(r, "/uns/plumb/states_all", layer, values, tokens, width);
}

pl_status pl_unit_get_logits(const pl_unit_reader *r, float **values, size_t *rows, size_t *width)
{
    return get_matrix(r, "/uns/plumb", "logits", values, rows, width);
}

/* What a list is read as. */
struct list {
    const char *name;
    H5T_class_t type_class;
    hid_t type;
    void *out; /* T ** */
};

/* Reads a list that must have n elements. */
static pl_status get_list(const pl_unit_reader *r, pl_arena *arena, const struct list *list, size_t n)
{
    void *data;
    size_t found;
    PL_TRY(pl__input_array(&data, &found, &r->in, list->name, list->type_class, list->type, arena));
    if (found != n) return wrong_length(r, list->name, found, n);
    memcpy(list->out, &data, sizeof data);
    return PL_OK;
}

/* Index pointers of CSR: n + 1 of them, from 0, never falling; *total is the last. */
static pl_status get_indptr(const pl_unit_reader *r, pl_arena *arena, const char *name, uint64_t **out, size_t n,
                            size_t *total)
{
    const struct list list = {name, H5T_INTEGER, H5T_NATIVE_UINT64, out};
    PL_TRY(get_list(r, arena, &list, n + 1));
    for (size_t i = 0; i <= n; i++)
        if ((i == 0 && (*out)[0] != 0) || (i > 0 && (*out)[i] < (*out)[i - 1]))
            return pl_fail(PL_E_INPUT, "%s: %s: element %zu is %llu: expected 0 first and no fall after it", r->path,
                           name, i, (unsigned long long)(*out)[i]);
    *total = (size_t)(*out)[n];
    return PL_OK;
}

pl_status pl_unit_get_loglik(const pl_unit_reader *r, pl_arena *arena, pl_loglik *out)
{
    pl__hdf5_quiet(r->path);
    *out = (pl_loglik){.n_rows = r->n_rows};
    pl_loglik *l = out;
    PL_TRY(get_indptr(r, arena, "/uns/plumb/loglik/choice_indptr", &l->choice_indptr, l->n_rows, &l->n_choices));
    /* The list of pointers is as long as the file says it is, before its length is believed. */
    if (l->n_choices > r->in.file_bytes)
        return wrong_length(r, "/uns/plumb/loglik/token_indptr", l->n_choices, (size_t)r->in.file_bytes);
    PL_TRY(get_indptr(r, arena, "/uns/plumb/loglik/token_indptr", &l->token_indptr, l->n_choices, &l->n_tokens));
    const struct list of_tokens[] = {
        {"/uns/plumb/loglik/token_ids", H5T_INTEGER, H5T_NATIVE_INT32, &l->token_ids},
        {"/uns/plumb/loglik/values", H5T_FLOAT, H5T_NATIVE_FLOAT, &l->values},
        {"/uns/plumb/loglik/greedy", H5T_INTEGER, H5T_NATIVE_UINT8, &l->greedy},
    };
    const struct list of_choices[] = {
        {"/uns/plumb/loglik/choice_bytes", H5T_INTEGER, H5T_NATIVE_UINT32, &l->choice_bytes},
        {"/uns/plumb/loglik/choice_characters", H5T_INTEGER, H5T_NATIVE_UINT32, &l->choice_characters},
        {"/uns/plumb/loglik/score", H5T_FLOAT, H5T_NATIVE_DOUBLE, &l->score},
    };
    for (size_t i = 0; i < 3; i++) PL_TRY(get_list(r, arena, &of_tokens[i], l->n_tokens));
    for (size_t i = 0; i < 3; i++) PL_TRY(get_list(r, arena, &of_choices[i], l->n_choices));
    return PL_OK;
}

pl_status pl_unit_get_scores(const pl_unit_reader *r, pl_arena *arena, pl_loglik *out)
{
    pl__hdf5_quiet(r->path);
    *out = (pl_loglik){.n_rows = r->n_rows};
    const struct list score = {"/uns/plumb/loglik/score", H5T_FLOAT, H5T_NATIVE_DOUBLE, &out->score};
    const struct list characters = {"/uns/plumb/loglik/choice_characters", H5T_INTEGER, H5T_NATIVE_UINT32,
                                    &out->choice_characters};
    PL_TRY(get_indptr(r, arena, "/uns/plumb/loglik/choice_indptr", &out->choice_indptr, out->n_rows, &out->n_choices));
    PL_TRY(get_indptr(r, arena, "/uns/plumb/loglik/token_indptr", &out->token_indptr, out->n_choices, &out->n_tokens));
    PL_TRY(get_list(r, arena, &characters, out->n_choices));
    return get_list(r, arena, &score, out->n_choices);
}

pl_status pl_unit_get_labels(const pl_unit_reader *r, pl_arena *arena, pl_labels *out)
{
    pl__hdf5_quiet(r->path);
    *out = (pl_labels){0};
    size_t n_ids, rows, width;
    PL_TRY(pl__input_texts(&out->text, &out->n, &r->in, "/uns/plumb/labels/text", arena));
    PL_TRY(get_indptr(r, arena, "/uns/plumb/labels/indptr", &out->indptr, out->n, &n_ids));
    const struct list ids = {"/uns/plumb/labels/ids", H5T_INTEGER, H5T_NATIVE_INT32, &out->ids};
    PL_TRY(get_list(r, arena, &ids, n_ids));
    float *values;
    PL_TRY(get_matrix(r, "/uns/plumb/labels", "unembedding", &values, &rows, &width));
    pl_status status;
    if (rows != out->n) {
        status = wrong_length(r, "/uns/plumb/labels/unembedding", rows, out->n);
        goto done;
    }
    PL_GOTO(status, done, pl_arena_new(arena, &out->unembedding, rows * width));
    if (rows * width > 0) memcpy(out->unembedding, values, rows * width * sizeof *values);
    out->width = width;
done:
    free(values);
    return status;
}

pl_status pl_unit_get_content_free(const pl_unit_reader *r, pl_arena *arena, pl_content_free *out)
{
    pl__hdf5_quiet(r->path);
    static const char name[] = "/uns/plumb/content_free/score";
    bool has;
    hid_t dataset;
    size_t dims[2] = {0};
    *out = (pl_content_free){0};
    PL_TRY(pl__input_find(&has, &r->in, "/uns/plumb/content_free"));
    if (!has) return PL_OK;
    PL_TRY(pl__input_texts(&out->prompt, &out->n, &r->in, "/uns/plumb/content_free/prompt", arena));
    PL_TRY(pl__input_open(&dataset, dims, &r->in, name, 2, H5T_FLOAT));
    out->n_labels = out->n ? dims[1] : 0; /* of no rows a file may claim any width */
    pl_status status = dims[0] == out->n ? PL_OK : wrong_length(r, name, dims[0], out->n);
    PL_GOTO(status, done, status);
    PL_GOTO(status, done, pl_arena_new(arena, &out->score, dims[0] * dims[1]));
    if (dims[0] * dims[1] > 0 && H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out->score) < 0)
        status = pl__hdf5_fail(PL_E_INPUT, r->path, "%s: cannot read", name);
done:
    H5Dclose(dataset);
    return status;
}

pl_status pl_unit_get_ranges(const pl_unit_reader *r, pl_arena *arena, uint64_t **indptr, uint64_t **ranges,
                             size_t *n_ranges)
{
    pl__hdf5_quiet(r->path);
    static const char name[] = "/uns/plumb/states_all/ranges";
    PL_TRY(get_indptr(r, arena, "/uns/plumb/states_all/indptr", indptr, r->n_rows, n_ranges));
    hid_t dataset;
    size_t dims[2] = {0};
    PL_TRY(pl__input_open(&dataset, dims, &r->in, name, 2, H5T_INTEGER));
    pl_status status = PL_OK;
    if (dims[0] != *n_ranges || dims[1] != 2) {
        status = wrong_length(r, name, dims[0] * dims[1], 2 * *n_ranges);
        goto done;
    }
    PL_GOTO(status, done, pl_arena_new(arena, ranges, 2 * dims[0]));
    if (dims[0] > 0 && H5Dread(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, *ranges) < 0)
        status = pl__hdf5_fail(PL_E_INPUT, r->path, "%s: cannot read", name);
done:
    H5Dclose(dataset);
    return status;
}

pl_status pl_unit_get_tokens(const pl_unit_reader *r, pl_arena *arena, uint64_t **indptr, int32_t **ids)
{
    pl__hdf5_quiet(r->path);
    size_t n_ids;
    bool has;
    *indptr = NULL;
    *ids = NULL;
    PL_TRY(pl__input_find(&has, &r->in, "/uns/plumb/tokens"));
    if (!has) return PL_OK;
    PL_TRY(get_indptr(r, arena, "/uns/plumb/tokens/indptr", indptr, r->n_rows, &n_ids));
    const struct list list = {"/uns/plumb/tokens/ids", H5T_INTEGER, H5T_NATIVE_INT32, ids};
    return get_list(r, arena, &list, n_ids);
}

pl_status pl_unit_get_numbers(const pl_unit_reader *r, pl_arena *arena, const char *group, pl_numbers *array)
{
    pl__hdf5_quiet(r->path);
    char name[PL_PATH_MAX];
    hid_t dataset;
    size_t dims[2] = {0};
    double *values;
    PL_TRY(pl_path(name, "/uns/plumb/%s/%s", group, array->name));
    PL_TRY(pl__input_open(&dataset, dims, &r->in, name, array->width ? 2 : 1, H5T_FLOAT));
    pl_status status = PL_OK;
    array->n = array->width ? dims[0] * dims[1] : dims[0];
    if (array->width) array->width = dims[1];
    PL_GOTO(status, done, pl_arena_new(arena, &values, array->n));
    array->values = values;
    if (array->n > 0 && H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = pl__hdf5_fail(PL_E_INPUT, r->path, "%s: cannot read", name);
done:
    H5Dclose(dataset);
    return status;
}

pl_status pl_unit_get_samples(const pl_unit_reader *r, pl_arena *arena, const char ***json, size_t *n)
{
    pl__hdf5_quiet(r->path);
    PL_TRY(pl__input_texts(json, n, &r->in, "/uns/plumb/samples", arena));
    return *n == r->n_rows ? PL_OK : wrong_length(r, "/uns/plumb/samples", *n, r->n_rows);
}

pl_status pl_unit_get_attribute(const pl_unit_reader *r, const char *name, json_t **value)
{
    pl__hdf5_quiet(r->path);
    return get_entry(r, name, value);
}

pl_status pl_unit_get_config(const pl_unit_reader *r, json_t **config)
{
    *config = NULL;
    json_t *text;
    PL_TRY(pl_unit_get_attribute(r, "config_json", &text));
    pl_status status = PL_OK;
    if (json_is_string(text)) {
        char where[PL_PATH_MAX];
        status = pl_path(where, "%.*s: config_json", PL_PATH_MAX - 32, r->path);
        if (status == PL_OK) status = pl_json_parse(config, json_string_value(text), json_string_length(text), where);
    } else {
        status = pl_fail(PL_E_INPUT, "%s: /uns/plumb/config_json: expected a text", r->path);
    }
    json_decref(text);
    return status;
}
