/* Where the data of a task are.
 *
 * dataset_path is a folder (default: the task file's), beside the file that names it; a *_split is the name of a file
 * in it, or {path, sha256, ...}. Or it is a name as lm-evaluation-harness has it ("allenai/ai2_arc"), whose sets were
 * converted to $PLUMB_DATASETS/<dataset_path>/<dataset_name>/<split>.jsonl; or "json", "csv" or "text" with
 * dataset_kwargs: {data_files: ...} (task_files.c). All take ${VAR} and ${VAR:-default}. How a file is read stands in
 * dataset_kwargs too (task_form.c). Shots come from fewshot_config's split, else fewshot_split, else fewshot_config's
 * samples, else training_split. */
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "task/task_keys.h"
#include "task/task_parts.h"

pl_status pl__beside(char out[PL_PATH_MAX], const pl_yaml_node *node, const char *path)
{
    char folder[PL_PATH_MAX];
    if (*path == '/') return pl_path(out, "%s", path);
    PL_TRY(pl_path_folder(folder, node->file));
    return strcmp(path, ".") == 0 ? pl_path(out, "%s", folder) : pl_path(out, "%s/%s", folder, path);
}

/* ---- folders and names ---- */

/* The file that `stem` names: itself, or with an ending of data files behind it. */
static bool find_file(char out[PL_PATH_MAX], const char *stem)
{
    static const char *const endings[] = {"",    ".jsonl",    ".json",    ".csv",    ".tsv",    ".txt",
                                          ".gz", ".jsonl.gz", ".json.gz", ".csv.gz", ".tsv.gz", ".txt.gz"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (pl_path(out, "%s%s", stem, endings[i]) == PL_OK && pl_file_exists(out)) return true;
    return false;
}

/* A name of a set, not a place: it leads nowhere but down. */
static bool is_set_name(const char *path)
{
    return *path != '/' && *path != '.' && !strstr(path, "..");
}

static pl_status no_folder(const pl_yaml_node *node, const char *folder, const char *path, const char *config,
                           const char *split)
{
    if (!is_set_name(path))
        return pl_yaml_fail(
            node, "dataset_path: no folder %s; expected the folder that holds the split files (" PL__DATA_HOW ")",
            folder);
    const char *root = getenv(PL__DATASETS);
    if (!root)
        return pl_yaml_fail(node,
                            "dataset_path: no folder %s; names of data sets are not fetched: set " PL__DATASETS
                            " to the folder in which %s%s%s/%s%s was converted (" PL__DATA_HOW ")",
                            folder, path, *config ? "/" : "", config, split, strchr(split, '.') ? "" : ".jsonl");
    return pl_yaml_fail(node, "dataset_path: neither a folder %s nor a converted set %s/%s%s%s/%s%s (" PL__DATA_HOW ")",
                        folder, root, path, *config ? "/" : "", config, split, strchr(split, '.') ? "" : ".jsonl");
}

/* In the folder dataset_path, and where dataset_name is given in its folder of that name; else among the converted
 * sets. */
static pl_status find_in_folder(char out[PL_PATH_MAX], const pl__task_file *file, const pl_yaml_node *split,
                                const char *name)
{
    const pl_yaml_node *node = pl__task_file_get(file, "dataset_path"),
                       *config = pl__task_file_get(file, "dataset_name");
    const char *part = "", *root = getenv(PL__DATASETS);
    char folder[PL_PATH_MAX], stem[PL_PATH_MAX];
    pl_bytes path = {0};
    pl_status status = PL_OK;
    bool found = false;
    if (config) PL_TRY(pl_yaml_to_text(&part, config));
    if (!node) {
        PL_TRY(pl_path_folder(folder, split->file));
        PL_TRY(pl_path(stem, "%s/%s", folder, name));
        if (!find_file(out, stem)) PL_TRY(pl_path(out, "%s", stem));
        return PL_OK;
    }
    PL_GOTO(status, done, pl_yaml_to_path(&path, node));
    PL_GOTO(status, done, pl__beside(folder, node, path.data));
    bool there = pl_folder_exists(folder);
    if (*part && pl_path(stem, "%s/%s/%s", folder, part, name) == PL_OK) found = find_file(out, stem);
    if (!found && pl_path(stem, "%s/%s", folder, name) == PL_OK) found = find_file(out, stem);
    if (!found && root && is_set_name(path.data)) {
        PL_GOTO(status, done, pl_path(stem, "%s/%s%s%s/%s", root, path.data, *part ? "/" : "", part, name));
        found = find_file(out, stem);
    }
    if (found) goto done;
    if (!there)
        status = no_folder(node, folder, path.data, part, name);
    else
        status = pl_path(out, "%s/%s", folder, name);
done:
    pl_bytes_free(&path);
    return status;
}

/* ---- splits ---- */

static pl_status read_sha256(const char **out, const pl_yaml_node *digest)
{
    PL_TRY(pl_yaml_to_text(out, digest));
    if (strlen(*out) == 64 && !(*out)[strspn(*out, "0123456789abcdefABCDEF")]) return PL_OK;
    return pl_yaml_fail(digest, "sha256: expected 64 hexadecimal digits, found '%.80s'", *out);
}

/* "json", "csv" and "text" are datasets' names of its builders, which read files that data_files names. */
static bool is_builder(const char *path)
{
    return strcmp(path, "json") == 0 || strcmp(path, "csv") == 0 || strcmp(path, "text") == 0;
}

/* The builder that dataset_path names; NULL: it is a place. */
static const char *builder_of(const pl__task_file *file)
{
    const pl_yaml_node *set = pl__task_file_get(file, "dataset_path");
    return set && set->kind == PL_YAML_SCALAR && is_builder(set->text) ? set->text : NULL;
}

/* The file of a split by its name, or all of its files. */
static pl_status find_named(pl__split_files *files, const pl__task_file *file, const pl_yaml_node *split,
                            pl_arena *arena)
{
    char path[PL_PATH_MAX];
    pl_bytes name = {0};
    pl_status status;
    PL_GOTO(status, done, pl_yaml_to_path(&name, split));
    if (*name.data != '/' && builder_of(file)) {
        status = pl__split_data_files(files, file, split, name.data, arena);
        goto done;
    }
    if (*name.data == '/')
        PL_GOTO(status, done, pl_path(path, "%s", name.data));
    else
        PL_GOTO(status, done, find_in_folder(path, file, split, name.data));
    status = pl__split_add(files, path, arena);
done:
    pl_bytes_free(&name);
    return status;
}

static pl_status check_there(const pl__split_files *files, const pl_yaml_node *split)
{
    for (size_t i = 0; i < files->n; i++) /* A Parquet file is refused by its name alone, there or not. */
        if (!pl_file_exists(files->paths[i]) && !strstr(files->paths[i], ".parquet"))
            return pl_yaml_fail(split,
                                "no data file %s; a split is the name of a .jsonl, .json, .csv, .tsv or .txt file, or "
                                "of one packed with gzip (experiments/data/README.md says how to get one)",
                                files->paths[i]);
    return PL_OK;
}

/* `path` and `sha256` of a split's map: a text each, or a list each. */
static pl_status find_listed(pl__split_files *files, const pl__task_file *file, const pl_yaml_node *path,
                             const pl_yaml_node *digest, pl_arena *arena)
{
    bool list = path->kind == PL_YAML_LIST;
    if (digest && (digest->kind == PL_YAML_LIST) != list)
        return pl_yaml_fail(digest, "sha256: expected %s as in path", list ? "a list" : "a text");
    if (digest && list && digest->n != path->n)
        return pl_yaml_fail(digest, "sha256: expected %zu digests as in path, found %zu", path->n, digest->n);
    if (list && (path->n == 0 || path->n > PL__SPLIT_FILES))
        return pl_yaml_fail(path, "path: expected 1 to %d files", PL__SPLIT_FILES);
    for (size_t i = 0; i < (list ? path->n : 1); i++) {
        size_t before = files->n;
        const pl_yaml_node *one = digest && list ? digest->items[i] : digest;
        PL_TRY(find_named(files, file, list ? path->items[i] : path, arena));
        if (one && files->n != before + 1) return pl_yaml_fail(one, "sha256: expected a split of one file");
        if (one) PL_TRY(read_sha256(&files->sha256[before], one));
    }
    return PL_OK;
}

static pl_status read_format(const char **out, const pl_yaml_node *node)
{
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_text(out, node));
    return is_builder(*out) ? PL_OK : pl_yaml_fail(node, "format '%.20s': expected json, csv or text", *out);
}

/* A converted set has its rows already: the task's arguments say how those of the hub's files are read. */
static bool is_converted(const char *path)
{
    size_t n = strlen(path);
    return (n > 6 && strcmp(path + n - 6, ".jsonl") == 0) || (n > 9 && strcmp(path + n - 9, ".jsonl.gz") == 0);
}

/* A split: a name, or {path, sha256, format, dataset_kwargs}. */
static pl_status find_split(pl__split_files *files, const pl__task_file *file, const pl_yaml_node *split,
                            pl_arena *arena)
{
    const pl_yaml_node *path = split, *digest = NULL, *arguments = pl__task_file_get(file, "dataset_kwargs"),
                       *own = NULL;
    const char *format = builder_of(file);
    if (split->kind == PL_YAML_MAP) {
        PL_TRY(pl_yaml_check_keys(split, pl_task_split_keys));
        path = pl_yaml_get(split, "path");
        digest = pl_yaml_get(split, "sha256");
        if (!path) return pl_yaml_fail(split, "path is missing; expected the name of a data file");
        PL_TRY(read_format(&format, pl_yaml_get(split, "format")));
        if ((own = pl_yaml_get(split, "dataset_kwargs"))) arguments = own;
    }
    PL_TRY(pl__task_form_read(&files->form, arguments, format, arena));
    PL_TRY(find_listed(files, file, path, digest, arena));
    if (!format && !own && is_converted(files->paths[0])) files->form = (pl_data_form){0};
    return check_there(files, path);
}

static pl_status read_split(pl_data **out, const pl__task_file *file, const pl_yaml_node *split)
{
    pl__split_files files = {0};
    pl_arena *arena;
    PL_TRY(pl_arena_create(&arena));
    pl_status status = find_split(&files, file, split, arena);
    if (status == PL_OK) status = pl_data_read_all(out, files.paths, files.sha256, files.n, &files.form);
    pl_arena_free(arena);
    return status;
}

/* ---- shots that are written in the task file ---- */

static pl_status add_sample(pl_bytes *out, const pl_yaml_node *sample)
{
    json_t *item;
    if (sample->kind != PL_YAML_MAP) return pl_yaml_fail(sample, "samples: expected maps of an item's fields");
    PL_TRY(pl_yaml_to_json(&item, sample));
    char *line = json_dumps(item, JSON_COMPACT);
    pl_status status =
        line ? pl_bytes_format(out, "%s\n", line) : pl_fail(PL_E_MEMORY, "out of memory while reading fewshot_config");
    free(line);
    json_decref(item);
    return status;
}

static pl_status read_samples(pl_data **out, const pl_yaml_node *list)
{
    char where[PL_PATH_MAX];
    pl_bytes text = {0};
    if (list->kind != PL_YAML_LIST || list->n == 0)
        return pl_yaml_fail(list, "samples: expected a list of items, each a map of its fields");
    PL_TRY(pl_path(where, "%s:%zu: samples", list->file, list->line));
    pl_status status = PL_OK;
    for (size_t i = 0; i < list->n && status == PL_OK; i++) status = add_sample(&text, list->items[i]);
    if (status == PL_OK) status = pl_data_parse(out, text.data, text.size, "jsonl", NULL, where);
    pl_bytes_free(&text);
    return status;
}

static const pl_yaml_node *present(const pl_yaml_node *map, const char *key)
{
    const pl_yaml_node *node = map && map->kind == PL_YAML_MAP ? pl_yaml_get(map, key) : NULL;
    return node && !pl_yaml_is_null(node) ? node : NULL;
}

static pl_status open_fewshot(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *config = pl__task_file_get(file, "fewshot_config"), *split = present(config, "split"),
                       *samples = present(config, "samples");
    if (!split) split = pl__task_file_get(file, "fewshot_split");
    if (!split && samples) return read_samples(&task->fewshot, samples);
    if (!split) split = pl__task_file_get(file, "training_split");
    return split ? read_split(&task->fewshot, file, split) : PL_OK;
}

pl_status pl__task_data_open(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *test = pl__task_file_get(file, "test_split");
    if (!test) test = pl__task_file_get(file, "validation_split");
    if (!test)
        return pl__task_file_missing(file, "test_split", "test_split or validation_split: the items to evaluate");
    PL_TRY(read_split(&task->test, file, test));
    PL_TRY(open_fewshot(task, file));
    task->fewshot_is_test = task->fewshot && strcmp(task->test->sha256, task->fewshot->sha256) == 0;
    return PL_OK;
}
