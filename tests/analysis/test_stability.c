/* The table of a planted run: values worked out by hand, exact zeros and ones, what is missing, what is pooled. */
#include "analysis/planted_run.h"

#include <omp.h>

#include "analysis/stability.h"
#include "measure/cka.h"
#include "statistics/golden.h"
#include "statistics/interval.h"

/* The row of a metric; layer "" and template "" unless given. draw -2: any. */
static const pl_stability_row *find(const pl_stability_table *t, pl_metric_id metric, const char *contrast,
                                    const char *template_name, const char *layer, const char *preproc, long long draw)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == metric && !strcmp(r->contrast, contrast) && !strcmp(r->template_name, template_name) &&
            !strcmp(r->layer, layer) && !strcmp(r->preproc, preproc) && (draw == -2 || r->draw == draw))
            return r;
    }
    return NULL;
}

static const pl_stability_row *get(const pl_stability_table *t, pl_metric_id metric, const char *contrast,
                                   const char *layer, const char *preproc, long long draw)
{
    const pl_stability_row *r = find(t, metric, contrast, "", layer, preproc, draw);
    if (!r) fail_msg("no row %s, %s, layer '%s', draw %lld", pl_metric_of(metric)->name, contrast, layer, draw);
    return r;
}

static pl_stability_table *table_of(planted *p)
{
    pl_stability_table *t = planted_table(p);
    assert_int_equal(pl_run_view_n_missing(p->view), 0);
    return t;
}

/* Right under t0; wrong on every 4th item (+ template) under the others. */
static int some_flips(size_t item, size_t template, size_t draw)
{
    bool wrong = template > 0 && (item + template + draw) % 4 == 0;
    return wrong ? !planted_gold(item) : planted_gold(item);
}

static float noisy_state(size_t item, size_t template, size_t draw, size_t d)
{
    double a = pl_random_normal(1, PL_RANDOM_TEST, 0, item * PLANTED_WIDTH + d);
    double e = pl_random_normal(2 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
    return (float)(20.0 + 2.0 * a + (double)template + e);
}

static void test_accuracy_and_flips(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 3, .draws = 1, .prediction = some_flips};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = find(t, PL_METRIC_ACC, "templates", "t0", "", "", 0);
    assert_non_null(r);
    assert_true(r->value == 1.0 && r->hi == 1.0 && r->lo == pl_wilson(40, 40).lo && !strcmp(r->ci_method, "wilson"));
    assert_true(r->null_mean == 0.5 && !strcmp(r->null_name, "chance") && r->n == 40);
    r = find(t, PL_METRIC_ACC, "templates", "t1", "", "", 0);
    assert_close(r->value, 0.75, 0.0);
    assert_close(r->lo, pl_wilson(30, 40).lo, 0.0);
    assert_close(get(t, PL_METRIC_MAJORITY, "templates", "", "", 0)->value, 0.6, 1e-12);
    assert_close(get(t, PL_METRIC_ACC, "templates", "", "", 0)->value, 2.5 / 3.0, 1e-12);
    assert_close(get(t, PL_METRIC_ACC, "ood", "", "", 0)->value, 0.75, 1e-12);
    r = get(t, PL_METRIC_ACC_DROP, "id|ood", "", "", 0);
    /* Wrong under t1 and under t2 on different items: the drop is 1/2 on half of the items, else 0; with half an item
     * at -1 and at 1 that is 41 items with mean 10/41 and squares 5 + 1 - 100/41. Two templates with .75, one with 1:
     * the pooled variance within roles is 0, with one degree of freedom. */
    assert_close(r->value, 0.25, 1e-12);
    assert_close(r->se, sqrt((6.0 - 100.0 / 41.0) / 40.0 / 41.0), 1e-12);
    assert_close(r->hi - 10.0 / 41.0, pl_student_quantile(0.975, 40.0) * r->se, 1e-12);
    assert_close(r->p, 2.0 * pl_student_tail(10.0 / 41.0 / r->se, 40.0), 1e-12);
    assert_string_equal(r->generalises, "items, templates");
    assert_non_null(strstr(r->why_empty, "not over draws: 1 draw"));
    /* Half of the items have one template that differs: 2 of 3 pairs. With pseudo-items at 0 and 3/4, 42 items with sum
     * 40/3 + 3/4; without t1 or t2 flips are 1/4, without t0 1/2: pseudo-values 1/2, 1/2, 0. */
    r = get(t, PL_METRIC_FLIP_RATE, "templates", "", "", 0);
    double sum = 40.0 / 3.0 + 0.75, squares = 20.0 * 4.0 / 9.0 + 0.5625, v = (squares - sum * sum / 42.0) / 41.0 / 42.0;
    assert_close(r->value, 1.0 / 3.0, 1e-12);
    assert_close(r->se, sqrt(v + 1.0 / 6.0 / 6.0), 1e-12);
    double u = v * pl_quartile_factor(41.0), w = pl_quartile_factor(2.0) / 36.0;
    assert_close(r->df, (u + w) * (u + w) / (u * u / 41.0 + w * w / 2.0), 1e-9);
    assert_close(r->hi_these, sum / 42.0 + pl_student_quantile(0.975, 41.0) * sqrt(v), 1e-12);
    assert_close(get(t, PL_METRIC_FLIP_RATE, "ood", "", "", 0)->value, 0.5, 1e-12);
    assert_close(get(t, PL_METRIC_FLIP_RATE, "t0|t1", "", "", 0)->value, 0.25, 1e-12);
    assert_close(get(t, PL_METRIC_UNANIMITY, "templates", "", "", 0)->value, 0.5, 1e-12);
    assert_close(get(t, PL_METRIC_ACC_WORST, "ood", "", "", 0)->value, 0.75, 1e-12);
    assert_close(get(t, PL_METRIC_SPREAD, "templates", "", "", 0)->value, 0.25, 1e-12);
    r = get(t, PL_METRIC_TEMPLATE_SD, "templates", "", "", 0);
    assert_true(r->value > 0.1 && isnan(r->lo) && !strcmp(r->ci_method, "none") && r->null_mean > 0.0);
    assert_true(strstr(r->why_empty, "no interval below 4 wordings") && r->p < 0.01 && r->null_q95 > r->null_mean);
    assert_null(find(t, PL_METRIC_PARSE_FAIL, "templates", "t0", "", "", 0));
    pl_stability_free(t);
    uproot(&p);
}

static void test_label_scores(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 2, .draws = 1, .prediction = some_flips};
    pl_stability_table *t = table_of(&p);
    double brier = 0.0, nll = 0.0;
    for (size_t i = 0; i < 20; i++) {
        /* The file holds float32: -1 + (margin - 3) against -4. */
        double q1 = 1.0 / (1.0 + exp(-((double)(float)(planted_margin(i, 1, 0) - 3.0) + 3.0)));
        double gold = planted_gold(i) ? q1 : 1.0 - q1;
        brier += 2.0 * (1.0 - gold) * (1.0 - gold) / 20.0;
        nll -= log(gold) / 20.0;
    }
    assert_close(find(t, PL_METRIC_BRIER, "templates", "t1", "", "", 0)->value, brier, 1e-12);
    assert_close(find(t, PL_METRIC_NLL, "templates", "t1", "", "", 0)->value, nll, 1e-12);
    assert_close(find(t, PL_METRIC_NLL, "templates", "t1", "", "", 0)->null_mean, log(2.0), 1e-12);
    const pl_stability_row *r = get(t, PL_METRIC_JSD, "templates", "", "", 0);
    assert_true(r->value > 0.0 && r->value < 0.01 && r->null_mean > 10.0 * r->value);
    pl_stability_free(t);
    uproot(&p);
}

/* Label 1 wins by 0.5 to 2.25 where it is right, and by -1.5 to 0.25 where it is wrong. */
static double leaning(size_t item, size_t template, size_t draw)
{
    (void)template;
    double spread = 0.25 * (double)((item / 5 + draw) % 8);
    return (planted_gold(item) ? 0.5 : -1.5) + spread;
}

/* The bias is ln p_cf(1) - ln p_cf(0) = ln((1 + q) / (2 - q)), q = 1 / (1 + exp(-margin)); rows pool over draws. */
static void test_calibrated_accuracy(void **state)
{
    (void)state;
    planted p = {
        .n = 40, .t = 3, .draws = 2, .prediction = some_flips, .margin = leaning, .free_margin = 3.0, .reversed = true};
    pl_stability_table *t = table_of(&p);
    double q = 1.0 / (1.0 + exp(-3.0)), bias = log((1.0 + q) / (2.0 - q)), mean = 0.0;
    for (size_t draw = 0; draw < 2; draw++) {
        size_t right = 0, plain = 0;
        for (size_t i = 0; i < 40; i++) {
            right += (leaning(i, 0, draw) > bias) == planted_gold(i);
            plain += (leaning(i, 0, draw) > 0.0) == planted_gold(i);
        }
        assert_true(right != plain);
        const pl_stability_row *r = find(t, PL_METRIC_ACC_CC, "templates", "t1", "", "", (long long)draw);
        assert_non_null(r);
        assert_close(r->value, (double)right / 40.0, 1e-12);
        assert_true(r->lo == pl_wilson(right, 40).lo && r->null_mean == 0.5 && !strcmp(r->ci_method, "wilson"));
        mean += r->value / 2.0;
    }
    const pl_stability_row *pooled = get(t, PL_METRIC_ACC_CC, "templates", "", "", -1);
    assert_close(pooled->value, mean, 1e-12);
    assert_string_equal(pooled->ci_method, "crossed");
    assert_non_null(find(t, PL_METRIC_ACC_CC, "ood", "", "", "", 0));
    assert_null(find(t, PL_METRIC_ACC_ENS, "dev", "", "", "", 0)); /* no dev template */
    pl_stability_free(t);
    uproot(&p);
    p.free_margin = 0.0; /* no content-free scores: no row, and the rest as it was */
    t = table_of(&p);
    for (size_t i = 0; i < t->n; i++) assert_true(t->rows[i].metric != PL_METRIC_ACC_CC);
    pl_stability_free(t);
    uproot(&p);
}

/* t1 and t2 (dev) are wrong on other items, and surer of themselves where they are right; t0 and t3 are always wrong.
 */
static double complementary(size_t item, size_t template, size_t draw)
{
    (void)draw;
    double sign = planted_gold(item) ? 1.0 : -1.0;
    bool wrong = template == 0 || template == 3 || (item + template) % 4 == 0;
    bool sure = item % 10 == 9; /* of what is wrong */
    return sign * (!wrong ? 2.0 : sure ? -5.0 : -1.0);
}

static void test_ensemble_of_dev_templates(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 4, .draws = 1, .prediction = some_flips, .margin = complementary, .dev = 2};
    pl_stability_table *t = table_of(&p);
    size_t right = 0;
    for (size_t i = 0; i < 40; i++) right += (complementary(i, 1, 0) + complementary(i, 2, 0) > 0.0) == planted_gold(i);
    assert_true(right > 30 && right < 40);
    const pl_stability_row *r = get(t, PL_METRIC_ACC_ENS, "dev", "", "", 0);
    assert_close(r->value, (double)right / 40.0, 1e-12);
    assert_true(r->n_templates == 2 && r->lo == pl_wilson(right, 40).lo && r->null_mean == 0.5);
    pl_stability_free(t);
    uproot(&p);
    p.dev = 1; /* one template is no ensemble */
    t = table_of(&p);
    assert_null(find(t, PL_METRIC_ACC_ENS, "dev", "", "", "", 0));
    pl_stability_free(t);
    uproot(&p);
}

static int constant(size_t item, size_t template, size_t draw)
{
    (void)item;
    (void)template;
    (void)draw;
    return 1;
}

static void test_constant_predictor(void **state)
{
    (void)state;
    planted p = {.n = 30, .t = 4, .draws = 2, .prediction = constant};
    pl_stability_table *t = table_of(&p);
    for (long long draw = -1; draw < 2; draw++) {
        const pl_stability_row *r = get(t, PL_METRIC_FLIP_RATE, "templates", "", "", draw);
        /* One item at 0 and one at 2/3 beside the 30. */
        double centre = 1.0 / 48.0, se = sqrt((4.0 / 9.0 - 1.0 / 72.0) / 31.0 / 32.0);
        assert_true(r->value == 0.0 && r->lo == 0.0);
        assert_close(r->hi, centre + pl_student_quantile(0.975, 31.0) * se, 1e-12);
        r = get(t, PL_METRIC_PREDICTION_ENTROPY, "templates", "", "", draw);
        assert_true(r->value == 0.0 && isnan(r->lo));
        assert_non_null(strstr(r->why_empty, draw < 0 ? "nothing varies" : "constant predictor"));
        static const pl_metric_id undefined[] = {PL_METRIC_FLEISS_KAPPA, PL_METRIC_GWET_AC1};
        for (size_t m = 0; m < 2; m++) {
            r = find(t, undefined[m], "templates", "", "", "", draw);
            if (draw < 0 && !r) continue; /* nothing to pool */
            assert_true(isnan(r->value) && strstr(r->why_empty, "constant predictor") && !strcmp(r->ci_method, "none"));
        }
        r = get(t, PL_METRIC_TEMPLATE_SD, "templates", "", "", draw);
        assert_true(r->value == 0.0 && isnan(r->lo) && isnan(r->hi) && *r->why_empty);
    }
    pl_stability_free(t);
    uproot(&p);
}

static float same_state(size_t item, size_t template, size_t draw, size_t d)
{
    (void)template;
    return noisy_state(item, 0, draw, d);
}

/* The same template several times: wobble 0, shift 0, CKA 1, to the bit, whatever the order of the rows in the files.
 */
static void test_identical_templates(void **state)
{
    (void)state;
    planted p = {.n = 23, .t = 3, .draws = 2, .prediction = constant, .state = same_state, .reversed = true};
    pl_stability_table *t = table_of(&p);
    for (long long draw = -1; draw < 2; draw++) {
        for (size_t z = 0; z < 2; z++) {
            const pl_stability_row *r = get(t, PL_METRIC_WOBBLE, "templates", "01", z ? "z" : "c", draw);
            assert_true(r->value == 0.0 && isnan(r->lo) && isnan(r->hi) && strstr(r->why_empty, "nothing varies"));
            assert_true(get(t, PL_METRIC_SHIFT, "templates", "01", z ? "z" : "c", draw)->value == 0.0);
            assert_true(get(t, PL_METRIC_ICC, "templates", "01", z ? "z" : "c", draw)->value == 1.0);
        }
        const pl_stability_row *r = get(t, PL_METRIC_CKA_DEBIASED, "templates", "final_norm", "c", draw);
        assert_true(r->value == 1.0 && isnan(r->lo) && strstr(r->why_empty, "nothing varies"));
    }
    assert_true(get(t, PL_METRIC_CKA_DEBIASED, "t0|t2", "01", "c", 0)->value == 1.0);
    pl_stability_free(t);
    uproot(&p);
}

/* Layer 00 holds one value everywhere: said, not printed as a number. */
static void test_no_variance(void **state)
{
    (void)state;
    planted p = {.n = 12, .t = 3, .draws = 2, .prediction = some_flips, .state = noisy_state};
    pl_stability_table *t = table_of(&p);
    static const pl_metric_id metrics[] = {PL_METRIC_WOBBLE, PL_METRIC_SHIFT, PL_METRIC_ICC, PL_METRIC_CKA_DEBIASED};
    for (size_t m = 0; m < 4; m++) {
        for (long long draw = -1; draw < 2; draw++) {
            const pl_stability_row *r = get(t, metrics[m], "templates", "00", "c", draw);
            assert_true(isnan(r->value) && isnan(r->lo) && isnan(r->se) && *r->why_empty);
            assert_string_equal(r->ci_method, "none");
        }
    }
    pl_stability_free(t);
    uproot(&p);
}

/* 2 a + template + e: wobble 1/(4 + 1), shift var(0, 1, .., 7)/(6 + 4 + 1) = 6/11; pooling keeps the values and narrows
 * nothing that items do not narrow. */
static void test_planted_states(void **state)
{
    (void)state;
    planted p = {.n = 300, .t = 8, .draws = 3, .prediction = some_flips, .state = noisy_state};
    pl_stability_table *t = table_of(&p);
    double mean = 0.0;
    for (long long draw = 0; draw < 3; draw++) {
        const pl_stability_row *r = get(t, PL_METRIC_WOBBLE, "templates", "01", "c", draw);
        assert_true(r->lo < 0.2 && r->hi > 0.2 && r->se < 0.02 && r->n == 300 && r->n_templates == 8);
        assert_string_equal(r->generalises, "items, templates");
        assert_true(r->lo_these > r->lo && r->hi_these < r->hi && r->lo_these < r->value && r->hi_these > r->value);
        mean += r->value / 3.0;
        r = get(t, PL_METRIC_SHIFT, "templates", "01", "c", draw);
        assert_close(r->value, 6.0 / 11.0, 0.05);
        assert_true(r->lo > 0.0 && r->lo < r->value && r->hi > r->value && r->hi < 1.0); /* .05 to 1.02 without reach */
        r = get(t, PL_METRIC_CKA_DEBIASED, "templates", "01", "c", draw);
        assert_true(r->value > 0.5 && r->value < 1.0 && r->lo < r->value && r->hi > r->value);
        assert_close(r->null_sd, sqrt(2.0 / (300.0 * 297.0) / 28.0), 1e-12);
    }
    const pl_stability_row *pooled = get(t, PL_METRIC_WOBBLE, "templates", "01", "c", -1),
                           *one = get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0);
    assert_close(pooled->value, mean, 1e-12);
    assert_int_equal(pooled->n_seeds, 3);
    assert_true(pooled->hi_these - pooled->lo_these < one->hi_these - one->lo_these);
    assert_string_equal(pooled->generalises, "items, templates, draws");
    assert_string_equal(pooled->ci_method, "crossed");
    /* 8 templates: template SD has its interval, pooled too; three draws are too few for theirs. */
    const pl_stability_row *sd = get(t, PL_METRIC_TEMPLATE_SD, "templates", "", "", -1);
    assert_true(!strcmp(sd->ci_method, "F") && sd->lo <= sd->value && sd->hi > sd->value && sd->p < 1.0);
    sd = get(t, PL_METRIC_DRAW_SD, "templates", "", "", -1);
    assert_true(isnan(sd->lo) && strstr(sd->why_empty, "no interval below 4 draws"));
    static const pl_metric_id pooled_too[] = {PL_METRIC_ACC_WORST, PL_METRIC_SPREAD, PL_METRIC_UNANIMITY};
    static const char *const over[] = {"ood", "templates", "templates"};
    for (size_t m = 0; m < 3; m++) assert_true(isfinite(get(t, pooled_too[m], over[m], "", "", -1)->value));
    assert_true(isfinite(get(t, PL_METRIC_FLIP_RATE, "t0|t1", "", "", -1)->lo));
    pl_stability_free(t);
    uproot(&p);
}

/* Dimension 0 is 100 times larger and all noise, the others are all item: only "z" hears the others. */
static float loud_dimension(size_t item, size_t template, size_t draw, size_t d)
{
    double a = pl_random_normal(1, PL_RANDOM_TEST, 0, item * PLANTED_WIDTH + d);
    double e = pl_random_normal(2 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
    return (float)(d == 0 ? 100.0 * e : a);
}

static void test_preprocessing(void **state)
{
    (void)state;
    planted p = {.n = 200, .t = 3, .draws = 1, .prediction = some_flips, .state = loud_dimension};
    pl_stability_table *t = table_of(&p);
    assert_close(get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0)->value, 1.0, 0.1);
    assert_close(get(t, PL_METRIC_WOBBLE, "templates", "01", "z", 0)->value, 1.0 / PLANTED_WIDTH, 0.05);
    pl_stability_free(t);
    uproot(&p);
}

/* acc_norm where units have it; a mean over draws only when every draw does. */
static void test_normalised_accuracy(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 2, .draws = 2, .prediction = some_flips, .norm_draws = 1}, q = p;
    pl_stability_table *t = table_of(&p);
    assert_close(find(t, PL_METRIC_ACC_NORM, "templates", "t1", "", "", 0)->value, 0.4, 1e-12);
    assert_null(find(t, PL_METRIC_ACC_NORM, "templates", "", "", "", 1));
    assert_null(find(t, PL_METRIC_ACC_NORM, "templates", "", "", "", -1));
    assert_non_null(find(t, PL_METRIC_ACC, "templates", "", "", "", -1));
    pl_stability_free(t);
    uproot(&p);
    q.norm_draws = 2;
    t = table_of(&q);
    assert_close(get(t, PL_METRIC_ACC_NORM, "templates", "", "", -1)->value, 0.4, 1e-12);
    pl_stability_free(t);
    uproot(&q);
}

static void test_one_template(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 1, .draws = 1, .prediction = constant, .state = noisy_state};
    pl_stability_table *t = table_of(&p);
    assert_non_null(find(t, PL_METRIC_ACC, "templates", "t0", "", "", 0));
    for (size_t i = 0; i < t->n; i++) assert_true(*t->rows[i].template_name || t->rows[i].metric == PL_METRIC_MAJORITY);
    pl_stability_free(t);
    uproot(&p);
}

static int some_fail(size_t item, size_t template, size_t draw)
{
    return item % 10 == 0 ? 2 : some_flips(item, template, draw);
}

static void test_generated_answers(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 2, .draws = 1, .prediction = some_fail, .generate = true, .random_weights = true};
    pl_stability_table *t = table_of(&p);
    assert_close(find(t, PL_METRIC_PARSE_FAIL, "templates", "t1", "", "", 0)->value, 0.1, 1e-12);
    assert_close(find(t, PL_METRIC_ACC, "templates", "t0", "", "", 0)->value, 0.9, 1e-12);
    assert_null(find(t, PL_METRIC_BRIER, "templates", "t0", "", "", 0));
    assert_int_equal(t->n_random_models, 1);
    assert_string_equal(t->random_models[0], "tiny");
    pl_stability_free(t);
    uproot(&p);
}

static size_t with_value(const pl_stability_table *t, pl_metric_id metric)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) n += t->rows[i].metric == metric && !isnan(t->rows[i].value);
    return n;
}

/* Free text has no chance level; places in the items' own lists are no labels. */
static void test_no_chance(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 3, .draws = 1, .prediction = some_fail, .generate = true}, q = p;
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = get(t, PL_METRIC_ACC, "templates", "", "", 0);
    assert_true(isnan(r->null_mean) && isnan(r->p) && !*r->null_name && strstr(r->why_empty, "no chance level"));
    r = get(t, PL_METRIC_ACC_WORST, "ood", "", "", 0);
    assert_true(isnan(r->null_mean) && strstr(r->why_empty, "no chance level"));
    pl_stability_free(t);
    uproot(&p);
    q.generate = false;
    q.prediction = some_flips;
    q.own_choices = true;
    t = table_of(&q);
    static const pl_metric_id empty[] = {PL_METRIC_MAJORITY, PL_METRIC_FLEISS_KAPPA, PL_METRIC_GWET_AC1,
                                         PL_METRIC_PREDICTION_ENTROPY, PL_METRIC_JSD};
    for (size_t m = 0; m < 5; m++) {
        assert_int_equal(with_value(t, empty[m]), 0);
        assert_non_null(strstr(get(t, empty[m], "templates", "", "", 0)->why_empty, "the items' own"));
    }
    r = get(t, PL_METRIC_FLIP_RATE, "templates", "", "", 0);
    assert_true(isfinite(r->value) && isfinite(r->lo) && isnan(r->null_mean) && strstr(r->why_empty, "the items' own"));
    assert_true(get(t, PL_METRIC_ACC, "templates", "", "", 0)->null_mean == 0.5);
    pl_stability_free(t);
    uproot(&q);
}

/* Right or wrong by groups of four: an interval over 10 clusters, that of 10 items. */
static int by_group_of_four(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return item / 4 % 3 == 0 ? !planted_gold(item) : planted_gold(item);
}

static void test_clusters(void **state)
{
    (void)state;
    planted p = {.n = 40,
                 .t = 2,
                 .draws = 1,
                 .prediction = by_group_of_four,
                 .state = noisy_state,
                 .cluster = 4,
                 .reversed = true};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = find(t, PL_METRIC_ACC, "templates", "t1", "", "", 0);
    double mean = 7.0 / 12.0; /* 6 of 10 clusters, and one at either end */
    assert_true(r->n == 40 && r->n_clusters == 10 && !strcmp(r->ci_method, "crossed"));
    assert_close(r->value, 0.6, 1e-12);
    assert_close(r->se, sqrt(mean * (1.0 - mean) / 11.0), 1e-12);
    assert_close(r->lo, mean - pl_student_quantile(0.975, 11.0) * r->se, 1e-12);
    assert_int_equal(get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0)->n_clusters, 10);
    assert_int_equal(get(t, PL_METRIC_CKA_DEBIASED, "t0|t1", "01", "c", 0)->n_clusters, 10);
    assert_int_equal(get(t, PL_METRIC_FLIP_RATE, "templates", "", "", 0)->n_clusters, 10);
    pl_stability_free(t);
    uproot(&p);
}

static bool same_key(const pl_stability_row *a, const pl_stability_row *b)
{
    return a->metric == b->metric && a->k == b->k && a->draw == b->draw && a->order == b->order && a->seed == b->seed &&
           !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->arm, b->arm) &&
           !strcmp(a->readout, b->readout) && !strcmp(a->template_name, b->template_name) &&
           !strcmp(a->layer, b->layer) && !strcmp(a->position, b->position) && !strcmp(a->preproc, b->preproc) &&
           !strcmp(a->contrast, b->contrast);
}

/* What stands before `value` is a key; every interval has a width and says what it is over; what is missing says why.
 */
static void test_every_row(void **state)
{
    (void)state;
    planted runs[] = {
        {.n = 30, .t = 9, .draws = 3, .prediction = some_flips, .state = noisy_state, .dev = 2, .free_margin = 1.0},
        {.n = 24, .t = 8, .draws = 1, .prediction = constant, .state = same_state},
        {.n = 24, .t = 4, .draws = 4, .learned = 3, .tuned = true, .prediction = some_flips, .state = noisy_state},
        {.n = 20, .t = 2, .draws = 2, .prediction = some_fail, .generate = true, .cluster = 3},
    };
    for (size_t run = 0; run < sizeof runs / sizeof *runs; run++) {
        pl_stability_table *t = table_of(&runs[run]);
        for (size_t i = 0; i < t->n; i++) {
            const pl_stability_row *r = &t->rows[i];
            for (size_t j = 0; j < i; j++)
                if (same_key(r, &t->rows[j]))
                    fail_msg("two rows of %s, %s", pl_metric_of(r->metric)->name, r->contrast);
            assert_true(isnan(r->lo) || (r->lo < r->hi && *r->generalises));
            bool counted = r->metric == PL_METRIC_MAJORITY || !strcmp(r->unit, "item");
            if (isnan(r->lo) && !counted && !*r->why_empty)
                fail_msg("%s, %s, layer '%s': no interval and no reason", pl_metric_of(r->metric)->name, r->contrast,
                         r->layer);
        }
        pl_stability_free(t);
        uproot(&runs[run]);
    }
}

static void test_missing_unit(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 3, .draws = 2, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    char path[PL_PATH_MAX];
    OK(pl_run_folder_unit(path, &p.run, "unit-1-1-0"));
    assert_int_equal(unlink(path), 0);
    pl_stability_table *t;
    OK(pl_stability_of_run(&t, planted_view(&p), NULL));
    assert_int_equal(pl_run_view_n_missing(p.view), 1);
    const pl_stability_row *r = get(t, PL_METRIC_FLIP_RATE, "templates", "", "", 1);
    assert_true(r->n_templates == 2 && strstr(r->note, "2 of 3 templates"));
    assert_true(*get(t, PL_METRIC_FLIP_RATE, "templates", "", "", 0)->note == '\0');
    /* One whole draw is left: there is nothing to average. */
    for (size_t i = 0; i < t->n; i++) assert_true(t->rows[i].draw >= 0 && t->rows[i].n_seeds == 1);
    pl_stability_free(t);
    uproot(&p);
}

/* capture.items: rows without states are NaN all over and leave the state measures, not the accuracy. */
static void test_captured_items(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 2, .draws = 1, .prediction = some_flips, .state = noisy_state, .captured = 25};
    pl_stability_table *t = table_of(&p);
    assert_int_equal(get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0)->n, 25);
    assert_int_equal(get(t, PL_METRIC_CKA_DEBIASED, "templates", "01", "c", 0)->n, 25);
    assert_int_equal(get(t, PL_METRIC_ACC, "templates", "", "", 0)->n, 40);
    assert_false(isnan(get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0)->value));
    pl_stability_free(t);
    uproot(&p);
}

static float broken_state(size_t item, size_t template, size_t draw, size_t d)
{
    return item == 3 && template == 1 && d == 2 ? INFINITY : noisy_state(item, template, draw, d);
}

static bool has_remark(const pl_stability_table *t, const char *part)
{
    for (size_t i = 0; i < t->n_remarks; i++)
        if (strstr(t->remarks[i], part)) return true;
    return false;
}

/* One item's state is infinite under one template: the layer's numbers are those without the item, and say so. */
static void test_states_not_finite(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = some_flips, .state = broken_state};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0);
    assert_true(isfinite(r->value) && isfinite(r->lo) && r->n == 9);
    assert_non_null(strstr(r->note, "1 of 10 items left out: their states are not finite"));
    assert_int_equal(get(t, PL_METRIC_CKA_DEBIASED, "templates", "01", "c", 0)->n, 9);
    r = get(t, PL_METRIC_STATES_NOT_FINITE, "templates", "01", "c", 0);
    assert_true(r->value == 1.0 && r->n == 10 && strstr(r->note, "doc_id 3, template 't1'"));
    assert_true(has_remark(t, "1 of 10 items in no number about the layer (first: last.01, template t1, doc_id 3"));
    /* Accuracy has all of them. */
    assert_int_equal(get(t, PL_METRIC_ACC, "templates", "", "", 0)->n, 10);
    pl_stability_free(t);
    uproot(&p);
}

static float missing_state(size_t item, size_t template, size_t draw, size_t d)
{
    return item < 2 ? NAN : noisy_state(item, template, draw, d);
}

/* A mean over no token is no failure: it is left out, and that is said otherwise. */
static void test_absent_states(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = some_flips, .state = missing_state, .absent = true};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0);
    assert_true(isfinite(r->value) && r->n == 8 && strstr(r->note, "2 of 10 items have no state here"));
    assert_null(find(t, PL_METRIC_STATES_NOT_FINITE, "templates", "", "01", "c", 0));
    assert_false(has_remark(t, "NOT FINITE"));
    pl_stability_free(t);
    uproot(&p);
}

static float large_state(size_t item, size_t template, size_t draw, size_t d)
{
    return item == 3 && template == 1 && d < 2 ? 1e6f : noisy_state(item, template, draw, d);
}

/* What float16 could not hold is in the numbers as 65504: said on every row of states. */
static void test_beyond_range(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = some_flips, .state = large_state, .storage = PL_F16};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 0);
    assert_true(isfinite(r->value) && r->n == 10 && strstr(r->note, "4 values of the units' states"));
    assert_true(*get(t, PL_METRIC_ACC, "templates", "", "", 0)->note == '\0');
    assert_true(has_remark(t, "BEYOND RANGE: tiny, colours, k = 2: 4 values"));
    pl_stability_free(t);
    uproot(&p);
}

static float hopeless_state(size_t item, size_t template, size_t draw, size_t d)
{
    return item > 0 && d == 0 ? NAN : noisy_state(item, template, draw, d);
}

static void test_no_finite_states(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = some_flips, .state = hopeless_state};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = get(t, PL_METRIC_SHIFT, "templates", "01", "c", 0);
    assert_true(isnan(r->value) && strstr(r->why_empty, "fewer than two items with finite states"));
    assert_true(get(t, PL_METRIC_STATES_NOT_FINITE, "templates", "01", "c", 0)->value == 9.0);
    pl_stability_free(t);
    uproot(&p);
}

/* Every third item under t1; never the same in the two draws. */
static bool some_finite(size_t item, size_t template, size_t draw)
{
    return template != 1 || item % 3 != draw;
}

/* Items 0, 3, 6, 9 of draw 0 and 1, 4, 7 of draw 1 are in no mean of the group, under any template. */
static void test_not_finite(void **state)
{
    (void)state;
    planted p = {.n = 12,
                 .t = 3,
                 .draws = 2,
                 .prediction = some_flips,
                 .state = noisy_state,
                 .finite = some_finite,
                 .reversed = true};
    pl_stability_table *t = table_of(&p);
    double right = 0.0;
    for (size_t i = 2; i < 12; i += 3) right += some_flips(i, 1, 0) == planted_gold(i) ? 0.25 : 0.0;
    const pl_stability_row *r = find(t, PL_METRIC_ACC, "templates", "t1", "", "", 0);
    assert_int_equal(r->n, 4);
    assert_close(r->value, right, 0.0);
    assert_non_null(strstr(r->note, "8 of 12 items left out: not finite in some unit"));
    assert_true(isfinite(get(t, PL_METRIC_JSD, "templates", "", "", 0)->value));
    assert_int_equal(get(t, PL_METRIC_WOBBLE, "templates", "01", "c", -1)->n, 4);
    r = find(t, PL_METRIC_NOT_FINITE, "templates", "t1", "", "", 0);
    assert_true(r->value == 4.0 && r->n == 12 && strstr(r->note, "first: doc_id 0"));
    assert_true(find(t, PL_METRIC_NOT_FINITE, "templates", "t0", "", "", 0)->value == 0.0);
    assert_true(has_remark(t, "8 of 12 items have a log-likelihood or logit that is NaN"));
    pl_stability_free(t);
    uproot(&p);
}

static bool never(size_t item, size_t template, size_t draw)
{
    (void)item;
    (void)draw;
    return template == 0;
}

/* Nothing is left: rows without a value that say why, not an error and not a number. */
static void test_nothing_finite(void **state)
{
    (void)state;
    planted p = {.n = 12, .t = 2, .draws = 2, .prediction = some_flips, .finite = never};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = find(t, PL_METRIC_ACC, "templates", "t0", "", "", 0);
    assert_true(isnan(r->value) && isnan(r->lo) && strstr(r->why_empty, "no item is finite in all units"));
    for (size_t i = 0; i < t->n; i++) assert_true(t->rows[i].metric == PL_METRIC_NOT_FINITE || isnan(t->rows[i].value));
    pl_stability_free(t);
    uproot(&p);
}

static float broken_in_a_draw(size_t item, size_t template, size_t draw, size_t d)
{
    return item == 3 + draw && d == 2 ? NAN : noisy_state(item, template, draw, d);
}

/* Both draws have 9 items, but not the same 9: an item cannot be left out of both at once, so there is no mean. */
static void test_draws_of_other_items(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 2, .prediction = some_flips, .state = broken_in_a_draw};
    pl_stability_table *t = table_of(&p);
    assert_true(isfinite(get(t, PL_METRIC_WOBBLE, "templates", "01", "c", 1)->value));
    const pl_stability_row *r = get(t, PL_METRIC_WOBBLE, "templates", "01", "c", -1);
    assert_true(isnan(r->value) && strstr(r->why_empty, "no mean over draws"));
    assert_true(isfinite(get(t, PL_METRIC_ACC, "templates", "", "", -1)->value));
    pl_stability_free(t);
    uproot(&p);
}

static double drift_of(size_t n, size_t template, size_t draw)
{
    float *states[2];
    pl_cka cka;
    for (size_t s = 0; s < 2; s++) {
        states[s] = calloc(n * PLANTED_WIDTH, sizeof(float));
        assert_non_null(states[s]);
        for (size_t i = 0; i < n * PLANTED_WIDTH; i++)
            states[s][i] = noisy_state(i / PLANTED_WIDTH, template, s * draw, i % PLANTED_WIDTH);
    }
    OK(pl_cka_of(&cka, (const float *const *)states, n, 2, PLANTED_WIDTH, NULL));
    double value = cka.value[0];
    pl_cka_free(&cka);
    for (size_t s = 0; s < 2; s++) free(states[s]);
    return value;
}

/* Two tuned draws against the checkpoint: templates are counted, not pairs, and the null is that of one pair. */
static void test_drift(void **state)
{
    (void)state;
    enum { ITEMS = 30 };
    planted p = {
        .n = ITEMS, .t = 2, .draws = 3, .learned = 2, .tuned = true, .prediction = some_flips, .state = noisy_state};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = get(t, PL_METRIC_CKA_DEBIASED, "base", "01", "c", -1);
    double expected = 0.0;
    for (size_t s = 1; s < 3; s++)
        for (size_t k = 0; k < 2; k++) expected += drift_of(ITEMS, k, s) / 4.0;
    assert_close(r->value, expected, 1e-9);
    assert_int_equal(r->n_templates, 2);
    assert_int_equal(r->n_seeds, 2);
    assert_close(r->null_sd, pl_cka_null_sd(ITEMS), 1e-15);
    assert_non_null(strstr(r->note, "mean of 4 pairs of units"));
    r = get(t, PL_METRIC_CKA_DEBIASED, "draws", "01", "c", -1);
    assert_int_equal(r->n_templates, 2);
    assert_close(r->null_sd, pl_cka_null_sd(ITEMS), 1e-15);
    pl_stability_free(t);
    uproot(&p);
}

/* As for CKA between templates: a quadratic cost has an end. */
static void test_drift_of_many_items(void **state)
{
    (void)state;
    planted p = {
        .n = 4098, .t = 1, .draws = 2, .learned = 1, .tuned = true, .prediction = some_flips, .state = noisy_state};
    pl_stability_table *t = table_of(&p);
    const pl_stability_row *r = get(t, PL_METRIC_CKA_DEBIASED, "base", "01", "c", 0);
    assert_int_equal(r->n, 4096);
    assert_non_null(strstr(r->note, "4096 of 4098 items, by chance"));
    pl_stability_free(t);
    uproot(&p);
}

/* Answers without choices are grouped by their text. */
static void test_open_answers(void **state)
{
    (void)state;
    planted p = {.n = 40, .t = 3, .draws = 1, .prediction = some_fail, .generate = true, .open = true}, q = p;
    pl_stability_table *t = table_of(&p);
    q.open = false;
    pl_stability_table *closed = table_of(&q);
    static const pl_metric_id same[] = {PL_METRIC_FLIP_RATE, PL_METRIC_UNANIMITY, PL_METRIC_FLEISS_KAPPA,
                                        PL_METRIC_GWET_AC1, PL_METRIC_PREDICTION_ENTROPY};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_close(get(t, same[i], "templates", "", "", 0)->value,
                     get(closed, same[i], "templates", "", "", 0)->value, 1e-12);
    assert_close(get(t, PL_METRIC_MAJORITY, "templates", "", "", 0)->value, 0.6, 1e-12);
    assert_true(isnan(get(t, PL_METRIC_MAJORITY, "templates", "", "", 0)->null_mean));
    pl_stability_free(t);
    pl_stability_free(closed);
    uproot(&p);
    uproot(&q);
}

/* Units of one model that were made by other arithmetic are never pooled. */
static void test_other_numerics(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 2, .prediction = some_flips, .other_numerics = true};
    pl_stability_table *t;
    plant_run(&p);
    REFUSED(pl_stability_of_run(&t, planted_view(&p), NULL), PL_E_INPUT, "'cuda; cuBLASLt; numerics 1'");
    assert_non_null(strstr(pl_error_text(), "unit-1-1-0"));
    assert_non_null(strstr(pl_error_text(), "unit-0-0-0"));
    uproot(&p);
}

/* One item of large norm is named; what is merely large in all is not. */
static float long_state(size_t item, size_t template, size_t draw, size_t d)
{
    float x = 100.0F * noisy_state(item, template, draw, d);
    return item == 7 ? 30.0F * x : x;
}

static void test_outlying_norm(void **state)
{
    (void)state;
    planted p = {.n = 20, .t = 3, .draws = 1, .prediction = some_flips, .state = long_state};
    plant_run(&p);
    pl_stability_table *t;
    OK(pl_stability_of_run(&t, planted_view(&p), NULL));
    assert_true(has_remark(t, "states of 1 of 20 items have over 4 times the median norm (doc_id 7 "));
    pl_stability_free(t);
    uproot(&p);
    p = (planted){.n = 20, .t = 3, .draws = 1, .prediction = some_flips, .state = noisy_state};
    plant_run(&p);
    OK(pl_stability_of_run(&t, planted_view(&p), NULL));
    assert_false(has_remark(t, "outlying"));
    pl_stability_free(t);
    uproot(&p);
}

static void test_remarks(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = some_flips, .merged = 3}, q = p;
    pl_stability_table *t = table_of(&p);
    assert_true(has_remark(t, "merged: tiny, colours: in 6 of 20 prompts"));
    assert_true(has_remark(t, "draws: 1"));
    pl_stability_free(t);
    uproot(&p);
    q.draws = 2;
    q.merged = 0;
    t = table_of(&q);
    assert_int_equal(t->n_remarks, 0);
    pl_stability_free(t);
    uproot(&q);
}

static bool same_real(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void test_same_bits_for_any_threads(void **state)
{
    (void)state;
    planted p = {.n = 50, .t = 5, .draws = 2, .prediction = some_flips, .state = noisy_state};
    pl_stability_table *one = NULL, *more;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    one = table_of(&p);
    omp_set_num_threads(3);
    OK(pl_stability_of_run(&more, p.view, NULL));
    omp_set_num_threads(threads);
    assert_int_equal(one->n, more->n);
    for (size_t i = 0; i < one->n; i++) {
        const pl_stability_row *a = &one->rows[i], *b = &more->rows[i];
        assert_true(same_real(a->value, b->value) && same_real(a->se, b->se) && same_real(a->lo, b->lo));
        assert_true(same_real(a->null_mean, b->null_mean) && same_real(a->null_sd, b->null_sd));
        assert_int_equal(a->metric, b->metric);
    }
    pl_stability_free(one);
    pl_stability_free(more);
    uproot(&p);
}

/* Damage is one clear line. */
static void test_bad_input(void **state)
{
    (void)state;
    planted p = {.n = 10, .t = 2, .draws = 1, .prediction = some_flips};
    pl_stability_table *t;
    pl_run_view *view;
    char path[PL_PATH_MAX];
    plant_run(&p);
    OK(pl_run_folder_unit(path, &p.run, "unit-1-0-0"));
    assert_int_equal(truncate(path, 700), 0);
    REFUSED(pl_stability_of_run(&t, planted_view(&p), NULL), PL_E_INPUT, "unit-1-0-0");
    OK(pl_path(path, "%s/plan.json", p.run.path));
    const char bad[] = "{\"format\":2,\"name\":\"n\",\"hash\":\"h\",\"models\":[],\"tasks\":[],\"units\":[{\"id\":3}]}";
    OK(pl_file_replace(path, bad, strlen(bad)));
    REFUSED(pl_run_view_open(&view, &p.run), PL_E_INPUT, "plan.json: units[0]: id");
    OK(pl_file_replace(path, "{}", 2));
    REFUSED(pl_run_view_open(&view, &p.run), PL_E_INPUT, "plan.json");
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy_and_flips),
        cmocka_unit_test(test_label_scores),
        cmocka_unit_test(test_calibrated_accuracy),
        cmocka_unit_test(test_ensemble_of_dev_templates),
        cmocka_unit_test(test_constant_predictor),
        cmocka_unit_test(test_identical_templates),
        cmocka_unit_test(test_no_variance),
        cmocka_unit_test(test_planted_states),
        cmocka_unit_test(test_preprocessing),
        cmocka_unit_test(test_normalised_accuracy),
        cmocka_unit_test(test_one_template),
        cmocka_unit_test(test_generated_answers),
        cmocka_unit_test(test_no_chance),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_missing_unit),
        cmocka_unit_test(test_captured_items),
        cmocka_unit_test(test_states_not_finite),
        cmocka_unit_test(test_no_finite_states),
        cmocka_unit_test(test_absent_states),
        cmocka_unit_test(test_beyond_range),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_nothing_finite),
        cmocka_unit_test(test_draws_of_other_items),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_drift_of_many_items),
        cmocka_unit_test(test_open_answers),
        cmocka_unit_test(test_other_numerics),
        cmocka_unit_test(test_remarks),
        cmocka_unit_test(test_outlying_norm),
        cmocka_unit_test(test_same_bits_for_any_threads),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
