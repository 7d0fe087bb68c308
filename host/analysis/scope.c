#include "analysis/scope.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pl_status pl__subject_open(pl__subject *s)
{
    pl_status status;
    PL_GOTO(status, failed, pl_new(&s->items, s->n));
    PL_GOTO(status, failed, pl_new(&s->templates, s->t));
    PL_GOTO(status, failed, pl_new(&s->wording, s->t));
    PL_GOTO(status, failed, pl_new(&s->variants, s->t));
    s->n_wordings = pl__wordings(s->wording, s->variants, s->member->wording, s->t);
    return PL_OK;
failed:
    pl__subject_close(s);
    return status;
}

void pl__subject_close(pl__subject *s)
{
    free(s->items);
    free(s->templates);
    free(s->wording);
    free(s->variants);
    pl_template_variance_free(&s->variance);
    pl_probe_free(&s->probe);
    for (size_t i = 0; i < PL_SIMILARITIES; i++) pl_side_free(&s->sides[i]);
    for (size_t i = 0; i < PL__PREPROCESSINGS; i++) {
        pl_variance_sums_free(&s->sums[i]);
        pl_cka_free(&s->cka[i]);
    }
    *s = (pl__subject){0};
}

/* ---- scopes ---- */

static const char *template_name(const pl__subject *s, size_t k)
{
    return s->member->cells[k].unit->template_name;
}

static pl_role role_of(const pl__subject *s, size_t k)
{
    return s->member->cells[k].unit->role;
}

static size_t count_role(const pl__subject *s, pl_role role)
{
    size_t count = 0;
    for (size_t k = 0; k < s->t; k++) count += role_of(s, k) == role;
    return count;
}

static pl__scope *add(pl__scopes *scopes, pl__subject *s, pl_over over, const char *contrast)
{
    pl__scope *scope = &scopes->scopes[scopes->n++];
    *scope = (pl__scope){.subject = s, .over = over, .contrast = contrast, .template_name = ""};
    return scope;
}

static pl_status take_all(pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    scope->t = s->t;
    PL_TRY(pl_arena_new(s->arena, &scope->templates, s->t));
    for (size_t k = 0; k < s->t; k++) scope->templates[k] = k;
    return PL_OK;
}

static pl_status take_role(size_t **out, size_t *n, const pl__subject *s, pl_role role)
{
    PL_TRY(pl_arena_new(s->arena, out, s->t));
    for (size_t k = 0; k < s->t; k++)
        if (role_of(s, k) == role) (*out)[(*n)++] = k;
    return PL_OK;
}

static pl_status add_each(pl__scopes *out, pl__subject *s)
{
    for (size_t k = 0; k < s->t; k++) {
        pl__scope *scope = add(out, s, PL_OVER_TEMPLATE, "templates");
        scope->template_name = template_name(s, k);
        scope->t = 1;
        PL_TRY(pl_arena_new(s->arena, &scope->templates, 1));
        scope->templates[0] = k;
    }
    return PL_OK;
}

static pl_status add_roles(pl__scopes *out, pl__subject *s)
{
    for (pl_role role = 0; role < PL_ROLES; role++) {
        size_t count = count_role(s, role);
        if (count == 0 || count == s->t) continue;
        pl__scope *scope = add(out, s, PL_OVER_ROLE, pl_role_name(role));
        PL_TRY(take_role(&scope->templates, &scope->t, s, role));
    }
    return PL_OK;
}

static pl_status add_pair(pl__scopes *out, pl__subject *s, pl_over over, size_t a, size_t b)
{
    char *pair;
    const char *sign = over == PL_OVER_ORDERED ? ">" : "|";
    PL_TRY(pl_arena_format(s->arena, &pair, "%s%s%s", template_name(s, a), sign, template_name(s, b)));
    pl__scope *scope = add(out, s, over, pair);
    scope->t = 2;
    PL_TRY(pl_arena_new(s->arena, &scope->templates, 2));
    scope->templates[0] = a;
    scope->templates[1] = b;
    return PL_OK;
}

static pl_status add_pairs(pl__scopes *out, pl__subject *s, bool ordered)
{
    for (size_t a = 0; a < s->t; a++)
        for (size_t b = a + 1; b < s->t; b++) PL_TRY(add_pair(out, s, PL_OVER_PAIR, a, b));
    for (size_t a = 0; ordered && a < s->t; a++)
        for (size_t b = 0; b < s->t; b++)
            if (a != b) PL_TRY(add_pair(out, s, PL_OVER_ORDERED, a, b));
    return PL_OK;
}

static pl_status add_contrasts(pl__scopes *out, pl__subject *s)
{
    pl__scope *scope;
    bool ood = count_role(s, PL_ROLE_OOD) > 0;
    if (ood && count_role(s, PL_ROLE_ID) > 0) {
        scope = add(out, s, PL_OVER_ID_OOD, "id|ood");
        PL_TRY(take_role(&scope->templates, &scope->t, s, PL_ROLE_ID));
        PL_TRY(take_role(&scope->against, &scope->n_against, s, PL_ROLE_OOD));
    }
    if (count_role(s, PL_ROLE_DEV) > 1) {
        scope = add(out, s, PL_OVER_DEV, "dev");
        PL_TRY(take_role(&scope->templates, &scope->t, s, PL_ROLE_DEV));
    }
    scope = add(out, s, PL_OVER_HARDEST, ood ? "ood" : "templates");
    return ood ? take_role(&scope->templates, &scope->t, s, PL_ROLE_OOD) : take_all(scope);
}

pl_status pl__scopes_make(pl__scopes *out, pl__subject *s)
{
    *out = (pl__scopes){0};
    bool ordered = s->layer && s->layer->probed;
    PL_TRY(pl_new(&out->scopes, s->t + s->t * s->t / 2 + (ordered ? s->t * s->t : 0) + PL_ROLES + 5));
    pl_status status;
    add(out, s, PL_OVER_ITEMS, "templates");
    PL_GOTO(status, failed, add_each(out, s));
    if (s->t < 2) return PL_OK;
    PL_GOTO(status, failed, take_all(add(out, s, PL_OVER_TEMPLATES, "templates")));
    PL_GOTO(status, failed, add_roles(out, s));
    PL_GOTO(status, failed, add_pairs(out, s, ordered));
    PL_GOTO(status, failed, add_contrasts(out, s));
    return PL_OK;
failed:
    pl__scopes_free(out);
    return status;
}

void pl__scopes_free(pl__scopes *scopes)
{
    for (size_t i = 0; i < scopes->n; i++) pl_agreement_free(&scopes->scopes[i].agreement);
    free(scopes->scopes);
    *scopes = (pl__scopes){0};
}

/* ---- made once ---- */

pl_status pl__scope_agreement(const pl_agreement **out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    int *codes;
    *out = &scope->agreement;
    if (scope->has_agreement) return PL_OK;
    PL_TRY(pl_new(&codes, s->n * scope->t));
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < scope->t; k++)
            codes[i * scope->t + k] = s->member->codes[i * s->t + scope->templates[k]];
    pl_status status = pl_agreement_of(&scope->agreement, codes, s->n, scope->t, s->group->n_categories);
    free(codes);
    scope->has_agreement = status == PL_OK;
    return status;
}

/* The place of each item's cluster; items that are their own come in order. */
static pl_status cluster_of_items(size_t **out, const pl__subject *s)
{
    const pl_clusters *clusters = &s->group->clusters;
    PL_TRY(pl_new(out, s->n));
    for (size_t i = 0; !clusters->start && i < s->n; i++) (*out)[i] = i;
    for (size_t c = 0; clusters->start && c < clusters->n; c++)
        for (size_t at = clusters->start[c]; at < clusters->start[c + 1]; at++) (*out)[clusters->items[at]] = c;
    return PL_OK;
}

size_t pl__subject_draw(size_t *n_draws, size_t *n_orders, const pl__subject *s, size_t member)
{
    size_t place = 0;
    *n_draws = *n_orders = 0;
    for (size_t a = 0; a < s->n_members; a++) {
        size_t first = 0;
        bool same = s->members[a]->draw == s->members[member]->draw;
        while (s->members[first]->draw != s->members[a]->draw) first++;
        if (first == a && same) place = *n_draws;
        *n_draws += first == a;
        *n_orders += same;
    }
    return place;
}

/* The least number that the templates of every wording divide: in its units a wording's mean is exact. */
static double common_multiple(const pl__subject *s)
{
    double out = 1.0;
    for (size_t k = 0; k < s->t; k++) {
        double step = out;
        while (fmod(out, s->variants[k]) != 0.0) out += step;
    }
    return out;
}

/* Right answers [draws, wordings, clusters], summed over the items of a cluster, mean over the templates of a wording
 * and the orders of a draw, times `scale`. */
static pl_status cluster_sums(double **out, size_t *n_draws, size_t *n_clusters, const pl__subject *s, double scale)
{
    size_t *cluster, n, orders;
    *n_clusters = s->group->clusters.start ? s->group->clusters.n : s->n;
    pl__subject_draw(n_draws, &orders, s, 0);
    PL_TRY(cluster_of_items(&cluster, s));
    pl_status status;
    PL_GOTO(status, done, pl_new(out, *n_draws * s->n_wordings * *n_clusters));
    for (size_t a = 0; a < s->n_members; a++) {
        size_t d = pl__subject_draw(&n, &orders, s, a);
        for (size_t k = 0; k < s->t; k++)
            for (size_t i = 0; i < s->n; i++)
                (*out)[(d * s->n_wordings + s->wording[k]) * *n_clusters + cluster[i]] +=
                    scale / s->variants[k] * (double)s->members[a]->correct[i * s->t + k] / (double)orders;
    }
done:
    free(cluster);
    return status;
}

pl_status pl__subject_variance(const pl_template_variance **out, pl__subject *s)
{
    double *sums = NULL, scale = common_multiple(s);
    size_t n_draws, n_clusters;
    *out = &s->variance;
    if (s->has_variance) return PL_OK;
    pl_status status;
    /* Members are told apart in the seed, so that their nulls are independent. */
    uint64_t seed = (uint64_t)(s->members[0] - s->group->members) + 1;
    PL_GOTO(status, done, cluster_sums(&sums, &n_draws, &n_clusters, s, scale));
    PL_GOTO(status, done, pl_template_variance_of(&s->variance, sums, n_draws, s->n_wordings, n_clusters, seed));
    s->variance_scale = scale * (double)s->n / (double)n_clusters;
    s->has_variance = true;
done:
    free(sums);
    return status;
}

pl_status pl__subject_clusters(pl_clusters *out, const pl__subject *s, size_t n, pl_arena *arena)
{
    const uint64_t *group_of = s->layer ? s->layer->group_of : s->group->group_of;
    if (!s->layer && n == s->n) {
        *out = s->group->clusters;
        return PL_OK;
    }
    return pl__clusters_make(out, group_of, n, arena);
}

double pl__flips_most(size_t t, size_t q)
{
    double labels = q > 2 ? (double)q : 2.0;
    return fmin(1.0, (1.0 - 1.0 / labels) * (double)t / ((double)t - 1.0));
}

const char *pl__generalises(const pl_crossed *c)
{
    if (isnan(c->lo)) return "";
    if (c->over_templates) return c->over_draws ? "items, templates, draws" : "items, templates";
    return c->over_draws ? "items, draws" : "items";
}

pl_crossed pl__only_value(double value)
{
    const pl_crossed_design design = {.value = value};
    pl_crossed out;
    pl_crossed_of(&out, &design);
    return out;
}

pl__measured pl__measured_none(const pl__scope *scope, double high)
{
    return (pl__measured){.kind = PL__NOTHING,
                          .value = NAN,
                          .n = scope->subject->n,
                          .high = high,
                          .ci_method = "none",
                          .null_mean = NAN,
                          .null_sd = NAN,
                          .null_q95 = NAN,
                          .p = NAN,
                          .note = "",
                          .why_empty = "",
                          .null_why = ""};
}

bool pl__measured_one_wording(pl__measured *out, const pl__subject *s)
{
    if (s->n_wordings > 1) return false;
    out->kind = PL__FIXED;
    out->estimate = pl__only_value(NAN);
    out->why_empty = "the templates are one wording";
    return true;
}

pl_status pl__measured_note(pl__measured *m, const pl__scope *scope, const char *format, ...)
{
    char text[256], *joined = NULL;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    PL_TRY(pl_arena_format(scope->subject->arena, &joined, "%s%s%s", m->note, *m->note ? "; " : "", text));
    m->note = joined;
    return PL_OK;
}
