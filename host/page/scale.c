/* What grows with a model: metrics against the number of parameters, where runs hold models of several sizes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page/section.h"

/* A subject and its model's size. */
typedef struct sized {
    const pl__subject *subject;
    size_t parameters;
    bool random;
} sized;

static sized sized_of(const pl__subject *s)
{
    const pl_plan_file *plan = s->run->plan;
    for (size_t m = 0; m < plan->n_models; m++)
        if (!strcmp(plan->models[m].name, s->model))
            return (sized){s, plan->models[m].parameters, plan->models[m].random_weights};
    return (sized){s, 0, false};
}

static int by_parameters(const void *a, const void *b)
{
    const sized *x = a, *y = b;
    if (x->parameters != y->parameters) return x->parameters < y->parameters ? -1 : 1;
    return x->subject < y->subject ? -1 : 1;
}

/* "135 M", "1.7 B", "9.3 k" */
static const char *size_text(pl__build *b, size_t parameters)
{
    static const char units[] = {' ', 'k', 'M', 'B', 'T'};
    double value = (double)parameters;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units) value /= 1000, unit++;
    return pl__say(b, "%.3g %c", value, units[unit]);
}

/* One metric of all models of a group, an arm a line. */
static void put_metric(pl__build *b, const sized *group, size_t n, const char *metric, const char *title,
                       const char *value_name, const char *stem, bool share)
{
    pl__draft d;
    pl__draft_begin(&d, b, PL_FIGURE_CURVE, title, "arm", "parameters of the model", value_name);
    if (share) pl__draft_bounds(&d, 0, 1);
    for (size_t i = 0; i < n; i++) {
        const pl__subject *s = group[i].subject;
        const double x = pl__draft_category(&d, size_text(b, group[i].parameters));
        for (size_t c = 0; c < s->n; c++) {
            const pl__row *r = pl__row_judged(&s->conditions[c], metric);
            const char *label = s->conditions[c].label;
            if (r && group[i].random) label = pl__say(b, "%s, random weights", label);
            if (!r) continue;
            if (strcmp(metric, "acc")) {
                pl__draft_row(&d, label, x, r);
            } else { /* chance is the same for all */
                pl__draft_floor(&d, "chance", r->null_mean);
                pl__draft_point(&d, label, x, r->value, r->lo, r->hi, NAN);
            }
        }
    }
    if (pl__draft_put(&d, stem,
                      "Models in the order of their size, an arm a line; under ood wordings where there are some. "
                      "Models of one size share a place. Bands: 95 % intervals for other items, wordings and draws."))
        pl__put_metric(b, metric);
}

static void put_group(pl__build *b, sized *group, size_t n)
{
    static const char *const metrics[][4] = {
        {"acc", "Accuracy", "accuracy", "share"},
        {"flip_rate", "Answers that flip between wordings", "share of pairs that answer an item differently", "share"},
        {"template_sd", "How far accuracy moves over wordings", "SD of accuracy", ""}};
    const pl__subject *first = group[0].subject;
    const char *task = "";
    qsort(group, n, sizeof *group, by_parameters);
    if (group[0].parameters == 0 || group[0].parameters == group[n - 1].parameters) return;
    if (b->status == PL_OK)
        b->status = pl__stem(b->tables->arena, &task, pl__say(b, "%s-%s", first->task, first->readout));
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++)
        put_metric(b, group, n, metrics[m][0], pl__say(b, "%s by size of the model: %s", metrics[m][1], first->task),
                   metrics[m][2], pl__say(b, "size-%s-%s", metrics[m][0], task), *metrics[m][3]);
}

void pl__section_scale(pl__build *b)
{
    const size_t n = b->tables->n_subjects;
    sized *group = NULL;
    bool *taken = NULL;
    if (b->status == PL_OK) b->status = pl_new(&group, n);
    if (b->status == PL_OK) b->status = pl_new(&taken, n);
    pl__part part = pl__open(b, "<section id=\"size\">\n<h2>Larger models</h2>\n");
    for (size_t i = 0; i < n && b->status == PL_OK; i++) {
        const pl__subject *first = &b->tables->subjects[i];
        size_t members = 0;
        for (size_t j = i; j < n; j++) {
            const pl__subject *s = &b->tables->subjects[j];
            if (taken[j] || strcmp(s->task, first->task) || strcmp(s->readout, first->readout)) continue;
            taken[j] = true;
            group[members++] = sized_of(s);
        }
        if (members > 1) put_group(b, group, members);
    }
    pl__close(b, part, "</section>\n");
    free(taken);
    free(group);
}
