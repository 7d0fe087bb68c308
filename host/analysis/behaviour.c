/* Behaviour over templates (stability.md B.4, E.2). One function a kind of number; `subject` is what they all read. */
#include "analysis/behaviour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/agreement.h"
#include "measure/entropy.h"
#include "statistics/interval.h"
#include "statistics/template_variance.h"

enum { JSD_SHIFTS = 8 };

typedef struct subject {
    pl__rows *rows;
    const pl__group *f;
    const pl__member *member;
    size_t n, t;
    double *values; /* [n]: scratch, one number an item */
} subject;

static const char *template_name(const subject *s, size_t k)
{
    return s->member->cells[k].entry->template_name;
}

/* "" takes every template. */
static bool has_role(const subject *s, size_t k, const char *role)
{
    return !*role || !strcmp(s->member->cells[k].entry->role, role);
}

static size_t count_role(const subject *s, const char *role)
{
    size_t count = 0;
    for (size_t k = 0; k < s->t; k++) count += has_role(s, k, role);
    return count;
}

static const char *contrast_of(const char *role)
{
    return *role ? role : "templates";
}

static pl_stability_row new_row(const subject *s, const char *metric, const char *contrast, size_t n_templates)
{
    pl_stability_row row = pl__row(s->rows, metric, contrast);
    row.n = s->n;
    row.n_templates = n_templates;
    return row;
}

static pl_stability_row template_row(const subject *s, const char *metric, size_t k)
{
    pl_stability_row row = new_row(s, metric, "templates", 1);
    row.template_name = template_name(s, k);
    return row;
}

/* A share of items of one template. Wilson for the member; what is pooled over members is no plain share and has a
 * jackknife. */
static pl_status add_share(const subject *s, const pl_stability_row *row, const uint8_t *outcomes, size_t k)
{
    size_t count = 0;
    for (size_t i = 0; i < s->n; i++) {
        count += outcomes[i * s->t + k];
        s->values[i] = outcomes[i * s->t + k];
    }
    PL_TRY(pl__rows_add(s->rows, row, pl_wilson(count, s->n), "wilson"));
    return pl__rows_pool_mean(s->rows, row, s->values, s->n);
}

/* Mean over the templates of a role ("" for all), an item at a time. */
static void average(const subject *s, const uint8_t *outcomes, const char *role)
{
    double count = (double)count_role(s, role);
    for (size_t i = 0; i < s->n; i++) {
        s->values[i] = 0.0;
        for (size_t k = 0; k < s->t; k++)
            if (has_role(s, k, role)) s->values[i] += outcomes[i * s->t + k];
        s->values[i] /= count;
    }
}

/* One share metric: per template, over all templates, and over those of each role when there are several roles. */
static pl_status share_rows(const subject *s, const char *metric, const uint8_t *outcomes, const char *null_name,
                            double null)
{
    static const char *const ROLES[] = {"", "id", "dev", "ood"};
    for (size_t k = 0; k < s->t; k++) {
        pl_stability_row row = template_row(s, metric, k);
        pl__row_null(&row, null_name, null, NAN);
        PL_TRY(add_share(s, &row, outcomes, k));
    }
    for (size_t r = 0; r < sizeof ROLES / sizeof *ROLES; r++) {
        size_t count = count_role(s, ROLES[r]);
        if (s->t < 2 || count == 0 || (*ROLES[r] && count == s->t)) continue;
        pl_stability_row row = new_row(s, metric, contrast_of(ROLES[r]), count);
        pl__row_null(&row, null_name, null, NAN);
        if (count == 1) {
            size_t k = 0;
            while (!has_role(s, k, ROLES[r])) k++;
            PL_TRY(add_share(s, &row, outcomes, k));
            continue;
        }
        average(s, outcomes, ROLES[r]);
        PL_TRY(pl__rows_mean(s->rows, &row, s->values, s->n));
    }
    return PL_OK;
}

/* Accuracy over id templates minus that over ood templates, each item its own control (stability.md B.6). */
static pl_status drop_row(const subject *s)
{
    size_t id = count_role(s, "id"), ood = count_role(s, "ood");
    if (id == 0 || ood == 0) return PL_OK;
    pl_stability_row row = new_row(s, "acc_drop", "id|ood", id + ood);
    pl__row_null(&row, "no drop", 0.0, NAN);
    double *first;
    PL_TRY(pl_new(&first, s->n));
    average(s, s->member->correct, "id");
    memcpy(first, s->values, s->n * sizeof *first);
    average(s, s->member->correct, "ood");
    for (size_t i = 0; i < s->n; i++) s->values[i] = first[i] - s->values[i];
    free(first);
    return pl__rows_mean(s->rows, &row, s->values, s->n);
}

static pl_status majority_row(const subject *s)
{
    pl_stability_row row = new_row(s, "majority", "templates", 0);
    pl__row_null(&row, "chance", s->f->entry->chance, NAN);
    return pl__rows_add(s->rows, &row, (pl_estimate){s->f->majority, NAN, NAN, NAN}, "none");
}

/* The lowest accuracy over ood templates, or over all when none is ood. */
static pl_status worst_row(const subject *s)
{
    const char *role = count_role(s, "ood") ? "ood" : "";
    size_t lowest = s->n + 1, worst = 0;
    for (size_t k = 0; k < s->t; k++) {
        size_t count = 0;
        if (!has_role(s, k, role)) continue;
        for (size_t i = 0; i < s->n; i++) count += s->member->correct[i * s->t + k];
        if (count < lowest) {
            lowest = count;
            worst = k;
        }
    }
    pl_stability_row row = new_row(s, "acc_worst", contrast_of(role), count_role(s, role));
    pl__row_null(&row, "chance", s->f->entry->chance, NAN);
    PL_TRY(
        pl__row_note(s->rows, &row, "template '%s'; interval not corrected for its choice", template_name(s, worst)));
    return pl__rows_add(s->rows, &row, pl_wilson(lowest, s->n), "wilson");
}

/* Entropy of what is predicted: per template, and its mean. */
static pl_status entropy_rows(const subject *s)
{
    pl_status status = PL_OK;
    double *left, *mean_left = NULL, sum = 0.0, categories = (double)s->f->entry->n_labels;
    double uniform = categories > 0.0 ? log2(categories) : NAN;
    PL_TRY(pl_new(&left, s->n));
    PL_GOTO(status, done, pl_new(&mean_left, s->n));
    for (size_t k = 0; k < s->t; k++) {
        double value;
        PL_GOTO(status, done,
                pl_prediction_entropy(&value, left, s->member->codes + k, s->t, s->n, s->f->n_categories));
        pl_stability_row row = template_row(s, "prediction_entropy", k);
        pl__row_null(&row, "uniform over labels", uniform, NAN);
        if (value == 0.0) PL_GOTO(status, done, pl__row_note(s->rows, &row, "constant predictor"));
        PL_GOTO(status, done, pl__rows_jackknife(s->rows, &row, value, left, s->n));
        sum += value;
        for (size_t i = 0; i < s->n; i++) mean_left[i] += left[i] / (double)s->t;
    }
    if (s->t > 1) {
        pl_stability_row row = new_row(s, "prediction_entropy", "templates", s->t);
        pl__row_null(&row, "uniform over labels", uniform, NAN);
        status = pl__rows_jackknife(s->rows, &row, sum / (double)s->t, mean_left, s->n);
    }
done:
    free(mean_left);
    free(left);
    return status;
}

/* Predictions of the templates of a role, side by side; the caller frees *codes. */
static pl_status codes_of_role(int **codes, const subject *s, const char *role)
{
    size_t count = count_role(s, role);
    PL_TRY(pl_new(codes, s->n * count));
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0, at = 0; k < s->t; k++)
            if (has_role(s, k, role)) (*codes)[i * count + at++] = s->member->codes[i * s->t + k];
    return PL_OK;
}

static pl_status flip_row(const subject *s, const pl_agreement *a, const char *role)
{
    pl_stability_row row = new_row(s, "flip_rate", contrast_of(role), a->t);
    pl__row_null(&row, "independent predictions", a->chance_flip, NAN);
    if (a->chance_flip == 0.0) PL_TRY(pl__row_note(s->rows, &row, "constant predictor: steady, but it says nothing"));
    return pl__rows_mean(s->rows, &row, a->flip, s->n);
}

/* The measures beside the flip rate, for all templates only. */
static pl_status agreement_rows(const subject *s, const pl_agreement *a)
{
    pl_stability_row row = new_row(s, "unanimity", "templates", s->t);
    pl__row_null(&row, "independent predictions", a->chance_unanimity, NAN);
    PL_TRY(pl__rows_add(s->rows, &row, a->unanimity, "wilson"));
    row = new_row(s, "fleiss_kappa", "templates", s->t);
    pl__row_null(&row, "chance agreement", 0.0, NAN);
    if (isnan(a->fleiss_kappa)) PL_TRY(pl__row_note(s->rows, &row, "not defined for a constant predictor"));
    PL_TRY(pl__rows_jackknife(s->rows, &row, a->fleiss_kappa, a->fleiss_kappa_left_out, s->n));
    row = new_row(s, "gwet_ac1", "templates", s->t);
    pl__row_null(&row, "chance agreement", 0.0, NAN);
    PL_TRY(pl__rows_jackknife(s->rows, &row, a->gwet_ac1, a->gwet_ac1_left_out, s->n));
    for (size_t x = 0; x < s->t; x++) {
        for (size_t y = x + 1; y < s->t; y++) {
            char *pair;
            PL_TRY(pl_arena_format(s->rows->arena, &pair, "%s|%s", template_name(s, x), template_name(s, y)));
            row = new_row(s, "flip_rate", pair, 2);
            PL_TRY(pl__rows_add(s->rows, &row, pl_wilson(a->differ[x * s->t + y], s->n), "wilson"));
        }
    }
    return PL_OK;
}

static pl_status flip_rows(const subject *s)
{
    static const char *const ROLES[] = {"", "id", "dev", "ood"};
    for (size_t r = 0; r < sizeof ROLES / sizeof *ROLES; r++) {
        size_t count = count_role(s, ROLES[r]);
        if (count < 2 || (*ROLES[r] && count == s->t)) continue;
        int *codes;
        pl_agreement a;
        PL_TRY(codes_of_role(&codes, s, ROLES[r]));
        pl_status status = pl_agreement_of(&a, codes, s->n, count, s->f->n_categories);
        free(codes);
        PL_TRY(status);
        status = flip_row(s, &a, ROLES[r]);
        if (status == PL_OK && !*ROLES[r]) status = agreement_rows(s, &a);
        pl_agreement_free(&a);
        PL_TRY(status);
    }
    return PL_OK;
}

/* Mean pairwise JSD of label distributions; its null pairs each item with others (some fixed shifts of the item order).
 */
static pl_status jsd_row(const subject *s)
{
    if (!s->member->q || s->t < 2) return PL_OK;
    double null = 0.0;
    size_t shifts = s->n > JSD_SHIFTS ? JSD_SHIFTS : s->n - 1;
    for (size_t r = 1; r <= shifts; r++) {
        pl_jsd_of_items(s->values, s->member->q, s->n, s->t, s->f->m, r * s->n / (shifts + 1));
        null += pl_mean(s->values, s->n) / (double)shifts;
    }
    pl_stability_row row = new_row(s, "jsd", "templates", s->t);
    if (shifts > 0) pl__row_null(&row, "unrelated items", null, NAN);
    pl_jsd_of_items(s->values, s->member->q, s->n, s->t, s->f->m, 0);
    if (isnan(pl_mean(s->values, s->n)))
        PL_TRY(pl__row_note(s->rows, &row, "an item has no finite label log-likelihood"));
    return pl__rows_mean(s->rows, &row, s->values, s->n);
}

/* Brier and NLL of template k, one number an item. */
static void score_items(const subject *s, size_t k, bool brier)
{
    for (size_t i = 0; i < s->n; i++) {
        const double *q = s->member->q + (i * s->t + k) * s->f->m;
        size_t gold = (size_t)s->f->gold[i];
        s->values[i] = brier ? pl_brier(q, s->f->m, gold) : pl_nll(q, gold);
    }
}

static pl_status calibration_rows(const subject *s)
{
    if (!s->member->q) return PL_OK;
    for (size_t i = 0; i < s->n; i++)
        if (s->f->gold[i] < 0 || (size_t)s->f->gold[i] >= s->f->m) return PL_OK;
    double labels = (double)s->f->m;
    for (int brier = 1; brier >= 0; brier--) {
        for (size_t k = 0; k < s->t; k++) {
            pl_stability_row row = template_row(s, brier ? "brier" : "nll", k);
            pl__row_null(&row, "uniform over labels", brier ? 1.0 - 1.0 / labels : log(labels), NAN);
            score_items(s, k, brier != 0);
            if (!isfinite(pl_mean(s->values, s->n)))
                PL_TRY(pl__row_note(s->rows, &row, "an item has no finite label log-likelihood"));
            PL_TRY(pl__rows_mean(s->rows, &row, s->values, s->n));
        }
    }
    return PL_OK;
}

/* template_sd from tau^2, tau^2 without each template and under the null. */
static pl_status template_sd_row(pl__rows *rows, pl_stability_row *row, double tau2, const double *without, size_t t,
                                 const double *null_tau2)
{
    double null_sds[PL_PERMUTATIONS];
    pl_null null;
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) null_sds[r] = pl_template_sd(null_tau2[r]);
    PL_TRY(pl_null_of(&null, null_sds, PL_PERMUTATIONS, pl_template_sd(tau2)));
    pl__row_null(row, "templates exchanged within items", null.mean, null.sd);
    PL_TRY(pl__row_note(rows, row, "p %.3g of the null", null.p));
    pl_estimate e = {pl_template_sd(tau2), NAN, NAN, NAN};
    if (t < PL_TEMPLATE_JACKKNIFE_MIN) {
        PL_TRY(pl__row_note(rows, row, "no interval below %d templates", PL_TEMPLATE_JACKKNIFE_MIN));
        return pl__rows_add(rows, row, e, "none");
    }
    double *left;
    PL_TRY(pl_new(&left, t));
    for (size_t k = 0; k < t; k++) left[k] = pl_template_sd(without[k]);
    e = pl_jackknife(e.value, left, t);
    free(left);
    return pl__rows_add(rows, row, e, "template jackknife");
}

static pl_status pool_variance(pl__variance_pool *pool, const pl_template_variance *v)
{
    if (!pool->without_template) {
        pool->t = v->t;
        PL_TRY(pl_new(&pool->without_template, v->t));
    }
    if (!pool->null_tau2) PL_TRY(pl_new(&pool->null_tau2, PL_PERMUTATIONS));
    pool->n_members++;
    pool->tau2 += v->tau2;
    for (size_t k = 0; k < v->t; k++) pool->without_template[k] += v->without_template[k];
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) pool->null_tau2[r] += v->null_tau2[r];
    return PL_OK;
}

static pl_status variance_rows(const subject *s, pl__variance_pool *pool)
{
    pl_template_variance v;
    pl_null null;
    pl_status status;
    if (s->n < 2 || s->t < 2) return PL_OK;
    /* Members are told apart in the seed, so that their nulls are independent and can be averaged. */
    uint64_t seed = (uint64_t)(s->member - s->f->members) + 1;
    PL_TRY(pl_template_variance_of(&v, s->member->correct, s->n, s->t, seed));
    pl_stability_row row = new_row(s, "template_sd", "templates", s->t);
    PL_GOTO(status, done, template_sd_row(s->rows, &row, v.tau2, v.without_template, s->t, v.null_tau2));
    PL_GOTO(status, done, pl_null_of(&null, v.null_spread, PL_PERMUTATIONS, v.spread));
    row = new_row(s, "spread", "templates", s->t);
    pl__row_null(&row, "templates exchanged within items", null.mean, null.sd);
    PL_GOTO(status, done,
            pl__row_note(s->rows, &row, "p %.3g of the null, whose 95%% quantile is %.3g", null.p, null.quantile95));
    PL_GOTO(status, done, pl__rows_add(s->rows, &row, (pl_estimate){v.spread, NAN, NAN, NAN}, "none"));
    if (s->rows->pooling) status = pool_variance(pool, &v);
done:
    pl_template_variance_free(&v);
    return status;
}

pl_status pl__behaviour_rows(pl__rows *rows, const pl__group *family, const pl__member *member, pl__variance_pool *pool)
{
    subject s = {.rows = rows, .f = family, .member = member, .n = family->n, .t = member->t};
    const double chance = family->entry->chance;
    pl_status status;
    PL_TRY(pl_new(&s.values, s.n));
    PL_GOTO(status, done, share_rows(&s, "acc", member->correct, "chance", chance));
    PL_GOTO(status, done, majority_row(&s));
    if (member->correct_norm) PL_GOTO(status, done, share_rows(&s, "acc_norm", member->correct_norm, "chance", chance));
    if (s.t > 1) PL_GOTO(status, done, worst_row(&s));
    PL_GOTO(status, done, drop_row(&s));
    PL_GOTO(status, done, variance_rows(&s, pool));
    PL_GOTO(status, done, flip_rows(&s));
    PL_GOTO(status, done, jsd_row(&s));
    PL_GOTO(status, done, entropy_rows(&s));
    PL_GOTO(status, done, calibration_rows(&s));
    if (member->failed) PL_GOTO(status, done, share_rows(&s, "parse_fail", member->failed, "", NAN));
done:
    free(s.values);
    return status;
}

pl_status pl__behaviour_pooled(pl__rows *rows, const pl__group *family, pl__variance_pool *pool)
{
    pl_stability_row row = pl__row(rows, "majority", "templates");
    row.n = family->n;
    row.n_seeds = family->n_members;
    pl__row_null(&row, "chance", family->entry->chance, NAN);
    PL_TRY(pl__rows_add(rows, &row, (pl_estimate){family->majority, NAN, NAN, NAN}, "none"));
    if (pool->n_members == 0) return PL_OK;
    double m = (double)pool->n_members;
    row = pl__row(rows, "template_sd", "templates");
    row.n = family->n;
    row.n_templates = pool->t;
    row.n_seeds = pool->n_members;
    for (size_t k = 0; k < pool->t; k++) pool->without_template[k] /= m;
    for (size_t r = 0; r < PL_PERMUTATIONS; r++) pool->null_tau2[r] /= m;
    PL_TRY(pl__row_note(rows, &row, "root of the mean variance component"));
    return template_sd_row(rows, &row, pool->tau2 / m, pool->without_template, pool->t, pool->null_tau2);
}

void pl__variance_pool_free(pl__variance_pool *pool)
{
    free(pool->null_tau2);
    free(pool->without_template);
    *pool = (pl__variance_pool){0};
}
