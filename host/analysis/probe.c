/* Probes of the label between templates (measure/probe.h): at the readout and at one middle layer. */
#include <stdlib.h>
#include <string.h>

#include "analysis/scope.h"
#include "base/random.h"

enum { ITEMS_MAX = 256 }; /* beyond them a fit takes long, and says no more */

static pl_status deal_folds(size_t *fold, const pl__subject *s, const size_t *classes, size_t n)
{
    size_t *cluster = NULL;
    pl_clusters clusters;
    pl_status status;
    PL_TRY(pl__subject_clusters(&clusters, s, n, s->arena));
    PL_TRY(pl_new(&cluster, n));
    for (size_t i = 0; i < n; i++) cluster[i] = i;
    for (size_t c = 0; clusters.start && c < clusters.n; c++)
        for (size_t at = clusters.start[c]; at < clusters.start[c + 1]; at++) cluster[clusters.items[at]] = c;
    status = pl_folds(fold, classes, s->group->n_labels, cluster, n, PL_PROBE_FOLDS, 1);
    free(cluster);
    return status;
}

static pl_status fit(pl__subject *s, size_t *classes, size_t n)
{
    size_t *fold = NULL, *order = NULL, *permuted = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&fold, n));
    PL_GOTO(status, done, pl_new(&order, n));
    PL_GOTO(status, done, pl_new(&permuted, n));
    PL_GOTO(status, done, deal_folds(fold, s, classes, n));
    pl_random_permutation(order, n, 1, PL_RANDOM_PERMUTE, 0);
    for (size_t i = 0; i < n; i++) permuted[i] = classes[order[i]];
    const pl_probe_items items = {.n = n,
                                  .t = s->t,
                                  .width = s->layer->width,
                                  .n_classes = s->group->n_labels,
                                  .states = (const float *const *)s->layer->states,
                                  .classes = classes,
                                  .permuted = permuted,
                                  .fold = fold,
                                  .n_folds = PL_PROBE_FOLDS};
    s->probe_why = "a fold lacks a label: too few items, or groups of items";
    if (!pl_probe_can(&items)) goto done;
    s->probe_why = NULL;
    status = pl_probe_of(&s->probe, &items);
done:
    free(permuted);
    free(order);
    free(fold);
    return status;
}

/* The probes of the subject; NULL with a reason in subject->probe_why, "" where there are no labels to probe. */
static pl_status probe_of(const pl_probe **out, pl__subject *s)
{
    size_t *classes, n = s->n < ITEMS_MAX ? s->n : ITEMS_MAX;
    *out = NULL;
    if (!s->has_probe) {
        s->probe_why = ""; /* nothing to say */
        PL_TRY(pl__subject_classes(&classes, s, n));
        pl_status status = classes ? fit(s, classes, n) : PL_OK;
        free(classes);
        PL_TRY(status);
        s->has_probe = true;
    }
    if (!s->probe_why) *out = &s->probe;
    return PL_OK;
}

static double mean_of(const uint8_t *values, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += values[i];
    return (double)count / (double)n;
}

/* Adds weight x what one list of answers says to each item. */
static void add_items(pl__subject *s, const uint8_t *values, size_t n, double weight)
{
    for (size_t i = 0; i < n; i++) s->items[i] += weight * values[i];
}

/* Answers under the template that was learned under. */
static void add_same(pl__subject *s, const pl_probe *p, double weight)
{
    for (size_t a = 0; a < p->t; a++) add_items(s, p->correct + (a * p->t + a) * p->n, p->n, weight / (double)p->t);
}

/* Answers under the other templates. */
static void add_other(pl__subject *s, const pl_probe *p, double weight)
{
    double pairs = (double)p->t * ((double)p->t - 1.0);
    for (size_t a = 0; a < p->t; a++)
        for (size_t b = 0; b < p->t; b++)
            if (a != b) add_items(s, p->correct + (a * p->t + b) * p->n, p->n, weight / pairs);
}

/* weights[0] x accuracy under the own template + weights[1] x under others, without each template in turn. */
static void leave_templates_out(pl__subject *s, const pl_probe *p, const double weights[2])
{
    double t = (double)p->t - 1.0;
    for (size_t k = 0; k < p->t; k++) {
        double same = 0.0, other = 0.0;
        for (size_t a = 0; a < p->t; a++)
            for (size_t b = 0; b < p->t; b++) {
                if (a == k || b == k) continue;
                *(a == b ? &same : &other) += mean_of(p->correct + (a * p->t + b) * p->n, p->n);
            }
        s->templates[k] = weights[0] * same / t + weights[1] * other / (t * (t - 1.0));
    }
}

/* The start of each of the metrics: NULL in *p where there is nothing to say, or no more than why. */
static pl_status begin(const pl_probe **p, pl__measured *out, const pl__scope *scope)
{
    pl__subject *s = scope->subject;
    *p = NULL;
    if (!s->layer->probed) return PL_OK;
    PL_TRY(probe_of(p, s));
    if (!*p && !*s->probe_why) return PL_OK;
    out->kind = *p ? PL__ITEMS : PL__FIXED;
    out->estimate = pl__only_value(NAN);
    out->why_empty = *p ? "" : s->probe_why;
    if (!*p) return PL_OK;
    out->n = (*p)->n;
    memset(s->items, 0, s->n * sizeof *s->items);
    if (out->n < s->n) return pl__measured_note(out, scope, "%zu of %zu items, by chance", out->n, s->n);
    return PL_OK;
}

/* weights of accuracy under the own template and under others; templates are left out where others are in it. */
static pl_status mix(pl__measured *out, const pl__scope *scope, const double weights[2])
{
    const pl_probe *p;
    PL_TRY(begin(&p, out, scope));
    if (!p) return PL_OK;
    if (weights[0] != 0.0) add_same(scope->subject, p, weights[0]);
    if (weights[1] != 0.0) add_other(scope->subject, p, weights[1]);
    if (p->t < PL_JACKKNIFE_MIN) return PL_OK;
    leave_templates_out(scope->subject, p, weights);
    out->templates = PL__TEMPLATES_LEFT_OUT;
    return PL_OK;
}

pl_status pl__metric_probe_acc(pl__measured *out, pl__scope *scope)
{
    PL_TRY(mix(out, scope, (const double[2]){1.0, 0.0}));
    if (out->kind == PL__ITEMS) out->null_mean = scope->subject->group->majority;
    return PL_OK;
}

/* One entry of the matrix: learned under the scope's first template, asked under its second. */
static pl_status one_pair(pl__measured *out, const pl__scope *scope)
{
    const pl_probe *p;
    PL_TRY(begin(&p, out, scope));
    if (!p) {
        out->kind = PL__NOTHING;
        return PL_OK;
    }
    add_items(scope->subject, p->correct + (scope->templates[0] * p->t + scope->templates[1]) * p->n, p->n, 1.0);
    out->kind = PL__SHARE;
    return PL_OK;
}

pl_status pl__metric_probe_transfer(pl__measured *out, pl__scope *scope)
{
    PL_TRY(scope->over == PL_OVER_ORDERED ? one_pair(out, scope) : mix(out, scope, (const double[2]){0.0, 1.0}));
    if (out->kind == PL__ITEMS || out->kind == PL__SHARE) out->null_mean = scope->subject->group->majority;
    return PL_OK;
}

pl_status pl__metric_probe_gap(pl__measured *out, pl__scope *scope)
{
    PL_TRY(mix(out, scope, (const double[2]){1.0, -1.0}));
    out->tested = out->kind == PL__ITEMS;
    if (out->tested) out->null_mean = 0.0;
    return PL_OK;
}

pl_status pl__metric_probe_selectivity(pl__measured *out, pl__scope *scope)
{
    const pl_probe *p;
    pl__subject *s = scope->subject;
    PL_TRY(begin(&p, out, scope));
    if (!p) return PL_OK;
    add_same(s, p, 1.0);
    for (size_t a = 0; a < p->t; a++) {
        add_items(s, p->control + a * p->n, p->n, -1.0 / (double)p->t);
        s->templates[a] = mean_of(p->correct + (a * p->t + a) * p->n, p->n) - mean_of(p->control + a * p->n, p->n);
    }
    out->templates = PL__TEMPLATE_MEANS;
    out->tested = true;
    out->null_mean = 0.0;
    return PL_OK;
}
