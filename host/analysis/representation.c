/* Metrics of hidden states over templates (stability.md B.2-1 and B.2-3): what each says of a layer. */
#include <string.h>

#include "analysis/scope.h"

/* A number that is made of the components. */
typedef double component_of(const pl_variance_components *v);
typedef void reach_of(double reach[2], size_t n, size_t t);

static double wobble_of(const pl_variance_components *v)
{
    return v->wobble;
}

static double shift_of(const pl_variance_components *v)
{
    return v->shift;
}

static double icc_of(const pl_variance_components *v)
{
    return v->icc;
}

/* With the items, and the wordings, left out in turn. */
static void of_sums(pl__measured *out, pl__subject *s, const pl_variance_sums *sums, component_of *of, reach_of *reach)
{
    pl_variance_components v = pl_variance_of(sums);
    out->kind = PL__LEFT_OUT;
    out->value = of(&v);
    out->null_mean = 0.0;
    if (reach) reach(out->reach, s->n, s->n_wordings);
    for (size_t i = 0; i < s->n; i++) {
        if (s->n > 2) v = pl_variance_without_item(sums, i);
        s->items[i] = s->n > 2 ? of(&v) : NAN;
    }
    out->templates = s->n_wordings >= PL_JACKKNIFE_MIN ? PL__WORDINGS_LEFT_OUT : PL__NO_TEMPLATES;
    for (size_t k = 0; out->templates && k < s->n_wordings; k++) {
        v = pl_variance_without_template(sums, k);
        s->templates[k] = of(&v);
    }
    if (isnan(out->value)) out->why_empty = "no variance";
}

void pl__measured_wobble(pl__measured *out, pl__subject *subject, const pl_variance_sums *sums)
{
    of_sums(out, subject, sums, wobble_of, pl_wobble_reach);
}

/* What few dimensions carry has intervals of shift and icc that hold too rarely
 * (tests/statistics/test_ratio_coverage.c). Under preproc z no dimension prevails by its scale. */
static pl_status withhold(pl__measured *out, pl__scope *scope)
{
    static const double DIMENSIONS_MIN = 3.0;
    pl__subject *s = scope->subject;
    const pl_cka *cka;
    if (scope->preprocessing != 'c' || s->n < 4) return PL_OK;
    PL_TRY(pl__subject_cka(&cka, s, 'c'));
    if (pl_mean(cka->dimensions, s->t) < DIMENSIONS_MIN)
        out->withheld = "no interval where few dimensions carry all: participation_ratio is below 3";
    return PL_OK;
}

static pl_status component(pl__measured *out, pl__scope *scope, component_of *of, reach_of *reach)
{
    const pl_variance_sums *sums;
    if (pl__measured_one_wording(out, scope->subject)) return PL_OK;
    PL_TRY(pl__subject_sums(&sums, scope->subject, scope->preprocessing));
    of_sums(out, scope->subject, sums, of, reach);
    return PL_OK;
}

pl_status pl__metric_wobble(pl__measured *out, pl__scope *scope)
{
    return component(out, scope, wobble_of, pl_wobble_reach);
}

pl_status pl__metric_shift(pl__measured *out, pl__scope *scope)
{
    PL_TRY(component(out, scope, shift_of, pl_shift_reach));
    return withhold(out, scope);
}

pl_status pl__metric_icc(pl__measured *out, pl__scope *scope)
{
    PL_TRY(component(out, scope, icc_of, pl_icc_reach));
    return withhold(out, scope);
}

static double item_of(const pl_variance_components *v)
{
    return v->item;
}

static double template_of(const pl_variance_components *v)
{
    return v->template_main;
}

static double interaction_of(const pl_variance_components *v)
{
    return v->residual;
}

/* An absolute component has no null. */
static pl_status absolute(pl__measured *out, pl__scope *scope, component_of *of)
{
    PL_TRY(component(out, scope, of, NULL));
    out->null_mean = NAN;
    return PL_OK;
}

pl_status pl__metric_s2_item(pl__measured *out, pl__scope *scope)
{
    return absolute(out, scope, item_of);
}

pl_status pl__metric_s2_template(pl__measured *out, pl__scope *scope)
{
    return absolute(out, scope, template_of);
}

pl_status pl__metric_s2_interaction(pl__measured *out, pl__scope *scope)
{
    return absolute(out, scope, interaction_of);
}

/* The mean over the pairs that a template is not in. */
static void without_templates(double *out, const pl_cka *cka, size_t t)
{
    for (size_t k = 0; k < t; k++) {
        double sum = 0.0, n = 0.0;
        for (size_t a = 0; a < t; a++)
            for (size_t b = a + 1; b < t; b++) {
                if (a == k || b == k) continue;
                sum += cka->value[pl_cka_pair(cka, a, b)];
                n++;
            }
        out[k] = n > 0.0 ? sum / n : NAN;
    }
}

/* Pairs of templates whose rows are permuted independently are uncorrelated: the variance of their mean is 1/pairs. */
pl_status pl__metric_cka_debiased(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    const pl_cka *cka;
    if (s->n < 4) return PL_OK;
    if (scope->over == PL_OVER_PAIR && scope->preprocessing != 'c') return PL_OK; /* so many rows say little more */
    PL_TRY(pl__subject_cka(&cka, s, scope->preprocessing));
    double null_sd = pl_cka_null_sd(cka->n);
    out->kind = PL__LEFT_OUT;
    out->n = cka->n;
    out->null_mean = 0.0;
    if (scope->over == PL_OVER_PAIR) {
        size_t pair = pl_cka_pair(cka, scope->templates[0], scope->templates[1]);
        out->value = cka->value[pair];
        out->null_sd = null_sd;
        out->unpooled = true;
        memcpy(s->items, cka->left_out + pair * cka->n, cka->n * sizeof *s->items);
    } else {
        out->value = cka->mean;
        without_templates(s->templates, cka, s->t);
        out->templates = PL__TEMPLATES_LEFT_OUT;
        out->null_sd = null_sd / sqrt((double)cka->n_pairs);
        memcpy(s->items, cka->mean_left_out, cka->n * sizeof *s->items);
    }
    if (cka->n < s->n) PL_TRY(pl__measured_note(out, scope, "%zu of %zu items, by chance", cka->n, s->n));
    if (isnan(out->value)) out->why_empty = "no variance";
    return PL_OK;
}

/* A floor of cka_debiased. */
pl_status pl__metric_cka_length(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    double value;
    if (s->n < 4) return PL_OK;
    PL_TRY(pl__subject_cka_of_length(&value, s));
    out->kind = PL__FIXED;
    out->n = pl__cka_items(s->n, s->t);
    out->estimate = pl__only_value(value);
    out->why_empty = isnan(value) ? "no variance" : "a floor: no interval";
    return PL_OK;
}

/* The mean over templates. */
pl_status pl__metric_participation_ratio(pl__measured *out, pl__scope *scope)
{
    pl__subject *s = scope->subject;
    const pl_cka *cka;
    if (s->n < 4) return PL_OK;
    PL_TRY(pl__subject_cka(&cka, s, scope->preprocessing));
    out->kind = PL__LEFT_OUT;
    out->n = cka->n;
    out->value = pl_mean(cka->dimensions, s->t);
    memcpy(s->items, cka->dimensions_left_out, cka->n * sizeof *s->items);
    memcpy(s->templates, cka->dimensions, s->t * sizeof *s->templates);
    out->templates = PL__TEMPLATE_MEANS;
    if (cka->n < s->n) PL_TRY(pl__measured_note(out, scope, "%zu of %zu items, by chance", cka->n, s->n));
    if (isnan(out->value)) out->why_empty = "no variance";
    return PL_OK;
}

/* Only where a layer has such items. */
pl_status pl__metric_states_not_finite(pl__measured *out, pl__scope *scope)
{
    const pl__layer *layer = scope->subject->layer;
    if (layer->n_not_finite == 0) return PL_OK;
    out->kind = PL__FIXED;
    out->n = layer->n_captured;
    out->estimate = pl__only_value((double)layer->n_not_finite);
    return pl__measured_note(out, scope, "first: doc_id %lld, template '%s'", (long long)layer->first_not_finite,
                             layer->first_template);
}
