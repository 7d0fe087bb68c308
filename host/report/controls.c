/* Controls beside the values that they are controls of: content-free inputs, the same template with another draw, layer
 * 0, a model with random weights and training on shuffled labels, all from the rows of the stability table. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/visible.h"
#include "report/report.h"

/* ---- finding rows ---- */

/* Over all templates, the mean over draws where there is one; NULL: none. like: model .. k, layer and position. */
static const pl_stability_row *find(const pl_stability_table *t, const pl_stability_row *like, const char *model,
                                    pl_metric_id metric, const char *layer)
{
    const pl_stability_row *found = NULL;
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric != metric || strcmp(r->contrast, "templates") || *r->template_name || strcmp(r->layer, layer) ||
            strcmp(r->position, like->position) || strcmp(r->preproc, like->preproc))
            continue;
        if (strcmp(r->model, model) || strcmp(r->task, like->task) || strcmp(r->arm, like->arm) ||
            strcmp(r->readout, like->readout) || r->k != like->k || isnan(r->value))
            continue;
        if (!found || r->draw < 0) found = r;
    }
    return found;
}

static bool is_random(const pl_stability_table *t, const char *model)
{
    for (size_t i = 0; i < t->n_random_models; i++)
        if (!strcmp(t->random_models[i], model)) return true;
    return false;
}

/* ---- lines ---- */

typedef struct lines {
    FILE *out;
    const pl_stability_table *table;
    const pl_stability_row *group; /* any row of it */
    bool has_head;
} lines;

static void value_text(char out[64], const pl_stability_row *r)
{
    if (isnan(r->lo))
        snprintf(out, 64, "%.3f", r->value);
    else
        snprintf(out, 64, "%.3f [%.3f, %.3f]", r->value, r->lo, r->hi);
}

/* The value stands once, before its first control. */
static void put(lines *l, const char **label, const pl_stability_row **value, const pl_stability_row *control,
                const char *what)
{
    const pl_stability_row *g = l->group;
    char left[64] = "", right[64];
    if (!*label || !control) return;
    if (!l->has_head)
        pl_print(l->out, "%s, %s: %s, k = %lld, %s: controls\n", g->model, g->task, g->arm, g->k, g->readout);
    l->has_head = true;
    if (*value) value_text(left, *value);
    value_text(right, control);
    pl_print(l->out, "  %-18s %-23s %-23s %s\n", *value ? *label : "", left, right, what);
    *value = NULL;
}

static void put_random(lines *l, const char *label, const pl_stability_row **value, pl_metric_id metric,
                       const pl_stability_row *like)
{
    const char *random = pl_random_control(l->table->models, l->table->n_models, like->model);
    if (random) put(l, &label, value, find(l->table, like, random, metric, like->layer), "random weights");
}

static void put_accuracy(lines *l)
{
    const pl_stability_row *g = l->group, *value = find(l->table, g, g->model, PL_METRIC_ACC, ""),
                           *entropy = find(l->table, g, g->model, PL_METRIC_FREE_ENTROPY, "");
    const char *label = "accuracy";
    char what[64];
    if (!value) return;
    snprintf(what, sizeof what, "content-free label, %.2f bit", entropy ? entropy->value : NAN);
    put(l, &label, &value, find(l->table, g, g->model, PL_METRIC_FREE_ACC, ""), what);
    put_random(l, label, &value, PL_METRIC_ACC, g);
    pl_stability_row shuffled = *g;
    char arm[256];
    snprintf(arm, sizeof arm, "%s shuffled", g->arm);
    shuffled.arm = arm;
    put(l, &label, &value, find(l->table, &shuffled, g->model, PL_METRIC_ACC, ""), "trained on shuffled labels");
}

static void put_flips(lines *l)
{
    const pl_stability_row *g = l->group, *value = find(l->table, g, g->model, PL_METRIC_FLIP_RATE, "");
    const char *label = "flips, templates";
    if (!value) return;
    put(l, &label, &value, find(l->table, g, g->model, PL_METRIC_FLIP_DRAWS, ""), "same template, another draw");
    put_random(l, label, &value, PL_METRIC_FLIP_RATE, g);
}

/* Of the last token, by what is centred. */
static void put_states(lines *l, const char *layer)
{
    static const pl_metric_id metrics[] = {PL_METRIC_WOBBLE, PL_METRIC_CKA_DEBIASED};
    static const char *const names[] = {"wobble", "CKA"};
    for (size_t i = 0; i < 2; i++) {
        pl_stability_row like = *l->group;
        char text[64];
        const char *label = text;
        like.position = "last";
        like.preproc = "c";
        like.layer = layer;
        const pl_stability_row *value = find(l->table, &like, like.model, metrics[i], layer);
        if (!value) continue;
        snprintf(text, sizeof text, "%s, %s", names[i], layer);
        put(l, &label, &value, find(l->table, &like, like.model, metrics[i], "00"), "layer 00");
        put_random(l, label, &value, metrics[i], &like);
    }
}

static bool same_group(const pl_stability_row *a, const pl_stability_row *b)
{
    return !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->arm, b->arm) &&
           !strcmp(a->readout, b->readout) && a->k == b->k;
}

pl_status pl_report_controls_print(FILE *out, const pl_stability_table *table)
{
    bool any = false;
    for (size_t i = 0; i < table->n; i++) {
        if ((i > 0 && same_group(&table->rows[i], &table->rows[i - 1])) || is_random(table, table->rows[i].model))
            continue;
        pl_stability_row group = table->rows[i];
        group.position = group.preproc = group.layer = "";
        lines l = {.out = out, .table = table, .group = &group};
        put_accuracy(&l);
        put_flips(&l);
        put_states(&l, "final_norm");
        if (l.has_head) fputc('\n', out);
        any = any || l.has_head;
    }
    if (any)
        fputs("controls: to the right the same number where there is little to know: no item, another draw and not\n"
              "another wording, the embedding (layer 00), drawn weights, shuffled labels.\n\n",
              out);
    return ferror(out) ? pl_fail(PL_E_IO, "the table cannot be written to the output") : PL_OK;
}
