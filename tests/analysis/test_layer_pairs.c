/* Similarity of layers with layers, on request: what a planted run says exactly. Its layer 00 is constant, 01 and
 * final_norm are one. */
#include "analysis/planted_run.h"

#include "statistics/golden.h"

enum { N = 60, T = 3 };

static int right(size_t item, size_t template, size_t draw)
{
    (void)template;
    (void)draw;
    return planted_gold(item);
}

/* The label in one direction, and noise that templates share and draws do not. */
static float label_and_noise(size_t item, size_t template, size_t draw, size_t d)
{
    (void)template;
    double noise = 0.5 * pl_random_normal(3 + draw, PL_RANDOM_TEST, 0, item * PLANTED_WIDTH + d);
    return (float)(noise + (d ? 0.0 : planted_gold(item) ? 4.0 : -4.0));
}

static const pl_stability_row *find(const pl_stability_table *t, pl_metric_id metric, const char *contrast,
                                    const char *layer, const char *arm)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if (r->metric == metric && !strcmp(r->contrast, contrast) && !strcmp(r->layer, layer) &&
            !strncmp(r->arm, arm, strlen(arm)))
            return r;
    }
    return NULL;
}

static const pl_metric_id METRICS[] = {PL_METRIC_CKA_CAL,        PL_METRIC_MKNN_CAL,
                                       PL_METRIC_CKA_CAL_CLASS,  PL_METRIC_MKNN_CAL_CLASS,
                                       PL_METRIC_PROCRUSTES_CAL, PL_METRIC_PROCRUSTES_CAL_CLASS};

/* Equal layers have 1, constant ones nothing; mean and largest are over the pairs that are defined. */
static void test_self_and_templates(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "layer_pairs", 1);
    planted p = {
        .n = N, .t = T, .draws = 2, .prediction = right, .state = label_and_noise, .reversed = true, .analysis = asked};
    pl_stability_table *t = planted_table(&p);
    for (size_t m = 0; m < sizeof METRICS / sizeof *METRICS; m++) {
        const pl_stability_row *one = find(t, METRICS[m], "self:01", "final_norm", "prompt"),
                               *none = find(t, METRICS[m], "self:00", "01", "prompt"),
                               *mean = find(t, METRICS[m], "self:mean", "all", "prompt"),
                               *largest = find(t, METRICS[m], "templates:largest", "all", "prompt"),
                               *across = find(t, METRICS[m], "templates:final_norm", "01", "prompt");
        assert_true(one && none && mean && largest && across);
        assert_close(one->value, 1.0, 1e-12);
        assert_close(one->p, 1.0 / 201.0, 1e-12);
        assert_true(one->n == N && one->n_templates == T && one->draw == 0);
        assert_true(isnan(none->value) && !strcmp(none->why_empty, "no variance"));
        assert_true(mean->value == one->value && mean->null_q95 == one->null_q95);
        assert_close(across->value, 1.0, 1e-12); /* templates share everything */
        assert_true(across->n_templates == T && largest->value == across->value);
        assert_null(find(t, METRICS[m], "self:final_norm", "01", "prompt")); /* each pair once */
        assert_null(find(t, METRICS[m], "base:mean", "all", ""));
    }
    pl_stability_free(t);
    uproot(&p);
    json_decref(asked);
}

/* A tuned draw against the checkpoint: they share the label alone, so that permuting within labels leaves nothing. */
static void test_base(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "layer_pairs", 1);
    planted p = {.n = N,
                 .t = T,
                 .draws = 2,
                 .learned = 1,
                 .tuned = true,
                 .prediction = right,
                 .state = label_and_noise,
                 .analysis = asked};
    pl_stability_table *t = planted_table(&p);
    const pl_stability_row *free = find(t, PL_METRIC_CKA_CAL, "base:01", "01", "finetune"),
                           *within = find(t, PL_METRIC_CKA_CAL_CLASS, "base:01", "01", "finetune"),
                           *mean = find(t, PL_METRIC_CKA_CAL, "base:mean", "all", "finetune"),
                           *plain = find(t, PL_METRIC_CKA_DEBIASED, "base", "01", "finetune");
    char before[64];
    assert_true(free && within && mean && plain);
    assert_true(free->value > 0.8 && free->p == 1.0 / 201.0);
    assert_true(within->value < 0.05 && within->p > 0.02 && within->null_q95 > 0.8);
    assert_close(mean->value, free->value, 1e-12);
    snprintf(before, sizeof before, "before calibration %.4f", plain->value);
    assert_string_equal(free->note, before);
    pl_stability_free(t);
    uproot(&p);
    json_decref(asked);
}

/* Two pairs of templates that do not meet are of four. */
static void test_broken_chain(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "layer_pairs", 1);
    planted p = {.n = N, .t = 5, .draws = 1, .prediction = right, .state = label_and_noise, .analysis = asked};
    char id[64], path[PL_PATH_MAX];
    pl_stability_table *t;
    plant_run(&p);
    planted_id(id, 2, 0, false);
    OK(pl_run_folder_unit(path, &p.run, id));
    assert_int_equal(unlink(path), 0);
    OK(pl_stability_of_run(&t, planted_view(&p), NULL));
    assert_int_equal(find(t, PL_METRIC_CKA_CAL, "templates:01", "final_norm", "prompt")->n_templates, 4);
    assert_int_equal(find(t, PL_METRIC_CKA_CAL, "self:01", "final_norm", "prompt")->n_templates, 4);
    pl_stability_free(t);
    uproot(&p);
    json_decref(asked);
}

/* What a group of items shares, of one template and layer alone. */
static float group_noise(size_t item, size_t template, size_t draw, size_t d)
{
    (void)draw;
    return (float)(pl_random_normal(5, PL_RANDOM_TEST, (uint32_t) template, item / 6 * PLANTED_WIDTH + d) +
                   0.1 * pl_random_normal(6, PL_RANDOM_TEST, (uint32_t) template, item * PLANTED_WIDTH + d));
}

/* Of items in groups one of each is taken, else groups alone would be similar. */
static void test_groups(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "layer_pairs", 1);
    planted p = {
        .n = 90, .t = 2, .draws = 1, .cluster = 6, .prediction = right, .state = group_noise, .analysis = asked};
    pl_stability_table *t = planted_table(&p);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pl_stability_row *r = &t->rows[i];
        if ((r->metric != PL_METRIC_CKA_CAL && r->metric != PL_METRIC_MKNN_CAL) || !isfinite(r->value)) continue;
        assert_int_equal(r->n, 15);
        assert_non_null(strstr(r->note, "15 of 90 items, by chance, one of a group"));
        if (!strncmp(r->contrast, "templates", 9) && r->p < 0.05)
            fail_msg("%s: p %g", pl_metric_of(r->metric)->name, r->p);
        n += !strncmp(r->contrast, "templates", 9);
    }
    assert_true(n >= 4);
    pl_stability_free(t);
    uproot(&p);
    json_decref(asked);
}

/* Another model of the run stands in the contrast, once a pair of models. */
static void test_models(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "layer_pairs", 1);
    planted p = {.n = N,
                 .t = T,
                 .draws = 2,
                 .second = "other",
                 .prediction = right,
                 .state = label_and_noise,
                 .analysis = asked};
    pl_stability_table *t = planted_table(&p);
    const pl_stability_row *r = find(t, PL_METRIC_MKNN_CAL, "tiny:01", "final_norm", "prompt");
    assert_non_null(r);
    assert_string_equal(r->model, "other");
    assert_null(find(t, PL_METRIC_MKNN_CAL, "other:01", "final_norm", "prompt"));
    pl_stability_free(t);
    uproot(&p);
    json_decref(asked);
}

/* Nobody asked; too few items; items that some layer lacks. */
static void test_none(void **state)
{
    (void)state;
    json_t *asked = json_pack("{s:b}", "layer_pairs", 1);
    planted silent = {.n = N, .t = T, .draws = 1, .prediction = right, .state = label_and_noise},
            few = {.n = 3, .t = T, .draws = 1, .prediction = right, .state = label_and_noise, .analysis = asked},
            without = {.n = N, .t = T, .draws = 1, .prediction = right, .analysis = asked};
    planted *all[] = {&silent, &few, &without};
    for (size_t i = 0; i < 3; i++) {
        pl_stability_table *t = planted_table(all[i]);
        for (size_t r = 0; r < t->n; r++) assert_null(strchr(t->rows[r].contrast, ':'));
        pl_stability_free(t);
        uproot(all[i]);
    }
    json_decref(asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_self_and_templates),
                                       cmocka_unit_test(test_base),
                                       cmocka_unit_test(test_broken_chain),
                                       cmocka_unit_test(test_groups),
                                       cmocka_unit_test(test_models),
                                       cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
