/* Task files and `include`: a chain of YAML documents, looked through from the including file outwards, which is what
 * lm-evaluation-harness's shallow merge comes to. Nodes know their own file, so errors and relative paths do too. */
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "base/file.h"
#include "task/task_keys.h"
#include "task/task_parts.h"

#define FROM_LM_EVAL "Python functions are not run; experiments/data/from_lm_eval.py writes what they give as data"

/* What lm-evaluation-harness has and a static file cannot, with what to do instead. */
static const struct {
    const char *key, *advice;
} FOREIGN[] = {
    {"custom_dataset", FROM_LM_EVAL},
    {"process_docs", FROM_LM_EVAL},
    {"process_results", "Python functions are not run; plumb computes its own metrics"},
    {"use_prompt", "write the prompt out in doc_to_text"},
    {"doc_to_image", "models of text only"},
    {"doc_to_audio", "models of text only"},
};

static const char *foreign_advice(const char *key)
{
    for (size_t k = 0; k < sizeof FOREIGN / sizeof *FOREIGN; k++)
        if (strcmp(key, FOREIGN[k].key) == 0) return FOREIGN[k].advice;
    return NULL;
}

static pl_status refuse_foreign_keys(const pl_yaml_node *map)
{
    for (size_t i = 0; map->kind == PL_YAML_MAP && i < map->n; i++) {
        const char *advice = foreign_advice(map->keys[i]->text);
        if (advice && !pl_yaml_is_null(map->items[i]))
            return pl_yaml_fail(map->keys[i], "%s is not supported; %s", map->keys[i]->text, advice);
    }
    return PL_OK;
}

/* A key that is null says what its absence says, also one that is refused with a value. */
static pl_status check_keys(const pl_yaml_node *root)
{
    pl_yaml_node kept = *root;
    pl_yaml_node **keys = NULL;
    if (root->kind != PL_YAML_MAP) return pl_yaml_check_keys(root, pl_task_root_keys);
    PL_TRY(pl_new(&keys, root->n));
    kept.keys = keys;
    kept.n = 0;
    for (size_t i = 0; i < root->n; i++)
        if (!foreign_advice(root->keys[i]->text)) keys[kept.n++] = root->keys[i];
    pl_status status = pl_yaml_check_keys(&kept, pl_task_root_keys);
    free(keys);
    return status;
}

static pl_status refuse_cycle(const pl__task_file *file, const pl_yaml_node *include, const char *path)
{
    char found[PL_PATH_MAX], open[PL_PATH_MAX];
    bool cycle = false;
    PL_TRY(pl_path_real(found, path));
    for (size_t i = 0; i < file->n && !cycle; i++) {
        PL_TRY(pl_path_real(open, pl_yaml_root(file->docs[i])->file));
        cycle = strcmp(open, found) == 0;
    }
    return cycle ? pl_yaml_fail(include, "include: %s includes itself, in a circle", path) : PL_OK;
}

static pl_status open_chain(pl__task_file *file, const char *path)
{
    char current[PL_PATH_MAX], folder[PL_PATH_MAX];
    PL_TRY(pl_path(current, "%s", path));
    for (;;) {
        PL_TRY(pl_yaml_read(&file->docs[file->n], current));
        const pl_yaml_node *root = pl_yaml_root(file->docs[file->n++]);
        PL_TRY(refuse_foreign_keys(root));
        PL_TRY(check_keys(root));
        const pl_yaml_node *include = pl_yaml_get(root, "include");
        if (!include) return PL_OK;
        if (file->n == PL__TASK_MAX_FILES)
            return pl_yaml_fail(include, "include: more than %d files in a chain", PL__TASK_MAX_FILES);
        pl_bytes name = {0};
        pl_status status;
        PL_GOTO(status, done, pl_yaml_to_path(&name, include));
        PL_GOTO(status, done, pl_path_folder(folder, root->file));
        PL_GOTO(status, done,
                pl_path(current, "%s%s%s", *name.data == '/' ? "" : folder, *name.data == '/' ? "" : "/", name.data));
        if (!pl_file_exists(current)) status = pl_yaml_fail(include, "include: no such file: %s", current);
        if (status == PL_OK) status = refuse_cycle(file, include, current);
    done:
        pl_bytes_free(&name);
        PL_TRY(status);
    }
}

pl_status pl__task_file_open(pl__task_file *out, const char *path)
{
    *out = (pl__task_file){0};
    pl_status status = open_chain(out, path);
    if (status != PL_OK) pl__task_file_close(out);
    return status;
}

void pl__task_file_close(pl__task_file *file)
{
    for (size_t i = 0; i < PL__TASK_MAX_FILES; i++) {
        pl_yaml_free(file->docs[i]);
        file->docs[i] = NULL;
    }
    file->n = 0;
}

const pl_yaml_node *pl__task_file_get(const pl__task_file *file, const char *key)
{
    const pl_yaml_node *found = NULL;
    for (size_t i = 0; i < file->n && !found; i++) found = pl_yaml_get(pl_yaml_root(file->docs[i]), key);
    return found && !pl_yaml_is_null(found) ? found : NULL;
}

pl_status pl__task_file_missing(const pl__task_file *file, const char *key, const char *what)
{
    return pl_yaml_fail(pl_yaml_root(file->docs[0]), "%s is missing; expected %s", key, what);
}

pl_status pl__task_file_json(json_t **out, const pl__task_file *file)
{
    static const char *const left_out[] = {PL_TASK_PLACE_KEYS, PL_TASK_IDLE_KEYS, NULL};
    *out = json_object();
    if (!*out) return pl_fail(PL_E_MEMORY, "out of memory while reading a task");
    for (const pl_yaml_key *key = pl_task_root_keys; key->name; key++) {
        const char *const *out_key = left_out;
        while (*out_key && strcmp(*out_key, key->name) != 0) out_key++;
        const pl_yaml_node *node = pl__task_file_get(file, key->name);
        json_t *value;
        if (*out_key || !node) continue;
        pl_status status = pl_yaml_to_json(&value, node);
        if (status == PL_OK && json_object_set_new(*out, key->name, value) != 0)
            status = pl_fail(PL_E_MEMORY, "out of memory while reading a task");
        if (status != PL_OK) {
            json_decref(*out);
            *out = NULL;
            return status;
        }
    }
    return PL_OK;
}

pl_status pl__check_name(const pl_yaml_node *node, const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(name);
    if (n > 0 && n <= 128 && strspn(name, allowed) == n && *name != '.') return PL_OK;
    return pl_yaml_fail(node, "name '%.140s': expected 1 to 128 letters, digits, '_', '-' or '.'", name);
}
