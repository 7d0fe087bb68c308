/* The verdict: its rule on intervals made by hand, and the verdicts of planted runs. */
#include "analysis/planted_run.h"

#include "analysis/arms.h"
#include "statistics/golden.h"
#include "statistics/interval.h"

/* As of a study with 100 clusters, 8 templates and 5 draws; shares of the variance. */
static pl_crossed interval(double centre, double se, double items, double templates)
{
    pl_crossed c = {.value = centre,
                    .centre = centre,
                    .se = se,
                    .df = 20,
                    .variance = {items * se * se, templates * se * se, (1 - items - templates) * se * se},
                    .variance_df = {99, 7, 4}};
    c.lo = pl_crossed_bound(&c, 0.025);
    c.hi = pl_crossed_bound(&c, 0.975);
    return c;
}

static pl__case make_case(double prompted, double tuned, double difference, double se)
{
    return (pl__case){
        .of = {interval(prompted, 0.02, .5, .3), interval(tuned, 0.02, .5, .3), interval(difference, se, .2, .6)},
        .require = 0.6,
        .margin = 0.03,
        .sound = true};
}

static void test_rule(void **state)
{
    (void)state;
    pl__case cases[] = {
        make_case(.70, .80, .10, .02),    /* more by .10 */
        make_case(.70, .715, .015, .002), /* more, and by less than the margin: both claims hold */
        make_case(.70, .65, -.05, .02),   /* prompting is enough */
        make_case(.50, .52, .02, .02),    /* neither reaches .6 */
        make_case(.62, .70, .08, .02),    /* tuned reaches it for sure */
        make_case(.62, .61, -.05, .02),   /* prompted may not */
        make_case(.70, .80, .10, .05),    /* too wide */
        make_case(.70, .80, .10, .02),
    };
    enum { N = sizeof cases / sizeof *cases };
    static const pl_verdict expected[N] = {PL_FINETUNE, PL_PROMPT,    PL_PROMPT,    PL_NEITHER,
                                           PL_FINETUNE, PL_UNDECIDED, PL_UNDECIDED, PL_UNDECIDED};
    pl_verdict verdicts[N];
    double p[N], adjusted[N];
    cases[N - 1].sound = false;
    for (size_t i = 0; i < N; i++) { /* each alone */
        OK(pl__verdicts(&verdicts[i], &p[i], &adjusted[i], &cases[i], 1));
        if (verdicts[i] != expected[i]) fail_msg("case %zu: %s", i, pl_verdict_name(verdicts[i]));
    }
    assert_close(p[0], 2 * pl_student_tail(5, 20), 1e-14); /* .20/.02 and .10/.02 */
    assert_close(p[2], 2 * pl_student_tail(4, 20), 1e-14); /* .08/.02 */
    assert_close(p[5], 2 * pl_student_tail(1, 20), 1e-14); /* .02/.02 */
    assert_close(p[6], 2 * pl_student_tail(2, 20), 1e-14);
    assert_true(p[3] == 1 && isnan(p[7]) && isnan(adjusted[7]));
    /* Together: Holm over seven. */
    OK(pl__verdicts(verdicts, p, adjusted, cases, N));
    for (size_t i = 0; i < N; i++)
        if (verdicts[i] != expected[i]) fail_msg("case %zu together: %s", i, pl_verdict_name(verdicts[i]));
    assert_true(adjusted[0] > 3 * p[0] && adjusted[0] <= 7 * p[0]);
    /* A p that one study would reject by, seven do not. */
    cases[0] = make_case(.70, .80, .05, .02);
    OK(pl__verdicts(verdicts, p, adjusted, cases, 1));
    assert_int_equal(verdicts[0], PL_FINETUNE);
    for (size_t i = 1; i < N; i++) cases[i] = cases[5];
    OK(pl__verdicts(verdicts, p, adjusted, cases, N));
    assert_int_equal(verdicts[0], PL_UNDECIDED);
    assert_close(adjusted[0], N * p[0], 1e-13);
}

/* The bound of the difference in a study with `times` as many of each: se^2 over times, df by Satterthwaite. */
static double bound_at(const pl__case *c, const double times[3])
{
    pl_crossed larger = pl_crossed_larger(&c->of[PL__DIFFERENCE], times);
    return larger.centre - pl_student_quantile(0.975, larger.df) * larger.se;
}

static void test_outlook(void **state)
{
    (void)state;
    pl__case c = make_case(.70, .80, .10, .06);
    pl__outlook o = pl__outlook_of(&c, 0.025);
    assert_int_equal(o.towards, PL_FINETUNE);
    assert_int_equal(o.bound, PL__DIFFERENCE);
    assert_int_equal(o.component, 1);
    assert_close(o.share, 0.6, 1e-12);
    const double all[] = {o.together, o.together, o.together}, alone[] = {1, o.alone, 1};
    assert_true(o.together > 1.1 && o.alone > o.together);
    assert_true(bound_at(&c, all) > 0 && bound_at(&c, alone) > 0);
    const double fewer[] = {o.together / 1.02, o.together / 1.02, o.together / 1.02}, less[] = {1, o.alone / 1.02, 1};
    assert_true(bound_at(&c, fewer) <= 0 && bound_at(&c, less) <= 0);
    /* What is short is the accuracy that is required; templates alone leave .7 of its variance. */
    c = make_case(.61, .55, -.05, .01);
    o = pl__outlook_of(&c, 0.025);
    assert_int_equal(o.towards, PL_PROMPT);
    assert_int_equal(o.bound, PL__PROMPTED);
    assert_int_equal(o.component, 0);
    assert_true(isnan(o.alone) && o.together > 10);
    /* On the line: no size decides. */
    c = make_case(.60, .60, .0, .01);
    assert_int_equal(pl__outlook_of(&c, 0.025).towards, PL_UNDECIDED);
}

enum { N = 60, T = 8, DRAWS = 6 };

/* Prompted .6 right or so, tuned .95. */
static int better_tuned(size_t item, size_t template, size_t draw)
{
    size_t wrong = draw < 3 ? 7 : 1;
    return (item * 7 + template * 3 + draw * 5) % 17 < wrong ? !planted_gold(item) : planted_gold(item);
}

/* By their scores the answers under ood templates (t3 to t7) are right, under dev ones label 0 is all there is. */
static double good_out_there(size_t item, size_t template, size_t draw)
{
    (void)draw;
    return template <3 || !planted_gold(item) ? -1 : 1;
}

/* Draws 0 and 2, arm "even": wrong under dev templates, right under ood ones (t3 to t7); draw 1 the other way round. */
static int better_out_there(size_t item, size_t template, size_t draw)
{
    bool right = draw >= 3 || (template <3) == (draw == 1);
    return right ? planted_gold(item) : !planted_gold(item);
}

static void check_row(const pl_verdict_row *r)
{
    assert_string_equal(r->tuned.arm, "finetune lm t0 n=16");
    assert_string_equal(r->prompt.arm, "prompt");
    assert_close(r->majority, 0.6, 1e-15);
    assert_close(r->require, 0.7, 1e-15);
    assert_close(r->margin, 0.03, 1e-15);
    assert_int_equal(r->n_templates, 5);
    assert_int_equal(r->n_items, N);
    double difference = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t k = 3; k < T; k++)
            for (size_t d = 0; d < 3; d++)
                difference += (double)((better_tuned(i, k, d + 3) == planted_gold(i)) -
                                       (better_tuned(i, k, d) == planted_gold(i))) /
                              (N * 5 * 3);
    assert_close(r->difference.value, difference, 1e-12);
    double low = r->difference.centre - pl_student_quantile(0.975, r->difference.df) * r->difference.se;
    assert_true(low > 0.03 && r->tuned.accuracy.lo > 0.7);
    assert_int_equal(r->verdict, PL_FINETUNE);
    assert_true(r->clearly && r->p == r->p_adjusted && r->p < 0.05);
    assert_string_equal(r->not_tried, "shots, contextual calibration, a linear readout");
}

static void test_run(void **state)
{
    (void)state;
    planted p = {.n = N,
                 .t = T,
                 .dev = 2,
                 .draws = DRAWS,
                 .learned = 3,
                 .tuned = true,
                 .named = true,
                 .dev_accuracy = .9,
                 .prediction = better_tuned};
    pl_arms_table *t;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    assert_int_equal(t->n_verdicts, 1);
    const pl_verdict_row *r = t->verdicts;
    /* Two tuned arms with one accuracy on dev items: the first. Each has draws of its own, under three. */
    assert_string_equal(r->tuned.chosen_by, "dev items");
    assert_string_equal(r->prompt.chosen_by, "dev templates");
    assert_int_equal(r->tuned.n_candidates, 2);
    assert_int_equal(r->verdict, PL_UNDECIDED);
    assert_non_null(strstr(r->why, "under three draws"));
    assert_true(isnan(r->p) && r->outlook.towards == PL_UNDECIDED);
    pl_arms_free(t);
    uproot(&p);

    p.named = false;
    p.dev_accuracy = 0;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    check_row(t->verdicts);
    assert_string_equal(t->verdicts->tuned.chosen_by, "");
    assert_string_equal(t->verdicts->hindsight, "");
    pl_arms_free(t);
    uproot(&p);

    /* Of two prompting arms dev templates choose one; hindsight knows better. Each has under three draws. */
    p.named = true;
    p.prediction = better_out_there;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    r = t->verdicts;
    assert_string_equal(r->prompt.arm, "prompt");
    assert_string_equal(r->hindsight, "prompt:even");
    assert_true(r->difference.value > 0.3);
    assert_close(r->hindsight_difference.value, r->tuned.accuracy.value - 1, 1e-12);
    pl_arms_free(t);
    uproot(&p);
    p.named = false;
    p.prediction = better_tuned;

    /* FINE-TUNE against what dev templates choose, and not clearly: calibrated, the prompts are right under ood ones.
     */
    p.free_margin = 0.3;
    p.margin = good_out_there;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    r = t->verdicts;
    assert_string_equal(r->prompt.arm, "prompt");
    assert_string_equal(r->hindsight, "prompt calibrated");
    assert_true(r->difference.lo > r->margin && r->hindsight_difference.hi < r->margin);
    assert_true(r->verdict == PL_FINETUNE && !r->clearly);
    pl_arms_free(t);
    uproot(&p);
    p.free_margin = 0;
    p.margin = NULL;

    /* What the plan says is required decides, halved and doubled too: .6 + .28, .6 + .56 and no more than 1. */
    p.verdict = json_pack("{s:f,s:f}", "require", .999, "margin", .5);
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    r = t->verdicts;
    assert_true(r->require == .999 && r->margin == .5);
    assert_int_equal(r->verdict, PL_NEITHER);
    assert_int_equal(r->sensitivity[2], PL_FINETUNE);
    pl_arms_free(t);
    uproot(&p);
    json_decref(p.verdict);
    p.verdict = NULL;

    /* Nothing is tuned; nothing is held out. */
    p.tuned = false;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    assert_non_null(strstr(t->verdicts->why, "no arm of kind finetune"));
    pl_arms_free(t);
    uproot(&p);
    p.tuned = true;
    p.dev = T - 1;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    assert_non_null(strstr(t->verdicts->why, "no ood template"));
    pl_arms_free(t);
    uproot(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rule), cmocka_unit_test(test_outlook),
                                       cmocka_unit_test(test_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
