/* metric_list: which metrics a task names, held to lm-evaluation-harness' own table of them. */
#include <stdio.h>
#include <string.h>

#include "task/task_keys.h"
#include "task/task_parts.h"

/* Metrics that take no flags; of these only exact_match does. */
static pl_status refuse_flags(const pl_yaml_node *entry, const char *metric)
{
    static const char *const flags[] = {"ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"};
    const pl_yaml_node *node;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if ((node = pl_yaml_get(entry, flags[i])))
            return pl_yaml_fail(node, "%s is a flag of exact_match, not of %s", flags[i], metric);
    return PL_OK;
}

/* Metrics, how lm-evaluation-harness pools them, and of which output types they are. */
static const struct metric {
    const char *name, *aggregation;
    bool higher;
    unsigned of; /* bits of pl_output_type */
} METRICS[] = {
    {"acc", "mean", true, 1u << PL_OUTPUT_MULTIPLE_CHOICE | 1u << PL_OUTPUT_LOGLIKELIHOOD},
    {"acc_norm", "mean", true, 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"acc_bytes", "mean", true, 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"acc_token", "mean", true, 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"acc_mutual_info", "mean", true, 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"exact_match", "mean", true, 1u << PL_OUTPUT_GENERATE_UNTIL | 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"f1", "f1", true, 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"mcc", "matthews_corrcoef", true, 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"brier_score", "brier_score", false, 1u << PL_OUTPUT_MULTIPLE_CHOICE},
    {"perplexity", "perplexity", false, 1u << PL_OUTPUT_LOGLIKELIHOOD},
    {"word_perplexity", "weighted_perplexity", false, 1u << PL_OUTPUT_LOGLIKELIHOOD_ROLLING},
    {"byte_perplexity", "weighted_perplexity", false, 1u << PL_OUTPUT_LOGLIKELIHOOD_ROLLING},
    {"bits_per_byte", "bits_per_byte", false, 1u << PL_OUTPUT_LOGLIKELIHOOD_ROLLING},
};

static pl_status fail_unknown(const pl_yaml_node *node, const char *given)
{
    char known[400] = "";
    size_t used = 0;
    for (const struct metric *m = METRICS; m < METRICS + sizeof METRICS / sizeof *METRICS; m++) {
        int wrote = snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", m->name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return pl_yaml_fail(node, "metric '%.60s' is not supported; expected one of: %s", given, known);
}

static pl_status check_metric(const pl_yaml_node *entry, const struct metric **out)
{
    const pl_yaml_node *node;
    const char *text, *given;
    bool higher;
    PL_TRY(pl_yaml_check_keys(entry, pl_task_metric_keys));
    if (!(node = pl_yaml_get(entry, "metric"))) return pl_yaml_fail(entry, "metric is missing");
    PL_TRY(pl_yaml_to_text(&given, node));
    const struct metric *m = METRICS, *end = METRICS + sizeof METRICS / sizeof *METRICS;
    while (m < end && strcmp(m->name, given) != 0) m++;
    if (m == end) return fail_unknown(node, given);
    if ((node = pl_yaml_get(entry, "aggregation"))) {
        PL_TRY(pl_yaml_to_text(&text, node));
        if (strcmp(text, m->aggregation) != 0)
            return pl_yaml_fail(node, "aggregation '%.60s': expected %s for %s", text, m->aggregation, m->name);
    }
    if ((node = pl_yaml_get(entry, "higher_is_better"))) {
        PL_TRY(pl_yaml_to_bool(&higher, node));
        if (higher != m->higher)
            return pl_yaml_fail(node, "higher_is_better: expected %s for %s", m->higher ? "true" : "false", m->name);
    }
    *out = m;
    return PL_OK;
}

static pl_status add_metric(pl_task *task, const char *name)
{
    if (!task->metrics) task->metrics = json_array();
    return task->metrics && json_array_append_new(task->metrics, json_string(name)) == 0
               ? PL_OK
               : pl_fail(PL_E_MEMORY, "out of memory while reading a task");
}

/* Shares that an arm's other readout has: a list may name them for both. */
static bool is_a_mean_of_choices(const struct metric *metric)
{
    return strcmp(metric->aggregation, "mean") == 0;
}

/* acc, acc_norm and exact_match of an answer are always there; the others are added where they are named. */
static bool is_always_there(const pl_task *task, const char *name)
{
    static const char *const names[] = {"acc", "acc_norm", "acc_token"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return task->output_type == PL_OUTPUT_GENERATE_UNTIL && strcmp(name, "exact_match") == 0;
}

bool pl_task_names(const pl_task *task, const char *metric)
{
    for (size_t i = 0; i < json_array_size(task->metrics); i++)
        if (strcmp(json_string_value(json_array_get(task->metrics, i)), metric) == 0) return true;
    return false;
}

pl_status pl__metric_list_read(pl_task *task, const pl__task_file *file)
{
    const pl_yaml_node *list = pl__task_file_get(file, "metric_list"), *exact = NULL;
    if (list && list->kind != PL_YAML_LIST)
        return pl_yaml_fail(list, "metric_list: expected a list of maps with 'metric'");
    for (size_t i = 0; list && i < list->n; i++) {
        const struct metric *metric = NULL;
        PL_TRY(check_metric(list->items[i], &metric));
        bool there = is_always_there(task, metric->name), is_of = metric->of & 1u << task->output_type;
        if (!there && !is_of && !is_a_mean_of_choices(metric))
            return pl_yaml_fail(list->items[i], "metric %s is not of output_type %s", metric->name,
                                pl_output_type_name(task->output_type));
        if (!there && is_of && !pl_task_names(task, metric->name)) PL_TRY(add_metric(task, metric->name));
        if (strcmp(metric->name, "exact_match") != 0)
            PL_TRY(refuse_flags(list->items[i], metric->name));
        else if (exact)
            return pl_yaml_fail(list->items[i], "exact_match stands in the list twice");
        else
            exact = list->items[i];
    }
    return pl_exact_match_make(&task->exact_match, exact);
}
