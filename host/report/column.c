#include "report/column.h"

#include <string.h>

#define FIELD(name, type, member, meaning)                                                                             \
    {                                                                                                                  \
        name, type, offsetof(pl_stability_row, member), meaning                                                        \
    }

static const pl__csv_column COLUMNS[] = {
    FIELD("model", PL__TEXT, model, "name of the model in the experiment"),
    FIELD("task", PL__TEXT, task, "name of the task"),
    FIELD("arm", PL__TEXT, arm,
          "way to adapt the model: `prompt`, or one that learns with its head, templates and examples; behind a colon "
          "the "
          "arm's own name"),
    FIELD("readout", PL__TEXT, readout, "loglikelihood or generate"),
    FIELD("k", PL__INTEGER, k, "shots"),
    FIELD("draw", PL__INTEGER, draw, "which shots; -1: mean over draws"),
    FIELD("order", PL__INTEGER, order, "which order of the shots; -1: mean over orders"),
    FIELD("seed", PL__INTEGER, seed, "seed; -1: mean over seeds"),
    FIELD("template", PL__TEXT, template_name, "name of the template; empty: over several"),
    FIELD("layer", PL__TEXT, layer, "00 is the embedding, 05 after block 5, final_norm; empty: behaviour"),
    FIELD("position", PL__TEXT, position,
          "last, label, suffix, or mean, which leaves position 0 out; empty: behaviour"),
    FIELD("preproc", PL__TEXT, preproc,
          "of states: c centred, z each dimension by its SD within templates; top3 centred, without the three "
          "dimensions that "
          "vary most within templates; length centred, less what the prompt's number of tokens and its square predict"),
    FIELD("metric", PL__METRIC, metric, "name of the metric"),
    FIELD("contrast", PL__TEXT, contrast,
          "templates: over all of them or of the one named; id, dev, ood: of a role; id|ood, a|b: two sides; 05|00: "
          "layer 05 minus layer 00; a>b: learned under a, asked under b; of tuned "
          "models base: against the checkpoint, draws: against each other; of pairs of layers self:05, templates:05, "
          "base:05, MODEL:05: layer 05 of the same unit, the template before, the checkpoint, an earlier model; :mean, "
          ":largest: over all pairs of layers"),
    FIELD("value", PL__REAL, value, "empty where it is not defined: why_empty says why"),
    FIELD("lo", PL__REAL, lo, "95 % interval for other items, templates and draws, as generalises says: lower end"),
    FIELD("hi", PL__REAL, hi, "its upper end"),
    FIELD("se", PL__REAL, se, "its standard error"),
    FIELD("df", PL__REAL, df, "its degrees of freedom (Satterthwaite)"),
    FIELD("lo_these", PL__REAL, lo_these,
          "95 % interval for exactly these templates and draws, other items: lower end"),
    FIELD("hi_these", PL__REAL, hi_these, "its upper end"),
    FIELD("generalises", PL__TEXT, generalises, "what lo and hi are over: items, templates, draws"),
    FIELD(
        "ci_method", PL__TEXT, ci_method,
        "how lo and hi were made: crossed (components of items, templates, draws), wilson, F, mover (mean squares of a "
        "variance split), least of wordings; none"),
    FIELD("p", PL__REAL, p,
          "of the null, two-sided; of template_sd and spread one-sided, by permutation; of cochran_q by chi-square"),
    FIELD(
        "p_adjusted", PL__REAL, p_adjusted,
        "p for the tests beside it, by Benjamini and Hochberg: rows of one metric and contrast, all over several "
        "templates or all of single ones, all means over draws or all of single ones, of every model, task, arm, k and "
        "layer; of layers (05|00) by step-down max T over the layers of the curve"),
    FIELD("n", PL__COUNT, n, "items that the number is made of"),
    FIELD("n_clusters", PL__COUNT, n_clusters, "groups of items (plumb.group) that intervals take as one; else n"),
    FIELD("n_templates", PL__COUNT, n_templates, "templates that it is made of"),
    FIELD("n_seeds", PL__COUNT, n_seeds, "draws, orders and seeds that it is the mean of"),
    FIELD("null_mean", PL__REAL, null_mean, "by chance or under the null"),
    FIELD("null_sd", PL__REAL, null_sd, "SD under the null"),
    FIELD("null_q95", PL__REAL, null_q95, "95 % quantile under the null"),
    FIELD("null_name", PL__TEXT, null_name, "which null"),
    FIELD("unit", PL__TEXT, unit, "share, 1, bit, nat, nat^2 or item"),
    FIELD("why_empty", PL__TEXT, why_empty, "why a value, an interval, a null or part of generalises is missing"),
    FIELD("note", PL__TEXT, note, "what was left out"),
};

const pl__csv_column *pl__csv_columns(size_t *n)
{
    *n = sizeof COLUMNS / sizeof *COLUMNS;
    return COLUMNS;
}

/* Copies the field out: rows are read through their offsets, whatever their types. */
static void field(void *out, const pl__csv_column *column, const pl_stability_row *row, size_t size)
{
    memcpy(out, (const char *)row + column->offset, size);
}

const char *pl__csv_column_text(const pl__csv_column *column, const pl_stability_row *row)
{
    const char *text;
    pl_metric_id metric;
    if (column->type == PL__METRIC) {
        field(&metric, column, row, sizeof metric);
        return pl_metric_of(metric)->name;
    }
    field(&text, column, row, sizeof text);
    return text;
}

long long pl__csv_column_integer(const pl__csv_column *column, const pl_stability_row *row)
{
    long long integer;
    size_t count;
    if (column->type == PL__COUNT) {
        field(&count, column, row, sizeof count);
        return (long long)count;
    }
    field(&integer, column, row, sizeof integer);
    return integer;
}

double pl__csv_column_real(const pl__csv_column *column, const pl_stability_row *row)
{
    double real;
    field(&real, column, row, sizeof real);
    return real;
}
