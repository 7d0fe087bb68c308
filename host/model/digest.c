/* The digest of a checkpoint's tensors, part of every unit's identity.
 *
 * XXH3-128 over name, type, dims and bytes in name order, so that one file and its shards agree. Reading a large model
 * takes seconds, so the result is kept in the user's cache folder under what tells one state of the files from any
 * other (pl_file_stamp): path and size alone do not, as checkpoints of one architecture have one size, and times of
 * modification are copied and set back. */
#include "base/digest.h"
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/user_cache.h"
#include "model/shard.h"

/* A file that was changed this recently may change again without its time moving on: its digest is not kept. */
static const int64_t SETTLED_NS = 2000000000;

static bool is_settled(const pl_file_stamp *stamp)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t settled = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - SETTLED_NS;
    return stamp->modified_ns < settled && stamp->changed_ns < settled;
}

/* The cache file for these files as they were mapped; "" when there is no place for it or a file has just changed. */
static pl_status cache_path(char out[PL_PATH_MAX], const pl_safetensors *files)
{
    char folder[PL_PATH_MAX];
    out[0] = 0;
    PL_TRY(pl_user_cache(folder, "digests"));
    if (files->n_shards == 0 || !*folder) return PL_OK;

    pl_bytes key = {0};
    pl_status status;
    PL_GOTO(status, done, pl_bytes_text(&key, "plumb tensors 2\n"));
    for (size_t i = 0; i < files->n_shards; i++) {
        const pl_file_stamp *s = &files->shards[i].map.stamp;
        char full[PL_PATH_MAX];
        if (!is_settled(s) || !realpath(files->shards[i].path, full)) goto done;
        PL_GOTO(status, done,
                pl_bytes_format(&key, "%s\n%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 "\n", full,
                                s->device, s->inode, s->size, s->modified_ns, s->changed_ns));
    }
    char hash[PL_HASH_TEXT];
    pl_hash128(hash, key.data, key.size);
    PL_GOTO(status, done, pl_path(out, "%s/%s", folder, hash));
done:
    pl_bytes_free(&key);
    return status;
}

static bool read_cache(char out[PL_HASH_TEXT], const char *path)
{
    pl_map map;
    bool good = pl_user_cache_map(&map, path) && map.size == PL_HASH_TEXT - 1;
    if (good) memcpy(out, map.data, map.size);
    out[good ? map.size : 0] = 0;
    pl_file_unmap(&map);
    return good && strspn(out, "0123456789abcdef") == PL_HASH_TEXT - 1;
}

/* Best effort: a read-only home is no error. */
static void write_cache(const char *path, const char digest[PL_HASH_TEXT])
{
    char part[PL_PATH_MAX];
    int fd;
    if (!pl_user_cache_create(&fd, part, path)) return;
    pl_user_cache_finish(fd, part, path, pl_write_all(fd, digest, PL_HASH_TEXT - 1) && fsync(fd) == 0);
}

static void hash_size(XXH3_state_t *state, size_t n)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)n >> (8 * i));
    XXH3_128bits_update(state, bytes, sizeof bytes);
}

static void hash_tensor(XXH3_state_t *state, const pl_tensor *t)
{
    hash_size(state, strlen(t->name));
    XXH3_128bits_update(state, t->name, strlen(t->name));
    hash_size(state, strlen(t->type));
    XXH3_128bits_update(state, t->type, strlen(t->type));
    hash_size(state, t->n_dims);
    for (size_t d = 0; d < t->n_dims; d++) hash_size(state, t->dims[d]);
    XXH3_128bits_update(state, t->data, t->bytes);
}

static pl_status hash_all(char out[PL_HASH_TEXT], const pl_safetensors *files)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state) return pl_fail(PL_E_MEMORY, "out of memory: a digest's state");
    XXH3_128bits_reset(state);
    for (size_t i = 0; i < files->n; i++) hash_tensor(state, &files->tensors[i]);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    pl_hex(out, canonical.digest, sizeof canonical.digest);
    return PL_OK;
}

/* The first file whose bytes may have changed since it was mapped; NULL: none. One that another has replaced since is
 * not among them: the map is of the file that was there. */
static const char *changed_file(const pl_safetensors *files)
{
    for (size_t i = 0; i < files->n_shards; i++) {
        const pl__shard *shard = &files->shards[i];
        const pl_file_stamp *then = &shard->map.stamp;
        pl_file_stamp now;
        if (!pl_file_stamp_get(&now, shard->path) || now.device != then->device || now.inode != then->inode) continue;
        if (!pl_file_stamp_equal(&now, then)) return shard->path;
    }
    return NULL;
}

pl_status pl_safetensors_digest(const pl_safetensors *files, char out[33])
{
    char path[PL_PATH_MAX];
    PL_TRY(cache_path(path, files));
    bool cached = *path && read_cache(out, path);
    if (!cached) PL_TRY(hash_all(out, files));
    const char *changed = changed_file(files);
    if (changed)
        return pl_fail(PL_E_IO, "%s: changed while it was read: wait until it is written, then run again", changed);
    if (*path && !cached) write_cache(path, out);
    return PL_OK;
}

pl_status pl_safetensors_verify(const pl_safetensors *files, const char digest[33])
{
    char now[PL_HASH_TEXT];
    const char *changed = changed_file(files);
    if (!changed) return PL_OK;
    PL_TRY(hash_all(now, files));
    if (strcmp(now, digest) == 0) return PL_OK;
    return pl_fail(
        PL_E_IO,
        "%s: changed since this program began: its tensors have the digest %s, expected %s; run again, which "
        "takes it as another model",
        changed, now, digest);
}
