/* Does the verdict err as seldom, and find as much, as it says? Simulated studies with planted differences.
 *
 * An answer of an arm is right when mu + cluster + item + template + draw + item x template + item x draw + e > 0, all
 * normal, of total variance 1: accuracy is Phi(mu), exactly. Arms share what belongs to the clusters (.20) and items
 * (.15); each has its own rest: item x template .08, item x draw .04, templates and draws of such variance that a
 * template's accuracy has an SD of .04 and a draw's (a seed's) one of .03. Items are in clusters of two, labels are two
 * of equal shares, so that .60 is required.
 *
 * Four prompting arms of equal accuracy (one without shots: it has no draws) and an ensemble of wordings with the same
 * accuracy under the ood ones together (ensemble.h; z is its margin), a linear readout that is .05 worse, two
 * tuned arms of equal accuracy, whose dev items tell a draw's accuracy with an SD of .05, and one tuned on shuffled
 * labels, at chance, whose dev items praise it: what is chosen, is chosen by luck. Quick: 100 small studies a
 * difference;
 * `--long`: 2,000 of the design that E.4 asks for, and of smaller ones. */
#include "tests.h"

#include <omp.h>

#include "analysis/verdict.h"
#include "statistics/interval.h"
#include "statistics/stream.h"

enum { STOPPED = PL_VERDICTS, SHARES };
enum { ARMS = 9, DEV = 4, CLUSTER = 2, LINEAR = 4, TUNED = 5, SHUFFLED = 7, ENSEMBLE = 8 };

static const double V_CLUSTER = 0.20, V_ITEM = 0.15, V_IT = 0.08, V_IS = 0.04, SD_TEMPLATE = 0.04, SD_DRAW = 0.03;

typedef struct design {
    size_t n, t, s;              /* items, ood templates, draws */
    double prompted, difference; /* accuracy, and what tuning adds */
    size_t few;                  /* draws of prompts with shots and of linear readouts; 0: as many as of the others */
    bool lacking;                /* the first two prompts with shots lack another draw each: the run is not finished */
    double commonest;            /* share of the commonest label; 0: a half */
    double sd_max;               /* the run is staged, with that much template SD allowed; 0: it is not */
} design;

static double *zeros(size_t n)
{
    double *out = calloc(n, sizeof *out);
    assert_non_null(out);
    return out;
}

/* Pseudo-values of an item's sums of margins z [t] over a role's templates, without one and another. */
static void put_together(pl__condition *c, size_t d, size_t i, const double *z, pl_role role)
{
    double n = (double)pl__condition_n_templates(c, role), sum = 0, mean = 0;
    for (size_t k = 0; k < c->t; k++) sum += c->roles[k] == role ? z[k] : 0;
    for (size_t k = 0; k < c->t; k++) mean += c->roles[k] == role ? (sum - z[k] > 0) / n : 0;
    for (size_t k = 0; k < c->t; k++)
        if (c->roles[k] == role)
            c->correct[(d * c->t + k) * c->n + i] = (sum > 0) + (n - 1) * (mean - (sum - z[k] > 0));
}

/* One arm's answers under dev, then ood templates; effect[n_draws]: what each draw adds to its accuracy, or so. */
static void answer(pl__condition *c, double *effect, double accuracy, const double *shared, stream *r)
{
    double mu = pl_normal_quantile(accuracy), density = exp(-0.5 * mu * mu) / sqrt(6.283185307179586), z[64];
    double of_template = SD_TEMPLATE / density, of_draw = SD_DRAW / density;
    double rest = 1 - V_CLUSTER - V_ITEM - V_IT - V_IS - of_template * of_template - of_draw * of_draw;
    assert_true(rest > 0 && c->t <= 64); /* near 1 templates cannot move an accuracy so far */
    if (c->ensembled) { /* a mean over templates has less variance: the same accuracy with a smaller mu */
        double of_one = of_template * of_template + V_IT + rest, n = (double)(c->t - DEV);
        mu *= sqrt(1 - of_one + of_one / n);
    }
    double *template = zeros(c->t), *it = zeros(c->t * c->n), *is = zeros(c->n);
    for (size_t k = 0; k < c->t; k++) template[k] = of_template *normal(r);
    for (size_t i = 0; i < c->t * c->n; i++) it[i] = sqrt(V_IT) * normal(r);
    for (size_t d = 0; d < c->n_draws; d++) {
        double draw = c->sampled ? of_draw * normal(r) : 0; /* without shots there are no draws */
        effect[d] = draw * density;
        for (size_t i = 0; i < c->n; i++) is[i] = sqrt(V_IS) * normal(r);
        for (size_t i = 0; i < c->n; i++) {
            for (size_t k = 0; k < c->t; k++) {
                z[k] = mu + shared[i] + template[k] + draw + it[k * c->n + i] + is[i] + sqrt(rest) * normal(r);
                c->correct[(d * c->t + k) * c->n + i] = z[k] > 0;
            }
            if (c->ensembled) put_together(c, d, i, z, PL_ROLE_DEV);
            if (c->ensembled) put_together(c, d, i, z, PL_ROLE_OOD);
        }
    }
    free(template);
    free(it);
    free(is);
}

/* What all studies of a design share: names, roles, places. */
typedef struct frame {
    design d;
    size_t t;
    pl_run_unit units[ARMS];
    const char **names;
    pl_role *roles;
    size_t *same, *kept;
    uint64_t *group_of;
    long long *draws;
} frame;

static void make_frame(frame *f, design d)
{
    static const char *const kinds[ARMS] = {"prompt",   "prompt",   "prompt",   "prompt", "linear",
                                            "finetune", "finetune", "finetune", "prompt"},
                             *const names[ARMS] = {"prompt", "prompt",       "prompt",         "prompt",
                                                   "linear", "finetune one", "finetune other", "finetune shuffled",
                                                   "prompt"};
    *f = (frame){.d = d, .t = DEV + d.t};
    f->names = calloc(f->t, sizeof *f->names);
    f->roles = calloc(f->t, sizeof *f->roles);
    f->same = calloc(f->t, sizeof *f->same);
    f->kept = calloc(d.n, sizeof *f->kept);
    f->group_of = calloc(d.n, sizeof *f->group_of);
    f->draws = calloc(d.s, sizeof *f->draws);
    assert_true(f->names && f->roles && f->same && f->kept && f->group_of && f->draws);
    for (size_t k = 0; k < f->t; k++) {
        char name[32];
        snprintf(name, sizeof name, "t%zu", k);
        f->names[k] = strdup(name);
        f->roles[k] = k < DEV ? PL_ROLE_DEV : PL_ROLE_OOD;
        f->same[k] = k;
    }
    for (size_t i = 0; i < d.n; i++) {
        f->kept[i] = i;
        f->group_of[i] = i / CLUSTER;
    }
    for (size_t s = 0; s < d.s; s++) f->draws[s] = (long long)s;
    for (size_t a = 0; a < ARMS; a++) {
        bool learns = a >= LINEAR && a < ENSEMBLE;
        f->units[a] = (pl_run_unit){.model = "m",
                                    .task = "t",
                                    .readout = "loglikelihood",
                                    .arm = names[a],
                                    .kind = kinds[a],
                                    .k = learns ? 0 : (long long)a,
                                    .head = "",
                                    .train_template = learns ? "t" : "",
                                    .labels = a == SHUFFLED ? "shuffled"
                                              : learns      ? "given"
                                                            : ""};
    }
}

static void drop_frame(frame *f)
{
    for (size_t k = 0; k < f->t; k++) free((char *)(uintptr_t)f->names[k]);
    free(f->names);
    free(f->roles);
    free(f->same);
    free(f->kept);
    free(f->group_of);
    free(f->draws);
}

/* Prompts alone, then with the linear readout, then all: the first look that is enough is the last. */
static void judge(pl_verdict_row *out, pl__conditions *of, const double *const *told, const design *d)
{
    static const size_t n_arms[] = {LINEAR, TUNED};
    pl__verdict_rules rules = {
        .require = NAN, .margin = 0.03, .n_looks = d->sd_max > 0 ? 3 : 1, .n_rows = 1, .template_sd_max = d->sd_max};
    for (size_t stage = 0; d->sd_max > 0 && stage < 2; stage++) {
        rules.stopped = stage ? "linear" : "prompt";
        of->n = n_arms[stage];
        OK(pl__verdict_row(out, of, told, &rules));
        if (!pl__verdict_is_enough(out)) continue;
        OK(pl__verdicts_decide(out, 1));
        assert_int_equal(out->verdict, PL_PROMPT);
        return;
    }
    rules.stopped = NULL;
    of->n = ARMS;
    OK(pl__verdict_row(out, of, told, &rules));
    OK(pl__verdicts_decide(out, 1));
}

static void study(pl_verdict_row *out, bool *shuffled, const frame *f, uint64_t seed)
{
    const design *d = &f->d;
    stream r = {.at = seed * 0xd1342543de82ef95u + 1};
    pl__condition list[ARMS];
    pl__conditions of = {.list = list, .n = ARMS, .n_shared = d->n, .n_largest = d->n};
    const double *told[ARMS] = {0};
    double *dev[ARMS], *shared = zeros(d->n);
    OK(pl_arena_create(&of.arena));
    for (size_t c = 0; c < d->n / CLUSTER; c++) {
        double cluster = sqrt(V_CLUSTER) * normal(&r);
        for (size_t i = 0; i < CLUSTER; i++) shared[c * CLUSTER + i] = cluster + sqrt(V_ITEM) * normal(&r);
    }
    for (size_t a = 0; a < ARMS; a++) {
        double accuracy = a < LINEAR      ? d->prompted
                          : a == ENSEMBLE ? d->prompted
                          : a == LINEAR   ? d->prompted - 0.05
                          : a == SHUFFLED ? 0.5
                                          : d->prompted + d->difference;
        list[a] = (pl__condition){.unit = &f->units[a],
                                  .calibrated = a == 2 || a == 3 || a == ENSEMBLE,
                                  .ensembled = a == ENSEMBLE,
                                  .n = d->n,
                                  .t = f->t,
                                  .n_draws = a == 0                                     ? 1
                                             : (a <= LINEAR || a == ENSEMBLE) && d->few ? d->few
                                             : d->lacking && (a == 1 || a == 2)         ? d->s - 1
                                                                                        : d->s,
                                  .sampled = a > 0,
                                  .n_largest = d->n,
                                  .group_of = f->group_of,
                                  .templates = f->names,
                                  .roles = f->roles,
                                  .same = f->same,
                                  .draws = f->draws + (d->lacking && a == 1), /* it lacks draw 0, the other the last */
                                  .n_commonest = d->commonest > 0 ? (size_t)(d->commonest * (double)d->n) : d->n / 2,
                                  .n_kept = d->n,
                                  .kept = f->kept,
                                  .correct = zeros(d->s * f->t * d->n)};
        dev[a] = zeros(d->s);
        answer(&list[a], dev[a], accuracy, shared, &r);
        for (size_t s = 0; s < d->s; s++) dev[a][s] = a == SHUFFLED ? 0.99 : accuracy + dev[a][s] + 0.05 * normal(&r);
        if (a >= TUNED && a < ENSEMBLE) told[a] = dev[a];
    }
    judge(out, &of, told, d);
    *shuffled = !strcmp(out->tuned.arm, "finetune shuffled");
    for (size_t a = 0; a < ARMS; a++) {
        free(list[a].correct);
        free(dev[a]);
    }
    free(shared);
    pl_arena_free(of.arena); /* names in *out are the frame's, or gone */
}

/* Shares [PL_VERDICTS + 1] of n studies; the last is of those that a look stopped. */
static void simulate(double *share, design d, size_t n)
{
    size_t n_stopped = 0, counts[PL_VERDICTS] = {0}, n_shuffled = 0;
    frame f;
    make_frame(&f, d);
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i++) {
        pl_verdict_row row;
        bool shuffled;
        study(&row, &shuffled, &f, i + 1 + 1000003 * (uint64_t)(d.n * 31 + d.t * 7 + d.s));
#pragma omp critical
        {
            counts[row.verdict]++;
            n_shuffled += shuffled;
            n_stopped += *row.look.stage != 0;
        }
    }
    drop_frame(&f);
    assert_int_equal(n_shuffled, 0);
    for (size_t v = 0; v < PL_VERDICTS; v++) share[v] = (double)counts[v] / (double)n;
    share[STOPPED] = (double)n_stopped / (double)n;
    if (getenv("PLUMB_SHOW"))
        fprintf(stderr,
                "%4zu items %2zu templates %2zu draws, prompted %.2f, difference %+.2f: undecided %.3f, prompt "
                "%.3f, tune %.3f, neither %.3f; stopped %.3f (SD at most %.2f)\n",
                d.n, d.t, d.s, d.prompted, d.difference, share[0], share[1], share[2], share[3], share[STOPPED],
                d.sd_max);
}

/* The share of studies whose verdict is false; .60 is required and reached in all of them. */
static double wrong(const double *share, double difference)
{
    double of_claims = difference <= 0 ? share[PL_FINETUNE] : difference < 0.03 ? 0 : share[PL_PROMPT];
    return of_claims + share[PL_NEITHER];
}

/* least: of what there is to find at -.05 and .10; slack: what so many studies may be off by chance. */
static void check_planted(design d, size_t studies, double least, double slack)
{
    static const double differences[] = {-0.05, 0.0, 0.03, 0.10};
    for (size_t i = 0; i < 4; i++) {
        double share[SHARES];
        d.difference = differences[i];
        simulate(share, d, studies);
        assert_true(wrong(share, d.difference) <= 0.05 + slack);
        if (d.difference == -0.05) assert_true(share[PL_PROMPT] >= least);
        if (d.difference == 0.10) assert_true(share[PL_FINETUNE] >= least);
    }
}

/* 100 studies have a standard error of .022 at .05 and .05 at .5. */
static void test_planted(void **state)
{
    (void)state;
    check_planted((design){300, 8, 5, 0.67, 0, .few = 0}, 100, 0.35, 0.066);
}

/* Where neither reaches what is required, that is said, and nothing else. */
static void test_neither(void **state)
{
    (void)state;
    double share[SHARES];
    simulate(share, (design){300, 8, 5, 0.50, 0.0, .few = 0}, 50);
    assert_true(share[PL_NEITHER] >= 0.8 && share[PL_PROMPT] + share[PL_FINETUNE] == 0);
}

/* One draw of shots and of linear readouts is one of many: taken for certain, up to .28 of verdicts were wrong. */
static void test_one_draw(void **state)
{
    (void)state;
    static const double differences[] = {-0.05, 0.0, 0.03};
    for (size_t i = 0; i < 3; i++) {
        double share[SHARES];
        simulate(share, (design){300, 8, 5, 0.67, differences[i], .few = 1}, 100);
        assert_true(wrong(share, differences[i]) <= 0.05 + 0.066);
        assert_true(share[PL_UNDECIDED] >= 0.5);
    }
}

/* Of five draws two arms lack one each. */
static void test_lacking(void **state)
{
    (void)state;
    check_planted((design){300, 8, 5, 0.67, 0, .lacking = true}, 60, 0.2, 0.085);
}

/* A label that nearly all items have says nothing of what is required. */
static void test_no_default(void **state)
{
    (void)state;
    double share[SHARES];
    simulate(share, (design){100, 4, 3, 0.67, 0.10, .commonest = 0.93}, 4);
    assert_true(share[PL_UNDECIDED] == 1);
}

/* .60 is required. A stop is wrong where the prompts are truly at it or below, and where their template SD, .04, is all
 * that is allowed or more; it is found where both are well inside. What tuning adds is neither here nor there. */
static void check_staged(design d, size_t studies, double least)
{
    /* Each of two looks of three has a third of .05; three standard errors of so many studies. */
    static const double NOMINAL = 0.05 * 2 / 3;
    const double most = NOMINAL + 3 * sqrt(NOMINAL * (1 - NOMINAL) / (double)studies);

    static const struct {
        double prompted, sd_max;
        bool enough;
    } cases[] = {{0.60, 0.20, false}, {0.57, 0.20, false}, {0.80, 0.04, false}, {0.75, 0.20, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double share[SHARES];
        d.prompted = cases[i].prompted;
        d.sd_max = cases[i].sd_max;
        simulate(share, d, studies);
        printf("stopped: %.4f, expected %s %.4f%s\n", share[STOPPED], cases[i].enough ? "at least" : "at most",
               cases[i].enough ? least : NOMINAL, cases[i].enough ? "" : " and chance");
        if (cases[i].enough)
            assert_true(share[STOPPED] >= least);
        else
            assert_true(share[STOPPED] <= most);
    }
}

static void test_staged(void **state)
{
    (void)state;
    check_staged((design){.n = 300, .t = 8, .s = 5, .difference = 0.05}, 60, 0.6);
}

static int run_long(void)
{
    static const design designs[] = {{200, 4, 3, 0.65, 0, .few = 0}, {200, 8, 5, 0.80, 0, .few = 0},
                                     {600, 8, 3, 0.85, 0, .few = 0}, {300, 8, 5, 0.67, 0, .few = 1},
                                     {300, 8, 6, 0.67, 0, .few = 3}, {300, 8, 5, 0.67, 0, .lacking = true}};
    static const double differences[] = {-0.05, 0.0, 0.03, 0.09};
    check_planted((design){600, 16, 10, 0.65, 0, .few = 0}, 2000, 0.60, 0.0);
    check_staged((design){.n = 600, .t = 16, .s = 10, .difference = 0.05}, 2000, 0.90);
    check_staged((design){.n = 300, .t = 8, .s = 5, .difference = 0.05}, 2000, 0.60);
    check_staged((design){.n = 200, .t = 6, .s = 3, .difference = 0.05}, 2000, 0.0);
    for (size_t k = 0; k < sizeof designs / sizeof *designs; k++)
        for (size_t i = 0; i < 4; i++) {
            double share[SHARES];
            design d = designs[k];
            d.difference = differences[i];
            simulate(share, d, 2000);
            if (wrong(share, d.difference) > 0.05) return 1;
        }
    return 0;
}

static void test_long(void **state)
{
    (void)state;
    assert_int_equal(run_long(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest quick[] = {cmocka_unit_test(test_planted),    cmocka_unit_test(test_neither),
                                       cmocka_unit_test(test_one_draw),   cmocka_unit_test(test_lacking),
                                       cmocka_unit_test(test_no_default), cmocka_unit_test(test_staged)};
    const struct CMUnitTest all[] = {cmocka_unit_test(test_long)};
    if (argc > 1 && !strcmp(argv[1], "--long")) return cmocka_run_group_tests(all, NULL, NULL);
    return cmocka_run_group_tests(quick, NULL, NULL);
}
