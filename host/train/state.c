#include "train/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/temporary.h"

static const char MAGIC[8] = "PLTRAIN1";
enum { HEAD_BYTES = 16, CHECKSUM_BYTES = 16 };
static const size_t JSON_LIMIT_BYTES = (size_t)1 << 30;
static const size_t CHUNK = 2u * 1024 * 1024; /* elements that pass through host memory at a time */

/* ---- The checksum: a chain over pieces ---- */

typedef struct chain {
    uint64_t words[2];
} chain;

static void chain_add(chain *c, const void *data, size_t size)
{
    uint64_t link[4] = {c->words[0], c->words[1]};
    pl_hash128_words(link + 2, data, size);
    pl_hash128_words(c->words, link, sizeof link);
}

/* ---- Writing ---- */

typedef struct writer {
    int fd;
    const char *path;
    chain sum;
} writer;

static pl_status put(writer *w, const void *data, size_t size)
{
    if (!pl_write_all(w->fd, data, size))
        return pl_fail(PL_E_IO, "%s: cannot write training state: %s", w->path, strerror(errno));
    chain_add(&w->sum, data, size);
    return PL_OK;
}

static pl_view piece(pl_view array, size_t first, size_t n)
{
    array.offset += first;
    array.columns = array.stride = n;
    return array;
}

static size_t piece_size(const pl_view *array, size_t first)
{
    return array->columns - first < CHUNK ? array->columns - first : CHUNK;
}

static pl_status put_arrays(writer *w, const pl_processor *processor, const pl_view *arrays, size_t n_arrays)
{
    pl_stream *stream = NULL;
    float *values = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&values, CHUNK));
    PL_GOTO(status, done, processor->ops->stream_create(processor->device, &stream));
    for (size_t a = 0; a < n_arrays; a++)
        for (size_t first = 0, n; first < arrays[a].columns; first += n) {
            n = piece_size(&arrays[a], first);
            PL_GOTO(status, done, pl_download(processor, stream, values, piece(arrays[a], first, n)));
            PL_GOTO(status, done, processor->ops->stream_wait(stream));
            PL_GOTO(status, done, put(w, values, n * sizeof *values));
        }
done:
    if (stream) processor->ops->stream_free(stream);
    free(values);
    return status;
}

static pl_status write_file(writer *w, const pl_processor *processor, const pl_bytes *json, const pl_view *arrays,
                            size_t n_arrays)
{
    uint8_t head[HEAD_BYTES];
    memcpy(head, MAGIC, sizeof MAGIC);
    for (size_t i = 0; i < 8; i++) head[8 + i] = (uint8_t)(json->size >> (8 * i));
    PL_TRY(put(w, head, sizeof head));
    PL_TRY(put(w, json->data, json->size));
    PL_TRY(put_arrays(w, processor, arrays, n_arrays));
    const chain sum = w->sum;
    PL_TRY(put(w, sum.words, sizeof sum.words));
    if (fsync(w->fd) != 0)
        return pl_fail(PL_E_IO, "%s: cannot write training state to the disk: %s", w->path, strerror(errno));
    return PL_OK;
}

pl_status pl__state_write(const char *path, const pl_processor *processor, const json_t *facts, const pl_view *arrays,
                          size_t n_arrays)
{
    char part[PL_PATH_MAX];
    pl_bytes json = {0};
    writer w = {.fd = -1, .path = path};
    pl_status status;
    PL_GOTO(status, done, pl_json_canonical(&json, facts));
    PL_GOTO(status, done, pl_temporary_create(&w.fd, part, path));
    status = write_file(&w, processor, &json, arrays, n_arrays);
    if (close(w.fd) != 0 && status == PL_OK)
        status = pl_fail(PL_E_IO, "%s: cannot write training state: %s", path, strerror(errno));
    if (status == PL_OK)
        status = pl_file_rename(part, path);
    else
        (void)unlink(part);
done:
    pl_bytes_free(&json);
    return status;
}

/* ---- Reading ---- */

static pl_status damaged(const char *path, const char *what)
{
    return pl_fail(PL_E_INPUT, "%s: this training state %s; remove it to train from the beginning", path, what);
}

/* The length of the JSON; checks the head. */
static pl_status json_bytes(size_t *out, const pl_map *map, const char *path)
{
    if (map->size < HEAD_BYTES + CHECKSUM_BYTES || memcmp(map->data, MAGIC, sizeof MAGIC) != 0)
        return damaged(path, "is cut short or no training state at all");
    *out = 0;
    for (size_t i = 0; i < 8; i++) *out |= (size_t)map->data[8 + i] << (8 * i);
    if (*out > JSON_LIMIT_BYTES || *out > map->size - HEAD_BYTES - CHECKSUM_BYTES)
        return damaged(path, "is damaged or cut short");
    return PL_OK;
}

pl_status pl__state_facts(json_t **facts, bool *found, const char *path)
{
    *facts = NULL;
    PL_TRY(pl_file_find(found, path));
    if (!*found) return PL_OK;
    pl_map map;
    size_t n;
    PL_TRY(pl_file_map(&map, path));
    pl_status status = json_bytes(&n, &map, path);
    if (status == PL_OK && pl_json_parse(facts, (const char *)map.data + HEAD_BYTES, n, path) != PL_OK)
        status = damaged(path, "is damaged");
    if (status == PL_OK && !json_is_object(*facts)) status = damaged(path, "is damaged");
    if (status != PL_OK) {
        json_decref(*facts);
        *facts = NULL;
    }
    pl_file_unmap(&map);
    return status;
}

static pl_status get_arrays(const pl_map *map, size_t at, chain *sum, const pl_processor *processor,
                            const pl_view *arrays, size_t n_arrays)
{
    pl_stream *stream = NULL;
    float *values = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&values, CHUNK));
    PL_GOTO(status, done, processor->ops->stream_create(processor->device, &stream));
    for (size_t a = 0; a < n_arrays; a++)
        for (size_t first = 0, n; first < arrays[a].columns; first += n) {
            n = piece_size(&arrays[a], first);
            memcpy(values, map->data + at, n * sizeof *values);
            chain_add(sum, values, n * sizeof *values);
            PL_GOTO(status, done, pl_upload(processor, stream, piece(arrays[a], first, n), values));
            PL_GOTO(status, done, processor->ops->stream_wait(stream));
            pl_file_map_drop(map, at, at + n * sizeof *values);
            at += n * sizeof *values;
        }
done:
    if (stream) processor->ops->stream_free(stream);
    free(values);
    return status;
}

pl_status pl__state_read(const char *path, const pl_processor *processor, const pl_view *arrays, size_t n_arrays)
{
    pl_map map;
    size_t n, size = HEAD_BYTES + CHECKSUM_BYTES;
    chain sum = {{0}};
    PL_TRY(pl_file_map(&map, path));
    pl_status status;
    PL_GOTO(status, done, json_bytes(&n, &map, path));
    for (size_t a = 0; a < n_arrays; a++) size += arrays[a].columns * sizeof(float);
    if (map.size != size + n) {
        status = damaged(path, "is cut short");
        goto done;
    }
    chain_add(&sum, map.data, HEAD_BYTES);
    chain_add(&sum, map.data + HEAD_BYTES, n);
    PL_GOTO(status, done, get_arrays(&map, HEAD_BYTES + n, &sum, processor, arrays, n_arrays));
    if (memcmp(map.data + map.size - CHECKSUM_BYTES, sum.words, sizeof sum.words) != 0)
        status = damaged(path, "is damaged: its checksum is another");
done:
    pl_file_unmap(&map);
    return status;
}
