#include "analysis/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "statistics/interval.h"
#include "statistics/multiplicity.h"

/* A template that is compared: its place in c and in the other condition, and the sample that it belongs to. */
typedef struct compared {
    size_t c, against, sample;
    double share; /* of the sample: one over its templates */
} compared;

/* Sums of one condition by item, template and draw, with a sign. */
typedef struct sums {
    size_t n, n_templates, t; /* t: samples of templates */
    compared *templates;      /* [n_templates] */
    double *item, *template;  /* [n], [t] means, of the two conditions' difference */
} sums;

static size_t find_template(const pl__condition *c, const char *name)
{
    size_t k = 0;
    while (k < c->t && strcmp(c->templates[k], name)) k++;
    return k;
}

/* The role's templates that both have. Those that are one in c are one sample: the mean of them. */
static void choose_templates(sums *s, const pl__condition *c, const pl__condition *against, pl_role role)
{
    for (size_t k = 0; k < c->t; k++) {
        size_t there = against ? find_template(against, c->templates[k]) : k, sample = s->t, size = 1;
        if (c->roles[k] != role || (against && there == against->t)) continue;
        for (size_t j = 0; j < s->n_templates; j++)
            if (c->same[s->templates[j].c] == c->same[k]) {
                sample = s->templates[j].sample;
                size++;
            }
        s->t += sample == s->t;
        s->templates[s->n_templates++] = (compared){k, there, sample, 1};
        for (size_t j = 0; j < s->n_templates; j++)
            if (s->templates[j].sample == sample) s->templates[j].share = 1 / (double)size;
    }
}

static size_t place_of(const compared *template, bool is_against)
{
    return is_against ? template->against : template->c;
}

static void add(sums *s, const pl__condition *c, bool is_against)
{
    for (size_t k = 0; k < s->n_templates; k++) {
        const compared *one = &s->templates[k];
        double weight = (is_against ? -1 : 1) * one->share / (double)c->n_draws;
        for (size_t d = 0; d < c->n_draws; d++)
            for (size_t i = 0; i < s->n; i++) {
                double value = weight * pl__condition_outcome(c, d, place_of(one, is_against), i);
                s->item[i] += value / (double)s->t;
                s->template[one->sample] += value / (double)s->n;
            }
    }
}

/* Accuracies of the draws of c over the compared templates. */
static void draw_means(double *out, const sums *s, const pl__condition *c, bool is_against)
{
    for (size_t d = 0; d < c->n_draws; d++)
        for (size_t k = 0; k < s->n_templates; k++) {
            const compared *one = &s->templates[k];
            double weight = one->share / (double)(s->n * s->t);
            for (size_t i = 0; i < s->n; i++)
                out[d] += weight * pl__condition_outcome(c, d, place_of(one, is_against), i);
        }
}

/* Of a sum of two that know nothing of each other. */
static pl_component together(pl_component a, pl_component b)
{
    if (!(a.df > 0.0)) return b;
    if (!(b.df > 0.0)) return a;
    double all = a.variance + b.variance;
    return (pl_component){all, all > 0.0 ? all * all / (a.variance * a.variance / a.df + b.variance * b.variance / b.df)
                                         : a.df + b.df};
}

static bool same_draws(const pl__condition *a, const pl__condition *b)
{
    return a->n_draws == b->n_draws && memcmp(a->draws, b->draws, a->n_draws * sizeof *a->draws) == 0;
}

/* An arm that is not sampled is the same in all of the other's draws. */
static pl_status draw_component(pl_component *out, sums *s, const pl__condition *c, const pl__condition *against)
{
    double *mine = NULL, *theirs = NULL;
    pl_status status;
    PL_GOTO(status, done, pl_new(&mine, c->n_draws));
    draw_means(mine, s, c, false);
    if (against) {
        PL_GOTO(status, done, pl_new(&theirs, against->n_draws));
        draw_means(theirs, s, against, true);
    }
    bool paired = against && same_draws(c, against);
    for (size_t d = 0; paired && d < c->n_draws; d++) mine[d] -= theirs[d];
    *out = pl_component_of_mean(mine, c->n_draws, PL_DRAWS_MIN);
    if (!against || paired) goto done;
    /* One or two draws of a side are no sample, and the other side's alone would not be all of it. */
    pl_component other = pl_component_of_mean(theirs, against->n_draws, PL_DRAWS_MIN);
    bool lacks = (c->sampled && !(out->df > 0.0)) || (against->sampled && !(other.df > 0.0));
    *out = lacks ? (pl_component){0.0, 0.0} : together(*out, other);
done:
    free(mine);
    free(theirs);
    return status;
}

pl_status pl__contrast(pl_crossed *out, const pl__condition *c, const pl__condition *against, pl_role role,
                       pl_arena *arena)
{
    sums s = {.n = c->n_kept};
    pl_crossed_design d = {
        .value = NAN, .n = c->n_kept, .ends = against ? 0.5 : 1.0, .low = against ? -1.0 : 0.0, .high = 1.0};
    pl_status status;
    PL_GOTO(status, done, pl_new(&s.templates, c->t));
    choose_templates(&s, c, against, role);
    if (!s.t || !s.n) goto done;
    PL_GOTO(status, done, pl_new(&s.item, s.n));
    PL_GOTO(status, done, pl_new(&s.template, s.t));
    add(&s, c, false);
    if (against) add(&s, against, true);
    d.value = pl_mean(s.item, s.n);
    d.items = s.item;
    d.templates = pl_component_of_mean(s.template, s.t, 2);
    PL_GOTO(status, done, pl__condition_clusters(&d.clusters, c, arena));
    status = draw_component(&d.draws, &s, c, against);
done:
    if (status == PL_OK) pl_crossed_of(out, &d);
    free(s.templates);
    free(s.item);
    free(s.template);
    return status;
}

/* ---- roles ---- */

static pl_status open_side(sums *s, const pl__condition *c, pl_role role)
{
    *s = (sums){.n = c->n_kept};
    PL_TRY(pl_new(&s->templates, c->t));
    choose_templates(s, c, NULL, role);
    PL_TRY(pl_new(&s->item, s->n));
    PL_TRY(pl_new(&s->template, s->t));
    if (s->t) add(s, c, false);
    return PL_OK;
}

static void close_side(sums *s)
{
    free(s->templates);
    free(s->item);
    free(s->template);
}

pl_status pl__role_contrast(pl_crossed *out, const pl__condition *c, pl_role role, pl_role against, pl_arena *arena)
{
    sums a = {0}, b = {0};
    double *draws = NULL, *others = NULL;
    pl_crossed_design d = {.value = NAN, .n = c->n_kept, .ends = 0.5, .low = -1.0, .high = 1.0};
    pl_status status;
    PL_GOTO(status, done, open_side(&a, c, role));
    PL_GOTO(status, done, open_side(&b, c, against));
    PL_GOTO(status, done, pl_new(&draws, c->n_draws));
    PL_GOTO(status, done, pl_new(&others, c->n_draws));
    if (!a.t || !b.t || !a.n) goto done;
    draw_means(draws, &a, c, false);
    draw_means(others, &b, c, false);
    for (size_t k = 0; k < c->n_draws; k++) draws[k] -= others[k];
    for (size_t i = 0; i < a.n; i++) a.item[i] -= b.item[i];
    d.value = pl_mean(a.item, a.n);
    d.items = a.item;
    d.templates = pl_component_of_difference(a.template, a.t, b.template, b.t);
    d.draws = pl_component_of_mean(draws, c->n_draws, PL_DRAWS_MIN);
    status = pl__condition_clusters(&d.clusters, c, arena);
done:
    if (status == PL_OK) pl_crossed_of(out, &d);
    close_side(&a);
    close_side(&b);
    free(draws);
    free(others);
    return status;
}

/* ---- its components of variance ---- */

/* Places of draws that are compared: [n] of each side. */
typedef struct draw_pairs {
    size_t n, *c, *against;
} draw_pairs;

static pl_status pair_draws(draw_pairs *out, const pl__condition *c, const pl__condition *against, pl_arena *arena)
{
    size_t most = c->n_draws > against->n_draws ? c->n_draws : against->n_draws;
    bool alone = (c->n_draws == 1 && !c->sampled) || (against->n_draws == 1 && !against->sampled);
    out->n = 0;
    PL_TRY(pl_arena_new(arena, &out->c, most));
    PL_TRY(pl_arena_new(arena, &out->against, most));
    for (size_t a = 0; a < c->n_draws; a++)
        for (size_t b = 0; b < against->n_draws; b++) {
            if (!alone && c->draws[a] != against->draws[b]) continue;
            out->c[out->n] = a;
            out->against[out->n++] = b;
        }
    return PL_OK;
}

/* Differences [draws, samples of templates, clusters]. */
static void fill_differences(double *out, const sums *s, const pl_clusters *clusters, const draw_pairs *draws,
                             const pl__condition *c, const pl__condition *against)
{
    for (size_t d = 0; d < draws->n; d++)
        for (size_t k = 0; k < s->n_templates; k++) {
            const compared *one = &s->templates[k];
            double *row = out + (d * s->t + one->sample) * clusters->n;
            for (size_t g = 0; g < clusters->n; g++) {
                double weight = one->share / (double)(clusters->start[g + 1] - clusters->start[g]);
                for (size_t at = clusters->start[g]; at < clusters->start[g + 1]; at++)
                    row[g] +=
                        weight * (pl__condition_outcome(c, draws->c[d], one->c, clusters->items[at]) -
                                  pl__condition_outcome(against, draws->against[d], one->against, clusters->items[at]));
            }
        }
}

/* Clusters with lists, also where each item is its own. */
static pl_status listed_clusters(pl_clusters *out, const pl__condition *c, pl_arena *arena)
{
    size_t *start, *items;
    PL_TRY(pl__condition_clusters(out, c, arena));
    if (out->start) return PL_OK;
    PL_TRY(pl_arena_new(arena, &start, c->n_kept + 1));
    PL_TRY(pl_arena_new(arena, &items, c->n_kept));
    for (size_t i = 0; i <= c->n_kept; i++) start[i] = i;
    for (size_t i = 0; i < c->n_kept; i++) items[i] = i;
    *out = (pl_clusters){c->n_kept, start, items};
    return PL_OK;
}

pl_status pl__contrast_parts(pl_three_way *out, const pl__condition *c, const pl__condition *against, pl_role role,
                             pl_arena *arena)
{
    sums s = {.n = c->n_kept};
    pl_clusters clusters;
    draw_pairs draws;
    pl_mean_squares m;
    double *differences = NULL;
    pl_status status;
    *out = (pl_three_way){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    PL_GOTO(status, done, pl_new(&s.templates, c->t));
    choose_templates(&s, c, against, role);
    PL_GOTO(status, done, listed_clusters(&clusters, c, arena));
    PL_GOTO(status, done, pair_draws(&draws, c, against, arena));
    if (s.t < 2 || clusters.n < 2 || !draws.n) goto done;
    PL_GOTO(status, done, pl_new(&differences, draws.n * s.t * clusters.n));
    fill_differences(differences, &s, &clusters, &draws, c, against);
    PL_GOTO(status, done, pl_mean_squares_of(&m, differences, draws.n, s.t, clusters.n));
    *out = pl_three_way_of(&m);
done:
    free(differences);
    free(s.templates);
    return status;
}

/* Totals of clusters, in units whose mean is the accuracy: [draws, samples of templates, clusters]. */
static void fill_totals(double *out, const sums *s, const pl_clusters *clusters, const pl__condition *c)
{
    for (size_t d = 0; d < c->n_draws; d++)
        for (size_t k = 0; k < s->n_templates; k++) {
            const compared *one = &s->templates[k];
            double *row = out + (d * s->t + one->sample) * clusters->n;
            double weight = one->share * (double)clusters->n / (double)s->n;
            for (size_t g = 0; g < clusters->n; g++)
                for (size_t at = clusters->start[g]; at < clusters->start[g + 1]; at++)
                    row[g] += weight * pl__condition_outcome(c, d, one->c, clusters->items[at]);
        }
}

pl_status pl__contrast_squares(pl_mean_squares *out, double *mean, const pl__condition *c, pl_role role,
                               pl_arena *arena)
{
    sums s = {.n = c->n_kept};
    pl_clusters clusters;
    double *totals = NULL;
    pl_status status;
    *mean = NAN;
    PL_GOTO(status, done, pl_new(&s.templates, c->t));
    choose_templates(&s, c, NULL, role);
    PL_GOTO(status, done, listed_clusters(&clusters, c, arena));
    *out = (pl_mean_squares){.s = c->n_draws, .t = s.t, .n = clusters.n};
    if (s.t < 2 || clusters.n < 2) goto done;
    PL_GOTO(status, done, pl_new(&totals, c->n_draws * s.t * clusters.n));
    fill_totals(totals, &s, &clusters, c);
    *mean = pl_mean(totals, c->n_draws * s.t * clusters.n);
    status = pl_mean_squares_of(out, totals, c->n_draws, s.t, clusters.n);
done:
    free(totals);
    free(s.templates);
    return status;
}

/* ---- one template, one draw ---- */

/* The role's k-th template that both have: its places; false: there are not so many. */
static bool common_template(size_t *mine, size_t *theirs, const pl__condition *c, const pl__condition *against,
                            pl_role role, size_t k)
{
    for (*mine = 0; *mine < c->t; ++*mine) {
        if (c->roles[*mine] != role) continue;
        *theirs = find_template(against, c->templates[*mine]);
        if (*theirs < against->t && k-- == 0) return true;
    }
    return false;
}

size_t pl__contrast_n_templates(const pl__condition *c, const pl__condition *against, pl_role role)
{
    size_t n = 0, mine, theirs;
    for (size_t k = 0; common_template(&mine, &theirs, c, against, role, k); k++) {
        bool new = true;
        size_t other;
        for (size_t j = 0; j < k && new; j++)
            new = !common_template(&other, &theirs, c, against, role, j) || c->same[other] != c->same[mine];
        n += new;
    }
    return n;
}

double pl__contrast_mcnemar(const pl__condition *c, const pl__condition *against, pl_role role)
{
    size_t mine, theirs, more, others, first = 0, second = 0;
    if (c->n_draws != 1 || against->n_draws != 1 || c->group_of || !c->n_kept) return NAN;
    if (!common_template(&mine, &theirs, c, against, role, 0) || common_template(&more, &others, c, against, role, 1))
        return NAN;
    for (size_t i = 0; i < c->n_kept; i++) {
        double a = pl__condition_outcome(c, 0, mine, i), b = pl__condition_outcome(against, 0, theirs, i);
        if ((a != 0.0 && a != 1.0) || (b != 0.0 && b != 1.0)) return NAN; /* orders that differ */
        first += a > b;
        second += a < b;
    }
    return pl_mcnemar(first, second);
}
