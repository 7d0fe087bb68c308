/* From states to the solver's features and back (logistic.h).
 *
 * Features are centred, which the free intercept undoes, and scaled when asked. Where they are more than the rows, they
 * are turned into the rows' own span first: an orthonormal basis of it, by Gram-Schmidt done twice. The penalty does
 * not see a rotation, so the optimum is the same, and the solver works on n x n numbers instead of n x width. */
#include "measure/logistic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/vector.h"
#include "device/logistic.h"
#include "measure/logistic_fit.h"
#include "measure/logistic_solve.h"

/* ---- features ---- */

/* mean[d] as first value + mean difference, so that a constant feature is centred to exact zeros; sd[d], 1 for those.
 */
static void set_scales(double *mean, double *sd, const pl_labelled *rows, bool standardise)
{
    size_t n = rows->n, width = rows->width;
    for (size_t d = 0; d < width; d++) mean[d] = sd[d] = 0.0;
    for (size_t i = 1; i < n; i++)
        for (size_t d = 0; d < width; d++) mean[d] += (double)rows->x[i * width + d] - (double)rows->x[d];
    for (size_t d = 0; d < width; d++) mean[d] = (double)rows->x[d] + mean[d] / (double)n;
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < width; d++) {
            double difference = (double)rows->x[i * width + d] - mean[d];
            sd[d] += difference * difference;
        }
    }
    for (size_t d = 0; d < width; d++) {
        sd[d] = sqrt(sd[d] / (double)n);
        if (!standardise || sd[d] == 0.0) sd[d] = 1.0;
    }
}

/* x [n, width] -> basis in its first *rank rows, z [n, n + 1] the rows in that basis; along: room for n. A row within
 * 1e-12 of the span of those before adds no direction. */
static void turn(double *z, double *x, size_t *rank, double *along, size_t n, size_t width)
{
    *rank = 0;
    for (size_t i = 0; i < n; i++) {
        double *row = x + i * width, *own = z + i * (n + 1), before = sqrt(pl__dot(row, row, width));
        for (int pass = 0; pass < 2; pass++) {
            pl__dots(along, x, *rank, row, 1, width);
            pl__add_rows(row, -1.0, along, 1, x, *rank, width);
            for (size_t j = 0; j < *rank; j++) own[j] += along[j];
        }
        double left = sqrt(pl__dot(row, row, width));
        if (!(left > 1e-12 * before)) continue;
        own[*rank] = left;
        double *axis = x + *rank * width;
        for (size_t d = 0; d < width; d++) axis[d] = row[d] / left;
        (*rank)++;
    }
}

void pl__logistic_features_free(pl__logistic_features *f)
{
    free(f->z);
    free(f->basis);
    free(f->mean);
    free(f->sd);
    *f = (pl__logistic_features){0};
}

/* z [n, width + 1], centred and scaled, 1 in the last place. */
static pl_status set_plain(pl__logistic_features *f, const pl_labelled *rows)
{
    size_t n = rows->n, width = rows->width, values = 0;
    f->z_width = width + 1;
    PL_TRY(pl_mul_size(&values, n, f->z_width, "features"));
    PL_TRY(pl_new(&f->z, values));
    for (size_t i = 0; i < n; i++) {
        double *z = f->z + i * f->z_width;
        for (size_t d = 0; d < width; d++) z[d] = ((double)rows->x[i * width + d] - f->mean[d]) / f->sd[d];
        z[width] = 1.0;
    }
    return PL_OK;
}

static pl_status set_turned(pl__logistic_features *f, const pl_labelled *rows)
{
    size_t n = rows->n, width = rows->width, values = 0, rank = 0;
    double *along;
    PL_TRY(pl_mul_size(&values, n, width, "features"));
    PL_TRY(pl_new(&f->basis, values));
    PL_TRY(pl_mul_size(&values, n, n + 1, "features"));
    PL_TRY(pl_new(&f->z, values));
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < width; d++)
            f->basis[i * width + d] = ((double)rows->x[i * width + d] - f->mean[d]) / f->sd[d];
    PL_TRY(pl_new(&along, n));
    turn(f->z, f->basis, &rank, along, n, width);
    free(along);
    f->z_width = rank + 1;
    for (size_t i = 0; i < n; i++) {
        double *z = f->z + i * f->z_width;
        memmove(z, f->z + i * (n + 1), rank * sizeof *z);
        z[rank] = 1.0;
    }
    return PL_OK;
}

pl_status pl__logistic_features_of(pl__logistic_features *out, const pl_labelled *rows, bool standardise)
{
    pl_status status = PL_OK;
    *out = (pl__logistic_features){.n = rows->n, .width = rows->width};
    PL_GOTO(status, done, pl_new(&out->mean, rows->width));
    PL_GOTO(status, done, pl_new(&out->sd, rows->width));
    set_scales(out->mean, out->sd, rows, standardise);
    PL_GOTO(status, done, rows->width > rows->n ? set_turned(out, rows) : set_plain(out, rows));
done:
    if (status != PL_OK) pl__logistic_features_free(out);
    return status;
}

/* ---- the model ---- */

/* coef [width] and the intercept of one class from a row of theta. */
static void put_row(double *coef, double *intercept, const double *theta, const pl__logistic_features *f)
{
    size_t last = f->z_width - 1;
    for (size_t d = 0; d < f->width; d++) coef[d] = f->basis ? 0.0 : theta[d];
    for (size_t j = 0; f->basis && j < last; j++)
        for (size_t d = 0; d < f->width; d++) coef[d] += theta[j] * f->basis[j * f->width + d];
    for (size_t d = 0; d < f->width; d++) coef[d] /= f->sd[d];
    *intercept = theta[last] - pl__dot(coef, f->mean, f->width);
}

pl_status pl__logistic_model(pl_logistic *out, const double *theta, const pl__logistic_features *f, size_t n_classes,
                             double strength)
{
    size_t values = 0, rows = pl_logistic_outputs(n_classes);
    pl_status status = PL_OK;
    *out = (pl_logistic){.n_classes = n_classes, .width = f->width, .strength = strength};
    PL_TRY(pl_mul_size(&values, n_classes, f->width, "logistic coefficients"));
    PL_GOTO(status, done, pl_new(&out->coef, values));
    PL_GOTO(status, done, pl_new(&out->intercept, n_classes));
    for (size_t k = 0; k < rows; k++) {
        size_t class = n_classes - rows + k;
        put_row(out->coef + class * f->width, &out->intercept[class], theta + k * f->z_width, f);
    }
done:
    if (status != PL_OK) pl_logistic_free(out);
    return status;
}

void pl_logistic_free(pl_logistic *model)
{
    free(model->coef);
    free(model->intercept);
    *model = (pl_logistic){0};
}

pl_status pl__logistic_check(const pl_labelled *rows)
{
    size_t *count = NULL, n_present = 0, missing = 0;
    if (rows->n_classes < 2)
        return pl_fail(PL_E_INPUT, "logistic regression: %zu classes, expected at least 2", rows->n_classes);
    if (rows->n < rows->n_classes)
        return pl_fail(PL_E_INPUT, "logistic regression: %zu rows for %zu classes: take more training examples",
                       rows->n, rows->n_classes);
    for (size_t i = 0; i < rows->n; i++)
        for (size_t d = 0; d < rows->width; d++)
            if (!isfinite(rows->x[i * rows->width + d]))
                return pl_fail(PL_E_NOT_FINITE,
                               "logistic regression: row %zu, feature %zu is %g, expected finite states", i, d,
                               (double)rows->x[i * rows->width + d]);
    PL_TRY(pl_new(&count, rows->n_classes));
    for (size_t i = 0; i < rows->n; i++) count[rows->classes[i]]++;
    for (size_t c = rows->n_classes; c-- > 0;) {
        if (count[c] == 0) missing = c;
        n_present += count[c] > 0;
    }
    free(count);
    if (n_present == 1)
        return pl_fail(PL_E_INPUT, "logistic regression: all %zu rows are of one class, expected %zu classes", rows->n,
                       rows->n_classes);
    if (n_present < rows->n_classes)
        return pl_fail(PL_E_INPUT, "logistic regression: class %zu of %zu has no row: take more training examples",
                       missing, rows->n_classes);
    return PL_OK;
}

pl_status pl_logistic_fit(pl_logistic *out, const pl_processor *processor, const pl_labelled *rows, bool standardise,
                          double strength)
{
    pl_status status = PL_OK;
    pl__logistic_features features = {0};
    double *theta = NULL;
    *out = (pl_logistic){0};
    if (!(strength > 0.0 && isfinite(strength)))
        return pl_fail(PL_E_INPUT, "logistic regression: strength %g, expected a number above 0", strength);
    PL_TRY(pl__logistic_check(rows));
    PL_TRY(pl__logistic_features_of(&features, rows, standardise));
    PL_GOTO(status, done, pl_new(&theta, pl_logistic_outputs(rows->n_classes) * features.z_width));
    const pl__logistic_problem problem = {rows->n, features.z_width, rows->n_classes, features.z, rows->classes, theta};
    PL_GOTO(status, done, pl__logistic_solve(&problem, 1, processor, &strength, 1));
    PL_GOTO(status, done, pl__logistic_model(out, theta, &features, rows->n_classes, strength));
done:
    free(theta);
    pl__logistic_features_free(&features);
    return status;
}

/* logits -> log-probabilities, in place */
static void log_softmax(double *logits, size_t n)
{
    double top = logits[0], sum = 0.0;
    for (size_t k = 1; k < n; k++) top = logits[k] > top ? logits[k] : top;
    for (size_t k = 0; k < n; k++) sum += exp(logits[k] - top);
    for (size_t k = 0; k < n; k++) logits[k] = logits[k] - top - log(sum);
}

void pl_logistic_predict(double *log_probs, const pl_logistic *model, const float *x, size_t n)
{
    size_t width = model->width;
    for (size_t i = 0; i < n; i++) {
        double *out = log_probs + i * model->n_classes;
        for (size_t k = 0; k < model->n_classes; k++) {
            const double *coef = model->coef + k * width;
            out[k] = model->intercept[k];
            for (size_t d = 0; d < width; d++) out[k] += coef[d] * (double)x[i * width + d];
        }
        log_softmax(out, model->n_classes);
    }
}
