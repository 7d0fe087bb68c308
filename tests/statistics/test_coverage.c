/* Do the intervals hold what they say? Simulated studies with clusters of items, templates and draws, and the true
 * values.
 *
 * A cell is right when mu + cluster + item + template + draw + their interactions + e > 0, all normal, of total
 * variance 1: accuracy is Phi(mu), exactly. Quick: three designs, 200 studies each. `--long`: every design of the
 * table, 2,000 studies each, printed; at most 5 % of an interval's designs may be under 93 %, none under 90 %. */
#include "statistics/golden.h"

#include <math.h>
#include <omp.h>

#include "base/memory.h"
#include "base/random.h"
#include "statistics/crossed.h"
#include "statistics/interval.h"
#include "statistics/stream.h"
#include "statistics/three_way.h"

enum { CLUSTER = 2, STEPS = 200 };

/* Variances: a template's accuracy has an SD of about .08 at accuracy .5, and so has a draw's. */
static const double V_CLUSTER = 0.25, V_ITEM = 0.20, V_TEMPLATE = 0.04, V_DRAW = 0.04, V_CT = 0.08, V_IT = 0.10,
                    V_IS = 0.06, V_TS = 0.02;
static const double V_REST = 1.0 - 0.25 - 0.20 - 0.04 - 0.04 - 0.08 - 0.10 - 0.06 - 0.02;

typedef enum interval {
    ACC,          /* over templates and draws */
    ACC_ONE_DRAW, /* over templates */
    ACC_TEMPLATE, /* one template over draws */
    ACC_THESE,    /* exactly these templates and draws */
    ACC_WILSON,   /* one template and draw, items that are no clusters */
    DIFFERENCE,   /* paired, over templates and draws */
    FLIPS,        /* over templates and draws */
    TEMPLATE_SD,
    TEMPLATE_SD_ONE_DRAW,
    DRAW_SD,
    INTERVALS
} interval;
static const char *const names[INTERVALS] = {
    "acc",       "acc, one draw", "acc of a template",     "acc, these", "acc, Wilson", "difference",
    "flip_rate", "template_sd",   "template_sd, one draw", "draw_sd"};

typedef struct design {
    size_t n, t, s;
    double accuracy;
} design;

typedef struct study {
    design d;
    double mu;
    double *a, *b; /* [s, t, n] outcomes of two arms */
    pl_clusters clusters;
} study;

/* Mean over a standard normal x of f(Phi((mu + sqrt(v) x)/sqrt(1 - v))): what is left random has variance 1 - v. */
static double over_shared(double (*f)(double), double mu, double v)
{
    double sum = 0.0, weight = 0.0;
    for (int i = -STEPS; i <= STEPS; i++) {
        double x = 9.0 * i / STEPS, w = exp(-0.5 * x * x);
        sum += w * f(phi((mu + sqrt(v) * x) / sqrt(1.0 - v)));
        weight += w;
    }
    return sum / weight;
}

static double differ(double p)
{
    return 2.0 * p * (1.0 - p);
}

static double square(double p)
{
    return p * p;
}

static double sd_of(double mu, double v)
{
    double mean = phi(mu);
    return sqrt(fmax(0.0, over_shared(square, mu, v) - mean * mean));
}

typedef struct effects {
    double *cluster, *item, *template, *draw, *ct, *it, *is, *ts;
} effects;

static double *normals(stream *r, size_t n, double variance)
{
    double *out = calloc(n, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) out[i] = sqrt(variance) * normal(r);
    return out;
}

/* Outcomes of one arm. Arms share what belongs to the items; half of each effect of a template and draw. */
static void outcomes(double *out, const design *d, const effects *e, double mu, stream *r)
{
    double rest = sqrt(V_REST);
    for (size_t s = 0; s < d->s; s++)
        for (size_t t = 0; t < d->t; t++)
            for (size_t i = 0; i < d->n; i++) {
                size_t c = i / CLUSTER, clusters = d->n / CLUSTER;
                double z = mu + e->cluster[c] + e->item[i] + e->template[t] + e->draw[s] + e->ct[t * clusters + c] +
                           e->it[t * d->n + i] + e->is[s * d->n + i] + e->ts[s * d->t + t] + rest * normal(r);
                out[(s * d->t + t) * d->n + i] = z > 0.0;
            }
}

static void draw_effects(effects *e, const design *d, stream *r, int other)
{
    size_t clusters = d->n / CLUSTER;
    if (!other) {
        e->cluster = normals(r, clusters, V_CLUSTER);
        e->item = normals(r, d->n, V_ITEM);
    }
    e->template = normals(r, d->t, V_TEMPLATE);
    e->draw = normals(r, d->s, V_DRAW);
    e->ct = normals(r, clusters * d->t, V_CT);
    e->it = normals(r, d->n * d->t, V_IT);
    e->is = normals(r, d->n * d->s, V_IS);
    e->ts = normals(r, d->t * d->s, V_TS);
}

static void drop_effects(effects *e, int items)
{
    if (items) {
        free(e->cluster);
        free(e->item);
    }
    free(e->template);
    free(e->draw);
    free(e->ct);
    free(e->it);
    free(e->is);
    free(e->ts);
}

/* Means of a table [s, t, n] over all but one factor. */
static void means_of(const double *table, size_t s, size_t t, size_t n, double *item, double *template, double *draw,
                     double *all)
{
    memset(item, 0, n * sizeof *item);
    memset(template, 0, t * sizeof *template);
    memset(draw, 0, s * sizeof *draw);
    *all = 0.0;
    for (size_t d = 0; d < s; d++)
        for (size_t k = 0; k < t; k++)
            for (size_t i = 0; i < n; i++) {
                double v = table[(d * t + k) * n + i];
                item[i] += v / (double)(s * t);
                template[k] += v / (double)(s * n);
                draw[d] += v / (double)(t * n);
                *all += v / (double)(s * t * n);
            }
}

typedef struct scratch {
    double *item, *template, *draw, *table;
} scratch;

/* The interval of a mean over a table [s, t, n] that starts at `table`. */
static pl_crossed mean_interval(const study *y, scratch *w, const double *table, size_t s, size_t t, double ends,
                                double low)
{
    pl_crossed out;
    double all;
    means_of(table, s, t, y->d.n, w->item, w->template, w->draw, &all);
    const pl_crossed_design design = {.value = all,
                                      .n = y->d.n,
                                      .items = w->item,
                                      .clusters = y->clusters,
                                      .templates = pl_component_of_mean(w->template, t, 2),
                                      .draws = pl_component_of_mean(w->draw, s, PL_DRAWS_MIN),
                                      .ends = ends,
                                      .low = low,
                                      .high = 1.0};
    pl_crossed_of(&out, &design);
    return out;
}

/* Flips of an item in a draw, with the templates left out in turn. */
static pl_crossed flip_interval(const study *y, scratch *w)
{
    size_t n = y->d.n, t = y->d.t, s = y->d.s;
    double pairs = (double)t * ((double)t - 1.0) / 2.0, all = 0.0;
    memset(w->item, 0, n * sizeof *w->item);
    memset(w->template, 0, t * sizeof *w->template);
    memset(w->draw, 0, s * sizeof *w->draw);
    for (size_t d = 0; d < s; d++)
        for (size_t i = 0; i < n; i++) {
            double ones = 0.0;
            for (size_t k = 0; k < t; k++) ones += y->a[(d * t + k) * n + i];
            double flips = ones * ((double)t - ones), scale = 1.0 / (double)(n * s);
            w->item[i] += flips / pairs / (double)s;
            w->draw[d] += flips / pairs / (double)n;
            all += flips / pairs * scale;
            /* Without template k. */
            for (size_t k = 0; k < t; k++) {
                double left = ones - y->a[(d * t + k) * n + i];
                w->template[k] +=
                    left * ((double)t - 1.0 - left) / (((double)t - 1.0) * ((double)t - 2.0) / 2.0) * scale;
            }
        }
    pl_pseudo_values(w->template, t, all);
    pl_crossed out;
    const pl_crossed_design design = {.value = all,
                                      .n = n,
                                      .items = w->item,
                                      .clusters = y->clusters,
                                      .templates = pl_component_of_mean(w->template, t, PL_JACKKNIFE_MIN),
                                      .draws = pl_component_of_mean(w->draw, s, PL_DRAWS_MIN),
                                      .ends = 1.0,
                                      .low = 0.0,
                                      .high = (double)t / (2.0 * ((double)t - 1.0))};
    pl_crossed_of(&out, &design);
    return out;
}

/* Totals of clusters, as means of clusters weigh. */
static pl_mean_squares squares_of(const study *y, scratch *w, size_t s)
{
    pl_mean_squares out;
    size_t clusters = y->d.n / CLUSTER;
    for (size_t row = 0; row < s * y->d.t; row++)
        for (size_t c = 0; c < clusters; c++) {
            double sum = 0.0;
            for (size_t i = 0; i < CLUSTER; i++) sum += y->a[row * y->d.n + c * CLUSTER + i];
            w->table[row * clusters + c] = sum / CLUSTER;
        }
    OK(pl_mean_squares_of(&out, w->table, s, y->d.t, clusters));
    return out;
}

static double y_mean(const double *y, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += y[i];
    return sum / (double)n;
}

/* 1: it holds; 0: it does not; -1: none is printed. */
static int holds(double lo, double hi, double truth)
{
    return isnan(lo) ? -1 : lo <= truth && truth <= hi;
}

/* One simulated study: which intervals hold. */
static void simulate(int *held, const study *base, uint64_t seed, const double *truth)
{
    study y = *base;
    const design *d = &y.d;
    size_t cells = d->n * d->t * d->s;
    stream r = {.at = seed * 0xd1342543de82ef95u + 1};
    effects e = {0}, f;
    scratch w;
    y.a = calloc(cells, sizeof(double));
    y.b = calloc(cells, sizeof(double));
    w.item = calloc(d->n, sizeof(double));
    w.template = calloc(d->t, sizeof(double));
    w.draw = calloc(d->s, sizeof(double));
    w.table = calloc(cells, sizeof(double));
    draw_effects(&e, d, &r, 0);
    f = e;
    draw_effects(&f, d, &r, 1);
    outcomes(y.a, d, &e, y.mu, &r);
    outcomes(y.b, d, &f, y.mu - 0.1, &r);
    pl_crossed c = mean_interval(&y, &w, y.a, d->s, d->t, 1.0, 0.0);
    held[ACC] = holds(c.lo, c.hi, truth[ACC]);
    /* Mean over these templates and draws of what other items of the population would give. */
    double these = 0.0, left = 1.0 - V_TEMPLATE - V_DRAW - V_TS;
    for (size_t s = 0; s < d->s; s++)
        for (size_t t = 0; t < d->t; t++)
            these += phi((y.mu + e.template[t] + e.draw[s] + e.ts[s * d->t + t]) / sqrt(left)) / (double)(d->s * d->t);
    held[ACC_THESE] = holds(c.lo_these, c.hi_these, these);
    c = mean_interval(&y, &w, y.a, 1, d->t, 1.0, 0.0);
    held[ACC_ONE_DRAW] = holds(c.lo, c.hi, phi((y.mu + e.draw[0]) / sqrt(1.0 - V_DRAW)));
    for (size_t s = 0; s < d->s; s++) memcpy(w.table + s * d->n, y.a + s * d->t * d->n, d->n * sizeof(double));
    c = mean_interval(&y, &w, w.table, d->s, 1, 1.0, 0.0);
    held[ACC_TEMPLATE] = holds(c.lo, c.hi, phi((y.mu + e.template[0]) / sqrt(1.0 - V_TEMPLATE)));
    size_t right = 0;
    for (size_t i = 0; i < d->n; i += CLUSTER) right += y.a[i] != 0.0;
    pl_estimate wilson = pl_wilson(right, d->n / CLUSTER);
    held[ACC_WILSON] = holds(wilson.lo, wilson.hi, phi((y.mu + e.template[0] + e.draw[0] + e.ts[0]) / sqrt(left)));
    c = flip_interval(&y, &w);
    held[FLIPS] = holds(c.lo, c.hi, truth[FLIPS]);
    pl_mean_squares m = squares_of(&y, &w, d->s);
    double mean = y_mean(y.a, cells);
    pl_estimate sd = pl_template_sd_of(&m, mean);
    held[TEMPLATE_SD] = holds(sd.lo, sd.hi, truth[TEMPLATE_SD]);
    sd = pl_draw_sd_of(&m, mean);
    held[DRAW_SD] = holds(sd.lo, sd.hi, truth[DRAW_SD]);
    m = squares_of(&y, &w, 1);
    sd = pl_template_sd_of(&m, y_mean(y.a, d->n * d->t));
    /* Of this draw: its interaction with templates is theirs. */
    held[TEMPLATE_SD_ONE_DRAW] =
        holds(sd.lo, sd.hi, sd_of((y.mu + e.draw[0]) / sqrt(1.0 - V_DRAW), (V_TEMPLATE + V_TS) / (1.0 - V_DRAW)));
    for (size_t i = 0; i < cells; i++) y.a[i] -= y.b[i];
    c = mean_interval(&y, &w, y.a, d->s, d->t, 0.5, -1.0);
    held[DIFFERENCE] = holds(c.lo, c.hi, truth[DIFFERENCE]);
    drop_effects(&f, 0);
    drop_effects(&e, 1);
    free(y.a);
    free(y.b);
    free(w.item);
    free(w.template);
    free(w.draw);
    free(w.table);
}

/* Shares [INTERVALS] of n studies whose intervals hold. */
static void cover(double *share, design d, size_t n)
{
    study y = {.d = d, .mu = pl_normal_quantile(d.accuracy)};
    double truth[INTERVALS] = {0};
    size_t clusters = d.n / CLUSTER, *start = calloc(clusters + 1, sizeof *start), *items = calloc(d.n, sizeof *items);
    size_t counts[INTERVALS] = {0}, printed[INTERVALS] = {0};
    for (size_t c = 0; c <= clusters; c++) start[c] = c * CLUSTER;
    for (size_t i = 0; i < d.n; i++) items[i] = i;
    y.clusters = (pl_clusters){clusters, start, items};
    truth[ACC] = phi(y.mu);
    truth[DIFFERENCE] = phi(y.mu) - phi(y.mu - 0.1);
    truth[FLIPS] = over_shared(differ, y.mu, V_CLUSTER + V_ITEM + V_DRAW + V_IS);
    truth[TEMPLATE_SD] = sd_of(y.mu, V_TEMPLATE);
    truth[DRAW_SD] = sd_of(y.mu, V_DRAW);
#pragma omp parallel for schedule(dynamic)
    for (size_t r = 0; r < n; r++) {
        int held[INTERVALS];
        simulate(held, &y, r + 1 + 1000003 * (uint64_t)(d.n * 31 + d.t * 7 + d.s) + (uint64_t)(d.accuracy * 1e6),
                 truth);
#pragma omp critical
        for (size_t i = 0; i < INTERVALS; i++) {
            counts[i] += held[i] == 1;
            printed[i] += held[i] >= 0;
        }
    }
    for (size_t i = 0; i < INTERVALS; i++) share[i] = (double)counts[i] / (double)printed[i];
    free(start);
    free(items);
}

static int run_long(size_t studies)
{
    static const size_t ns[] = {40, 200, 800}, ts[] = {4, 8, 16}, ss[] = {3, 5, 10};
    static const double accuracies[] = {0.5, 0.7, 0.9, 0.95, 0.975};
    size_t below93[INTERVALS] = {0}, below90[INTERVALS] = {0}, total = 0;
    double least[INTERVALS], most[INTERVALS], sum[INTERVALS] = {0};
    int bad = 0;
    for (size_t i = 0; i < INTERVALS; i++) least[i] = 2.0, most[i] = 0.0;
    printf("   n  T  S   acc");
    for (size_t i = 0; i < INTERVALS; i++) printf(" | %s", names[i]);
    printf("\n");
    for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++)
            for (size_t c = 0; c < 3; c++)
                for (size_t p = 0; p < 5; p++) {
                    double share[INTERVALS];
                    cover(share, (design){ns[a], ts[b], ss[c], accuracies[p]}, studies);
                    printf("%4zu %2zu %2zu %.3f", ns[a], ts[b], ss[c], accuracies[p]);
                    total++;
                    for (size_t i = 0; i < INTERVALS; i++) {
                        printf(" %.3f", share[i]);
                        below93[i] += share[i] < 0.93;
                        below90[i] += share[i] < 0.90;
                        least[i] = fmin(least[i], share[i]);
                        most[i] = fmax(most[i], share[i]);
                        sum[i] += share[i];
                    }
                    printf("\n");
                    fflush(stdout);
                }
    for (size_t i = 0; i < INTERVALS; i++) {
        printf("%-24s mean %.3f, least %.3f, most %.3f; under .93: %zu, under .90: %zu of %zu designs\n", names[i],
               sum[i] / (double)total, least[i], most[i], below93[i], below90[i], total);
        bad += below93[i] * 20 > total || below90[i] > 0;
    }
    return bad;
}

/* ---- roles ---- */

/* The share of studies in which id - ood is found (p <= .05): n_id templates against the rest, at random when drop is
 * 0; else the ood ones are less accurate by `drop`, on the scale of accuracies. 400 items, one draw; `scale` of the
 * effects of templates: 1 is an SD of accuracy of .085, .59 one of .05. */
static double found(size_t n_id, size_t t, double drop, double scale, size_t n)
{
    enum { ITEMS = 400 };
    const design d = {ITEMS, t, 1, 0.7};
    double mu = pl_normal_quantile(0.7), lower = pl_normal_quantile(0.7 - drop);
    size_t count = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : count)
    for (size_t r = 0; r < n; r++) {
        stream random = {.at = (r + 7) * 0xd1342543de82ef95u + n_id + 1000 * t};
        effects e = {0};
        double *y = calloc(ITEMS * t, sizeof *y), item[ITEMS], means[64], value = 0.0;
        assert_non_null(y);
        draw_effects(&e, &d, &random, 0);
        for (size_t k = 0; k < t; k++) {
            e.template[k] = scale * e.template[k] + (k < n_id ? 0.0 : lower - mu);
            e.ts[k] *= scale;
        }
        outcomes(y, &d, &e, mu, &random);
        memset(item, 0, sizeof item);
        for (size_t k = 0; k < t; k++) {
            means[k] = 0.0;
            for (size_t i = 0; i < ITEMS; i++) {
                double weight = k < n_id ? 1.0 / (double)n_id : -1.0 / (double)(t - n_id);
                means[k] += y[k * ITEMS + i] / ITEMS;
                item[i] += weight * y[k * ITEMS + i];
                value += weight * y[k * ITEMS + i] / ITEMS;
            }
        }
        pl_crossed c;
        const pl_crossed_design design = {.value = value,
                                          .n = ITEMS,
                                          .items = item,
                                          .templates = pl_component_of_difference(means, n_id, means + n_id, t - n_id),
                                          .ends = 0.5,
                                          .low = -1.0,
                                          .high = 1.0};
        pl_crossed_of(&c, &design);
        count += pl_crossed_p(&c, 0.0) <= 0.05;
        drop_effects(&e, 1);
        free(y);
    }
    return (double)count / (double)n;
}

/* Roles given at random reject in at most 7 %; a drop of .10 is found in 80 % at T = 16 where templates
 * differ by an SD of .05. */
static void test_roles(void **state)
{
    (void)state;
    double one = found(1, 5, 0.0, 1.0, 600), few = found(4, 8, 0.0, 1.0, 600), many = found(8, 16, 0.0, 1.0, 600),
           planted = found(8, 16, 0.1, 0.59, 600);
    if (getenv("PLUMB_SHOW"))
        fprintf(stderr, "rejected at random: 1 + 4 %.3f, 4 + 4 %.3f, 8 + 8 %.3f; a drop of .10 found %.3f\n", one, few,
                many, planted);
    assert_true(one <= 0.07 && few <= 0.07 && many <= 0.07);
    assert_true(planted >= 0.8);
}

/* Three designs of the table; 200 studies have a standard error of .015 at .95. */
static void test_some_designs(void **state)
{
    (void)state;
    static const design designs[] = {{40, 4, 3, 0.9}, {200, 8, 5, 0.7}, {200, 4, 5, 0.975}};
    for (size_t i = 0; i < 3; i++) {
        double share[INTERVALS];
        cover(share, designs[i], 200);
        for (size_t k = 0; k < INTERVALS; k++)
            if (share[k] < 0.95 - 4.0 * 0.0155)
                fail_msg("%s: %.3f of the intervals hold at n = %zu, T = %zu, S = %zu, accuracy %.3f", names[k],
                         share[k], designs[i].n, designs[i].t, designs[i].s, designs[i].accuracy);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--long")) return run_long(argc > 2 ? (size_t)atoi(argv[2]) : 2000);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_some_designs), cmocka_unit_test(test_roles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
