/* Readouts of the same log-probabilities: the table of `plumb rescore`, scorers.csv and JSON. */
#include "analysis/scorers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/scope.h"
#include "base/visible.h"
#include "report/data.h"
#include "report/report.h"

/* ---- on the screen ---- */

/* "0.650 [0.540, 0.760]"; "-" where not defined. */
static void share_text(char *out, size_t size, double value, double lo, double hi)
{
    if (fabs(value) < 0.0005) value = 0; /* not -0.000 */
    if (isnan(value))
        snprintf(out, size, "-");
    else if (isnan(lo))
        snprintf(out, size, "%.3f", value);
    else
        snprintf(out, size, "%.3f [%.3f, %.3f]", value, lo, hi);
}

static bool same_group(const pl_scorer_row *a, const pl_scorer_row *b)
{
    return !strcmp(a->model, b->model) && !strcmp(a->task, b->task) && !strcmp(a->arm, b->arm) && a->k == b->k &&
           (a->scorer == PL_SCORER_GENERATED) == (b->scorer == PL_SCORER_GENERATED);
}

/* Of a group's rows one role is shown: the last of id, dev, ood that there is. */
static bool is_shown(const pl_scorers_table *t, size_t i)
{
    return i + 1 == t->n || !same_group(&t->rows[i], &t->rows[i + 1]) || t->rows[i].scorer != t->rows[i + 1].scorer;
}

static void print_row(FILE *out, const pl_scorer_row *r)
{
    char accuracy[64], difference[64], sd[64];
    share_text(accuracy, sizeof accuracy, r->accuracy.value, r->accuracy.lo, r->accuracy.hi);
    share_text(difference, sizeof difference, r->difference.value, r->difference.lo, r->difference.hi);
    share_text(sd, sizeof sd, r->template_sd.value, r->template_sd.lo, r->template_sd.hi);
    fprintf(out, "  %-12s  %-21s  %-23s  %s\n", pl_scorer_name(r->scorer), accuracy, difference, sd);
}

static void print_names(FILE *out, const bool *marks, bool wanted, const bool *known)
{
    const char *between = "";
    for (pl_scorer s = 0; s < PL_SCORERS; s++) {
        if (!known[s] || marks[s] != wanted) continue;
        fprintf(out, "%s%s", between, pl_scorer_name(s));
        between = ", ";
    }
}

/* A claim stands when two of three scorers make it. */
static void print_claim(FILE *out, const pl_scorer_claim *c)
{
    size_t sensitive = pl_scorer_claim_sensitive(c);
    if (pl_scorer_claim_known(c) < 2) return;
    pl_print(out, "  %s, %s, %s, k = %lld: ", c->model, c->task, c->arm, c->k);
    if (sensitive >= 2) {
        fputs("sensitive to wording by ", out);
        print_names(out, c->sensitive, true, c->known);
    } else if (sensitive == 1) {
        fputs("scorer artefact: sensitive by ", out);
        print_names(out, c->sensitive, true, c->known);
        fputs(", not by ", out);
        print_names(out, c->sensitive, false, c->known);
    } else {
        fputs("not shown to be sensitive, by ", out);
        print_names(out, c->known, true, c->known);
    }
    fputc('\n', out);
}

static pl_status finish(FILE *out)
{
    return ferror(out) ? pl_fail(PL_E_IO, "the table cannot be written to the output") : PL_OK;
}

pl_status pl_report_scorer_claims_print(FILE *out, const pl_scorers_table *table)
{
    if (table->n_claims)
        fputs("sensitive to wording and label words? Template SD above 0 by two of: raw, calibrated, generated\n", out);
    size_t n_single = 0;
    for (size_t i = 0; i < table->n_claims; i++) {
        print_claim(out, &table->claims[i]);
        n_single += pl_scorer_claim_known(&table->claims[i]) < 2;
    }
    if (n_single) fprintf(out, "  %zu conditions with one scorer: no claim\n", n_single);
    if (table->n_claims) fputc('\n', out);
    return finish(out);
}

pl_status pl_report_scorers_print(FILE *out, const pl_scorers_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const pl_scorer_row *r = &table->rows[i];
        if (i == 0 || !same_group(r, r - 1))
            pl_print(out, "%s, %s, %s, k = %lld: %zu items\n", r->model, r->task, r->arm, r->k, r->n_items);
        if (!is_shown(table, i)) continue;
        char head[32];
        snprintf(head, sizeof head, "%s templates", r->role);
        if (r->scorer == PL_SCORER_RAW || r->scorer == PL_SCORER_GENERATED)
            fprintf(out, "  %-12s  %-21s  %-23s  template SD (all)\n", "scorer", head, "minus raw");
        print_row(out, r);
        if (i + 1 == table->n || !same_group(r, r + 1)) fputc('\n', out);
    }
    if (!table->n) fputs("no unit has log-probabilities of labels, or answers: nothing to score\n", out);
    PL_TRY(pl_report_scorer_claims_print(out, table));
    if (table->n)
        fputs("raw: sums of token log-probabilities; token, character: over the label's length; calibrated: over\n"
              "its share after content-free inputs; pmi: over its probability there; generated: the task's metric.\n",
              out);
    return finish(out);
}

/* ---- as data ---- */

enum { TEXTS = 6, REALS = 17 };
static const char *const text_names[TEXTS] = {"model", "task", "arm", "scorer", "role", "generalises"};
static const char *const real_names[REALS] = {"k",
                                              "n_items",
                                              "n_clusters",
                                              "n_templates",
                                              "n_draws",
                                              "accuracy",
                                              "se",
                                              "df",
                                              "lo",
                                              "hi",
                                              "minus_raw",
                                              "minus_raw_lo",
                                              "minus_raw_hi",
                                              "n_all_templates",
                                              "template_sd",
                                              "template_sd_lo",
                                              "template_sd_hi"};

static void fields_of(const char *texts[PL__DATA_TEXTS], double reals[PL__DATA_REALS], const void *rows, size_t i)
{
    const pl_scorer_row *r = (const pl_scorer_row *)rows + i;
    const char *const t[TEXTS] = {
        r->model, r->task, r->arm, pl_scorer_name(r->scorer), r->role, pl__generalises(&r->accuracy)};
    const double x[REALS] = {(double)r->k,
                             (double)r->n_items,
                             (double)r->accuracy.n_clusters,
                             (double)r->n_templates,
                             (double)r->n_draws,
                             r->accuracy.value,
                             r->accuracy.se,
                             r->accuracy.df,
                             r->accuracy.lo,
                             r->accuracy.hi,
                             r->difference.value,
                             r->difference.lo,
                             r->difference.hi,
                             (double)r->n_all_templates,
                             r->template_sd.value,
                             r->template_sd.lo,
                             r->template_sd.hi};
    memcpy(texts, t, sizeof t);
    memcpy(reals, x, sizeof x);
}

static const pl__data data = {TEXTS, REALS, text_names, real_names, fields_of};

pl_status pl_report_scorers_csv(const pl_run_folder *run, const pl_scorers_table *table)
{
    return pl__data_csv(run, "scorers.csv", &data, table->rows, table->n);
}

pl_status pl_report_scorers_json(json_t *object, const pl_scorers_table *table)
{
    return pl__data_json(object, "scorers", &data, table->rows, table->n);
}
