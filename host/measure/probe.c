#include "measure/probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/logistic.h"
#include "measure/logistic_fit.h"
#include "measure/logistic_solve.h"
#include "statistics/parallel.h"

/* ---- folds ---- */

bool pl_probe_can(const pl_probe_items *items)
{
    for (size_t f = 0; f < items->n_folds; f++) {
        size_t inside = 0;
        for (size_t i = 0; i < items->n; i++) inside += items->fold[i] == f;
        if (!inside) return false;
        for (size_t c = 0; c < items->n_classes; c++) {
            size_t n = 0, n_permuted = 0;
            for (size_t i = 0; i < items->n; i++) {
                n += items->fold[i] != f && items->classes[i] == c;
                n_permuted += items->fold[i] != f && items->permuted[i] == c;
            }
            if (!n || !n_permuted) return false;
        }
    }
    return true;
}

/* ---- one condition and fold ---- */

typedef struct training_rows {
    size_t n;
    size_t *item; /* [n] */
    float *x;     /* [n, width] */
    size_t *classes, *permuted;
} training_rows;

static pl_status take_rows(training_rows *out, const pl_probe_items *items, size_t condition, size_t fold)
{
    size_t values, width = items->width;
    *out = (training_rows){0};
    PL_TRY(pl_mul_size(&values, items->n, width, "states"));
    PL_TRY(pl_new(&out->item, items->n));
    PL_TRY(pl_new(&out->x, values));
    PL_TRY(pl_new(&out->classes, items->n));
    PL_TRY(pl_new(&out->permuted, items->n));
    for (size_t i = 0; i < items->n; i++) {
        if (items->fold[i] == fold) continue;
        memcpy(out->x + out->n * width, items->states[condition] + i * width, width * sizeof *out->x);
        out->classes[out->n] = items->classes[i];
        out->permuted[out->n] = items->permuted[i];
        out->item[out->n++] = i;
    }
    return PL_OK;
}

static void free_rows(training_rows *r)
{
    free(r->item);
    free(r->x);
    free(r->classes);
    free(r->permuted);
}

static size_t class_of(const pl_logistic *model, const float *x)
{
    size_t best = 0;
    double most = 0.0;
    for (size_t c = 0; c < model->n_classes; c++) {
        const double *coef = model->coef + c * model->width;
        double score = model->intercept[c];
        for (size_t d = 0; d < model->width; d++) score += coef[d] * (double)x[d];
        if (c > 0 && score <= most) continue;
        best = c;
        most = score;
    }
    return best;
}

static pl_status learn(pl_logistic *out, const pl_processor *processor, const pl__logistic_features *features,
                       const size_t *classes, size_t n_classes, double strength)
{
    double *theta;
    PL_TRY(pl_new(&theta, pl_logistic_outputs(n_classes) * features->z_width));
    const pl__logistic_problem problem = {features->n, features->z_width, n_classes, features->z, classes, theta};
    pl_status status = pl__logistic_solve(&problem, 1, processor, &strength, 1);
    if (status == PL_OK) status = pl__logistic_model(out, theta, features, n_classes, strength);
    free(theta);
    return status;
}

/* The fold's items, of a probe that has learned under `condition`. */
static void ask(pl_probe *out, const pl_probe_items *items, const pl_logistic *model, const pl_logistic *control,
                size_t condition, size_t fold)
{
    for (size_t i = 0; i < items->n; i++) {
        if (items->fold[i] != fold) continue;
        const size_t at = i * items->width;
        for (size_t b = 0; b < items->t; b++)
            out->correct[(condition * out->t + b) * out->n + i] =
                class_of(model, items->states[b] + at) == items->classes[i];
        out->control[condition * out->n + i] = class_of(control, items->states[condition] + at) == items->permuted[i];
    }
}

static pl_status probe_fold(pl_probe *out, const pl_probe_items *items, size_t condition, size_t fold)
{
    double strength = items->strength > 0.0 ? items->strength : PL_PROBE_STRENGTH / (double)items->width;
    training_rows r = {0};
    pl__logistic_features features = {0};
    pl_logistic model = {0}, control = {0};
    pl_processor cpu = {0}; /* a device is one thread's */
    pl_status status;
    PL_GOTO(status, done, pl_processor_open(&cpu, "cpu", 1));
    PL_GOTO(status, done, take_rows(&r, items, condition, fold));
    const pl_labelled rows = {r.n, items->width, items->n_classes, r.x, r.classes};
    PL_GOTO(status, done, pl__logistic_features_of(&features, &rows, true));
    PL_GOTO(status, done, learn(&model, &cpu, &features, r.classes, items->n_classes, strength));
    PL_GOTO(status, done, learn(&control, &cpu, &features, r.permuted, items->n_classes, strength));
    ask(out, items, &model, &control, condition, fold);
done:
    pl_logistic_free(&control);
    pl_logistic_free(&model);
    pl__logistic_features_free(&features);
    free_rows(&r);
    pl_processor_close(&cpu);
    return status;
}

/* ---- all ---- */

pl_status pl_probe_of(pl_probe *out, const pl_probe_items *items)
{
    size_t n_probes = items->t * items->n_folds, steps = n_probes * items->n * items->n * items->width;
    pl_status *statuses = NULL, status;
    *out = (pl_probe){.n = items->n, .t = items->t};
    PL_GOTO(status, done, pl_new(&out->correct, items->t * items->t * items->n));
    PL_GOTO(status, done, pl_new(&out->control, items->t * items->n));
    PL_GOTO(status, done, pl_new(&statuses, n_probes));
#pragma omp parallel for schedule(dynamic) if (steps >= PL__PARALLEL_MIN)
    for (size_t p = 0; p < n_probes; p++) statuses[p] = probe_fold(out, items, p / items->n_folds, p % items->n_folds);
    for (size_t p = 0; p < n_probes && status == PL_OK; p++)
        if (statuses[p] != PL_OK) status = pl_fail(statuses[p], "a probe of %zu items cannot be fitted", items->n);
done:
    free(statuses);
    if (status != PL_OK) pl_probe_free(out);
    return status;
}

void pl_probe_free(pl_probe *probe)
{
    free(probe->correct);
    free(probe->control);
    *probe = (pl_probe){0};
}
