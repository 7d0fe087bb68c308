/* Truncated Newton (logistic_newton.h): the step solves H s = -g by conjugate gradients with the diagonal of H as
 * preconditioner, more exactly as the gradient falls; then the step is halved until the objective falls enough.
 *
 * A class' residual p - 1 is taken as minus the others' probabilities: at large C it is tiny, and the difference would
 * lose it. */
#include "measure/logistic_newton.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "measure/vector.h"

enum { MAX_STEPS = 200, MAX_CG = 2000, MAX_HALVINGS = 50 };

static const double TOLERANCE = 1e-13, ACCEPTABLE = 1e-8; /* |step| / |theta| */

typedef struct solver {
    const pl__logistic_problem *p;
    double c;
    size_t rows, size;                                       /* of theta: size = rows x width */
    double *prob, *residual, *product;                       /* [n, rows] */
    double *trial, *gradient, *step, *r, *d, *hd, *diagonal; /* [rows, width] */
    double *memory;
} solver;

size_t pl__logistic_rows(size_t n_classes)
{
    return n_classes == 2 ? 1 : n_classes;
}

static void add_scaled(double *out, double factor, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] += factor * x[i];
}

/* product[i, k] = z_i . v_k */
static void multiply(const solver *s, const double *v)
{
    pl__dots(s->product, s->p->z, s->p->n, v, s->rows, s->p->width);
}

/* out_k = C sum_i values[i, k] z_i + v_k, the latter without the intercept. */
static void gather(const solver *s, double *out, const double *values, const double *v)
{
    size_t width = s->p->width;
    memset(out, 0, s->size * sizeof *out);
    pl__add_rows(out, s->c, values, s->rows, s->p->z, s->p->n, width);
    for (size_t k = 0; k < s->rows; k++) add_scaled(out + k * width, 1.0, v + k * width, width - 1);
}

/* -ln p of one row from its logits; fills its probabilities and residuals. */
static double row_of_two(double *prob, double *residual, double logit, size_t class)
{
    double margin = class ? logit : -logit, small = exp(-fabs(margin));
    double wrong = (margin > 0.0 ? small : 1.0) / (1.0 + small);
    prob[0] = class ? 1.0 - wrong : wrong;
    residual[0] = class ? -wrong : wrong;
    return log1p(small) + (margin > 0.0 ? 0.0 : -margin);
}

static double row_of_many(double *prob, double *residual, const double *logits, size_t n_classes, size_t class)
{
    double top = logits[0], sum = 0.0, others = 0.0;
    for (size_t k = 1; k < n_classes; k++) top = fmax(top, logits[k]);
    for (size_t k = 0; k < n_classes; k++) sum += prob[k] = exp(logits[k] - top);
    for (size_t k = 0; k < n_classes; k++) {
        residual[k] = prob[k] /= sum;
        if (k != class) others += prob[k];
    }
    residual[class] = -others;
    /* ln(sum) + top - logit, without cancelling where the row is right beyond doubt. */
    return logits[class] == top ? log1p(others / prob[class]) : log(sum) + (top - logits[class]);
}

/* The objective at theta; fills prob and residual. */
static double evaluate(const solver *s, const double *theta)
{
    double loss = 0.0, penalty = 0.0;
    multiply(s, theta);
    for (size_t i = 0; i < s->p->n; i++) {
        double *prob = s->prob + i * s->rows, *residual = s->residual + i * s->rows;
        const double *logits = s->product + i * s->rows;
        size_t class = s->p->classes[i];
        loss += s->rows == 1 ? row_of_two(prob, residual, logits[0], class)
                             : row_of_many(prob, residual, logits, s->rows, class);
    }
    for (size_t k = 0; k < s->rows; k++) {
        const double *row = theta + k * s->p->width;
        penalty += pl__dot(row, row, s->p->width - 1);
    }
    return s->c * loss + penalty / 2.0;
}

/* The variance p (1 - p) of one output, from the residual, which keeps small differences. */
static double variance(const solver *s, size_t at)
{
    double residual = fabs(s->residual[at]);
    return residual * (1.0 - residual);
}

/* What all intercepts have in common changes no probability, so H has no curvature along it. This curvature is added
 * there; gradients have no part along it, and the solution stays what it is. */
static void hold_intercepts(const solver *s, double *out, const double *v)
{
    size_t width = s->p->width;
    double sum = 0.0, curvature = s->c * (double)s->p->n / (double)(s->rows * s->rows);
    for (size_t k = 0; k < s->rows; k++) sum += v[k * width + width - 1];
    for (size_t k = 0; k < s->rows; k++) out[k * width + width - 1] += curvature * sum / (double)s->rows;
}

/* out = H v at the point of the last evaluation. */
static void hessian_times(const solver *s, double *out, const double *v)
{
    multiply(s, v);
    for (size_t i = 0; i < s->p->n; i++) {
        double *u = s->product + i * s->rows;
        const double *prob = s->prob + i * s->rows;
        if (s->rows == 1) {
            u[0] *= variance(s, i);
            continue;
        }
        double mean = pl__dot(prob, u, s->rows);
        for (size_t k = 0; k < s->rows; k++) u[k] = prob[k] * (u[k] - mean);
    }
    gather(s, out, s->product, v);
    if (s->rows > 1) hold_intercepts(s, out, v);
}

/* The diagonal of H: C sum_i p (1 - p) z^2, and 1 where it is penalised. */
static void set_diagonal(const solver *s)
{
    size_t width = s->p->width;
    memset(s->diagonal, 0, s->size * sizeof *s->diagonal);
    for (size_t i = 0; i < s->p->n; i++) {
        const double *z = s->p->z + i * width;
        for (size_t k = 0; k < s->rows; k++) {
            double weight = s->c * variance(s, i * s->rows + k), *row = s->diagonal + k * width;
            for (size_t d = 0; d < width; d++) row[d] += weight * z[d] * z[d];
        }
    }
    for (size_t k = 0; k < s->rows; k++) {
        double *row = s->diagonal + k * width;
        for (size_t d = 0; d + 1 < width; d++) row[d] += 1.0;
        row[width - 1] = fmax(row[width - 1], DBL_MIN);
    }
}

/* step ~ -H^-1 gradient: until the residual is below `part` of the gradient. */
static void conjugate_gradients(const solver *s, double part)
{
    size_t size = s->size;
    double *r = s->r, *d = s->d, *preconditioned = s->trial, goal = 0.0, rho = 0.0;
    memset(s->step, 0, size * sizeof *s->step);
    set_diagonal(s);
    for (size_t i = 0; i < size; i++) {
        r[i] = -s->gradient[i];
        d[i] = r[i] / s->diagonal[i];
    }
    goal = part * sqrt(pl__dot(r, r, size));
    rho = pl__dot(r, d, size);
    for (int turn = 0; turn < MAX_CG && sqrt(pl__dot(r, r, size)) > goal; turn++) {
        hessian_times(s, s->hd, d);
        double curvature = pl__dot(d, s->hd, size);
        if (!(curvature > 0.0)) return;
        add_scaled(s->step, rho / curvature, d, size);
        add_scaled(r, -rho / curvature, s->hd, size);
        for (size_t i = 0; i < size; i++) preconditioned[i] = r[i] / s->diagonal[i];
        double next = pl__dot(r, preconditioned, size);
        for (size_t i = 0; i < size; i++) d[i] = preconditioned[i] + next / rho * d[i];
        rho = next;
    }
}

/* theta += t step for the first t of 1, 1/2, .. at which the objective falls enough; false: at none. */
static int descend(const solver *s, double *theta, double *objective)
{
    double slope = pl__dot(s->gradient, s->step, s->size), t = 1.0;
    for (int halving = 0; halving < MAX_HALVINGS; halving++, t /= 2.0) {
        memcpy(s->trial, theta, s->size * sizeof *theta);
        add_scaled(s->trial, t, s->step, s->size);
        double value = evaluate(s, s->trial), noise = 8.0 * DBL_EPSILON * fabs(*objective);
        if (!(value <= *objective + 1e-4 * t * slope + noise)) continue;
        *objective = value;
        memcpy(theta, s->trial, s->size * sizeof *theta);
        return 1;
    }
    return 0;
}

/* Until what a full step leaves is next to nothing of theta: about the step, times how exactly it was solved for or
 * times itself. Or, once steps are below 1e-8, until they no longer shrink: as near as double allows. */
static pl_status iterate(const solver *s, double *theta)
{
    double objective = evaluate(s, theta), change = 1.0;
    for (int step = 0; step < MAX_STEPS; step++) {
        double before = change, part = fmin(0.1, fmax(1e-8, change));
        gather(s, s->gradient, s->residual, theta);
        if (pl__dot(s->gradient, s->gradient, s->size) == 0.0) return PL_OK;
        conjugate_gradients(s, part);
        change = sqrt(pl__dot(s->step, s->step, s->size) / pl__dot(theta, theta, s->size)); /* infinite from 0 */
        if (change <= ACCEPTABLE && !(change < before / 2.0)) return PL_OK;
        if (!descend(s, theta, &objective)) break;
        if (change * fmax(part, change) <= TOLERANCE) return PL_OK;
    }
    if (change <= ACCEPTABLE) return PL_OK;
    return pl_fail(PL_E_NOT_FINITE,
                   "logistic regression of %zu rows with strength %g did not converge (the last step is %g of the "
                   "coefficients): standardise the features, or take a smaller strength",
                   s->p->n, s->c, change);
}

pl_status pl__logistic_solve(double *theta, const pl__logistic_problem *problem, double strength)
{
    solver s = {.p = problem, .c = strength, .rows = pl__logistic_rows(problem->n_classes)};
    size_t per_row = 0, theta_like = 0;
    PL_TRY(pl_mul_size(&s.size, s.rows, problem->width, "logistic coefficients"));
    PL_TRY(pl_mul_size(&per_row, s.rows, problem->n, "logistic probabilities"));
    PL_TRY(pl_mul_size(&theta_like, s.size, 7, "logistic coefficients"));
    PL_TRY(pl_new(&s.memory, theta_like));
    pl_status status = PL_OK;
    double **parts[] = {&s.trial, &s.gradient, &s.step, &s.r, &s.d, &s.hd, &s.diagonal};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) *parts[i] = s.memory + i * s.size;
    PL_GOTO(status, done, pl_new(&s.prob, per_row));
    PL_GOTO(status, done, pl_new(&s.residual, per_row));
    PL_GOTO(status, done, pl_new(&s.product, per_row));
    PL_GOTO(status, done, iterate(&s, theta));
done:
    free(s.product);
    free(s.residual);
    free(s.prob);
    free(s.memory);
    return status;
}
