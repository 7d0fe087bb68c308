/* The digest of a checkpoint's tensors, part of every unit's identity.
 *
 * XXH3-128 over name, type, dims and bytes in name order, so that one file and its shards agree. Reading a large model
 * takes seconds, so the result is kept in the user's cache folder under the files' paths, sizes and times of change. */
#include "base/digest.h"
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>

#include "model/shard.h"

/* A file that was changed this recently may change again without its time moving on: its digest is not kept. */
static const int64_t SETTLED_NS = 2000000000;

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The cache file for these files as they are now; "" when there is no place for it or a file has just changed. */
static pl_status cache_path(char out[PL_PATH_MAX], const pl_safetensors *files)
{
    out[0] = 0;
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && cache[0] == '/';
    if (files->n_shards == 0 || (!own && (!home || !*home))) return PL_OK;

    pl_bytes key = {0};
    pl_status status;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    PL_GOTO(status, done, pl_bytes_text(&key, "plumb tensors 1\n"));
    for (size_t i = 0; i < files->n_shards; i++) {
        struct stat st;
        char full[PL_PATH_MAX];
        if (stat(files->shards[i].path, &st) != 0 || !realpath(files->shards[i].path, full)) goto done;
        int64_t changed = nanoseconds(st.st_mtim);
        if (nanoseconds(now) - changed < SETTLED_NS) goto done;
        PL_GOTO(status, done, pl_bytes_format(&key, "%s\n%lld %" PRId64 "\n", full, (long long)st.st_size, changed));
    }
    char hash[PL_HASH_TEXT];
    pl_hash128(hash, key.data, key.size);
    PL_GOTO(status, done, pl_path(out, "%s%s/plumb/digests/%s", own ? cache : home, own ? "" : "/.cache", hash));
done:
    pl_bytes_free(&key);
    return status;
}

static bool read_cache(char out[PL_HASH_TEXT], const char *path)
{
    pl_bytes text = {0};
    bool good = pl_file_exists(path) && pl_file_read(&text, path, PL_HASH_TEXT) == PL_OK &&
                text.size == PL_HASH_TEXT - 1 && strspn(text.data, "0123456789abcdef") == text.size;
    if (good) memcpy(out, text.data, PL_HASH_TEXT);
    pl_bytes_free(&text);
    return good;
}

/* Best effort: a read-only home is no error. */
static void write_cache(const char *path, const char digest[PL_HASH_TEXT])
{
    char folder[PL_PATH_MAX];
    if (pl_path_folder(folder, path) == PL_OK && pl_folder_make(folder) == PL_OK)
        (void)pl_file_replace(path, digest, PL_HASH_TEXT - 1);
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

pl_status pl_safetensors_digest(const pl_safetensors *files, char out[33])
{
    char path[PL_PATH_MAX];
    PL_TRY(cache_path(path, files));
    if (*path && read_cache(out, path)) return PL_OK;

    XXH3_state_t *state = XXH3_createState();
    if (!state) return pl_fail(PL_E_MEMORY, "out of memory: a digest's state");
    XXH3_128bits_reset(state);
    for (size_t i = 0; i < files->n; i++) hash_tensor(state, &files->tensors[i]);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    pl_hex(out, canonical.digest, sizeof canonical.digest);
    if (*path) write_cache(path, out);
    return PL_OK;
}
