/* Finding a model by name: a folder, or "name", "org/name", either with "@revision", in the local Hugging Face cache:
 *
 *   <cache>/models--org--name/refs/main          holds a commit hash
 *   <cache>/models--org--name/snapshots/<hash>/  the files
 *
 * Nothing is downloaded. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static const size_t REF_LIMIT_BYTES = 256;

/* The i-th cache folder to look in; false when its variable is not set. *known: false past the last. */
static pl_status cache_root(char out[PL_PATH_MAX], size_t i, bool *known)
{
    static const struct {
        const char *variable, *below;
    } roots[] = {
        {"HF_HUB_CACHE", ""},
        {"HF_HOME", "/hub"},
        {"XDG_CACHE_HOME", "/huggingface/hub"},
        {"HOME", "/.cache/huggingface/hub"},
    };
    out[0] = 0;
    *known = i < sizeof roots / sizeof *roots;
    const char *value = *known ? getenv(roots[i].variable) : NULL;
    return value && *value ? pl_path(out, "%s%s", value, roots[i].below) : PL_OK;
}

/* "org/name" as letters, digits, '.', '_', '-', with at most one '/': what the hub allows, and nothing that climbs. */
static bool is_hub_name(const char *name, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    const char *slash = memchr(name, '/', size);
    bool parts = !slash || (slash > name && slash + 1 < name + size &&
                            !memchr(slash + 1, '/', size - (size_t)(slash + 1 - name)));
    return size > 0 && strspn(name, allowed) >= size && parts && name[0] != '.';
}

/* snapshots/<revision>, or what refs/<revision> points to; "" when neither is there. */
static pl_status find_snapshot(char out[PL_PATH_MAX], const char *repository, const char *revision)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/snapshots/%s", repository, revision));
    if (pl_folder_exists(path)) return pl_path(out, "%s", path);
    PL_TRY(pl_path(path, "%s/refs/%s", repository, revision));
    out[0] = 0;
    if (!pl_file_exists(path)) return PL_OK;
    pl_bytes hash;
    PL_TRY(pl_file_read(&hash, path, REF_LIMIT_BYTES));
    hash.data[strcspn(hash.data, "\r\n \t")] = 0;
    pl_status status = PL_OK;
    if (*hash.data && !strchr(hash.data, '/') && *hash.data != '.')
        status = pl_path(path, "%s/snapshots/%s", repository, hash.data);
    pl_bytes_free(&hash);
    if (status == PL_OK && pl_folder_exists(path)) return pl_path(out, "%s", path);
    return status;
}

/* A snapshot that is there although no ref leads to it, the first by name; "" when there is none. */
static pl_status any_snapshot(char out[PL_PATH_MAX], const char *repository)
{
    char folder[PL_PATH_MAX], first[NAME_MAX + 1] = "";
    PL_TRY(pl_path(folder, "%s/snapshots", repository));
    out[0] = 0;
    DIR *d = opendir(folder);
    if (!d && errno == ENOMEM) return pl_fail(PL_E_MEMORY, "%s: out of memory while listing it", folder);
    if (!d && (errno == EMFILE || errno == ENFILE || errno == EIO)) /* it may well be there */
        return pl_fail(PL_E_IO, "%s: cannot list the folder: %s", folder, strerror(errno));
    if (!d) return PL_OK;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (e->d_name[0] != '.' && (!*first || strcmp(e->d_name, first) < 0))
            snprintf(first, sizeof first, "%s", e->d_name);
    closedir(d);
    return *first ? pl_path(out, "%s/%s", folder, first) : PL_OK;
}

/* "models--org--name" below a cache folder. */
static pl_status repository_path(char out[PL_PATH_MAX], const char *root, const char *name, size_t size)
{
    const char *slash = memchr(name, '/', size);
    if (!slash) return pl_path(out, "%s/models--%.*s", root, (int)size, name);
    size_t org = (size_t)(slash - name);
    return pl_path(out, "%s/models--%.*s--%.*s", root, (int)org, name, (int)(size - org - 1), slash + 1);
}

static pl_status find_in_caches(char folder[PL_PATH_MAX], pl_bytes *looked, const char *name, size_t size,
                                const char *revision)
{
    bool known = true;
    for (size_t i = 0; known; i++) {
        char root[PL_PATH_MAX], repository[PL_PATH_MAX];
        PL_TRY(cache_root(root, i, &known));
        if (!*root) continue;
        PL_TRY(repository_path(repository, root, name, size));
        PL_TRY(find_snapshot(folder, repository, revision));
        if (*folder) return PL_OK;
        char snapshot[PL_PATH_MAX];
        PL_TRY(any_snapshot(snapshot, repository));
        PL_TRY(pl_bytes_format(looked, "%s%s", looked->size ? ", " : "", repository));
        if (*snapshot)
            PL_TRY(pl_bytes_format(looked,
                                   " (no refs/%s leads to a snapshot there, an interrupted download? it has %s)",
                                   revision, snapshot));
    }
    return PL_OK;
}

pl_status pl_model_find(char folder[PL_PATH_MAX], const char *name)
{
    PL_TRY(pl_path(folder, "%s", name));
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--) folder[n - 1] = 0;
    if (pl_folder_exists(folder)) return PL_OK;

    const char *at = strrchr(name, '@'), *revision = at ? at + 1 : "main";
    size_t size = at ? (size_t)(at - name) : strlen(name);
    folder[0] = 0;
    if (!is_hub_name(name, size) || !is_hub_name(revision, strlen(revision)))
        return pl_fail(PL_E_INPUT, "model '%s': no such folder, and not a hub name (org/name or org/name@revision)",
                       name);
    pl_bytes looked = {0};
    pl_status status = find_in_caches(folder, &looked, name, size, revision);
    if (status == PL_OK && !*folder)
        status = pl_fail(
            PL_E_INPUT,
            "model '%s': no such folder, and revision '%s' is not in the local Hugging Face cache; looked in "
            "%s; give a folder, or fetch it: huggingface-cli download %.*s",
            name, revision, looked.data ? looked.data : "no cache (HF_HOME and HOME are not set)", (int)size, name);
    pl_bytes_free(&looked);
    return status;
}
