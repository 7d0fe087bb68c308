/* What a planned difference can show: Student's case against statsmodels, crossed designs against simulated studies,
 * and how many levels are needed. */
#include "statistics/golden.h"

#include "base/memory.h"
#include "base/random.h"
#include "statistics/interval.h"
#include "statistics/power.h"

static void test_student(void **state)
{
    (void)state;
    json_t *root = golden(), *row;
    size_t i;
    json_array_foreach(member(root, "power"), i, row)
    {
        double n = element(row, 1), se = 1.0 / sqrt(n);
        assert_close(pl_power_of_t(element(row, 0), se, se, n - 1.0, pl_student_quantile(0.975, n - 1.0)),
                     element(row, 2), 1e-6);
    }
    json_decref(root);
}

typedef struct stream {
    uint64_t seed, at;
} stream;

static double normal(stream *r, double variance)
{
    return sqrt(variance) * pl_random_normal(r->seed, PL_RANDOM_TEST, 0, r->at++);
}

/* One study: the crossed interval of its mean, as contrasts make it (half a pseudo-item at each end). */
static void simulate(pl_crossed *out, const pl_study *study, double difference, uint64_t seed)
{
    enum { N = 200, T = 16, S = 5 };
    const pl_three_way *p = &study->parts;
    size_t n = study->levels[0], t = study->levels[1], s = study->levels[2];
    double items[N] = {0}, templates[T] = {0}, draws[S] = {0}, i[N], k[T], d[S], it[N][T], is[N][S], ts[T][S];
    stream r = {seed, 0};
    assert_true(n <= N && t <= T && s <= S);
    for (size_t a = 0; a < n; a++) i[a] = normal(&r, p->item);
    for (size_t b = 0; b < t; b++) k[b] = normal(&r, t > 1 ? p->template_main : 0.0);
    for (size_t c = 0; c < s; c++) d[c] = normal(&r, s > 1 ? p->draw : 0.0);
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < t; b++) it[a][b] = normal(&r, p->item_template);
    for (size_t a = 0; a < n; a++)
        for (size_t c = 0; c < s; c++) is[a][c] = normal(&r, p->item_draw);
    for (size_t b = 0; b < t; b++)
        for (size_t c = 0; c < s; c++) ts[b][c] = normal(&r, t > 1 || s > 1 ? p->template_draw : 0.0);
    double cells = (double)(n * t * s), mean = 0.0;
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < t; b++)
            for (size_t c = 0; c < s; c++) {
                double y = difference + i[a] + k[b] + d[c] + it[a][b] + is[a][c] + ts[b][c] + normal(&r, p->rest);
                items[a] += y * (double)n / cells;
                templates[b] += y * (double)t / cells;
                draws[c] += y * (double)s / cells;
                mean += y / cells;
            }
    const pl_crossed_design design = {.value = mean,
                                      .n = n,
                                      .items = items,
                                      .templates = pl_component_of_mean(templates, t, 2),
                                      .draws = pl_component_of_mean(draws, s, PL_DRAWS_MIN),
                                      .ends = 0.5,
                                      .low = -1.0,
                                      .high = 1.0};
    pl_crossed_of(out, &design);
}

/* Of 1,000 studies with the detectable difference .8 find it, +- .05: four standard errors of the simulation, and what
 * Satterthwaite's degrees of freedom leave. */
static void test_simulated(void **state)
{
    (void)state;
    enum { STUDIES = 1000 };
    const pl_study studies[] = {{{60, 8, 5}, pl_assumed_parts(1.0)},
                                {{200, 16, 3}, pl_assumed_parts(1.0)},
                                {{100, 4, 1}, pl_assumed_parts(1.0)}};
    for (size_t c = 0; c < sizeof studies / sizeof *studies; c++) {
        pl_power power;
        double found = 0.0, width = 0.0, parts[3] = {0};
        pl_power_of(&power, &studies[c]);
        assert_true(power.detectable > 0.0 && power.detectable < 1.0);
        for (uint64_t r = 0; r < STUDIES; r++) {
            pl_crossed x;
            simulate(&x, &studies[c], power.detectable, 1000 * c + r);
            found += pl_crossed_p(&x, 0.0) < 0.05;
            width += pl_student_quantile(0.975, x.df) * x.se / STUDIES;
            for (size_t f = 0; f < 3; f++) parts[f] += x.variance[f] / STUDIES;
        }
        if (fabs(found / STUDIES - 0.8) > 0.05) fail_msg("design %zu: %g found, expected .8", c, found / STUDIES);
        for (size_t f = 0; f < 3; f++)
            if (fabs(parts[f] - power.variance[f]) > 0.15 * power.variance[f])
                fail_msg("design %zu, component %zu: %g, expected %g", c, f, parts[f], power.variance[f]);
        if (fabs(width - power.half_width) > 0.1 * width)
            fail_msg("design %zu: half-width %g, expected %g", c, width, power.half_width);
    }
}

/* The first number of levels that is enough, and none where the others' variance alone is too much. */
static void test_needed(void **state)
{
    (void)state;
    pl_study study = {{200, 8, 5}, pl_assumed_parts(1.0)};
    pl_power power;
    pl_power_of(&power, &study);
    double wanted = 0.9 * power.half_width;
    size_t n = pl_study_needed(&study, 2, wanted);
    assert_true(n > 5);
    for (size_t less = 0; less < 2; less++) {
        study.levels[2] = n - less;
        pl_power_of(&power, &study);
        assert_int_equal(power.half_width <= wanted, less == 0);
    }
    assert_int_equal(pl_study_needed(&study, 0, 0.01), 0); /* templates and draws stay */
    study.levels[2] = 1;
    assert_int_equal(pl_study_needed(&study, 2, 0.3), 0); /* draws are no sample */
    /* An interval that is there: four times the levels of the only factor halve its width, but for t. */
    double items[50];
    pl_crossed x;
    for (size_t i = 0; i < 50; i++) items[i] = i % 2 ? 0.4 : -0.4;
    const pl_crossed_design d = {.value = 0.0, .n = 50, .items = items};
    pl_crossed_of(&x, &d);
    n = pl_levels_needed(&x, 0, 0.5 * pl_student_quantile(0.975, 49.0) * x.se);
    double t = pl_student_quantile(0.975, (double)n - 1.0) / pl_student_quantile(0.975, 49.0);
    assert_true((double)n >= 200.0 * t * t && (double)(n - 1) < 200.0 * t * t * 1.001);
    assert_int_equal(pl_levels_needed(&x, 1, 0.5), 0);
    /* What cannot be known. */
    study = (pl_study){{1, 8, 5}, pl_assumed_parts(1.0)};
    pl_power_of(&power, &study);
    assert_true(isnan(power.half_width));
    study = (pl_study){{20, 2, 1}, pl_assumed_parts(1.0)};
    study.parts.template_main = 4.0;
    pl_power_of(&power, &study);
    assert_true(isinf(power.detectable));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_student),
        cmocka_unit_test(test_simulated),
        cmocka_unit_test(test_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
