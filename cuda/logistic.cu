/* L2 logistic regressions: truncated Newton as in the CPU's file of this name, a block a problem, so that all layers
 * and folds are one launch. Every scalar is a sum over the block in a fixed tree that all its threads get, so they
 * decide alike; an element of a vector like theta is always the same thread's. Products with z are a warp a row, those
 * with its transpose a thread a column, which goes through the rows in their order. */
#include "device/logistic.h"

#include <float.h>

#include "cuda.h"
#include "norm.cuh"

enum { THREADS = 256, WARPS = THREADS / PL__WARP };

struct table {
    const int32_t *facts; /* [problems, PL_LOGISTIC_FACTS] */
    size_t facts_stride;
    const double *strengths, *z;
    const int32_t *labels;
    double *theta, *distance, *workspace;
    size_t distance_stride, doubles; /* of workspace, a problem */
    int n_strengths;
};

struct solver {
    double *scratch;          /* [32] in shared memory */
    double c, z_norm;         /* |z| */
    int n, width, rows, size; /* of theta: size = rows x width */
    const double *z;          /* [n, width] */
    const int32_t *labels;
    double *prob, *residual, *product;                       /* [n, rows] */
    double *trial, *gradient, *step, *r, *d, *hd, *diagonal; /* [rows, width] */
};

/* element(at) for what this thread owns of a vector like theta */
template <class F> static __device__ __forceinline__ void own(const solver &s, F element)
{
    for (int at = (int)threadIdx.x; at < s.size; at += THREADS) element(at);
}

static __device__ __forceinline__ double dot(const solver &s, const double *a, const double *b)
{
    double sum = 0.0;
    own(s, [&](int at) { sum = fma(a[at], b[at], sum); });
    return pl__block_group{s.scratch}.sum(sum);
}

/* |values| of any length */
static __device__ double norm(const solver &s, const double *values, int n)
{
    double sum = 0.0;
    for (int at = (int)threadIdx.x; at < n; at += THREADS) sum = fma(values[at], values[at], sum);
    return sqrt(pl__block_group{s.scratch}.sum(sum));
}

/* product[i, k] = z_i . v_k */
static __device__ void multiply(const solver &s, const double *v)
{
    const int lane = (int)threadIdx.x % PL__WARP;
    __syncthreads(); /* v is there, and nobody reads the old product */
    for (int at = (int)threadIdx.x / PL__WARP; at < s.n * s.rows; at += WARPS) {
        const double *z = s.z + (size_t)(at / s.rows) * (size_t)s.width;
        const double *row = v + (size_t)(at % s.rows) * (size_t)s.width;
        double sum = 0.0;
#pragma unroll 4
        for (int d = lane; d < s.width; d += PL__WARP) sum = fma(z[d], row[d], sum);
        sum = pl__warp_sum(sum);
        if (lane == 0) s.product[at] = sum;
    }
    __syncthreads(); /* the product is there */
}

/* out_k = C sum_i values[i, k] z_i + v_k, the latter but for the intercept, which gets `held`. Whoever wrote the values
 * has met the others since. */
static __device__ void gather(const solver &s, double *out, const double *values, const double *v, double held)
{
    own(s, [&](int at) {
        const int k = at / s.width, d = at % s.width;
        const double *z = s.z + d;
        double sum = 0.0;
#pragma unroll 8
        for (int i = 0; i < s.n; i++) sum = fma(values[(size_t)i * s.rows + k], z[(size_t)i * s.width], sum);
        out[at] = fma(s.c, sum, d + 1 < s.width ? v[at] : held);
    });
}

/* -ln p of one row from its logits; fills its probabilities and residuals. A class' residual p - 1 is taken as minus
 * the others' probabilities: at large C it is tiny, and the difference would lose it. */
static __device__ __forceinline__ double row_of_two(double *prob, double *residual, double logit, int label)
{
    const double margin = label ? logit : -logit, small = exp(-fabs(margin));
    const double wrong = (margin > 0.0 ? small : 1.0) / (1.0 + small);
    prob[0] = label ? 1.0 - wrong : wrong;
    residual[0] = label ? -wrong : wrong;
    return log1p(small) + (margin > 0.0 ? 0.0 : -margin);
}

static __device__ __forceinline__ double row_of_many(double *prob, double *residual, const double *logits, int n,
                                                     int label)
{
    double top = logits[0], sum = 0.0, others = 0.0;
    for (int k = 1; k < n; k++) top = fmax(top, logits[k]);
    for (int k = 0; k < n; k++) sum += prob[k] = exp(logits[k] - top);
    for (int k = 0; k < n; k++) {
        residual[k] = prob[k] /= sum;
        if (k != label) others += prob[k];
    }
    residual[label] = -others;
    /* ln(sum) + top - logit, without cancelling where the row is right beyond doubt. */
    return logits[label] == top ? log1p(others / prob[label]) : log(sum) + (top - logits[label]);
}

/* The objective at theta; fills prob and residual. */
static __device__ double evaluate(const solver &s, const double *theta)
{
    double loss = 0.0, penalty = 0.0;
    multiply(s, theta);
    for (int i = (int)threadIdx.x; i < s.n; i += THREADS) {
        const size_t at = (size_t)i * (size_t)s.rows;
        loss += s.rows == 1 ? row_of_two(s.prob + at, s.residual + at, s.product[at], s.labels[i])
                            : row_of_many(s.prob + at, s.residual + at, s.product + at, s.rows, s.labels[i]);
    }
    own(s, [&](int at) {
        if (at % s.width + 1 < s.width) penalty = fma(theta[at], theta[at], penalty);
    });
    return pl__block_group{s.scratch}.sum(fma(s.c, loss, penalty / 2.0));
}

/* The variance p (1 - p) of one output, from the residual, which keeps small differences. */
static __device__ __forceinline__ double variance(double residual)
{
    return fabs(residual) * (1.0 - fabs(residual));
}

/* out = H v at the point of the last evaluation. What all intercepts have in common changes no probability, so H has no
 * curvature along it; one is added there. Gradients have no part along it, and the solution stays what it is. */
static __device__ void hessian_times(const solver &s, double *out, const double *v)
{
    double held = 0.0;
    multiply(s, v);
    for (int i = (int)threadIdx.x; i < s.n; i += THREADS) {
        double *u = s.product + (size_t)i * (size_t)s.rows;
        const double *prob = s.prob + (size_t)i * (size_t)s.rows;
        if (s.rows == 1) {
            u[0] *= variance(s.residual[i]);
            continue;
        }
        double mean = 0.0;
        for (int k = 0; k < s.rows; k++) mean = fma(prob[k], u[k], mean);
        for (int k = 0; k < s.rows; k++) u[k] = prob[k] * (u[k] - mean);
    }
    if (s.rows > 1) {
        for (int k = 0; k < s.rows; k++) held += v[(size_t)(k + 1) * (size_t)s.width - 1];
        held *= s.c * (double)s.n / ((double)s.rows * (double)s.rows) / (double)s.rows;
    }
    __syncthreads(); /* the rows' products are weighted */
    gather(s, out, s.product, v, held);
}

/* The diagonal of H: C sum_i p (1 - p) z^2, and 1 where it is penalised. */
static __device__ void set_diagonal(const solver &s)
{
    own(s, [&](int at) {
        const int k = at / s.width, d = at % s.width;
        double sum = 0.0;
#pragma unroll 8
        for (int i = 0; i < s.n; i++) {
            const double z = s.z[(size_t)i * s.width + d];
            sum = fma(variance(s.residual[(size_t)i * s.rows + k]) * z, z, sum);
        }
        s.diagonal[at] = d + 1 < s.width ? fma(s.c, sum, 1.0) : fmax(s.c * sum, DBL_MIN);
    });
}

/* step ~ -H^-1 gradient: until the residual is below `part` of the gradient. */
static __device__ void conjugate_gradients(const solver &s, double part)
{
    set_diagonal(s);
    own(s, [&](int at) {
        s.step[at] = 0.0;
        s.r[at] = -s.gradient[at];
        s.d[at] = s.r[at] / s.diagonal[at];
    });
    double rho = dot(s, s.r, s.d), left = sqrt(dot(s, s.r, s.r));
    const double goal = part * left;
    for (int turn = 0; turn < PL_LOGISTIC_TURNS && left > goal; turn++) {
        hessian_times(s, s.hd, s.d);
        const double curvature = dot(s, s.d, s.hd);
        if (!(curvature > 0.0)) return;
        const double along = rho / curvature;
        double next = 0.0;
        own(s, [&](int at) {
            s.step[at] = fma(along, s.d[at], s.step[at]);
            const double r = s.r[at] = fma(-along, s.hd[at], s.r[at]);
            next = fma(r / s.diagonal[at], r, next);
        });
        next = pl__block_group{s.scratch}.sum(next);
        left = sqrt(dot(s, s.r, s.r));
        own(s, [&](int at) { s.d[at] = fma(next / rho, s.d[at], s.r[at] / s.diagonal[at]); });
        rho = next;
    }
}

/* theta += t step for the first t of 1, 1/2, .. at which the objective falls enough; false: at none. */
static __device__ bool descend(const solver &s, double *theta, double *objective)
{
    const double slope = dot(s, s.gradient, s.step);
    double t = 1.0;
    for (int halving = 0; halving < PL_LOGISTIC_HALVINGS; halving++, t /= 2.0) {
        own(s, [&](int at) { s.trial[at] = fma(t, s.step[at], theta[at]); });
        const double value = evaluate(s, s.trial), noise = 8.0 * DBL_EPSILON * fabs(*objective);
        if (!(value <= *objective + 1e-4 * t * slope + noise)) continue;
        *objective = value;
        own(s, [&](int at) { theta[at] = s.trial[at]; });
        return true;
    }
    return false;
}

/* Whether the gradient is what its own sums round to, as where labels have nothing to do with the features. */
static __device__ bool is_flat(const solver &s)
{
    return sqrt(dot(s, s.gradient, s.gradient)) <= DBL_EPSILON * s.c * norm(s, s.residual, s.n * s.rows) * s.z_norm;
}

/* Until what a full step leaves is next to nothing of theta, or acceptable steps no longer shrink, or the gradient is
 * flat. Gives what is left, relative to theta. */
static __device__ double iterate(const solver &s, double *theta)
{
    double objective = evaluate(s, theta), change = 1.0;
    if (!isfinite(objective)) return NAN;
    for (int step = 0; step < PL_LOGISTIC_STEPS; step++) {
        const double before = change, part = fmin(0.1, fmax(1e-8, change));
        gather(s, s.gradient, s.residual, theta, 0.0);
        if (is_flat(s)) return 0.0;
        conjugate_gradients(s, part);
        change = sqrt(dot(s, s.step, s.step) / dot(s, theta, theta)); /* infinite from 0 */
        if (change <= PL_LOGISTIC_ACCEPTABLE && !(change < before / 2.0)) break;
        if (!descend(s, theta, &objective)) break;
        if (change * fmax(part, change) <= PL_LOGISTIC_TOLERANCE) return change * fmax(part, change);
    }
    return change;
}

static __global__ void __launch_bounds__(THREADS) solve(table t)
{
    __shared__ double scratch[PL__WARP];
    const int32_t *facts = t.facts + blockIdx.x * t.facts_stride;
    solver s;
    s.scratch = scratch;
    s.n = facts[PL_LOGISTIC_ROWS];
    s.width = facts[PL_LOGISTIC_WIDTH];
    s.rows = facts[PL_LOGISTIC_CLASSES] == 2 ? 1 : facts[PL_LOGISTIC_CLASSES]; /* pl_logistic_outputs */
    s.size = s.rows * s.width;
    s.z = t.z + facts[PL_LOGISTIC_Z];
    s.labels = t.labels + facts[PL_LOGISTIC_LABELS];
    const size_t like_theta = (size_t)s.size, like_rows = (size_t)s.n * (size_t)s.rows;
    s.trial = t.workspace + blockIdx.x * t.doubles;
    s.gradient = s.trial + like_theta;
    s.step = s.gradient + like_theta;
    s.r = s.step + like_theta;
    s.d = s.r + like_theta;
    s.hd = s.d + like_theta;
    s.diagonal = s.hd + like_theta;
    s.prob = s.diagonal + like_theta;
    s.residual = s.prob + like_rows;
    s.product = s.residual + like_rows;
    double *theta = t.theta + facts[PL_LOGISTIC_THETA];
    double *distance = t.distance + blockIdx.x * t.distance_stride, left = 0.0;
    s.z_norm = norm(s, s.z, s.n * s.width);
    own(s, [&](int at) { theta[at] = 0.0; });
    for (int strength = 0; strength < t.n_strengths; strength++, theta += s.size) {
        s.c = t.strengths[strength];
        if (strength > 0) own(s, [&](int at) { theta[at] = theta[at - s.size]; });
        left = left <= PL_LOGISTIC_ACCEPTABLE ? iterate(s, theta) : (double)NAN;
        if (threadIdx.x == 0) distance[strength] = left;
    }
}

extern "C" size_t pl__logistic_workspace_bytes(size_t n_problems, size_t n_rows, size_t width, size_t n_classes)
{
    size_t bytes;
    if (__builtin_mul_overflow(pl_logistic_doubles(n_rows, width, n_classes), n_problems, &bytes) ||
        __builtin_mul_overflow(bytes, sizeof(double), &bytes))
        return SIZE_MAX;
    return bytes;
}

extern "C" pl_status pl__logistic(pl_stream *stream, const pl_logistic_args *args)
{
    const size_t n = args->problems.rows;
    if (!n) return PL_OK;
    const table t = {(const int32_t *)pl__at(args->problems, 0),
                     args->problems.stride,
                     (const double *)pl__at(args->strengths, 0),
                     (const double *)pl__at(args->z, 0),
                     (const int32_t *)pl__at(args->labels, 0),
                     (double *)pl__at(args->theta, 0),
                     (double *)pl__at(args->distance, 0),
                     (double *)pl__at(args->workspace, 0),
                     args->distance.stride,
                     pl_logistic_doubles(args->most_rows, args->most_width, args->most_classes),
                     (int)args->strengths.columns};
    CU_LAUNCH(solve, dim3((unsigned)n), dim3(THREADS), 0, stream->handle, t);
    PL_LAUNCHED(stream, "logistic");
    return PL_OK;
}
