/* Arms side by side: accuracies, paired differences, their crossed intervals, and failed runs, against sums that are
 * written out here over the planted outcomes. */
#include "planted_run.h"

#include "analysis/arms.h"
#include "statistics/interval.h"

enum { N = 40, T = 3, PROMPTS = 2, LEARNED = 2, DRAWS = PROMPTS + LEARNED };

/* Right more often under later templates, and by the second learned draw never but for label 1. */
static int predict(size_t item, size_t template, size_t draw)
{
    if (draw == 3) return 1;
    size_t wrong = draw < PROMPTS ? 3 + draw : 5;
    return (item * 7 + template * 3 + draw) % 11 < wrong + template ? !planted_gold(item) : planted_gold(item);
}

static double outcome(size_t item, size_t template, size_t draw)
{
    return predict(item, template, draw) == planted_gold(item);
}

/* Mean over templates first.. of the items and draws, times which. */
static double mean_of(size_t first_draw, size_t n_draws, size_t first_template, size_t n_templates)
{
    double sum = 0;
    for (size_t d = 0; d < n_draws; d++)
        for (size_t k = 0; k < n_templates; k++)
            for (size_t i = 0; i < N; i++) sum += outcome(i, first_template + k, first_draw + d);
    return sum / (double)(n_draws * n_templates * N);
}

/* Three draws of prompts in two orders, and three that learn. */
static int predict_of_nine(size_t item, size_t template, size_t draw)
{
    return draw < 6 ? ((item * 5 + template * 3 + draw * 4) % 13 < 4 + draw) != planted_gold(item)
                    : ((item * 7 + template * 3 + draw * 2) % 11 < 5 + template) != planted_gold(item);
}

static double outcome_of_nine(size_t item, size_t template, size_t draw)
{
    return predict_of_nine(item, template, draw) == planted_gold(item);
}

static double mean_of_nine(size_t first_draw, size_t n_draws, size_t first_template, size_t n_templates)
{
    double sum = 0;
    for (size_t d = 0; d < n_draws; d++)
        for (size_t k = 0; k < n_templates; k++)
            for (size_t i = 0; i < N; i++) sum += outcome_of_nine(i, first_template + k, first_draw + d);
    return sum / (double)(n_draws * n_templates * N);
}

/* What learns predicts the same under t1 and t2. */
static int predict_of_twins(size_t item, size_t template, size_t draw)
{
    return predict(item, draw >= PROMPTS && template == 2 ? 1 : template, draw);
}

static const pl_arm_row *find(const pl_arms_table *table, const char *arm, const char *role)
{
    for (size_t i = 0; i < table->n; i++)
        if (!strcmp(table->rows[i].arm, arm) && !strcmp(table->rows[i].role, role)) return &table->rows[i];
    fail_msg("no row of arm '%s', role %s", arm, role);
    return NULL;
}

static void check_near(double value, double expected)
{
    if (!(fabs(value - expected) < 1e-12)) fail_msg("%.17g, expected %.17g", value, expected);
}

/* Variance of the mean, and sums for its degrees of freedom: upper[0] and their squares over theirs, upper[1]. */
static void add_variance(double *v, double *upper, double variance, double df)
{
    double u = variance * pl_quartile_factor(df);
    *v += variance;
    upper[0] += u;
    upper[1] += u * u / df;
}

static void add_component(double *v, double *upper, const double *values, size_t n)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < n; i++) mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++) sum += (values[i] - mean) * (values[i] - mean);
    add_variance(v, upper, sum / (double)(n * (n - 1)), (double)(n - 1));
}

/* Of items and the half pseudo-items at -1 and 1; returns the centre. */
static double add_items(double *v, double *upper, const double *values, size_t n)
{
    double mean = 0, sum = 0, m = (double)n + 1;
    for (size_t i = 0; i < n; i++) mean += values[i] / m;
    for (size_t i = 0; i < n; i++) sum += (values[i] - mean) * (values[i] - mean);
    sum += .5 * ((1 - mean) * (1 - mean) + (1 + mean) * (1 + mean));
    add_variance(v, upper, sum / ((m - 1) * m), m - 1);
    return mean;
}

static void the_difference_is_paired_and_crossed(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .learned = LEARNED, .prediction = predict};
    pl_arms_table *table;
    double items[N], templates[2], v = 0, upper[2] = {0};
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    assert_int_equal(table->n, 2 * 3); /* id and ood of prompt, linear and constant */
    const pl_arm_row *prompt = find(table, "prompt", "ood"), *linear = find(table, "linear t0 n=16", "ood");
    assert_true(prompt->best && !linear->best && linear->learns && !prompt->learns);
    assert_int_equal(linear->n_items, N);
    assert_int_equal(linear->n_templates, 2);
    assert_int_equal(linear->n_draws, 2);
    check_near(prompt->accuracy.value, mean_of(0, 2, 1, 2));
    check_near(linear->accuracy.value, mean_of(2, 2, 1, 2));
    check_near(linear->difference.value, mean_of(2, 2, 1, 2) - mean_of(0, 2, 1, 2));
    assert_true(isnan(prompt->difference.value));
    for (size_t i = 0; i < N; i++) {
        items[i] = 0;
        for (size_t k = 1; k < T; k++)
            for (size_t d = 0; d < 2; d++) items[i] += (outcome(i, k, 2 + d) - outcome(i, k, d)) / 4;
    }
    for (size_t k = 0; k < 2; k++) templates[k] = mean_of(2, 2, 1 + k, 1) - mean_of(0, 2, 1 + k, 1);
    /* Two draws are no sample. */
    double centre = add_items(&v, upper, items, N);
    add_component(&v, upper, templates, 2);
    double half = pl_student_quantile(.975, upper[0] * upper[0] / upper[1]) * sqrt(v);
    assert_true(linear->difference.over_templates && !linear->difference.over_draws);
    check_near(linear->difference.se, sqrt(v));
    check_near(linear->difference.lo, fmax(centre - half, -1));
    check_near(linear->difference.hi, fmin(centre + half, 1));
    check_near(find(table, "constant", "id")->accuracy.value, .6);
    pl_arms_free(table);
    uproot(&p);
}

/* Arms that differ in their name alone have rows of their own, calibrated or not. */
static void named_arms_stand_side_by_side(void **state)
{
    (void)state;
    planted p = {
        .n = N, .t = T, .draws = DRAWS, .learned = LEARNED, .named = true, .free_margin = .5, .prediction = predict};
    pl_arms_table *table;
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    check_near(find(table, "prompt:even", "ood")->accuracy.value, mean_of(0, 1, 1, 2));
    check_near(find(table, "prompt", "ood")->accuracy.value, mean_of(1, 1, 1, 2));
    check_near(find(table, "linear:even t0 n=16", "ood")->accuracy.value, mean_of(2, 1, 1, 2));
    check_near(find(table, "linear t0 n=16", "ood")->accuracy.value, mean_of(3, 1, 1, 2));
    assert_int_equal(find(table, "prompt:even calibrated", "id")->n_draws, 1);
    pl_arms_free(table);
    uproot(&p);
}

/* The second learned draw always says label 1, the commonest: it failed, and is in the mean. */
static void failed_runs_are_counted_and_kept(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .learned = LEARNED, .prediction = predict};
    pl_arms_table *table;
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    const pl_arm_row *id = find(table, "linear t0 n=16", "id");
    size_t expected = 1 + (mean_of(2, 1, 0, 1) <= .6);
    assert_int_equal(id->n_failed, expected);
    check_near(id->accuracy.value, mean_of(2, 2, 0, 1));
    pl_arms_free(table);
    uproot(&p);
}

/* Three draws in two orders each: the interval is one over three draws, paired with those of the other arm. */
static void orders_of_a_draw_are_one_sample(void **state)
{
    (void)state;
    enum { ALL = 9, PLAIN = 6, LEARNED_DRAWS = ALL - PLAIN };
    planted p = {.n = N, .t = T, .draws = ALL, .learned = LEARNED_DRAWS, .orders = 2, .prediction = predict_of_nine};
    pl_arms_table *table;
    double items[N], templates[2], draws[3], v = 0, upper[2] = {0};
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    const pl_arm_row *prompt = find(table, "prompt", "ood"), *linear = find(table, "linear t0 n=16", "ood");
    assert_int_equal(prompt->n_draws, 3);
    check_near(prompt->accuracy.value, mean_of_nine(0, PLAIN, 1, 2));
    for (size_t i = 0; i < N; i++) {
        items[i] = 0;
        for (size_t k = 1; k < T; k++) {
            for (size_t d = 0; d < PLAIN; d++) items[i] -= outcome_of_nine(i, k, d) / (2 * PLAIN);
            for (size_t d = PLAIN; d < ALL; d++) items[i] += outcome_of_nine(i, k, d) / (2 * LEARNED_DRAWS);
        }
    }
    for (size_t k = 0; k < 2; k++)
        templates[k] = mean_of_nine(PLAIN, LEARNED_DRAWS, 1 + k, 1) - mean_of_nine(0, PLAIN, 1 + k, 1);
    for (size_t d = 0; d < 3; d++) draws[d] = mean_of_nine(PLAIN + d, 1, 1, 2) - mean_of_nine(2 * d, 2, 1, 2);
    add_items(&v, upper, items, N);
    add_component(&v, upper, templates, 2);
    add_component(&v, upper, draws, 3);
    assert_true(linear->difference.over_draws);
    check_near(linear->difference.se, sqrt(v));
    pl_arms_free(table);
    uproot(&p);
}

/* A linear arm does not see label words: t1 and t2 are one template to it, which the mean of both prompts is held
 * against. */
static void templates_with_equal_prompts_are_one_sample(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .learned = LEARNED, .twins = true, .prediction = predict_of_twins};
    pl_arms_table *table;
    double items[N], v = 0, upper[2] = {0};
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    const pl_arm_row *prompt = find(table, "prompt", "ood"), *linear = find(table, "linear t0 n=16", "ood");
    /* Nor are two label words of one wording two templates to prompting: their mean is one. */
    assert_int_equal(prompt->n_templates, 1);
    assert_int_equal(linear->n_templates, 1);
    check_near(linear->accuracy.value, mean_of(2, 2, 1, 1));
    check_near(linear->difference.value, mean_of(2, 2, 1, 1) - mean_of(0, 2, 1, 2));
    for (size_t i = 0; i < N; i++) {
        items[i] = 0;
        for (size_t d = 0; d < 2; d++)
            items[i] += (outcome(i, 1, 2 + d) - (outcome(i, 1, d) + outcome(i, 2, d)) / 2) / 2;
    }
    add_items(&v, upper, items, N);
    check_near(linear->difference.se, sqrt(v));
    pl_arms_free(table);
    uproot(&p);
}

/* The first prompting draw lacks two items of label 0: of what is left, 24 of 38 are label 1. */
static bool zeros_are_lost(size_t item, size_t template, size_t draw)
{
    return !(draw == 0 && template == 0 && (item == 3 || item == 4));
}

static void the_constant_has_the_same_items(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .learned = LEARNED, .prediction = predict, .finite = zeros_are_lost};
    pl_arms_table *table;
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    const pl_arm_row *constant = find(table, "constant", "id"), *linear = find(table, "linear t0 n=16", "id");
    assert_int_equal(constant->n_items, N - 2);
    check_near(constant->accuracy.value, 24.0 / 38);
    check_near(constant->accuracy.lo, pl_wilson(24, 38).lo);
    double right = 0; /* of the first learned draw */
    for (size_t i = 0; i < N; i++)
        if (i != 3 && i != 4) right += outcome(i, 0, 2);
    assert_int_equal(linear->n_failed, 1 + (right <= 24)); /* the second is constant */
    pl_arms_free(table);
    uproot(&p);
}

/* Lost in every arm alike, as by truncation. */
static bool none_has_all(size_t item, size_t template, size_t draw)
{
    (void)draw;
    return !(template == 1 && item < 3);
}

static bool few_are_finite(size_t item, size_t template, size_t draw)
{
    return !(draw == 2 && template == 1 && item < 3);
}

static bool most_are_finite(size_t item, size_t template, size_t draw)
{
    return !(draw == 2 && template == 1 && item < 2);
}

static void arms_meet_on_the_same_items(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = DRAWS, .learned = LEARNED, .prediction = predict, .finite = most_are_finite};
    pl_arms_table *table;
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    for (size_t i = 0; i < table->n; i++) assert_int_equal(table->rows[i].n_items, N - 2);
    double sum = 0; /* of prompts over the items that are left, under t0 */
    for (size_t d = 0; d < 2; d++)
        for (size_t i = 2; i < N; i++) sum += outcome(i, 0, d);
    check_near(find(table, "prompt", "id")->accuracy.value, sum / (2 * (N - 2)));
    check_near(find(table, "constant", "id")->accuracy.value, 22.0 / 38);
    pl_arms_free(table);
    uproot(&p);
    p.finite = few_are_finite;
    plant_run(&p);
    REFUSED(pl_arms_of_run(&table, planted_view(&p)), PL_E_INPUT, "share 37 of 40 items, expected at least 95 %");
    uproot(&p);
    p.finite = none_has_all;
    plant_run(&p);
    REFUSED(pl_arms_of_run(&table, planted_view(&p)), PL_E_INPUT, "share 37 of 40 items, expected at least 95 %");
    uproot(&p);
}

/* 2.5 and 0.5: plain, all is label 1; the bias of the content-free prompts, ln 2, tells them apart. */
static double leaning(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return (planted_gold(item) ? 1.0 : -1.0) + 1.5;
}

static void the_best_prompt_may_be_calibrated(void **state)
{
    (void)state;
    planted p = {.n = N,
                 .t = T,
                 .draws = DRAWS,
                 .learned = LEARNED,
                 .prediction = predict,
                 .margin = leaning,
                 .free_margin = 60.0}; /* p_cf(1) = 2/3 */
    pl_arms_table *table;
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    assert_int_equal(table->n, 2 * 4);
    const pl_arm_row *calibrated = find(table, "prompt calibrated", "id"), *plain = find(table, "prompt", "id");
    check_near(calibrated->accuracy.value, 1.0);
    check_near(plain->accuracy.value, mean_of(0, 2, 0, 1));
    assert_true(calibrated->best && !plain->best && !calibrated->learns);
    check_near(plain->difference.value, mean_of(0, 2, 0, 1) - 1.0);
    check_near(find(table, "linear t0 n=16", "id")->difference.value, mean_of(2, 2, 0, 1) - 1.0);
    pl_arms_free(table);
    uproot(&p);
}

static void write_sidecar(const planted *p, const char *id, const char *json)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/units/%s.json", p->run.path, id));
    OK(pl_file_replace(path, json, strlen(json)));
}

/* The sidecar of an evaluation of all N items. */
static void tell_tokens(const planted *p, size_t template, size_t draw, int computed, int content_free)
{
    char id[64], json[160];
    planted_id(id, template, draw, false);
    snprintf(json, sizeof json,
             "{\"items\": %d, \"tokens_in_requests\": 4000, \"tokens_computed\": %d, \"tokens_content_free\": %d}", N,
             computed, content_free);
    write_sidecar(p, id, json);
}

/* Tokens that ran: content-free prompts count for calibration alone, and states that are used again count as what they
 * took when they were made. Seconds are those of all attempts where they are told. */
static void costs_have_one_measure(void **state)
{
    (void)state;
    planted p = {.n = N,
                 .t = T,
                 .draws = DRAWS,
                 .learned = LEARNED,
                 .prediction = predict,
                 .margin = leaning,
                 .free_margin = 60.0};
    pl_arms_table *table;
    plant_run(&p);
    for (size_t k = 1; k < T; k++) {
        tell_tokens(&p, k, 0, 12 * N + 50, 50);
        tell_tokens(&p, k, 1, 12 * N + 50, 50);
        tell_tokens(&p, k, 2, k == 1 ? 10 * N : 0, 0);
        tell_tokens(&p, k, 3, k == 1 ? 0 : 20 * N, 0);
    }
    write_sidecar(&p, "a-fit", "{\"tokens_computed\": 70, \"wall_s\": 2.5}");
    OK(pl_arms_of_run(&table, planted_view(&p)));
    check_near(find(table, "prompt", "ood")->item_tokens, 12);
    check_near(find(table, "prompt calibrated", "ood")->item_tokens, 12.0 + 50.0 / N);
    check_near(find(table, "linear t0 n=16", "ood")->item_tokens, 15);
    check_near(find(table, "linear t0 n=16", "ood")->learn_seconds, 2.5);
    assert_true(isnan(find(table, "linear t0 n=16", "id")->item_tokens));
    pl_arms_free(table);
    write_sidecar(&p, "a-fit", "{\"tokens_computed\": 70, \"wall_s\": 2.5, \"learned_seconds\": 90}");
    OK(pl_arms_of_run(&table, planted_view(&p)));
    check_near(find(table, "linear t0 n=16", "ood")->learn_seconds, 90);
    pl_arms_free(table);
    uproot(&p);
}

/* Without an arm that learns there is no such table. */
static void prompts_alone_have_none(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = 2, .prediction = predict};
    pl_arms_table *table;
    plant_run(&p);
    OK(pl_arms_of_run(&table, planted_view(&p)));
    assert_int_equal(table->n, 0);
    pl_arms_free(table);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(named_arms_stand_side_by_side),
                                       cmocka_unit_test(the_difference_is_paired_and_crossed),
                                       cmocka_unit_test(failed_runs_are_counted_and_kept),
                                       cmocka_unit_test(orders_of_a_draw_are_one_sample),
                                       cmocka_unit_test(templates_with_equal_prompts_are_one_sample),
                                       cmocka_unit_test(the_constant_has_the_same_items),
                                       cmocka_unit_test(arms_meet_on_the_same_items),
                                       cmocka_unit_test(the_best_prompt_may_be_calibrated),
                                       cmocka_unit_test(costs_have_one_measure),
                                       cmocka_unit_test(prompts_alone_have_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
