/* data_files of dataset_kwargs: which files a split has. A text or a list alone are of the split "train"; a map has a
 * text or a list a split. A file is looked for beside the task file, in the working folder, where lm-evaluation-harness
 * looks, or, of "hf://datasets/a/b/file", among the converted sets as a/b/file; `*`, `?` and `[...]` stand for all
 * files whose names fit, by name. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "task/task_parts.h"

pl_status pl__split_add(pl__split_files *files, const char *path, pl_arena *arena)
{
    char *copy;
    if (files->n == PL__SPLIT_FILES)
        return pl_fail(PL_E_INPUT, "%s: more than %d files of a split; join them", path, PL__SPLIT_FILES);
    PL_TRY(pl_arena_text(arena, &copy, path, strlen(path)));
    files->paths[files->n++] = copy;
    return PL_OK;
}

/* A folder as a pattern that only it fits, with a / behind it. */
static pl_status append_literal(pl_bytes *out, const char *folder)
{
    for (; *folder; folder++) PL_TRY(pl_bytes_format(out, strchr("*?[", *folder) ? "[%c]" : "%c", *folder));
    return pl_bytes_text(out, "/");
}

/* All files of a pattern below a folder; NULL: the working folder, and of a pattern from the root the root. */
static pl_status add_matches(pl__split_files *files, const char *folder, const char *pattern, pl_arena *arena)
{
    pl_bytes whole = {0};
    glob_t found = {0};
    pl_status status = folder ? append_literal(&whole, folder) : PL_OK;
    if (status == PL_OK) status = pl_bytes_text(&whole, pattern);
    int code = status == PL_OK ? glob(whole.data, GLOB_NOESCAPE, NULL, &found) : GLOB_NOMATCH;
    if (code == GLOB_NOSPACE) status = pl_fail(PL_E_MEMORY, "%s: out of memory", pattern);
    for (size_t i = 0; code == 0 && i < found.gl_pathc && status == PL_OK; i++)
        if (!pl_folder_exists(found.gl_pathv[i])) status = pl__split_add(files, found.gl_pathv[i], arena);
    globfree(&found);
    pl_bytes_free(&whole);
    return status;
}

/* All files of a pattern beside the task file or, if there are none, in the working folder. */
static pl_status add_pattern(pl__split_files *files, const pl_yaml_node *node, const char *text, pl_arena *arena)
{
    char folder[PL_PATH_MAX];
    size_t before = files->n;
    if (strstr(text, "**")) return pl_yaml_fail(node, "data_files: ** is not supported; name the folders");
    PL_TRY(pl_path_folder(folder, node->file));
    if (*text != '/') PL_TRY(add_matches(files, folder, text, arena));
    if (files->n == before) PL_TRY(add_matches(files, NULL, text, arena));
    if (files->n > before) return PL_OK;
    return pl_yaml_fail(node, "data_files: no file is called %s%s%s", *text == '/' ? "" : folder,
                        *text == '/' ? "" : "/", text);
}

/* Among the converted sets: of a set of this name, or of the hub. */
static pl_status add_of_hub(pl__split_files *files, const pl_yaml_node *node, const char *name, pl_arena *arena)
{
    const char *root = getenv(PL__DATASETS);
    char path[PL_PATH_MAX];
    if (!root || strstr(name, ".."))
        return pl_yaml_fail(node,
                            "data_files: files of the hub are not fetched; set " PL__DATASETS
                            " to the folder that holds %s (" PL__DATA_HOW ")",
                            name);
    size_t before = files->n;
    PL_TRY(pl_path(path, "%s/%s", root, name));
    PL_TRY(strpbrk(name, "*?[") ? add_matches(files, root, name, arena) : pl__split_add(files, path, arena));
    return files->n > before ? PL_OK : pl_yaml_fail(node, "data_files: no file is called %s", path);
}

static pl_status add_files(pl__split_files *files, const pl_yaml_node *node, pl_arena *arena)
{
    static const char hub[] = "hf://datasets/";
    char path[PL_PATH_MAX];
    pl_bytes text = {0};
    pl_status status;
    if (node->kind != PL_YAML_SCALAR)
        return pl_yaml_fail(node, "data_files: expected the name of a file, or a list of them");
    PL_GOTO(status, done, pl_yaml_to_path(&text, node));
    if (strncmp(text.data, hub, sizeof hub - 1) == 0) {
        status = add_of_hub(files, node, text.data + sizeof hub - 1, arena);
    } else if (strpbrk(text.data, "*?[")) {
        status = add_pattern(files, node, text.data, arena);
    } else {
        PL_GOTO(status, done, pl__beside(path, node, text.data));
        status = pl__split_add(files, pl_file_exists(path) || !pl_file_exists(text.data) ? path : text.data, arena);
    }
done:
    pl_bytes_free(&text);
    return status;
}

pl_status pl__split_data_files(pl__split_files *files, const pl__task_file *file, const pl_yaml_node *split,
                               const char *name, pl_arena *arena)
{
    const pl_yaml_node *arguments = pl__task_file_get(file, "dataset_kwargs"),
                       *all = arguments ? pl_yaml_get(arguments, "data_files") : NULL, *own;
    if (!all)
        return pl_yaml_fail(pl__task_file_get(file, "dataset_path"),
                            "dataset_path names a kind of file: expected dataset_kwargs: {data_files: {%s: FILE}}",
                            name);
    own = all->kind == PL_YAML_MAP ? pl_yaml_get(all, name) : strcmp(name, "train") == 0 ? all : NULL;
    if (!own) return pl_yaml_fail(split, "data_files has no split '%.60s'", name);
    if (own->kind != PL_YAML_LIST) return add_files(files, own, arena);
    if (own->n == 0) return pl_yaml_fail(own, "data_files: an empty list; expected files");
    for (size_t i = 0; i < own->n; i++) PL_TRY(add_files(files, own->items[i], arena));
    return PL_OK;
}
