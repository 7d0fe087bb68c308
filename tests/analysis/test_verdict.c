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
        .n_looks = 1,
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

/* A look that stopped a run has the prompt side alone; its p, and those of a run that looked, are as many times as
 * large as there are looks. What a look is enough by, Holm rejects beside any others. */
static void test_looks(void **state)
{
    (void)state;
    enum { N = 4 };
    pl_verdict verdicts[N];
    double p[N], adjusted[N];
    pl__case cases[N] = {make_case(.70, .80, .10, .02), make_case(.70, NAN, NAN, .02), make_case(.655, NAN, NAN, .02),
                         make_case(.70, NAN, NAN, .02)};
    for (size_t i = 0; i < N; i++) {
        cases[i].n_looks = 3;
        cases[i].stopped = i > 0;
        cases[i].sd_p = i == 3 ? 0.02 : 1e-9;
    }
    OK(pl__verdicts(verdicts, p, adjusted, cases, N));
    assert_close(p[0], 6 * pl_student_tail(5, 20), 1e-14);
    assert_close(p[1], 3 * pl_student_tail(5, 20), 1e-14); /* .10/.02 */
    assert_close(p[2], 3 * pl_student_tail(2.75, 20), 1e-14);
    assert_close(p[3], 3 * 0.02, 1e-14); /* its templates may differ too much */
    assert_true(verdicts[0] == PL_FINETUNE && verdicts[1] == PL_PROMPT && verdicts[3] == PL_UNDECIDED);
    assert_true(p[2] > 0.05 / N && p[2] < 0.05 / 2); /* two of the four are not rejected: Holm's factor for it is 2 */
    assert_int_equal(verdicts[2], PL_PROMPT);
    /* A claim by .05 with one look is none with four. */
    pl__case c = make_case(.70, .80, .05, .02);
    OK(pl__verdicts(verdicts, p, adjusted, &c, 1));
    assert_int_equal(verdicts[0], PL_FINETUNE);
    c.n_looks = 4;
    OK(pl__verdicts(verdicts, p, adjusted, &c, 1));
    assert_int_equal(verdicts[0], PL_UNDECIDED);
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
    /* Bounds of NEITHER are 97.5 % ones, of however many cases. */
    c = make_case(.57, .57, .0, .01);
    o = pl__outlook_of(&c, 0.025 / 100);
    assert_int_equal(o.towards, PL_NEITHER);
    assert_true(o.together > 1 && o.together == pl__outlook_of(&c, 0.025).together);
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
    assert_close(r->baseline, 0.6, 1e-15);
    assert_string_equal(r->baseline_of, "commonest label");
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

static void write_sidecar(const planted *p, const char *id, const char *json)
{
    char path[PL_PATH_MAX];
    OK(pl_path(path, "%s/units/%s.json", p->run.path, id));
    OK(pl_file_replace(path, json, strlen(json)));
}

/* One draw of shots tells nothing of others, as many as the other side has; no shots are the same in all of them. */
static void test_one_draw(void **state)
{
    (void)state;
    planted p = {.n = N, .t = T, .draws = 4, .learned = 3, .tuned = true, .shots = true, .prediction = better_tuned};
    pl_arms_table *t;
    for (int shots = 1; shots >= 0; shots--) {
        p.shots = shots;
        plant_run(&p);
        OK(pl_arms_of_run(&t, planted_view(&p)));
        assert_int_equal(t->verdicts->prompt.n_draws, 1);
        assert_int_equal(t->verdicts->difference.over_draws, !shots);
        assert_true((strncmp(t->verdicts->why, "under three draws", 17) == 0) == shots);
        assert_true(isnan(t->verdicts->p) == shots);
        pl_arms_free(t);
        uproot(&p);
    }
}

/* Where the commonest label is none, or tells nothing: chance, or no default. */
static void test_required(void **state)
{
    (void)state;
    planted p = {
        .n = N, .t = T, .draws = DRAWS, .learned = 3, .tuned = true, .own_choices = true, .prediction = better_tuned};
    pl_arms_table *t;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    const pl_verdict_row *r = t->verdicts;
    assert_string_equal(r->baseline_of, "chance");
    assert_close(r->baseline, 0.5, 1e-15);
    assert_close(r->require, 0.6, 1e-15);
    assert_int_equal(r->verdict, PL_FINETUNE);
    for (size_t i = 0; i < t->n; i++) {
        assert_string_not_equal(t->rows[i].arm, "constant");
        assert_int_equal(t->rows[i].n_failed, 0);
    }
    pl_arms_free(t);
    uproot(&p);
    p.own_choices = false;
    p.open = p.generate = true;
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    r = t->verdicts;
    assert_non_null(strstr(r->why, "name verdict.require"));
    assert_true(isnan(r->require) && isnan(r->baseline) && isnan(r->p) && r->verdict == PL_UNDECIDED);
    for (size_t i = 0; i < t->n; i++) {
        assert_string_not_equal(t->rows[i].arm, "constant");
        assert_false(t->rows[i].learns);
    }
    pl_arms_free(t);
    uproot(&p);
    p.verdict = json_pack("{s:f}", "require", .7);
    plant_run(&p);
    OK(pl_arms_of_run(&t, planted_view(&p)));
    assert_string_equal(t->verdicts->why, "");
    assert_int_equal(t->verdicts->verdict, PL_FINETUNE);
    pl_arms_free(t);
    uproot(&p);
    json_decref(p.verdict);
}

/* 70 tokens a draw, 40 of them dev items: 3 x (3 x 30 + 40) pay back by 2 an item. */
static void test_break_even(void **state)
{
    (void)state;
    planted p = {.n = N,
                 .t = T,
                 .draws = DRAWS,
                 .learned = 3,
                 .tuned = true,
                 .dev_accuracy = .9,
                 .dev_tokens = 40,
                 .prediction = better_tuned};
    pl_arms_table *t;
    char id[64], json[96];
    plant_run(&p);
    for (size_t d = 0; d < DRAWS; d++)
        for (size_t k = 0; k < T; k++) {
            planted_id(id, k, d, false);
            snprintf(json, sizeof json, "{\"items\": %d, \"tokens_computed\": %d}", N, (d < 3 ? 12 : 10) * N);
            write_sidecar(&p, id, json);
        }
    write_sidecar(&p, "a-fit", "{\"tokens_computed\": 70, \"wall_s\": 2.5}");
    OK(pl_arms_of_run(&t, planted_view(&p)));
    assert_close(t->verdicts->break_even, 195, 1e-9);
    pl_arms_free(t);
    uproot(&p);
}

/* ---- a choice among arms that lack draws ---- */

enum { ITEMS = 10, MOST = 4 };

static bool any_condition(const pl__condition *c)
{
    (void)c;
    return true;
}

/* All items right in a draw, or none. */
static pl__condition drawn(const pl_run_unit *unit, long long *names, const int *right, size_t n_draws,
                           double correct[MOST * ITEMS])
{
    static size_t kept[ITEMS], same[1];
    static pl_role roles[] = {PL_ROLE_ID};
    for (size_t i = 0; i < ITEMS; i++) kept[i] = i;
    for (size_t i = 0; i < n_draws * ITEMS; i++) correct[i] = right[i / ITEMS];
    return (pl__condition){.unit = unit,
                           .n = ITEMS,
                           .t = 1,
                           .n_draws = n_draws,
                           .sampled = unit->k > 0,
                           .draws = names,
                           .roles = roles,
                           .same = same,
                           .kept = kept,
                           .n_kept = ITEMS,
                           .correct = correct};
}

/* Draws are told by their names. Without draw 0 the second arm is better, without any other the first: both have draws
 * 0 and 1. */
static void test_unequal_draws(void **state)
{
    (void)state;
    pl_run_unit units[2] = {{.k = 1}, {.k = 2}};
    long long first[] = {0, 1, 3}, second[] = {0, 1, 2};
    const int right[] = {1, 1, 0}, other[] = {0, 1, 1};
    double correct[2][MOST * ITEMS];
    const double *told[2] = {0};
    pl__condition list[2] = {drawn(&units[0], first, right, 3, correct[0]),
                             drawn(&units[1], second, other, 3, correct[1])};
    pl__conditions of = {.list = list, .n = 2};
    pl__choice choice;
    OK(pl_arena_create(&of.arena));
    OK(pl__choose(&choice, &of, any_condition, told));
    assert_ptr_equal(choice.best, &list[0]);
    assert_close(choice.share, 0.75, 1e-15);
    assert_int_equal(choice.judged.n_draws, 2);
    assert_true(choice.judged.sampled && choice.judged.draws[0] == 0 && choice.judged.draws[1] == 1);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_close(pl__condition_outcome(&choice.judged, 0, 0, i), 0, 0);
        assert_close(pl__condition_outcome(&choice.judged, 1, 0, i), 1, 0);
    }
    /* An arm without shots is the same in the draws of the other: draws 0 to 2 are judged. */
    units[0].k = 0;
    list[0] = drawn(&units[0], first, (const int[]){1}, 1, correct[0]);
    list[1] = drawn(&units[1], second, (const int[]){0, 1, 1}, 3, correct[1]);
    list[0].correct[0] = list[0].correct[1] = 0; /* .8 */
    OK(pl__choose(&choice, &of, any_condition, told));
    assert_int_equal(choice.judged.n_draws, 3);
    assert_true(choice.judged.sampled && choice.judged.draws[2] == 2);
    for (size_t i = 0; i < ITEMS; i++) { /* without draw 0 the other has 1, else .5 */
        assert_close(pl__condition_outcome(&choice.judged, 0, 0, i), 0, 0);
        assert_close(pl__condition_outcome(&choice.judged, 1, 0, i), i > 1, 0);
    }
    pl_arena_free(of.arena);
}

/* Alone a template is right for half of the items or so; pairs of templates (t1 and t2, dev; t3 and t4, t5 and t6) err
 * in turn, so that together they are right for all. */
static double err_in_turn(size_t item, size_t template, size_t draw)
{
    double off = (item + template + draw) % 2 ? 3.0 : -3.0;
    return (planted_gold(item) ? 1.0 : -1.0) + (template == 0 || template > 6 ? 0.0 : off);
}

/* An ensemble is chosen, judged, and pays for a prompt under each of the five ood templates. */
static void test_ensemble(void **state)
{
    (void)state;
    planted p = {.n = N,
                 .t = T,
                 .dev = 2,
                 .draws = DRAWS,
                 .learned = 3,
                 .tuned = true,
                 .free_margin = .1,
                 .dev_tokens = 40,
                 .margin = err_in_turn,
                 .prediction = better_tuned};
    pl_arms_table *t;
    char id[64], json[96];
    plant_run(&p);
    for (size_t d = 0; d < 3; d++)
        for (size_t k = 3; k < T; k++) {
            planted_id(id, k, d, false);
            snprintf(json, sizeof json, "{\"items\": %d, \"tokens_computed\": %d}", N, 12 * N);
            write_sidecar(&p, id, json);
        }
    OK(pl_arms_of_run(&t, planted_view(&p)));
    const pl_verdict_row *r = t->verdicts;
    assert_string_equal(r->prompt.arm, "prompt ensembled");
    assert_string_equal(r->prompt.row, "prompt calibrated");
    assert_close(r->prompt.accuracy.value, 1, 1e-12);
    assert_close(r->prompt.item_tokens, 60, 1e-12);
    assert_true(r->prompt.accuracy.over_templates && r->prompt.accuracy.lo > .9);
    assert_string_equal(r->hindsight, "");
    for (size_t i = 0; i < t->n; i++) assert_null(strstr(t->rows[i].arm, "ensembled"));
    pl_arms_free(t);
    uproot(&p);
}

/* Two arms that are equally good under dev templates, each in its own folds of the items, so that judged answers are of
 * both; their ood templates' effects are opposite. The SD of a look is that of the arm alone. */
static void test_look_at_one_arm(void **state)
{
    enum { ITEMS = 100, TEMPLATES = 9, FOLD_COUNT = 5 };
    static const char *const names[TEMPLATES] = {"d", "a", "b", "c", "e", "f", "g", "h", "i"};
    static pl_role roles[TEMPLATES];
    static size_t same[TEMPLATES], kept[ITEMS];
    static double correct[2][TEMPLATES * ITEMS];
    static const double *told[2];
    static long long first_draw[1];
    const pl_run_unit units[2] = {
        {.model = "m", .task = "t", .readout = "r", .arm = "prompt", .kind = "prompt", .labels = "", .head = ""},
        {.model = "m",
         .task = "t",
         .readout = "r",
         .arm = "prompt",
         .kind = "prompt",
         .labels = "",
         .head = "",
         .k = 4}};
    pl__condition list[2];
    pl__conditions of = {.list = list, .n = 2, .n_shared = ITEMS, .n_largest = ITEMS};
    const pl__verdict_rules rules = {
        .require = 0.5, .margin = 0.03, .n_looks = 2, .n_rows = 1, .stopped = "prompt", .template_sd_max = 0.5};
    pl_verdict_row both, alone;
    (void)state;
    OK(pl_arena_create(&of.arena));
    for (size_t k = 0; k < TEMPLATES; k++) {
        roles[k] = k ? PL_ROLE_OOD : PL_ROLE_DEV;
        same[k] = k;
    }
    for (size_t i = 0; i < ITEMS; i++) kept[i] = i;
    for (size_t a = 0; a < 2; a++) {
        for (size_t i = 0; i < ITEMS; i++) {
            correct[a][i] = a ? i % FOLD_COUNT >= 3 : i % FOLD_COUNT < 2;
            for (size_t k = 1; k < TEMPLATES; k++)
                correct[a][k * ITEMS + i] = (i * 7 + k * 13) % 10 < ((k < 5) == (a == 0) ? 9 : 4);
        }
        list[a] = (pl__condition){.unit = &units[a],
                                  .n = ITEMS,
                                  .t = TEMPLATES,
                                  .n_draws = 1,
                                  .n_largest = ITEMS,
                                  .templates = (const char **)(uintptr_t)names,
                                  .roles = roles,
                                  .same = same,
                                  .draws = first_draw,
                                  .n_commonest = ITEMS / 2,
                                  .n_kept = ITEMS,
                                  .kept = kept,
                                  .correct = correct[a]};
    }
    OK(pl__verdict_row(&both, &of, told, &rules));
    assert_int_equal(both.prompt.n_candidates, 2);
    assert_true(both.prompt.chosen_share > 0.2 && both.prompt.chosen_share < 0.8);
    of.list = list + (both.prompt.k != 0);
    of.n = 1;
    OK(pl__verdict_row(&alone, &of, told, &rules));
    assert_true(alone.look.template_sd > 0.2);
    assert_true(both.look.template_sd == alone.look.template_sd &&
                both.look.template_sd_hi == alone.look.template_sd_hi &&
                both.look.template_sd_p == alone.look.template_sd_p);
    pl_arena_free(of.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule),         cmocka_unit_test(test_looks),      cmocka_unit_test(test_look_at_one_arm),
        cmocka_unit_test(test_outlook),      cmocka_unit_test(test_run),        cmocka_unit_test(test_one_draw),
        cmocka_unit_test(test_required),     cmocka_unit_test(test_break_even), cmocka_unit_test(test_ensemble),
        cmocka_unit_test(test_unequal_draws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
