#include "analysis/pooled.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/entropy.h"
#include "statistics/labels.h"

/* The finite rows of a unit. */
typedef struct rows {
    const pl_run_unit *unit;
    const int64_t *gold, *predicted;
    size_t *kept, n;
} rows;

static double of_labels(const rows *r, double (*agreement)(const int64_t *, const int64_t *, size_t))
{
    int64_t *labels = malloc((2 * r->n + 1) * sizeof *labels);
    if (!labels) return NAN;
    for (size_t i = 0; i < r->n; i++) {
        labels[i] = r->gold[r->kept[i]];
        labels[r->n + i] = r->predicted[r->kept[i]];
    }
    double out = agreement(labels, labels + r->n, r->n);
    free(labels);
    return out;
}

static double f1_of(const rows *r)
{
    return of_labels(r, pl_f1);
}

static double mcc_of(const rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->gold[r->kept[i]] < 0) return NAN;
    return of_labels(r, pl_mcc);
}

static double brier_of(const rows *r)
{
    const pl_loglik *l = &r->unit->loglik;
    double sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        const uint64_t *at = l->choice_indptr + r->kept[i];
        const int64_t gold = r->gold[r->kept[i]];
        const size_t m = (size_t)(at[1] - at[0]);
        double *q = gold >= 0 && (size_t)gold < m ? malloc(m * sizeof *q) : NULL;
        if (!q) return NAN;
        (void)pl_softmax(q, l->score + at[0], m);
        sum += pl_brier(q, m, (size_t)gold);
        free(q);
    }
    return sum / (double)r->n;
}

/* The score of a row's one text; NaN where a file that was made by hand has none. */
static double first_score(const pl_loglik *l, size_t row)
{
    const uint64_t *at = l->choice_indptr + row;
    return at[0] < at[1] ? l->score[at[0]] : NAN;
}

/* Minus the log-likelihood of all rows over all of a column; NULL: over rows. */
static double rate_of(const rows *r, const char *column)
{
    const pl_loglik *l = &r->unit->loglik;
    const int64_t *weights = NULL;
    double sum = 0, weight = 0;
    if (column && pl_run_unit_integers(&weights, r->unit, column) != PL_OK) return NAN;
    for (size_t i = 0; i < r->n; i++) {
        sum -= first_score(l, r->kept[i]);
        weight += weights ? (double)weights[r->kept[i]] : 1.0;
    }
    return sum / weight;
}

static double perplexity_of(const rows *r)
{
    return exp(rate_of(r, NULL));
}

static double word_perplexity_of(const rows *r)
{
    return exp(rate_of(r, "n_words"));
}

static double byte_perplexity_of(const rows *r)
{
    return exp(rate_of(r, "n_bytes"));
}

static double bits_per_byte_of(const rows *r)
{
    return rate_of(r, "n_bytes") / log(2.0);
}

typedef enum kind { CHOICES, ALONE, TEXTS } kind;

/* weights: a column of /obs; NULL: none. */
static const struct entry {
    pl_pooled pooled;
    kind of;
    double (*measure)(const rows *);
    const char *weights;
} ENTRIES[] = {
    {{"f1", "f1", true}, CHOICES, f1_of, NULL},
    {{"mcc", "matthews_corrcoef", true}, CHOICES, mcc_of, NULL},
    {{"brier_score", "brier_score", false}, CHOICES, brier_of, NULL},
    {{"perplexity", "perplexity", false}, ALONE, perplexity_of, NULL},
    {{"word_perplexity", "weighted_perplexity", false}, TEXTS, word_perplexity_of, "n_words"},
    {{"byte_perplexity", "weighted_perplexity", false}, TEXTS, byte_perplexity_of, "n_bytes"},
    {{"bits_per_byte", "bits_per_byte", false}, TEXTS, bits_per_byte_of, "n_bytes"},
};

const pl_pooled *pl_pooled_find(const char *name)
{
    for (size_t i = 0; i < sizeof ENTRIES / sizeof *ENTRIES; i++)
        if (strcmp(ENTRIES[i].pooled.name, name) == 0) return &ENTRIES[i].pooled;
    return NULL;
}

pl_status pl_pooled_of(double *out, const pl_run_unit *unit, const pl_pooled *what)
{
    const struct entry *entry = (const struct entry *)what; /* its first member */
    const uint8_t *finite;
    rows r = {.unit = unit};
    *out = NAN;
    if (unit->generates || entry->of != (unit->rolls ? TEXTS : unit->alone ? ALONE : CHOICES)) return PL_OK;
    PL_TRY(pl_run_unit_bools(&finite, unit, "finite"));
    PL_TRY(pl_run_unit_integers(&r.gold, unit, "label_index"));
    PL_TRY(pl_run_unit_integers(&r.predicted, unit, "prediction_index"));
    if (unit->loglik.n_rows != unit->obs->n_rows) return PL_OK;
    PL_TRY(pl_new(&r.kept, unit->obs->n_rows));
    for (size_t i = 0; i < unit->obs->n_rows; i++)
        if (finite[i]) r.kept[r.n++] = i;
    if (r.n) *out = entry->measure(&r);
    free(r.kept);
    return PL_OK;
}

/* The softmax of a row's scores. */
static pl_status put_probabilities(pl_json_builder *b, const pl_loglik *l, size_t row)
{
    const uint64_t *at = l->choice_indptr + row;
    const size_t m = (size_t)(at[1] - at[0]);
    double *q;
    PL_TRY(pl_new(&q, m));
    (void)pl_softmax(q, l->score + at[0], m);
    pl_json_open_list(b, NULL);
    for (size_t c = 0; c < m; c++) pl_json_put_real(b, NULL, q[c]);
    pl_json_close(b);
    free(q);
    return PL_OK;
}

pl_status pl_pooled_row(pl_json_builder *b, const pl_run_unit *unit, const pl_pooled *what, size_t row)
{
    const struct entry *entry = (const struct entry *)what; /* its first member */
    const pl_loglik *l = &unit->loglik;
    const int64_t *gold, *other = NULL;
    pl_status status = PL_OK;
    if (entry->of == ALONE) {
        pl_json_put_real(b, what->name, first_score(l, row));
        return PL_OK;
    }
    PL_TRY(pl_run_unit_integers(&gold, unit, "label_index"));
    if (entry->measure != brier_of)
        PL_TRY(pl_run_unit_integers(&other, unit, entry->weights ? entry->weights : "prediction_index"));
    pl_json_open_list(b, what->name);
    if (entry->of == TEXTS)
        pl_json_put_real(b, NULL, first_score(l, row));
    else
        pl_json_put_integer(b, NULL, gold[row]);
    if (other)
        pl_json_put_integer(b, NULL, other[row]);
    else
        status = put_probabilities(b, l, row);
    pl_json_close(b);
    return status;
}
