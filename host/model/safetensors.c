/* One safetensors file: 8 bytes of header length (little-endian), a JSON header, then the data.
 *
 *   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {...}}
 *
 * Offsets count from the end of the header. As the format demands, the tensors must cover the data without holes or
 * overlaps, so a truncated or lying file is found before anything is read from it. */
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/shard.h"

enum { LENGTH_BYTES = 8 };
static const uint64_t HEADER_LIMIT = 100u * 1000 * 1000; /* as the reference implementation */

static const struct element {
    const char *type;
    size_t bits;
    bool readable;
    pl_dtype dtype;
} elements[] = {
    {"F32", 32, true, PL_F32},    {"F16", 16, true, PL_F16}, {"BF16", 16, true, PL_BF16},  {"BOOL", 8, false, PL_U8},
    {"U8", 8, false, PL_U8},      {"I8", 8, false, PL_U8},   {"I16", 16, false, PL_U8},    {"U16", 16, false, PL_U8},
    {"I32", 32, false, PL_U8},    {"U32", 32, false, PL_U8}, {"I64", 64, false, PL_U8},    {"U64", 64, false, PL_U8},
    {"F64", 64, false, PL_U8},    {"C64", 64, false, PL_U8}, {"F8_E4M3", 8, false, PL_U8}, {"F8_E5M2", 8, false, PL_U8},
    {"F8_E8M0", 8, false, PL_U8}, {"F4", 4, false, PL_U8},   {"F6_E2M3", 6, false, PL_U8}, {"F6_E3M2", 6, false, PL_U8},
};

static const struct element *element_of(const char *type)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (strcmp(elements[i].type, type) == 0) return &elements[i];
    return NULL;
}

/* Reads "shape" into t->dims and gives the number of elements. */
static pl_status read_shape(pl_tensor *t, size_t *n_elements, const json_t *entry, const char *where)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape) || json_array_size(shape) > PL_TENSOR_DIMS)
        return pl_fail(PL_E_INPUT, "%s: tensor '%s': shape: expected a list of at most %d sizes", where, t->name,
                       PL_TENSOR_DIMS);
    t->n_dims = json_array_size(shape);
    *n_elements = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        const json_t *d = json_array_get(shape, i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return pl_fail(PL_E_INPUT, "%s: tensor '%s': shape: entry %zu is not a size", where, t->name, i);
        t->dims[i] = (size_t)json_integer_value(d);
        PL_TRY(pl_mul_size(n_elements, *n_elements, t->dims[i], where));
    }
    return PL_OK;
}

static pl_status read_offsets(size_t offsets[2], const pl_tensor *t, const json_t *entry, size_t data_bytes,
                              size_t data_first, const char *where)
{
    const json_t *list = json_object_get(entry, "data_offsets");
    for (size_t i = 0; i < 2; i++) {
        const json_t *v = json_array_size(list) == 2 ? json_array_get(list, i) : NULL;
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return pl_fail(PL_E_INPUT, "%s: tensor '%s': data_offsets: expected [begin, end]", where, t->name);
        offsets[i] = (size_t)json_integer_value(v);
    }
    if (offsets[0] > offsets[1] || offsets[1] > data_bytes)
        return pl_fail(PL_E_INPUT,
                       "%s: tensor '%s': data_offsets [%zu, %zu]: expected within 0..%zu, the bytes behind the header "
                       "(which ends at byte %zu); is the file truncated?",
                       where, t->name, offsets[0], offsets[1], data_bytes, data_first);
    return PL_OK;
}

static pl_status read_tensor(pl_tensor *t, const json_t *entry, const uint8_t *data, size_t data_bytes,
                             size_t data_first, const char *where)
{
    const char *type = NULL;
    size_t n_elements, bits, offsets[2];
    PL_TRY(pl_json_get_text(&type, entry, "dtype", where));
    const struct element *element = type ? element_of(type) : NULL;
    if (!element)
        return pl_fail(PL_E_INPUT, "%s: tensor '%s': dtype: '%s' is no type of the format", where, t->name,
                       type ? type : "(absent)");
    t->type = element->type;
    t->readable = element->readable;
    t->dtype = element->dtype;
    PL_TRY(read_shape(t, &n_elements, entry, where));
    PL_TRY(pl_mul_size(&bits, n_elements, element->bits, where));
    PL_TRY(read_offsets(offsets, t, entry, data_bytes, data_first, where));
    t->bytes = offsets[1] - offsets[0];
    if (bits % 8 != 0 || bits / 8 != t->bytes)
        return pl_fail(PL_E_INPUT, "%s: tensor '%s': %zu elements of %s take %zu bytes, but data_offsets hold %zu",
                       where, t->name, n_elements, t->type, bits / 8, t->bytes);
    t->data = data + offsets[0];
    return PL_OK;
}

static int by_place(const void *a, const void *b)
{
    const pl_tensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The tensors of one file must cover its data exactly. */
static pl_status check_cover(pl_tensor *tensors, size_t n, const uint8_t *data, size_t data_bytes, size_t data_first,
                             const char *where)
{
    if (n) qsort(tensors, n, sizeof *tensors, by_place);
    const uint8_t *end = data;
    for (size_t i = 0; i < n; i++) {
        const pl_tensor *t = &tensors[i];
        if (t->data != end)
            return pl_fail(PL_E_INPUT, "%s: at byte %zu: tensor '%s' %s", where, data_first + (size_t)(t->data - data),
                           t->name, t->data < end ? "overlaps another one" : "leaves a hole before it");
        end += t->bytes;
    }
    if ((size_t)(end - data) != data_bytes)
        return pl_fail(PL_E_INPUT, "%s: at byte %zu: %zu bytes that belong to no tensor", where,
                       data_first + (size_t)(end - data), data_bytes - (size_t)(end - data));
    return PL_OK;
}

static pl_status read_header(json_t **out, size_t *data_first, const uint8_t *data, size_t size, const char *where)
{
    uint64_t length = 0;
    if (size < LENGTH_BYTES)
        return pl_fail(PL_E_INPUT, "%s: %zu bytes, expected a safetensors file of at least %d", where, size,
                       LENGTH_BYTES);
    for (size_t i = 0; i < LENGTH_BYTES; i++) length |= (uint64_t)data[i] << (8 * i);
    if (length > HEADER_LIMIT)
        return pl_fail(PL_E_INPUT, "%s: at byte 0: header of %" PRIu64 " bytes, expected at most %" PRIu64, where,
                       length, HEADER_LIMIT);
    if (length > size - LENGTH_BYTES)
        return pl_fail(PL_E_INPUT, "%s: at byte 0: header of %" PRIu64 " bytes, but the file ends after %zu", where,
                       length, size - LENGTH_BYTES);
    *data_first = LENGTH_BYTES + (size_t)length;
    PL_TRY(pl_json_parse(out, (const char *)data + LENGTH_BYTES, (size_t)length, where));
    if (json_is_object(*out)) return PL_OK;
    json_decref(*out);
    *out = NULL;
    return pl_fail(PL_E_INPUT, "%s: at byte %d: expected a JSON object", where, LENGTH_BYTES);
}

pl_status pl__shard_parse(pl_safetensors *files, const uint8_t *data, size_t size, const char *where)
{
    json_t *header = NULL;
    size_t data_first = 0, first = files->n;
    PL_TRY(read_header(&header, &data_first, data, size, where));
    const uint8_t *start = data + data_first;
    size_t data_bytes = size - data_first;

    pl_status status = PL_OK;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        if (!json_is_object(entry)) {
            status = pl_fail(PL_E_INPUT, "%s: tensor '%s': expected an object", where, name);
            goto done;
        }
        PL_GOTO(status, done, pl_grow(&files->tensors, &files->capacity, files->n + 1));
        pl_tensor *t = &files->tensors[files->n];
        *t = (pl_tensor){.file = where};
        char *copy;
        PL_GOTO(status, done, pl_arena_text(files->arena, &copy, name, strlen(name)));
        t->name = copy;
        PL_GOTO(status, done, read_tensor(t, entry, start, data_bytes, data_first, where));
        files->n++;
    }
    PL_GOTO(status, done,
            check_cover(files->tensors ? files->tensors + first : NULL, files->n - first, start, data_bytes, data_first,
                        where));
done:
    json_decref(header);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const pl_tensor *)a)->name, ((const pl_tensor *)b)->name);
}

pl_status pl__safetensors_sort(pl_safetensors *files)
{
    if (files->n) qsort(files->tensors, files->n, sizeof *files->tensors, by_name);
    for (size_t i = 1; i < files->n; i++) {
        const pl_tensor *a = &files->tensors[i - 1], *b = &files->tensors[i];
        if (strcmp(a->name, b->name) == 0)
            return pl_fail(PL_E_INPUT, "%s: tensor '%s' stands in %s too", b->file, b->name, a->file);
    }
    return PL_OK;
}

pl_status pl__safetensors_new(pl_safetensors **out)
{
    PL_TRY(pl_new(out, 1));
    pl_status status = pl_arena_create(&(*out)->arena);
    if (status != PL_OK) {
        pl_safetensors_close(*out);
        *out = NULL;
    }
    return status;
}

pl_status pl_safetensors_parse(pl_safetensors **out, const uint8_t *data, size_t size, const char *where)
{
    *out = NULL;
    pl_safetensors *files;
    PL_TRY(pl__safetensors_new(&files));
    pl_status status;
    char *path;
    PL_GOTO(status, fail, pl_arena_text(files->arena, &path, where, strlen(where)));
    PL_GOTO(status, fail, pl__shard_parse(files, data, size, path));
    PL_GOTO(status, fail, pl__safetensors_sort(files));
    *out = files;
    return PL_OK;
fail:
    pl_safetensors_close(files);
    return status;
}

void pl_safetensors_close(pl_safetensors *files)
{
    if (!files) return;
    for (size_t i = 0; i < files->n_shards; i++) pl_file_unmap(&files->shards[i].map);
    free(files->shards);
    free(files->tensors);
    pl_arena_free(files->arena);
    free(files);
}

void pl__safetensors_drop(const pl_safetensors *files)
{
    for (size_t i = 0; i < files->n_shards; i++) pl_file_map_drop(&files->shards[i].map, 0, files->shards[i].map.size);
}

size_t pl_safetensors_count(const pl_safetensors *files)
{
    return files->n;
}

const pl_tensor *pl_safetensors_at(const pl_safetensors *files, size_t i)
{
    return i < files->n ? &files->tensors[i] : NULL;
}

const pl_tensor *pl_safetensors_find(const pl_safetensors *files, const char *name)
{
    pl_tensor key = {.name = name};
    return files->n ? bsearch(&key, files->tensors, files->n, sizeof key, by_name) : NULL;
}
