/* Variance components over items and templates, with closed-form delete-one forms (variance_components.h).
 *
 * Everything is built from a_i, b_t and e_it in double, never from raw sums of squares, so that the large common offset
 * of hidden states cannot cancel. Means are taken as first value + mean difference: equal templates give e_it = 0 and
 * b_t = 0 exactly, whatever T is. One item is one thread's work and sums over items run in order: same bits always.
 *
 * Without item i (m = n - 1; e_it has item mean 0 in each template, a has mean 0):
 *   sum|a|^2 -> A - n/m |a_i|^2,  sum sum|e|^2 -> R - n/m R_i,  b_t -> b_t - e_it/m.
 * Without template k (u = T - 1; e_it has template mean 0 for each item, b has mean 0):
 *   a_i -> a_i - e_ik/u,  sum sum|e|^2 -> R - T/u R_k,  sum|b|^2 -> B - T/u |b_k|^2. */
#include "statistics/variance_components.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "statistics/parallel.h"

/* mean[k * width + d] over items of each template, as x_0 + mean(x - x_0). */
static void template_means(double *mean, const float *const *states, size_t n, size_t t, size_t width)
{
#pragma omp parallel for schedule(static) if (n * t * width >= PL__PARALLEL_MIN)
    for (size_t k = 0; k < t; k++) {
        double *m = mean + k * width;
        for (size_t i = 1; i < n; i++)
            for (size_t d = 0; d < width; d++) m[d] += (double)states[k][i * width + d] - (double)states[k][d];
        for (size_t d = 0; d < width; d++) m[d] = (double)states[k][d] + m[d] / (double)n;
    }
}

/* Turns template means into template main effects b_t = mean_t - grand mean, in place. */
static void main_effects(double *mean, size_t t, size_t width)
{
    for (size_t d = 0; d < width; d++) {
        double first = mean[d], sum = 0.0;
        for (size_t k = 1; k < t; k++) sum += mean[k * width + d] - first;
        double grand = first + sum / (double)t;
        for (size_t k = 0; k < t; k++) mean[k * width + d] -= grand;
    }
}

typedef struct centred {
    size_t n, t, width;
    const float *const *states; /* t of [n, width] */
    const double *mean, *main;  /* [t, width]: template means, main effects */
    const double *weights;      /* [width] or NULL */
} centred;

/* One item's squares and products; residual_t and cross_t are [t]. */
static void item_squares(const centred *c, size_t i, double *of_item, double *of_cross, double *residual_t,
                         double *cross_t)
{
    double item = 0.0, with_main = 0.0;
    for (size_t k = 0; k < c->t; k++) residual_t[k] = cross_t[k] = 0.0;
    for (size_t d = 0; d < c->width; d++) {
        size_t at = i * c->width + d;
        double w = c->weights ? c->weights[d] : 1.0, first = (double)c->states[0][at] - c->mean[d], sum = 0.0;
        for (size_t k = 1; k < c->t; k++) sum += (double)c->states[k][at] - c->mean[k * c->width + d] - first;
        double a = first + sum / (double)c->t;
        item += w * a * a;
        for (size_t k = 0; k < c->t; k++) {
            double e = (double)c->states[k][at] - c->mean[k * c->width + d] - a;
            residual_t[k] += w * e * e;
            cross_t[k] += w * a * e;
            with_main += w * c->main[k * c->width + d] * e;
        }
    }
    *of_item = item;
    *of_cross = with_main;
}

static pl_status sums_new(pl_variance_sums *out, size_t n, size_t t)
{
    *out = (pl_variance_sums){.n = n, .t = t};
    PL_TRY(pl_new(&out->of_item, n));
    PL_TRY(pl_new(&out->of_residual, n));
    PL_TRY(pl_new(&out->of_cross, n));
    PL_TRY(pl_new(&out->template_of_main, t));
    PL_TRY(pl_new(&out->template_of_residual, t));
    PL_TRY(pl_new(&out->template_of_cross, t));
    return PL_OK;
}

/* Adds the items' shares up, in order. residual and cross are [n, t]. */
static void add_up(pl_variance_sums *out, const centred *c, const double *residual, const double *cross)
{
    for (size_t i = 0; i < c->n; i++) {
        for (size_t k = 0; k < c->t; k++) {
            out->of_residual[i] += residual[i * c->t + k];
            out->template_of_residual[k] += residual[i * c->t + k];
            out->template_of_cross[k] += cross[i * c->t + k];
        }
        out->item += out->of_item[i];
        out->residual += out->of_residual[i];
    }
    for (size_t k = 0; k < c->t; k++) {
        for (size_t d = 0; d < c->width; d++) {
            double b = c->main[k * c->width + d], w = c->weights ? c->weights[d] : 1.0;
            out->template_of_main[k] += w * b * b;
        }
        out->template_main += out->template_of_main[k];
    }
}

static pl_status check_shape(size_t n, size_t t)
{
    if (n >= 2 && t >= 2) return PL_OK;
    return pl_fail(PL_E_INPUT, "variance components: %zu items x %zu templates, expected at least 2 x 2", n, t);
}

pl_status pl_variance_sums_of(pl_variance_sums *out, const float *const *states, size_t n, size_t t, size_t width,
                              const double *weights)
{
    pl_status status = PL_OK;
    double *mean = NULL, *main = NULL, *residual = NULL, *cross = NULL;
    size_t means = 0, cells = 0;
    *out = (pl_variance_sums){0};
    PL_TRY(check_shape(n, t));
    PL_TRY(pl_mul_size(&means, t, width, "template means"));
    PL_TRY(pl_mul_size(&cells, n, t, "items x templates"));
    PL_GOTO(status, done, sums_new(out, n, t));
    PL_GOTO(status, done, pl_new(&mean, means));
    PL_GOTO(status, done, pl_new(&main, means));
    PL_GOTO(status, done, pl_new(&residual, cells));
    PL_GOTO(status, done, pl_new(&cross, cells));
    template_means(mean, states, n, t, width);
    if (means > 0) memcpy(main, mean, means * sizeof *main);
    main_effects(main, t, width);
    const centred c = {
        .n = n, .t = t, .width = width, .states = states, .mean = mean, .main = main, .weights = weights};
#pragma omp parallel for schedule(static) if (cells * width >= PL__PARALLEL_MIN)
    for (size_t i = 0; i < n; i++)
        item_squares(&c, i, &out->of_item[i], &out->of_cross[i], residual + i * t, cross + i * t);
    add_up(out, &c, residual, cross);
done:
    free(cross);
    free(residual);
    free(main);
    free(mean);
    if (status != PL_OK) pl_variance_sums_free(out);
    return status;
}

void pl_variance_sums_free(pl_variance_sums *sums)
{
    free(sums->template_of_cross);
    free(sums->template_of_residual);
    free(sums->template_of_main);
    free(sums->of_cross);
    free(sums->of_residual);
    free(sums->of_item);
    *sums = (pl_variance_sums){0};
}

pl_status pl_pooled_weights(double *weights, const float *const *states, size_t n, size_t t, size_t width)
{
    double *mean;
    size_t means = 0;
    PL_TRY(check_shape(n, t));
    PL_TRY(pl_mul_size(&means, t, width, "template means"));
    PL_TRY(pl_new(&mean, means));
    template_means(mean, states, n, t, width);
    memset(weights, 0, width * sizeof *weights);
    for (size_t k = 0; k < t; k++)
        for (size_t i = 0; i < n; i++)
            for (size_t d = 0; d < width; d++) {
                double u = (double)states[k][i * width + d] - mean[k * width + d];
                weights[d] += u * u;
            }
    double df = ((double)n - 1.0) * (double)t;
    for (size_t d = 0; d < width; d++) weights[d] = weights[d] > 0.0 ? df / weights[d] : 0.0;
    free(mean);
    return PL_OK;
}

static double ratio(double part, double whole)
{
    return whole > 0.0 ? part / whole : NAN;
}

/* From sum |a_i|^2, sum |b_t|^2, sum sum |e_it|^2 of an n x t table. */
static pl_variance_components components(double item, double template_main, double residual, double n, double t)
{
    pl_variance_components v = {
        .ms_item = t * item / (n - 1.0),
        .ms_template = n * template_main / (t - 1.0),
        .ms_residual = residual / ((n - 1.0) * (t - 1.0)),
    };
    v.item = (v.ms_item - v.ms_residual) / t;
    v.template_main = (v.ms_template - v.ms_residual) / n;
    v.residual = v.ms_residual;
    double within = v.item + v.residual, all = within + v.template_main;
    v.wobble = ratio(v.residual, within);
    v.shift = ratio(v.template_main, all);
    v.icc = ratio(v.item, all);
    return v;
}

pl_variance_components pl_variance_of(const pl_variance_sums *s)
{
    return components(s->item, s->template_main, s->residual, (double)s->n, (double)s->t);
}

pl_variance_components pl_variance_without_item(const pl_variance_sums *s, size_t i)
{
    double n = (double)s->n, m = n - 1.0;
    double item = s->item - n / m * s->of_item[i], residual = s->residual - n / m * s->of_residual[i];
    double main = s->template_main - 2.0 / m * s->of_cross[i] + s->of_residual[i] / (m * m);
    return components(item, main, residual, m, (double)s->t);
}

pl_variance_components pl_variance_without_template(const pl_variance_sums *s, size_t k)
{
    double t = (double)s->t, u = t - 1.0;
    double item = s->item - 2.0 / u * s->template_of_cross[k] + s->template_of_residual[k] / (u * u);
    double main = s->template_main - t / u * s->template_of_main[k];
    double residual = s->residual - t / u * s->template_of_residual[k];
    return components(item, main, residual, (double)s->n, u);
}

/* MS_R = 0: 0. MS_I = 0: s2_I = -s2_R/T. */
void pl_wobble_reach(double reach[2], size_t n, size_t t)
{
    (void)n;
    reach[0] = 0.0;
    reach[1] = (double)t / ((double)t - 1.0);
}

/* MS_T = 0 and MS_I = 0: s2_T = -s2_R/n, s2_I = -s2_R/T. MS_I = MS_R = 0: 1. */
void pl_shift_reach(double reach[2], size_t n, size_t t)
{
    double items = (double)n, templates = (double)t;
    reach[0] = -templates / ((templates - 1.0) * items - templates);
    reach[1] = 1.0;
}

void pl_icc_reach(double reach[2], size_t n, size_t t)
{
    pl_shift_reach(reach, t, n); /* items and templates exchanged */
}
