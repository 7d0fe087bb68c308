/* States under each preprocessing: a dimension that is all there is, and the value without it; length, and the value
 * less what it predicts; what cannot be measured. */
#include "analysis/planted_run.h"

#include "measure/cka.h"
#include "statistics/golden.h"
#include "statistics/variance_components.h"

enum { N = 80, T = 4 };

static int right(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return planted_gold(item);
}

static double noise(size_t item, size_t template, size_t d)
{
    return pl_random_normal(9, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d);
}

/* Dimension 2 is the item's own and large; the others are noise of each template. */
static float rogue(size_t item, size_t template, size_t draw, size_t d)
{
    (void)draw;
    if (d == 2) return (float)(100.0 * pl_random_normal(8, PL_RANDOM_TEST, 0, item));
    return (float)(100.0 + noise(item, template, d));
}

/* Dimension 0 is the prompt's length and its square; the others are noise of each template. */
static float long_or_short(size_t item, size_t template, size_t draw, size_t d)
{
    (void)draw;
    double tokens = (double)planted_tokens(item, template);
    return (float)(noise(item, template, d) + (d ? 0.0 : 2.0 * tokens - 0.1 * tokens * tokens));
}

static const pl_stability_row *find(const pl_stability_table *t, pl_metric_id metric, const char *preproc,
                                    const char *layer)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == metric && !strcmp(r->contrast, "templates") && !strcmp(r->preproc, preproc) &&
            !strcmp(r->layer, layer))
            return r;
    }
    return NULL;
}

static void test_rogue(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "top3", 1);
    planted p = {.n = N, .t = T, .draws = 1, .prediction = right, .state = rogue, .analysis = asked};
    pl_stability_table *t = planted_table(&p);
    const pl_stability_row *ratio = find(t, PL_METRIC_PARTICIPATION_RATIO, "c", "01"),
                           *rest = find(t, PL_METRIC_PARTICIPATION_RATIO, "top3", "01");
    assert_true(ratio && ratio->value > 0.8 && ratio->value < 1.2 && ratio->lo < ratio->value);
    assert_true(rest && rest->value > 2.0 && rest->value < 4.0); /* three dimensions of noise are left */
    assert_true(find(t, PL_METRIC_CKA_DEBIASED, "c", "01")->value > 0.99);
    assert_true(fabs(find(t, PL_METRIC_CKA_DEBIASED, "top3", "01")->value) < 0.1);
    assert_true(find(t, PL_METRIC_WOBBLE, "c", "01")->value < 0.01);
    assert_true(find(t, PL_METRIC_WOBBLE, "top3", "01")->value > 0.9);
    assert_non_null(strstr(find(t, PL_METRIC_PARTICIPATION_RATIO, "c", "00")->why_empty, "no variance"));
    assert_non_null(strstr(find(t, PL_METRIC_CKA_DEBIASED, "top3", "00")->why_empty, "no variance"));
    assert_null(find(t, PL_METRIC_WOBBLE, "length", "01")); /* nobody asked */
    assert_null(find(t, PL_METRIC_CKA_LENGTH, "length", "01"));
    pl_stability_free(t);
    uproot(&p);
    json_decref(asked);
}

/* Residuals of one dimension of one template, by the normal equations of 1, length and its square; its mean stays. */
static void regress(float *x, size_t template, size_t d)
{
    double a[3][4] = {{0.0}}, b[3];
    for (size_t i = 0; i < N; i++) {
        const double z = ((double)planted_tokens(i, template) - 30.0) / 10.0, f[] = {1.0, z, z * z};
        for (size_t r = 0; r < 3; r++) {
            for (size_t c = 0; c < 3; c++) a[r][c] += f[r] * f[c];
            a[r][3] += f[r] * (double)x[i * PLANTED_WIDTH + d];
        }
    }
    double mean = a[0][3] / N;
    for (size_t r = 0; r < 3; r++)
        for (size_t q = r + 1; q < 3; q++)
            for (size_t c = 4; c-- > r;) a[q][c] -= a[q][r] / a[r][r] * a[r][c];
    for (size_t r = 3; r-- > 0;) {
        b[r] = a[r][3];
        for (size_t c = r + 1; c < 3; c++) b[r] -= a[r][c] * b[c];
        b[r] /= a[r][r];
    }
    for (size_t i = 0; i < N; i++) {
        const double z = ((double)planted_tokens(i, template) - 30.0) / 10.0;
        float *at = &x[i * PLANTED_WIDTH + d];
        *at = (float)((double)*at - b[0] - b[1] * z - b[2] * z * z + mean);
    }
}

static void test_length(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "length", 1);
    planted p = {
        .n = N, .t = T, .draws = 1, .prediction = right, .state = long_or_short, .reversed = true, .analysis = asked};
    pl_stability_table *t = planted_table(&p);
    float *x[T];
    for (size_t k = 0; k < T; k++) {
        x[k] = calloc(N * PLANTED_WIDTH, sizeof **x);
        assert_non_null(x[k]);
        for (size_t i = 0; i < N * PLANTED_WIDTH; i++)
            x[k][i] = long_or_short(i / PLANTED_WIDTH, k, 0, i % PLANTED_WIDTH);
        for (size_t d = 0; d < PLANTED_WIDTH; d++) regress(x[k], k, d);
    }
    assert_null(find(t, PL_METRIC_WOBBLE, "top3", "01")); /* nobody asked */
    pl_variance_sums sums;
    OK(pl_variance_sums_of(&sums, (const float *const *)x, N, T, PLANTED_WIDTH, NULL));
    const pl_stability_row *wobble = find(t, PL_METRIC_WOBBLE, "length", "01"),
                           *cka = find(t, PL_METRIC_CKA_DEBIASED, "length", "01");
    assert_non_null(wobble);
    assert_close(wobble->value, pl_variance_of(&sums).wobble, 1e-5);
    assert_true(find(t, PL_METRIC_CKA_DEBIASED, "c", "01")->value > 0.8 && cka && fabs(cka->value) < 0.1);
    /* The floor: HSIC_1 of what was taken off, over that of whole states. */
    const pl_stability_row *floor = find(t, PL_METRIC_CKA_LENGTH, "length", "01"),
                           *none = find(t, PL_METRIC_CKA_LENGTH, "length", "00");
    float *whole[T];
    pl_cka all, part;
    double expected = 0.0;
    for (size_t k = 0; k < T; k++) {
        whole[k] = calloc(N * PLANTED_WIDTH, sizeof **whole);
        assert_non_null(whole[k]);
        for (size_t i = 0; i < N * PLANTED_WIDTH; i++) {
            whole[k][i] = long_or_short(i / PLANTED_WIDTH, k, 0, i % PLANTED_WIDTH);
            x[k][i] = whole[k][i] - x[k][i];
        }
    }
    OK(pl_cka_of(&all, (const float *const *)whole, N, T, PLANTED_WIDTH, NULL));
    OK(pl_cka_of(&part, (const float *const *)x, N, T, PLANTED_WIDTH, NULL));
    for (size_t a = 0; a < T; a++)
        for (size_t b = a + 1; b < T; b++)
            expected +=
                part.value[pl_cka_pair(&part, a, b)] * sqrt(part.own[a] * part.own[b] / all.own[a] / all.own[b]);
    assert_non_null(floor);
    assert_close(floor->value, expected / (double)all.n_pairs, 1e-5);
    assert_true(floor->value > 0.8 && floor->value < all.mean + 0.05);
    assert_true(none && isnan(none->value) && !strcmp(none->why_empty, "no variance"));
    pl_cka_free(&part);
    pl_cka_free(&all);
    pl_variance_sums_free(&sums);
    for (size_t k = 0; k < T; k++) {
        free(whole[k]);
        free(x[k]);
    }
    pl_stability_free(t);
    uproot(&p);
    json_decref(asked);
}

/* One template says why there is nothing about states; without states there is nothing to say. */
static void test_one_template(void **state)
{
    (void)state;
    planted with = {.n = N, .t = 1, .draws = 1, .prediction = right, .state = rogue},
            without = {.n = N, .t = 1, .draws = 1, .prediction = right};
    planted *all[] = {&with, &without};
    for (size_t k = 0; k < 2; k++) {
        pl_stability_table *t = planted_table(all[k]);
        size_t found = 0;
        for (size_t i = 0; i < t->n_remarks; i++) found += strstr(t->remarks[i], "templates: 1: states") != NULL;
        assert_int_equal(found, k == 0);
        for (size_t i = 0; i < t->n; i++) assert_string_equal(t->rows[i].layer, "");
        pl_stability_free(t);
        uproot(all[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rogue), cmocka_unit_test(test_length),
                                       cmocka_unit_test(test_one_template)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
