/* A trained model as a Hugging Face checkpoint folder: everything is written into a temporary folder beside it, synced,
 * and renamed. Parts of a slot go back to their own tensors, in the family's stored names and layouts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/half.h"
#include "base/json.h"
#include "base/temporary.h"
#include "model/masters.h"
#include "model/wrapper.h"

static const size_t CONFIG_LIMIT_BYTES = 4u * 1024 * 1024, TOKENIZER_LIMIT_BYTES = 512u * 1024 * 1024;

/* What else a checkpoint folder holds; copied as it stands where it is there. */
static const char *const copied[] = {
    "generation_config.json",  "tokenizer.json",    "tokenizer_config.json", "vocab.json",      "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",   "tokenizer.model",
};
enum { N_COPIED = sizeof copied / sizeof *copied };

/* ---- model.safetensors ----------------------------------------------------------------------------------------- */

typedef struct file_sink {
    pl__sink sink;
    int fd;
    size_t at; /* byte of the tensor's first element */
    const char *path;
    pl_dtype storage;
} file_sink;

static pl_status write_at(int fd, const char *path, const void *data, size_t size, size_t at)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
        done += (size_t)n;
    }
    return PL_OK;
}

static pl_status put_file(pl__sink *sink, size_t first, const float *values, size_t n)
{
    const file_sink *f = (const file_sink *)sink;
    enum { CHUNK = 4096 };
    uint16_t halves[CHUNK];
    if (f->storage == PL_F32)
        return write_at(f->fd, f->path, values, n * sizeof *values, f->at + first * sizeof *values);
    for (size_t i = 0, part; i < n; i += part) {
        part = n - i < CHUNK ? n - i : CHUNK;
        (void)pl_bf16_from_f32(halves, values + i, part);
        PL_TRY(write_at(f->fd, f->path, halves, part * sizeof *halves, f->at + (first + i) * sizeof *halves));
    }
    return PL_OK;
}

static pl_status add_entry(json_t *header, const pl_config *c, const pl__tensor_fact *fact, size_t at, pl_dtype storage,
                           size_t *bytes)
{
    char name[PL__TENSOR_NAME];
    pl__fact_name(name, c->family->prefixes[0], "", c, fact, at);
    const size_t size = pl__fact_elements(c, fact) * pl_dtype_bytes(storage);
    json_t *shape = json_array();
    int failed = 0;
    for (const char *d = fact->dims; *d; d++)
        failed |= json_array_append_new(shape, json_integer((json_int_t)pl__dimension(c, *d)));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", storage == PL_F32 ? "F32" : "BF16", "shape", shape,
                              "data_offsets", (json_int_t)*bytes, (json_int_t)(*bytes + size));
    *bytes += size;
    if (failed || !entry || json_object_set_new(header, name, entry) != 0)
        return pl_fail(PL_E_MEMORY, "out of memory for a checkpoint's header");
    return PL_OK;
}

/* The header's bytes: length, JSON, spaces up to a multiple of eight. */
static pl_status make_header(pl_bytes *out, const pl_config *c, pl_dtype storage)
{
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    size_t bytes = 0;
    pl_status status = PL_OK;
    for (size_t i = 0; i < c->family->n_tensors && status == PL_OK; i++)
        for (size_t l = 0; l < pl__fact_count(c, &c->family->tensors[i]) && status == PL_OK; l++)
            status = add_entry(header, c, &c->family->tensors[i], l, storage, &bytes);
    char *text = status == PL_OK ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (status != PL_OK) return status;
    if (!text) return pl_fail(PL_E_MEMORY, "out of memory for a checkpoint's header");
    const uint64_t n = (strlen(text) + 7) / 8 * 8;
    uint8_t length[8];
    for (size_t i = 0; i < 8; i++) length[i] = (uint8_t)(n >> (8 * i));
    status = pl_bytes_append(out, length, sizeof length);
    PL_KEEP(status, pl_bytes_text(out, text));
    while (status == PL_OK && out->size < 8 + n) status = pl_bytes_append(out, " ", 1);
    free(text);
    return status;
}

static pl_status write_tensors(const pl_trainable *t, int fd, const char *path, pl_dtype storage)
{
    const pl_config *c = &t->model->config;
    pl_bytes header = {0};
    pl_status status;
    PL_GOTO(status, done, make_header(&header, c, storage));
    PL_GOTO(status, done, write_at(fd, path, header.data, header.size, 0));
    file_sink sink = {{put_file}, fd, header.size, path, storage};
    for (size_t i = 0; i < c->family->n_tensors; i++)
        for (size_t l = 0; l < pl__fact_count(c, &c->family->tensors[i]); l++) {
            const pl__tensor_fact *fact = &c->family->tensors[i];
            PL_GOTO(status, done, pl__trainable_store(t, pl_trainable_views(t).master, fact, l, &sink.sink));
            sink.at += pl__fact_elements(c, fact) * pl_dtype_bytes(storage);
        }
done:
    pl_bytes_free(&header);
    return status;
}

static pl_status write_weights(const pl_trainable *t, const char *folder, pl_dtype storage)
{
    char path[PL_PATH_MAX];
    PL_TRY(pl_path(path, "%s/model.safetensors", folder));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return pl_fail(PL_E_IO, "%s: cannot create: %s", path, strerror(errno));
    pl_status status = write_tensors(t, fd, path, storage);
    if (status == PL_OK && fsync(fd) != 0)
        status = pl_fail(PL_E_IO, "%s: cannot write to the disk: %s", path, strerror(errno));
    if (close(fd) != 0 && status == PL_OK) status = pl_fail(PL_E_IO, "%s: cannot write: %s", path, strerror(errno));
    return status;
}

/* ---- config.json ----------------------------------------------------------------------------------------------- */

static int set_labels(json_t *config, size_t n)
{
    json_t *names = json_object(), *numbers = json_object();
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        char key[32], name[32];
        (void)snprintf(key, sizeof key, "%zu", i);
        (void)snprintf(name, sizeof name, "LABEL_%zu", i);
        failed |= json_object_set_new(names, key, json_string(name));
        failed |= json_object_set_new(numbers, name, json_integer((json_int_t)i));
    }
    failed |= json_object_set_new(config, "problem_type", json_string("single_label_classification"));
    failed |= json_object_set_new(config, "id2label", names);
    return failed | json_object_set_new(config, "label2id", numbers);
}

static int has_labels(const json_t *config, size_t n)
{
    const json_t *names = json_object_get(config, "id2label");
    return json_is_object(names) && json_object_size(names) == n;
}

/* Head, tying and type as they are now; all else as the source says. */
static int edit_config(json_t *config, const pl_config *c, pl_dtype storage)
{
    const char *architecture = c->n_labels ? c->family->classifier : c->family->lm;
    int failed = json_object_set_new(config, "architectures", json_pack("[s]", architecture));
    if (c->n_labels && !has_labels(config, c->n_labels)) failed |= set_labels(config, c->n_labels);
    if (!c->n_labels) failed |= json_object_set_new(config, "tie_word_embeddings", json_boolean(c->tied));
    (void)json_object_del(config, "torch_dtype");
    (void)json_object_del(config, "plumb_random_weights");
    return failed | json_object_set_new(config, "dtype", json_string(pl_dtype_name(storage)));
}

static pl_status write_config(const pl_trainable *t, const char *source, const char *folder, pl_dtype storage)
{
    char from[PL_PATH_MAX], to[PL_PATH_MAX];
    json_t *config;
    PL_TRY(pl_path(from, "%s/config.json", source));
    PL_TRY(pl_path(to, "%s/config.json", folder));
    PL_TRY(pl_json_read(&config, from, CONFIG_LIMIT_BYTES));
    const pl__wrapper *wrapper;
    json_t *text = NULL; /* of a multimodal source the text model's own: it is what was trained */
    pl_status status = pl__wrapper_open(&wrapper, &text, config, from);
    if (status == PL_OK && edit_config(text, &t->model->config, storage) != 0)
        status = pl_fail(PL_E_INTERNAL, "%s: cannot be changed for the trained model", from);
    if (status == PL_OK) status = pl_json_write(to, text);
    json_decref(text);
    json_decref(config);
    return status;
}

pl_status pl_export_mark_random(const char *folder)
{
    char path[PL_PATH_MAX];
    json_t *config;
    PL_TRY(pl_path(path, "%s/config.json", folder));
    PL_TRY(pl_json_read(&config, path, CONFIG_LIMIT_BYTES));
    pl_status status = json_object_set_new(config, "plumb_random_weights", json_true()) == 0
                           ? pl_json_write(path, config)
                           : pl_fail(PL_E_MEMORY, "out of memory for %s", path);
    json_decref(config);
    return status;
}

/* ---- The folder ------------------------------------------------------------------------------------------------ */

static pl_status copy_file(const char *source, const char *folder, const char *name)
{
    char from[PL_PATH_MAX], to[PL_PATH_MAX];
    pl_bytes text;
    bool exists;
    PL_TRY(pl_path(from, "%s/%s", source, name));
    PL_TRY(pl_path(to, "%s/%s", folder, name));
    PL_TRY(pl_file_find(&exists, from));
    if (!exists) return PL_OK;
    PL_TRY(pl_file_read(&text, from, TOKENIZER_LIMIT_BYTES));
    pl_status status = pl_file_replace(to, text.data, text.size);
    pl_bytes_free(&text);
    return status;
}

/* Besides what is copied. */
static const char *const made[] = {"config.json", "model.safetensors", PL_EXPORT_LOG};
enum { N_MADE = sizeof made / sizeof *made, N_FILES = N_COPIED + N_MADE };

static const char *file_of(size_t i)
{
    return i < N_COPIED ? copied[i] : made[i - N_COPIED];
}

/* A folder of ours: the files that an export may hold, then itself. */
static void remove_export(const char *folder)
{
    char path[PL_PATH_MAX];
    for (size_t i = 0; i < N_FILES; i++)
        if (pl_path(path, "%s/%s", folder, file_of(i)) == PL_OK) (void)unlink(path);
    (void)rmdir(folder);
}

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < N_FILES; i++)
        if (strcmp(name, file_of(i)) == 0) return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

pl_status pl_export_check(const char *folder)
{
    char foreign[PL_PATH_MAX] = "";
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && !*foreign && (entry = readdir(d)) != NULL;)
        if (!is_ours(entry->d_name)) PL_TRY(pl_path(foreign, "%s", entry->d_name));
    if (d) (void)closedir(d);
    if (!*foreign) return PL_OK;
    return pl_fail(PL_E_INPUT, "%s: holds '%s', which is no file of a checkpoint: choose another folder, or empty it",
                   folder, foreign);
}

static pl_status write_folder(const pl_trainable *t, const char *source, const char *folder, pl_dtype storage)
{
    if (mkdir(folder, 0777) != 0) return pl_fail(PL_E_IO, "%s: cannot create: %s", folder, strerror(errno));
    PL_TRY(write_weights(t, folder, storage));
    for (size_t i = 0; i < N_COPIED; i++) PL_TRY(copy_file(source, folder, copied[i]));
    PL_TRY(write_config(t, source, folder, storage));
    return pl_folder_sync(folder);
}

/* An earlier export makes way: in one step where the file system can, else it is gone for a moment. */
static pl_status put_in_place(const char *temporary, const char *folder)
{
    char above[PL_PATH_MAX], before[PL_PATH_MAX], aside[PL_PATH_MAX] = "";
    if (pl_folder_exists(folder)) {
        if (renameat2(AT_FDCWD, temporary, AT_FDCWD, folder, RENAME_EXCHANGE) == 0) {
            remove_export(temporary);
            PL_TRY(pl_path_folder(above, folder));
            return pl_folder_sync(above);
        }
        PL_TRY(pl_path(before, "%s.old", folder));
        PL_TRY(pl_file_temporary(aside, before));
        remove_export(aside);
        if (rename(folder, aside) != 0)
            return pl_fail(PL_E_IO, "%s: cannot rename to make way: %s", folder, strerror(errno));
    }
    if (rename(temporary, folder) != 0) {
        const int error = errno;
        if (*aside) (void)rename(aside, folder);
        return pl_fail(PL_E_IO, "%s: cannot rename into place: %s", folder, strerror(error));
    }
    if (*aside) remove_export(aside);
    PL_TRY(pl_path_folder(above, folder));
    return pl_folder_sync(above);
}

/* What killed exports left beside the folder. */
static void sweep(const char *above, const char *folder)
{
    char path[PL_PATH_MAX];
    const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
    DIR *d = opendir(above);
    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;)
        if (strncmp(entry->d_name, name, strlen(name)) == 0 && entry->d_name[strlen(name)] == '.' &&
            pl_path(path, "%s/%s", above, entry->d_name) == PL_OK && pl_temporary_is_left(entry->d_name, path))
            remove_export(path);
    if (d) (void)closedir(d);
}

pl_status pl_trainable_export(const pl_trainable *trainable, const char *source, const char *folder, pl_dtype storage)
{
    char temporary[PL_PATH_MAX], above[PL_PATH_MAX];
    PL_TRY(pl_export_check(folder));
    PL_TRY(pl_path_folder(above, folder));
    PL_TRY(pl_folder_make(above));
    sweep(above, folder);
    PL_TRY(pl_file_temporary(temporary, folder));
    remove_export(temporary); /* what this process left of an earlier try */
    pl_status status = write_folder(trainable, source, temporary, storage);
    if (status == PL_OK) status = put_in_place(temporary, folder);
    if (status != PL_OK) remove_export(temporary);
    return status;
}
