/* Contrasts of planted runs: which there are, their values and intervals against sums over the outcomes, the primary
 * one and how p-values are adjusted. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/contrasts.h"
#include "statistics/golden.h"
#include "statistics/interval.h"
#include "statistics/multiplicity.h"

enum { N = 40, T = 4, DRAWS = 6 };

/* What learns (draws 3 to 5) is right more often; later templates less so. */
static int predict(size_t item, size_t template, size_t draw)
{
    size_t wrong = draw < 3 ? 5 : 2;
    return (item * 7 + template * 3 + draw * 2) % 13 < wrong + template ? !planted_gold(item) : planted_gold(item);
}

static double outcome(size_t item, size_t template, size_t draw)
{
    return predict(item, template, draw) == planted_gold(item);
}

static const pl_contrast_row *find(const pl_contrasts_table *t, const char *kind, const char *arm, const char *minus,
                                   const char *role, const char *minus_role)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_contrast_row *r = &t->rows[i];
        if (!strcmp(r->kind, kind) && !strcmp(r->arm, arm) && !strcmp(r->minus_arm, minus) && !strcmp(r->role, role) &&
            !strcmp(r->minus_role, minus_role))
            return r;
    }
    fail_msg("no contrast %s: %s - %s", kind, arm, minus);
    return NULL;
}

/* Over ood templates t1 to t3, paired by item, template and draw. */
static void check_pair(const pl_contrast_row *r)
{
    double item[N], template[3] = {0}, draw[3] = {0}, value = 0, sum = 0, centre, m = N + 1;
    for (size_t i = 0; i < N; i++) {
        item[i] = 0;
        for (size_t k = 0; k < 3; k++)
            for (size_t d = 0; d < 3; d++) {
                double x = outcome(i, k + 1, d + 3) - outcome(i, k + 1, d);
                item[i] += x / 9;
                template[k] += x / (3 * N);
                draw[d] += x / (3 * N);
                value += x / (9 * N);
            }
    }
    centre = value * N / m;
    for (size_t i = 0; i < N; i++) sum += (item[i] - centre) * (item[i] - centre);
    sum += .5 * ((1 - centre) * (1 - centre) + (1 + centre) * (1 + centre));
    double v[3] = {sum / (m * (m - 1)), pow(standard_error(template, 3), 2), pow(standard_error(draw, 3), 2)};
    double all = v[0] + v[1] + v[2], df_of[3] = {m - 1, 2, 2}, upper = 0, squares = 0;
    for (size_t f = 0; f < 3; f++) {
        double u = v[f] * pl_quartile_factor(df_of[f]);
        upper += u;
        squares += u * u / df_of[f];
    }
    double df = upper * upper / squares;
    assert_close(r->difference.value, value, 1e-12);
    assert_close(r->difference.se, sqrt(all), 1e-12);
    assert_close(r->difference.hi, centre + pl_student_quantile(.975, df) * sqrt(all), 1e-12);
    assert_close(r->p, 2 * pl_student_tail(fabs(centre) / sqrt(all), df), 1e-12);
    assert_string_equal(r->generalises, "items, templates, draws");
    assert_int_equal(r->n_templates, 3);
    assert_int_equal(r->n_draws, 3);
}

static void test_exploratory(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .learned = 3, .free_margin = 1, .prediction = predict};
    pl_contrasts_table *t;
    plant_run(&p);
    OK(pl_contrasts_of_run(&t, planted_view(&p)));
    check_pair(find(t, "arm", "linear t0 n=16", "prompt", "ood", "ood"));
    /* Three conditions of one model: three pairs under two roles, and a role contrast each. */
    assert_int_equal(t->n, 3 * 2 + 3);
    const pl_contrast_row *r = find(t, "role", "prompt", "prompt", "ood", "id");
    double drop = 0, own[4];
    for (size_t k = 0; k < T; k++) {
        own[k] = 0;
        for (size_t i = 0; i < N; i++)
            for (size_t d = 0; d < 3; d++) own[k] += outcome(i, k, d) / (3 * N);
        drop += k ? own[k] / 3 : -own[k];
    }
    assert_close(r->difference.value, drop, 1e-12);
    assert_close(r->difference.variance[1], pow(standard_error(own + 1, 3), 2) * 3 * (1 + 1. / 3), 1e-12);
    double values[16], adjusted[16];
    for (size_t i = 0; i < t->n; i++) values[i] = t->rows[i].p;
    OK(pl_benjamini_hochberg(adjusted, values, t->n));
    for (size_t i = 0; i < t->n; i++) assert_close(t->rows[i].p_adjusted, adjusted[i], 1e-14);
    pl_contrasts_free(t);
    uproot(&p);
}

/* Its components of variance, of the table [draws, templates, items] of differences; and what would narrow it. */
static void check_parts(const pl_contrast_row *r)
{
    double table[3 * 3 * N];
    pl_mean_squares m;
    for (size_t d = 0; d < 3; d++)
        for (size_t k = 0; k < 3; k++)
            for (size_t i = 0; i < N; i++) table[(d * 3 + k) * N + i] = outcome(i, k + 1, d + 3) - outcome(i, k + 1, d);
    OK(pl_mean_squares_of(&m, table, 3, 3, N));
    pl_three_way parts = pl_three_way_of(&m);
    assert_close(r->parts.item, parts.item, 1e-12);
    assert_close(r->parts.template_main, parts.template_main, 1e-12);
    assert_close(r->parts.draw, parts.draw, 1e-12);
    assert_close(r->parts.item_template, parts.item_template, 1e-12);
    assert_close(r->parts.rest, parts.rest, 1e-12);
    for (size_t f = 0; f < 3; f++)
        assert_int_equal(r->needed[f], pl_levels_needed(&r->difference, f, PL_HALF_WIDTH_PERCENT / 100.0));
}

static void test_primary(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .learned = 3, .prediction = predict};
    pl_contrasts_table *t;
    p.primary = json_pack("[{s:s,s:s,s:s,s:s,s:{s:s,s:i},s:s}]", "task", "colours", "metric", "acc", "templates", "ood",
                          "readout", "loglikelihood", "arm", "kind", "linear", "n_train", 16, "minus", "best_prompt");
    plant_run(&p);
    OK(pl_contrasts_of_run(&t, planted_view(&p)));
    const pl_contrast_row *r = find(t, "primary", "linear t0 n=16", "prompt", "ood", "ood");
    check_pair(r);
    assert_true(r == t->rows && r->p_adjusted == r->p); /* Holm over one */
    check_parts(r);
    for (size_t i = 1; i < t->n; i++) /* it is not among the others */
        assert_false(!strcmp(t->rows[i].kind, "arm") && !strcmp(t->rows[i].role, "ood"));
    pl_contrasts_free(t);
    uproot(&p);
    json_decref(p.primary);
    /* What no condition is stands there and says so. */
    p.primary =
        json_pack("[{s:s,s:s,s:s,s:s,s:{s:s},s:{s:s,s:i}}]", "task", "colours", "metric", "acc_cc", "templates", "ood",
                  "readout", "loglikelihood", "arm", "kind", "linear", "minus", "kind", "prompt", "shots", 7);
    plant_run(&p);
    OK(pl_contrasts_of_run(&t, planted_view(&p)));
    assert_string_equal(t->rows[0].kind, "primary");
    assert_true(isnan(t->rows[0].difference.value) && isnan(t->rows[0].p_adjusted));
    assert_non_null(strstr(t->rows[0].why_empty, "1 conditions are the arm and 0"));
    pl_contrasts_free(t);
    uproot(&p);
    json_decref(p.primary);
}

/* One template and one draw: McNemar beside the interval. */
static void test_mcnemar(void **state)
{
    (void)state;
    planted p = {.n = N, .t = 1, .draws = 4, .learned = 1, .named = true, .prediction = predict};
    pl_contrasts_table *t;
    plant_run(&p);
    OK(pl_contrasts_of_run(&t, planted_view(&p)));
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pl_contrast_row *r = &t->rows[i];
        if (r->n_draws != 1 || r->n_minus_draws != 1) {
            assert_true(isnan(r->p_mcnemar));
            continue;
        }
        n++;
        assert_true(r->p_mcnemar > 0 && r->p_mcnemar <= 1);
        assert_string_equal(r->generalises, "items");
    }
    assert_int_equal(n, 1); /* the second prompting arm and what learns; the first arm has two draws */
    pl_contrasts_free(t);
    uproot(&p);
}

/* One draw of what learns is one of many, though the other side has three: nothing is said of others. */
static void test_one_draw(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = 4, .learned = 1, .prediction = predict};
    pl_contrasts_table *t;
    plant_run(&p);
    OK(pl_contrasts_of_run(&t, planted_view(&p)));
    const pl_contrast_row *r = find(t, "arm", "linear t0 n=16", "prompt", "ood", "ood");
    assert_string_equal(r->generalises, "items, templates");
    assert_string_equal(r->why_empty, "not over draws: fewer than three");
    pl_contrasts_free(t);
    uproot(&p);
    /* Nor where the other has no shots. */
    p.draws = 2;
    p.tuned = true;
    plant_run(&p);
    OK(pl_contrasts_of_run(&t, planted_view(&p)));
    r = find(t, "arm", "finetune lm t0 n=16", "prompt", "ood", "ood");
    assert_string_equal(r->why_empty, "not over draws: fewer than three");
    pl_contrasts_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_draw),
        cmocka_unit_test(test_exploratory),
        cmocka_unit_test(test_primary),
        cmocka_unit_test(test_mcnemar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
