/* Logistic regression on the chosen device: scikit-learn's coefficients, probabilities, held-out losses and choice;
 * sets together; folds; bad input. */
#include "statistics/golden.h"

#include <string.h>

#include "base/random.h"
#include "device/chosen.h"
#include "measure/logistic.h"

static pl_processor processor;

static json_t *golden_logistic(void)
{
    json_t *root = NULL;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/measure/logistic.json", 1 << 20));
    return root;
}

static size_t count(const json_t *object, const char *key)
{
    return (size_t)number(member(object, key));
}

/* The formula of make_logistic.py. */
static pl_labelled states(size_t n, size_t width, size_t n_classes)
{
    float *x = calloc(n * width, sizeof *x);
    size_t *classes = calloc(n, sizeof *classes);
    assert_true(x && classes);
    for (size_t i = 0; i < n; i++) {
        classes[i] = i * 7 % n_classes;
        for (size_t j = 0; j < width; j++) {
            uint32_t v = (uint32_t)(i * 73856093) ^ (uint32_t)(j * 19349663);
            v = (v ^ (v >> 13)) * 1274126177u;
            v ^= v >> 16;
            double value = ((double)(v % 256) - 128.0) / 64.0 + ((classes[i] + j) % n_classes == 0 ? 0.5 : 0.0);
            x[i * width + j] = (float)(j == 3 ? 300.0 + 40.0 * value : j == 5 ? 1.5 : value);
        }
    }
    return (pl_labelled){n, width, n_classes, x, classes};
}

static void states_free(pl_labelled *rows)
{
    free((void *)rows->x);
    free((void *)rows->classes);
}

/* |ours - theirs| against the largest of theirs: what 1e-8 of the norm means. */
static void assert_array(const double *ours, const json_t *theirs, double tolerance)
{
    size_t n = json_array_size(theirs);
    double largest = 0.0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(element(theirs, i)));
    for (size_t i = 0; i < n; i++)
        if (!(fabs(ours[i] - element(theirs, i)) <= tolerance * largest))
            fail_msg("%zu: %.17g is not %.17g within %g of %g", i, ours[i], element(theirs, i), tolerance, largest);
}

/* Both sides stand within about 1e-10 of the optimum; 1e-8 is what is promised. */
static void test_fits(void **state)
{
    (void)state;
    json_t *root = golden_logistic(), *fit = NULL;
    size_t at = 0;
    json_array_foreach(member(root, "fits"), at, fit)
    {
        size_t k = count(fit, "n_classes"), n = count(fit, "n"), width = count(fit, "width");
        pl_labelled rows = states(n, width, k);
        pl_logistic model;
        OK(pl_logistic_fit(&model, &processor, &rows, json_is_true(member(fit, "standardise")),
                           number(member(fit, "strength"))));
        assert_true(model.n_classes == k && model.width == width);
        for (size_t d = 0; k == 2 && d < width; d++) assert_true(model.coef[d] == 0.0);
        assert_true(k > 2 || model.intercept[0] == 0.0);
        double mean = 0.0;
        for (size_t c = 0; k > 2 && c < k; c++) mean += model.intercept[c] / (double)k;
        for (size_t c = 0; c < k; c++) model.intercept[c] -= mean;
        assert_array(model.coef + (k == 2 ? width : 0), member(fit, "coef"), 1e-8);
        assert_array(model.intercept + (k == 2), member(fit, "intercept"), 1e-8);
        double *log_probs = calloc(n * k, sizeof *log_probs);
        assert_non_null(log_probs);
        pl_logistic_predict(log_probs, &model, rows.x, n);
        for (size_t i = 0; i < n * k; i++) log_probs[i] = exp(log_probs[i]);
        assert_array(log_probs, member(fit, "probabilities"), 1e-8);
        free(log_probs);
        pl_logistic_free(&model);
        states_free(&rows);
    }
    assert_true(at == 7);
    json_decref(root);
}

static void test_choices(void **state)
{
    (void)state;
    json_t *root = golden_logistic(), *choice = NULL, *grid = member(root, "strengths");
    double strengths[7], losses[7];
    size_t at = 0;
    for (size_t s = 0; s < 7; s++) strengths[s] = element(grid, s);
    json_array_foreach(member(root, "choices"), at, choice)
    {
        size_t n = count(choice, "n"), folds[80], best = 0;
        pl_labelled rows = states(n, count(choice, "width"), count(choice, "n_classes"));
        for (size_t i = 0; i < n; i++) folds[i] = (size_t)element(member(choice, "folds"), i);
        assert_int_equal(pl_logistic_losses(losses, &processor, &rows, 1, json_is_true(member(choice, "standardise")),
                                            strengths, 7, folds, count(choice, "n_folds")),
                         PL_OK);
        assert_array(losses, member(choice, "losses"), 1e-8);
        for (size_t s = 1; s < 7; s++)
            if (losses[s] < losses[best]) best = s;
        assert_true(strengths[best] == number(member(choice, "chosen")));
        states_free(&rows);
    }
    assert_true(at == 3);
    json_decref(root);
}

static pl_status fit_best(pl_logistic *out, double *losses, const pl_labelled *rows, const size_t *cluster,
                          const pl_logistic_grid *grid)
{
    size_t set = 7;
    pl_status status = pl_logistic_fit_best(out, &set, losses, &processor, rows, 1, cluster, true, grid);
    assert_true(status != PL_OK || set == 0);
    return status;
}

/* The choice is the minimum of the losses over the folds of its seed; other seeds give other folds. */
static void test_fit_best(void **state)
{
    (void)state;
    const double strengths[] = {1e-3, 1e-1, 10.0};
    pl_labelled rows = states(60, 80, 2);
    pl_logistic_grid grid = {strengths, 3, 5, 11};
    pl_logistic best, plain;
    double losses[3], again[3], other[3];
    size_t folds[60], least = 0;
    OK(fit_best(&best, losses, &rows, NULL, &grid));
    OK(pl_folds(folds, rows.classes, 2, NULL, 60, 5, 11));
    OK(pl_logistic_losses(again, &processor, &rows, 1, true, strengths, 3, folds, 5));
    assert_memory_equal(losses, again, sizeof losses);
    for (size_t s = 1; s < 3; s++)
        if (losses[s] < losses[least]) least = s;
    assert_true(best.strength == strengths[least]);
    OK(pl_logistic_fit(&plain, &processor, &rows, true, best.strength));
    assert_memory_equal(plain.coef, best.coef, 2 * 80 * sizeof *plain.coef);
    pl_logistic_free(&plain);
    pl_logistic_free(&best);
    grid.seed = 12;
    OK(fit_best(&best, other, &rows, NULL, &grid));
    assert_true(memcmp(losses, other, sizeof losses) != 0);
    pl_logistic_free(&best);
    grid.n_strengths = 1; /* no folds are needed */
    grid.n_folds = 0;
    OK(fit_best(&best, losses, &rows, NULL, &grid));
    assert_true(best.strength == 1e-3 && isnan(losses[0]));
    pl_logistic_free(&best);
    states_free(&rows);
}

/* Sets together have the bits of each alone; the one of least loss is fitted, of equals the first. */
static void test_sets(void **state)
{
    (void)state;
    enum { SETS = 3, STRENGTHS = 3 };
    const double strengths[STRENGTHS] = {1e-3, 1e-1, 10.0};
    const pl_logistic_grid grid = {strengths, STRENGTHS, 5, 11};
    const size_t widths[SETS] = {7, 20, 20};
    pl_labelled sets[SETS];
    pl_logistic best, alone;
    double losses[SETS * STRENGTHS], own[STRENGTHS];
    size_t chosen = SETS, least = 0;
    for (size_t i = 0; i < SETS; i++) sets[i] = states(60, widths[i], 2);
    OK(pl_logistic_fit_best(&best, &chosen, losses, &processor, sets, SETS, NULL, true, &grid));
    for (size_t i = 0; i < SETS; i++) {
        OK(fit_best(&alone, own, &sets[i], NULL, &grid));
        assert_memory_equal(losses + i * STRENGTHS, own, sizeof own);
        if (i == chosen) assert_memory_equal(alone.coef, best.coef, 2 * widths[i] * sizeof *best.coef);
        pl_logistic_free(&alone);
    }
    for (size_t at = 1; at < SETS * STRENGTHS; at++)
        if (losses[at] < losses[least]) least = at;
    assert_true(chosen == least / STRENGTHS && best.strength == strengths[least % STRENGTHS] && chosen != 2);
    pl_logistic_free(&best);
    for (size_t i = 0; i < SETS; i++) states_free(&sets[i]);
}

/* Single rows are spread evenly, class by class; clusters stay whole; the same seed gives the same folds. */
static void test_folds(void **state)
{
    (void)state;
    enum { N = 103, FOLDS = 5, CLASSES = 3 };
    size_t classes[N], cluster[N], folds[N], again[N], counts[FOLDS][CLASSES] = {{0}}, totals[CLASSES] = {0};
    for (size_t i = 0; i < N; i++) totals[classes[i] = i % 7 < 4 ? 0 : i % 7 < 6 ? 1 : 2]++;
    OK(pl_folds(folds, classes, CLASSES, NULL, N, FOLDS, 1));
    OK(pl_folds(again, classes, CLASSES, NULL, N, FOLDS, 1));
    assert_memory_equal(folds, again, sizeof folds);
    OK(pl_folds(again, classes, CLASSES, NULL, N, FOLDS, 2));
    assert_true(memcmp(folds, again, sizeof folds) != 0);
    for (size_t i = 0; i < N; i++) counts[folds[i]][classes[i]]++;
    for (size_t f = 0; f < FOLDS; f++)
        for (size_t c = 0; c < CLASSES; c++)
            assert_true(counts[f][c] == totals[c] / FOLDS || counts[f][c] == totals[c] / FOLDS + 1);
    size_t by_fold[FOLDS] = {0}, fold_of[30];
    for (size_t i = 0; i < N; i++) cluster[i] = 1000 + i * i % 30;
    for (size_t c = 0; c < 30; c++) fold_of[c] = FOLDS;
    OK(pl_folds(folds, classes, CLASSES, cluster, N, FOLDS, 1));
    for (size_t i = 0; i < N; i++) {
        size_t *own = &fold_of[cluster[i] - 1000];
        assert_true(*own == FOLDS || *own == folds[i]);
        *own = folds[i];
        by_fold[folds[i]]++;
    }
    for (size_t f = 0; f < FOLDS; f++) assert_true(by_fold[f] > 10);
    assert_int_equal(pl_folds(folds, classes, CLASSES, NULL, N, 1, 1), PL_E_INPUT);
}

/* A copy of a row in another fold would tell its class: with clusters kept whole it cannot. Every row stands twice with
 * a class of its own that the states do not know, so the best that a fair choice can do is chance. */
static void test_clusters_do_not_leak(void **state)
{
    (void)state;
    enum { N = 80, WIDTH = 100 };
    float x[N * WIDTH];
    size_t classes[N], cluster[N];
    for (size_t i = 0; i < N; i++) {
        classes[i] = i / 2 % 2;
        cluster[i] = i / 2;
        for (size_t d = 0; d < WIDTH; d++)
            x[i * WIDTH + d] = (float)pl_random_normal(5, PL_RANDOM_TEST, (uint32_t)(i / 2), d);
    }
    pl_labelled rows = {N, WIDTH, 2, x, classes};
    const double strengths[] = {1e-5, 0.1};
    pl_logistic_grid grid = {strengths, 2, 8, 3};
    double whole[2], torn[2];
    pl_logistic model;
    OK(fit_best(&model, whole, &rows, cluster, &grid));
    assert_true(model.strength == 1e-5 && whole[1] > log(2.0));
    pl_logistic_free(&model);
    OK(fit_best(&model, torn, &rows, NULL, &grid));
    assert_true(model.strength == 0.1 && torn[1] < 0.6 * log(2.0));
    pl_logistic_free(&model);
}

static void assert_no_fit(const pl_labelled *rows, pl_status code, const char *words)
{
    pl_logistic model;
    assert_int_equal(pl_logistic_fit(&model, &processor, rows, true, 1.0), code);
    if (!strstr(pl_error_text(), words)) fail_msg("'%s' does not say '%s'", pl_error_text(), words);
    assert_null(model.coef);
}

static void test_bad_input(void **state)
{
    (void)state;
    float x[] = {1.0f, 2.0f, 3.0f, 5.0f, 8.0f, 13.0f, 21.0f, 34.0f};
    size_t classes[] = {0, 1, 0, 1}, one[] = {1, 1, 1, 1}, hole[] = {0, 2, 0, 2};
    pl_labelled rows = {4, 2, 2, x, classes};
    pl_logistic model;
    const double down[] = {1.0, 0.1}, zero[] = {0.0, 1.0}, grid_of_two[] = {0.1, 1.0};
    double losses[2];
    assert_no_fit(&(pl_labelled){4, 2, 2, x, one}, PL_E_INPUT, "all 4 rows are of one class");
    assert_no_fit(&(pl_labelled){4, 2, 3, x, hole}, PL_E_INPUT, "class 1 of 3 has no row");
    assert_no_fit(&(pl_labelled){1, 2, 2, x, classes}, PL_E_INPUT, "1 rows for 2 classes");
    assert_no_fit(&(pl_labelled){4, 2, 1, x, classes}, PL_E_INPUT, "at least 2");
    const double bad[] = {0.0, -1.0, NAN, INFINITY};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pl_logistic_fit(&model, &processor, &rows, true, bad[i]), PL_E_INPUT);
    pl_logistic_grid grid = {down, 2, 2, 0};
    assert_int_equal(fit_best(&model, losses, &rows, NULL, &grid), PL_E_INPUT);
    grid.strengths = zero;
    assert_int_equal(fit_best(&model, losses, &rows, NULL, &grid), PL_E_INPUT);
    /* Two rows in two folds: each fold would be fitted on one class. */
    grid.strengths = grid_of_two;
    rows.n = 2;
    assert_int_equal(fit_best(&model, losses, &rows, NULL, &grid), PL_E_INPUT);
    assert_non_null(strstr(pl_error_text(), "no fold"));
    rows.n = 4;
    x[5] = NAN;
    assert_no_fit(&rows, PL_E_NOT_FINITE, "row 2, feature 1");
    x[5] = INFINITY;
    assert_no_fit(&rows, PL_E_NOT_FINITE, "row 2, feature 1");
}

/* Rows that are all alike, and rows that no line divides, have an optimum too. */
static void test_degenerate(void **state)
{
    (void)state;
    float same[12] = {0}, twins[] = {1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 3, 4};
    size_t classes[] = {0, 1, 0, 1, 1, 1};
    double log_probs[12];
    pl_logistic model;
    for (size_t i = 0; i < 12; i++) same[i] = 7.0f;
    OK(pl_logistic_fit(&model, &processor, &(pl_labelled){6, 2, 2, same, classes}, true, 1e4));
    pl_logistic_predict(log_probs, &model, same, 6);
    assert_close(exp(log_probs[1]), 4.0 / 6.0, 1e-9); /* the share: the intercept is free */
    pl_logistic_free(&model);
    OK(pl_logistic_fit(&model, &processor, &(pl_labelled){6, 2, 2, twins, classes}, true, 1e6));
    pl_logistic_predict(log_probs, &model, twins, 6);
    assert_close(exp(log_probs[1]), 0.5, 1e-5); /* nearly unpenalised: the shares of the two places */
    assert_close(exp(log_probs[5]), 0.75, 1e-5);
    pl_logistic_free(&model);
}

static int open_device(void **state)
{
    (void)state;
    OK(pl_processor_open(&processor, chosen_device(), 0));
    return 0;
}

static int close_device(void **state)
{
    (void)state;
    pl_processor_close(&processor);
    return 0;
}

int main(void)
{
    const int missing = device_missing();
    if (missing) return missing;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),      cmocka_unit_test(test_choices),
        cmocka_unit_test(test_fit_best),  cmocka_unit_test(test_sets),
        cmocka_unit_test(test_folds),     cmocka_unit_test(test_clusters_do_not_leak),
        cmocka_unit_test(test_bad_input), cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
