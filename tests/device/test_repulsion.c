/* repulsion: force and z against sums in double.
 *
 * A point's force is a float32 sum of n terms q^2 dx, each with seven roundings; of those that are summed one after
 * another there are at most n / 16 + 128 on any device, so a coordinate is within (7 + 2 sqrt(n)) 2^-24 of the sum of
 * the terms' sizes: roundings are as often up as down. z likewise, of positive terms. */
#include "gradient.h"

typedef struct shape {
    size_t n;
    double extent;
    case_use use;
} shape;

static const shape shapes[] = {
    {2, 1e-4, EVERY},    {3, 20.0, EVERY},    {4, 0.0, EVERY},     {16, 2e-4, EVERY},    {17, 5.0, EVERY},
    {130, 1e4, EVERY},   {513, 30.0, EVERY},  {777, 20.0, EVERY},  {1024, 40.0, EVERY},  {2500, 60.0, LARGE},
    {4200, 50.0, EVERY}, {9001, 1e-4, LARGE}, {9001, 90.0, LARGE}, {10000, 80.0, BENCH}, {70000, 150.0, BENCH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    snprintf(text, 128, "%zu points, extent %g", shapes[i].n, shapes[i].extent);
    return shapes[i].use;
}

static void check(const shape *s, const float *y, float *force, double z)
{
    const size_t n = s->n;
    const double share = ldexp(7.0 + 2.0 * sqrt((double)n), -24);
    double *expected = (double *)calloc(2 * n, sizeof *expected), *bound = (double *)calloc(2 * n, sizeof *bound);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            if (j == i) continue;
            const double d[2] = {(double)y[2 * i] - (double)y[2 * j], (double)y[2 * i + 1] - (double)y[2 * j + 1]};
            const double q = 1.0 / (1.0 + d[0] * d[0] + d[1] * d[1]);
            sum += q;
            for (size_t c = 0; c < 2; c++) {
                expected[2 * i + c] += q * q * d[c];
                bound[2 * i + c] += share * q * q * fabs(d[c]);
            }
        }
    }
    /* A pad is so far from everything that it adds less than this. */
    for (size_t i = 0; i < 2 * n; i++) bound[i] += 1e-15;
    check_close("force", force, expected, bound, 2 * n);
    const double z_bound = share * sum + 1e-15;
    if (!(fabs(z - sum) <= z_bound)) fail_case("z is %.9g, expected %.9g", z, sum);
    assert_true(fabs(z + (double)n - sum) > z_bound); /* able to fail: each point with itself */
    free(bound);
    free(expected);
}

static void run(const world *w, size_t k)
{
    const shape *s = &shapes[k];
    const size_t n = s->n;
    float *y = normals(2 * n, 1, s->extent / 4.0);
    if (n > 3) memcpy(y + 2 * (n - 1), y, 2 * sizeof *y); /* two at one place */
    pl_repulsion_args a = {.y = guarded(w, 1, 2 * n, PL_F32, y),
                           .force = guarded(w, 1, 2 * n, PL_F32, NULL),
                           .z = guarded(w, 1, 1, PL_F64, NULL),
                           .workspace = workspace_of(w, w->processor.ops->repulsion_workspace_bytes(n))};
    RUN_OP(w, repulsion, &a, 0, 10 * n * n);
    if (!w->timing) {
        float *force = fetch(w, a.force);
        double *z = fetch(w, a.z);
        check(s, y, force, *z);
        same_bits("force", force, 2 * n * sizeof *force);
        same_bits("z", z, sizeof *z);
        check_guards(w, a.force);
        check_guards(w, a.z);
        check_guards(w, a.workspace);
        free(z);
        free(force);
    }
    RELEASE(w, &a.y, &a.force, &a.z, &a.workspace);
    free(y);
}

static const case_table table = {.op = "repulsion", .n = SHAPES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
