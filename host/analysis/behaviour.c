/* Metrics of behaviour over templates (stability.md B.4, E.2): what each says of a scope. */
#include <stdlib.h>
#include <string.h>

#include "analysis/scope.h"
#include "measure/calibration.h"
#include "measure/entropy.h"
#include "statistics/cochran.h"
#include "statistics/permutation.h"

enum { JSD_SHIFTS = 8 };

static void chance_null(pl__measured *out, const pl__scope *scope)
{
    if (scope->subject->group->unit->generates) {
        out->null_why = "generated answers have no chance level";
        return;
    }
    out->null_mean = scope->subject->group->chance;
    out->tested = isfinite(out->null_mean);
}

/* A row without a value that says why. */
static pl_status empty(pl__measured *out, const char *why)
{
    out->kind = PL__FIXED;
    out->estimate = pl__only_value(NAN);
    out->why_empty = why;
    return PL_OK;
}

static const char *const CONSTANT = "constant predictor";
static const char *const OWN_CHOICES = "choices are the items' own: their places are no labels";

/* Mean over templates of 0s and 1s [n, T], an item at a time. */
static void average(double *items, const pl__scope *scope, const uint8_t *outcomes, const size_t *templates, size_t t)
{
    const pl__subject *s = scope->subject;
    for (size_t i = 0; i < s->n; i++) {
        double sum = 0.0;
        for (size_t k = 0; k < t; k++) sum += outcomes[i * s->t + templates[k]];
        items[i] = sum / (double)t;
    }
}

static double share_under(const pl__subject *s, const uint8_t *outcomes, size_t template)
{
    size_t count = 0;
    for (size_t i = 0; i < s->n; i++) count += outcomes[i * s->t + template];
    return s->n ? (double)count / (double)s->n : NAN;
}

/* A share of items: plain for one template, a mean of shares for several. */
static void share(pl__measured *out, const pl__scope *scope, const uint8_t *outcomes)
{
    const pl__subject *s = scope->subject;
    if (!outcomes) return;
    average(s->items, scope, outcomes, scope->templates, scope->t);
    out->kind = scope->t == 1 ? PL__SHARE : PL__ITEMS;
    out->templates = scope->t == 1 ? PL__NO_TEMPLATES : PL__TEMPLATE_MEANS;
    for (size_t k = 0; k < scope->t; k++) s->templates[k] = share_under(s, outcomes, scope->templates[k]);
}

pl_status pl__metric_acc(pl__measured *out, pl__scope *scope)
{
    share(out, scope, scope->subject->member->correct);
    chance_null(out, scope);
    return PL_OK;
}

pl_status pl__metric_acc_norm(pl__measured *out, pl__scope *scope)
{
    share(out, scope, scope->subject->member->correct_norm);
    chance_null(out, scope);
    return PL_OK;
}

pl_status pl__metric_acc_cc(pl__measured *out, pl__scope *scope)
{
    const pl__member *member = scope->subject->member;
    for (size_t k = 0; k < scope->t; k++)
        if (!member->calibrated[scope->templates[k]]) return PL_OK;
    share(out, scope, member->correct_cc);
    chance_null(out, scope);
    return PL_OK;
}

pl_status pl__metric_parse_fail(pl__measured *out, pl__scope *scope)
{
    share(out, scope, scope->subject->member->failed);
    return PL_OK;
}

pl_status pl__metric_majority(pl__measured *out, pl__scope *scope)
{
    if (scope->subject->group->own_choices) return empty(out, OWN_CHOICES);
    empty(out, "");
    out->kind = PL__CONSTANT;
    out->estimate.value = scope->subject->group->majority;
    chance_null(out, scope);
    out->tested = false;
    return PL_OK;
}

/* Each item is its own control (stability.md B.6). */
pl_status pl__metric_acc_drop(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    const uint8_t *correct = s->member->correct;
    average(s->items, scope, correct, scope->templates, scope->t);
    for (size_t i = 0; i < s->n; i++) {
        double sum = 0.0;
        for (size_t k = 0; k < scope->n_against; k++) sum += correct[i * s->t + scope->against[k]];
        s->items[i] -= sum / (double)scope->n_against;
    }
    for (size_t k = 0; k < scope->t; k++) s->templates[k] = share_under(s, correct, scope->templates[k]);
    for (size_t k = 0; k < scope->n_against; k++)
        s->templates[scope->t + k] = share_under(s, correct, scope->against[k]);
    out->kind = PL__ITEMS;
    out->templates = PL__TEMPLATE_MEANS;
    out->null_mean = 0.0;
    out->tested = true;
    return PL_OK;
}

/* The first template of each wording: those that differ in label words alone are no further samples, and of a readout
 * that does not see them the same once more. */
static pl_status take_wordings(size_t **out, size_t *n, const pl__scope *scope)
{
    const size_t *wording = scope->subject->member->wording;
    *n = 0;
    PL_TRY(pl_new(out, scope->t));
    for (size_t k = 0; k < scope->t; k++) {
        bool is_new = true;
        for (size_t j = 0; j < *n; j++) is_new = is_new && wording[(*out)[j]] != wording[scope->templates[k]];
        if (is_new) (*out)[(*n)++] = scope->templates[k];
    }
    return PL_OK;
}

/* Of items that know nothing of one another. */
pl_status pl__metric_cochran_q(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    size_t *templates, t;
    if (scope->t < 2) return PL_OK;
    if (s->group->clusters.start) return empty(out, "items are in groups: see p of template_sd");
    PL_TRY(take_wordings(&templates, &t, scope));
    pl_cochran c = pl_cochran_q(s->member->correct, s->n, s->t, templates, t);
    free(templates);
    if (t < 2) return PL_OK;
    out->kind = PL__FIXED;
    out->estimate = pl__only_value(c.q);
    out->estimate.df = c.df;
    out->null_mean = c.df;
    out->p = c.p;
    out->why_empty = isnan(c.q) ? "templates agree on every item" : "a statistic of a test has no interval";
    return PL_OK;
}

/* ---- agreement ---- */

/* Share of items on which two templates differ: a plain share. */
static pl_status flips_of_pair(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    for (size_t i = 0; i < s->n; i++) {
        const int *codes = s->member->codes + i * s->t;
        s->items[i] = codes[scope->templates[0]] != codes[scope->templates[1]];
    }
    out->kind = PL__SHARE;
    return PL_OK;
}

/* What agreement is by chance says nothing where codes are places in the items' own lists. */
static void agreement_null(pl__measured *out, const pl__scope *scope, double null)
{
    if (scope->subject->group->own_choices)
        out->null_why = OWN_CHOICES;
    else
        out->null_mean = null;
}

pl_status pl__metric_flip_rate(pl__measured *out, pl__scope *scope)
{
    const pl_agreement *a;
    if (scope->t < 2) return PL_OK;
    if (scope->over == PL_OVER_PAIR) return flips_of_pair(out, scope);
    PL_TRY(pl__scope_agreement(&a, scope));
    memcpy(scope->subject->items, a->flip, a->n * sizeof *a->flip);
    out->kind = PL__ITEMS;
    out->leave_out = true;
    out->high = pl__flips_most(scope->t, scope->subject->group->n_categories);
    agreement_null(out, scope, a->chance_flip);
    if (a->chance_flip > 0.0 || scope->is_part) return PL_OK;
    return pl__measured_note(out, scope, "constant predictor: steady, but it says nothing");
}

/* Label shares are those of what is predicted; open answers have as many labels as texts. */
enum { FORCED_LABELS_MAX = 64 };

/* Mean of |sum of d signs|, each up or down: d C(d-1, (d-1)/2) / 2^(d-1). */
static double mean_walk(size_t d)
{
    double n = (double)d - 1.0, half = floor(n / 2.0);
    if (d == 0) return 0.0;
    return (double)d * exp(lgamma(n + 1.0) - lgamma(half + 1.0) - lgamma(n - half + 1.0) - n * log(2.0));
}

/* What label shares force of the flips between two templates, 1/2 sum_l |p_a(l) - p_b(l)|, and what that is on average
 * when the two are exchanged within each item; left_out[n] without each item is added up, / pairs. */
static void forced_pair(double *forced, double *null, double *left_out, const pl__subject *s, size_t a, size_t b,
                        double pairs)
{
    double counts[FORCED_LABELS_MAX] = {0}, sum = 0.0, n = (double)s->n;
    size_t differ[FORCED_LABELS_MAX] = {0}, q = s->group->n_categories;
    for (size_t i = 0; i < s->n; i++) {
        int x = s->member->codes[i * s->t + a], y = s->member->codes[i * s->t + b];
        counts[x]++;
        counts[y]--;
        if (x == y) continue;
        differ[x]++;
        differ[y]++;
    }
    for (size_t l = 0; l < q; l++) {
        sum += fabs(counts[l]) / 2.0;
        *null += mean_walk(differ[l]) / 2.0 / n / pairs;
    }
    *forced += sum / n / pairs;
    for (size_t i = 0; i < s->n; i++) {
        int x = s->member->codes[i * s->t + a], y = s->member->codes[i * s->t + b];
        double rest = sum;
        if (x != y) rest += (fabs(counts[x] - 1.0) - fabs(counts[x]) + fabs(counts[y] + 1.0) - fabs(counts[y])) / 2.0;
        left_out[i] += rest / (n - 1.0) / pairs;
    }
}

static pl_status forced_of(pl__measured *out, pl__scope *scope, double *null)
{
    const pl__subject *s = scope->subject;
    if (s->group->own_choices) return empty(out, OWN_CHOICES);
    if (s->group->n_categories > FORCED_LABELS_MAX) return empty(out, "open answers: there are no label shares");
    memset(s->items, 0, s->n * sizeof *s->items);
    out->kind = PL__LEFT_OUT;
    out->leave_out = true;
    out->value = *null = 0.0;
    double pairs = (double)scope->t * ((double)scope->t - 1.0) / 2.0;
    for (size_t a = 0; a < scope->t; a++)
        for (size_t b = a + 1; b < scope->t; b++)
            forced_pair(&out->value, null, s->items, s, scope->templates[a], scope->templates[b], pairs);
    return PL_OK;
}

pl_status pl__metric_flip_forced(pl__measured *out, pl__scope *scope)
{
    double null;
    if (scope->t < 2) return PL_OK;
    PL_TRY(forced_of(out, scope, &null));
    if (out->kind == PL__LEFT_OUT) out->null_mean = null;
    return PL_OK;
}

pl_status pl__metric_flip_rest(pl__measured *out, pl__scope *scope)
{
    const pl_agreement *a;
    double null, n = (double)scope->subject->n;
    if (scope->t < 2) return PL_OK;
    PL_TRY(forced_of(out, scope, &null));
    if (out->kind != PL__LEFT_OUT) return PL_OK;
    PL_TRY(pl__scope_agreement(&a, scope));
    for (size_t i = 0; i < a->n; i++)
        scope->subject->items[i] = a->flip_rate + (a->flip_rate - a->flip[i]) / (n - 1.0) - scope->subject->items[i];
    out->value = a->flip_rate - out->value;
    return PL_OK;
}

pl_status pl__metric_unanimity(pl__measured *out, pl__scope *scope)
{
    const pl_agreement *a;
    PL_TRY(pl__scope_agreement(&a, scope));
    for (size_t i = 0; i < a->n; i++) scope->subject->items[i] = a->flip[i] == 0.0;
    out->kind = PL__ITEMS;
    out->leave_out = true;
    agreement_null(out, scope, a->chance_unanimity);
    return PL_OK;
}

pl_status pl__metric_fleiss_kappa(pl__measured *out, pl__scope *scope)
{
    const pl_agreement *a;
    if (scope->subject->group->own_choices) return empty(out, OWN_CHOICES);
    PL_TRY(pl__scope_agreement(&a, scope));
    memcpy(scope->subject->items, a->fleiss_kappa_left_out, a->n * sizeof *a->fleiss_kappa_left_out);
    out->kind = PL__LEFT_OUT;
    out->value = a->fleiss_kappa;
    out->leave_out = true;
    out->null_mean = 0.0;
    if (isnan(a->fleiss_kappa)) out->why_empty = CONSTANT;
    return PL_OK;
}

pl_status pl__metric_gwet_ac1(pl__measured *out, pl__scope *scope)
{
    const pl_agreement *a;
    if (scope->subject->group->own_choices) return empty(out, OWN_CHOICES);
    PL_TRY(pl__scope_agreement(&a, scope));
    if (a->chance_flip == 0.0) return empty(out, CONSTANT);
    memcpy(scope->subject->items, a->gwet_ac1_left_out, a->n * sizeof *a->gwet_ac1_left_out);
    out->kind = PL__LEFT_OUT;
    out->value = a->gwet_ac1;
    out->leave_out = true;
    out->null_mean = 0.0;
    return PL_OK;
}

/* ---- distributions over labels ---- */

/* Entropy of what is predicted; over several templates, its mean. */
pl_status pl__metric_prediction_entropy(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    double *left, value, categories = (double)s->group->n_labels;
    pl_status status = PL_OK;
    if (s->group->own_choices) return empty(out, OWN_CHOICES);
    PL_TRY(pl_new(&left, s->n));
    memset(s->items, 0, s->n * sizeof *s->items);
    out->kind = PL__LEFT_OUT;
    out->templates = scope->t == 1 ? PL__NO_TEMPLATES : PL__TEMPLATE_MEANS;
    out->value = 0.0;
    for (size_t k = 0; k < scope->t; k++) {
        PL_GOTO(status, done,
                pl_prediction_entropy(&value, left, s->member->codes + scope->templates[k], s->t, s->n,
                                      s->group->n_categories));
        out->value += value / (double)scope->t;
        s->templates[k] = value;
        for (size_t i = 0; i < s->n; i++) s->items[i] += left[i] / (double)scope->t;
    }
    if (categories > 0.0) out->null_mean = log2(categories);
    if (s->group->n_categories > 1) out->high = log2((double)s->group->n_categories);
    out->no_interval = out->value == 0.0;
    if (out->no_interval) out->why_empty = CONSTANT;
done:
    free(left);
    return status;
}

/* The mean over items and pairs without those of a template. */
static void jsd_without_templates(const pl__subject *s, const double *q, size_t m)
{
    double total = 0.0, pairs = 0.5 * ((double)s->t - 1.0) * ((double)s->t - 2.0) * (double)s->n;
    memset(s->templates, 0, s->t * sizeof *s->templates);
    for (size_t i = 0; i < s->n; i++)
        for (size_t a = 0; a < s->t; a++)
            for (size_t b = a + 1; b < s->t; b++) {
                double jsd = pl_jsd(q + (i * s->t + a) * m, q + (i * s->t + b) * m, m);
                total += jsd;
                s->templates[a] += jsd;
                s->templates[b] += jsd;
            }
    for (size_t k = 0; k < s->t; k++) s->templates[k] = pairs > 0.0 ? (total - s->templates[k]) / pairs : NAN;
}

/* Mean pairwise JSD of label distributions; its null pairs each item with others (some fixed shifts of the item order).
 */
pl_status pl__metric_jsd(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    const double *q = s->member->q;
    size_t m = s->group->m, shifts = s->n > JSD_SHIFTS ? JSD_SHIFTS : s->n - 1;
    if (!q) return PL_OK;
    if (s->group->own_choices) return empty(out, OWN_CHOICES);
    double null = 0.0;
    for (size_t r = 1; r <= shifts; r++) {
        pl_jsd_of_items(s->items, q, s->n, s->t, m, r * s->n / (shifts + 1));
        null += pl_mean(s->items, s->n) / (double)shifts;
    }
    if (shifts > 0) out->null_mean = null;
    pl_jsd_of_items(s->items, q, s->n, s->t, m, 0);
    jsd_without_templates(s, q, m);
    out->kind = PL__ITEMS;
    out->templates = PL__TEMPLATES_LEFT_OUT;
    return PL_OK;
}

/* Whether there are label distributions and every item's gold label is one of them. */
static bool has_scores(const pl__scope *scope)
{
    const pl__group *g = scope->subject->group;
    if (!scope->subject->member->q) return false;
    for (size_t i = 0; i < g->n; i++)
        if (g->gold[i] < 0 || (size_t)g->gold[i] >= g->m) return false;
    return true;
}

static pl_status scored(pl__measured *out, pl__scope *scope, double null)
{
    out->kind = PL__ITEMS;
    out->null_mean = null;
    if (isfinite(pl_mean(scope->subject->items, scope->subject->n))) return PL_OK;
    return pl__measured_note(out, scope, "an item's gold label has a probability below what a double holds");
}

/* The label distribution of item i under the scope's template. */
static const double *labels_of(const pl__scope *scope, size_t i)
{
    const pl__subject *s = scope->subject;
    return s->member->q + (i * s->t + scope->templates[0]) * s->group->m;
}

/* One prediction an item, from all templates of the scope. */
pl_status pl__metric_acc_ens(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    size_t m = s->group->m;
    double *log_probs = NULL;
    const double **scores = NULL;
    pl_status status;
    if (!has_scores(scope)) return PL_OK;
    PL_TRY(pl_new(&log_probs, m));
    PL_GOTO(status, done, pl_new(&scores, scope->t));
    for (size_t i = 0; i < s->n; i++) {
        size_t n = m, own;
        for (size_t k = 0; k < scope->t; k++) {
            scores[k] = pl__cell_scores(&s->member->cells[scope->templates[k]], i, &own);
            n = own < n ? own : n;
        }
        pl_ensemble(log_probs, scores, scope->t, n);
        s->items[i] = pl_best_label(log_probs, NULL, n) == (size_t)s->group->gold[i];
    }
    out->kind = PL__SHARE;
    out->leave_out = true;
    chance_null(out, scope);
done:
    free(scores);
    free(log_probs);
    return status;
}

pl_status pl__metric_brier(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    if (!has_scores(scope)) return PL_OK;
    for (size_t i = 0; i < s->n; i++)
        s->items[i] = pl_brier(labels_of(scope, i), s->group->m, (size_t)s->group->gold[i]);
    return scored(out, scope, 1.0 - 1.0 / (double)s->group->m);
}

pl_status pl__metric_nll(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    if (!has_scores(scope)) return PL_OK;
    for (size_t i = 0; i < s->n; i++) s->items[i] = pl_nll(labels_of(scope, i), (size_t)s->group->gold[i]);
    return scored(out, scope, log((double)s->group->m));
}

/* ---- what is in no mean ---- */

/* Only where the group has such items at all: every template then says its own. */
pl_status pl__metric_not_finite(pl__measured *out, pl__scope *scope)
{
    const pl__subject *s = scope->subject;
    const pl__cell *cell = &s->member->cells[scope->templates[0]];
    if (s->group->n_not_finite == 0) return PL_OK;
    out->kind = PL__FIXED;
    out->n = s->group->n_shared;
    out->estimate = pl__only_value((double)cell->n_not_finite);
    if (cell->n_not_finite == 0) return PL_OK;
    return pl__measured_note(out, scope, "first: doc_id %lld", (long long)cell->first_not_finite);
}
