/* Procrustes similarity: nuclear norms against numpy's (matrices of little rank, graded, with zeros where the QR method
 * must split), eight at a time and what one does to the others; similarities of principal components against scipy's.
 */
#include "statistics/golden.h"

#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "measure/nuclear.h"
#include "measure/similarity.h"

/* As make_procrustes.py has it. */
static double formula(size_t a, size_t i, size_t j)
{
    return ((double)((a * i + 3 * j + i * i * (j + 1) + 5 * i * j * j) % 61) - 30.0) / 64.0;
}

static double element_of(size_t kind, size_t r, size_t i, size_t j)
{
    switch (kind) {
    case 0:
        return formula(7, i, j);
    case 1:
        return (formula(7, i, 0) * formula(5, 0, j) + formula(7, i, 1) * formula(5, 1, j)) / 64.0;
    case 2:
        return formula(7, i, j) * pow(10.0, -10.0 * (double)j / (double)r);
    case 3:
        return j == i + 1 ? 0.25 : i == j && i % 3 != 1 ? formula(7, i, j) : 0.0;
    default:
        return 0.0;
    }
}

/* Norms of eight matrices, `kind` in lane 3, noise in the others; lane 5 is not finite. */
static void norms_of(double norms[PL__TILE], size_t kind, size_t r)
{
    double *m, *work;
    OK(pl__new_panels(&m, r * r * PL__TILE, "matrices"));
    OK(pl__new_panels(&work, pl__nuclear_work(r), "work"));
    for (size_t e = 0; e < r * r; e++)
        for (size_t lane = 0; lane < PL__TILE; lane++)
            m[e * PL__TILE + lane] = lane == 3   ? element_of(kind, r, e / r, e % r)
                                     : lane == 5 ? NAN
                                                 : pl_random_normal(2, PL_RANDOM_TEST, (uint32_t)lane, e);
    pl__nuclear_norms(norms, m, r, work);
    free(work);
    free(m);
}

static json_t *read_golden(void)
{
    json_t *root = NULL;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/measure/procrustes.json", 1 << 20));
    return root;
}

/* A norm is a sum of r values, each within some eps of the largest. */
static void test_nuclear(void **state)
{
    (void)state;
    json_t *root = read_golden(), *c;
    size_t i;
    json_array_foreach(member(root, "nuclear"), i, c)
    {
        double norms[PL__TILE], others[PL__TILE];
        const size_t kind = (size_t)number(member(c, "kind")), r = (size_t)number(member(c, "r"));
        norms_of(norms, kind, r);
        assert_close(norms[3], number(member(c, "norm")), 1e-13);
        assert_true(isnan(norms[5]));
        norms_of(others, 4, r);
        for (size_t lane = 0; lane < PL__TILE; lane++)
            assert_true(lane == 3 || lane == 5 || (norms[lane] == others[lane] && norms[lane] > 0.0));
    }
    json_decref(root);
}

/* The vectors of the design, of all components; their states are float32. */
static void test_design(void **state)
{
    (void)state;
    float x[F_ITEMS * F_X], y[F_ITEMS * F_Y];
    double *m, *work, norms[PL__TILE], squares[2] = {0, 0}, means[F_X + F_Y] = {0};
    section_f(x, y);
    OK(pl__new_panels(&m, F_X * F_X * PL__TILE, "matrices"));
    OK(pl__new_panels(&work, pl__nuclear_work(F_X), "work"));
    for (size_t i = 0; i < F_ITEMS; i++) {
        for (size_t a = 0; a < F_X; a++) means[a] += x[i * F_X + a] / (double)F_ITEMS;
        for (size_t b = 0; b < F_Y; b++) means[F_X + b] += y[i * F_Y + b] / (double)F_ITEMS;
    }
    for (size_t i = 0; i < F_ITEMS; i++) {
        for (size_t a = 0; a < F_X; a++) squares[0] += pow(x[i * F_X + a] - means[a], 2);
        for (size_t b = 0; b < F_Y; b++) squares[1] += pow(y[i * F_Y + b] - means[F_X + b], 2);
        for (size_t a = 0; a < F_X; a++)
            for (size_t b = 0; b < F_Y; b++)
                m[(a * F_X + b) * PL__TILE] += (x[i * F_X + a] - means[a]) * (y[i * F_Y + b] - means[F_X + b]);
    }
    for (size_t e = 0; e < F_X * F_X; e++) m[e * PL__TILE] /= sqrt(squares[0] * squares[1]);
    pl__nuclear_norms(norms, m, F_X, work);
    assert_close(norms[0], 0.6719574982, 1e-7);
    free(work);
    free(m);
}

static double similarity_of(const float *x, const float *y, size_t n, size_t width)
{
    pl_side side;
    double grid[4];
    OK(pl_side_open(&side, PL_SIMILAR_PROCRUSTES, n, 2, NULL));
    OK(pl_side_add(&side, x, width));
    OK(pl_side_add(&side, y, width));
    OK(pl_similar_grids(grid, &side, &side, NULL, 0));
    pl_side_free(&side);
    return grid[1];
}

/* Scores are float32. Turned, reflected, scaled and moved states are the same. */
static void test_states(void **state)
{
    (void)state;
    json_t *root = read_golden(), *c;
    size_t k;
    json_array_foreach(member(root, "states"), k, c)
    {
        const size_t n = (size_t)number(member(c, "n")), width = (size_t)number(member(c, "width"));
        const double noise = number(member(c, "noise"));
        float *x, *y;
        OK(pl_new(&x, n * width));
        OK(pl_new(&y, n * width));
        for (size_t i = 0; i < n * width; i++) {
            x[i] = (float)formula(7, i / width, i % width);
            y[i] = (float)(formula(7, i / width, i % width) + noise * formula(11, i / width, i % width));
        }
        assert_close(similarity_of(x, y, n, width), number(member(c, "value")), 1e-7);
        for (size_t i = 0; i < n * width; i += width)
            for (size_t d = 0; d < width; d++)
                y[i + d] = (float)(3.0 + 2.0 * (d == 0   ? 0.6 * x[i] - 0.8 * x[i + 1]
                                                : d == 1 ? -0.8 * x[i] - 0.6 * x[i + 1]
                                                         : x[i + d]));
        assert_close(similarity_of(x, y, n, width), 1.0, 1e-6);
        assert_close(similarity_of(x, x, n, width), 1.0, 1e-13);
        free(y);
        free(x);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nuclear), cmocka_unit_test(test_design),
                                       cmocka_unit_test(test_states)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
