/* What metrics of a layer's states need, made once for all of them, under each preprocessing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/scope.h"

enum { CKA_ITEMS_MAX = 4096 }; /* its time grows with their square */
static const double CKA_BYTES_MAX = 1024.0 * 1024.0 * 1024.0;

static const struct {
    char letter;
    const char *name;
} PREPROCESSINGS[PL__PREPROCESSINGS] = {[PL__CENTRED] = {'c', "c"},
                                        [PL__SCALED] = {'z', "z"},
                                        [PL__WITHOUT_TOP] = {'t', "top3"},
                                        [PL__LENGTH] = {'l', "length"}};

pl__preprocessing pl__preprocessing_of(char letter)
{
    pl__preprocessing p = PL__CENTRED;
    while (PREPROCESSINGS[p].letter != letter) p++;
    return p;
}

const char *pl__preprocessing_name(char letter)
{
    return PREPROCESSINGS[pl__preprocessing_of(letter)].name;
}

bool pl__preprocessing_asked(const pl__subject *s, char letter)
{
    const pl__preprocessing p = pl__preprocessing_of(letter);
    if (p == PL__WITHOUT_TOP) return pl_planned_analysis(pl_run_view_plan(s->group->view), "top3");
    return p != PL__LENGTH || s->layer->tokens;
}

/* States under each wording [n_wordings] of [n, width], means over its templates' states: those that are there where a
 * wording has one. *own: what is the caller's to free. */
static pl_status wording_states(float ***out, float **own, const pl__subject *s, float *const *states)
{
    size_t size, width = s->layer->width, all;
    *own = NULL;
    PL_TRY(pl_new(out, s->t));
    if (s->n_wordings == s->t) {
        memcpy(*out, states, s->t * sizeof **out);
        return PL_OK;
    }
    PL_TRY(pl_mul_size(&size, s->n, width, "states"));
    PL_TRY(pl_mul_size(&all, size, s->n_wordings, "states"));
    PL_TRY(pl_new(own, all));
    for (size_t k = 0; k < s->t; k++) {
        float *to = (*out)[s->wording[k]] = *own + s->wording[k] * size, share = (float)(1.0 / s->variants[k]);
        for (size_t i = 0; i < size; i++) to[i] += share * states[k][i];
    }
    return PL_OK;
}

/* ---- states without something ---- */

/* The dimensions that vary most within templates: where GPT-2-like models have outliers. weights: 1/variance. */
static void find_top(size_t top[PL__TOP], const double *weights, size_t width)
{
    for (size_t k = 0; k < PL__TOP; k++) {
        top[k] = SIZE_MAX;
        for (size_t d = 0; d < width; d++) {
            bool taken = weights[d] <= 0.0;
            for (size_t j = 0; j < k; j++) taken = taken || top[j] == d;
            if (!taken && (top[k] == SIZE_MAX || weights[d] < weights[top[k]])) top[k] = d;
        }
    }
}

static pl_status take_top_out(float *const *states, const pl__subject *s)
{
    size_t width = s->layer->width, top[PL__TOP];
    double *weights;
    PL_TRY(pl_new(&weights, width));
    pl_status status = pl_pooled_weights(weights, (const float *const *)states, s->n, s->t, width);
    find_top(top, weights, width);
    free(weights);
    for (size_t k = 0; k < s->t; k++)
        for (size_t i = 0; i < s->n; i++)
            for (size_t j = 0; j < PL__TOP; j++)
                if (top[j] < width) states[k][i * width + top[j]] = 0.0f;
    return status;
}

/* Number of tokens and its square, centred, of norm 1 and orthogonal: [2][n]. Where they do not vary: zeros. */
static void length_terms(double *terms, const double *tokens, size_t n)
{
    double *linear = terms, *square = terms + n, mean = 0.0;
    for (size_t i = 0; i < n; i++) mean += tokens[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        linear[i] = tokens[i] - mean;
        square[i] = linear[i] * linear[i];
    }
    for (size_t k = 0; k < 2; k++) {
        double *own = terms + k * n, centre = 0.0, along = 0.0, norm = 0.0, before = 0.0;
        for (size_t i = 0; i < n; i++) {
            centre += own[i] / (double)n;
            before += own[i] * own[i];
        }
        for (size_t i = 0; i < n; i++) own[i] -= centre;
        for (size_t i = 0; i < n && k > 0; i++) along += own[i] * linear[i];
        for (size_t i = 0; i < n; i++) {
            if (k > 0) own[i] -= along * linear[i];
            norm += own[i] * own[i];
        }
        const double scale = norm > 1e-18 * before ? 1.0 / sqrt(norm) : 0.0; /* less is rounding */
        for (size_t i = 0; i < n; i++) own[i] *= scale;
    }
}

/* What the number of tokens and its square predict of one template's states, less its mean. */
static pl_status take_length_out(float *states, const double *tokens, size_t n, size_t width)
{
    double *terms, *slopes;
    PL_TRY(pl_new(&terms, 2 * n));
    pl_status status = pl_new(&slopes, 2 * width);
    if (status == PL_OK) {
        length_terms(terms, tokens, n);
        for (size_t k = 0; k < 2; k++)
            for (size_t i = 0; i < n; i++)
                for (size_t d = 0; d < width; d++)
                    slopes[k * width + d] += terms[k * n + i] * (double)states[i * width + d];
        for (size_t i = 0; i < n; i++)
            for (size_t d = 0; d < width; d++)
                states[i * width + d] =
                    (float)((double)states[i * width + d] - terms[i] * slopes[d] - terms[n + i] * slopes[width + d]);
        free(slopes);
    }
    free(terms);
    return status;
}

/* The states under a preprocessing, a matrix a template. *own: what is the caller's to free; NULL: the layer's. */
static pl_status preprocess(float ***out, float **own, const pl__subject *s, pl__preprocessing p)
{
    size_t size, all;
    bool copied = p == PL__WITHOUT_TOP || p == PL__LENGTH;
    *own = NULL;
    PL_TRY(pl_new(out, s->t));
    memcpy(*out, s->layer->states, s->t * sizeof **out);
    if (!copied) return PL_OK;
    PL_TRY(pl_mul_size(&size, s->n, s->layer->width, "states"));
    PL_TRY(pl_mul_size(&all, size, s->t, "states"));
    PL_TRY(pl_new(own, all));
    for (size_t k = 0; k < s->t; k++) {
        memcpy(*own + k * size, s->layer->states[k], size * sizeof **own);
        (*out)[k] = *own + k * size;
        if (p == PL__LENGTH) PL_TRY(take_length_out((*out)[k], s->layer->tokens[k], s->n, s->layer->width));
    }
    return p == PL__WITHOUT_TOP ? take_top_out(*out, s) : PL_OK;
}

/* ---- made once ---- */

/* Scaled: each dimension is divided by its SD within templates. That, the dimensions that are left out, and what length
 * predicts stay as they are when an item is left out. */
pl_status pl__subject_sums(const pl_variance_sums **out, pl__subject *s, char preprocessing)
{
    const pl__preprocessing p = pl__preprocessing_of(preprocessing);
    size_t width = s->layer->width, t = s->n_wordings;
    float **each = NULL, *own = NULL, **states = NULL, *means = NULL;
    double *weights = NULL;
    pl_status status = PL_OK;
    *out = &s->sums[p];
    if (s->has_sums[p]) return PL_OK;
    PL_GOTO(status, done, preprocess(&each, &own, s, p));
    PL_GOTO(status, done, wording_states(&states, &means, s, each));
    if (p == PL__SCALED) {
        PL_GOTO(status, done, pl_new(&weights, width));
        PL_GOTO(status, done, pl_pooled_weights(weights, (const float *const *)states, s->n, t, width));
    }
    PL_GOTO(status, done, pl_variance_sums_of(&s->sums[p], (const float *const *)states, s->n, t, width, weights));
    s->has_sums[p] = true;
done:
    free(means);
    free(states);
    free(own);
    free(each);
    free(weights);
    return status;
}

pl_status pl__subject_classes(size_t **out, const pl__subject *s, size_t n)
{
    const pl__group *g = s->group;
    *out = NULL;
    if (g->own_choices || g->n_labels < 2) return PL_OK;
    for (size_t i = 0; i < n; i++) {
        int label = g->gold[s->layer->item[i]];
        if (label < 0 || (size_t)label >= g->n_labels) return PL_OK;
    }
    PL_TRY(pl_new(out, n));
    for (size_t i = 0; i < n; i++) (*out)[i] = (size_t)g->gold[s->layer->item[i]];
    return PL_OK;
}

/* An item takes what it has with each pair of conditions, which are in panels of 8, thrice (measure/cka_sums.h). */
size_t pl__cka_items(size_t n, size_t t)
{
    double padded = 8.0 * ceil((double)t / 8.0), fits = CKA_BYTES_MAX / (3.0 * 8.0 * padded * padded);
    size_t most = fits < (double)CKA_ITEMS_MAX ? (size_t)fits : CKA_ITEMS_MAX;
    return n < most ? n : most;
}

pl_status pl__subject_cka(const pl_cka **out, pl__subject *s, char preprocessing)
{
    const pl__preprocessing p = pl__preprocessing_of(preprocessing);
    float **states = NULL, *own = NULL;
    pl_status status = PL_OK;
    *out = &s->cka[p];
    if (s->has_cka[p]) return PL_OK;
    PL_GOTO(status, done, preprocess(&states, &own, s, p));
    PL_GOTO(
        status, done,
        pl_cka_of(&s->cka[p], (const float *const *)states, pl__cka_items(s->n, s->t), s->t, s->layer->width, s->on));
    s->has_cka[p] = true;
done:
    free(own);
    free(states);
    return status;
}

pl_status pl__subject_cka_of_length(double *out, pl__subject *s)
{
    const pl_cka *whole;
    pl_cka part = {0};
    float **states = NULL, *rest = NULL;
    size_t n = pl__cka_items(s->n, s->t), size = s->n * s->layer->width;
    double sum = 0.0;
    pl_status status;
    PL_GOTO(status, done, pl__subject_cka(&whole, s, 'c'));
    PL_GOTO(status, done, preprocess(&states, &rest, s, PL__LENGTH));
    for (size_t k = 0; k < s->t; k++)
        for (size_t i = 0; i < size; i++) states[k][i] = s->layer->states[k][i] - states[k][i];
    PL_GOTO(status, done, pl_cka_of(&part, (const float *const *)states, n, s->t, s->layer->width, s->on));
    for (size_t a = 0; a < s->t; a++)
        for (size_t b = a + 1; b < s->t; b++) {
            double own = part.own[a] * part.own[b], value = part.value[pl_cka_pair(&part, a, b)];
            double scale = sqrt(own / (whole->own[a] * whole->own[b]));
            sum += isnan(value) ? 0.0 : value * scale; /* where length does not vary it predicts nothing */
        }
    *out = isnan(whole->mean) ? NAN : sum / (double)whole->n_pairs;
done:
    pl_cka_free(&part);
    free(rest);
    free(states);
    return status;
}
