#include "analysis/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static double cell(const pl__condition *c, size_t draw, size_t template, size_t item)
{
    return (double)c->correct[(draw * c->t + template) * c->n + c->kept[item]];
}

double pl__condition_draw_accuracy(const pl__condition *c, size_t draw, pl_role role)
{
    double sum = 0, n = 0;
    for (size_t k = 0; k < c->t; k++)
        for (size_t i = 0; c->roles[k] == role && i < c->n_kept; i++, n++) sum += cell(c, draw, k, i);
    return n > 0 ? sum / n : NAN;
}

double pl__condition_accuracy(const pl__condition *c, pl_role role)
{
    double sum = 0;
    for (size_t d = 0; d < c->n_draws; d++) sum += pl__condition_draw_accuracy(c, d, role);
    return sum / (double)c->n_draws;
}

/* Sums of one condition by item, template and draw, with a sign. */
typedef struct sums {
    size_t n, t, n_draws;
    double *item, *template, *draw; /* means, of the two conditions' difference; draw: of the first alone */
    size_t *places;                 /* [t] of the compared templates in c */
    double variance, weighted;      /* sum of variances of the mean, and of their squares over their df */
} sums;

static size_t find_template(const pl__condition *c, const char *name)
{
    size_t k = 0;
    while (k < c->t && strcmp(c->templates[k], name)) k++;
    return k;
}

static void add(sums *s, const pl__condition *c, const char *const *names, double sign)
{
    double weight = sign / ((double)c->n_draws);
    for (size_t k = 0; k < s->t; k++) {
        size_t place = find_template(c, names[k]);
        for (size_t d = 0; d < c->n_draws; d++)
            for (size_t i = 0; i < s->n; i++) {
                double value = weight * cell(c, d, place, i);
                s->item[i] += value / (double)s->t;
                s->template[k] += value / (double)s->n;
            }
    }
}

/* Accuracies of the draws of c over the compared templates. */
static void draw_means(double *out, const pl__condition *c, const char *const *names, size_t t, size_t n)
{
    for (size_t d = 0; d < c->n_draws; d++) {
        out[d] = 0;
        for (size_t k = 0; k < t; k++) {
            size_t place = find_template(c, names[k]);
            for (size_t i = 0; i < n; i++) out[d] += cell(c, d, place, i) / (double)(n * t);
        }
    }
}

/* The variance of the mean of n values joins the sum; fewer than two say nothing. */
static void add_variance(sums *s, const double *values, size_t n)
{
    double mean = pl_mean(values, n), sum = 0;
    if (n < 2) return;
    for (size_t i = 0; i < n; i++) sum += (values[i] - mean) * (values[i] - mean);
    double variance = sum / (double)(n - 1) / (double)n;
    s->variance += variance;
    s->weighted += variance * variance / (double)(n - 1);
}

static bool same_draws(const pl__condition *a, const pl__condition *b)
{
    return a->n_draws == b->n_draws && memcmp(a->draws, b->draws, a->n_draws * sizeof *a->draws) == 0;
}

static pl_status add_draws(sums *s, const pl__condition *c, const pl__condition *against, const char *const *names)
{
    double *mine = NULL, *theirs = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&mine, c->n_draws));
    draw_means(mine, c, names, s->t, s->n);
    if (against) {
        PL_GOTO(status, done, pl_new(&theirs, against->n_draws));
        draw_means(theirs, against, names, s->t, s->n);
    }
    if (against && same_draws(c, against)) {
        for (size_t d = 0; d < c->n_draws; d++) mine[d] -= theirs[d];
        add_variance(s, mine, c->n_draws);
    } else {
        add_variance(s, mine, c->n_draws);
        if (against) add_variance(s, theirs, against->n_draws);
    }
    status = PL_OK;
done:
    free(mine);
    free(theirs);
    return status;
}

pl_status pl__contrast(pl_estimate *out, const pl__condition *c, const pl__condition *against, pl_role role)
{
    sums s = {.n = c->n_kept};
    const char **names = NULL;
    pl_status status;
    *out = (pl_estimate){NAN, NAN, NAN, NAN};
    PL_GOTO(status, done, pl_new(&names, c->t));
    for (size_t k = 0; k < c->t; k++)
        if (c->roles[k] == role && (!against || find_template(against, c->templates[k]) < against->t))
            names[s.t++] = c->templates[k];
    if (!s.t || !s.n) goto done;
    PL_GOTO(status, done, pl_new(&s.item, s.n));
    PL_GOTO(status, done, pl_new(&s.template, s.t));
    add(&s, c, names, 1);
    if (against) add(&s, against, names, -1);
    out->value = 0;
    for (size_t i = 0; i < s.n; i++) out->value += s.item[i] / (double)s.n;
    add_variance(&s, s.item, s.n);
    add_variance(&s, s.template, s.t);
    PL_GOTO(status, done, add_draws(&s, c, against, names));
    if (!(s.variance > 0)) goto done; /* all alike: nothing is known about the spread */
    out->se = sqrt(s.variance);
    double half = pl_student_quantile(0.975, s.variance * s.variance / s.weighted) * out->se;
    out->lo = out->value - half;
    out->hi = out->value + half;
    *out = pl_estimate_clip(*out, against ? -1 : 0, 1);
done:
    free(names);
    free(s.item);
    free(s.template);
    return status;
}
