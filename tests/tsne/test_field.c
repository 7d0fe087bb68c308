/* The exact field against sums in double, the one on a grid against the exact one, Fourier transforms against their
 * definition; the same bits for any number of threads. */
#include "tsne/states.h"

#include <omp.h>

#include "tsne/fft.h"
#include "tsne/field.h"
#include "tsne/lanes.h"

static void scatter_points(pl__layout *y, size_t n, double extent)
{
    OK(pl__layout_create(y, n));
    for (size_t i = 0; i < n; i++) {
        const double r = extent / 2.0 * sqrt(pl_random_uniform(1, PL_RANDOM_TEST, 4, i));
        const double angle = 2.0 * M_PI * pl_random_uniform(1, PL_RANDOM_TEST, 5, i);
        y->x[i] = (float)(r * cos(angle));
        y->y[i] = (float)(r * sin(angle));
    }
    pl__layout_pad(y);
}

/* Float32 sums of n terms: 1e-5 of the largest force. */
static void test_exact(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 3, 16, 130, 777};
    for (size_t s = 0; s < 5; s++) {
        pl__layout y, force;
        pl__field *field;
        double z, z_sum = 0.0, largest = 0.0, worst = 0.0;
        scatter_points(&y, sizes[s], 20.0);
        OK(pl__layout_create(&force, y.n));
        OK(pl__field_create(&field, y.n));
        pl__field_exact(field, &z, &force, &y);
        for (size_t i = 0; i < y.n; i++) {
            double fx = 0.0, fy = 0.0;
            for (size_t j = 0; j < y.n; j++) {
                const double dx = (double)y.x[i] - (double)y.x[j], dy = (double)y.y[i] - (double)y.y[j];
                const double q = 1.0 / (1.0 + dx * dx + dy * dy);
                if (j != i) z_sum += q;
                fx += q * q * dx;
                fy += q * q * dy;
            }
            largest = fmax(largest, hypot(fx, fy));
            worst = fmax(worst, hypot(fx - (double)force.x[i], fy - (double)force.y[i]));
        }
        assert_close(z, z_sum, 1e-6);
        assert_true(worst <= 1e-5 * largest + 1e-9);
        pl__field_free(field);
        pl__layout_free(&force);
        pl__layout_free(&y);
    }
}

/* Interpolation with nodes 0.4 apart is rough where a point's neighbours are near: 2.1 % of the forces, taken together,
 * was seen, 3.3 % of the largest force for one point; a small map has nodes nearer to each other. */
static void test_grid(void **state)
{
    (void)state;
    enum { N = 3000 };
    const double extents[] = {2e-4, 3.0, 25.0, 60.0, 140.0};
    for (size_t e = 0; e < 5; e++) {
        pl__layout y, exact, grid;
        pl__field *field;
        double z, z_grid, error = 0.0, size = 0.0, largest = 0.0, worst = 0.0;
        scatter_points(&y, N, extents[e]);
        OK(pl__layout_create(&exact, N));
        OK(pl__layout_create(&grid, N));
        OK(pl__field_create(&field, N));
        pl__field_exact(field, &z, &exact, &y);
        OK(pl__field_grid(field, &z_grid, &grid, &y));
        for (size_t i = 0; i < N; i++) {
            const double dx = (double)exact.x[i] - (double)grid.x[i], dy = (double)exact.y[i] - (double)grid.y[i];
            error += dx * dx + dy * dy;
            size += pow((double)exact.x[i], 2) + pow((double)exact.y[i], 2);
            worst = fmax(worst, hypot(dx, dy));
            largest = fmax(largest, hypot((double)exact.x[i], (double)exact.y[i]));
        }
        const bool fine = extents[e] < 10.0;
        assert_true(fabs(z_grid / z - 1.0) <= (fine ? 1e-4 : 5e-3));
        assert_true(sqrt(error / size) <= (fine ? 1e-4 : 0.025));
        assert_true(worst <= (fine ? 1e-4 : 0.04) * largest);
        pl__field_free(field);
        pl__layout_free(&grid);
        pl__layout_free(&exact);
        pl__layout_free(&y);
    }
    pl__layout wide, force;
    pl__field *field;
    double z;
    scatter_points(&wide, N, 5e4);
    OK(pl__layout_create(&force, N));
    OK(pl__field_create(&field, N));
    REFUSED(pl__field_grid(field, &z, &force, &wide), PL_E_NOT_FINITE, "too wide for a grid");
    OK(pl__field_of(field, &z, &force, &wide)); /* exactly, then */
    pl__field_free(field);
    pl__layout_free(&force);
    pl__layout_free(&wide);
}

static void test_same_bits(void **state)
{
    (void)state;
    enum { N = 2500 };
    pl__layout y, one, three;
    pl__field *field;
    double z_one, z_three;
    const int before = omp_get_max_threads();
    scatter_points(&y, N, 50.0);
    OK(pl__layout_create(&one, N));
    OK(pl__layout_create(&three, N));
    for (int way = 0; way < 2; way++) {
        for (int threads = 1; threads <= 3; threads += 2) {
            double *z = threads == 1 ? &z_one : &z_three;
            pl__layout *force = threads == 1 ? &one : &three;
            omp_set_num_threads(threads);
            OK(pl__field_create(&field, N));
            if (way == 0)
                pl__field_exact(field, z, force, &y);
            else
                OK(pl__field_grid(field, z, force, &y));
            pl__field_free(field);
        }
        assert_true(z_one == z_three);
        assert_memory_equal(one.x, three.x, N * sizeof *one.x);
        assert_memory_equal(one.y, three.y, N * sizeof *one.y);
    }
    omp_set_num_threads(before);
    pl__layout_free(&three);
    pl__layout_free(&one);
    pl__layout_free(&y);
}

/* The values of a forward transform are those of the definition, in some order; the inverse gives m times the input. */
static void test_fft(void **state)
{
    (void)state;
    const size_t sizes[] = {4, 6, 8, 96, 128};
    for (size_t s = 0; s < 5; s++) {
        const size_t m = sizes[s];
        pl__fft fft;
        OK(pl__fft_create(&fft, m));
        float *re = aligned_alloc(64, m * PL__LANES * sizeof *re), *im = aligned_alloc(64, m * PL__LANES * sizeof *im);
        float *was = room(2 * m * PL__LANES, sizeof *was);
        bool *taken = room(m, sizeof *taken);
        for (size_t i = 0; i < m * PL__LANES; i++) {
            was[2 * i] = re[i] = (float)pl_random_normal(1, PL_RANDOM_TEST, 6, i);
            was[2 * i + 1] = im[i] = (float)pl_random_normal(1, PL_RANDOM_TEST, 7, i);
        }
        pl__fft_forward(&fft, re, im);
        for (size_t k = 0; k < m; k++) {
            double sum_re = 0.0, sum_im = 0.0;
            const size_t lane = 5;
            for (size_t t = 0; t < m; t++) {
                const double angle = -2.0 * M_PI * (double)(k * t % m) / (double)m;
                const double a = (double)was[2 * (t * PL__LANES + lane)],
                             b = (double)was[2 * (t * PL__LANES + lane) + 1];
                sum_re += a * cos(angle) - b * sin(angle);
                sum_im += a * sin(angle) + b * cos(angle);
            }
            size_t at = 0;
            while (at < m && (taken[at] || hypot((double)re[at * PL__LANES + lane] - sum_re,
                                                 (double)im[at * PL__LANES + lane] - sum_im) > 1e-5 * (double)m))
                at++;
            assert_true(at < m);
            taken[at] = true;
        }
        pl__fft_inverse(&fft, re, im);
        for (size_t i = 0; i < m * PL__LANES; i++) {
            assert_close((double)re[i] / (double)m, (double)was[2 * i], 1e-5);
            assert_close((double)im[i] / (double)m, (double)was[2 * i + 1], 1e-5);
        }
        free(taken);
        free(was);
        free(im);
        free(re);
        pl__fft_free(&fft);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_grid),
                                       cmocka_unit_test(test_same_bits), cmocka_unit_test(test_fft)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
