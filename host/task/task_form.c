/* How data files are read, from the task file's dataset_kwargs: the arguments of datasets' builders json, csv and text
 * that change a row. One that would, and is not computed, is refused unless it says what holds anyway; those of how
 * files are fetched change no row and are listed by --verbose; any other is an argument of a set's own code. */
#include <string.h>

#include "task/task_keys.h"
#include "task/task_parts.h"

/* Arguments that are not computed, and the one value that changes nothing (NULL: null alone). */
static const struct {
    const char *key, *value;
} FIXED[] = {
    {"encoding", "utf-8"},
    {"encoding_errors", "strict"},
    {"sample_by", "line"},
    {"keep_linebreaks", "false"},
    {"keep_default_na", "true"},
    {"na_filter", "true"},
    {"decimal", "."},
    {"doublequote", "true"},
    {"on_bad_lines", "error"},
    {"skip_blank_lines", "true"},
    {"skipfooter", "0"},
    {"skipinitialspace", "false"},
    {"data_dir", NULL},
    {"index_col", NULL},
    {"usecols", NULL},
    {"prefix", NULL},
    {"converters", NULL},
    {"true_values", NULL},
    {"false_values", NULL},
    {"nrows", NULL},
    {"na_values", NULL},
    {"thousands", NULL},
    {"lineterminator", NULL},
    {"escapechar", NULL},
    {"comment", NULL},
    {"dialect", NULL},
    {"features", NULL},
    {"float_precision", NULL},
    {"date_format", NULL},
};

/* Arguments of load_dataset that change no row. */
static const char *const IDLE[] = {"trust_remote_code",
                                   "revision",
                                   "streaming",
                                   "verification_mode",
                                   "token",
                                   "use_auth_token",
                                   "cache_dir",
                                   "download_mode",
                                   "keep_in_memory",
                                   "num_proc",
                                   "save_infos",
                                   "chunksize",
                                   "memory_map",
                                   "engine",
                                   "low_memory",
                                   "ignore_verifications",
                                   "task",
                                   "storage_options",
                                   "download_config"};

static pl_status refuse_fixed(const pl_yaml_node *map)
{
    for (size_t i = 0; i < sizeof FIXED / sizeof *FIXED; i++) {
        const pl_yaml_node *node = pl_yaml_get(map, FIXED[i].key);
        if (!node || pl_yaml_is_null(node)) continue;
        if (FIXED[i].value && node->kind == PL_YAML_SCALAR && strcmp(node->text, FIXED[i].value) == 0) continue;
        if (strcmp(FIXED[i].key, "data_dir") == 0)
            return pl_yaml_fail(node, "dataset_kwargs: which files of a data_dir are a split's is guessed there and is "
                                      "not supported; name them: data_files: {test: FOLDER/FILE}");
        return pl_yaml_fail(node,
                            "dataset_kwargs: %s is not supported%s%s; convert the file to JSON lines "
                            "(experiments/data/README.md says how)",
                            FIXED[i].key, FIXED[i].value ? " but for " : "", FIXED[i].value ? FIXED[i].value : "");
    }
    return PL_OK;
}

/* The first of two names of an argument that is there and not null. */
static const pl_yaml_node *either(const pl_yaml_node *map, const char *first, const char *second)
{
    const pl_yaml_node *node = pl_yaml_get(map, first);
    if (!node || pl_yaml_is_null(node)) node = pl_yaml_get(map, second);
    return node && !pl_yaml_is_null(node) ? node : NULL;
}

/* One byte, or the two letters \t. */
static pl_status read_letter(const char **out, const pl_yaml_node *node, const char *key)
{
    if (!node) return PL_OK;
    PL_TRY(pl_yaml_to_text(out, node));
    if (strcmp(*out, "\\t") == 0) *out = "\t";
    if (strlen(*out) == 1 && **out > 0 && **out != '\n' && **out != '\r') return PL_OK;
    return pl_yaml_fail(node, "dataset_kwargs: %s '%.20s': expected one letter of ASCII", key, *out);
}

static pl_status read_quoting(pl_data_form *out, const pl_yaml_node *node)
{
    size_t quoting = 0;
    if (node) PL_TRY(pl_yaml_to_size(&quoting, node));
    if (quoting == 3) out->quote = "";
    return quoting == 0 || quoting == 3
               ? PL_OK
               : pl_yaml_fail(node, "dataset_kwargs: quoting %zu: expected 0 or, for no quotes, 3", quoting);
}

static pl_status read_names(pl_data_form *out, const pl_yaml_node *node, pl_arena *arena)
{
    const char **names;
    if (!node) return PL_OK;
    if (node->kind != PL_YAML_LIST || node->n == 0)
        return pl_yaml_fail(node, "dataset_kwargs: names: expected a list of the columns' names");
    PL_TRY(pl_arena_new(arena, &names, node->n));
    for (size_t i = 0; i < node->n; i++) PL_TRY(pl_yaml_to_text(&names[i], node->items[i]));
    out->names = names;
    out->n_names = node->n;
    return PL_OK;
}

/* Which row has the names: "infer", which is the first unless there are names, null for none, or its number. */
static pl_status read_header(pl_data_form *out, const pl_yaml_node *node)
{
    out->no_header = out->n_names > 0;
    if (!node || (node->kind == PL_YAML_SCALAR && strcmp(node->text, "infer") == 0)) return PL_OK;
    out->no_header = pl_yaml_is_null(node);
    return out->no_header ? PL_OK : pl_yaml_to_size(&out->header, node);
}

static bool is_one_of(const char *const *names, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], key) == 0) return true;
    return false;
}

static bool is_read(const char *key)
{
    for (const pl_yaml_key *known = pl_task_dataset_keys; known->name; known++)
        if (strcmp(known->name, key) == 0) return true;
    return false;
}

static bool is_fixed(const char *key)
{
    for (size_t i = 0; i < sizeof FIXED / sizeof *FIXED; i++)
        if (strcmp(FIXED[i].key, key) == 0) return true;
    return false;
}

static pl_status refuse_unknown(const pl_yaml_node *map)
{
    for (size_t i = 0; i < map->n; i++) {
        const char *key = map->keys[i]->text;
        if (is_read(key) || is_fixed(key) || is_one_of(IDLE, sizeof IDLE / sizeof *IDLE, key)) continue;
        return pl_yaml_fail(
            map->keys[i],
            "dataset_kwargs: '%.60s' is an argument of the set's own code, which is not run; convert the "
            "rows that it gives, and leave it out (experiments/data/README.md says how)",
            key);
    }
    return PL_OK;
}

pl_status pl__task_form_read(pl_data_form *out, const pl_yaml_node *map, const char *format, pl_arena *arena)
{
    *out = (pl_data_form){.format = format};
    if (!map) return PL_OK;
    if (map->kind != PL_YAML_MAP)
        return pl_yaml_fail(map, "dataset_kwargs: expected a map such as {data_files: {test: FILE}}");
    const pl_yaml_node *field = either(map, "field", "field"), *skip = either(map, "skiprows", "skiprows");
    PL_TRY(refuse_unknown(map));
    PL_TRY(refuse_fixed(map));
    if (field) PL_TRY(pl_yaml_to_text(&out->field, field));
    PL_TRY(read_letter(&out->separator, either(map, "delimiter", "sep"), "sep"));
    PL_TRY(read_letter(&out->quote, either(map, "quotechar", "quotechar"), "quotechar"));
    PL_TRY(read_quoting(out, either(map, "quoting", "quoting")));
    if (skip) PL_TRY(pl_yaml_to_size(&out->skip_rows, skip));
    PL_TRY(read_names(out, either(map, "column_names", "names"), arena));
    return read_header(out, pl_yaml_get(map, "header"));
}

/* ---- what changes nothing ---- */

pl_status pl__task_form_list_idle(pl_task *task, const pl_yaml_node *map)
{
    const char **all;
    if (!map || map->kind != PL_YAML_MAP) return PL_OK;
    PL_TRY(pl_arena_new(task->arena, &all, task->n_idle + map->n));
    for (size_t i = 0; i < task->n_idle; i++) all[i] = task->idle[i];
    task->idle = all;
    for (size_t i = 0; i < map->n; i++) {
        char *line;
        const pl_yaml_node *key = map->keys[i];
        if (is_read(key->text)) continue;
        PL_TRY(pl_arena_format(task->arena, &line, "dataset_kwargs.%s (%s:%zu)", key->text, key->file, key->line));
        task->idle[task->n_idle++] = line;
    }
    return PL_OK;
}
