/* Truncated Newton: the step solves H s = -g by conjugate gradients with the diagonal of H as preconditioner, more
 * exactly as the gradient falls; then the step is halved until the objective falls enough. A problem is one thread's.
 *
 * A class' residual p - 1 is taken as minus the others' probabilities: at large C it is tiny, and the difference would
 * lose it. */
#include "device/logistic.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/vector.h"
#include "device/cpu/cpu.h"

typedef struct problem {
    size_t n, width, n_classes;
    const double *z; /* [n, width] */
    const int32_t *labels;
    double *theta; /* [strengths, rows, width] */
} problem;

typedef struct solver {
    const problem *p;
    double c, z_norm;                                        /* |z| */
    size_t rows, size;                                       /* of theta: size = rows x width */
    double *prob, *residual, *product;                       /* [n, rows] */
    double *trial, *gradient, *step, *r, *d, *hd, *diagonal; /* [rows, width] */
} solver;

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
        size_t class = (size_t)s->p->labels[i];
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
    for (int turn = 0; turn < PL_LOGISTIC_TURNS && sqrt(pl__dot(r, r, size)) > goal; turn++) {
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
    for (int halving = 0; halving < PL_LOGISTIC_HALVINGS; halving++, t /= 2.0) {
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

/* Whether the gradient is what its own sums round to. So it is at once where labels have nothing to do with the
 * features: theta is 0 but for such noise, and no step is small beside it. */
static int is_flat(const solver *s)
{
    const double terms = s->c * sqrt(pl__dot(s->residual, s->residual, s->p->n * s->rows)) * s->z_norm;
    return sqrt(pl__dot(s->gradient, s->gradient, s->size)) <= DBL_EPSILON * terms;
}

/* Until what a full step leaves is next to nothing of theta: about the step, times how exactly it was solved for or
 * times itself. Or, once steps are acceptable, until they no longer shrink, or the gradient is flat: as near as double
 * allows. Gives what is left, relative to theta. */
static double iterate(const solver *s, double *theta)
{
    double objective = evaluate(s, theta), change = 1.0;
    if (!isfinite(objective)) return NAN;
    for (int step = 0; step < PL_LOGISTIC_STEPS; step++) {
        double before = change, part = fmin(0.1, fmax(1e-8, change));
        gather(s, s->gradient, s->residual, theta);
        if (is_flat(s)) return 0.0;
        conjugate_gradients(s, part);
        change = sqrt(pl__dot(s->step, s->step, s->size) / pl__dot(theta, theta, s->size)); /* infinite from 0 */
        if (change <= PL_LOGISTIC_ACCEPTABLE && !(change < before / 2.0)) break;
        if (!descend(s, theta, &objective)) break;
        if (change * fmax(part, change) <= PL_LOGISTIC_TOLERANCE) return change * fmax(part, change);
    }
    return change;
}

/* distance [n_strengths] */
static void solve(const problem *p, double *distance, const double *strengths, size_t n_strengths, double *workspace)
{
    solver s = {.p = p, .rows = pl_logistic_outputs(p->n_classes)};
    s.size = s.rows * p->width;
    double **like_theta[] = {&s.trial, &s.gradient, &s.step, &s.r, &s.d, &s.hd, &s.diagonal};
    double **like_rows[] = {&s.prob, &s.residual, &s.product};
    for (size_t i = 0; i < sizeof like_theta / sizeof *like_theta; i++, workspace += s.size) *like_theta[i] = workspace;
    for (size_t i = 0; i < sizeof like_rows / sizeof *like_rows; i++, workspace += p->n * s.rows)
        *like_rows[i] = workspace;
    s.z_norm = sqrt(pl__dot(p->z, p->z, p->n * p->width));
    memset(p->theta, 0, s.size * sizeof *p->theta);
    for (size_t at = 0; at < n_strengths; at++) {
        double *theta = p->theta + at * s.size;
        if (at > 0) memcpy(theta, theta - s.size, s.size * sizeof *theta);
        s.c = strengths[at];
        distance[at] = at > 0 && !(distance[at - 1] <= PL_LOGISTIC_ACCEPTABLE) ? NAN : iterate(&s, theta);
    }
}

/* ---- The op ---- */

/* What a problem names lies inside the views. */
static pl_status read_problem(problem *out, const pl_logistic_args *a, size_t at)
{
    const int32_t *facts = pl__i32(a->problems, at);
    for (size_t i = 0; i < PL_LOGISTIC_FACTS; i++)
        if (facts[i] < 0) return pl_fail(PL_E_INTERNAL, "logistic: fact %zu of problem %zu is %d", i, at, facts[i]);
    const size_t n = (size_t)facts[PL_LOGISTIC_ROWS], width = (size_t)facts[PL_LOGISTIC_WIDTH],
                 n_classes = (size_t)facts[PL_LOGISTIC_CLASSES], z = (size_t)facts[PL_LOGISTIC_Z],
                 labels = (size_t)facts[PL_LOGISTIC_LABELS], theta = (size_t)facts[PL_LOGISTIC_THETA];
    const size_t size = a->strengths.columns * pl_logistic_outputs(n_classes) * width;
    if (n > a->most_rows || width < 1 || width > a->most_width || n_classes < 2 || n_classes > a->most_classes)
        return pl_fail(PL_E_INTERNAL, "logistic: problem %zu has %zu rows, %zu features, %zu classes", at, n, width,
                       n_classes);
    if (z + n * width > a->z.columns || labels + n > a->labels.columns || theta + size > a->theta.columns)
        return pl_fail(PL_E_INTERNAL, "logistic: problem %zu ends outside its views", at);
    const pl_view own = {.buffer = a->labels.buffer, .offset = a->labels.offset + labels, .dtype = PL_I32};
    PL_TRY(pl__check_ids("logistic", "labels", own, n, n_classes));
    *out = (problem){.n = n,
                     .width = width,
                     .n_classes = n_classes,
                     .z = (const double *)pl__at(a->z, 0) + z,
                     .labels = pl__i32(a->labels, 0) + labels,
                     .theta = (double *)pl__at(a->theta, 0) + theta};
    return PL_OK;
}

size_t pl__logistic_workspace_bytes(size_t n_problems, size_t n_rows, size_t width, size_t n_classes)
{
    size_t bytes;
    if (__builtin_mul_overflow(pl_logistic_doubles(n_rows, width, n_classes), n_problems, &bytes) ||
        __builtin_mul_overflow(bytes, sizeof(double), &bytes))
        return SIZE_MAX;
    return bytes;
}

pl_status pl__logistic(pl_stream *stream, const pl_logistic_args *args)
{
    const size_t n = args->problems.rows,
                 doubles = pl_logistic_doubles(args->most_rows, args->most_width, args->most_classes);
    problem p;
    for (size_t i = 0; i < n; i++) PL_TRY(read_problem(&p, args, i));
#pragma omp parallel for num_threads(pl__threads(stream, args->z.columns)) schedule(dynamic) private(p)
    for (size_t i = 0; i < n; i++) {
        (void)read_problem(&p, args, i);
        solve(&p, (double *)pl__at(args->distance, i), (const double *)pl__at(args->strengths, 0),
              args->strengths.columns, (double *)pl__at(args->workspace, 0) + i * doubles);
    }
    return PL_OK;
}
