/* Templates that differ in label words alone are one wording: numbers over wordings are those of a run that has their
 * mean in their place. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/scorers.h"

enum { N = 40, DRAWS = 4, LAST = 4 }; /* templates t0 .. t3, and t4 with the text of t3 */

static double noise(size_t item, size_t template, size_t draw, size_t what)
{
    return pl_random_normal(1 + draw, PL_RANDOM_TEST, (uint32_t)(100 * what + template), item);
}

static int predict(size_t item, size_t template, size_t draw)
{
    size_t wording = template <LAST ? template : LAST - 1;
    return noise(item, wording, draw, 0) + 0.4 * (double)wording > 0.0;
}

/* Label 1 minus label 0 of a run without t4. */
static double plain_margin(size_t item, size_t template, size_t draw)
{
    return (planted_gold(item) ? 2.0 : -1.0) + noise(item, template, draw, 1) + 0.3 * (double)template;
}

static float plain_state(size_t item, size_t template, size_t draw, size_t d)
{
    return (float)(noise(item, 99, 0, 2 + d) + 0.5 * noise(item, template, draw, 20 + d) + 0.2 * (double)template);
}

/* t3 and t4 lie as far above and below. */
static double apart(size_t item, size_t template, size_t draw, double size)
{
    double far = size * noise(item, LAST, draw, 3);
    return template <LAST - 1 ? 0.0 : template == LAST ? far : -far;
}

static double twin_margin(size_t item, size_t template, size_t draw)
{
    return plain_margin(item, template <LAST ? template : LAST - 1, draw) + apart(item, template, draw, 1.0);
}

static float twin_state(size_t item, size_t template, size_t draw, size_t d)
{
    float plain = plain_state(item, template <LAST ? template : LAST - 1, draw, d);
    return plain + (float)apart(item, template, draw, 2.0);
}

static planted planted_of(size_t twins)
{
    return (planted){.n = N,
                     .t = LAST + twins,
                     .draws = DRAWS,
                     .cluster = 2,
                     .twins = twins,
                     .prediction = predict,
                     .margin = twins ? twin_margin : plain_margin,
                     .state = twins ? twin_state : plain_state};
}

static const pl_stability_row *get(const pl_stability_table *t, pl_metric_id metric, const char *preproc)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == metric && !strcmp(r->contrast, "templates") && !*r->template_name && r->draw == -1 &&
            (!*r->layer || !strcmp(r->layer, "01")) && (!*r->preproc || !strcmp(r->preproc, preproc)))
            return r;
    }
    fail_msg("no row %s", pl_metric_of(metric)->name);
    return NULL;
}

static void assert_same(double a, double b, const char *name)
{
    if (isnan(a) && isnan(b)) return;
    if (!(fabs(a - b) <= 2e-5 * (1.0 + fabs(b)))) /* scores and states are floats */
        fail_msg("%s: %.9g with label words apart, %.9g as one wording", name, a, b);
}

static void test_means_of_label_words(void **state)
{
    (void)state;
    static const pl_metric_id same[] = {PL_METRIC_TEMPLATE_SD,
                                        PL_METRIC_SPREAD,
                                        PL_METRIC_DRAW_SD,
                                        PL_METRIC_MARGIN_ITEM,
                                        PL_METRIC_MARGIN_TEMPLATE,
                                        PL_METRIC_MARGIN_DRAW,
                                        PL_METRIC_MARGIN_ITEM_DRAW,
                                        PL_METRIC_MARGIN_REST,
                                        PL_METRIC_MARGIN_ITEM_TEMPLATE,
                                        PL_METRIC_WOBBLE_MARGIN,
                                        PL_METRIC_WOBBLE,
                                        PL_METRIC_SHIFT,
                                        PL_METRIC_ICC,
                                        PL_METRIC_S2_ITEM,
                                        PL_METRIC_S2_TEMPLATE,
                                        PL_METRIC_S2_INTERACTION};
    planted plain = planted_of(0), twins = planted_of(1);
    pl_stability_table *a = planted_table(&plain), *b = planted_table(&twins);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (size_t z = 0; z < 2; z++) {
            const char *name = pl_metric_of(same[i])->name, *p = z ? "z" : "c";
            if (z && !strchr(pl_metric_of(same[i])->preprocessing, 'z')) continue;
            const pl_stability_row *one = get(a, same[i], p), *two = get(b, same[i], p);
            assert_same(two->value, one->value, name);
            assert_same(two->lo, one->lo, name);
            assert_same(two->hi, one->hi, name);
            assert_same(two->null_mean, one->null_mean, name);
            assert_same(two->p, one->p, name);
            assert_true(isfinite(two->value));
        }
    pl_stability_free(a);
    pl_stability_free(b);
    uproot(&plain);
    uproot(&twins);
}

/* What "sensitive to wording" goes by. */
static void test_claims(void **state)
{
    (void)state;
    planted plain = planted_of(0), twins = planted_of(1);
    pl_scorers_table *a, *b;
    plain.margin = twins.margin = NULL; /* the same for t3 and t4, but for label words: none */
    plant_run(&plain);
    plant_run(&twins);
    OK(pl_scorers_of_run(&a, planted_view(&plain)));
    OK(pl_scorers_of_run(&b, planted_view(&twins)));
    assert_int_equal(a->rows[0].scorer, PL_SCORER_RAW);
    assert_int_equal(b->rows[0].n_all_templates, LAST);
    assert_same(b->rows[0].template_sd.value, a->rows[0].template_sd.value, "template_sd");
    assert_same(b->rows[0].template_sd.lo, a->rows[0].template_sd.lo, "template_sd");
    assert_true(a->rows[0].template_sd.value > 0.0);
    pl_scorers_free(a);
    pl_scorers_free(b);
    uproot(&plain);
    uproot(&twins);
}

/* Two label words of one wording say nothing about wordings. */
static void test_one_wording(void **state)
{
    (void)state;
    static const pl_metric_id over[] = {PL_METRIC_TEMPLATE_SD, PL_METRIC_DRAW_SD, PL_METRIC_MARGIN_ITEM,
                                        PL_METRIC_WOBBLE_MARGIN, PL_METRIC_WOBBLE};
    planted p = {.n = N,
                 .t = 2,
                 .draws = DRAWS,
                 .twins = true,
                 .prediction = predict,
                 .state = plain_state,
                 .margin = plain_margin};
    pl_stability_table *t = planted_table(&p);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        for (size_t m = 0; m < sizeof over / sizeof *over; m++) {
            if (t->rows[i].metric != over[m]) continue;
            assert_true(isnan(t->rows[i].value) && !strcmp(t->rows[i].why_empty, "the templates are one wording"));
            n++;
        }
    assert_true(n >= 5);
    pl_stability_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_means_of_label_words), cmocka_unit_test(test_claims),
                                       cmocka_unit_test(test_one_wording)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
