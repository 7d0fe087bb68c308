#include "measure/nuclear.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

#include "base/clones.h"

enum { LANES = PL__TILE, MAX_TURNS = 60 };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), may_alias));
typedef long long marks __attribute__((vector_size(LANES * sizeof(double)))); /* -1 or 0 a lane; or places */

size_t pl__nuclear_work(size_t r)
{
    return 4 * r * LANES; /* reflection, its products, diagonal, beside it */
}

/* ---- eight matrices to bidiagonal form ---- */

/* Of x[n], `stride` apart: v so that (I - v v' / half) x = alpha e_0. Zero vectors stay: v is 0, half 1. */
PL__INLINED void reflection(lanes *v, lanes *half, lanes *alpha, const lanes *x, size_t n, size_t stride)
{
    lanes squares = {0};
    for (size_t i = 0; i < n; i++) {
        v[i] = x[i * stride];
        squares += v[i] * v[i];
    }
    for (int l = 0; l < LANES; l++) {
        const double norm = sqrt(squares[l]), first = v[0][l], end = first > 0.0 ? -norm : norm;
        const double own = squares[l] - end * first; /* |v|^2 / 2 */
        (*alpha)[l] = end;
        (*half)[l] = own != 0.0 ? own : 1.0;
    }
    v[0] -= *alpha;
}

/* The columns 1.. of m [rows, columns], `stride` apart, by the reflection of rows. */
PL__INLINED void reflect_rows(lanes *m, const lanes *v, lanes *products, const lanes *half, size_t rows, size_t columns,
                              size_t stride)
{
    for (size_t j = 1; j < columns; j++) products[j] = v[0] * m[j];
    for (size_t i = 1; i < rows; i++)
        for (size_t j = 1; j < columns; j++) products[j] += v[i] * m[i * stride + j];
    for (size_t j = 1; j < columns; j++) products[j] /= *half;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 1; j < columns; j++) m[i * stride + j] -= v[i] * products[j];
}

/* The rows 1.. of m [rows, columns] by the reflection of columns. */
PL__INLINED void reflect_columns(lanes *m, const lanes *v, const lanes *half, size_t rows, size_t columns,
                                 size_t stride)
{
    for (size_t i = 1; i < rows; i++) {
        lanes sum = {0}, *row = m + i * stride;
        for (size_t j = 0; j < columns; j++) sum += row[j] * v[j];
        sum /= *half;
        for (size_t j = 0; j < columns; j++) row[j] -= sum * v[j];
    }
}

/* diagonal[r], beside[r] (its last is 0) of all eight. */
PL__INLINED void bidiagonal_body(double *diagonal, double *beside, double *matrices, size_t r, double *work)
{
    lanes *m = (lanes *)matrices, *d = (lanes *)diagonal, *e = (lanes *)beside, *v = (lanes *)work, *products = v + r;
    for (size_t k = 0; k < r; k++) {
        lanes half, *corner = m + k * r + k;
        reflection(v, &half, &d[k], corner, r - k, r);
        reflect_rows(corner, v, products, &half, r - k, r - k, r);
        e[k] = (lanes){0};
        if (k + 1 == r) continue;
        reflection(v, &half, &e[k], corner + 1, r - k - 1, 1);
        reflect_columns(corner + 1, v, &half, r - k, r - k - 1, r);
    }
}

PL__CLONES(bidiagonal, (double *diagonal, double *beside, double *matrices, size_t r, double *work),
           (diagonal, beside, matrices, r, work))

/* ---- the QR method ---- */

/* A bidiagonal matrix of the eight: element k of its diagonal, and what stands beside it. */
#define D(k) d[(k)*LANES]
#define E(k) e[(k)*LANES]

typedef struct rotation {
    double c, s, length;
} rotation;

static rotation rotation_of(double f, double g)
{
    const double length = sqrt(f * f + g * g);
    return length > 0.0 ? (rotation){f / length, g / length, length} : (rotation){1.0, 0.0, 0.0};
}

/* What stands beside a diagonal element that is 0 goes: its row and those after it are turned. */
static void clear_row(double *d, double *e, size_t zero, size_t last)
{
    double f = E(zero);
    E(zero) = 0.0;
    for (size_t j = zero + 1; j <= last; j++) {
        const rotation t = rotation_of(D(j), f);
        D(j) = t.length;
        f = -t.s * E(j);
        E(j) *= t.c;
    }
}

/* The same above the last element, where that is 0: columns are turned. */
static void clear_column(double *d, double *e, size_t first, size_t last)
{
    double f = E(last - 1);
    E(last - 1) = 0.0;
    for (size_t j = last; j-- > first;) {
        const rotation t = rotation_of(D(j), f);
        D(j) = t.length;
        if (j == first) break;
        f = -t.s * E(j - 1);
        E(j - 1) *= t.c;
    }
}

/* Where the part that ends with `last` begins; what is negligible beside the diagonal becomes 0. */
static size_t first_of_part(const double *d, double *e, size_t last)
{
    for (size_t k = last; k-- > 0;)
        if (fabs(E(k)) <= DBL_EPSILON * (fabs(D(k)) + fabs(D(k + 1)))) {
            E(k) = 0.0;
            return k + 1;
        }
    return 0;
}

/* The last element of the part that is negligible; SIZE_MAX: none. */
static size_t zero_of_part(const double *d, const double *e, size_t first, size_t last)
{
    for (size_t k = last + 1; k-- > first;) {
        const double left = k > first ? fabs(E(k - 1)) : 0.0, right = k < last ? fabs(E(k)) : 0.0;
        if (fabs(D(k)) <= DBL_EPSILON * (left + right)) return k;
    }
    return SIZE_MAX;
}

/* Splits a matrix where it can be: where its last part begins, `last` when the last value is found. */
static size_t split(double *d, double *e, size_t last)
{
    for (;;) {
        const size_t first = first_of_part(d, e, last), zero = zero_of_part(d, e, first, last);
        if (first == last || zero == SIZE_MAX) return first;
        D(zero) = 0.0;
        if (zero == last)
            clear_column(d, e, first, last);
        else
            clear_row(d, e, zero, last);
    }
}

/* What a step over first..last begins with: f, of the shift by the last two columns. */
static double shifted(const double *d, const double *e, size_t first, size_t last)
{
    const double b = ((D(last - 1) + D(last)) * (D(last - 1) - D(last)) + E(last - 1) * E(last - 1)) / 2.0;
    const double c = D(last) * E(last - 1) * (D(last) * E(last - 1)), root = b + copysign(sqrt(b * b + c), b);
    return (D(first) + D(last)) * (D(first) - D(last)) + (root != 0.0 ? c / root : 0.0);
}

/* A step of all eight, each over first[lane]..last. */
typedef struct step {
    lanes f;
    marks first;
    size_t from, last; /* from: the least first; first = last: a matrix that rests */
} step;

PL__INLINED void choose(lanes *out, const lanes *then, const marks *where)
{
    *out = (lanes)(((marks)*then & *where) | ((marks)*out & ~*where));
}

/* c and s so that (f, g) becomes (length, 0). */
PL__INLINED void turn(lanes *c, lanes *s, lanes *length, const lanes *f, const lanes *g)
{
    const lanes squares = *f * *f + *g * *g, one = (lanes){0} + 1.0;
    for (int l = 0; l < LANES; l++) (*length)[l] = sqrt(squares[l]);
    const marks none = *length == (lanes){0};
    lanes divisor = *length;
    choose(&divisor, &one, &none);
    *c = *f / divisor;
    *s = *g / divisor;
    choose(c, &one, &none);
}

PL__INLINED void qr_step_body(double *diagonal, double *beside, const step *of)
{
    lanes *d = (lanes *)diagonal, *e = (lanes *)beside, f = of->f, g = {0}, c, s, length;
    for (size_t j = of->from; j < of->last; j++) {
        const marks place = (marks){0} + (long long)j, begins = of->first == place, after = of->first < place,
                    on = begins | after;
        const lanes corner = d[j] * e[j];
        choose(&f, &of->f, &begins);
        choose(&g, &corner, &begins);
        turn(&c, &s, &length, &f, &g);
        if (j > of->from) choose(&e[j - 1], &length, &after);
        f = c * d[j] + s * e[j];
        lanes next = c * e[j] - s * d[j];
        g = s * d[j + 1];
        lanes below = c * d[j + 1];
        turn(&c, &s, &length, &f, &g);
        choose(&d[j], &length, &on);
        f = c * next + s * below;
        below = c * below - s * next;
        choose(&d[j + 1], &below, &on);
        choose(&e[j], &f, &on); /* of the last; that of others is the next length */
        if (j + 1 == of->last) break;
        g = s * e[j + 1];
        next = c * e[j + 1];
        choose(&e[j + 1], &next, &on);
    }
}

PL__CLONES(qr_step, (double *diagonal, double *beside, const step *of), (diagonal, beside, of))

/* sums[8] of the singular values; NaN where they do not converge. */
static void sum_values(double *sums, double *diagonal, double *beside, size_t r)
{
    for (size_t lane = 0; lane < LANES; lane++) sums[lane] = 0.0;
    for (size_t last = r; last-- > 0;) {
        for (int turns = 0;; turns++) {
            step next = {.from = last, .last = last};
            for (size_t lane = 0; lane < LANES; lane++) {
                double *d = diagonal + lane, *e = beside + lane;
                const size_t first = isnan(sums[lane]) ? last : split(d, e, last);
                if (first < last && turns == MAX_TURNS) sums[lane] = NAN;
                next.first[lane] = (long long)first;
                next.f[lane] = first < last ? shifted(d, e, first, last) : 0.0;
                next.from = first < next.from ? first : next.from;
            }
            if (next.from == last || turns == MAX_TURNS) break;
            qr_step(diagonal, beside, &next);
        }
        for (size_t lane = 0; lane < LANES; lane++) sums[lane] += fabs(diagonal[last * LANES + lane]);
    }
}

void pl__nuclear_norms(double norms[PL__TILE], double *matrices, size_t r, double *work)
{
    double *diagonal = work + 2 * r * LANES, *beside = diagonal + r * LANES;
    bidiagonal(diagonal, beside, matrices, r, work);
    sum_values(norms, diagonal, beside, r);
}
