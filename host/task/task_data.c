/* Where the data of a task are.
 *
 * dataset_path is a folder (default: the task file's), beside the file that names it; a *_split is the name of a file
 * in it, or {path, sha256}. Or it is a name as lm-evaluation-harness has it ("allenai/ai2_arc"), whose sets were
 * converted to $PLUMB_DATASETS/<dataset_path>/<dataset_name>/<split>.jsonl; or "json", "csv" or "text" with
 * dataset_kwargs: {data_files: {split: file}}. All take ${VAR} and ${VAR:-default}. Shots come from
 * fewshot_config's split, else fewshot_split, else fewshot_config's samples, else training_split. */
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "task/task_keys.h"
#include "task/task_parts.h"

#define DATASETS "PLUMB_DATASETS"
#define HOW      "experiments/data/README.md says how"

/* `path` itself when absolute, else beside the file in which `node` stands. */
static pl_status beside(char out[PL_PATH_MAX], const pl_yaml_node *node, const char *path)
{
    char folder[PL_PATH_MAX];
    if (*path == '/') return pl_path(out, "%s", path);
    PL_TRY(pl_path_folder(folder, node->file));
    return strcmp(path, ".") == 0 ? pl_path(out, "%s", folder) : pl_path(out, "%s/%s", folder, path);
}

/* ---- data_files ---- */

static bool is_builder(const char *path)
{
    return strcmp(path, "json") == 0 || strcmp(path, "csv") == 0 || strcmp(path, "text") == 0;
}

/* The file of a split: the one of its name, or, as a text alone, of the split "train". */
static pl_status data_file(const pl_yaml_node **out, const pl__task_file *file, const pl_yaml_node *split,
                           const char *name)
{
    const pl_yaml_node *arguments = pl__task_file_get(file, "dataset_kwargs"),
                       *files = arguments ? pl_yaml_get(arguments, "data_files") : NULL;
    if (!files)
        return pl_yaml_fail(pl__task_file_get(file, "dataset_path"),
                            "dataset_path names a kind of file: expected dataset_kwargs: {data_files: {%s: FILE}}",
                            name);
    *out = files->kind == PL_YAML_MAP ? pl_yaml_get(files, name) : strcmp(name, "train") == 0 ? files : NULL;
    if (*out && (*out)->kind == PL_YAML_LIST && (*out)->n == 1) *out = (*out)->items[0];
    if (*out && (*out)->kind != PL_YAML_SCALAR)
        return pl_yaml_fail(*out, "data_files: expected one file a split; join several beforehand");
    return *out ? PL_OK : pl_yaml_fail(split, "data_files has no split '%.60s'", name);
}

/* ---- folders and names ---- */

/* The file that `stem` names: itself, or with an ending of data files behind it. */
static bool find_file(char out[PL_PATH_MAX], const char *stem)
{
    static const char *const endings[] = {"", ".jsonl", ".json", ".csv", ".tsv", ".txt"};
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
            node, "dataset_path: no folder %s; expected the folder that holds the split files (" HOW ")", folder);
    const char *root = getenv(DATASETS);
    if (!root)
        return pl_yaml_fail(node,
                            "dataset_path: no folder %s; names of data sets are not fetched: set " DATASETS
                            " to the folder in which %s%s%s/%s%s was converted (" HOW ")",
                            folder, path, *config ? "/" : "", config, split, strchr(split, '.') ? "" : ".jsonl");
    return pl_yaml_fail(node, "dataset_path: neither a folder %s nor a converted set %s/%s%s%s/%s%s (" HOW ")", folder,
                        root, path, *config ? "/" : "", config, split, strchr(split, '.') ? "" : ".jsonl");
}

/* In the folder dataset_path, and where dataset_name is given in its folder of that name; else among the converted
 * sets. */
static pl_status find_in_folder(char out[PL_PATH_MAX], const pl__task_file *file, const pl_yaml_node *split,
                                const char *name)
{
    const pl_yaml_node *node = pl__task_file_get(file, "dataset_path"),
                       *config = pl__task_file_get(file, "dataset_name");
    const char *part = "", *root = getenv(DATASETS);
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
    PL_GOTO(status, done, beside(folder, node, path.data));
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

/* A file of data_files: beside the task file, in the working folder, where lm-evaluation-harness looks, or, of
 * "hf://datasets/a/b/file", among the converted sets as a/b/file. */
static pl_status find_data_file(char out[PL_PATH_MAX], const pl_yaml_node *node)
{
    static const char hub[] = "hf://datasets/";
    const char *root = getenv(DATASETS);
    pl_bytes text = {0};
    pl_status status;
    PL_GOTO(status, done, pl_yaml_to_path(&text, node));
    if (strncmp(text.data, hub, sizeof hub - 1) == 0) {
        if (!root || strstr(text.data, ".."))
            status = pl_yaml_fail(node,
                                  "data_files: files of the hub are not fetched; set " DATASETS
                                  " to the folder that holds %s (" HOW ")",
                                  text.data + sizeof hub - 1);
        else
            status = pl_path(out, "%s/%s", root, text.data + sizeof hub - 1);
        goto done;
    }
    PL_GOTO(status, done, beside(out, node, text.data));
    if (!pl_file_exists(out) && pl_file_exists(text.data)) status = pl_path(out, "%s", text.data);
done:
    pl_bytes_free(&text);
    return status;
}

/* The file of a split by its name. */
static pl_status find_named(char out[PL_PATH_MAX], const pl__task_file *file, const pl_yaml_node *split,
                            const char *name)
{
    const pl_yaml_node *set = pl__task_file_get(file, "dataset_path"), *node = NULL;
    if (*name == '/') return pl_path(out, "%s", name);
    if (!set || set->kind != PL_YAML_SCALAR || !is_builder(set->text)) return find_in_folder(out, file, split, name);
    PL_TRY(data_file(&node, file, split, name));
    return find_data_file(out, node);
}

/* A split: the name of a file, or {path, sha256}. */
static pl_status find_split(char out[PL_PATH_MAX], const char **sha256, const pl__task_file *file,
                            const pl_yaml_node *split)
{
    const pl_yaml_node *path = split, *digest = NULL;
    *sha256 = NULL;
    if (split->kind == PL_YAML_MAP) {
        PL_TRY(pl_yaml_check_keys(split, pl_task_split_keys));
        path = pl_yaml_get(split, "path");
        digest = pl_yaml_get(split, "sha256");
        if (!path) return pl_yaml_fail(split, "path is missing; expected the name of a data file");
    }
    if (digest) PL_TRY(read_sha256(sha256, digest));
    pl_bytes name = {0};
    pl_status status;
    PL_GOTO(status, done, pl_yaml_to_path(&name, path));
    PL_GOTO(status, done, find_named(out, file, path, name.data));
    /* A Parquet file is refused by its name alone, there or not. */
    if (!pl_file_exists(out) && !strstr(name.data, ".parquet"))
        status = pl_yaml_fail(path,
                              "no data file %s; a split is the name of a .jsonl, .csv, .tsv or .txt file "
                              "(experiments/data/README.md says how to get one)",
                              out);
done:
    pl_bytes_free(&name);
    return status;
}

static pl_status read_split(pl_data **out, const pl__task_file *file, const pl_yaml_node *split)
{
    char path[PL_PATH_MAX];
    const char *sha256;
    PL_TRY(find_split(path, &sha256, file, split));
    return pl_data_read(out, path, sha256);
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
    if (status == PL_OK) status = pl_data_parse(out, text.data, text.size, "jsonl", where);
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
    const pl_yaml_node *test = pl__task_file_get(file, "test_split"),
                       *arguments = pl__task_file_get(file, "dataset_kwargs");
    if (!test) test = pl__task_file_get(file, "validation_split");
    if (!test)
        return pl__task_file_missing(file, "test_split", "test_split or validation_split: the items to evaluate");
    if (arguments && arguments->kind != PL_YAML_MAP)
        return pl_yaml_fail(arguments, "dataset_kwargs: expected a map such as {data_files: {test: FILE}}");
    PL_TRY(read_split(&task->test, file, test));
    PL_TRY(open_fewshot(task, file));
    task->fewshot_is_test = task->fewshot && strcmp(task->test->sha256, task->fewshot->sha256) == 0;
    return PL_OK;
}
