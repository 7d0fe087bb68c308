#include "measure/eigen.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/vector.h"
#include "statistics/parallel.h"

enum { MAX_SWEEPS = 60, INVERSE_STEPS = 4 };

/* A tridiagonal matrix, and the reflections H_j = I - v_j v_j' that led to it: v_j in a's row j from column j + 1 on.
 */
typedef struct tridiagonal {
    size_t n;
    double *diagonal, *beside; /* [n]; beside[i] is between i and i + 1 */
    const double *reflections; /* [n, n] */
} tridiagonal;

/* Makes v of length sqrt(2) from x so that (I - v v') x = alpha e_0; a zero x stays. */
static double reflection(double *x, size_t m)
{
    double scale = 0.0;
    for (size_t i = 0; i < m; i++) scale = fmax(scale, fabs(x[i]));
    if (scale == 0.0) return 0.0;
    for (size_t i = 0; i < m; i++) x[i] /= scale;
    double norm = sqrt(pl__dot(x, x, m)), alpha = x[0] > 0.0 ? -norm : norm;
    x[0] -= alpha;
    double length = sqrt(pl__dot(x, x, m) / 2.0);
    for (size_t i = 0; i < m; i++) x[i] /= length;
    return alpha * scale;
}

/* S -= v w' + w v' of the trailing part [m, m] of a, whose rows are n apart. */
static void update(double *s, size_t n, const double *v, const double *w, size_t m)
{
#pragma omp parallel for schedule(static) if (m * m >= PL__PARALLEL_MIN)
    for (size_t r = 0; r < m; r++) {
        double *row = s + r * n;
        const double vr = v[r], wr = w[r];
        for (size_t c = 0; c < m; c++) row[c] -= vr * w[c] + wr * v[c];
    }
}

static void to_tridiagonal(tridiagonal *t, double *a, double *w)
{
    const size_t n = t->n;
    for (size_t j = 0; j + 1 < n; j++) {
        const size_t m = n - j - 1;
        double *v = a + j * n + j + 1, *s = a + (j + 1) * n + j + 1;
        t->diagonal[j] = a[j * n + j];
        t->beside[j] = reflection(v, m);
#pragma omp parallel for schedule(static) if (m * m >= PL__PARALLEL_MIN)
        for (size_t r = 0; r < m; r++) w[r] = pl__dot(s + r * n, v, m);
        const double half = pl__dot(v, w, m) / 2.0;
        for (size_t r = 0; r < m; r++) w[r] -= half * v[r];
        update(s, n, v, w, m);
    }
    t->diagonal[n - 1] = a[n * n - 1];
    t->beside[n - 1] = 0.0;
    t->reflections = a;
}

/* One sweep of the implicit QL method over l..m. */
static void sweep(double *d, double *e, size_t l, size_t m)
{
    double g = (d[l + 1] - d[l]) / (2.0 * e[l]), r = hypot(g, 1.0), s = 1.0, c = 1.0, p = 0.0;
    g = d[m] - d[l] + e[l] / (g + copysign(r, g));
    for (size_t i = m; i-- > l;) {
        double f = s * e[i], b = c * e[i];
        r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0.0) {
            d[i + 1] -= p;
            e[m] = 0.0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2.0 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0.0;
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* d becomes the eigenvalues, descending; e is destroyed. Beside the diagonal what is rounding of the whole matrix is 0:
 * a part of little rank is nothing else, and would not converge to less. */
static pl_status eigenvalues(double *d, double *e, size_t n)
{
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(d[i]) + fabs(e[i]));
    for (size_t l = 0; l < n; l++) {
        for (int turn = 0;; turn++) {
            size_t m = l;
            for (; m + 1 < n; m++)
                if (fabs(e[m]) <= DBL_EPSILON * fmax(fabs(d[m]) + fabs(d[m + 1]), largest)) break;
            if (m == l) break;
            if (turn == MAX_SWEEPS)
                return pl_fail(PL_E_NOT_FINITE, "principal components: eigenvalues do not converge");
            sweep(d, e, l, m);
        }
    }
    qsort(d, n, sizeof *d, descending);
    return PL_OK;
}

/* Solves (T - value) x = x by elimination with row exchanges; u0, u1, u2: work, [n] each. */
static void solve_shifted(double *x, const tridiagonal *t, double value, double tiny, double *u0, double *u1,
                          double *u2)
{
    const size_t n = t->n;
    double a = t->diagonal[0] - value, b = n > 1 ? t->beside[0] : 0.0;
    for (size_t i = 0; i + 1 < n; i++) {
        const double below = t->beside[i], next = t->diagonal[i + 1] - value;
        const double after = i + 2 < n ? t->beside[i + 1] : 0.0;
        if (fabs(a) >= fabs(below)) {
            const double pivot = fabs(a) < tiny ? tiny : a, f = below / pivot;
            u0[i] = pivot, u1[i] = b, u2[i] = 0.0;
            a = next - f * b;
            b = after;
            x[i + 1] -= f * x[i];
        } else {
            const double f = a / below, old = x[i];
            u0[i] = below, u1[i] = next, u2[i] = after;
            a = b - f * next;
            b = -f * after;
            x[i] = x[i + 1];
            x[i + 1] = old - f * x[i];
        }
    }
    u0[n - 1] = fabs(a) < tiny ? tiny : a;
    for (size_t i = n; i-- > 0;) {
        double sum = x[i];
        if (i + 1 < n) sum -= u1[i] * x[i + 1];
        if (i + 2 < n) sum -= u2[i] * x[i + 2];
        x[i] = sum / u0[i];
    }
}

static void normalise(double *x, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    for (size_t i = 0; i < n && most > 0.0; i++) x[i] /= most;
    const double norm = sqrt(pl__dot(x, x, n));
    for (size_t i = 0; i < n && norm > 0.0; i++) x[i] /= norm;
}

/* The vector of t for values[k], orthogonal to those before it. */
static void inverse_iteration(double *vectors, size_t k, const tridiagonal *t, double value, double tiny, double *work)
{
    const size_t n = t->n;
    double *x = vectors + k * n;
    for (size_t i = 0; i < n; i++) x[i] = 1.0 + 0.01 * (double)((i * 7919 + k * 104729) % 101);
    for (int step = 0; step < INVERSE_STEPS; step++) {
        solve_shifted(x, t, value, tiny, work, work + n, work + 2 * n);
        normalise(x, n);
        for (int twice = 0; twice < 2; twice++) {
            for (size_t q = 0; q < k; q++) {
                const double share = pl__dot(x, vectors + q * n, n);
                for (size_t i = 0; i < n; i++) x[i] -= share * vectors[q * n + i];
            }
            normalise(x, n);
        }
    }
}

/* From the tridiagonal form back to a: x = H_0 H_1 ... x. */
static void reflect_back(double *x, const tridiagonal *t)
{
    for (size_t j = t->n - 1; j-- > 0;) {
        const double *v = t->reflections + j * t->n + j + 1;
        const size_t m = t->n - j - 1;
        const double share = pl__dot(v, x + j + 1, m);
        for (size_t i = 0; i < m; i++) x[j + 1 + i] -= share * v[i];
    }
}

pl_status pl__largest_eigen(double *values, double *vectors, size_t k, double *a, size_t n)
{
    tridiagonal t = {.n = n};
    double *work = NULL, *d, *e, largest = 0.0;
    pl_status status = PL_OK;
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(a[i])) return pl_fail(PL_E_NOT_FINITE, "principal components: the values are too large");
    PL_GOTO(status, done, pl_new(&t.diagonal, n));
    PL_GOTO(status, done, pl_new(&t.beside, n));
    PL_GOTO(status, done, pl_new(&work, 5 * n));
    to_tridiagonal(&t, a, work);
    d = work + 3 * n;
    e = work + 4 * n;
    memcpy(d, t.diagonal, n * sizeof *d);
    memcpy(e, t.beside, n * sizeof *e);
    PL_GOTO(status, done, eigenvalues(d, e, n));
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(d[i]));
    const double tiny = fmax(largest * DBL_EPSILON, DBL_MIN);
    for (size_t i = 0; i < k; i++) {
        values[i] = d[i];
        inverse_iteration(vectors, i, &t, d[i], tiny, work);
    }
    for (size_t i = 0; i < k; i++) reflect_back(vectors + i * n, &t);
done:
    free(work);
    free(t.beside);
    free(t.diagonal);
    return status;
}
