/* The object of results.json in lm-evaluation-harness' schema: results and groups, then a section a subject. */
#include "report/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_build.h"
#include "statistics/interval.h"
#include "store/result_files.h"

/* The cells of one model, and their groups in order. */
typedef struct of_model {
    const pl__report_cell *const *cells; /* [n] */
    size_t n;
    const char **groups; /* [n_groups] */
    size_t n_groups;
} of_model;

/* "<metric><what>,<filter>": lm-eval's name of a number. */
static void put_number(pl_json_builder *b, const pl__cell_metric *metric, const char *what, double value)
{
    char key[128];
    snprintf(key, sizeof key, "%s%s,%s", metric->name, what, metric->filter);
    pl_json_put_real(b, key, value);
}

static void put_not_available(pl_json_builder *b, const pl__cell_metric *metric)
{
    char key[128];
    snprintf(key, sizeof key, "%s_stderr,%s", metric->name, metric->filter);
    pl_json_put_text(b, key, "N/A");
}

/* Mean, lm-eval's standard error (SD with n - 1, over root n), and the interval that holds at 0 % and 100 % too. */
static void put_metric(pl_json_builder *b, const pl__report_cell *cell, const pl__cell_metric *metric)
{
    double n = (double)cell->n, mean = (double)metric->right / n;
    pl_estimate interval = pl_wilson(metric->right, cell->n);
    put_number(b, metric, "", mean);
    if (cell->n > 1)
        put_number(b, metric, "_stderr", sqrt(mean * (1.0 - mean) / (n - 1.0)));
    else
        put_not_available(b, metric);
    if (cell->plain) return;
    put_number(b, metric, "_ci95_low", interval.lo);
    put_number(b, metric, "_ci95_high", interval.hi);
}

static void put_cell(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_open(b, cell->key);
    pl_json_put_text(b, "name", cell->key);
    pl_json_put_text(b, "alias", cell->key);
    pl_json_put_size(b, "sample_len", cell->n);
    for (size_t m = 0; m < PL__CELL_METRICS; m++)
        if (cell->metrics[m].name) put_metric(b, cell, &cell->metrics[m]);
    for (size_t v = 0; v < PL__CELL_VALUES; v++) {
        const pl__cell_metric named = {.name = cell->values[v].name, .filter = "none"};
        if (!named.name) continue;
        put_number(b, &named, "", cell->values[v].value);
        put_not_available(b, &named);
    }
    pl_json_close(b);
}

/* The mean over a group's cells of those metrics that all of them have. */
static void put_group(pl_json_builder *b, const of_model *o, const char *group)
{
    pl_json_open(b, group);
    pl_json_put_text(b, "name", group);
    pl_json_put_text(b, "alias", group);
    for (size_t m = 0; m < PL__CELL_METRICS; m++) {
        const pl__cell_metric *metric = NULL;
        size_t n = 0, n_cells = 0;
        double sum = 0.0;
        for (size_t i = 0; i < o->n; i++) {
            const pl__report_cell *cell = o->cells[i];
            if (strcmp(cell->group, group)) continue;
            n_cells++;
            if (!cell->metrics[m].name) continue;
            metric = &cell->metrics[m];
            sum += (double)cell->metrics[m].right / (double)cell->n;
            n++;
        }
        if (!metric || n < n_cells) continue;
        put_number(b, metric, "", sum / (double)n);
        put_not_available(b, metric);
    }
    pl_json_close(b);
}

static void put_subtasks(pl_json_builder *b, const of_model *o, const char *group)
{
    pl_json_open_list(b, group);
    for (size_t i = 0; i < o->n; i++)
        if (!strcmp(o->cells[i]->group, group)) pl_json_put_text(b, NULL, o->cells[i]->key);
    pl_json_close(b);
}

typedef void put_of_cell(pl_json_builder *b, const pl__report_cell *cell);
typedef void put_of_group(pl_json_builder *b, const of_model *o, const char *group);

/* A member a cell, and a member a group (NULL: none): only one of them is in memory. */
static pl_status put_each(pl__report_file *file, const of_model *o, put_of_cell *cell, put_of_group *group)
{
    pl_json_builder b;
    for (size_t i = 0; cell && i < o->n; i++) {
        pl_json_begin(&b);
        cell(&b, o->cells[i]);
        PL_TRY(pl__report_object_put(file, &b));
    }
    for (size_t g = 0; group && g < o->n_groups; g++) {
        pl_json_begin(&b);
        group(&b, o, o->groups[g]);
        PL_TRY(pl__report_object_put(file, &b));
    }
    return PL_OK;
}

/* ---- configs ---- */

static bool lists(const char *const *texts, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(texts[i], text)) return true;
    return false;
}

/* The texts of the task as the template has them: doc_to_text, target_delimiter, description, ... What the cell says by
 * itself (its readout is its output_type) is not taken from there. */
static void put_template(pl_json_builder *b, const pl_run_unit *unit)
{
    static const char *const own[] = {"task",    "output_type", "num_fewshot", "metric_list",
                                      "repeats", "metadata",    "plumb"};
    const pl_planned_task *task = unit->task_facts;
    for (size_t t = 0; t < task->n_templates; t++) {
        const char *key;
        json_t *value;
        if (strcmp(task->templates[t].name, unit->template_name)) continue;
        json_object_foreach(task->templates[t].config, key, value)
        {
            if (!lists(own, sizeof own / sizeof *own, key)) pl_json_put_shared(b, key, value);
        }
    }
}

static void put_listed(pl_json_builder *b, const char *metric, const char *aggregation, bool higher_is_better)
{
    pl_json_open(b, NULL);
    pl_json_put_text(b, "metric", metric);
    pl_json_put_text(b, "aggregation", aggregation);
    pl_json_put_bool(b, "higher_is_better", higher_is_better);
    pl_json_close(b);
}

static void put_metric_list(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_open_list(b, "metric_list");
    for (size_t m = 0; m < PL__CELL_METRICS; m++)
        if (cell->metrics[m].name) put_listed(b, cell->metrics[m].name, "mean", true);
    for (size_t v = 0; v < PL__CELL_VALUES; v++)
        if (cell->values[v].name)
            put_listed(b, cell->values[v].name, cell->values[v].aggregation, cell->values[v].higher_is_better);
    pl_json_close(b);
}

/* How the cell's prompts were asked, where the experiment says it. */
static void put_asked(pl_json_builder *b, const pl_run_unit *unit)
{
    if (strcmp(unit->chat, "plain")) pl_json_put_text(b, "chat", unit->chat);
    if (unit->system) pl_json_put_text(b, "system_instruction", unit->system);
}

static void put_config(pl_json_builder *b, const pl__report_cell *cell)
{
    const pl_run_unit *u = cell->unit;
    pl_json_open(b, cell->key);
    pl_json_put_text(b, "task", cell->plain ? cell->key : u->task);
    put_template(b, u);
    pl_json_put_text(b, "output_type",
                     u->generates ? "generate_until"
                     : u->rolls   ? "loglikelihood_rolling"
                     : u->alone   ? "loglikelihood"
                                  : "multiple_choice");
    pl_json_put_integer(b, "num_fewshot", u->k);
    put_metric_list(b, cell);
    pl_json_put_integer(b, "repeats", 1);
    pl_json_open(b, "metadata");
    pl_json_put_text(b, "version", u->task_facts->version);
    if (cell->plain) pl_json_put_text(b, "task", u->task);
    pl_json_put_text(b, "model", u->model);
    pl_json_put_text(b, "template", u->template_name);
    pl_json_put_text(b, "role", pl_role_name(u->role));
    pl_json_put_text(b, "arm", u->arm);
    put_asked(b, u);
    pl_json_put_integer(b, "draw", u->draw);
    pl_json_put_integer(b, "order", u->order);
    pl_json_put_integer(b, "seed", u->seed);
    pl_json_put_text(b, "unit", u->id);
    pl_json_close(b);
    pl_json_close(b);
}

static void put_better_as(pl_json_builder *b, const pl__report_cell *cell, const char *key)
{
    pl_json_open(b, key);
    for (size_t m = 0; m < PL__CELL_METRICS; m++)
        if (cell->metrics[m].name) pl_json_put_bool(b, cell->metrics[m].name, true);
    for (size_t v = 0; v < PL__CELL_VALUES; v++)
        if (cell->values[v].name) pl_json_put_bool(b, cell->values[v].name, cell->values[v].higher_is_better);
    pl_json_close(b);
}

static void put_better(pl_json_builder *b, const pl__report_cell *cell)
{
    put_better_as(b, cell, cell->key);
}

/* Of a group what its first cell says: its cells have one readout and one task. */
static void put_better_of_group(pl_json_builder *b, const of_model *o, const char *group)
{
    size_t i = 0;
    while (strcmp(o->cells[i]->group, group)) i++;
    if (o->cells[i]->plain) put_better_as(b, o->cells[i], group);
}

/* original: of the data; effective: what the means are of. Ours: what was evaluated and is in no mean, and prompts
 * whose last token is also part of an answer. */
static void put_samples(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_open(b, cell->key);
    pl_json_put_size(b, "original", cell->unit->task_facts->test_items);
    pl_json_put_size(b, "effective", cell->n);
    if (!cell->plain) {
        pl_json_put_size(b, "not_finite", cell->n_not_finite);
        pl_json_put_size(b, "merged", cell->n_merged);
    }
    pl_json_close(b);
}

/* lm-eval has a version as YAML reads it: 1.0 is a number. */
static void put_version(pl_json_builder *b, const pl__report_cell *cell)
{
    const char *text = cell->unit->task_facts->version;
    json_t *number = cell->plain ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    if (number && json_is_number(number))
        pl_json_put_shared(b, cell->key, number);
    else
        pl_json_put_text(b, cell->key, text);
    json_decref(number);
}

static void put_shots(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_put_integer(b, cell->key, cell->unit->k);
}

static void put_hash(pl_json_builder *b, const pl__report_cell *cell)
{
    pl_json_put_text(b, cell->key, cell->plain ? cell->samples_hash : cell->unit->task_facts->task_hash);
}

static pl_status put_sections(pl__report_file *file, const of_model *o)
{
    static const struct {
        const char *name;
        put_of_cell *cell;
        put_of_group *group;
    } sections[] = {{"results", put_cell, put_group},
                    {"groups", NULL, put_group},
                    {"group_subtasks", NULL, put_subtasks},
                    {"configs", put_config, NULL},
                    {"versions", put_version, NULL},
                    {"n-shot", put_shots, NULL},
                    {"higher_is_better", put_better, put_better_of_group},
                    {"n-samples", put_samples, NULL},
                    {"task_hashes", put_hash, NULL}};
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        PL_TRY(pl__report_object_open(file, sections[s].name));
        PL_TRY(put_each(file, o, sections[s].cell, sections[s].group));
        PL_TRY(pl__report_object_close(file));
    }
    return PL_OK;
}

static void put_run(pl_json_builder *b, const of_model *o)
{
    char model_args[512], plain[PL_RESULT_FILE];
    const pl_planned_model *model = o->cells[0]->unit->model_facts;
    snprintf(model_args, sizeof model_args, "pretrained=%s", o->cells[0]->unit->model);
    pl_result_part(plain, o->cells[0]->unit->model);
    pl_json_open(b, "config");
    pl_json_put_text(b, "model", "plumb");
    pl_json_put_text(b, "model_args", model_args);
    pl_json_put_size(b, "model_num_parameters", model->parameters);
    pl_json_put_bool(b, "random_weights", model->random_weights);
    pl_json_put_null(b, "limit");
    pl_json_open(b, "gen_kwargs");
    pl_json_close(b);
    pl_json_close(b);
    pl_json_put_text(b, "ci95_method", "wilson"); /* of every <metric>_ci95_low and _ci95_high */
    pl_json_put_text(b, "model_source", "plumb");
    pl_json_put_text(b, "model_name", o->cells[0]->unit->model);
    pl_json_put_text(b, "model_name_sanitized", plain);
    pl_json_put_text(b, "plumb_version", PLUMB_VERSION);
}

/* Whether all cells were asked with the same text in the system turn. */
static bool share_system(const of_model *o)
{
    const char *first = o->cells[0]->unit->system;
    for (size_t i = 1; i < o->n; i++) {
        const char *other = o->cells[i]->unit->system;
        if (!first != !other || (first && strcmp(first, other))) return false;
    }
    return true;
}

/* The label of a chat whose shots are turns begins so (experiment/spec_chat.c). */
static bool has_turns(const pl_run_unit *unit)
{
    static const char label[] = "chat-multi";
    return strncmp(unit->chat, label, sizeof label - 1) == 0;
}

static bool share_turns(const of_model *o)
{
    for (size_t i = 1; i < o->n; i++)
        if (has_turns(o->cells[i]->unit) != has_turns(o->cells[0]->unit)) return false;
    return true;
}

/* lm-eval has one way of asking a run; null where cells differ (configs.<task>.metadata has each cell's). Of the chat
 * template itself the run's files have the digest in units' identities alone. */
static void put_way_of_asking(pl_json_builder *b, const of_model *o)
{
    const pl_run_unit *first = o->cells[0]->unit;
    const char *system = share_system(o) ? first->system : NULL;
    char digest[PL_SHA256_TEXT];
    if (system) pl_sha256(digest, system, strlen(system));
    pl_json_put_text(b, "system_instruction", system);
    pl_json_put_text(b, "system_instruction_sha", system ? digest : NULL);
    if (share_turns(o))
        pl_json_put_bool(b, "fewshot_as_multiturn", has_turns(first));
    else
        pl_json_put_null(b, "fewshot_as_multiturn");
    pl_json_put_null(b, "chat_template");
    pl_json_put_null(b, "chat_template_sha");
}

/* What lm-eval writes of a run, in its order; null is what a run of plumb does not say. */
static void put_plain_run(pl_json_builder *b, const of_model *o, const pl__run_facts *facts)
{
    static const char *const nothing[] =
        {"git_hash",       "pretty_env_info",     "transformers_version", "lm_eval_version",
         "upper_git_hash", "tokenizer_pad_token", "tokenizer_eos_token",  "tokenizer_bos_token",
         "eot_token_id"},
                             *const seeds[] = {"random_seed", "numpy_seed", "torch_seed"};
    const pl_run_unit *u = o->cells[0]->unit;
    char text[512];
    snprintf(text, sizeof text, "pretrained=%s", u->model);
    pl_json_open(b, "config");
    pl_json_put_text(b, "model", "plumb");
    pl_json_put_text(b, "model_args", text);
    pl_json_put_size(b, "model_num_parameters", u->model_facts->parameters);
    pl_json_put_null(b, "batch_size");
    pl_json_open_list(b, "batch_sizes");
    pl_json_close(b);
    pl_json_put_text(b, "device", *facts->device ? facts->device : NULL);
    pl_json_put_null(b, "use_cache");
    pl_json_put_null(b, "limit");
    pl_json_put_integer(b, "bootstrap_iters", 0);
    pl_json_put_null(b, "gen_kwargs");
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) pl_json_put_null(b, seeds[i]);
    pl_json_put_integer(b, "fewshot_seed", u->seed);
    pl_json_close(b);
    pl_json_put_real(b, "date", facts->date);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) pl_json_put_null(b, nothing[i]);
    if (facts->max_length)
        pl_json_put_size(b, "max_length", facts->max_length);
    else
        pl_json_put_null(b, "max_length");
    pl_json_put_text(b, "model_source", "plumb");
    pl_json_put_text(b, "model_name", u->model);
    pl_json_put_text(b, "model_name_sanitized", facts->folder);
    put_way_of_asking(b, o);
    snprintf(text, sizeof text, "%.6f", facts->seconds);
    pl_json_put_text(b, "total_evaluation_time_seconds", text);
    pl_json_put_text(b, "plumb_version", PLUMB_VERSION);
}

static pl_status find_groups(of_model *o, pl_arena *arena)
{
    PL_TRY(pl_arena_new(arena, &o->groups, o->n));
    for (size_t i = 0; i < o->n; i++)
        if (!lists(o->groups, o->n_groups, o->cells[i]->group)) o->groups[o->n_groups++] = o->cells[i]->group;
    return PL_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every cell and group is a member of one object. */
static pl_status check_keys(const of_model *o, const char *path, pl_arena *arena)
{
    const char **keys;
    size_t n = 0;
    PL_TRY(pl_arena_new(arena, &keys, o->n + o->n_groups));
    for (size_t i = 0; i < o->n; i++) keys[n++] = o->cells[i]->key;
    for (size_t g = 0; g < o->n_groups; g++) keys[n++] = o->groups[g];
    qsort(keys, n, sizeof *keys, by_text);
    for (size_t i = 1; i < n; i++)
        if (!strcmp(keys[i - 1], keys[i]))
            return pl_fail(PL_E_INPUT, "%s: two units of the plan are '%s': expected one; plan the experiment again",
                           path, keys[i]);
    return PL_OK;
}

pl_status pl__results(pl__report_file *file, const pl__report_cell *const *cells, size_t n, const pl__run_facts *facts,
                      pl_arena *arena)
{
    of_model o = {.cells = cells, .n = n};
    pl_json_builder b;
    PL_TRY(find_groups(&o, arena));
    PL_TRY(check_keys(&o, file->path, arena));
    PL_TRY(pl__report_object_open(file, NULL));
    PL_TRY(put_sections(file, &o));
    pl_json_begin(&b);
    if (facts)
        put_plain_run(&b, &o, facts);
    else
        put_run(&b, &o);
    PL_TRY(pl__report_object_put(file, &b));
    return pl__report_object_close(file);
}
