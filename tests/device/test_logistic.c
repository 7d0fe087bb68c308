/* logistic: the gradient of the objective at what came out, in long double, is next to nothing, and theta is where
 * labels have nothing to do with features; a problem has the same bits alone and among others; what cannot be solved is
 * said.
 *
 * The objective curves by 1 at least along whatever is penalised, so a gradient below 1e-8 of theta's norm means that
 * theta is within 1e-8 of the optimum. */
#include "gradient.h"

#include "device/logistic.h"

typedef struct shape {
    size_t n, width, n_classes;
} shape;

typedef struct set {
    case_use use;
    bool spoilt; /* the second problem has a feature that is no number */
    bool twins;  /* each row stands there with every class: labels have nothing to do with features */
    shape shapes[4];
} set;

static const set sets[] = {
    {EVERY, false, false, {{2, 2, 2}}},
    {EVERY, false, false, {{40, 41, 2}, {30, 8, 3}, {33, 1, 2}, {17, 34, 4}}},
    {LARGE, false, false, {{300, 7, 2}, {65, 66, 3}}},
    {EVERY, true, false, {{24, 9, 2}, {24, 9, 2}, {24, 9, 5}}},
    {LARGE, false, false, {{200, 201, 2}, {150, 300, 6}}},
    {EVERY, false, true, {{204, 30, 2}, {40, 41, 2}, {90, 12, 3}}},
    {BENCH, false, false, {{500, 501, 2}, {500, 501, 2}, {500, 501, 2}, {500, 501, 2}}},
};
enum { SETS = sizeof sets / sizeof *sets, MOST = 4, STRENGTHS = 4 };
static const double strengths[STRENGTHS] = {1e-3, 0.1, 1, 30};

static size_t n_problems(const set *s)
{
    size_t n = 0;
    while (n < MOST && s->shapes[n].n) n++;
    return n;
}

static case_use describe(size_t i, char text[128])
{
    const set *s = &sets[i];
    snprintf(text, 128, "%zu problems, [%zu, %zu] of %zu classes%s", n_problems(s), s->shapes[0].n, s->shapes[0].width,
             s->shapes[0].n_classes, s->spoilt ? ", one spoilt" : "");
    return s->use;
}

/* A problem: features drawn, the class in some of them. */
typedef struct problem {
    shape s;
    double *z;       /* [n, width] */
    int32_t *labels; /* [n] */
    size_t size;     /* of theta */
} problem;

static problem problem_create(shape s, bool twins, uint32_t seed)
{
    problem p = {.s = s, .size = pl_logistic_outputs(s.n_classes) * s.width};
    float *drawn = normals(s.n * s.width, seed, 1.0);
    p.z = malloc(s.n * s.width * sizeof *p.z);
    p.labels = malloc(s.n * sizeof *p.labels);
    for (size_t i = 0; i < s.n; i++) {
        const size_t n_rows = s.n / s.n_classes; /* of twins, one block of them a class */
        p.labels[i] = (int32_t)(twins ? i / n_rows : i * 7 % s.n_classes);
        for (size_t d = 0; d + 1 < s.width; d++)
            p.z[i * s.width + d] =
                twins ? (double)drawn[i % n_rows * s.width + d]
                      : (double)drawn[i * s.width + d] + (d % s.n_classes == (size_t)p.labels[i] ? 0.5 : 0);
        p.z[i * s.width + s.width - 1] = 1.0;
    }
    free(drawn);
    return p;
}

static void problem_free(problem *p)
{
    free(p->z);
    free(p->labels);
}

/* |gradient| / |theta|, in long double. */
static double off_optimum(const problem *p, double strength, const double *theta)
{
    const size_t K = p->size / p->s.width, width = p->s.width;
    long double *g = calloc(p->size, sizeof *g), logits[8], off = 0, norm = 0;
    for (size_t i = 0; i < p->s.n; i++) {
        const double *z = p->z + i * width;
        long double top = 0, sum = K == 1 ? 1 : 0;
        for (size_t k = 0; k < K; k++) {
            logits[k] = 0;
            for (size_t d = 0; d < width; d++) logits[k] += (long double)theta[k * width + d] * (long double)z[d];
            if (logits[k] > top) top = logits[k];
        }
        if (K == 1) sum = expl(-top);
        for (size_t k = 0; k < K; k++) sum += expl(logits[k] - top);
        for (size_t k = 0; k < K; k++) {
            const bool own = K == 1 ? p->labels[i] == 1 : (size_t)p->labels[i] == k;
            const long double residual = expl(logits[k] - top) / sum - (own ? 1.0L : 0.0L);
            for (size_t d = 0; d < width; d++) g[k * width + d] += (long double)strength * residual * (long double)z[d];
        }
    }
    for (size_t at = 0; at < p->size; at++) {
        if (at % width + 1 < width) g[at] += (long double)theta[at];
        off += g[at] * g[at];
        norm += (long double)theta[at] * (long double)theta[at];
    }
    free(g);
    return (double)sqrtl(off / norm);
}

/* Solves problems first .. first + n on the device; theta [n][STRENGTHS x size] and distance [n, STRENGTHS] are the
 * caller's to free. */
static void solve(const world *w, const problem *p, size_t n, double **theta, double **distance)
{
    int32_t facts[MOST][PL_LOGISTIC_FACTS];
    size_t z = 3, labels = 1, thetas = 2; /* nothing need begin at the front */
    pl_logistic_args a = {0};
    for (size_t i = 0; i < n; i++) {
        const shape s = p[i].s;
        const int32_t own[PL_LOGISTIC_FACTS] = {(int32_t)s.n, (int32_t)s.width, (int32_t)s.n_classes,
                                                (int32_t)z,   (int32_t)labels,  (int32_t)thetas};
        memcpy(facts[i], own, sizeof own);
        z += s.n * s.width;
        labels += s.n;
        thetas += STRENGTHS * p[i].size;
        if (s.n > a.most_rows) a.most_rows = s.n;
        if (s.width > a.most_width) a.most_width = s.width;
        if (s.n_classes > a.most_classes) a.most_classes = s.n_classes;
    }
    a.problems = guarded(w, n, PL_LOGISTIC_FACTS, PL_I32, facts);
    a.strengths = guarded(w, 1, STRENGTHS, PL_F64, strengths);
    a.z = guarded(w, 1, z, PL_F64, NULL);
    a.labels = guarded(w, 1, labels, PL_I32, NULL);
    a.theta = guarded(w, 1, thetas, PL_F64, NULL);
    a.distance = guarded(w, n, STRENGTHS, PL_F64, NULL);
    a.workspace =
        workspace_of(w, w->processor.ops->logistic_workspace_bytes(n, a.most_rows, a.most_width, a.most_classes));
    for (size_t i = 0; i < n; i++) {
        send(w, pl_view_columns(a.z, (size_t)facts[i][PL_LOGISTIC_Z], p[i].s.n * p[i].s.width), p[i].z);
        send(w, pl_view_columns(a.labels, (size_t)facts[i][PL_LOGISTIC_LABELS], p[i].s.n), p[i].labels);
    }
    RUN_OP(w, logistic, &a, 0, 0);
    for (size_t i = 0; i < n; i++)
        theta[i] = fetch(w, pl_view_columns(a.theta, (size_t)facts[i][PL_LOGISTIC_THETA], STRENGTHS * p[i].size));
    *distance = fetch(w, a.distance);
    check_guards(w, a.theta);
    check_guards(w, a.distance);
    check_guards(w, a.workspace);
    RELEASE(w, &a.problems, &a.strengths, &a.z, &a.labels, &a.theta, &a.distance, &a.workspace);
}

static void check_problem(const problem *p, bool twins, double *theta, const double *distance)
{
    for (size_t s = 0; s < STRENGTHS; s++) {
        double *own = theta + s * p->size;
        const double off = off_optimum(p, strengths[s], own), keep = own[0];
        if (!(distance[s] <= PL_LOGISTIC_ACCEPTABLE)) fail_case("strength %g: %g is left", strengths[s], distance[s]);
        double norm = 0;
        for (size_t at = 0; at < p->size; at++) norm += own[at] * own[at];
        if (twins) {
            if (!(sqrt(norm) <= 1e-12)) fail_case("strength %g: theta of %g, expected 0", strengths[s], sqrt(norm));
            continue;
        }
        if (!(off <= 1e-8)) fail_case("strength %g: a gradient of %g of theta", strengths[s], off);
        if (p->s.width == 1) continue; /* nothing is penalised */
        own[0] += 1e-6 * sqrt(norm);
        assert_true(off_optimum(p, strengths[s], own) > 1e-8); /* able to fail */
        own[0] = keep;
    }
}

static void run(const world *w, size_t k)
{
    const set *s = &sets[k];
    const size_t n = n_problems(s);
    problem p[MOST] = {0};
    double *theta[MOST] = {0}, *distance;
    for (size_t i = 0; i < n; i++) p[i] = problem_create(s->shapes[i], s->twins, 1 + (uint32_t)i);
    if (s->spoilt) p[1].z[5] = NAN;
    solve(w, p, n, theta, &distance);
    for (size_t i = 0; i < n && !w->timing; i++) {
        double *alone, *distance_alone;
        if (s->spoilt && i == 1) {
            for (size_t at = 0; at < STRENGTHS; at++) assert_true(isnan(distance[STRENGTHS + at]));
            continue;
        }
        check_problem(&p[i], s->twins, theta[i], distance + i * STRENGTHS);
        char name[32];
        snprintf(name, sizeof name, "theta %zu", i);
        same_bits(name, theta[i], STRENGTHS * p[i].size * sizeof *theta[i]);
        solve(w, &p[i], 1, &alone, &distance_alone);
        assert_memory_equal(alone, theta[i], STRENGTHS * p[i].size * sizeof *alone);
        assert_memory_equal(distance_alone, distance + i * STRENGTHS, STRENGTHS * sizeof *distance);
        free(alone);
        free(distance_alone);
    }
    for (size_t i = 0; i < n; i++) {
        problem_free(&p[i]);
        free(theta[i]);
    }
    free(distance);
}

static const case_table table = {.op = "logistic", .n = SETS, .f32_only = true, .describe = describe, .run = run};

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASES(&table)};
    return CASES_MAIN(argc, argv, &table, tests);
}
