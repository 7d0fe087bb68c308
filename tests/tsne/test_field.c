/* The field on a grid against the exact one (which tests/device/test_repulsion.c holds to sums in double), Fourier
 * transforms against their definition; the same bits for any number of threads. */
#include "tsne/states.h"

#include <omp.h>

#include "base/lanes.h"
#include "tsne/fft.h"
#include "tsne/field.h"

/* y [n, 2]: a disc. */
static float *scatter_points(size_t n, double extent)
{
    float *y = room(2 * n, sizeof *y);
    for (size_t i = 0; i < n; i++) {
        const double r = extent / 2.0 * sqrt(pl_random_uniform(1, PL_RANDOM_TEST, 4, i));
        const double angle = 2.0 * M_PI * pl_random_uniform(1, PL_RANDOM_TEST, 5, i);
        y[2 * i] = (float)(r * cos(angle));
        y[2 * i + 1] = (float)(r * sin(angle));
    }
    return y;
}

typedef pl_status way(pl__field *field, pl_view y);

/* force [n, 2] and z of a map [n, 2] */
static pl_status sum_by(way *by, float *force, double *z, const float *map, size_t n, int threads)
{
    pl_processor on;
    pl_stream *stream;
    pl__field field;
    pl_view y;
    OK(pl_processor_open(&on, "cpu", threads));
    OK(on.ops->stream_create(on.device, &stream));
    OK(pl_view_create(&on, &y, 1, 2 * n, PL_F32));
    OK(pl__field_create(&field, &on, stream, n));
    OK(pl_upload(&on, stream, y, map));
    const pl_status status = by(&field, y);
    OK(pl_download(&on, stream, force, field.force));
    OK(pl_download(&on, stream, z, field.z));
    pl__field_free(&field);
    pl_view_free(&on, &y);
    on.ops->stream_free(stream);
    pl_processor_close(&on);
    return status;
}

/* Interpolation with nodes 0.4 apart is rough where a point's neighbours are near: 2.1 % of the forces, taken together,
 * was seen, 3.3 % of the largest force for one point; a small map has nodes nearer to each other. */
static void test_grid(void **state)
{
    (void)state;
    enum { N = 3000 };
    static float exact[2 * N], grid[2 * N];
    const double extents[] = {2e-4, 3.0, 25.0, 60.0, 140.0};
    double z, z_grid;
    for (size_t e = 0; e < 5; e++) {
        double error = 0.0, size = 0.0, largest = 0.0, worst = 0.0;
        float *y = scatter_points(N, extents[e]);
        OK(sum_by(pl__field_exact, exact, &z, y, N, 0));
        OK(sum_by(pl__field_grid, grid, &z_grid, y, N, 0));
        for (size_t i = 0; i < 2 * N; i += 2) {
            const double dx = (double)exact[i] - (double)grid[i], dy = (double)exact[i + 1] - (double)grid[i + 1];
            error += dx * dx + dy * dy;
            size += pow((double)exact[i], 2) + pow((double)exact[i + 1], 2);
            worst = fmax(worst, hypot(dx, dy));
            largest = fmax(largest, hypot((double)exact[i], (double)exact[i + 1]));
        }
        const bool fine = extents[e] < 10.0;
        assert_true(fabs(z_grid / z - 1.0) <= (fine ? 1e-4 : 5e-3));
        assert_true(sqrt(error / size) <= (fine ? 1e-4 : 0.025));
        assert_true(worst <= (fine ? 1e-4 : 0.04) * largest);
        free(y);
    }
    float *wide = scatter_points(N, 5e4);
    REFUSED(sum_by(pl__field_grid, grid, &z, wide, N, 0), PL_E_NOT_FINITE, "too wide for a grid");
    OK(sum_by(pl__field_of, grid, &z, wide, N, 0)); /* exactly, then */
    wide[2 * N - 7] = NAN;
    REFUSED(sum_by(pl__field_grid, grid, &z, wide, N, 0), PL_E_NOT_FINITE, "too wide for a grid");
    free(wide);
}

static void test_same_bits(void **state)
{
    (void)state;
    enum { N = 2500 };
    static float one[2 * N], three[2 * N];
    const int before = omp_get_max_threads();
    way *const ways[] = {pl__field_exact, pl__field_grid};
    float *y = scatter_points(N, 50.0);
    for (size_t w = 0; w < 2; w++) {
        double z_one, z_three;
        omp_set_num_threads(1);
        OK(sum_by(ways[w], one, &z_one, y, N, 1));
        omp_set_num_threads(3);
        OK(sum_by(ways[w], three, &z_three, y, N, 3));
        assert_true(z_one == z_three);
        assert_memory_equal(one, three, sizeof one);
    }
    omp_set_num_threads(before);
    free(y);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grid), cmocka_unit_test(test_same_bits),
                                       cmocka_unit_test(test_fft)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
