/* Perplexities, with intervals: log-likelihoods of all items over all of a weight (pooled.h says how
 * lm-evaluation-harness pools them), by the number without each of the items. A perplexity is exp of such a rate, and
 * its interval exp of the rate's, which is symmetric where the perplexity's is not. */
#include <string.h>

#include "analysis/scope.h"

/* What minus an item's log-likelihood is divided by: a column of /obs; TOKENS: the tokens that were scored; ITEMS: each
 * item is 1. */
static const char *const ITEMS = NULL, *const TOKENS = "";

static double weight_of(const char *weights, const pl__cell *cell, const int64_t *column, size_t i)
{
    const pl_loglik *l = &cell->unit->loglik;
    const uint64_t at = l->choice_indptr[cell->row[i]];
    if (!weights) return 1.0;
    return column ? (double)column[cell->row[i]] : (double)(l->token_indptr[at + 1] - l->token_indptr[at]);
}

/* Nats a weight under one template: *value, and items[i] += that without item i, over t. */
static pl_status add_template(double *value, double *items, const pl__subject *s, const pl__cell *cell,
                              const char *weights, double t)
{
    const int64_t *column = NULL;
    double nats = 0, weight = 0;
    size_t n;
    if (weights && *weights) PL_TRY(pl_run_unit_integers(&column, cell->unit, weights));
    for (size_t i = 0; i < s->n; i++) {
        nats -= *pl__cell_scores(cell, i, &n);
        weight += weight_of(weights, cell, column, i);
    }
    *value += nats / weight / t;
    for (size_t i = 0; i < s->n; i++)
        items[i] += (nats + *pl__cell_scores(cell, i, &n)) / (weight - weight_of(weights, cell, column, i)) / t;
    return PL_OK;
}

/* Of the rate's estimate that of exp(rate), or of the rate in bits. */
static void transform(pl_crossed *c, bool bits)
{
    double *const ends[] = {&c->value, &c->centre, &c->lo, &c->hi, &c->lo_these, &c->hi_these};
    const double slope = bits ? 1.0 / log(2.0) : exp(c->value);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) *ends[i] = bits ? *ends[i] * slope : exp(*ends[i]);
    c->se *= slope;
    c->se_these *= slope;
}

/* Over several templates the mean of their rates. */
static pl_status rate(pl__measured *out, pl__scope *scope, const char *weights, bool bits)
{
    const pl__subject *s = scope->subject;
    pl_clusters clusters;
    double value = 0;
    if (!s->group->m) return PL_OK;
    memset(s->items, 0, s->n * sizeof *s->items);
    for (size_t k = 0; k < scope->t; k++)
        PL_TRY(add_template(&value, s->items, s, &s->member->cells[scope->templates[k]], weights, (double)scope->t));
    out->kind = PL__FIXED;
    out->null_why = "no answers are compared: there is no chance level";
    out->estimate = pl__only_value(value);
    if (s->n > 1) {
        pl_pseudo_values(s->items, s->n, value);
        PL_TRY(pl__subject_clusters(&clusters, s, s->n, s->arena));
        const pl_crossed_design design = {
            .value = value, .n = s->n, .items = s->items, .clusters = clusters, .low = 0, .high = INFINITY};
        pl_crossed_of(&out->estimate, &design);
        out->ci_method = "crossed";
    } else
        out->why_empty = "one item";
    transform(&out->estimate, bits);
    return PL_OK;
}

pl_status pl__metric_perplexity(pl__measured *out, pl__scope *scope)
{
    return scope->subject->group->unit->alone ? rate(out, scope, ITEMS, false) : PL_OK;
}

static pl_status of_texts(pl__measured *out, pl__scope *scope, const char *weights, bool bits)
{
    return scope->subject->group->unit->rolls ? rate(out, scope, weights, bits) : PL_OK;
}

pl_status pl__metric_word_perplexity(pl__measured *out, pl__scope *scope)
{
    return of_texts(out, scope, "n_words", false);
}

pl_status pl__metric_byte_perplexity(pl__measured *out, pl__scope *scope)
{
    return of_texts(out, scope, "n_bytes", false);
}

pl_status pl__metric_token_perplexity(pl__measured *out, pl__scope *scope)
{
    return of_texts(out, scope, TOKENS, false);
}

pl_status pl__metric_bits_per_byte(pl__measured *out, pl__scope *scope)
{
    return of_texts(out, scope, "n_bytes", true);
}

bool pl__is_of_texts(pl_metric_id id)
{
    return id == PL_METRIC_WORD_PERPLEXITY || id == PL_METRIC_BYTE_PERPLEXITY || id == PL_METRIC_TOKEN_PERPLEXITY ||
           id == PL_METRIC_BITS_PER_BYTE || id == PL_METRIC_NOT_FINITE;
}
