/* Policies on made-up cells against scikit-learn and scipy (golden/analysis/make_policy.py), and the halves of a
 * planted run that they are decided and scored on. */
#include "analysis/planted_run.h"

#include "analysis/policy.h"
#include "analysis/policy_signal.h"
#include "base/json.h"
#include "statistics/golden.h"

static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static pl_verdict verdict_of(const char *name)
{
    for (int v = 0; v < PL_VERDICTS; v++)
        if (!strcmp(pl_verdict_name((pl_verdict)v), name)) return (pl_verdict)v;
    fail_msg("no verdict %s", name);
    return PL_UNDECIDED;
}

/* The cells are borrowed from the JSON, which must outlive them. */
static void read_cells(pl_policy_cases *out, const json_t *list)
{
    *out = (pl_policy_cases){.n = json_array_size(list)};
    OK(pl_new(&out->list, out->n));
    for (size_t i = 0; i < out->n; i++) {
        const json_t *from = json_array_get(list, i), *signals = json_object_get(from, "signals");
        pl_policy_case *c = &out->list[i];
        *c = (pl_policy_case){.model = text_at(from, "model"),
                              .task = text_at(from, "task"),
                              .readout = "loglikelihood",
                              .swapped = number_at(from, "half") > 0,
                              .wobble_lo = number_at(from, "wobble_lo"),
                              .verdict = verdict_of(text_at(from, "verdict")),
                              .why = "",
                              .has_looks = true,
                              .is_enough = json_is_true(json_object_get(from, "is_enough")),
                              .prompted = number_at(from, "prompted"),
                              .repaired = number_at(from, "repaired"),
                              .tuned = number_at(from, "tuned"),
                              .ood_flips = number_at(from, "ood_flips"),
                              .prompt_tokens = number_at(from, "prompt_tokens"),
                              .tune_tokens = number_at(from, "tune_tokens")};
        for (size_t s = 0; s < PL_SIGNALS; s++) c->signals[s] = json_number_value(json_array_get(signals, s));
    }
}

static void check_scores(const pl_policy_table *t, const json_t *expected)
{
    size_t n_p = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pl_policy_row *r = &t->rows[i];
        char key[64];
        snprintf(key, sizeof key, "%s|%s", pl_policy_names[r->policy], pl_held_out_names[r->held_out]);
        const json_t *of = json_object_get(expected, key);
        if (!of) fail_msg("no %s", key);
        double value = number_at(of, pl_policy_score_names[r->score]);
        if (isnan(value)) {
            assert_true(isnan(r->value) && *r->why_empty);
            continue;
        }
        if (fabs(r->value - value) > 1e-12)
            fail_msg("%s %s: %.15g, %.15g expected", key, pl_policy_score_names[r->score], r->value, value);
        assert_true(r->lo <= r->value && r->value <= r->hi);
        assert_string_equal(r->generalises, "tasks, models");
        if (r->score != PL_POLICY_DIFFERENCE || r->policy == PL_POLICY_VERDICT) continue;
        assert_close(r->p, number_at(of, "p"), 1e-12);
        assert_true(r->p_adjusted >= r->p);
        n_p++;
    }
    assert_int_equal(n_p, PL_POLICIES + 2 - 1);
}

static void check_signals(const pl_signal_table *t, const json_t *expected)
{
    for (size_t i = 0; i < t->n; i++) {
        const pl_signal_row *r = &t->rows[i];
        const char *outcome = pl_outcome_names[r->outcome];
        double value;
        if (!strcmp(r->statistic, "spearman")) {
            value = number_at(json_object_get(json_object_get(expected, "spearman"), outcome), r->of);
        } else {
            const json_t *of = json_object_get(json_object_get(expected, outcome), pl_held_out_names[r->held_out]);
            const json_t *more = json_object_get(of, "and representations"), *less = json_object_get(of, "behaviour");
            value = !strcmp(r->of, "increment") ? number_at(more, r->statistic) - number_at(less, r->statistic)
                                                : number_at(json_object_get(of, r->of), r->statistic);
        }
        if (!(fabs(r->value - value) < 1e-7)) /* ranks: collinear columns are held apart by 1e-9 */
            fail_msg("%s %s of %s: %.12g, %.12g expected", outcome, r->statistic, r->of, r->value, value);
        assert_true(r->lo <= r->value && r->value <= r->hi);
    }
}

/* In the first set tuning's gain follows the prompt's accuracy, in the second one the states' wobble as well. */
static void test_golden(void **state)
{
    json_t *root = NULL;
    (void)state;
    OK(pl_json_read(&root, PLUMB_SOURCE_DIR "/tests/golden/analysis/policy.json", 1 << 20));
    for (size_t s = 0; s < PL_SIGNALS; s++)
        assert_string_equal(pl_signal_names[s], json_string_value(json_array_get(json_object_get(root, "signals"), s)));
    for (size_t i = 0; i < 2; i++) {
        const json_t *set = json_array_get(json_object_get(root, "sets"), i);
        pl_policy_cases cases;
        pl_policy_table table;
        pl_signal_table signals;
        read_cells(&cases, json_object_get(set, "cells"));
        OK(pl_policies_score(&table, &cases, number_at(root, "margin")));
        check_scores(&table, json_object_get(set, "scores"));
        OK(pl_signals_judge(&signals, &cases, number_at(root, "margin")));
        check_signals(&signals, set);
        assert_true(signals.n_signals[0] == 3 && signals.n_signals[1] == 5);
        assert_int_equal(signals.promotes[PL_OUTCOME_GAIN], i == 1);
        assert_false(signals.promotes[PL_OUTCOME_FLIPS]);
        pl_signal_table_free(&signals);
        pl_policy_table_free(&table);
        pl_policy_cases_free(&cases);
    }
    json_decref(root);
}

/* What cannot be said has its reason: one task; a signal, a look or a token that is not told. */
static void test_little(void **state)
{
    pl_policy_case list[2] = {{.model = "m",
                               .task = "t",
                               .readout = "r",
                               .why = "",
                               .verdict = PL_FINETUNE,
                               .prompted = .5,
                               .repaired = .6,
                               .tuned = .7,
                               .wobble_lo = NAN,
                               .tune_tokens = NAN,
                               .prompt_tokens = NAN}};
    list[1] = list[0];
    for (size_t s = 0; s < PL_SIGNALS; s++) list[1].signals[s] = NAN;
    pl_policy_cases cases = {.list = list, .n = 2};
    pl_policy_table table;
    pl_signal_table signals;
    (void)state;
    OK(pl_policies_score(&table, &cases, 0.03));
    for (size_t i = 0; i < table.n; i++) {
        const pl_policy_row *r = &table.rows[i];
        assert_true(isnan(r->lo) && isnan(r->p) && *r->why_empty);
        bool known = !r->held_out && r->policy != PL_POLICY_WOBBLE_FIRST && r->policy != PL_POLICY_STAGED;
        if (!known || r->score == PL_POLICY_SPENT) assert_true(isnan(r->value));
        if (known && r->score == PL_POLICY_UTILITY) assert_false(isnan(r->value));
    }
    OK(pl_signals_judge(&signals, &cases, 0.03));
    for (size_t i = 0; i < signals.n; i++) assert_true(isnan(signals.rows[i].value) && *signals.rows[i].why_empty);
    assert_false(signals.promotes[PL_OUTCOME_GAIN]);
    pl_signal_table_free(&signals);
    pl_policy_table_free(&table);
    cases.n = 0;
    REFUSED(pl_policies_score(&table, &cases, 0.03), PL_E_INPUT, "nothing to choose between");
}

/* ---- halves of a run ---- */

enum { N = 60, T = 9, DRAWS = 6, CLUSTER = 2 };

static bool tuned_is_bad, scores[N];

/* Tuned .95 right, prompted .6; where tuned is bad it is all wrong under ood templates. */
static int answer(size_t item, size_t template, size_t draw)
{
    size_t wrong = draw < 3 ? 7 : 1;
    if (tuned_is_bad && draw >= 3 && template >= 3) wrong = 17;
    return (item * 7 + template * 3 + draw * 5) % 17 < wrong ? !planted_gold(item) : planted_gold(item);
}

static planted a_run(void)
{
    return (planted){.n = N, .t = T, .dev = 2, .draws = DRAWS, .learned = 3, .tuned = true, .prediction = answer};
}

static void test_halves(void **state)
{
    planted p = a_run();
    (void)state;
    p.cluster = CLUSTER;
    plant_run(&p);
    size_t seen[2][2] = {{0}}; /* templates by half and swap */
    for (int swapped = 0; swapped < 2; swapped++) {
        pl_run_view *halves[2];
        pl__group groups[2];
        for (int h = 0; h < 2; h++) {
            pl_run_part part = {h ? PL_RUN_SCORES : PL_RUN_DECIDES, swapped};
            OK(pl_run_view_open_part(&halves[h], &p.run, part));
            assert_false(pl_run_view_is_whole(halves[h]));
            OK(pl__group_read(&groups[h], halves[h], 0));
            for (size_t k = 0; k < groups[h].members[0].t; k++) {
                size_t template = (size_t)atoi(groups[h].members[0].cells[k].unit->template_name + 1);
                seen[h][swapped] |= (size_t)1 << template;
                assert_true(h == 0 || template >= 3); /* id and dev ones decide */
            }
        }
        assert_int_equal(seen[0][swapped] & seen[1][swapped], 0);
        assert_int_equal(seen[0][swapped] | seen[1][swapped], (1 << T) - 1);
        assert_int_equal(groups[0].n + groups[1].n, N);
        assert_int_equal(groups[0].n_largest, groups[0].n);
        assert_true(groups[0].n > N / 5 && groups[1].n > N / 5);
        for (size_t i = 0; i < groups[0].n; i++)
            for (size_t j = 0; j < groups[1].n; j++)
                assert_true(groups[0].doc_id[i] / CLUSTER != groups[1].doc_id[j] / CLUSTER);
        for (int h = 0; h < 2; h++) {
            pl__group_free(&groups[h]);
            pl_run_view_close(halves[h]);
        }
    }
    assert_int_equal(seen[1][0] & seen[1][1], 0); /* the other half scores */
    assert_int_equal(seen[1][0] | seen[1][1], (1 << T) - 8);
    uproot(&p);
}

static void check_case(const pl_policy_case *c, bool bad)
{
    assert_string_equal(c->arm, "prompt");
    assert_string_equal(c->tuned_arm, "finetune lm t0 n=16");
    assert_string_equal(c->run + strlen(c->run) - 8, "01234567");
    assert_true(isnan(c->wobble_lo) || c->wobble_lo < 1);
    assert_true(c->prompted > .3 && c->prompted < .8 && c->repaired == c->prompted);
    if (bad)
        assert_true(c->tuned < .5);
    else
        assert_true(c->tuned > .8);
}

/* Ood answers of the tuned arm change: verdicts may, but under each half's own numbers only. */
static void test_cases(void **state)
{
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        planted p = a_run();
        pl_policy_cases cases = {0};
        tuned_is_bad = bad;
        plant_run(&p);
        OK(pl_policy_cases_add(&cases, &p.run));
        assert_int_equal(cases.n, 2);
        assert_int_equal(cases.n_without, 0);
        for (size_t i = 0; i < 2; i++) {
            check_case(&cases.list[i], bad);
            assert_int_equal(cases.list[i].swapped, i);
            assert_true(cases.list[i].verdict == PL_UNDECIDED || (cases.list[i].verdict == PL_FINETUNE) != bad);
            assert_false(cases.list[i].has_looks);
        }
        pl_policy_cases_free(&cases);
        uproot(&p);
    }
    tuned_is_bad = false;
}

/* Items that score are answered the other way round: what decides does not change. */
static int only_scoring_changes(size_t item, size_t template, size_t draw)
{
    return scores[item] ? !answer(item, template, draw) : answer(item, template, draw);
}

static void find_scoring(const planted *p)
{
    pl_run_view *view;
    OK(pl_run_view_open_part(&view, &p->run, (pl_run_part){PL_RUN_SCORES, false}));
    const pl_run_unit *unit = pl_run_view_unit(view, 0);
    OK(pl_run_view_take(view, unit));
    for (size_t i = 0; i < N; i++) scores[i] = pl_run_view_sees(view, unit, (int64_t)i);
    pl_run_view_release(view, unit);
    pl_run_view_close(view);
}

static void test_apart(void **state)
{
    pl_policy_case first[2];
    planted p = a_run();
    (void)state;
    p.cluster = CLUSTER;
    p.prediction = only_scoring_changes;
    for (int changed = 0; changed < 2; changed++) {
        pl_policy_cases cases = {0};
        plant_run(&p);
        OK(pl_policy_cases_add(&cases, &p.run));
        assert_int_equal(cases.n, 2);
        first[changed] = cases.list[0];
        find_scoring(&p);
        pl_policy_cases_free(&cases);
        uproot(&p);
    }
    memset(scores, 0, sizeof scores);
    for (size_t s = 0; s < PL_SIGNALS; s++) {
        double a = first[0].signals[s], b = first[1].signals[s];
        assert_true(a == b || (isnan(a) && isnan(b)));
    }
    assert_int_equal(first[0].verdict, first[1].verdict);
    assert_true(first[0].require == first[1].require && first[0].tuned > .8 && first[1].tuned < .2);
}

static void test_refused(void **state)
{
    planted p = a_run();
    pl_policy_cases cases = {0};
    char path[PL_PATH_MAX];
    (void)state;
    plant_run(&p);
    OK(pl_run_folder_unit(path, &p.run, "unit-1-0-0"));
    assert_int_equal(unlink(path), 0);
    REFUSED(pl_policy_cases_add(&cases, &p.run), PL_E_INPUT, "1 units are missing");
    pl_policy_cases_free(&cases);
    uproot(&p);
    /* A run of prompts alone has nothing to choose between. */
    p = (planted){.n = N, .t = 4, .draws = 2, .prediction = answer};
    plant_run(&p);
    OK(pl_policy_cases_add(&cases, &p.run));
    assert_int_equal(cases.n, 0);
    pl_policy_cases_free(&cases);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_little),
                                       cmocka_unit_test(test_halves), cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_apart),  cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
