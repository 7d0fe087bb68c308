/* gradient_norm: the norm over all parameters against long double (sums in double: within two last bits of a float),
 * and what it says of clipping and of numbers that are not finite. */
#include "parameters.h"

typedef struct shape {
    float max_norm;
    double scale;
    float odd; /* one gradient, if not 0 */
    case_use use;
    tensor tensors[4];
} shape;

static const shape shapes[] = {
    {1.0f, 1.0, 0, EVERY, {{3, 5, true, false}, {1, 1, false, false}, {40, 33, true, false}}},
    {1.0f, 1e-4, 0, EVERY, {{3, 5, true, false}, {1, 17, false, false}}},
    {0, 1.0, 0, EVERY, {{300, 700, true, false}, {1, 65536, false, false}, {1, 65537, true, false}}},
    {0.5f, 1e-25, 0, EVERY, {{64, 64, true, false}}}, /* squares below the smallest float */
    {0.5f, 1e25, 0, EVERY, {{64, 64, true, false}}},  /* and above the largest */
    {1.0f, 1.0, NAN, EVERY, {{3, 5, true, false}, {1, 70000, false, false}}},
    {1.0f, 1.0, INFINITY, EVERY, {{3, 5, true, false}, {1, 70000, false, false}}},
    {0, 1.0, -INFINITY, EVERY, {{3, 5, true, false}, {1, 2, false, false}}},
    {1.0f, 0.0, 0, EVERY, {{3, 5, true, false}}},
    {1.0f, 1.0, 0, BENCH, {{4096, 4096, true, false}, {4096, 4096, true, false}, {1, 4096, false, false}}},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static case_use describe(size_t i, char text[128])
{
    const shape *s = &shapes[i];
    snprintf(text, 128, "[%zu, %zu] and more, numbers of %g, one of %g, at most %g", s->tensors[0].rows,
             s->tensors[0].columns, s->scale, (double)s->odd, (double)s->max_norm);
    return s->use;
}

static void run(const world *w, size_t k)
{
    const shape *s = &shapes[k];
    size_t n = 0, total = 0;
    while (n < 4 && s->tensors[n].rows) total += s->tensors[n].rows * s->tensors[n].columns, n++;
    float *gradient = normals(total, 1, s->scale);
    if (s->odd != 0) gradient[total - 1] = s->odd;
    const float *host[4] = {NULL, gradient, NULL, NULL};
    const float before[PL_FACTORS] = {11, 12, 13, 14, 15, 16};
    parameter_set p = parameters_create(w, s->tensors, n, host);
    pl_view factors = guarded(w, 1, PL_FACTORS, PL_F32, before);
    pl_view workspace = workspace_of(w, w->processor.ops->gradient_norm_workspace_bytes(p.made));
    pl_gradient_norm_args args = {p.made, s->max_norm, factors, workspace};
    RUN_OP(w, gradient_norm, &args, 4 * total, 0);
    if (!w->timing) {
        long double sum = 0;
        for (size_t i = 0; i < total; i++) sum += (long double)gradient[i] * (long double)gradient[i];
        const double norm = (double)sqrtl(sum), clip = (double)s->max_norm / (norm + 1e-6);
        double expected[PL_FACTORS], bound[PL_FACTORS];
        for (int i = 0; i < PL_FACTORS; i++) expected[i] = (double)before[i];
        expected[PL_FACTOR_NORM] = norm;
        expected[PL_FACTOR_FINITE] = isfinite(norm) ? 1.0 : 0.0;
        expected[PL_FACTOR_CLIP] = s->max_norm > 0 && clip < 1 ? clip : 1.0;
        float *got = (float *)fetch(w, factors);
        same_bits("factors", got, PL_FACTORS * sizeof *got);
        if (!isfinite(norm)) {
            assert_false(isfinite(got[PL_FACTOR_NORM]));
            got[PL_FACTOR_NORM] = 0;
            expected[PL_FACTOR_NORM] = expected[PL_FACTOR_CLIP] = 0; /* the clip is not read then */
            got[PL_FACTOR_CLIP] = 0;
        }
        for (int i = 0; i < PL_FACTORS; i++) bound[i] = ldexp(2.0 * fabs(expected[i]) + 1e-30, -24);
        check_close("factors", got, expected, bound, PL_FACTORS);
        parameters_check_gaps(w, &p);
        check_guards(w, factors);
        check_guards(w, workspace);
        free(got);
    }
    RELEASE(w, &factors, &workspace);
    parameters_free(w, &p);
    free(gradient);
}

static const case_table table = {
    .op = "gradient_norm", .n = SHAPES, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table), PORTABLE(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
