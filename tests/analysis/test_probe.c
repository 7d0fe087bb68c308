/* Probes in the stability table: a label that stands in one direction under two templates and in the opposite one under
 * a third; where probes are made; what cannot be probed. And the wobble of the readout margin, against its sums. */
#include "analysis/planted_run.h"

#include <math.h>

#include "analysis/stability.h"
#include "measure/cka.h"
#include "statistics/golden.h"
#include "statistics/interval.h"

enum { N = 40, T = 3 };

static int right(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return planted_gold(item);
}

/* Dimension 0 is the label, turned round under t2; the rest is noise. */
static float turned(size_t item, size_t template, size_t draw, size_t d)
{
    double noise = 0.1 * pl_random_normal(3 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
    double label = planted_gold(item) ? 4.0 : -4.0;
    return (float)(noise + (d ? 0.0 : template == 2 ? -label : label));
}

static const pl_stability_row *find(const pl_stability_table *t, pl_metric_id metric, const char *contrast,
                                    const char *layer)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == metric && !strcmp(r->contrast, contrast) && !strcmp(r->layer, layer)) return r;
    }
    return NULL;
}

static void test_transfer(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = 1, .prediction = right, .state = turned, .cluster = 2};
    pl_stability_table *t = planted_table(&p);
    const char *const layers[] = {"01", "final_norm"};
    for (size_t l = 0; l < 2; l++) {
        const pl_stability_row *acc = find(t, PL_METRIC_PROBE_ACC, "templates", layers[l]),
                               *transfer = find(t, PL_METRIC_PROBE_TRANSFER, "templates", layers[l]),
                               *gap = find(t, PL_METRIC_PROBE_GAP, "templates", layers[l]),
                               *selective = find(t, PL_METRIC_PROBE_SELECTIVITY, "templates", layers[l]);
        assert_non_null(acc);
        assert_close(acc->value, 1.0, 1e-12);
        assert_close(acc->null_mean, 0.6, 1e-12);
        assert_close(transfer->value, 1.0 / 3.0, 1e-12); /* t0 and t1 to one another, of six */
        assert_close(gap->value, 2.0 / 3.0, 1e-12);
        assert_true(gap->p > 0.0 && gap->null_mean == 0.0 && !strcmp(gap->generalises, "items, templates"));
        assert_int_equal(gap->n_clusters, N / 2);
        /* Without t0 or t1 the gap is 1, without t2 it is 0: pseudo-values 0, 0, 2; items never differ. */
        double v = 4.0 / 3.0 / 3.0, m = N / 2.0 + 1.0, centre = 2.0 / 3.0 * (m - 1.0) / m;
        double c = ((m - 1.0) * pow(2.0 / 3.0 - centre, 2) + 1.0 + centre * centre) / m / (m - 1.0);
        assert_close(gap->se, sqrt(v + c), 1e-12);
        assert_true(selective->value > 0.2 && selective->value < 0.9);
        assert_close(find(t, PL_METRIC_PROBE_TRANSFER, "t0>t1", layers[l])->value, 1.0, 1e-12);
        assert_close(find(t, PL_METRIC_PROBE_TRANSFER, "t0>t2", layers[l])->value, 0.0, 1e-12);
        assert_non_null(find(t, PL_METRIC_PROBE_TRANSFER, "t2>t0", layers[l]));
    }
    assert_null(find(t, PL_METRIC_PROBE_ACC, "templates", "00"));
    /* Calibrated similarity stands where probes do; the turned direction is the same up to rotation. */
    const pl_stability_row *cka = find(t, PL_METRIC_CKA_CAL, "templates", "01");
    double observed = 0.0; /* of one item of each group */
    assert_true(cka && cka->value > 0.9 && cka->p == 1.0 / 201.0 && cka->p_adjusted >= cka->p);
    assert_non_null(strstr(cka->note, "by chance, one of a group"));
    assert_int_equal(sscanf(strstr(cka->note, "before"), "before calibration %lf", &observed), 1);
    assert_close(cka->value, (observed - cka->null_q95) / (1.0 - cka->null_q95), 2e-4);
    assert_non_null(find(t, PL_METRIC_MKNN_CAL, "templates", "final_norm"));
    assert_null(find(t, PL_METRIC_MKNN_CAL, "templates", "00"));
    const pl_stability_row *procrustes = find(t, PL_METRIC_PROCRUSTES_CAL, "templates", "01");
    assert_true(procrustes && procrustes->value > 0.9 && procrustes->p == 1.0 / 201.0);
    /* Within labels, of which the first of two components is made, noise of each template's own is left. */
    const pl_stability_row *within = find(t, PL_METRIC_PROCRUSTES_CAL_CLASS, "templates", "01");
    assert_true(within && within->value < 0.1 && within->null_q95 > procrustes->null_q95);
    pl_stability_free(t);
    uproot(&p);
}

/* The template's own word, and seven words of the item: of every template the same, or of each its own. */
static int32_t shared_words(size_t item, size_t template, size_t place)
{
    if (place == 0) return (int32_t)(900 + template);
    return place < 8 ? (int32_t)(pl_random_u32(4, PL_RANDOM_TEST, 0, item * 8 + place) % 30) : -1;
}

static int32_t other_words(size_t item, size_t template, size_t place)
{
    return place < 8 ? (int32_t)(pl_random_u32(4, PL_RANDOM_TEST, (uint32_t) template, item * 8 + place) % 30) : -1;
}

static int32_t many_words(size_t item, size_t template, size_t place)
{
    return place < 70 ? (int32_t)(item * 70 + place + template) : -1;
}

/* CKA of counts, of all items of a run without groups. */
static double cka_of_words(int32_t (*token)(size_t item, size_t template, size_t place), size_t n)
{
    enum { VOCABULARY = 1000 };
    float *bags[T];
    pl_cka cka;
    int32_t id;
    for (size_t k = 0; k < T; k++) {
        bags[k] = calloc(n * VOCABULARY, sizeof *bags[k]);
        assert_non_null(bags[k]);
        for (size_t i = 0; i < n; i++)
            for (size_t place = 0; (id = token(i, k, place)) >= 0; place++) bags[k][i * VOCABULARY + (size_t)id]++;
    }
    OK(pl_cka_of(&cka, (const float *const *)bags, n, T, VOCABULARY, NULL));
    double mean = cka.mean;
    pl_cka_free(&cka);
    for (size_t k = 0; k < T; k++) free(bags[k]);
    return mean;
}

/* A floor says how similar words alone make templates, whatever the states; odd templates hold their rows in reverse.
 */
static void test_tokens(void **state)
{
    (void)state;
    int32_t (*const tokens[])(size_t, size_t, size_t) = {shared_words, other_words, many_words, NULL};
    for (size_t c = 0; c < 4; c++) {
        planted p = {.n = c == 2 ? 300 : N,
                     .t = T,
                     .draws = 1,
                     .prediction = right,
                     .state = turned,
                     .token = tokens[c],
                     .reversed = true};
        pl_stability_table *t = planted_table(&p);
        const pl_stability_row *cka = find(t, PL_METRIC_CKA_CAL_TOKENS, "templates", "01"),
                               *mknn = find(t, PL_METRIC_MKNN_CAL_TOKENS, "templates", "final_norm");
        char before[64];
        assert_true(cka && mknn && !find(t, PL_METRIC_CKA_CAL_TOKENS, "templates", "00"));
        if (c < 2) {
            snprintf(before, sizeof before, "before calibration %.4f", cka_of_words(tokens[c], N));
            assert_string_equal(cka->note, before);
        }
        if (c == 0) assert_true(cka->value > 0.99 && cka->p == 1.0 / 201.0 && mknn->value == 1.0);
        if (c == 1) assert_true(cka->p > 0.05 && cka->value < 0.1 && mknn->p > 0.05);
        if (c == 2) assert_true(isnan(cka->value) && !strcmp(cka->why_empty, "too many different tokens"));
        if (c == 3) assert_true(isnan(cka->value) && strstr(cka->why_empty, "an earlier version"));
        pl_stability_free(t);
        uproot(&p);
    }
}

/* The label can be read off in the first half of the items alone. */
static float half_told(size_t item, size_t template, size_t draw, size_t d)
{
    if (item < 300) return turned(item, 0, draw, d);
    return (float)pl_random_normal(7 + draw, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
}

/* What is probed of many items is a sample of them, not how the data set begins. */
static void test_sample(void **state)
{
    (void)state;
    planted p = {.n = 600, .t = T, .draws = 1, .prediction = right, .state = half_told};
    pl_stability_table *t = planted_table(&p);
    const pl_stability_row *r = find(t, PL_METRIC_PROBE_ACC, "templates", "01");
    assert_non_null(strstr(r->note, "256 of 600 items, by chance"));
    assert_true(r->value > 0.6 && r->value < 0.9);
    pl_stability_free(t);
    uproot(&p);
}

static void test_not_probed(void **state)
{
    (void)state;
    planted own = {.n = N, .t = T, .draws = 1, .prediction = right, .state = turned, .own_choices = true},
            one = {.n = N, .t = T, .draws = 1, .prediction = right, .state = turned, .cluster = N};
    const pl_stability_row *r;
    pl_stability_table *t = planted_table(&own);
    assert_null(find(t, PL_METRIC_PROBE_GAP, "templates", "01")); /* choices of the items' own are no labels */
    assert_null(find(t, PL_METRIC_PROBE_TRANSFER, "t0>t1", "01"));
    pl_stability_free(t);
    uproot(&own);
    t = planted_table(&one);
    r = find(t, PL_METRIC_PROBE_GAP, "templates", "01");
    assert_true(r && isnan(r->value) && strstr(r->why_empty, "a fold lacks a label"));
    pl_stability_free(t);
    uproot(&one);
}

/* Means of three draws; items and templates have parts of their own. */
static double margin(size_t item, size_t template, size_t draw)
{
    return (planted_gold(item) ? 1.0 : -1.0) * (1.0 + 0.1 * (double)(item % 7) + 0.3 * (double)template +
                                                0.05 * (double)((item * 5 + template * 3 + draw) % 11));
}

static void test_margin(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = 3, .prediction = right, .margin = margin};
    pl_stability_table *t = planted_table(&p);
    double mean = 0.0;
    for (size_t draw = 0; draw < 3; draw++) {
        double item[N] = {0}, template[T] = {0}, grand = 0.0, ms_i = 0.0, ms_r = 0.0, x[N][T];
        for (size_t i = 0; i < N; i++)
            for (size_t k = 0; k < T; k++) {
                x[i][k] = (planted_gold(i) ? 1.0 : -1.0) * margin(i, k, draw);
                item[i] += x[i][k] / T;
                template[k] += x[i][k] / N;
                grand += x[i][k] / (N * T);
            }
        for (size_t i = 0; i < N; i++) {
            ms_i += T * pow(item[i] - grand, 2) / (N - 1);
            for (size_t k = 0; k < T; k++)
                ms_r += pow(x[i][k] - item[i] - template[k] + grand, 2) / ((N - 1) * (T - 1));
        }
        double s2_item = (ms_i - ms_r) / T, wobble = ms_r / (s2_item + ms_r);
        mean += wobble / 3.0;
        for (size_t i = 0; i < t->n; i++)
            if (t->rows[i].metric == PL_METRIC_WOBBLE_MARGIN && t->rows[i].draw == (long long)draw)
                assert_close(t->rows[i].value, wobble, 1e-5); /* the file holds float32 */
    }
    bool found = false;
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric != PL_METRIC_WOBBLE_MARGIN || r->draw != -1) continue;
        found = true;
        assert_close(r->value, mean, 1e-5);
        assert_string_equal(r->generalises, "items, templates, draws");
    }
    assert_true(found);
    pl_stability_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),   cmocka_unit_test(test_tokens), cmocka_unit_test(test_sample),
        cmocka_unit_test(test_not_probed), cmocka_unit_test(test_margin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
