#include "analysis/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static double cell(const pl__condition *c, size_t draw, size_t template, size_t item)
{
    return c->correct[(draw * c->t + template) * c->n + c->kept[item]];
}

size_t pl__condition_n_templates(const pl__condition *c, pl_role role)
{
    size_t n = 0;
    for (size_t k = 0; k < c->t; k++) n += c->roles[k] == role && c->same[k] == k;
    return n;
}

double pl__condition_draw_accuracy(const pl__condition *c, size_t draw, pl_role role)
{
    double sum = 0, n = 0;
    for (size_t k = 0; k < c->t; k++)
        for (size_t i = 0; c->roles[k] == role && c->same[k] == k && i < c->n_kept; i++, n++)
            sum += cell(c, draw, k, i);
    return n > 0 ? sum / n : NAN;
}

double pl__condition_accuracy(const pl__condition *c, pl_role role)
{
    double sum = 0;
    for (size_t d = 0; d < c->n_draws; d++) sum += pl__condition_draw_accuracy(c, d, role);
    return sum / (double)c->n_draws;
}

/* A template that is compared: its place in c and in the other condition, and the sample that it belongs to. */
typedef struct compared {
    size_t c, against, sample;
    double share; /* of the sample: one over its templates */
} compared;

/* Sums of one condition by item, template and draw, with a sign. */
typedef struct sums {
    size_t n, n_templates, t;  /* t: samples of templates */
    compared *templates;       /* [n_templates] */
    double *item, *template;   /* [n], [t] means, of the two conditions' difference */
    double variance, weighted; /* sum of variances of the mean, and of their squares over their df */
} sums;

static size_t find_template(const pl__condition *c, const char *name)
{
    size_t k = 0;
    while (k < c->t && strcmp(c->templates[k], name)) k++;
    return k;
}

/* The role's templates that both have. Those that are one in c are one sample: the mean of them. */
static void choose_templates(sums *s, const pl__condition *c, const pl__condition *against, pl_role role)
{
    for (size_t k = 0; k < c->t; k++) {
        size_t there = against ? find_template(against, c->templates[k]) : k, sample = s->t, size = 1;
        if (c->roles[k] != role || (against && there == against->t)) continue;
        for (size_t j = 0; j < s->n_templates; j++)
            if (c->same[s->templates[j].c] == c->same[k]) {
                sample = s->templates[j].sample;
                size++;
            }
        s->t += sample == s->t;
        s->templates[s->n_templates++] = (compared){k, there, sample, 1};
        for (size_t j = 0; j < s->n_templates; j++)
            if (s->templates[j].sample == sample) s->templates[j].share = 1 / (double)size;
    }
}

static size_t place_of(const compared *template, bool is_against)
{
    return is_against ? template->against : template->c;
}

static void add(sums *s, const pl__condition *c, bool is_against)
{
    for (size_t k = 0; k < s->n_templates; k++) {
        const compared *one = &s->templates[k];
        double weight = (is_against ? -1 : 1) * one->share / (double)c->n_draws;
        for (size_t d = 0; d < c->n_draws; d++)
            for (size_t i = 0; i < s->n; i++) {
                double value = weight * cell(c, d, place_of(one, is_against), i);
                s->item[i] += value / (double)s->t;
                s->template[one->sample] += value / (double)s->n;
            }
    }
}

/* Accuracies of the draws of c over the compared templates. */
static void draw_means(double *out, const sums *s, const pl__condition *c, bool is_against)
{
    for (size_t d = 0; d < c->n_draws; d++)
        for (size_t k = 0; k < s->n_templates; k++) {
            const compared *one = &s->templates[k];
            double weight = one->share / (double)(s->n * s->t);
            for (size_t i = 0; i < s->n; i++) out[d] += weight * cell(c, d, place_of(one, is_against), i);
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

static pl_status add_draws(sums *s, const pl__condition *c, const pl__condition *against)
{
    double *mine = NULL, *theirs = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&mine, c->n_draws));
    draw_means(mine, s, c, false);
    if (against) {
        PL_GOTO(status, done, pl_new(&theirs, against->n_draws));
        draw_means(theirs, s, against, true);
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
    pl_status status;
    *out = (pl_estimate){NAN, NAN, NAN, NAN};
    PL_GOTO(status, done, pl_new(&s.templates, c->t));
    choose_templates(&s, c, against, role);
    if (!s.t || !s.n) goto done;
    PL_GOTO(status, done, pl_new(&s.item, s.n));
    PL_GOTO(status, done, pl_new(&s.template, s.t));
    add(&s, c, false);
    if (against) add(&s, against, true);
    out->value = 0;
    for (size_t i = 0; i < s.n; i++) out->value += s.item[i] / (double)s.n;
    add_variance(&s, s.item, s.n);
    add_variance(&s, s.template, s.t);
    PL_GOTO(status, done, add_draws(&s, c, against));
    if (!(s.variance > 0)) goto done; /* all alike: nothing is known about the spread */
    out->se = sqrt(s.variance);
    double half = pl_student_quantile(0.975, s.variance * s.variance / s.weighted) * out->se;
    out->lo = out->value - half;
    out->hi = out->value + half;
    *out = pl_estimate_clip(*out, against ? -1 : 0, 1);
done:
    free(s.templates);
    free(s.item);
    free(s.template);
    return status;
}
