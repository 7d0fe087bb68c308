/* A checkpoint folder's tensors: model.safetensors, or the shards that model.safetensors.index.json names.
 *
 * The index says for each tensor in which file it stands. Index and files must agree both ways: a tensor missing from
 * its file, one that the index does not list, and a shard outside the folder are errors. */
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/json.h"
#include "model/shard.h"

static const char SINGLE[] = "model.safetensors";
static const char INDEX[] = "model.safetensors.index.json";
static const size_t INDEX_LIMIT_BYTES = 64u * 1024 * 1024;
static const size_t SHARD_LIMIT = 16384; /* far below the system's limit of maps a process */

static pl_status add_shard(pl_safetensors *files, const char *path)
{
    pl__shard *shard = &files->shards[files->n_shards];
    char *copy;
    PL_TRY(pl_arena_text(files->arena, &copy, path, strlen(path)));
    shard->path = copy;
    PL_TRY(pl_file_map(&shard->map, path));
    files->n_shards++;
    /* The file is read soon and as a whole: let the kernel begin. Advice only, so a refusal does not matter. */
    if (shard->map.size) (void)madvise((void *)(uintptr_t)shard->map.data, shard->map.size, MADV_WILLNEED);
    return pl__shard_parse(files, shard->map.data, shard->map.size, shard->path);
}

static pl_status open_single(pl_safetensors *files, const char *path)
{
    PL_TRY(pl_new(&files->shards, 1));
    return add_shard(files, path);
}

/* A shard is named by a plain file name: nothing outside the folder can be reached. */
static pl_status check_shard_name(const char *tensor, const json_t *name, const char *where)
{
    const char *text = json_string_value(name);
    if (!text || !*text || strlen(text) != json_string_length(name))
        return pl_fail(PL_E_INPUT, "%s: weight_map: '%s': expected a file name", where, tensor);
    if (strchr(text, '/') || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return pl_fail(PL_E_INPUT, "%s: weight_map: '%s': '%s' is not a plain file name beside the index", where,
                       tensor, text);
    return PL_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* names = the distinct shard names of the map, sorted; borrowed from it. */
static pl_status shard_names(const char ***names, size_t *n, json_t *map, const char *where)
{
    *n = 0;
    PL_TRY(pl_new(names, json_object_size(map)));
    const char *tensor;
    json_t *name;
    json_object_foreach(map, tensor, name)
    {
        PL_TRY(check_shard_name(tensor, name, where));
        (*names)[(*n)++] = json_string_value(name);
    }
    qsort(*names, *n, sizeof **names, by_text);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (kept == 0 || strcmp((*names)[kept - 1], (*names)[i]) != 0) (*names)[kept++] = (*names)[i];
    *n = kept;
    if (kept > SHARD_LIMIT)
        return pl_fail(PL_E_INPUT, "%s: weight_map: %zu files, expected at most %zu", where, kept, SHARD_LIMIT);
    return PL_OK;
}

/* Every tensor of the files is where the index says, and every tensor of the index is in the files. */
static pl_status check_agreement(const pl_safetensors *files, json_t *map, const char *folder, const char *where)
{
    size_t skip = strlen(folder) + 1;
    for (size_t i = 0; i < files->n; i++) {
        const pl_tensor *t = &files->tensors[i];
        const char *name = json_string_value(json_object_get(map, t->name));
        if (!name) return pl_fail(PL_E_INPUT, "%s: tensor '%s' is not listed in %s", t->file, t->name, where);
        if (strcmp(name, t->file + skip) != 0)
            return pl_fail(PL_E_INPUT, "%s: tensor '%s' stands here, but %s says '%s'", t->file, t->name, where, name);
    }
    const char *tensor;
    json_t *name;
    json_object_foreach(map, tensor, name) if (!pl_safetensors_find(files, tensor)) return pl_fail(
        PL_E_INPUT, "%s/%s: tensor '%s' is missing, but %s says it stands here", folder, json_string_value(name),
        tensor, where);
    return PL_OK;
}

static pl_status open_index(pl_safetensors *files, const char *folder, const char *path)
{
    json_t *index = NULL;
    const char **names = NULL;
    size_t n = 0;
    PL_TRY(pl_json_read(&index, path, INDEX_LIMIT_BYTES));
    pl_status status;
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map)) {
        status = pl_fail(PL_E_INPUT, "%s: weight_map: expected an object from tensor names to files", path);
        goto done;
    }
    PL_GOTO(status, done, shard_names(&names, &n, map, path));
    PL_GOTO(status, done, pl_new(&files->shards, n));
    for (size_t i = 0; i < n; i++) {
        char shard[PL_PATH_MAX];
        PL_GOTO(status, done, pl_path(shard, "%s/%s", folder, names[i]));
        bool exists;
        PL_GOTO(status, done, pl_file_find(&exists, shard));
        if (!exists) {
            status = pl_fail(PL_E_INPUT, "%s: the file is missing, but %s names it", shard, path);
            goto done;
        }
        PL_GOTO(status, done, add_shard(files, shard));
    }
    PL_GOTO(status, done, pl__safetensors_sort(files));
    PL_GOTO(status, done, check_agreement(files, map, folder, path));
done:
    free(names);
    json_decref(index);
    return status;
}

/* Neither form is there: say what to do about what is. */
static pl_status fail_absent(const char *folder)
{
    char bin[PL_PATH_MAX], bin_index[PL_PATH_MAX];
    PL_TRY(pl_path(bin, "%s/pytorch_model.bin", folder));
    PL_TRY(pl_path(bin_index, "%s/pytorch_model.bin.index.json", folder));
    if (pl_file_exists(bin) || pl_file_exists(bin_index))
        return pl_fail(
            PL_E_UNSUPPORTED,
            "%s: only pytorch_model.bin is there, which is not read (it can run code); convert it: python -c "
            "\"from transformers import AutoModelForCausalLM as M; M.from_pretrained('%s')"
            ".save_pretrained('%s', safe_serialization=True)\"",
            folder, folder, folder);
    return pl_fail(PL_E_INPUT, "%s: expected %s or %s, found neither", folder, SINGLE, INDEX);
}

pl_status pl_safetensors_open(pl_safetensors **out, const char *folder)
{
    *out = NULL;
    char single[PL_PATH_MAX], index[PL_PATH_MAX];
    PL_TRY(pl_path(single, "%s/%s", folder, SINGLE));
    PL_TRY(pl_path(index, "%s/%s", folder, INDEX));
    bool is_single, is_index;
    PL_TRY(pl_file_find(&is_single, single));
    PL_TRY(pl_file_find(&is_index, index));
    if (!is_single && !is_index) return fail_absent(folder);

    pl_safetensors *files;
    PL_TRY(pl__safetensors_new(&files));
    pl_status status;
    if (is_single) {
        PL_GOTO(status, fail, open_single(files, single));
        PL_GOTO(status, fail, pl__safetensors_sort(files));
    } else {
        PL_GOTO(status, fail, open_index(files, folder, index));
    }
    *out = files;
    return PL_OK;
fail:
    pl_safetensors_close(files);
    return status;
}
